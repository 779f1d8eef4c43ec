//! The growing edge of the tree, in memory: what the next leaf is joined with.

use std::sync::Arc;

use audit::{
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    table::ANCHOR,
    tile::{self, TileId, TileReader},
    tree::NodeReader as _,
    tree::{Frontier, Hash, leaf_hash, left_nodes, subtree_hash},
};
use hsm::{Sm2Signer, sm2::PublicKey};
use rusqlite::{Connection, OptionalExtension as _};

use super::{
    ResidentIndexKey, StoreError,
    removals::{self, Removed},
};

/// The keys of one log.
pub struct LogKeys {
    /// Signs checkpoints.
    pub signer: Arc<dyn Sm2Signer>,
    /// Signed them before, and are still believed.
    pub earlier: Vec<PublicKey>,
    /// Tells the index of residents that this service wrote from any other.
    pub resident_index: Arc<ResidentIndexKey>,
}

/// Signs checkpoints of one log, and knows whose are believed.
#[derive(Clone)]
pub(super) struct LogSigner {
    signer: Arc<dyn Sm2Signer>,
    key: VerifierKey,
    earlier: Vec<VerifierKey>,
}

impl LogSigner {
    pub(super) fn new(keys: LogKeys, origin: &str) -> Result<Self, StoreError> {
        let of = |key: &PublicKey| {
            VerifierKey::new(origin, key.as_sec1()).map_err(StoreError::unavailable)
        };
        let LogKeys { signer, earlier, .. } = keys;
        let key = of(signer.public_key())?;
        Ok(Self { signer, key, earlier: earlier.iter().map(of).collect::<Result<_, _>>()? })
    }

    pub(super) fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Reads a checkpoint that the key in use signed, or else one of those before it.
    pub(super) fn verify(&self, note: &str) -> Result<Checkpoint, NoteError> {
        Ok(self.verify_alone(note)?.0)
    }

    /// Those that are believed, the one in use first.
    pub(super) fn all(&self) -> impl Iterator<Item = &VerifierKey> {
        std::iter::once(&self.key).chain(&self.earlier)
    }

    /// The same, with the note as that key wrote it.
    pub(super) fn verify_alone(&self, note: &str) -> Result<(Checkpoint, String), NoteError> {
        self.all()
            .find_map(|key| match Checkpoint::verify_alone(note, key) {
                Err(NoteError::NotSigned) => None,
                decided => Some(decided),
            })
            .unwrap_or(Err(NoteError::NotSigned))
    }

    pub(super) fn sign(&self, size: u64, root: Hash) -> Result<String, StoreError> {
        let checkpoint = Checkpoint { origin: self.key.name().to_owned(), size, root };
        checkpoint
            .sign(&self.key, |text| {
                self.signer.sign(&self.signer.digest(text)).map(|signature| *signature.as_raw())
            })
            .map_err(StoreError::unavailable)
    }
}

/// The newest checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) note: String,
}

/// The right edge: the tree's frontier, and the tiles that are not full.
#[derive(Default)]
pub(super) struct Tail {
    frontier: Frontier,
    /// By level, the hashes of the last tile as far as it is filled.
    edge: Vec<Vec<Hash>>,
    /// Tiles to be written, newest content last.
    unsaved: Vec<(TileId, Vec<Hash>)>,
    /// Size and root at each anchor since the last save.
    anchors: Vec<(u64, Hash)>,
}

