use proptest::prelude::*;

use super::*;
use crate::{
    check::{Gap, Verdict},
    testing::{key, note, other_key},
    tree::{Frontier, leaf_hash},
};

fn leaf(n: u64) -> Hash {
    leaf_hash(&n.to_be_bytes())
}

fn root(size: u64) -> Hash {
    let mut frontier = Frontier::new();
    (0..size).for_each(|n| frontier.push(leaf(n)));
    frontier.root()
}

/// A receipt for the last of four entries.
fn receipt() -> Receipt {
    let below = {
        let mut frontier = Frontier::new();
        [leaf(0), leaf(1)].into_iter().for_each(|hash| frontier.push(hash));
        frontier.root()
    };
    Receipt {
        key: key(),
        position: 3,
        leaf: leaf(3),
        proof: vec![leaf(2), below],
        checkpoint: note(4, root(4)),
    }
}

fn tampered(finding: Finding) -> Verdict {
    let mut findings = crate::check::Findings::default();
    findings.add(finding);
    Verdict::Tampered(findings)
}

#[test]
fn a_receipt_is_read_as_it_was_written_and_holds() {
    let receipt = receipt();
    let read = Receipt::read(receipt.write().as_bytes()).unwrap();
    assert_eq!(read, receipt);
    let report = read.check(&key(), &[note(4, root(4))]);
    assert_eq!((report.verdict, report.size, report.root), (Verdict::Valid, 4, Some(root(4))));
}

#[test]
fn what_is_not_as_it_was_signed_is_named() {
    let altered = |change: fn(&mut Receipt)| {
        let mut receipt = receipt();
        change(&mut receipt);
        receipt.check(&key(), &[]).verdict
    };
    assert_eq!(altered(|it| it.leaf = leaf(9)), tampered(Finding::ProofAltered));
    assert_eq!(altered(|it| it.position = 2), tampered(Finding::ProofAltered));
    assert_eq!(altered(|it| it.position = 4), tampered(Finding::ProofAltered));
    assert_eq!(altered(|it| it.proof.truncate(1)), tampered(Finding::ProofAltered));
    assert_eq!(altered(|it| it.proof.push([0; 32])), tampered(Finding::ProofAltered));
    assert_eq!(altered(|it| it.key = other_key()), tampered(Finding::KeyAltered { size: 4 }));
    let forged = altered(|it| it.checkpoint = it.checkpoint.replacen("\n4\n", "\n5\n", 1));
    assert_eq!(forged, tampered(Finding::CheckpointAltered { size: 5 }));
    let elsewhere = receipt().check(&other_key(), &[]).verdict;
    assert_eq!(elsewhere, Verdict::Unverifiable(vec![Gap::OtherKey]));
}

#[test]
fn a_log_that_says_something_else_elsewhere_is_forked() {
    let told = |held: String| receipt().check(&key(), &[held]).verdict;
    assert_eq!(told(note(4, [9; 32])), tampered(Finding::Forked { size: 4 }));
    assert_eq!(told(note(5, [9; 32])), Verdict::Unverifiable(vec![Gap::HeldElsewhere(0)]));
}

#[test]
fn what_is_no_receipt_is_refused_with_its_line() {
    let good = receipt().write();
    let with = |from: &str, to: &str| good.replacen(from, to, 1);
    let cases = [
        (String::new(), 1),
        (with("receipt v1", "receipt v2"), 1),
        (with("\nkey ", "\nkey x"), 2),
        (with("position 3", "position 03"), 3),
        (with("\nleaf ", "\nleaf A"), 4),
        (with("proof 2", "proof 3"), 8),
        (with("proof 2", "proof 999"), 5),
        (format!("{good}more\n"), good.lines().count() as u64 + 1),
        (good.trim_end().to_owned(), good.lines().count() as u64),
    ];
    for (text, expected) in cases {
        let refused = Receipt::read(text.as_bytes()).unwrap_err();
        let BundleError::Line(line) = refused else { panic!("{refused}: {text}") };
        assert_eq!(line, expected, "{text}");
    }
    let long = with("\n\n", &format!("\n{}\n", "x".repeat(MAX_RECEIPT)));
    assert!(Receipt::read(long.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn no_octet_of_a_receipt_can_be_another(at in 0..receipt().write().len(), with in any::<u8>()) {
        let mut text = receipt().write().into_bytes();
        prop_assume!(text[at] != with);
        text[at] = with;
        let altered = Receipt::read(&text[..]);
        let told = altered.map(|altered| altered.check(&key(), &[]).verdict);
        prop_assert!(!matches!(told, Ok(Verdict::Valid)));
    }
}
