//! Random octets: the one place that asks the operating system for them, and the trait by which the
//! self-tests are given another source.

/// Where random octets come from, as far as it is tested. Keys and nonces come from the operating
/// system, whatever is tested.
pub trait RandomSource {
    /// Fills `octets`.
    ///
    /// # Errors
    /// [`NoRandomness`] when there are none.
    fn fill(&mut self, octets: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The operating system's generator.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&mut self, octets: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(octets).map_err(|_| NoRandomness)
    }
}

/// A source of random octets gave none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there are no random octets")]
pub struct NoRandomness;

/// Fills `octets` from the operating system's generator.
///
/// # Panics
/// When the operating system gives none. Nothing safe can be done without randomness, and no
/// caller could do better than stop.
pub(crate) fn fill(octets: &mut [u8]) {
    if let Err(error) = getrandom::fill(octets) {
        panic!("the operating system gives no random octets: {error}");
    }
}
