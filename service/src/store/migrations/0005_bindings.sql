-- Other numbers of residents, who looks like whom, and who cares for whom.

-- A number bound to a resident. Sealed under the resident's data key; found by its keyed digest,
-- which differs by kind and issuer. Nothing is deleted: a binding ends.
CREATE TABLE binding (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    kind            TEXT NOT NULL,
    number_index    BLOB NOT NULL,
    sealed_number   BLOB NOT NULL,
    basis        TEXT NOT NULL,
    scan_digest BLOB,             -- SM3 of a scanned document
    institution     TEXT NOT NULL REFERENCES institution (id),
    identity        TEXT NOT NULL REFERENCES identity (id),
    bound_at        INTEGER NOT NULL,
    ended_at        INTEGER,
    ended_by        TEXT REFERENCES identity (id),
    end_reason      TEXT,
    sealed_note     BLOB,             -- why it ended, in words; under the resident's data key
    CHECK ((ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE INDEX binding_resident ON binding (resident, id);
CREATE UNIQUE INDEX binding_own ON binding (resident, number_index) WHERE ended_at IS NULL;
CREATE INDEX binding_number ON binding (number_index) WHERE ended_at IS NULL;

-- By what residents are compared: keyed digests of what their names and dates of birth, or names
-- and phones, come down to.
CREATE TABLE likeness (
    resident        TEXT NOT NULL REFERENCES resident (id),
    rule            TEXT NOT NULL,
    digest          BLOB NOT NULL,
    PRIMARY KEY (resident, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX likeness_digest ON likeness (digest, resident);

-- Residents of before, whose likenesses only the service can compute. It does so when it starts,
-- and takes them out of here.
CREATE TABLE unlikened (
    resident        TEXT PRIMARY KEY REFERENCES resident (id)
) STRICT, WITHOUT ROWID;
INSERT INTO unlikened SELECT id FROM resident;

-- What staff decided about residents who look alike.
CREATE TABLE decision (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    verdict         TEXT NOT NULL,
    institution     TEXT NOT NULL REFERENCES institution (id),
    identity        TEXT NOT NULL REFERENCES identity (id),
    sealed_grounds  BLOB NOT NULL,    -- under the resident's data key
    decided_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_resident ON decision (resident, id);

-- The others that a decision was about, by the rule that brought them up.
CREATE TABLE candidate (
    decision        TEXT NOT NULL REFERENCES decision (id),
    resident        TEXT NOT NULL REFERENCES resident (id),
    rule            TEXT NOT NULL,
    PRIMARY KEY (decision, resident, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX candidate_resident ON candidate (resident);

-- The care of one resident for another. Days are those of the desk, both included.
CREATE TABLE guardianship (
    id              TEXT PRIMARY KEY,
    ward            TEXT NOT NULL REFERENCES resident (id),
    guardian        TEXT NOT NULL REFERENCES resident (id),
    kinship         TEXT NOT NULL,
    basis        TEXT NOT NULL,
    scan_digest BLOB,
    starts_on       TEXT NOT NULL,
    ends_on         TEXT NOT NULL,
    institution     TEXT NOT NULL REFERENCES institution (id),
    identity        TEXT NOT NULL REFERENCES identity (id),
    recorded_at     INTEGER NOT NULL,
    ended_at        INTEGER,
    ended_by        TEXT REFERENCES identity (id),
    sealed_note     BLOB,             -- why it ended early; under the ward's data key
    CHECK (ward <> guardian AND starts_on <= ends_on AND (ended_at IS NULL) = (ended_by IS NULL))
) STRICT;
CREATE INDEX guardianship_ward ON guardianship (ward, id);
CREATE INDEX guardianship_guardian ON guardianship (guardian, id);

CREATE TABLE guardianship_scope (
    guardianship    TEXT NOT NULL REFERENCES guardianship (id),
    scope           TEXT NOT NULL,
    PRIMARY KEY (guardianship, scope)
) STRICT, WITHOUT ROWID;
