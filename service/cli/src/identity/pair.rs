//! A certificate pair (双证书) as its holder gets it: both certificates, and the encryption key in an envelope that
//! the signing key opens.

use cbc::cipher::{Array, BlockCipherDecrypt as _, KeyInit as _};
use sm4::Sm4;
use zeroize::Zeroizing;

use super::{Certificate, ClientKey};
use crate::{
    csr_response::{CsrResponse, EnvelopedKey},
    failure::Failure,
    text::{Problem, problems},
};

/// Both certificates, and the key of the second.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) signing: Certificate,
    pub(crate) encryption: Certificate,
    pub(crate) encryption_key: ClientKey,
}

impl Pair {
    /// Reads an answer to the request of this key. What it has belongs together, or nothing is taken.
    pub(crate) fn open(answer: &[u8], key: &ClientKey) -> Result<Self, Failure> {
        let answer = CsrResponse::parse(answer).ok_or(problems::PAIR_MALFORMED)?;
        let malformed = |_| Failure::of(problems::PAIR_MALFORMED);
        let signing = Certificate::parse(answer.signing.to_vec()).map_err(malformed)?;
        let encryption = Certificate::parse(answer.encryption.to_vec()).map_err(malformed)?;
        if signing.public_key_der() != key.public_key_der() {
            return Err(problems::CERTIFICATE_OTHER_KEY.into());
        }
        let encryption_key = open_envelope(&answer.envelope, key)?;
        if encryption.public_key_der() != encryption_key.public_key_der()
            || encryption.subject() != signing.subject()
            || encryption.issuer() != signing.issuer()
        {
            return Err(problems::PAIR_MISMATCH.into());
        }
        Ok(Self { signing, encryption, encryption_key })
    }
}

/// Takes the key out of its envelope (GM/T 0009-2012, 7.4). ECB authenticates nothing: what shows that it is
/// the right key is its public key.
fn open_envelope(envelope: &EnvelopedKey<'_>, key: &ClientKey) -> Result<ClientKey, Problem> {
    let wrapping = key.decrypt(&envelope.wrapped).ok_or(problems::PAIR_OTHER_KEY)?;
    let cipher = Sm4::new_from_slice(&wrapping).map_err(|_| problems::PAIR_MALFORMED)?;
    let mut secret = Zeroizing::new(*envelope.encrypted);
    for block in secret.chunks_exact_mut(16) {
        let block: &mut [u8; 16] = block.try_into().map_err(|_| problems::PAIR_MALFORMED)?;
        cipher.decrypt_block(<&mut Array<u8, _>>::from(block));
    }
    ClientKey::from_octets(&secret)
        .filter(|key| key.public_key_der().ends_with(envelope.public))
        .ok_or(problems::PAIR_MISMATCH)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::identity::sample;

    /// `vectors/sm2_enveloped_key.json`: the recipient, and each envelope with what it is.
    fn vectors() -> (ClientKey, ClientKey, Vec<(Vec<u8>, u64)>) {
        let file = include_str!("../../../../tests/vectors/sm2_enveloped_key.json");
        let file: Value = serde_json::from_str(file).unwrap();
        let tests = file["groups"][0]["tests"].as_array().unwrap();
        let octets = |test: &Value, name: &str| hex::decode(test[name].as_str().unwrap()).unwrap();
        let key =
            |name| ClientKey::from_octets(&octets(&tests[0], name).try_into().unwrap()).unwrap();
        let envelopes = tests.iter().map(|it| (octets(it, "der"), it["id"].as_u64().unwrap()));
        let envelopes = envelopes.collect();
        (key("recipient_private_key"), key("enveloped_private_key"), envelopes)
    }

    fn answer(signing: &Certificate, envelope: &[u8], encryption: &Certificate) -> Vec<u8> {
        let parts = [
            sample::tlv(0x31, signing.der()),
            sample::tlv(0xa0, envelope),
            sample::tlv(0xa1, encryption.der()),
        ];
        sample::tlv(0x30, &parts.concat())
    }

    #[test]
    fn a_pair_is_taken_when_all_of_it_belongs_together() {
        let (holder, enveloped, envelopes) = vectors();
        let signing = sample::certificate(&holder, 1);
        let encryption = sample::certificate(&enveloped, 2);
        for (envelope, id) in &envelopes {
            let opened = Pair::open(&answer(&signing, envelope, &encryption), &holder);
            match id {
                1 | 2 => {
                    let pair = opened.unwrap();
                    assert_eq!(pair.encryption_key.public_key_der(), enveloped.public_key_der());
                    assert_eq!(
                        (pair.signing.serial(), pair.encryption.serial()),
                        ("01".into(), "02".into())
                    );
                }
                // The public key is another one's.
                3 => assert_eq!(opened.unwrap_err().reason, "PAIR_MISMATCH"),
                // A field of 64 octets, as devices have it.
                _ => assert_eq!(opened.unwrap_err().reason, "PAIR_MALFORMED"),
            }
        }
        let envelope = &envelopes[0].0;
        let stranger = ClientKey::generate().unwrap();
        let cases = [
            ("PAIR_MALFORMED", vec![0x30, 0]),
            (
                "CERTIFICATE_OTHER_KEY",
                answer(&sample::certificate(&stranger, 1), envelope, &encryption),
            ),
            ("PAIR_MISMATCH", answer(&signing, envelope, &sample::certificate(&stranger, 2))),
            (
                "PAIR_MISMATCH",
                answer(&signing, envelope, &sample::certificate_of(&enveloped, 2, "CN=other")),
            ),
        ];
        for (reason, answer) in cases {
            assert_eq!(Pair::open(&answer, &holder).unwrap_err().reason, reason);
        }
        // Somebody else's certificate and key do not open what was made for the holder.
        let theirs = answer(&sample::certificate(&stranger, 1), envelope, &encryption);
        assert_eq!(Pair::open(&theirs, &stranger).unwrap_err().reason, "PAIR_OTHER_KEY");
    }
}
