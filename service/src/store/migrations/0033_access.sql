-- What a resident, or who speaks for them, agreed to or objects to.
CREATE TABLE consent (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    kind            TEXT NOT NULL CHECK (kind IN ('permit', 'object', 'family-doctor')),
    purpose         TEXT NOT NULL,
    classes         TEXT NOT NULL,
    grade           INTEGER NOT NULL,
    -- Who may see it; of an objection nobody, where nothing stands here.
    recipient       TEXT REFERENCES institution (id),
    person          TEXT REFERENCES identity (id),
    -- Who keeps the data; everybody who does, where nothing stands here.
    records         TEXT REFERENCES institution (id),
    guardian        TEXT REFERENCES resident (id),
    evidence        TEXT NOT NULL,
    institution     TEXT NOT NULL REFERENCES institution (id),
    identity        TEXT NOT NULL REFERENCES identity (id),
    given_at        INTEGER NOT NULL,
    ends_at         INTEGER NOT NULL,
    position        INTEGER NOT NULL UNIQUE,
    -- Where a second person has to have seen it, until they say so it is not in force.
    witness_due     INTEGER NOT NULL,
    witness         TEXT REFERENCES identity (id),
    witnessed_at    INTEGER,
    withdrawn_at    INTEGER,
    withdrawn_by    TEXT REFERENCES identity (id)
) STRICT;
CREATE INDEX consent_resident ON consent (resident, id);
CREATE INDEX consent_recipient ON consent (recipient, id);

-- Residents whom one institution sent to another.
CREATE TABLE referral (
    id              TEXT PRIMARY KEY,
    resident        TEXT NOT NULL REFERENCES resident (id),
    visit           TEXT NOT NULL REFERENCES visit (id),
    institution     TEXT NOT NULL REFERENCES institution (id),
    recipient       TEXT NOT NULL REFERENCES institution (id),
    identity        TEXT NOT NULL REFERENCES identity (id),
    made_at         INTEGER NOT NULL,
    ends_at         INTEGER NOT NULL,
    ended_at        INTEGER,
    ended_by        TEXT REFERENCES identity (id)
) STRICT;
CREATE INDEX referral_resident ON referral (resident, recipient);

-- Tokens rest on a visit, or on a consent alone; those that rest on a consent or a referral besides end with it.
CREATE TABLE token_next (
    id              TEXT PRIMARY KEY,
    identity        TEXT NOT NULL REFERENCES identity (id),
    certificate     TEXT NOT NULL REFERENCES certificate (serial),
    session         BLOB NOT NULL,
    resident        TEXT NOT NULL REFERENCES resident (id),
    visit           TEXT REFERENCES visit (id),
    issued_at       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    position        INTEGER NOT NULL UNIQUE,
    revoked_at      INTEGER,
    consent         TEXT REFERENCES consent (id),
    referral        TEXT REFERENCES referral (id)
) STRICT;
INSERT INTO token_next
    SELECT id, identity, certificate, session, resident, visit, issued_at, expires_at, position, revoked_at, NULL, NULL
    FROM token;
DROP TABLE token;
ALTER TABLE token_next RENAME TO token;
