use super::{Hash, empty_root, node_hash};

/// Names a complete subtree: the `index`-th from the left of those with 2^`level` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Height above the leaves; 0 is a leaf.
    pub level: u8,
    /// Place within its level, from 0.
    pub index: u64,
}

impl Node {
    /// First leaf below this node.
    pub fn begin(self) -> u64 {
        self.index << self.level
    }

    /// One past the last leaf below this node.
    pub fn end(self) -> u64 {
        (self.index + 1) << self.level
    }
}

/// The right edge of a growing tree: the complete subtrees that its root is folded from.
///
/// It needs 32 bytes for each one in the binary form of the size, whatever the number of leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Largest, that is leftmost, first; one for each one in the binary form of `size`.
    nodes: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of `size` leaves whose complete subtrees, largest first, have the hashes `nodes`
    /// (the subtrees [`super::left_nodes`] names). `None` when their number does not fit the size.
    pub fn from_nodes(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Self { size, nodes })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.nodes.push(leaf);
        self.fold(0);
    }

    /// Appends a complete subtree of 2^`level` leaves; `false`, and no change, where the size is
    /// not a multiple of that.
    #[must_use]
    pub fn push_subtree(&mut self, level: u8, hash: Hash) -> bool {
        if level >= 63 || !self.size.is_multiple_of(1 << level) {
            return false;
        }
        self.nodes.push(hash);
        self.fold(level);
        true
    }

    /// Joins the just pushed subtree with its left siblings, as a binary counter carries.
    fn fold(&mut self, level: u8) {
        let carries = (self.size >> level).trailing_ones();
        for _ in 0..carries {
            if let (Some(right), Some(left)) = (self.nodes.pop(), self.nodes.pop()) {
                self.nodes.push(node_hash(&left, &right));
            }
        }
        self.size += 1 << level;
    }

    /// Root of the tree (RFC 6962, 2.1).
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else { return empty_root() };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }
}