impl Tail {
    /// Reads the edge from the tiles, whatever the length of the log, and holds it against the
    /// newest checkpoint, the last leaves, and the records that name a leaf. In a database without
    /// any record the empty log is signed before anything else, so that from then on there is
    /// always a checkpoint.
    pub(super) fn load(
        db: &Connection,
        signer: &LogSigner,
    ) -> Result<(Self, Head, Option<Removed>), StoreError> {
        let newest: Option<(u64, String)> = db
            .query_row("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((signed_size, note)) = newest else {
            if !is_unused(db)? {
                return Err(StoreError::Tampered("there is no checkpoint"));
            }
            let mut tail = Self::default();
            let head = tail.save(db, signer)?;
            return Ok((tail, head, None));
        };
        let checkpoint = signer
            .verify(&note)
            .map_err(|_| StoreError::Tampered("its signature is not by the key of the log"))?;
        // One by one: both at once would read every leaf.
        let (first, size): (i64, u64) = db.query_row(
            "SELECT coalesce((SELECT min(position) FROM leaf), 0),
                    coalesce((SELECT max(position) FROM leaf) + 1, 0)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        // Below what was removed anything may be gone.
        let removed = removals::in_force(db, &checkpoint)?;
        let begins = removed.as_ref().map_or(0, |it| it.segment.until).cast_signed();
        let begun = (0..=begins).contains(&first);
        if checkpoint.size != signed_size || checkpoint.size != size || !begun {
            return Err(StoreError::Tampered("it speaks of another number of entries"));
        }
        let tail = Self::read(db, size)?;
        if tail.frontier.root() != checkpoint.root {
            return Err(StoreError::Tampered("the tree has another root"));
        }
        tail.check_last_leaves(db)?;
        let beyond: bool = db.query_row(
            "SELECT EXISTS (SELECT 1 FROM token WHERE position >= ?1)",
            [size],
            |row| row.get(0),
        )?;
        if beyond {
            return Err(StoreError::Tampered("a token names an entry that is not there"));
        }
        Ok((tail, Head { size, note }, removed))
    }

    fn read(db: &Connection, size: u64) -> Result<Self, StoreError> {
        let damaged = |_| StoreError::Tampered("a tile is missing");
        let mut tiles = TileReader::new(|id| read_tile(db, id));
        let nodes = left_nodes(size).into_iter().map(|node| tiles.node(node));
        let nodes = nodes.collect::<Result<Vec<_>, _>>().map_err(damaged)?;
        let frontier =
            Frontier::from_nodes(size, nodes).ok_or(StoreError::Tampered("a tile is missing"))?;
        let mut edge = Vec::new();
        for id in tile::right_edge(size) {
            let hashes = read_tile(db, id)?.as_deref().and_then(tile::hashes);
            let hashes = hashes
                .filter(|hashes| hashes.len() as u64 == id.width(size))
                .ok_or(StoreError::Tampered("a tile has another length"))?;
            edge.resize(usize::from(id.level), Vec::new());
            edge.push(hashes);
        }
        Ok(Self { frontier, edge, ..Self::default() })
    }

    /// The leaves of the last tile are the bytes that were hashed.
    fn check_last_leaves(&self, db: &Connection) -> Result<(), StoreError> {
        let Some(hashes) = self.edge.first() else { return Ok(()) };
        let first = self.frontier.size() - hashes.len() as u64;
        let mut select =
            db.prepare("SELECT entry FROM leaf WHERE position >= ?1 ORDER BY position")?;
        let entries = select.query_map([first], |row| row.get::<_, Vec<u8>>(0))?;
        let entries = entries.collect::<rusqlite::Result<Vec<_>>>()?;
        if entries.iter().map(|entry| leaf_hash(entry)).eq(hashes.iter().copied()) {
            Ok(())
        } else {
            Err(StoreError::Tampered("one of the last entries was changed"))
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(super) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends a leaf by its hash.
    pub(super) fn append(&mut self, leaf: Hash) {
        let position = self.frontier.size();
        self.frontier.push(leaf);
        if self.frontier.size().is_multiple_of(ANCHOR) {
            self.anchors.push((self.frontier.size(), self.frontier.root()));
        }
        self.fill(0, position, leaf);
    }

    /// Puts a hash into the last tile of its level; a tile that is full becomes a hash above.
    fn fill(&mut self, level: u8, index: u64, hash: Hash) {
        if self.edge.len() <= usize::from(level) {
            self.edge.resize(usize::from(level) + 1, Vec::new());
        }
        let hashes = &mut self.edge[usize::from(level)];
        hashes.push(hash);
        if hashes.len() as u64 == tile::WIDTH {
            let full = std::mem::take(hashes);
            let above = subtree_hash(&full);
            self.unsaved.push((TileId { level, index: index / tile::WIDTH }, full));
            if let Some(above) = above {
                self.fill(level + 1, index / tile::WIDTH, above);
            }
        }
    }

    /// Writes the tiles and signs the new size, all within the caller's transaction.
    pub(super) fn save(&mut self, db: &Connection, signer: &LogSigner) -> Result<Head, StoreError> {
        let (size, root) = (self.frontier.size(), self.frontier.root());
        let mut put = db.prepare_cached(
            "INSERT INTO tile (level, idx, hashes) VALUES (?1, ?2, ?3)
             ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes",
        )?;
        // An edge above the leaves changes only when a tile below it became full.
        let changed = self.unsaved.iter().map(|(id, _)| id.level + 1).max().unwrap_or(0);
        for (id, hashes) in self.unsaved.drain(..) {
            put.execute((id.level, id.index, hashes.concat()))?;
        }
        for id in tile::right_edge(size).into_iter().filter(|id| id.level <= changed) {
            put.execute((id.level, id.index, self.edge[usize::from(id.level)].concat()))?;
        }
        let mut sign = db.prepare_cached("INSERT INTO checkpoint (size, note) VALUES (?1, ?2)")?;
        for (at, root) in self.anchors.drain(..).filter(|(at, _)| *at != size) {
            sign.execute((at, signer.sign(at, root)?))?;
        }
        let note = signer.sign(size, root)?;
        sign.execute((size, &note))?;
        // What more than one key signed shows to whoever has the earlier how far it goes.
        db.prepare_cached(
            "DELETE FROM checkpoint WHERE size < ?1 AND size % ?2 <> 0 AND size >= ?3
             AND note NOT LIKE '%\u{2014} %\u{2014} %'",
        )?
        .execute((size, ANCHOR, size.saturating_sub(2 * ANCHOR)))?;
        Ok(Head { size, note })
    }
}

/// Whether no table but that of the schema's steps holds a row.
fn is_unused(db: &Connection) -> Result<bool, StoreError> {
    let mut tables = db.prepare(
        "SELECT name FROM sqlite_schema
         WHERE type = 'table' AND name <> 'migration' AND name NOT LIKE 'sqlite%'",
    )?;
    let tables = tables.query_map([], |row| row.get(0))?;
    for table in tables.collect::<rusqlite::Result<Vec<String>>>()? {
        let table = table.replace('"', "\"\"");
        let exists = format!("SELECT EXISTS (SELECT 1 FROM \"{table}\")");
        if db.query_row(&exists, [], |row| row.get(0))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The bytes of a tile.
pub(super) fn read_tile(db: &Connection, id: TileId) -> Result<Option<Vec<u8>>, rusqlite::Error> {
    db.prepare_cached(audit::table::SELECT_TILE)?
        .query_row((id.level, id.index), |row| row.get(0))
        .optional()
}
