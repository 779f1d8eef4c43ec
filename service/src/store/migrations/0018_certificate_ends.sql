-- Certificates by their end, for lists of those that end soon.
CREATE INDEX certificate_end ON certificate (not_after, serial) WHERE der IS NOT NULL;
