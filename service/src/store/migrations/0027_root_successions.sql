-- Each succession of the root by the next one, the oldest first.
CREATE TABLE root_succession (
    id              INTEGER PRIMARY KEY,
    -- The certificate that was succeeded, DER.
    before          BLOB NOT NULL UNIQUE,
    -- Its key vouches for the next one, and says for the last time which authorities are revoked.
    new_with_old    BLOB NOT NULL,
    last_list       BLOB NOT NULL,
    -- The next key vouches for the one before; nothing while that one is not in use.
    old_with_new    BLOB
) STRICT;
