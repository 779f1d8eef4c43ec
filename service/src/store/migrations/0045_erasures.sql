-- Erasure of residents (删除个人信息). The row of an erased resident stays, so that numbers in the log go on to mean
-- something: the key and all that was sealed under it are gone, and its own number stands in the place of the index of
-- the ID number.
ALTER TABLE resident ADD COLUMN erased_at INTEGER CHECK (erased_at IS NULL OR (
    id_number_index = CAST(id AS BLOB) AND wrapped_key = x'' AND sealed_name = x'' AND sealed_id_number = x''
    AND sealed_phone IS NULL AND sealed_ethnic_group IS NULL));
-- The entry of the log that says so.
ALTER TABLE resident ADD COLUMN erasure_entry TEXT CHECK ((erasure_entry IS NULL) = (erased_at IS NULL));

-- What one person ordered and another reviews (录入、复核).
CREATE TABLE erasure (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    basis           TEXT NOT NULL CHECK (basis IN ('registered-in-error', 'resident-asks', 'order')),
    order_reference TEXT,
    entered_by      TEXT NOT NULL REFERENCES identity (id),
    entered_with    TEXT NOT NULL REFERENCES certificate (serial),
    entered_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired')),
    reviewed_by     TEXT REFERENCES identity (id),
    reviewed_at     INTEGER,
    entry           TEXT,                   -- of the log: that the resident was erased
    CHECK ((basis = 'order') = (order_reference IS NOT NULL)),
    CHECK ((reviewed_by IS NULL) = (state IN ('pending', 'expired'))),
    CHECK ((reviewed_by IS NULL) = (reviewed_at IS NULL)),
    CHECK ((state = 'approved') = (entry IS NOT NULL)),
    CHECK (reviewed_by <> entered_by)
) STRICT;
CREATE UNIQUE INDEX erasure_pending ON erasure (resident) WHERE state = 'pending';
CREATE INDEX erasure_institution ON erasure (institution, id);

-- What an erasure looks for is found by an index: while the writer reads a whole table, all wait.
CREATE INDEX visit_resident ON visit (resident);
CREATE INDEX emergency_resident ON emergency (resident);
CREATE INDEX warning_resident ON warning (resident) WHERE resident IS NOT NULL;
CREATE INDEX batch_row_index ON batch_row (id_number_index) WHERE id_number_index IS NOT NULL;
CREATE INDEX card_change_card ON card_change (card);

-- Whoever is erased stays so, and nothing comes on record of them any more, whatever was under way meanwhile. Warnings
-- do, as they are about what was done before and hold nothing that is personal.
CREATE TRIGGER resident_stays_erased BEFORE UPDATE ON resident WHEN old.erased_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER binding_of_erased BEFORE INSERT ON binding
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER candidate_of_erased BEFORE INSERT ON candidate
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER card_of_erased BEFORE INSERT ON card
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER consent_of_erased BEFORE INSERT ON consent
WHEN (SELECT max(erased_at) FROM resident WHERE id IN (new.resident, new.guardian)) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER decision_of_erased BEFORE INSERT ON decision
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER electronic_card_of_erased BEFORE INSERT ON electronic_card
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER emergency_of_erased BEFORE INSERT ON emergency
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER erasure_of_erased BEFORE INSERT ON erasure
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER guardianship_of_erased BEFORE INSERT ON guardianship
WHEN (SELECT max(erased_at) FROM resident WHERE id IN (new.ward, new.guardian)) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER likeness_of_erased BEFORE INSERT ON likeness
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER presence_of_erased BEFORE INSERT ON presence
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER referral_of_erased BEFORE INSERT ON referral
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER token_of_erased BEFORE INSERT ON token
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER unlikened_of_erased BEFORE INSERT ON unlikened
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
CREATE TRIGGER visit_of_erased BEFORE INSERT ON visit
WHEN (SELECT erased_at FROM resident WHERE id = new.resident) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'resident erased'); END;
