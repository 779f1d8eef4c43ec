-- Emergency accesses (紧急访问): begun by one person for one resident, accounted for, and reviewed by another.
CREATE TABLE emergency (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    visit           TEXT REFERENCES visit (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    identity        TEXT NOT NULL REFERENCES identity (id),
    role            TEXT NOT NULL,
    reason          TEXT NOT NULL,
    sealed_note     BLOB NOT NULL,
    begun_at        INTEGER NOT NULL,
    ends_at         INTEGER NOT NULL CHECK (ends_at > begun_at),
    account_due     INTEGER NOT NULL,
    finding_due     INTEGER NOT NULL,
    position        INTEGER NOT NULL UNIQUE,
    -- By nobody, where it ended by itself.
    ended_at        INTEGER,
    ended_by        TEXT REFERENCES identity (id),
    accounted_at    INTEGER,
    sealed_account  BLOB,
    reviewed_at     INTEGER,
    reviewed_by     TEXT REFERENCES identity (id),
    finding         TEXT,
    sealed_finding  BLOB,
    -- The last day on which what is late was told.
    reminded_on     TEXT,
    -- When a desk told the resident.
    told_at         INTEGER,
    told_by         TEXT REFERENCES identity (id)
) STRICT;
CREATE INDEX emergency_identity ON emergency (identity, begun_at);
CREATE INDEX emergency_untold ON emergency (resident) WHERE told_at IS NULL;
CREATE INDEX emergency_running ON emergency (ends_at) WHERE ended_at IS NULL;
CREATE INDEX emergency_owed ON emergency (id) WHERE reviewed_at IS NULL;

-- Tokens within an emergency access end with it.
ALTER TABLE token ADD COLUMN emergency TEXT REFERENCES emergency (id);
