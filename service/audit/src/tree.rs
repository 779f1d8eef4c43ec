//! The Merkle tree (RFC 6962, 2.1), with SM3 in the place of SHA-256.

use sm3::{Digest, Sm3};

mod frontier;
mod lanes;
mod proof;
#[cfg(test)]
mod tests;

pub use frontier::{Frontier, Node};
pub use proof::{
    MAX_PROOF, NodeReader, ProofError, consistency_proof, inclusion_proof, left_nodes, right_nodes,
    root_of, verify_consistency, verify_inclusion,
};

/// An SM3 digest: a leaf's hash, a node or a root.
pub type Hash = [u8; 32];

/// What leaves and nodes begin with.
const LEAF: u8 = 0x00;
const NODE: u8 = 0x01;

/// Hash of a leaf: SM3(00 ‖ `entry`).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash(LEAF, entry)
}

fn hash(first: u8, rest: &[u8]) -> Hash {
    Sm3::new().chain_update([first]).chain_update(rest).finalize().into()
}

/// Hashes of several leaves, each as [`leaf_hash`] gives it: sooner than one after the other.
pub fn leaf_hashes(entries: &[&[u8]]) -> Vec<Hash> {
    lanes::hashes(LEAF, entries)
}

/// Hash of a node: SM3(01 ‖ `left` ‖ `right`).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut block = [NODE; 65];
    block[1..33].copy_from_slice(left);
    block[33..].copy_from_slice(right);
    Sm3::digest(block).into()
}

/// Root of the tree without leaves: SM3 of nothing.
pub fn empty_root() -> Hash {
    Sm3::digest([]).into()
}

/// Hash of the complete subtree over `hashes`, its nodes at one level, left to right.
///
/// Answers `None` unless their number is a power of two.
pub fn subtree_hash(hashes: &[Hash]) -> Option<Hash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let pairs: Vec<&[u8]> = row.as_chunks::<2>().0.iter().map(|it| it.as_flattened()).collect();
        row = lanes::hashes(NODE, &pairs);
    }
    Some(row[0])
}
