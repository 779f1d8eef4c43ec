-- Electronic cards and their codes. The id that codes show is sealed under the resident's key.

CREATE TABLE electronic_card (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    card_id_index   BLOB NOT NULL UNIQUE,
    sealed_card_id  BLOB NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('active', 'cancelled')),
    registered_at   INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX electronic_card_active ON electronic_card (resident) WHERE status = 'active';
CREATE INDEX electronic_card_resident ON electronic_card (resident);

-- A code by the SM3 of its text. What it was made from stays beside it; the key that is needed as
-- well does not.
CREATE TABLE code (
    id              TEXT PRIMARY KEY,
    digest          BLOB NOT NULL UNIQUE,
    electronic_card TEXT NOT NULL REFERENCES electronic_card (id),
    kind            TEXT NOT NULL CHECK (kind IN ('dynamic', 'signed')),
    nonce           BLOB NOT NULL,
    made_by         TEXT NOT NULL REFERENCES identity (id),
    made_at         INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    uses_left       INTEGER NOT NULL CHECK (uses_left >= 0),
    revoked_at      INTEGER
) STRICT;
CREATE INDEX code_open ON code (electronic_card, expires_at) WHERE revoked_at IS NULL AND uses_left > 0;
CREATE INDEX code_over ON code (expires_at);

-- Presences may rest on a code now. They live for minutes: those of a moment ago end with this step.
DROP TABLE presence;
CREATE TABLE presence (
    id              TEXT PRIMARY KEY,
    evidence        TEXT NOT NULL CHECK (evidence IN ('card', 'dynamic-code', 'signed-code')),
    card            TEXT REFERENCES card (id),
    electronic_card TEXT REFERENCES electronic_card (id),
    resident        TEXT NOT NULL REFERENCES resident (id),
    session         BLOB NOT NULL,
    sealed_reading  BLOB NOT NULL,
    read_at         INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    used_at         INTEGER,
    CHECK ((evidence = 'card') = (card IS NOT NULL)),
    CHECK ((evidence = 'card') = (electronic_card IS NULL))
) STRICT;
CREATE INDEX presence_over ON presence (expires_at);
CREATE INDEX presence_resident ON presence (resident, session);
