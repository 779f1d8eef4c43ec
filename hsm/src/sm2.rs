//! SM2 keys, signatures and encryption on the recommended curve (GB/T 32918-2016, GM/T 0009-2012).
//!
//! Every value that comes from outside has one constructor that checks it: a [`PublicKey`] is a
//! point of the curve, a [`Signature`] has both halves in range, a [`SecretKey`] can sign. Refused
//! are explicit curve parameters, compressed and hybrid points, BER, and all that the standard
//! refuses but implementations often take: *t* = 0, the point at infinity, *d* = *n* - 1, an empty
//! ciphertext, and a key stream of zeros.
//!
//! ```
//! use hsm::Sm2Signer;
//! use hsm::sm2::SecretKey;
//!
//! let key = SecretKey::generate();
//! let e = key.digest(b"the record");
//! let signature = key.sign(&e)?;
//! key.public_key().verify(&e, &signature).expect("just signed");
//! # Ok::<(), hsm::KeyError>(())
//! ```

mod agreement;
mod asn1;
mod ciphertext;
mod encryption;
mod envelope;
mod identity;
mod pkcs8;
mod point;
mod prepared;
mod public_key;
mod secret_key;
mod signature;
mod signing;
mod table;
mod verified;

pub use agreement::EphemeralKey;
pub use ciphertext::{Ciphertext, MalformedCiphertext};
pub use encryption::{BadCiphertext, MAX_PLAINTEXT, NotEncryptable};
pub use envelope::{EnvelopeError, open_envelope, seal_envelope};
pub use identity::{IdTooLong, SignerId};
pub use pkcs8::MalformedPrivateKey;
pub use prepared::PreparedKey;
pub use public_key::{MalformedPublicKey, PublicKey};
pub use secret_key::{OutOfRange, SecretKey};
pub use signature::{MalformedSignature, Signature};
pub use signing::BadSignature;
pub use verified::VerifiedSignatures;

#[cfg(test)]
pub(crate) use {
    asn1::Reader, encryption::encrypt_with_nonce, encryption::key_stream, point::Point,
    signing::sign_with_nonce,
};
