-- What one person entered and another has to review: a key pair that the centre holds is to go, enveloped, to its holder's
-- signing certificate, or, by an order for evidence (司法取证), to the key of whoever may have it.
CREATE TABLE key_recovery (
    id                  TEXT PRIMARY KEY,
    key                 TEXT NOT NULL REFERENCES escrowed_key (id),
    certificate         TEXT NOT NULL REFERENCES certificate (serial),
    recipient           TEXT REFERENCES certificate (serial),
    recipient_key       BLOB NOT NULL,
    order_reference     TEXT,
    entered_by          TEXT NOT NULL REFERENCES identity (id),
    entered_at          INTEGER NOT NULL,
    expires_at          INTEGER NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected')),
    reviewed_by         TEXT REFERENCES identity (id),
    reviewed_at         INTEGER,
    CHECK ((recipient IS NULL) = (order_reference IS NOT NULL)),
    CHECK ((reviewed_by IS NULL) = (state = 'pending')),
    CHECK ((reviewed_by IS NULL) = (reviewed_at IS NULL)),
    CHECK (reviewed_by <> entered_by)
) STRICT;
CREATE INDEX key_recovery_pending ON key_recovery (id) WHERE state = 'pending';
