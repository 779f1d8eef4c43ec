//! The index of residents (居民索引): of each resident, how many entries of the log are about them, and which.
//!
//! It follows from the log alone: whoever has all entries computes it again. The service says in the log itself, with an
//! entry for each [`history`](crate::history) that it gives out, what the index of the entries before was, and so is
//! held to it: one history that left something out contradicts either that statement or the log.
//!
//! Each resident has a [`Standing`]: a count, and a chain of hashes through their entries in order. The standings are the
//! leaves of a binary tree whose paths are the bits of the residents' keys, the highest first:
//!
//! ```text
//! key    SM3(02 ‖ resident)
//! chain  32 octets of 0 before the first entry; then SM3(03 ‖ chain before ‖ position ‖ hash of the leaf in the log)
//! leaf   SM3(04 ‖ key ‖ count ‖ chain)
//! node   SM3(05 ‖ left ‖ right)
//! ```
//!
//! Numbers are eight octets, the highest first. A tree without residents has the hash 00…00, with one resident that of
//! the leaf, and with more that of a node over both halves, whether or not one of them is empty. So each set of standings
//! has one root, and no root two standings for one resident.

use std::collections::HashMap;

use sm3::{Digest, Sm3};

use crate::tree::Hash;

#[cfg(test)]
mod tests;

/// Hash of a tree without residents.
pub const EMPTY: Hash = [0; 32];
/// Most hashes between a leaf and the root: one for each bit of a key.
pub const MAX_PATH: usize = 256;

/// Where a resident stands in the index: SM3(02 ‖ `resident`).
pub fn key(resident: &str) -> Hash {
    Sm3::new().chain_update([0x02]).chain_update(resident).finalize().into()
}

/// Bit number `at` of a key, counted from the highest.
pub fn bit(key: &Hash, at: usize) -> bool {
    key[at / 8] >> (7 - at % 8) & 1 == 1
}

/// What the index says of one resident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Entries about them.
    pub count: u64,
    /// A chain through these entries.
    pub chain: Hash,
}

impl Standing {
    /// The same with one more entry: its position in the log and the hash of its leaf there.
    #[must_use]
    pub fn with(self, position: u64, leaf: &Hash) -> Self {
        let chain = Sm3::new()
            .chain_update([0x03])
            .chain_update(self.chain)
            .chain_update(position.to_be_bytes())
            .chain_update(leaf)
            .finalize();
        Self { count: self.count.saturating_add(1), chain: chain.into() }
    }

    /// The leaf of the index.
    pub fn leaf(&self, key: &Hash) -> Hash {
        let leaf = Sm3::new()
            .chain_update([0x04])
            .chain_update(key)
            .chain_update(self.count.to_be_bytes())
            .chain_update(self.chain);
        leaf.finalize().into()
    }
}

/// A part of the tree: the residents whose keys begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// There are none.
    Empty,
    /// There is one, whose leaf this is, wherever below it would stand.
    One(Hash),
    /// There are several; the hash of the node over them.
    Many(Hash),
}

impl Part {
    /// The part over two halves.
    #[must_use]
    pub fn over(left: Self, right: Self) -> Self {
        match (left, right) {
            (Self::Empty, Self::Empty) => Self::Empty,
            (Self::One(leaf), Self::Empty) | (Self::Empty, Self::One(leaf)) => Self::One(leaf),
            _ => Self::Many(node(&left.hash(), &right.hash())),
        }
    }

