//! Proofs that were used: each counts once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use crate::{
    LEEWAY,
    proof::{LIFE, Proof},
    refusal::Refusal,
};

/// Of how many parts of the memory one holder has one: it takes as many who work together to fill it.
const PARTS: usize = 10;
/// What one holder has at least, where there is as much: eight requests a second.
const LEAST: usize = 1000;

/// Proofs that were used and could still be used again. Memory is bounded, all of it and of each holder: when it is full
/// no proof is taken, rather than one twice.
#[derive(Debug)]
pub struct Proofs {
    most: usize,
    most_of_one: usize,
    used: Mutex<Used>,
}

#[derive(Debug)]
struct Used {
    names: HashSet<[u8; 32]>,
    /// How many there are of each holder.
    of: HashMap<[u8; 32], usize>,
    /// Those proofs, by when they need not be known any more.
    until: BTreeMap<i64, Vec<Proof>>,
    /// Whatever could be used until then is forgotten, and not taken again though the clock be set back.
    forgotten: i64,
}

impl Proofs {
    /// Remembers `most` proofs at a time, 100 octets and more each; of one holder a tenth of that, but a thousand where
    /// there are as many. Of each request one is remembered for two minutes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let (names, of, until) = (HashSet::new(), HashMap::new(), BTreeMap::new());
        let used = Mutex::new(Used { names, of, until, forgotten: i64::MIN });
        Self { most, most_of_one: (most / PARTS).max(LEAST).min(most), used }
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
        let of_one = used.of.get(&proof.holder).copied().unwrap_or_default();
        if used.names.len() >= self.most || of_one >= self.most_of_one {
            return Err(Refusal::ProofsTooMany);
        }
        used.names.insert(proof.name);
        used.of.insert(proof.holder, of_one + 1);
        used.until.entry(until).or_default().push(proof.clone());
        Ok(())
    }
}

impl Used {
    fn forget(&mut self, now: i64) {
        while let Some(first) = self.until.first_entry().filter(|first| *first.key() < now) {
            let (until, proofs) = first.remove_entry();
            for Proof { name, holder, .. } in proofs {
                self.names.remove(&name);
                match self.of.get_mut(&holder) {
                    Some(more) if *more > 1 => *more -= 1,
                    _ => drop(self.of.remove(&holder)),
                }
            }
            self.forgotten = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(name: u8, made_at: i64) -> Proof {
        Proof { name: [name; 32], holder: [0; 32], made_at }
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

    #[test]
    fn one_holder_has_a_part_of_the_memory_and_leaves_the_rest_to_others() {
        let proofs = Proofs::new(20_000);
        let of = |holder: u8, number: u32, made_at| {
            let mut name = [holder; 32];
            name[..4].copy_from_slice(&number.to_be_bytes());
            Proof { name, holder: [holder; 32], made_at }
        };
        for number in 0..2000 {
            assert_eq!(proofs.take(&of(1, number, 1000), 1000), Ok(()), "{number}");
        }
        assert_eq!(proofs.take(&of(1, 2000, 1000), 1000), Err(Refusal::ProofsTooMany));
        assert_eq!(proofs.take(&of(2, 0, 1000), 1000), Ok(()), "another");
        assert_eq!(proofs.take(&of(1, 2001, 1091), 1091), Ok(()), "when theirs are over");
        assert_eq!(proofs.used.lock().unwrap().of.len(), 1, "nobody is remembered for nothing");
    }
}
