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
/// The standing of a resident, and the hashes beside the way to the root, from the leaf upwards.
pub(super) type Proved = (Standing, Vec<Hash>);

/// Counts entries, in the order of their keys and then of their positions; the root before, and the one after.
pub(super) fn count(db: &Connection, root: &Hash, added: &[Added]) -> Result<Hash, StoreError> {
    let node = load(db, &[], root)?;
    Ok(grow(db, &mut Vec::new(), node, added)?.part().hash())
}

/// What is known of a resident below a root.
pub(super) fn find(db: &Connection, root: &Hash, key: &Hash) -> Result<Option<Proved>, StoreError> {
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
fn load(db: &Connection, path: &[u8], expected: &Hash) -> Result<Node, StoreError> {
    let octets: Option<Vec<u8>> = db
        .prepare_cached("SELECT ways FROM node WHERE path = ?1")?
        .query_row([path], |row| row.get(0))
        .optional()?;
    let node = octets.map_or(Some(Node::default()), |octets| Node::read(&octets));
    let is_it = |node: &Node| node.is_in_order(path.len()) && node.part().hash() == *expected;
    node.filter(is_it).ok_or_else(|| {
        StoreError::Damaged("a node of the index of residents is not what it was".into())
    })
}

/// Counts entries below a node, and writes it.
fn grow(
    db: &Connection,
    path: &mut Vec<u8>,
    mut node: Node,
    added: &[Added],
) -> Result<Node, StoreError> {
    let depth = path.len();
    for group in added.chunk_by(|(one, ..), (other, ..)| way(one, depth) == way(other, depth)) {
        let Some((first, ..)) = group.first() else { continue };
        let at = way(first, depth);
        let alone = group.iter().all(|(key, ..)| key == first);
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
                let child = load(db, path, &hash)?;
                path.pop();
                child
            }
        };
        path.push(at as u8);
        let child = grow(db, path, child, group)?;
        path.pop();
        node.ways[at] = Some(Way::Below(child.part().hash()));
    }
    db.prepare_cached("REPLACE INTO node (path, ways) VALUES (?1, ?2)")?
        .execute((&*path, node.write()))?;
    Ok(node)
}

/// A standing with all entries of one resident.
fn with(standing: Standing, group: &[Added]) -> Standing {
    group.iter().fold(standing, |standing, (_, position, leaf)| standing.with(*position, leaf))
}
