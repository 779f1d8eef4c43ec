-- What is looked up within a fact is found by an index: while the writer reads a whole table, all wait.

-- Whether somebody has a card, whenever one is put on record.
CREATE INDEX card_resident ON card (resident);
-- By what a row of a batch was compared, when it has its verdict.
CREATE INDEX batch_likeness_row ON batch_likeness (batch, number);
