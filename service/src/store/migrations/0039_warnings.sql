-- Warnings of misuse (监测预警): what the log says that somebody should look into, once a day for each rule and subject.
CREATE TABLE warning (
    id              TEXT PRIMARY KEY,
    rule            TEXT NOT NULL,
    day             TEXT NOT NULL,
    -- How often what is counted has doubled: then it is said again.
    step            INTEGER NOT NULL,
    -- Whom or what it is about: an identity, an identity and a resident, or a card.
    subject         TEXT NOT NULL,
    identity        TEXT NOT NULL REFERENCES identity (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    resident        TEXT REFERENCES resident (id),
    -- A card or an electronic card.
    card            TEXT,
    -- What it rests on: positions in the log, separated by commas, and when the last of it was.
    evidence        TEXT NOT NULL,
    at              INTEGER NOT NULL,
    -- What was counted and how the rules were tuned, JSON.
    found           TEXT NOT NULL,
    settings        TEXT NOT NULL,
    raised_at       INTEGER NOT NULL,
    position        INTEGER NOT NULL UNIQUE,
    -- What somebody found who looked into it.
    closed_at       INTEGER,
    closed_by       TEXT REFERENCES identity (id),
    verdict         TEXT,
    sealed_note     BLOB,
    UNIQUE (rule, subject, day, step),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (verdict IS NULL)
       AND (closed_at IS NULL) = (sealed_note IS NULL))
) STRICT;
CREATE INDEX warning_open ON warning (position) WHERE closed_at IS NULL;

-- How far the log was looked at. What was on record before there were warnings brings none about.
CREATE TABLE watched (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    position        INTEGER NOT NULL
) STRICT;
INSERT INTO watched SELECT 1, max(position) + 1 FROM leaf HAVING count(*) > 0;

-- Whether somebody is a colleague is asked of many.
CREATE INDEX identity_person ON identity (person) WHERE person IS NOT NULL;
