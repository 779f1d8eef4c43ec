//! Keys from keys (HKDF, RFC 5869) and from passphrases (PBKDF2, RFC 8018), both over HMAC-SM3.

use sm3::Sm3;
use zeroize::Zeroizing;

/// HKDF-SM3: `N` octets for the purpose named by `info`, from key material that is already random.
///
/// `N` is at most 255 × 32, the limit of RFC 5869; more does not compile.
#[must_use]
pub fn hkdf<const N: usize>(salt: &[u8], material: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32) };
    let mut okm = Zeroizing::new([0; N]);
    hkdf::Hkdf::<Sm3>::new(Some(salt), material)
        .expand(info, &mut okm[..])
        .expect("the length is bounded above");
    okm
}

/// PBKDF2-HMAC-SM3: `N` octets from a passphrase, made slow by `iterations`.
///
/// The caller bounds `iterations`: the number often comes from a file, and each costs two
/// compressions per 32 octets.
#[must_use]
pub fn pbkdf2<const N: usize>(
    passphrase: &[u8],
    salt: &[u8],
    iterations: std::num::NonZeroU32,
) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    pbkdf2::pbkdf2_hmac::<Sm3>(passphrase, salt, iterations.get(), &mut key[..]);
    key
}
