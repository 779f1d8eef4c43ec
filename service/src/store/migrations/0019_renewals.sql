-- Certificates that renew another: the same holder and the same key, which a UNIQUE of the column forbids. SQLite takes it
-- back only with a table that is made anew; what refers to it does so by name, and is checked at the end.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE certificate_before AS SELECT * FROM certificate;
DROP TABLE certificate;
CREATE TABLE certificate (
    serial              TEXT PRIMARY KEY,
    identity            TEXT REFERENCES identity (id),
    issuer              TEXT NOT NULL,
    key_digest          BLOB NOT NULL,
    body                BLOB NOT NULL,
    der                 BLOB,
    not_before          INTEGER NOT NULL,
    not_after           INTEGER NOT NULL,
    drafted_at          INTEGER NOT NULL,
    revoked_at          INTEGER,
    revocation_reason   INTEGER,
    pair_of             TEXT REFERENCES certificate (serial),
    renews              TEXT REFERENCES certificate (serial),
    CHECK ((revoked_at IS NULL) = (revocation_reason IS NULL))
) STRICT;
INSERT INTO certificate
    SELECT serial, identity, issuer, key_digest, body, der, not_before, not_after, drafted_at, revoked_at,
           revocation_reason, pair_of, NULL
    FROM certificate_before;
DROP TABLE certificate_before;
-- A key is certified once, and then again only as a renewal, of which each certificate has one.
CREATE UNIQUE INDEX certificate_first ON certificate (key_digest) WHERE renews IS NULL;
CREATE UNIQUE INDEX certificate_renewal ON certificate (renews) WHERE renews IS NOT NULL;
CREATE INDEX certificate_key ON certificate (key_digest);
CREATE INDEX certificate_identity ON certificate (identity) WHERE identity IS NOT NULL;
CREATE INDEX certificate_revoked ON certificate (issuer) WHERE revoked_at IS NOT NULL;
CREATE INDEX certificate_draft ON certificate (drafted_at) WHERE der IS NULL;
CREATE UNIQUE INDEX certificate_pair ON certificate (pair_of) WHERE pair_of IS NOT NULL;
CREATE INDEX certificate_end ON certificate (not_after, serial) WHERE der IS NOT NULL;
