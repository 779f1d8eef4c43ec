//! Making and checking proofs. Checking follows RFC 9162 step by step; making follows the
//! recursive definitions of RFC 6962, so that the two do not share their mistakes.

use super::{Hash, Node, node_hash};

/// More hashes than any proof for a tree of up to 2^62 leaves has.
pub const MAX_PROOF: usize = 126;

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf or the smaller tree does not lie within the tree.
    #[error("the proof asks for a place outside the tree")]
    OutOfRange,
    /// The number of hashes does not fit the place and the size.
    #[error("the proof has the wrong length")]
    Length,
    /// The recomputed root is another than the one given.
    #[error("the proof leads to another root")]
    Root,
}

/// Gives hashes of complete subtrees.
pub trait NodeReader {
    /// Why a hash could not be had.
    type Error;
    /// The hash of `node`, which lies wholly within the tree.
    fn node(&mut self, node: Node) -> Result<Hash, Self::Error>;
}

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this root
/// (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `second` leaves begins with the `first` leaves of the other
/// (RFC 9162, 2.1.4.2). A `first` of 0 is refused: every tree continues the empty one.
pub fn verify_consistency(
    first: u64,
    first_root: &Hash,
    second: u64,
    second_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if first == 0 || first > second {
        return Err(ProofError::OutOfRange);
    }
    if first == second {
        return match path {
            [] if first_root == second_root => Ok(()),
            [] => Err(ProofError::Root),
            _ => Err(ProofError::Length),
        };
    }
    // A first tree that is complete is itself the first node of the path.
    let mut hashes = first.is_power_of_two().then_some(first_root).into_iter().chain(path);
    let (mut place, mut last) = (first - 1, second - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let mut old = *hashes.next().ok_or(ProofError::Length)?;
    let mut new = old;
    for sibling in hashes {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place & 1 == 1 || place == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if old == *first_root && new == *second_root { Ok(()) } else { Err(ProofError::Root) }
}

/// Inclusion proof for the leaf at `index` in the tree of `size` leaves, from the leaf's sibling
/// upwards (RFC 6962, 2.1.1). Empty when the leaf is outside.
pub fn inclusion_proof<R: NodeReader>(
    reader: &mut R,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, R::Error> {
    let mut path = Vec::new();
    if index < size {
        path_to(reader, index, 0, size, &mut path)?;
    }
    Ok(path)
}

/// PATH(m, D[begin:end]) of RFC 6962, 2.1.1.
fn path_to<R: NodeReader>(
    reader: &mut R,
    index: u64,
    begin: u64,
    end: u64,
    path: &mut Vec<Hash>,
) -> Result<(), R::Error> {
    if end - begin == 1 {
        return Ok(());
    }
    let middle = begin + split(end - begin);
    if index < middle {
        path_to(reader, index, begin, middle, path)?;
        path.push(range_hash(reader, middle, end)?);
    } else {
        path_to(reader, index, middle, end, path)?;
        path.push(range_hash(reader, begin, middle)?);
    }
    Ok(())
}

/// Consistency proof between the trees of `first` and `second` leaves (RFC 6962, 2.1.2). Empty
/// when `first` is 0, equals `second` or exceeds it.
pub fn consistency_proof<R: NodeReader>(
    reader: &mut R,
    first: u64,
    second: u64,
) -> Result<Vec<Hash>, R::Error> {
    let mut path = Vec::new();
    if first > 0 && first < second {
        sub_proof(reader, first, 0, second, Known::Whole, &mut path)?;
    }
    Ok(path)
}

/// The flag b of SUBPROOF: whether the checker holds the hash of the first tree's part here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Whole,
    Part,
}

/// SUBPROOF(m, D[begin:end], b) of RFC 6962, 2.1.2.
fn sub_proof<R: NodeReader>(
    reader: &mut R,
    first: u64,
    begin: u64,
    end: u64,
    known: Known,
    path: &mut Vec<Hash>,
) -> Result<(), R::Error> {
    if first == end {
        if known == Known::Part {
            path.push(range_hash(reader, begin, end)?);
        }
        return Ok(());
    }
    let middle = begin + split(end - begin);
    if first <= middle {
        sub_proof(reader, first, begin, middle, known, path)?;
        path.push(range_hash(reader, middle, end)?);
    } else {
        sub_proof(reader, first, middle, end, Known::Part, path)?;
        path.push(range_hash(reader, begin, middle)?);
    }
    Ok(())
}

/// Root of the tree of `size` leaves, folded from stored nodes.
pub fn root_of<R: NodeReader>(reader: &mut R, size: u64) -> Result<Hash, R::Error> {
    if size == 0 { Ok(super::empty_root()) } else { range_hash(reader, 0, size) }
}

/// The complete subtrees that make up the first `size` leaves, largest first.
pub fn left_nodes(size: u64) -> Vec<Node> {
    right_nodes(0, size)
}

/// The complete subtrees that make up the leaves `begin..end`, left to right: those to push on a
/// [`super::Frontier`] of `begin` leaves to make it one of `end`.
pub fn right_nodes(begin: u64, end: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = begin;
    while at < end {
        // The largest subtree that starts here (alignment) and ends in time (what is left).
        let level = at.trailing_zeros().min((end - at).ilog2());
        nodes.push(Node { level: level as u8, index: at >> level });
        at += 1 << level;
    }
    nodes
}

/// MTH(D[begin:end]), where `begin` is a multiple of a power of two not below the length.
fn range_hash<R: NodeReader>(reader: &mut R, begin: u64, end: u64) -> Result<Hash, R::Error> {
    let length = end - begin;
    if length.is_power_of_two() {
        let level = length.ilog2() as u8;
        return reader.node(Node { level, index: begin >> level });
    }
    let middle = begin + split(length);
    let left = range_hash(reader, begin, middle)?;
    Ok(node_hash(&left, &range_hash(reader, middle, end)?))
}

/// The largest power of two below `length`, which is at least 2.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}
