-- The life of cards: more states, changes that two persons make, and the list of cards that are not
-- to be served.

-- A card that is applied for has no chip yet, and a state is one of seven. SQLite changes neither in
-- place, so the table is made anew; what refers to it does so by name, and is checked at the end.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE card_before AS SELECT * FROM card;
DROP TABLE card;
CREATE TABLE card (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    chip_serial     TEXT UNIQUE,
    factor          BLOB,
    valid_until     TEXT,
    status          TEXT NOT NULL CHECK (status IN
                    ('applied', 'pre-issued', 'active', 'lost', 'frozen', 'blacklisted', 'cancelled')),
    registered_at   INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL,
    renewal_until   TEXT,             -- the end that the card is to get, until it has said so itself
    replaces        TEXT UNIQUE REFERENCES card (id),
    CHECK ((chip_serial IS NULL) = (factor IS NULL)
       AND (chip_serial IS NULL) = (valid_until IS NULL)),
    CHECK (chip_serial IS NOT NULL OR status IN ('applied', 'cancelled')),
    CHECK (renewal_until IS NULL OR renewal_until > valid_until)
) STRICT;
INSERT INTO card
    SELECT id, resident, institution, chip_serial, factor, valid_until, status, registered_at,
           changed_at, NULL, NULL
    FROM card_before;
DROP TABLE card_before;
CREATE UNIQUE INDEX card_active ON card (resident) WHERE status = 'active';
CREATE UNIQUE INDEX card_factor ON card (factor) WHERE status <> 'cancelled';
CREATE INDEX card_applied ON card (resident) WHERE status = 'applied';
CREATE INDEX card_institution ON card (institution, id);
CREATE INDEX card_end ON card (institution, valid_until, id) WHERE status = 'active';

-- What one person entered and another has to review. A replacement brings a chip, the lifting of a
-- blacklist entry brings none.
CREATE TABLE card_change (
    id              TEXT PRIMARY KEY,
    kind            TEXT NOT NULL,
    card            TEXT NOT NULL REFERENCES card (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    cause           TEXT NOT NULL,
    chip_serial     TEXT,
    factor          BLOB,
    valid_until     TEXT,
    entered_by      TEXT NOT NULL REFERENCES identity (id),
    entered_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired')),
    reviewed_by     TEXT REFERENCES identity (id),
    reviewed_at     INTEGER,
    rejection       TEXT,
    made            TEXT REFERENCES card (id),    -- the card that a replacement made
    CHECK ((reviewed_by IS NULL) = (state IN ('pending', 'expired'))),
    CHECK ((reviewed_by IS NULL) = (reviewed_at IS NULL)),
    CHECK ((state = 'rejected') = (rejection IS NOT NULL)),
    CHECK (reviewed_by <> entered_by)
) STRICT;
CREATE UNIQUE INDEX card_change_pending ON card_change (card) WHERE state = 'pending';
CREATE INDEX card_change_institution ON card_change (institution, id) WHERE state = 'pending';

-- The signed list of cards that are not to be served, crate::card::status_list. An entry stands in
-- the lists from number `since` to before number `until`.
CREATE TABLE card_list (
    number          INTEGER PRIMARY KEY,
    issued_at       INTEGER NOT NULL,
    salt            BLOB NOT NULL,
    key_id          BLOB NOT NULL,
    signature       BLOB NOT NULL
) STRICT;
CREATE TABLE card_list_entry (
    tag             BLOB NOT NULL,
    listing         INTEGER NOT NULL,
    since           INTEGER NOT NULL,
    until           INTEGER,
    PRIMARY KEY (tag, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX card_list_since ON card_list_entry (since);
CREATE INDEX card_list_until ON card_list_entry (until) WHERE until IS NOT NULL;

-- Cards whose state changed since the newest list.
CREATE TABLE card_list_due (
    card            TEXT PRIMARY KEY REFERENCES card (id)
) STRICT, WITHOUT ROWID;
INSERT INTO card_list_due SELECT id FROM card WHERE status IN ('lost', 'cancelled');

-- Leaves that carry an alert: the key `"alert":` stands in no other place of an entry, as quotation
-- marks within texts are escaped.
CREATE INDEX leaf_alert ON leaf (at)
    WHERE outcome <> 'granted' AND instr(entry, x'22616c657274223a') > 0;
