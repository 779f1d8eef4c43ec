-- Certificates that are to be issued: entered by one person, reviewed by another, each with a signed statement
-- (录入、复核), which stays with the certificate. `alone` were issued on the entry, for roles whose certificates take one person.
CREATE TABLE enrolment (
    id                  TEXT PRIMARY KEY,             -- chosen by who enters it, and signed
    identity            TEXT NOT NULL REFERENCES identity (id),
    certificates        TEXT NOT NULL CHECK (certificates IN ('signing', 'pair')),
    days                INTEGER,
    request             BLOB NOT NULL,                -- PKCS#10
    key_digest          BLOB NOT NULL,
    entry               TEXT NOT NULL,
    entry_signature     BLOB NOT NULL,
    entered_by          TEXT NOT NULL REFERENCES identity (id),
    entered_with        TEXT NOT NULL REFERENCES certificate (serial),
    entered_at          INTEGER NOT NULL,
    expires_at          INTEGER NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'alone', 'expired')),
    review              TEXT,
    review_signature    BLOB,
    reviewed_by         TEXT REFERENCES identity (id),
    reviewed_with       TEXT REFERENCES certificate (serial),
    reviewed_at         INTEGER,
    rejection           TEXT,
    certificate         TEXT REFERENCES certificate (serial),
    envelope            BLOB,                         -- of a pair: the encryption key, for the holder
    CHECK ((reviewed_by IS NOT NULL) = (state IN ('approved', 'rejected'))),
    CHECK ((reviewed_by IS NULL) = (review IS NULL) AND (reviewed_by IS NULL) = (review_signature IS NULL)
       AND (reviewed_by IS NULL) = (reviewed_with IS NULL) AND (reviewed_by IS NULL) = (reviewed_at IS NULL)),
    CHECK (reviewed_by <> entered_by),
    CHECK ((rejection IS NOT NULL) = (state = 'rejected')),
    CHECK ((certificate IS NOT NULL) = (state IN ('approved', 'alone'))),
    CHECK ((envelope IS NOT NULL) = (certificate IS NOT NULL AND certificates = 'pair'))
) STRICT;
CREATE UNIQUE INDEX enrolment_pending ON enrolment (key_digest) WHERE state = 'pending';
CREATE INDEX enrolment_waiting ON enrolment (id) WHERE state = 'pending';
CREATE INDEX enrolment_rejected ON enrolment (id) WHERE state = 'rejected';
CREATE UNIQUE INDEX enrolment_certificate ON enrolment (certificate) WHERE certificate IS NOT NULL;

-- A keyed digest of the ID number of a member of staff: one person with two identities is one person.
ALTER TABLE identity ADD COLUMN person BLOB;

-- Alerts are found whatever became of the act: that an operator was made is one, though it was granted.
DROP INDEX leaf_alert;
CREATE INDEX leaf_alert ON leaf (at) WHERE instr(entry, x'22616c657274223a') > 0;
