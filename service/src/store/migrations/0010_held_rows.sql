-- Rows that wait for staff to tell people apart, sessions of half-made cards, and batches that were
-- given up.
CREATE TABLE row_of_batch (
    batch           TEXT NOT NULL REFERENCES batch (id),
    number          INTEGER NOT NULL,             -- from 1
    state           TEXT NOT NULL
                    CHECK (state IN ('waiting', 'held', 'writing', 'issued', 'refused')),
    digest          BLOB NOT NULL,                -- keyed
    id_number_index BLOB,                         -- NULL of refused rows
    sealed_row      BLOB,                         -- while it is waiting, held or written
    reasons         TEXT,                         -- of held and refused rows: field:CODE,…
    factor          BLOB,                         -- of the chip that is or was written
    card            TEXT REFERENCES card (id),
    sessions        INTEGER NOT NULL DEFAULT 0,   -- how often that chip was begun or gone on with
    transcript      BLOB,                         -- SM3 of what made the card, up to the last session that ended
    PRIMARY KEY (batch, number),
    CHECK ((sealed_row IS NOT NULL) = (state IN ('waiting', 'held', 'writing'))),
    CHECK ((factor IS NOT NULL) = (state IN ('writing', 'issued'))),
    CHECK ((card IS NOT NULL) = (state = 'issued')),
    CHECK (transcript IS NULL OR state IN ('writing', 'issued')),
    CHECK (transcript IS NOT NULL OR state <> 'issued'),
    CHECK ((reasons IS NOT NULL) = (state IN ('held', 'refused')))
) STRICT, WITHOUT ROWID;
INSERT INTO row_of_batch
    SELECT batch, number, state, digest, id_number_index, sealed_row, reasons, factor, card,
           state IN ('writing', 'issued'), transcript
    FROM batch_row;
DROP TABLE batch_row;
ALTER TABLE row_of_batch RENAME TO batch_row;
CREATE UNIQUE INDEX batch_row_person ON batch_row (batch, id_number_index) WHERE id_number_index IS NOT NULL;

-- By what the people of rows are compared with each other, as residents are; numbers as long as the
-- batch is open, the rest until the card is made.
CREATE TABLE batch_likeness (
    batch           TEXT NOT NULL REFERENCES batch (id),
    number          INTEGER NOT NULL,
    rule            TEXT NOT NULL,
    digest          BLOB NOT NULL,
    PRIMARY KEY (batch, digest, number, rule)
) STRICT, WITHOUT ROWID;

-- Why a batch was closed before every row was done.
ALTER TABLE batch ADD COLUMN abandoned TEXT CHECK (abandoned IS NULL OR closed_at IS NOT NULL);
