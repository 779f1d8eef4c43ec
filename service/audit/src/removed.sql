CREATE TABLE removed_entry (          -- entries that are kept of those that were removed, crate::segment
    position    INTEGER PRIMARY KEY,
    entry       BLOB NOT NULL
) STRICT;

CREATE TABLE removed_standing (       -- the index of residents over the entries that were removed, crate::index
    key         BLOB NOT NULL,
    until       INTEGER NOT NULL,     -- the last standing counts of whose `until` is not beyond what was removed
    count       INTEGER NOT NULL,
    chain       BLOB NOT NULL,
    PRIMARY KEY (key, until)
) STRICT, WITHOUT ROWID;
