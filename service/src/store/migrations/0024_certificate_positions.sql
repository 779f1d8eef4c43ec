-- Where the log says that a certificate was signed; nothing for those of before.
ALTER TABLE certificate ADD COLUMN log_position INTEGER;
