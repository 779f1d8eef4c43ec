//! Tiles: the tree's hashes in rows of 256, as in C2SP tlog-tiles.
//!
//! Tile *n* of level *L* holds the nodes of tree level 8·*L* from 256·*n* on, 32 bytes each. A tile
//! at the right edge holds fewer than 256 and grows in place; levels above 0 hold complete tiles
//! of the level below only. Nodes between two levels are recomputed from a tile.

use crate::tree::{Hash, Node, NodeReader, subtree_hash};

/// Hashes in a full tile.
pub const WIDTH: u64 = 256;
/// Tree levels that a tile spans.
pub const HEIGHT: u8 = 8;
/// Bytes of a full tile.
pub const BYTES: usize = WIDTH as usize * 32;

/// Names a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// Level of tiles; 0 holds leaf hashes.
    pub level: u8,
    /// Place within the level, from 0.
    pub index: u64,
}

impl TileId {
    /// Number of hashes in this tile when the log has `size` leaves; 0 when it does not exist.
    pub fn width(self, size: u64) -> u64 {
        let nodes = size >> (u32::from(self.level) * u32::from(HEIGHT)).min(63);
        nodes.saturating_sub(self.index.saturating_mul(WIDTH)).min(WIDTH)
    }
}

/// The last tile of each level of a log of `size` leaves, as far as it is not full: with the
/// full ones they hold everything from which the log continues.
pub fn right_edge(size: u64) -> Vec<TileId> {
    let mut edge = Vec::new();
    let (mut level, mut nodes) = (0, size);
    while nodes > 0 {
        if !nodes.is_multiple_of(WIDTH) {
            edge.push(TileId { level, index: nodes / WIDTH });
        }
        nodes /= WIDTH;
        level += 1;
    }
    edge
}

/// The tile that holds `node` or what it is computed from, and the range of hashes within it.
pub fn covering(node: Node) -> (TileId, std::ops::Range<usize>) {
    let level = node.level / HEIGHT;
    let width = 1u64 << (node.level % HEIGHT);
    let first = node.index * width;
    let offset = (first % WIDTH) as usize;
    (TileId { level, index: first / WIDTH }, offset..offset + width as usize)
}

/// Reads the bytes of a tile as hashes; `None` unless they are 1 to 256 whole hashes.
pub fn hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    if bytes.is_empty() || bytes.len() > BYTES {
        return None;
    }
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| hashes.to_vec())
}

/// Why a node could not be read from tiles.
#[derive(Debug, thiserror::Error)]
pub enum TileError<E> {
    /// The tile is not there, or too short, or not made of whole hashes.
    #[error("tile {} of level {} is missing or too short", .0.index, .0.level)]
    Absent(TileId),
    /// Reading failed.
    #[error("reading a tile")]
    Read(#[source] E),
}

/// Gives nodes from a function that fetches tiles, keeping the tiles it has read.
pub struct TileReader<F> {
    fetch: F,
    read: Vec<(TileId, Vec<Hash>)>,
}

impl<E, F: FnMut(TileId) -> Result<Option<Vec<u8>>, E>> TileReader<F> {
    /// Reads through `fetch`, which answers a tile's bytes.
    pub fn new(fetch: F) -> Self {
        Self { fetch, read: Vec::new() }
    }

    fn tile(&mut self, id: TileId) -> Result<&[Hash], TileError<E>> {
        let known = self.read.iter().position(|(read, _)| *read == id);
        let at = match known {
            Some(at) => at,
            None => {
                let bytes = (self.fetch)(id).map_err(TileError::Read)?;
                let hashes = bytes.as_deref().and_then(hashes).ok_or(TileError::Absent(id))?;
                self.read.push((id, hashes));
                self.read.len() - 1
            }
        };
        Ok(&self.read[at].1)
    }
}

impl<E, F: FnMut(TileId) -> Result<Option<Vec<u8>>, E>> NodeReader for TileReader<F> {
    type Error = TileError<E>;

    fn node(&mut self, node: Node) -> Result<Hash, TileError<E>> {
        let (id, range) = covering(node);
        let hashes = self.tile(id)?;
        hashes.get(range).and_then(subtree_hash).ok_or(TileError::Absent(id))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tree::{self, Frontier, inclusion_proof, leaf_hash, verify_inclusion};

    /// Tiles of a log of `size` leaves, built level by level.
    fn tiles(size: u64) -> BTreeMap<TileId, Vec<u8>> {
        let mut tiles = BTreeMap::new();
        let mut row: Vec<Hash> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for level in 0.. {
            for (index, part) in row.chunks(WIDTH as usize).enumerate() {
                tiles.insert(TileId { level, index: index as u64 }, part.concat());
            }
            row = row.chunks_exact(WIDTH as usize).filter_map(subtree_hash).collect();
            if row.is_empty() {
                break;
            }
        }
        tiles
    }

    #[test]
    fn proofs_are_made_from_tiles() {
        for size in [1, 255, 256, 257, 511, 512, 70_000] {
            let tiles = tiles(size);
            let mut frontier = Frontier::new();
            (0..size).for_each(|n| frontier.push(leaf_hash(&n.to_be_bytes())));
            for index in [0, 1, size / 3, size - 1].map(|n| n.min(size - 1)) {
                let fetch = |id| Ok::<_, ()>(tiles.get(&id).cloned());
                let mut reader = TileReader::new(fetch);
                let path = inclusion_proof(&mut reader, index, size).unwrap();
                let leaf = leaf_hash(&index.to_be_bytes());
                let root = frontier.root();
                assert_eq!(
                    verify_inclusion(&leaf, index, size, &path, &root),
                    Ok(()),
                    "{index} of {size}"
                );
                assert!(reader.read.len() <= 5, "{} tiles for one proof", reader.read.len());
            }
        }
    }

    #[test]
    fn an_absent_or_short_tile_is_named() {
        let whole = TileId { level: 0, index: 0 };
        let cases: [(&str, Option<Vec<u8>>); 4] = [
            ("absent", None),
            ("empty", Some(vec![])),
            ("not whole hashes", Some(vec![0; 33])),
            ("too long", Some(vec![0; BYTES + 32])),
        ];
        for (why, bytes) in cases {
            let mut reader = TileReader::new(|_| Ok::<_, ()>(bytes.clone()));
            let node = reader.node(Node { level: 0, index: 0 });
            assert!(matches!(node, Err(TileError::Absent(id)) if id == whole), "{why}");
        }
        let mut short = TileReader::new(|_| Ok::<_, ()>(Some(vec![0; 64])));
        assert!(matches!(short.node(Node { level: 2, index: 0 }), Err(TileError::Absent(_))));
        assert!(tree::root_of(&mut short, 2).is_ok());
    }

    #[test]
    fn widths_follow_the_size() {
        #[rustfmt::skip]
        let cases = [
            (0, 0, 0, 0), (0, 0, 255, 255), (0, 0, 256, 256), (0, 1, 257, 1), (0, 2, 257, 0),
            (1, 0, 255, 0), (1, 0, 256, 1), (1, 0, 70_000, 256), (1, 1, 70_000, 17), (2, 0, 70_000, 1), (7, 0, u64::MAX, 255),
        ];
        for (level, index, size, width) in cases {
            assert_eq!(TileId { level, index }.width(size), width, "{level} {index} of {size}");
        }
        let id = |level, index| TileId { level, index };
        assert_eq!(right_edge(70_000), [id(0, 273), id(1, 1), id(2, 0)]);
        assert_eq!(right_edge(65_536), [id(2, 0)]);
        assert_eq!(right_edge(0), []);
    }
}
