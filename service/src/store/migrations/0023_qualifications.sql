-- The last day of a clinician's qualification (执业资格): after it records are no longer signed, while reading goes on.
ALTER TABLE identity ADD COLUMN qualified_until TEXT;
CREATE INDEX identity_qualification ON identity (qualified_until, id) WHERE qualified_until IS NOT NULL;
