-- What is kept of entries of the log that were removed when their term was over: part of the log's public format (crate
-- audit, removed.sql). What was closed and removed stands in the log itself.
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

-- When a certificate was issued is told from its entry, until that is removed.
CREATE INDEX certificate_report_untimed ON certificate_report (position) WHERE at IS NULL;
