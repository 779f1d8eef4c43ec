-- The audit log. Its form is public: crate `audit`, module `table`.

CREATE TABLE leaf (
    position    INTEGER PRIMARY KEY,  -- from 0, without gaps
    entry       BLOB NOT NULL,        -- the entry itself, crate::entry; what is hashed
    entry_id    TEXT NOT NULL UNIQUE, -- these columns repeat fields of the entry, for searching
    at          INTEGER NOT NULL,     -- microseconds since 1970
    action      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    actor       TEXT,                 -- actor.identity
    resident    TEXT,
    visit       TEXT
) STRICT;

CREATE TABLE tile (
    level       INTEGER NOT NULL,
    idx         INTEGER NOT NULL,
    hashes      BLOB NOT NULL,        -- 32 bytes each, crate::tile; at most 256
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    size        INTEGER PRIMARY KEY,
    note        TEXT NOT NULL         -- signed note, crate::checkpoint
) STRICT;

-- Every search is newest first, by time and then position, which each index ends with by itself.
CREATE INDEX leaf_at ON leaf (at);
CREATE INDEX leaf_action ON leaf (action, at);
CREATE INDEX leaf_actor ON leaf (actor, at) WHERE actor IS NOT NULL;
CREATE INDEX leaf_resident ON leaf (resident, at) WHERE resident IS NOT NULL;
CREATE INDEX leaf_visit ON leaf (visit, at) WHERE visit IS NOT NULL;
CREATE INDEX leaf_exception ON leaf (outcome, at) WHERE outcome <> 'granted';
