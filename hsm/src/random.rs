//! The one place that asks the operating system for random octets.

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
