-- Authorities whose key may be in other hands, by the name of their generation: whatever certificate the root gives them
-- is on its list.
CREATE TABLE authority_revocation (
    name            TEXT PRIMARY KEY,
    revoked_at      INTEGER NOT NULL
) STRICT;
