-- A renewal that was drafted and never signed is given up by the next one; and a recovery names the certificate with which it
-- was entered, which has to be in force still when it is reviewed.
DROP INDEX certificate_renewal;
CREATE UNIQUE INDEX certificate_renewal ON certificate (renews) WHERE renews IS NOT NULL AND revoked_at IS NULL;
ALTER TABLE key_recovery ADD COLUMN entered_with TEXT REFERENCES certificate (serial);
