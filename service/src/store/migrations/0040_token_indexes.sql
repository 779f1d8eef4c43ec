-- Tokens that go on are ended together: those of one holder, and those of one thing that they rest on.
CREATE INDEX token_identity ON token (identity, expires_at);
CREATE INDEX token_resident ON token (resident, expires_at);
CREATE INDEX token_certificate ON token (certificate, expires_at);
CREATE INDEX token_visit ON token (visit, expires_at) WHERE visit IS NOT NULL;
CREATE INDEX token_consent ON token (consent, expires_at) WHERE consent IS NOT NULL;
