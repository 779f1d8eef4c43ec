-- Batches of 16K cards; and one certificate of the card issuer for all cards, which is on record as
-- an authority is: those of institutions vouched for nothing that anybody checks.
ALTER TABLE batch ADD COLUMN profile TEXT NOT NULL DEFAULT '32K' CHECK (profile IN ('32K', '16K'));
ALTER TABLE issuer DROP COLUMN certificate;
