//! Counting entries in the stored tree, and finding a resident in it.
//!
//! Nodes are believed as far as the hash above them says and only with residents where their keys lead: what was changed
//! in the file is noticed when it is read.

use audit::{index::Standing, tree::Hash};
use rusqlite::{Connection, OptionalExtension as _};

use super::node::{Node, WAYS, Way, way};
use crate::store::StoreError;

/// An entry about a resident: their key, its position, and its leaf's hash.
pub(super) type Added = (Hash, u64, Hash);
/// A change of what the index says of a resident.
pub(super) trait Change {
    /// The resident's key.
    fn key(&self) -> &Hash;
    /// The standing after it.
    fn after(&self, before: Standing) -> Standing;
}

impl Change for Added {
    fn key(&self) -> &Hash {
        &self.0
    }

    fn after(&self, before: Standing) -> Standing {
        before.with(self.1, &self.2)
    }
}

/// A standing that is known.
impl Change for (Hash, Standing) {
    fn key(&self) -> &Hash {
        &self.0
    }

    fn after(&self, _: Standing) -> Standing {
        self.1
    }
}

/// Which of the trees in the file.
#[derive(Clone, Copy)]
pub(super) enum Nodes {
    /// That of all entries which are counted.
    Counted,
    /// That of the entries which were removed.
    Removed,
}

impl Nodes {
    fn select(self) -> &'static str {
        match self {
            Self::Counted => "SELECT ways FROM node WHERE path = ?1",
            Self::Removed => "SELECT ways FROM removed_node WHERE path = ?1",
        }
    }

    fn put(self) -> &'static str {
        match self {
            Self::Counted => "REPLACE INTO node (path, ways) VALUES (?1, ?2)",
            Self::Removed => "REPLACE INTO removed_node (path, ways) VALUES (?1, ?2)",
        }
    }
}

/// The standing of a resident, and the hashes beside the way to the root, from the leaf upwards.
pub(super) type Proved = (Standing, Vec<Hash>);

/// Makes changes, in the order of their keys and then of their positions; the root before, and the one after.
pub(super) fn count<C: Change>(
    (db, nodes): (&Connection, Nodes),
    root: &Hash,
    changes: &[C],
) -> Result<Hash, StoreError> {
    let node = load((db, nodes), &[], root)?;
    Ok(grow((db, nodes), &mut Vec::new(), node, changes)?.part().hash())
}

/// What is known of a resident below a root.
pub(super) fn find(
    db: (&Connection, Nodes),
    root: &Hash,
    key: &Hash,
) -> Result<Option<Proved>, StoreError> {
    let (mut path, mut expected, mut beside) = (Vec::new(), *root, Vec::new());
    loop {
        let node = load(db, &path, &expected)?;
        let way = way(key, path.len());
        match node.ways[way] {
            Some(Way::Resident(there, standing)) if there == *key => {
                beside.push(node.beside(way));
                return Ok(Some((standing, beside.into_iter().rev().flatten().collect())));
            }
            Some(Way::Below(hash)) => {
                beside.push(node.beside(way));
                expected = hash;
                path.push(way as u8);
            }
            _ => return Ok(None),
        }
    }
}

/// The node at a path, which must have this hash. One that was never written leads to nobody.
fn load(
    (db, nodes): (&Connection, Nodes),
    path: &[u8],
    expected: &Hash,
) -> Result<Node, StoreError> {
    let octets: Option<Vec<u8>> =
        db.prepare_cached(nodes.select())?.query_row([path], |row| row.get(0)).optional()?;
    let node = octets.map_or(Some(Node::default()), |octets| Node::read(&octets));
    let is_it = |node: &Node| node.is_in_order(path.len()) && node.part().hash() == *expected;
    node.filter(is_it).ok_or_else(|| {
        StoreError::Damaged("a node of the index of residents is not what it was".into())
    })
}

/// Makes changes below a node, and writes it.
fn grow<C: Change>(
    (db, nodes): (&Connection, Nodes),
    path: &mut Vec<u8>,
    mut node: Node,
    changes: &[C],
) -> Result<Node, StoreError> {
    let depth = path.len();
    let alike = |one: &C, other: &C| way(one.key(), depth) == way(other.key(), depth);
    for group in changes.chunk_by(alike) {
        let Some(first) = group.first().map(C::key) else { continue };
        let at = way(first, depth);
        let alone = group.iter().all(|change| change.key() == first);
        let child = match node.ways[at] {
            None if alone => {
                node.ways[at] = Some(Way::Resident(*first, with(Standing::default(), group)));
                continue;
            }
            Some(Way::Resident(key, standing)) if alone && key == *first => {
                node.ways[at] = Some(Way::Resident(key, with(standing, group)));
                continue;
            }
            None => Node::default(),
            Some(Way::Resident(key, standing)) => {
                let mut ways = [None; WAYS];
                ways[way(&key, depth + 1)] = Some(Way::Resident(key, standing));
                Node { ways }
            }
            Some(Way::Below(hash)) => {
                path.push(at as u8);
                let child = load((db, nodes), path, &hash)?;
                path.pop();
                child
            }
        };
        path.push(at as u8);
        let child = grow((db, nodes), path, child, group)?;
        path.pop();
        node.ways[at] = Some(Way::Below(child.part().hash()));
    }
    db.prepare_cached(nodes.put())?.execute((&*path, node.write()))?;
    Ok(node)
}

/// A standing with all changes of one resident.
fn with<C: Change>(standing: Standing, group: &[C]) -> Standing {
    group.iter().fold(standing, |standing, change| change.after(standing))
}
