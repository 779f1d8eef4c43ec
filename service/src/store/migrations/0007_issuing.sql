-- Batches of cards that are made. What is personal in a row is sealed under the key of its batch,
-- and goes as soon as its card is made or the row is refused; the key goes as the batch is closed.

-- How an institution stands on the cards it issues: a code, where only digits fit (region and a
-- serial of ours), and the certificate that it vouches for itself with.
CREATE TABLE issuer (
    institution     TEXT PRIMARY KEY REFERENCES institution (id),
    code            TEXT NOT NULL UNIQUE,
    certificate     BLOB NOT NULL
) STRICT;

CREATE TABLE batch (
    id              TEXT PRIMARY KEY,             -- chosen by the caller
    institution     TEXT NOT NULL REFERENCES institution (id),
    input_digest    BLOB NOT NULL,
    row_count       INTEGER NOT NULL,
    wrapped_key     BLOB,                         -- NULL once it is closed
    opened_at       INTEGER NOT NULL,
    closed_at       INTEGER,
    manifest        TEXT,
    CHECK ((closed_at IS NULL) = (manifest IS NULL)),
    CHECK ((closed_at IS NULL) = (wrapped_key IS NOT NULL))
) STRICT;
CREATE INDEX batch_institution ON batch (institution, id);

CREATE TABLE batch_row (
    batch           TEXT NOT NULL REFERENCES batch (id),
    number          INTEGER NOT NULL,             -- from 1
    state           TEXT NOT NULL CHECK (state IN ('waiting', 'writing', 'issued', 'refused')),
    digest          BLOB NOT NULL,                -- keyed
    id_number_index BLOB,                         -- NULL of refused rows
    sealed_row      BLOB,                         -- while it is waiting or written
    reasons         TEXT,                         -- of refused rows: field:CODE,…
    factor          BLOB,                         -- of the chip that is or was written
    card            TEXT REFERENCES card (id),
    transcript      BLOB,                         -- SM3 of what made the card
    PRIMARY KEY (batch, number),
    CHECK ((sealed_row IS NOT NULL) = (state IN ('waiting', 'writing'))),
    CHECK ((factor IS NOT NULL) = (state IN ('writing', 'issued'))),
    CHECK ((card IS NOT NULL) = (state = 'issued')),
    CHECK ((transcript IS NOT NULL) = (state = 'issued')),
    CHECK ((reasons IS NOT NULL) = (state = 'refused'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX batch_row_person ON batch_row (batch, id_number_index) WHERE id_number_index IS NOT NULL;

-- Every blank chip that a card was begun on.
CREATE TABLE batch_chip (
    factor          BLOB PRIMARY KEY,
    chip_serial     TEXT NOT NULL UNIQUE,
    batch           TEXT NOT NULL REFERENCES batch (id),
    number          INTEGER NOT NULL,             -- of the row it was begun for
    state           TEXT NOT NULL CHECK (state IN ('writing', 'issued', 'spoiled')),
    changed_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_chip_batch ON batch_chip (batch, number);
