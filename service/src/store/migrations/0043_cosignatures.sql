-- What each witness signed last. Not a fact about anybody, and no part of the log.
CREATE TABLE cosignature (
    witness     TEXT PRIMARY KEY,     -- its key, in note form
    size        INTEGER NOT NULL,     -- of the log
    at          INTEGER NOT NULL,     -- microseconds since 1970, as the witness says
    checkpoint  TEXT NOT NULL,        -- the log's signed note
    line        TEXT NOT NULL         -- the witness's below it
) STRICT, WITHOUT ROWID;
