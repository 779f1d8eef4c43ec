-- What witnesses signed: of each the newest, and the last of each day. Not a fact about anybody, and no part of the log.
CREATE TABLE cosignature (
    witness     TEXT NOT NULL,
    size        INTEGER NOT NULL,     -- of the log
    at          INTEGER NOT NULL,     -- microseconds since 1970, as the witness says
    day         INTEGER NOT NULL,     -- the Julian day at the desk
    checkpoint  TEXT NOT NULL,        -- the signed note of the log
    line        TEXT NOT NULL,        -- the witness's below it
    PRIMARY KEY (witness, size)
) STRICT, WITHOUT ROWID;
