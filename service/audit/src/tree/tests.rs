use std::convert::Infallible;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// The recursive definitions of RFC 6962, 2.1, over any hash: checked against the published
/// values with SHA-256, and then the measure for this crate with SM3.
struct Reference(fn(&[u8]) -> Hash);

const SM3: Reference = Reference(|bytes| Sm3::digest(bytes).into());
const SHA_256: Reference = Reference(|bytes| sha2::Sha256::digest(bytes).into());

impl Reference {
    fn root(&self, leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => (self.0)(&[]),
            [leaf] => (self.0)(&[&[0], &leaf[..]].concat()),
            _ => {
                let (left, right) = leaves.split_at(Self::split(leaves));
                (self.0)(&[&[1], &self.root(left)[..], &self.root(right)[..]].concat())
            }
        }
    }

    fn path(&self, index: usize, leaves: &[Vec<u8>]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = Self::split(leaves);
        let (left, right) = leaves.split_at(k);
        let (mut path, other) = if index < k {
            (self.path(index, left), self.root(right))
        } else {
            (self.path(index - k, right), self.root(left))
        };
        path.push(other);
        path
    }

    fn proof(&self, first: usize, leaves: &[Vec<u8>], whole: bool) -> Vec<Hash> {
        if first == leaves.len() {
            return if whole { Vec::new() } else { vec![self.root(leaves)] };
        }
        let k = Self::split(leaves);
        let (left, right) = leaves.split_at(k);
        let (mut path, other) = if first <= k {
            (self.proof(first, left, whole), self.root(right))
        } else {
            (self.proof(first - k, right, false), self.root(left))
        };
        path.push(other);
        path
    }

    fn split(leaves: &[Vec<u8>]) -> usize {
        leaves.len().next_power_of_two() / 2
    }
}

/// Nodes of a tree over leaf hashes.
struct Leaves<'a>(&'a [Vec<u8>]);

impl NodeReader for Leaves<'_> {
    type Error = Infallible;

    fn node(&mut self, node: Node) -> Result<Hash, Infallible> {
        Ok(SM3.root(&self.0[node.begin() as usize..node.end() as usize]))
    }
}

fn leaves(size: usize) -> Vec<Vec<u8>> {
    (0..size).map(|n| format!("leaf {n}").into_bytes()).collect()
}

fn frontier(leaves: &[Vec<u8>]) -> Frontier {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(leaf_hash(leaf)));
    frontier
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn hash(value: &Value) -> Hash {
    bytes(value).try_into().unwrap()
}

fn list<T>(value: &Value, item: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(item).collect()
}

#[test]
fn the_vectors_hold() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/merkle.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    // The leaves are in the cases of kind root only; the proofs are about their prefixes.
    let mut all = Vec::new();
    let mut ran = 0;
    for group in file["groups"].as_array().unwrap() {
        let sm3 = group["hash"] == "SM3";
        let reference = if sm3 { SM3 } else { SHA_256 };
        for case in group["tests"].as_array().unwrap() {
            let id = &case["id"];
            let valid = case["result"] == "valid";
            match case["kind"].as_str().unwrap() {
                "root" => {
                    let leaves = list(&case["leaves"], bytes);
                    assert_eq!(reference.root(&leaves), hash(&case["root"]), "{id}");
                    if sm3 {
                        assert_eq!(frontier(&leaves).root(), hash(&case["root"]), "{id}");
                    }
                    all = leaves;
                }
                "inclusion" => {
                    let index = case["index"].as_u64().unwrap();
                    let size = case["size"].as_u64().unwrap();
                    let (leaf, path) = (bytes(&case["leaf"]), list(&case["path"], hash));
                    let root = hash(&case["root"]);
                    if sm3 {
                        let answer = verify_inclusion(&leaf_hash(&leaf), index, size, &path, &root);
                        assert_eq!(answer.is_ok(), valid, "{id}: {answer:?}");
                    }
                    if index < size && size as usize <= all.len() {
                        let made = reference.path(index as usize, &all[..size as usize]);
                        assert_eq!(
                            made == path
                                && leaf == all[index as usize]
                                && root == reference.root(&all[..size as usize]),
                            valid,
                            "{id}"
                        );
                    }
                }
                "consistency" => {
                    let [first, second] = ["first", "second"].map(|k| case[k].as_u64().unwrap());
                    let [old, new] = ["first_root", "second_root"].map(|k| hash(&case[k]));
                    let path = list(&case["path"], hash);
                    let made = reference.proof(first as usize, &all[..second as usize], true);
                    assert_eq!(made == path, valid, "{id}");
                    if sm3 {
                        let answer = verify_consistency(first, &old, second, &new, &path);
                        assert_eq!(answer.is_ok(), valid, "{id}: {answer:?}");
                    }
                }
                kind => panic!("{id}: unknown kind {kind}"),
            }
            ran += 1;
        }
    }
    assert_eq!(ran, 48);
}

