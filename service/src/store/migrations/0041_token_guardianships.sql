-- A token that rests on a guardianship ends with it.
ALTER TABLE token ADD COLUMN guardianship TEXT REFERENCES guardianship (id);
