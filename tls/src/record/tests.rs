use proptest::prelude::*;
use rustls::PeerMisbehaved;

use super::*;
use crate::vectors::{groups, octets};

const IV: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const KEY_OCTETS: [u8; 16] = [0x5A; 16];

/// A suite's records, under one key.
struct Suite {
    name: &'static str,
    encrypter: fn() -> Box<dyn MessageEncrypter>,
    decrypter: fn() -> Box<dyn MessageDecrypter>,
}

const SUITES: [Suite; 2] =
    [suite::<AesGcm<Sm4, U12, U16>>("GCM"), suite::<Ccm<Sm4, U16, U12>>("CCM")];

const fn suite<C>(name: &'static str) -> Suite
where
    C: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static,
{
    Suite {
        name,
        encrypter: || Box::new(protected::<C>()),
        decrypter: || Box::new(protected::<C>()),
    }
}

fn protected<C: KeyInit>() -> Protected<C> {
    Protected { cipher: C::new_from_slice(&KEY_OCTETS).unwrap(), iv: Iv::from(IV) }
}

/// The cipher by itself: of ciphertext and tag, or nothing.
fn open<C>(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8], tag: &[u8]) -> Option<Vec<u8>>
where
    C: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit,
{
    let (nonce, tag): ([u8; 12], [u8; 16]) = (nonce.try_into().ok()?, tag.try_into().ok()?);
    let mut content = sealed.to_vec();
    let cipher = C::new_from_slice(key).ok()?;
    cipher
        .decrypt_inout_detached(&nonce.into(), aad, content.as_mut_slice().into(), &tag.into())
        .ok()
        .map(|()| content)
}

#[test]
fn both_ciphers_are_as_published() {
    let mut published = 0;
    for test in groups("sm4_aead.json").iter().flat_map(|group| group["tests"].as_array().unwrap())
    {
        let field = |name| octets(test, name);
        let [key, iv, aad] = ["key", "iv", "aad"].map(field);
        let [sealed, tag] = ["ciphertext", "tag"].map(field);
        let opened = match test["mode"].as_str().unwrap() {
            "GCM" => open::<AesGcm<Sm4, U12, U16>>(&key, &iv, &aad, &sealed, &tag),
            "CCM" => open::<Ccm<Sm4, U16, U12>>(&key, &iv, &aad, &sealed, &tag),
            other => panic!("an unknown mode, {other}"),
        };
        // Other lengths of nonce and tag are no choice here.
        let ours = (iv.len(), tag.len()) == (12, 16) && test["result"] == "valid";
        let expected = ours.then(|| field("plaintext"));
        assert_eq!(opened, expected, "{}", test["id"]);
        let of_rfc = test["source"].as_str().is_some_and(|source| source.starts_with("RFC 8998"));
        published += usize::from(of_rfc && ours);
    }
    assert_eq!(published, 2, "RFC 8998, A.1 and A.2");
}

fn encrypted(suite: &Suite, kind: ContentType, content: &[u8], number: u64) -> Vec<u8> {
    let mut encrypter = (suite.encrypter)();
    let message = OutboundPlainMessage {
        typ: kind,
        version: ProtocolVersion::TLSv1_3,
        payload: content.into(),
    };
    assert_eq!(encrypter.encrypted_payload_len(content.len()), content.len() + 17);
    encrypter.encrypt(message, number).unwrap().encode()[5..].to_vec()
}

fn decrypted(suite: &Suite, mut record: Vec<u8>, number: u64) -> Result<Vec<u8>, Error> {
    let (kind, version) = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
    let message = InboundOpaqueMessage::new(kind, version, &mut record);
    (suite.decrypter)().decrypt(message, number).map(|message| message.payload.to_vec())
}

#[test]
fn a_record_has_the_nonce_and_the_header_of_tls() {
    // RFC 8446, 5.3: the number, as long as the nonce, over it. 5.2: the header of the record as it travels.
    let mut nonce = IV;
    nonce[10] ^= 1;
    nonce[11] ^= 2;
    let header = [0x17, 0x03, 0x03, 0x00, 24];
    let [gcm, ccm] = SUITES.map(|suite| {
        let record = encrypted(&suite, ContentType::ApplicationData, b"content", 0x0102);
        let (sealed, tag) = record.split_last_chunk::<16>().unwrap();
        (sealed.to_vec(), *tag)
    });
    let gcm = open::<AesGcm<Sm4, U12, U16>>(&KEY_OCTETS, &nonce, &header, &gcm.0, &gcm.1);
    let ccm = open::<Ccm<Sm4, U16, U12>>(&KEY_OCTETS, &nonce, &header, &ccm.0, &ccm.1);
    assert_eq!(
        (gcm.as_deref(), ccm.as_deref()),
        (Some(&b"content\x17"[..]), Some(&b"content\x17"[..]))
    );
}

#[test]
fn what_is_cut_moved_or_too_long_is_refused() {
    for suite in &SUITES {
        let name = suite.name;
        let encrypted = |content: &[u8], number| {
            encrypted(suite, ContentType::ApplicationData, content, number)
        };
        let good = encrypted(b"content", 7);
        assert_eq!(decrypted(suite, good.clone(), 7).unwrap(), b"content", "{name}");
        for length in 0..good.len() {
            let cut = decrypted(suite, good[..length].to_vec(), 7);
            assert_eq!(cut, Err(Error::DecryptError), "{name}: the first {length} octets");
        }
        assert_eq!(decrypted(suite, good, 8), Err(Error::DecryptError), "{name}: another place");
        let longest = vec![0x5A; 1 << 14];
        assert_eq!(decrypted(suite, encrypted(&longest, 0), 0).unwrap(), longest, "{name}");
        let beyond = encrypted(&vec![0x5A; (1 << 14) + 1], 0);
        assert_eq!(decrypted(suite, beyond, 0), Err(Error::PeerSentOversizedRecord), "{name}");
    }
}

#[test]
fn a_record_of_padding_alone_is_refused() {
    for suite in &SUITES {
        let record = encrypted(suite, ContentType::Unknown(0), &[0; 8], 0);
        let misbehaved = PeerMisbehaved::IllegalTlsInnerPlaintext;
        assert_eq!(decrypted(suite, record, 0), Err(misbehaved.into()), "{}", suite.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_come_back_and_changed_ones_do_not(
        content in prop::collection::vec(any::<u8>(), 0..600),
        number: u64,
        place: prop::sample::Index,
        bit in 0_u8..8,
    ) {
        for suite in &SUITES {
            let record = encrypted(suite, ContentType::ApplicationData, &content, number);
            prop_assert_eq!(&decrypted(suite, record.clone(), number).unwrap(), &content);
            let mut changed = record;
            let at = place.index(changed.len());
            changed[at] ^= 1 << bit;
            prop_assert_eq!(decrypted(suite, changed, number), Err(Error::DecryptError));
        }
    }
}
