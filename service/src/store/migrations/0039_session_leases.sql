-- A session with a lease (microseconds) is over when that is not renewed in time. Those of before have none.
ALTER TABLE session ADD COLUMN lease INTEGER CHECK (lease > 0);
ALTER TABLE session ADD COLUMN leased_until INTEGER CHECK ((leased_until IS NULL) = (lease IS NULL));
CREATE INDEX session_leased ON session (leased_until) WHERE closed_at IS NULL;
