//! The keys of electronic cards' codes, and what each is used for. The form of codes is in
//! [`card::code`].

use std::sync::Arc;

use access_token::keys::{PublishedKey, thumbprint_octets};
use card::code::{BadCode, Dynamic, ElectronicId, SIGNER_ID, SignedCode, Unsigned};
use hsm::{
    KeyError, MacKey, Sm2Signer,
    sm2::{PublicKey, Signature, SignerId},
};

use crate::keys::Keys;

/// Makes and checks codes with the newest keys, and knows the keys that verify.
pub(crate) struct CodeKeys {
    signer: Arc<dyn Sm2Signer>,
    /// Newest first; the first is the signer's.
    published: Vec<([u8; 8], PublicKey)>,
    mac: Arc<dyn MacKey>,
}

/// Why a signed code was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    /// The key is not available.
    #[error("signing a code")]
    Key(#[from] KeyError),
    /// A time or life that a code cannot have.
    #[error("writing a code")]
    Form(#[from] BadCode),
}

impl CodeKeys {
    pub(crate) fn new(keys: &Keys) -> Result<Self, KeyError> {
        let signer = keys.code()?;
        let published = std::iter::once(signer.public_key().clone())
            .chain(keys.earlier_code_keys())
            .map(|key| (name(&key), key))
            .collect();
        Ok(Self { signer, published, mac: keys.code_mac()? })
    }

    /// Signs a code, naming the key in it.
    pub(crate) fn sign(&self, mut body: Unsigned) -> Result<SignedCode, SignError> {
        body.key = name(self.signer.public_key());
        let e = self.signer.public_key().digest(&signer_id(), &body.octets());
        let signature = self.signer.sign(&e)?;
        let raw = *signature.as_raw();
        Ok(body.with_signature(raw)?)
    }

    /// Whether one of our keys signed it.
    pub(crate) fn signed_by_us(&self, code: &SignedCode) -> bool {
        let body = code.body();
        let key = self.published.iter().find(|(name, _)| *name == body.key);
        key.is_some_and(|(_, key)| {
            let e = key.digest(&signer_id(), &body.octets());
            Signature::from_raw(code.signature())
                .is_ok_and(|signature| key.verify(&e, &signature).is_ok())
        })
    }

    /// The changing part of a dynamic code.
    pub(crate) fn dynamic(
        &self,
        card: &ElectronicId,
        nonce: &[u8; 16],
        ends: u64,
    ) -> Result<Dynamic, KeyError> {
        Dynamic::make(&*self.mac, card, nonce, ends)
    }

    /// The published keys as JSON Web Keys (RFC 7517), newest first.
    pub(crate) fn published(&self) -> Vec<PublishedKey> {
        self.published.iter().map(|(_, key)| PublishedKey::new(key, SIGNER_ID)).collect()
    }
}

/// How a signed code names a key.
fn name(key: &PublicKey) -> [u8; 8] {
    *thumbprint_octets(key).first_chunk().expect("a thumbprint has 32 octets")
}

fn signer_id() -> SignerId {
    SignerId::new(SIGNER_ID.as_bytes()).expect("a short literal")
}

#[cfg(test)]
mod tests {
    use hsm::sm2::SecretKey;

    use super::*;

    struct Mac;

    impl MacKey for Mac {
        fn mac(&self, parts: &[&[u8]]) -> Result<[u8; 32], KeyError> {
            Ok(hsm::sm3::hmac(b"key", parts))
        }
    }

    fn keys(secret: SecretKey, earlier: &[PublicKey]) -> CodeKeys {
        let signer: Arc<dyn Sm2Signer> = Arc::new(secret);
        let all = std::iter::once(signer.public_key().clone()).chain(earlier.iter().cloned());
        let published = all.map(|key| (name(&key), key)).collect();
        CodeKeys { signer, published, mac: Arc::new(Mac) }
    }

    fn body() -> Unsigned {
        Unsigned {
            key: [0; 8],
            number: [1; 16],
            card: ElectronicId([2; 32]),
            not_before: 1_795_680_000,
            life: 300,
            desk: None,
        }
    }

    #[test]
    fn a_code_of_ours_is_known_also_by_an_earlier_key() {
        let old = SecretKey::generate();
        let earlier = old.public_key().clone();
        let code = keys(old, &[]).sign(body()).unwrap();
        assert!(keys(SecretKey::generate(), &[earlier]).signed_by_us(&code));
        assert!(!keys(SecretKey::generate(), &[]).signed_by_us(&code));
    }

    #[test]
    fn any_changed_field_is_refused() {
        let keys = keys(SecretKey::generate(), &[]);
        let code = keys.sign(body()).unwrap();
        let signed = Unsigned { key: code.body().key, ..body() };
        let others = [
            Unsigned { number: [9; 16], ..signed.clone() },
            Unsigned { card: ElectronicId([9; 32]), ..signed.clone() },
            Unsigned { not_before: 1_795_680_001, ..signed.clone() },
            Unsigned { life: 301, ..signed.clone() },
            Unsigned { desk: card::code::DeskNonce::new([9; 32]), ..signed.clone() },
            Unsigned { key: [9; 8], ..signed },
        ];
        for other in others {
            let other = other.with_signature(*code.signature()).unwrap();
            assert!(!keys.signed_by_us(&other));
        }
    }

    /// One key, and one text: what was signed for a token or a record is no code, and the other way.
    #[test]
    fn a_signature_of_another_kind_is_none_of_a_code() {
        let secret = SecretKey::generate();
        let public = secret.public_key().clone();
        let body = Unsigned { key: name(&public), ..body() };
        let plain = secret.sign(&secret.digest(&body.octets())).unwrap();
        let keys = keys(secret, &[]);
        assert!(!keys.signed_by_us(&body.clone().with_signature(*plain.as_raw()).unwrap()));

        let code = keys.sign(body.clone()).unwrap();
        let signature = Signature::from_raw(code.signature()).unwrap();
        let e = public.digest(&SignerId::DEFAULT, &body.octets());
        assert!(public.verify(&e, &signature).is_err());
    }
}
