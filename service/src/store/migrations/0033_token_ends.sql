-- Tokens whose time is not over yet: those among them that ended early are told in the revocation snapshot.
CREATE INDEX token_end ON token (expires_at);
