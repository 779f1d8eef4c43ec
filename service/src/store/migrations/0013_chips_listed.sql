-- The list of cards names a chip from the moment that a card is begun on it, so what is due is a chip and
-- not a card on record: one that was written whole and never finished, or given up, is a genuine card.
CREATE TABLE card_list_due_chip (
    chip_serial     TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO card_list_due_chip
    SELECT chip_serial FROM card_list_due JOIN card ON id = card WHERE chip_serial IS NOT NULL;
INSERT OR IGNORE INTO card_list_due_chip SELECT chip_serial FROM batch_chip WHERE state <> 'issued';
DROP TABLE card_list_due;
ALTER TABLE card_list_due_chip RENAME TO card_list_due;
