//! What somebody with the file can do to the log, and what the checker says of it.

use audit::{
    check::{Finding, KeptStanding, Leaf, Log, Report, Verdict, check},
    index::Standing,
    table::{
        Columns, SELECT_CHECKPOINTS, SELECT_LEAVES, SELECT_REMOVAL, SELECT_REMOVED_ENTRIES,
        SELECT_STANDINGS, SELECT_TILE, SELECT_TILES,
    },
    tile::TileId,
};
use rusqlite::{Connection, OptionalExtension as _, Row, Rows, Statement};

use super::*;

/// The tables of a log, read as [`audit::table`] documents them.
struct Tables<'a> {
    leaves: Rows<'a>,
    checkpoints: Rows<'a>,
    tiles: Rows<'a>,
    tile: Statement<'a>,
    removal: Statement<'a>,
    kept: Rows<'a>,
    standings: Rows<'a>,
}

impl Log for Tables<'_> {
    type Error = rusqlite::Error;

    fn next_checkpoint(&mut self) -> rusqlite::Result<Option<(u64, String)>> {
        let row = self.checkpoints.next()?;
        row.map(|row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))).transpose()
    }

    fn next_leaf(&mut self) -> rusqlite::Result<Option<Leaf>> {
        let Some(row) = self.leaves.next()? else { return Ok(None) };
        let columns = Columns {
            entry_id: row.get(2)?,
            at: row.get(3)?,
            action: row.get(4)?,
            outcome: row.get(5)?,
            actor: row.get(6)?,
            resident: row.get(7)?,
            visit: row.get(8)?,
        };
        let position = row.get::<_, i64>(0)? as u64;
        Ok(Some(Leaf { position, entry: row.get(1)?, columns: Some(columns) }))
    }

    fn next_tile(&mut self) -> rusqlite::Result<Option<(i64, i64)>> {
        self.tiles.next()?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
    }

    fn tile(&mut self, id: TileId) -> rusqlite::Result<Option<Vec<u8>>> {
        self.tile.query_row((id.level, id.index), |row| row.get(0)).optional()
    }

    fn removal(&mut self) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
        self.removal.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    fn next_standing(&mut self) -> rusqlite::Result<Option<KeptStanding>> {
        let row = self.standings.next()?;
        let read = |row: &Row<'_>| {
            let standing = Standing { count: row.get(2)?, chain: row.get(3)? };
            Ok(KeptStanding { key: row.get(0)?, until: row.get(1)?, standing })
        };
        row.map(read).transpose()
    }

    fn next_kept(&mut self) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
        let row = self.kept.next()?;
        row.map(|row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))).transpose()
    }
}

fn checked(db: &Connection) -> Report {
    checked_with(db, 1)
}

/// What the checker says that has the key made of `seed`.
pub(super) fn checked_with(db: &Connection, seed: u8) -> Report {
    let mut leaves = db.prepare(SELECT_LEAVES).unwrap();
    let mut checkpoints = db.prepare(SELECT_CHECKPOINTS).unwrap();
    let mut tiles = db.prepare(SELECT_TILES).unwrap();
    let tile = db.prepare(SELECT_TILE).unwrap();
    let removal = db.prepare(SELECT_REMOVAL).unwrap();
    let mut kept = db.prepare(SELECT_REMOVED_ENTRIES).unwrap();
    let mut standings = db.prepare(SELECT_STANDINGS).unwrap();
    let mut tables = Tables {
        leaves: leaves.query([]).unwrap(),
        checkpoints: checkpoints.query([]).unwrap(),
        tiles: tiles.query([]).unwrap(),
        tile,
        removal,
        kept: kept.query([]).unwrap(),
        standings: standings.query([]).unwrap(),
    };
    let key = super::super::tail::LogSigner::new(log_keys(seed), ORIGIN).unwrap().key().clone();
    check(&mut tables, &key, &[]).unwrap()
}

/// A log of 300 entries, closed.
async fn log() -> Place {
    let place = Place::new();
    let store = place.open();
    let acts = (0..300).map(|n| store.record_act(act("card.read").about(format!("resident-{n}"))));
    let acts: Vec<_> = acts.map(Box::pin).collect();
    for act in acts {
        act.await.unwrap();
    }
    place
}

