-- Where the service is as it goes over its own log, round after round, to see whether it still is what was signed.
CREATE TABLE scrub (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    round           INTEGER NOT NULL,       -- from 1
    position        INTEGER NOT NULL,       -- where it goes on
    -- The last whole round: when it ended, and the entries that it went over.
    done_at         INTEGER,
    done_size       INTEGER,
    CHECK ((done_at IS NULL) = (done_size IS NULL))
) STRICT;

-- What was found that is not as it was signed, until a whole round does not find it any more.
CREATE TABLE scrub_finding (
    kind            TEXT NOT NULL,          -- crate audit, check::Finding::parts
    numbers         TEXT NOT NULL,          -- separated by spaces
    found_at        INTEGER NOT NULL,
    round           INTEGER NOT NULL,       -- in which it was found last
    position        INTEGER NOT NULL,       -- of the entry that says so
    PRIMARY KEY (kind, numbers)
) STRICT, WITHOUT ROWID;
