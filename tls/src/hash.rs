//! SM3 and HMAC-SM3, as the key schedule asks for them.

use hsm::sm3;
use rustls::crypto::{
    hash::{self, Context, HashAlgorithm, Output},
    hmac::{self, Tag},
};
use zeroize::Zeroizing;

/// Octets of a digest.
const LENGTH: usize = 32;

pub(crate) struct Sm3;

impl hash::Hash for Sm3 {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Hasher(sm3::Hasher::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&sm3::digest(data))
    }

    fn output_len(&self) -> usize {
        LENGTH
    }

    fn algorithm(&self) -> HashAlgorithm {
        // sm3 of the registry of hash algorithms.
        HashAlgorithm::Unknown(7)
    }
}

struct Hasher(sm3::Hasher);

impl Context for Hasher {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

pub(crate) struct HmacSm3;

impl hmac::Hmac for HmacSm3 {
    fn with_key(&self, key: &[u8]) -> Box<dyn hmac::Key> {
        Box::new(Key(Zeroizing::new(key.to_vec())))
    }

    fn hash_output_len(&self) -> usize {
        LENGTH
    }
}

struct Key(Zeroizing<Vec<u8>>);

impl hmac::Key for Key {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let parts: Vec<&[u8]> =
            [first].into_iter().chain(middle.iter().copied()).chain([last]).collect();
        Tag::new(&sm3::hmac(&self.0, &parts))
    }

    fn tag_len(&self) -> usize {
        LENGTH
    }
}

#[cfg(test)]
mod tests {
    use hash::Hash as _;
    use hmac::Hmac as _;
    use rustls::crypto::tls13::{Hkdf as _, HkdfUsingHmac};

    use super::*;
    use crate::vectors::{groups, octets};

    #[test]
    fn a_digest_in_pieces_and_by_forks_is_that_of_the_whole() {
        let mut context = Sm3.start();
        context.update(b"a");
        let mut fork = context.fork();
        fork.update(b"bc");
        assert_eq!(fork.fork_finish().as_ref(), sm3::digest(b"abc"));
        assert_eq!(fork.finish().as_ref(), Sm3.hash(b"abc").as_ref());
        assert_eq!(context.finish().as_ref(), sm3::digest(b"a"));
    }

    #[test]
    fn tags_are_of_the_parts_one_after_the_other() {
        let key = HmacSm3.with_key(&[7; 40]);
        let tag = key.sign_concat(b"a", &[b"b", b"", b"cd"], b"e");
        assert_eq!(tag.as_ref(), sm3::hmac(&[7; 40], &[b"abcde"]));
    }

    #[test]
    fn keys_are_derived_as_published() {
        let hkdf = HkdfUsingHmac(&HmacSm3);
        let mut checked = 0;
        for group in groups("kdf_sm3.json").iter().filter(|group| group["kdf"] == "HKDF-SM3") {
            for test in group["tests"].as_array().unwrap() {
                let octets = |name: &str| octets(test, name);
                let mut key = vec![0; octets("okm").len()];
                let expander = hkdf.extract_from_secret(Some(&octets("salt")), &octets("ikm"));
                expander.expand_slice(&[&octets("info")], &mut key).unwrap();
                assert_eq!(key, octets("okm"), "{}", test["id"]);
                checked += 1;
            }
        }
        assert!(checked > 0, "no vectors");
    }
}
