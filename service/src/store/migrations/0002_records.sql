-- Records. Times are microseconds since 1970, identifiers UUIDv7 in text. What is called sealed is
-- ciphertext when it comes here; what is called an index of a value is a keyed digest of it.

CREATE TABLE institution (
    id              TEXT PRIMARY KEY,
    credit_code     TEXT NOT NULL UNIQUE,
    name            TEXT NOT NULL,
    region          TEXT NOT NULL,
    registered_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE identity (
    id              TEXT PRIMARY KEY,
    institution     TEXT NOT NULL REFERENCES institution (id),
    role            TEXT NOT NULL,
    sealed_name     BLOB NOT NULL,
    number          TEXT NOT NULL,
    department      TEXT NOT NULL,
    registered_at   INTEGER NOT NULL,
    UNIQUE (institution, number)
) STRICT;

-- Certificates of the authorities themselves, by the name of their key.
CREATE TABLE authority (
    name            TEXT PRIMARY KEY,
    der             BLOB NOT NULL
) STRICT;

-- The body is recorded before the key signs it, so that everything signed is on record.
CREATE TABLE certificate (
    serial              TEXT PRIMARY KEY,
    identity            TEXT REFERENCES identity (id),
    issuer              TEXT NOT NULL,
    key_digest          BLOB NOT NULL UNIQUE,
    body                BLOB NOT NULL,
    der                 BLOB,
    not_before          INTEGER NOT NULL,
    not_after           INTEGER NOT NULL,
    drafted_at          INTEGER NOT NULL,
    revoked_at          INTEGER,
    revocation_reason   INTEGER,
    CHECK ((revoked_at IS NULL) = (revocation_reason IS NULL))
) STRICT;
CREATE INDEX certificate_identity ON certificate (identity) WHERE identity IS NOT NULL;
CREATE INDEX certificate_revoked ON certificate (issuer) WHERE revoked_at IS NOT NULL;
CREATE INDEX certificate_draft ON certificate (drafted_at) WHERE der IS NULL;

CREATE TABLE revocation_list (
    issuer          TEXT PRIMARY KEY,
    number          INTEGER NOT NULL,
    der             BLOB NOT NULL
) STRICT;

-- A session by the SM3 of its secret.
CREATE TABLE session (
    digest          BLOB PRIMARY KEY,
    identity        TEXT NOT NULL REFERENCES identity (id),
    certificate     TEXT NOT NULL REFERENCES certificate (serial),
    opened_at       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    closed_at       INTEGER
) STRICT;
CREATE INDEX session_open ON session (expires_at) WHERE closed_at IS NULL;
CREATE INDEX session_certificate ON session (certificate) WHERE closed_at IS NULL;

CREATE TABLE resident (
    id                  TEXT PRIMARY KEY,
    institution         TEXT NOT NULL REFERENCES institution (id),
    id_number_index     BLOB NOT NULL UNIQUE,
    wrapped_key         BLOB NOT NULL,
    sealed_name         BLOB NOT NULL,
    sealed_id_number    BLOB NOT NULL,
    sealed_phone        BLOB,
    sealed_ethnic_group BLOB,
    registered_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE card (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    chip_serial     TEXT NOT NULL UNIQUE,
    factor          BLOB NOT NULL,
    valid_until     TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('active', 'lost', 'cancelled')),
    registered_at   INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX card_active ON card (resident) WHERE status = 'active';
CREATE UNIQUE INDEX card_factor ON card (factor) WHERE status <> 'cancelled';

-- Holds a sealed copy of a person, and is therefore deleted soon after it is over.
CREATE TABLE presence (
    id              TEXT PRIMARY KEY,
    card            TEXT NOT NULL REFERENCES card (id),
    resident        TEXT NOT NULL REFERENCES resident (id),
    session         BLOB NOT NULL,
    sealed_reading  BLOB NOT NULL,
    read_at         INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    used_at         INTEGER
) STRICT;
CREATE INDEX presence_over ON presence (expires_at);
CREATE INDEX presence_resident ON presence (resident, session);

CREATE TABLE visit (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    department      TEXT NOT NULL,
    reason          TEXT NOT NULL,
    opened_at       INTEGER NOT NULL,
    closed_at       INTEGER
) STRICT;
CREATE INDEX visit_open ON visit (institution, id) WHERE closed_at IS NULL;

CREATE TABLE attending (
    visit           TEXT NOT NULL REFERENCES visit (id),
    identity        TEXT NOT NULL REFERENCES identity (id),
    PRIMARY KEY (visit, identity)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    id              TEXT PRIMARY KEY,
    identity        TEXT NOT NULL REFERENCES identity (id),
    certificate     TEXT NOT NULL REFERENCES certificate (serial),
    session         BLOB NOT NULL,
    resident        TEXT NOT NULL REFERENCES resident (id),
    visit           TEXT NOT NULL REFERENCES visit (id),
    issued_at       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    position        INTEGER NOT NULL UNIQUE,
    revoked_at      INTEGER
) STRICT;

CREATE TABLE signing (
    id              TEXT PRIMARY KEY,
    identity        TEXT NOT NULL REFERENCES identity (id),
    certificate     TEXT NOT NULL REFERENCES certificate (serial),
    visit           TEXT NOT NULL REFERENCES visit (id),
    record_digest   BLOB NOT NULL,
    record_type     TEXT NOT NULL,
    attributes      BLOB NOT NULL,
    prepared_at     INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    completed_at    INTEGER,
    signed_data     BLOB,
    CHECK ((completed_at IS NULL) = (signed_data IS NULL))
) STRICT;
CREATE INDEX signing_record ON signing (record_digest) WHERE completed_at IS NOT NULL;
