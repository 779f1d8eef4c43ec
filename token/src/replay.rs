//! Proofs that were used: each counts once.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use crate::{
    LEEWAY,
    proof::{LIFE, Proof},
    refusal::Refusal,
};

/// Proofs that were used and could still be used again. Memory is bounded: when it is full no proof is taken, rather than
/// one twice.
#[derive(Debug)]
pub struct Proofs {
    most: usize,
    used: Mutex<Used>,
}

#[derive(Debug)]
struct Used {
    names: HashSet<[u8; 32]>,
    /// The same names, by when they need not be known any more.
    until: BTreeMap<i64, Vec<[u8; 32]>>,
    /// Whatever could be used until then is forgotten, and not taken again though the clock be set back.
    forgotten: i64,
}

impl Proofs {
    /// Remembers `most` proofs at a time, 64 octets and more each. Of each request one is remembered for two minutes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let (names, until) = (HashSet::new(), BTreeMap::new());
        Self { most, used: Mutex::new(Used { names, until, forgotten: i64::MIN }) }
    }

    /// Takes a proof, once.
    ///
    /// # Errors
    /// [`Refusal::ProofReplayed`], [`Refusal::ProofsTooMany`], and [`Refusal::ProofStale`] for one that may have been
    /// forgotten.
    pub fn take(&self, proof: &Proof, now: i64) -> Result<(), Refusal> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget(now);
        let until = proof.made_at.saturating_add(LIFE + LEEWAY);
        if until <= used.forgotten {
            return Err(Refusal::ProofStale);
        }
        if used.names.contains(&proof.name) {
            return Err(Refusal::ProofReplayed);
        }
        if used.names.len() >= self.most {
            return Err(Refusal::ProofsTooMany);
        }
        used.names.insert(proof.name);
        used.until.entry(until).or_default().push(proof.name);
        Ok(())
    }
}

impl Used {
    fn forget(&mut self, now: i64) {
        while let Some(first) = self.until.first_entry().filter(|first| *first.key() < now) {
            let (until, names) = first.remove_entry();
            for name in names {
                self.names.remove(&name);
            }
            self.forgotten = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(name: u8, made_at: i64) -> Proof {
        Proof { name: [name; 32], made_at }
    }

    #[test]
    fn a_proof_counts_once_as_long_as_it_could_be_used() {
        let proofs = Proofs::new(10);
        let first = proof(1, 1000);
        assert_eq!(proofs.take(&first, 1000), Ok(()));
        for now in [1000, 1001, 1090] {
            assert_eq!(proofs.take(&first, now), Err(Refusal::ProofReplayed), "at {now}");
        }
        // The same name, made anew by whoever has the key.
        assert_eq!(proofs.take(&proof(1, 1050), 1050), Err(Refusal::ProofReplayed));
    }

    #[test]
    fn what_was_forgotten_is_not_taken_when_the_clock_is_set_back() {
        let proofs = Proofs::new(10);
        proofs.take(&proof(1, 1000), 1000).unwrap();
        proofs.take(&proof(2, 1091), 1091).unwrap();
        assert_eq!(proofs.take(&proof(1, 1000), 1000), Err(Refusal::ProofStale));
        assert_eq!(proofs.take(&proof(3, 1001), 1001), Ok(()));
    }

    #[test]
    fn when_memory_is_full_nothing_is_taken_until_something_is_forgotten() {
        let proofs = Proofs::new(2);
        proofs.take(&proof(1, 1000), 1000).unwrap();
        proofs.take(&proof(2, 1010), 1010).unwrap();
        assert_eq!(proofs.take(&proof(3, 1020), 1020), Err(Refusal::ProofsTooMany));
        assert_eq!(proofs.take(&proof(1, 1000), 1020), Err(Refusal::ProofReplayed));
        assert_eq!(proofs.take(&proof(3, 1020), 1091), Ok(()));
        assert_eq!(proofs.take(&proof(4, 1020), 1091), Err(Refusal::ProofsTooMany));
    }
}
