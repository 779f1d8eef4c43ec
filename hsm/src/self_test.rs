//! Self-tests at start (自检): known answers of the algorithms, and statistical tests of the random
//! generator in the manner of GM/T 0005-2021 and GM/T 0030-2014.
//!
//! When one fails, [`Guarded`] lets the keys verify and open, and neither sign nor seal.

mod guard;
mod known;
mod statistics;

pub use guard::Guarded;

use crate::random::{NoRandomness, RandomSource};

/// Groups of bits that are looked at.
const GROUPS: u32 = 20;
/// Bits of a group.
const BITS: usize = 100_000;
/// A group passes a test whose P-value is at least this (GM/T 0005-2021, 4).
const SIGNIFICANCE: f64 = 0.01;
/// Groups that may fail a test.
///
/// The standard accepts one of 20. That is meant for the approval of a product: with 23 P-values a
/// run, a perfect generator fails it one time in three. With three groups, and one repeat, it is
/// refused about once in a million starts.
const MAY_FAIL: u32 = 3;

/// Why the keys are not to be used for signing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfTestError {
    /// An algorithm computed something else than the standard's example.
    #[error("{0} does not compute what its standard says")]
    KnownAnswer(&'static str),
    /// The generator gave nothing.
    #[error("testing the random generator")]
    Random(#[from] NoRandomness),
    /// The generator's output is not random, twice.
    #[error("the random generator failed the test {test} in {groups} of {GROUPS} groups")]
    NotRandom {
        /// The statistical test.
        test: &'static str,
        /// Groups that failed it.
        groups: u32,
    },
}

/// Computes the known answers, then tests the generator; after a failure of the latter once more.
///
/// # Errors
/// [`SelfTestError`]: the first failure.
pub fn run(random: &mut dyn RandomSource) -> Result<(), SelfTestError> {
    known::answers()?;
    match test_generator(random) {
        Err(SelfTestError::NotRandom { .. }) => test_generator(random),
        decided => decided,
    }
}

/// Puts [`GROUPS`] groups through every test.
fn test_generator(random: &mut dyn RandomSource) -> Result<(), SelfTestError> {
    let mut failed = [0; statistics::TESTS.len()];
    let mut octets = vec![0; BITS / 8];
    for _ in 0..GROUPS {
        random.fill(&mut octets)?;
        let bits = statistics::bits(&octets);
        for ((_, test), failed) in statistics::TESTS.iter().zip(&mut failed) {
            // What is no number has not passed.
            let passed = test(&bits) >= SIGNIFICANCE;
            *failed += u32::from(!passed);
        }
    }
    for ((test, _), groups) in statistics::TESTS.iter().zip(failed) {
        if groups > MAY_FAIL {
            return Err(SelfTestError::NotRandom { test, groups });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    /// What a defect makes of good octets.
    type Defect = fn(&mut [u8]);

    /// A generator with a defect.
    struct Defective(Defect);

    impl RandomSource for Defective {
        fn fill(&mut self, octets: &mut [u8]) -> Result<(), NoRandomness> {
            SystemRandom.fill(octets)?;
            (self.0)(octets);
            Ok(())
        }
    }

    #[test]
    fn the_systems_generator_passes() {
        assert_eq!(run(&mut SystemRandom), Ok(()));
    }

    #[test]
    fn defects_of_a_generator_are_found() {
        let defects: [(&str, Defect); 7] = [
            ("nothing but zeros", |octets| octets.fill(0)),
            ("a counter", |octets| (0..=u8::MAX).cycle().zip(octets).for_each(|(n, o)| *o = n)),
            ("alternating bits", |octets| octets.fill(0x55)),
            ("a bit that is stuck in every 64th octet", |octets| {
                octets.chunks_mut(8).for_each(|chunk| chunk[0] |= 1);
            }),
            ("every 100th octet repeats the one before it, many times", |octets| {
                octets.chunks_mut(100).for_each(|chunk| {
                    let last = chunk[0];
                    chunk[..8].fill(last);
                });
            }),
            ("the same 512 octets again and again", |octets| {
                let (first, rest) = octets.split_at_mut(512);
                rest.chunks_mut(512).for_each(|chunk| chunk.copy_from_slice(&first[..chunk.len()]));
            }),
            ("each octet is followed by its complement", |octets| {
                octets.chunks_exact_mut(2).for_each(|pair| pair[1] = !pair[0]);
            }),
        ];
        for (defect, spoil) in defects {
            let found = run(&mut Defective(spoil));
            assert!(matches!(found, Err(SelfTestError::NotRandom { .. })), "{defect}: {found:?}");
        }
    }

    #[test]
    fn one_bad_run_is_repeated_and_two_are_a_failure() {
        /// Zeros for so many groups, then good octets.
        struct Recovering(u32);
        impl RandomSource for Recovering {
            fn fill(&mut self, octets: &mut [u8]) -> Result<(), NoRandomness> {
                match self.0.checked_sub(1) {
                    None => SystemRandom.fill(octets),
                    Some(left) => {
                        self.0 = left;
                        octets.fill(0);
                        Ok(())
                    }
                }
            }
        }
        assert_eq!(run(&mut Recovering(GROUPS)), Ok(()));
        assert!(run(&mut Recovering(2 * GROUPS)).is_err());
    }

    #[test]
    fn a_generator_that_gives_nothing_fails() {
        struct Silent;
        impl RandomSource for Silent {
            fn fill(&mut self, _: &mut [u8]) -> Result<(), NoRandomness> {
                Err(NoRandomness)
            }
        }
        assert_eq!(run(&mut Silent), Err(SelfTestError::Random(NoRandomness)));
    }
}
