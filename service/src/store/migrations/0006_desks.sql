-- What desks saw while they could not ask, and what staff are to look into because of it. Words of
-- contradictions are separated by spaces; an empty text says that there is none.

CREATE TABLE offline_reading (
    id              TEXT PRIMARY KEY,
    desk            TEXT NOT NULL REFERENCES identity (id),
    card            TEXT REFERENCES card (id),
    read_at         INTEGER NOT NULL,
    recorded_at     INTEGER NOT NULL,
    contradictions  TEXT NOT NULL
) STRICT;

CREATE TABLE task (
    id              TEXT PRIMARY KEY,
    institution     TEXT NOT NULL REFERENCES institution (id),
    reading         TEXT NOT NULL UNIQUE REFERENCES offline_reading (id),
    chip_serial     TEXT NOT NULL,
    opened_at       INTEGER NOT NULL,
    closed_at       INTEGER,
    closed_by       TEXT REFERENCES identity (id),
    result          TEXT,
    CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (result IS NULL))
) STRICT;
CREATE INDEX task_open ON task (institution, id) WHERE closed_at IS NULL;
CREATE INDEX task_institution ON task (institution, id);