#[test]
fn proofs_out_of_range_are_refused() {
    let all = leaves(7);
    let root = frontier(&all).root();
    let path = inclusion_proof(&mut Leaves(&all), 3, 7).unwrap();
    let leaf = leaf_hash(&all[3]);
    let longer: Vec<_> = path.iter().copied().chain([[0; 32]]).collect();
    #[rustfmt::skip]
    let cases = [
        ("beyond the end", 7, 7, &path[..], ProofError::OutOfRange),
        ("empty tree", 0, 0, &[], ProofError::OutOfRange),
        ("too short", 3, 7, &path[..2], ProofError::Length),
        ("too long", 3, 7, &longer[..], ProofError::Length),
        ("another place", 2, 7, &path[..], ProofError::Root),
        ("far beyond", 3, u64::MAX, &path[..], ProofError::Length),
    ];
    for (why, index, size, path, error) in cases {
        assert_eq!(verify_inclusion(&leaf, index, size, path, &root), Err(error), "{why}");
    }
    let old = frontier(&all[..3]).root();
    let path = consistency_proof(&mut Leaves(&all), 3, 7).unwrap();
    #[rustfmt::skip]
    let cases = [
        ("from nothing", 0, 7, &path[..], ProofError::OutOfRange),
        ("backwards", 7, 3, &path[..], ProofError::OutOfRange),
        ("no path", 3, 7, &[], ProofError::Length),
        ("too short", 3, 7, &path[..1], ProofError::Length),
        ("a path between equals", 7, 7, &path[..], ProofError::Length),
        ("equal sizes, other roots", 7, 7, &[], ProofError::Root),
        ("another size", 2, 7, &path[..], ProofError::Length),
    ];
    for (why, first, second, path, error) in cases {
        assert_eq!(verify_consistency(first, &old, second, &root, path), Err(error), "{why}");
    }
}

#[test]
fn a_frontier_takes_subtrees_only_where_they_fit() {
    let mut frontier = frontier(&leaves(6));
    assert!(!frontier.push_subtree(2, [0; 32]));
    assert_eq!(frontier.size(), 6);
    assert!(frontier.push_subtree(1, [0; 32]));
    assert_eq!(frontier.size(), 8);
    assert!(!frontier.push_subtree(63, [0; 32]));
    assert_eq!(Frontier::from_nodes(5, vec![[0; 32]]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn inclusion_proofs_verify_and_no_bit_may_change(
        size in 1usize..300, at in any::<prop::sample::Index>(), spoil in any::<(prop::sample::Index, u8)>(),
    ) {
        let all = leaves(size);
        let index = at.index(size);
        let root = frontier(&all).root();
        prop_assert_eq!(root, SM3.root(&all));
        let mut path = inclusion_proof(&mut Leaves(&all), index as u64, size as u64).unwrap();
        prop_assert_eq!(&path, &SM3.path(index, &all));
        let leaf = leaf_hash(&all[index]);
        let check = |leaf: &Hash, path: &[Hash]| verify_inclusion(leaf, index as u64, size as u64, path, &root);
        prop_assert_eq!(check(&leaf, &path), Ok(()));
        let mut other = leaf;
        other[usize::from(spoil.1) % 32] ^= 1 << (spoil.1 % 8);
        prop_assert_eq!(check(&other, &path), Err(ProofError::Root));
        if !path.is_empty() {
            let which = spoil.0.index(path.len());
            path[which][usize::from(spoil.1) % 32] ^= 1 << (spoil.1 % 8);
            prop_assert_eq!(check(&leaf, &path), Err(ProofError::Root));
        }
    }

    #[test]
    fn consistency_proofs_verify_and_no_bit_may_change(
        size in 1usize..300, at in any::<prop::sample::Index>(), spoil in any::<(prop::sample::Index, u8)>(),
    ) {
        let all = leaves(size);
        let first = at.index(size) + 1;
        let (old, new) = (frontier(&all[..first]).root(), frontier(&all).root());
        let mut path = consistency_proof(&mut Leaves(&all), first as u64, size as u64).unwrap();
        prop_assert_eq!(&path, &SM3.proof(first, &all, true));
        let check = |old: &Hash, path: &[Hash]| verify_consistency(first as u64, old, size as u64, &new, path);
        prop_assert_eq!(check(&old, &path), Ok(()));
        let mut other = old;
        other[usize::from(spoil.1) % 32] ^= 1 << (spoil.1 % 8);
        prop_assert_eq!(check(&other, &path), Err(ProofError::Root));
        if !path.is_empty() {
            let which = spoil.0.index(path.len());
            path[which][usize::from(spoil.1) % 32] ^= 1 << (spoil.1 % 8);
            prop_assert_eq!(check(&old, &path), Err(ProofError::Root));
        }
    }

    #[test]
    fn a_tree_is_rebuilt_from_its_subtrees(begin in 0usize..300, length in 0usize..300) {
        let all = leaves(begin + length);
        let (begin, end) = (begin as u64, all.len() as u64);
        let node = |node: Node| SM3.root(&all[node.begin() as usize..node.end() as usize]);
        let left = left_nodes(begin).into_iter().map(node).collect();
        let mut rebuilt = Frontier::from_nodes(begin, left).unwrap();
        prop_assert_eq!(&rebuilt, &frontier(&all[..begin as usize]));
        for right in right_nodes(begin, end) {
            prop_assert!(rebuilt.push_subtree(right.level, node(right)));
        }
        prop_assert_eq!(rebuilt.root(), SM3.root(&all));
    }
}
