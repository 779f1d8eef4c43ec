-- The state that a card was cancelled in: whose card was lost, frozen or blacklisted gets the next one
-- as a replacement, by two persons, and not as a first card.
ALTER TABLE card ADD COLUMN cancelled_from TEXT;
