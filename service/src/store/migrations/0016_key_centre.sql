-- The key management centre (密钥管理中心): encryption key pairs, made ahead, in use, or past it. Their secrets are
-- sealed under the centre's own key before they come here. A key in use is for the certificates of its digest, the last
-- of which ends at `until`.
CREATE TABLE escrowed_key (
    id              TEXT PRIMARY KEY,
    key_digest      BLOB NOT NULL UNIQUE,
    public_key      BLOB NOT NULL,
    sealed          BLOB NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('spare', 'in-use', 'history')),
    made_at         INTEGER NOT NULL,
    holder          TEXT REFERENCES identity (id),
    taken_at        INTEGER,
    until           INTEGER,
    ended_at        INTEGER,
    CHECK ((state = 'spare') = (holder IS NULL)
       AND (holder IS NULL) = (taken_at IS NULL) AND (holder IS NULL) = (until IS NULL)),
    CHECK ((state = 'history') = (ended_at IS NOT NULL))
) STRICT;
CREATE INDEX escrowed_key_spare ON escrowed_key (id) WHERE state = 'spare';
CREATE INDEX escrowed_key_in_use ON escrowed_key (until) WHERE state = 'in-use';
CREATE INDEX escrowed_key_holder ON escrowed_key (holder) WHERE holder IS NOT NULL;

-- The signing certificate that an encryption certificate makes a pair with; nothing for all others.
ALTER TABLE certificate ADD COLUMN pair_of TEXT REFERENCES certificate (serial);
CREATE UNIQUE INDEX certificate_pair ON certificate (pair_of) WHERE pair_of IS NOT NULL;
