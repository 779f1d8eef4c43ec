-- What is told about certificates to a platform (证书信息、黑名单): each one that was signed for somebody on record, and each
-- change of its status, in their order. Triggers write it: no statement changes either without it. The entry that the log gets
-- for the change is the next one.
CREATE TABLE certificate_report (
    change      INTEGER PRIMARY KEY AUTOINCREMENT,
    serial      TEXT NOT NULL REFERENCES certificate (serial),
    kind        TEXT NOT NULL CHECK (kind IN ('issued', 'revoked', 'suspended', 'released')),
    reason      INTEGER,
    at          INTEGER,                -- of a revocation, as lists have it
    position    INTEGER                 -- of the entry; nothing for what was so before
) STRICT;
INSERT INTO certificate_report (serial, kind, position)
    SELECT serial, 'issued', log_position FROM certificate
    WHERE der IS NOT NULL AND identity IS NOT NULL ORDER BY drafted_at, pair_of IS NOT NULL, serial;
INSERT INTO certificate_report (serial, kind, reason, at)
    SELECT serial, iif(revocation_reason = 6, 'suspended', 'revoked'), revocation_reason, revoked_at FROM certificate
    WHERE der IS NOT NULL AND identity IS NOT NULL AND revoked_at IS NOT NULL ORDER BY revoked_at, serial;
CREATE TRIGGER certificate_report_issued AFTER UPDATE OF der ON certificate
WHEN old.der IS NULL AND new.der IS NOT NULL AND new.identity IS NOT NULL
BEGIN
    INSERT INTO certificate_report (serial, kind, position) VALUES (new.serial, 'issued', new.log_position);
END;
CREATE TRIGGER certificate_report_changed AFTER UPDATE OF revoked_at, revocation_reason ON certificate
WHEN new.der IS NOT NULL AND new.identity IS NOT NULL
    AND (new.revoked_at IS NOT old.revoked_at OR new.revocation_reason IS NOT old.revocation_reason)
BEGIN
    INSERT INTO certificate_report (serial, kind, reason, at, position)
    VALUES (new.serial,
        CASE WHEN new.revoked_at IS NULL THEN 'released' WHEN new.revocation_reason = 6 THEN 'suspended' ELSE 'revoked' END,
        new.revocation_reason, new.revoked_at, coalesce((SELECT max(position) FROM leaf), -1) + 1);
END;

-- By which texts of its identifying extensions a certificate is found.
CREATE TABLE certificate_identifier (
    text        TEXT NOT NULL,
    serial      TEXT NOT NULL REFERENCES certificate (serial),
    PRIMARY KEY (text, serial)
) STRICT, WITHOUT ROWID;
