-- Revocation lists of ranges of serial numbers, and lists of what has changed.

-- The newest list of each kind: of all certificates of an authority (range '') or of one range of serial numbers.
CREATE TABLE revocation_list_part (
    issuer          TEXT NOT NULL,
    range           TEXT NOT NULL,
    number          INTEGER NOT NULL,
    complete        BLOB NOT NULL,
    -- What has changed since the oldest list that somebody may still hold; nothing when that is as much as the complete list.
    delta           BLOB,
    PRIMARY KEY (issuer, range)
) STRICT;
INSERT INTO revocation_list_part (issuer, range, number, complete)
SELECT issuer, '', number, der FROM revocation_list;
DROP TABLE revocation_list;
ALTER TABLE revocation_list_part RENAME TO revocation_list;

-- Complete lists that somebody may still hold, and how many changes were known when they were made.
CREATE TABLE revocation_list_base (
    issuer          TEXT NOT NULL,
    range           TEXT NOT NULL,
    number          INTEGER NOT NULL,
    next_update     INTEGER NOT NULL,
    changes         INTEGER NOT NULL,
    PRIMARY KEY (issuer, range, number)
) STRICT;

-- Each change of the status of a certificate, in their order.
CREATE TABLE certificate_change (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer          TEXT NOT NULL,
    serial          TEXT NOT NULL
) STRICT;
CREATE INDEX certificate_change_issuer ON certificate_change (issuer, id);
CREATE TRIGGER certificate_changed AFTER UPDATE OF revoked_at, revocation_reason ON certificate
WHEN new.revoked_at IS NOT old.revoked_at OR new.revocation_reason IS NOT old.revocation_reason
BEGIN
    INSERT INTO certificate_change (issuer, serial) VALUES (new.issuer, new.serial);
END;

-- Addresses below which certificates say that their lists are.
CREATE TABLE list_address (
    url             TEXT PRIMARY KEY
) STRICT;

DROP INDEX certificate_revoked;
CREATE INDEX certificate_revoked ON certificate (issuer, serial) WHERE revoked_at IS NOT NULL;
