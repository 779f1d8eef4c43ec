//! For tests: a log with its key, its entries and its checkpoints, and what a service refuses.

use std::collections::HashMap;

use audit::{
    Actor, Entry, Outcome,
    checkpoint::{Checkpoint, VerifierKey},
    tree::{Frontier, Hash, leaf_hash},
};
use der::Decode as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::identity::ClientKey;

const ORIGIN: &str = "county.example";

/// A log with a key of its own.
pub(crate) struct Log {
    signer: ClientKey,
    pub(crate) key: VerifierKey,
    pub(crate) entries: Vec<Entry>,
}

impl Log {
    /// A log of this many entries.
    pub(crate) fn of(size: u64) -> Self {
        let signer = ClientKey::generate().unwrap();
        let spki = SubjectPublicKeyInfoOwned::from_der(&signer.public_key_der()).unwrap();
        let point = spki.subject_public_key.raw_bytes().try_into().unwrap();
        let key = VerifierKey::new(ORIGIN, point).unwrap();
        let entry = |position| {
            let id = format!("0193e5a0-0000-7000-8000-{position:012}");
            let at = format!("2026-11-23T08:00:{position:02}.000000Z");
            Entry::new(id, at, "token.issue", Outcome::Granted, Actor::default())
        };
        Self { signer, key, entries: (0..size).map(entry).collect() }
    }

    /// The bytes of the entries.
    pub(crate) fn leaves(&self) -> Vec<Vec<u8>> {
        self.entries.iter().map(|entry| entry.encode().unwrap()).collect()
    }

    /// The signed checkpoint of the first `size` entries.
    pub(crate) fn checkpoint(&self, size: u64) -> String {
        let mut frontier = Frontier::new();
        let leaves = self.leaves();
        leaves[..size as usize].iter().for_each(|leaf| frontier.push(leaf_hash(leaf)));
        self.note(size, frontier.root())
    }

    /// A checkpoint that this log's key signed, whatever it says.
    pub(crate) fn note(&self, size: u64, root: Hash) -> String {
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root };
        checkpoint.sign(&self.key, |text| Ok::<_, ()>(self.signer.sign(text))).unwrap()
    }
}

/// A refusal of a service, for this reason.
pub(crate) fn refused(reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "healthcard.v1", HashMap::new());
    Status::with_error_details(Code::Unauthenticated, "no", details)
}
