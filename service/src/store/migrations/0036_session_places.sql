-- From where a session was opened: of those of before it is not known.
ALTER TABLE session ADD COLUMN address TEXT;
CREATE INDEX session_identity ON session (identity, expires_at) WHERE closed_at IS NULL;
