-- What state a card was in when, so that a reading that is told later is held against its own time. Triggers write it: no
-- statement changes a state without it. A step that makes the table `card` anew has to make them anew as well.
CREATE TABLE card_history (
    card            TEXT NOT NULL REFERENCES card (id),
    since           INTEGER NOT NULL,
    status          TEXT NOT NULL,
    PRIMARY KEY (card, since)
) STRICT, WITHOUT ROWID;
-- Of cards that are on record already the last change is all that is known.
INSERT INTO card_history SELECT id, changed_at, status FROM card;
CREATE TRIGGER card_made AFTER INSERT ON card BEGIN
    INSERT INTO card_history VALUES (new.id, new.changed_at, new.status);
END;
-- A clock that was put back does not change the order.
CREATE TRIGGER card_changed AFTER UPDATE OF status ON card WHEN new.status <> old.status BEGIN
    INSERT INTO card_history
        SELECT new.id, max(new.changed_at, max(since) + 1), new.status FROM card_history WHERE card = new.id;
END;

-- Cards that wait for their holders are on the list of cards that are not to be served.
INSERT OR IGNORE INTO card_list_due SELECT id FROM card WHERE status = 'pre-issued';