    /// Its hash.
    pub fn hash(&self) -> Hash {
        match self {
            Self::Empty => EMPTY,
            Self::One(hash) | Self::Many(hash) => *hash,
        }
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sm3::new().chain_update([0x05]).chain_update(left).chain_update(right).finalize().into()
}

/// The root that a standing and the hashes beside its way, from the leaf upwards, lead to; `None` for more of them than a
/// key has bits.
pub fn root_from(key: &Hash, standing: &Standing, path: &[Hash]) -> Option<Hash> {
    if path.len() > MAX_PATH {
        return None;
    }
    let beside = path.iter().zip((0..path.len()).rev());
    Some(beside.fold(standing.leaf(key), |hash, (sibling, at)| match bit(key, at) {
        true => node(sibling, &hash),
        false => node(&hash, sibling),
    }))
}

/// The index in memory. It is brought up to what was counted, and hashes are computed, when they are asked for.
#[derive(Debug, Default)]
pub struct Index {
    root: Tree,
    /// Standings that the tree does not have yet: ways through a large one are long.
    counted: HashMap<Hash, Standing>,
}

#[derive(Debug, Default)]
enum Tree {
    #[default]
    Empty,
    One(Hash, Standing),
    Many(Box<Fork>),
}

#[derive(Debug)]
struct Fork {
    halves: [Tree; 2],
    /// Of the node, until something below changes.
    hash: Option<Hash>,
}

impl Index {
    /// Counts one more entry about the resident with this key.
    pub fn add(&mut self, key: &Hash, position: u64, leaf: &Hash) {
        let before = || self.root.standing(key).unwrap_or_default();
        let standing = self.counted.entry(*key).or_insert_with(before);
        *standing = standing.with(position, leaf);
    }

    /// Gives the resident with this key a standing, to be counted on from.
    pub fn set(&mut self, key: &Hash, standing: Standing) {
        self.counted.insert(*key, standing);
    }

    /// The tree with all that was counted.
    fn tree(&mut self) -> &mut Tree {
        // In order they go the same ways, one after the other.
        let mut counted: Vec<_> = std::mem::take(&mut self.counted).into_iter().collect();
        counted.sort_unstable_by_key(|(key, _)| *key);
        for (key, standing) in counted {
            self.root.set(key, standing);
        }
        &mut self.root
    }

    /// The root over all that was counted.
    pub fn root(&mut self) -> Hash {
        self.tree().part().hash()
    }

    /// The standing of a resident, and the hashes beside its way to the root, from the leaf upwards.
    pub fn prove(&mut self, key: &Hash) -> Option<(Standing, Vec<Hash>)> {
        let (mut tree, mut path) = (self.tree(), Vec::new());
        loop {
            match tree {
                Tree::One(there, standing) if there == key => {
                    path.reverse();
                    return Some((*standing, path));
                }
                Tree::Empty | Tree::One(..) => return None,
                Tree::Many(fork) => {
                    let side = usize::from(bit(key, path.len()));
                    path.push(fork.halves[1 - side].part().hash());
                    tree = &mut fork.halves[side];
                }
            }
        }
    }
}

impl Tree {
    fn standing(&self, key: &Hash) -> Option<Standing> {
        let (mut tree, mut at) = (self, 0);
        while let Self::Many(fork) = tree {
            tree = &fork.halves[usize::from(bit(key, at))];
            at += 1;
        }
        match tree {
            Self::One(there, standing) if there == key => Some(*standing),
            _ => None,
        }
    }

    fn set(&mut self, key: Hash, standing: Standing) {
        let (mut tree, mut at) = (self, 0);
        loop {
            match tree {
                Self::Empty => {
                    *tree = Self::One(key, standing);
                    return;
                }
                Self::One(there, before) if *there == key => {
                    *before = standing;
                    return;
                }
                // Goes down until the keys part.
                Self::One(there, before) => {
                    let mut halves = [Self::Empty, Self::Empty];
                    halves[usize::from(bit(there, at))] = Self::One(*there, *before);
                    *tree = Self::Many(Box::new(Fork { halves, hash: None }));
                }
                Self::Many(fork) => {
                    fork.hash = None;
                    tree = &mut fork.halves[usize::from(bit(&key, at))];
                    at += 1;
                }
            }
        }
    }

    fn part(&mut self) -> Part {
        match self {
            Self::Empty => Part::Empty,
            Self::One(key, standing) => Part::One(standing.leaf(key)),
            Self::Many(fork) => Part::Many(fork.hash()),
        }
    }
}

impl Fork {
    fn hash(&mut self) -> Hash {
        if let Some(hash) = self.hash {
            return hash;
        }
        let [left, right] = &mut self.halves;
        let hash = node(&left.part().hash(), &right.part().hash());
        *self.hash.insert(hash)
    }
}
