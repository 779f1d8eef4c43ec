-- Certificates of the service's own that were replaced by newer ones: what their keys signed is looked at later.
CREATE TABLE authority_before (
    der             BLOB PRIMARY KEY,
    name            TEXT NOT NULL
) STRICT;
