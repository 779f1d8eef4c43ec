-- Rules of access that the service worked by (授权规则), one after the other, with their texts and the signed manifest:
-- what was decided by them can be looked at again. A row without a version is where it went back to those that it
-- ships with.
CREATE TABLE rules (
    id              INTEGER PRIMARY KEY,
    taken_at        INTEGER NOT NULL,
    version         INTEGER CHECK (version > 0),
    digest          BLOB CHECK (length(digest) = 32),
    manifest        TEXT,
    rules           TEXT,
    access          TEXT,
    cases           TEXT,
    CHECK ((version IS NULL) = (digest IS NULL)),
    CHECK ((version IS NULL) = (manifest IS NULL)),
    CHECK ((version IS NULL) = (rules IS NULL)),
    CHECK ((version IS NULL) = (access IS NULL)),
    CHECK ((version IS NULL) = (cases IS NULL))
) STRICT;
CREATE INDEX rules_version ON rules (version);
