-- A token that was exchanged for another ends with it.
ALTER TABLE token ADD COLUMN subject TEXT REFERENCES token (id);
