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