#[tokio::test]
async fn what_was_done_to_the_file_is_named() {
    use Finding::*;
    let place = log().await;
    let path = place.path();
    let source = Connection::open(&path).unwrap();
    assert_eq!(checked(&source).verdict, Verdict::Valid);
    #[rustfmt::skip]
    let cases: [(&str, Vec<Finding>); 12] = [
        ("UPDATE leaf SET entry = CAST(replace(CAST(entry AS TEXT), 'resident-20\"', 'resident-21\"') AS BLOB) WHERE position = 20",
         vec![Altered { position: 20 }]),
        ("DELETE FROM leaf WHERE position = 100", vec![Missing { from: 100, until: 101 }]),
        ("DELETE FROM leaf WHERE position = 299", vec![Missing { from: 299, until: 300 }]),
        ("DELETE FROM leaf WHERE position = 100;
          UPDATE leaf SET position = -position WHERE position > 100; UPDATE leaf SET position = -position - 1 WHERE position < 0",
         vec![Missing { from: 100, until: 101 }]),
        ("UPDATE leaf SET position = -position - 1 WHERE position >= 100; UPDATE leaf SET position = -position WHERE position < 0;
          INSERT INTO leaf SELECT 100, entry, 'copy', at, action, outcome, actor, resident, visit FROM leaf WHERE position = 7",
         vec![Inserted { position: 100 }]),
        ("INSERT INTO leaf SELECT 300, entry, 'copy', at, action, outcome, actor, resident, visit FROM leaf WHERE position = 7",
         vec![Inserted { position: 300 }]),
        ("INSERT INTO leaf SELECT -1, entry, 'copy', at, action, outcome, actor, resident, visit FROM leaf WHERE position = 7",
         vec![Stray { position: -1 }]),
        ("UPDATE leaf SET position = -1 WHERE position = 3; UPDATE leaf SET position = 3 WHERE position = 280; UPDATE leaf SET position = 280 WHERE position = -1",
         vec![Swapped { first: 3, second: 280 }]),
        ("UPDATE leaf SET resident = NULL WHERE position = 42", vec![Column { position: 42, column: "resident" }]),
        ("UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND idx = 0",
         vec![TileAltered { level: 0, index: 0, hash: 0 }]),
        ("DELETE FROM tile WHERE level = 1", vec![TileMissing { level: 1, index: 0 }]),
        ("UPDATE checkpoint SET note = replace(note, 'example', 'elpmaxe') WHERE size = 300",
         vec![CheckpointAltered { size: 300 }]),
    ];
    for (number, (sql, expected)) in cases.into_iter().enumerate() {
        let copy = path.with_extension(format!("{number}.db"));
        source.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        let db = Connection::open(&copy).unwrap();
        db.execute_batch(sql).unwrap();
        let Verdict::Tampered(findings) = checked(&db).verdict else { panic!("{sql}: not found") };
        assert_eq!(findings.listed, expected, "{sql}");
    }
}

#[tokio::test]
async fn a_log_altered_at_its_end_is_not_continued() {
    #[rustfmt::skip]
    let cases = [
        ("DELETE FROM leaf WHERE position = 299", "number of entries"),
        ("DELETE FROM checkpoint", "no checkpoint"),
        ("UPDATE leaf SET entry = CAST(entry || x'20' AS BLOB) WHERE position = 290", "entries was changed"),
        ("UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND idx = 1", "another root"),
        ("UPDATE tile SET hashes = substr(hashes, 33) WHERE level = 0 AND idx = 1", "tile"),
        ("DELETE FROM tile", "tile is missing"),
        ("UPDATE checkpoint SET note = replace(note, 'example', 'elpmaxe')", "signature"),
    ];
    let whole = log().await;
    for (sql, why) in cases {
        let place = Place::new();
        let source = Connection::open(whole.path()).unwrap();
        source.execute("VACUUM INTO ?1", [place.path().to_str().unwrap()]).unwrap();
        Connection::open(place.path()).unwrap().execute_batch(sql).unwrap();
        let refused = place.try_open();
        assert!(
            matches!(&refused, Err(StoreError::Tampered(text)) if text.contains(why)),
            "{sql}: {refused:?}"
        );
    }
    let other_key = Store::open(&whole.path(), log_keys(2), ORIGIN);
    assert!(matches!(other_key, Err(StoreError::Tampered(_))), "{other_key:?}");
}
