-- Time stamps: what was stated before it was signed. The number is the stamp's own, never given twice.
CREATE TABLE time_stamp (
    serial      TEXT PRIMARY KEY,
    stamped_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX time_stamp_at ON time_stamp (stamped_at);
