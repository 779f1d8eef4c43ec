//! The answer to a request for a certificate pair (CSRResponse, GM/T 0092-2020, 8 and annex A), taken apart:
//!
//! ```text
//! CSRResponse ::= SEQUENCE {
//!     signCertificate         CertificateSet,
//!     encryptedPrivateKey [0] SM2EnvelopedKey OPTIONAL,
//!     encryptCertificate  [1] CertificateSet OPTIONAL }
//! SM2EnvelopedKey ::= SEQUENCE {                          -- GM/T 0009-2012, 7.4
//!     symAlgID                AlgorithmIdentifier,
//!     symEncryptedKey         SM2Cipher,
//!     Sm2PublicKey            BIT STRING,
//!     Sm2EncryptedPrivateKey  BIT STRING }
//! ```
//!
//! Tags are implicit by the standard's module. The one other implementation that is known wraps the
//! envelope's SEQUENCE whole into `[0]`; both are read, as neither can be taken for the other.

use der::{
    AnyRef, Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
};

/// Longest answer that is read, bytes.
pub(crate) const LIMIT: usize = 16 * 1024;

/// OBJECT IDENTIFIER 1.2.156.10197.1.104.1, SM4 in ECB mode.
const SM4_ECB: &[u8] = &[0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68, 0x01];
/// OBJECT IDENTIFIER 1.2.156.10197.1.104, SM4 without a mode, which some write for it.
const SM4: &[u8] = &[0x06, 0x07, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68];

/// What the answer has. Nothing of it is checked against anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CsrResponse<'a> {
    /// The one signing certificate, DER.
    pub(crate) signing: &'a [u8],
    /// The key of the other, for whoever has the key of the first.
    pub(crate) envelope: EnvelopedKey<'a>,
    /// The one encryption certificate, DER.
    pub(crate) encryption: &'a [u8],
}

/// A key pair that is encrypted for somebody.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EnvelopedKey<'a> {
    /// An SM4 key, encrypted with SM2: SM2Cipher, DER.
    pub(crate) wrapped: Vec<u8>,
    /// The public key: a point, uncompressed.
    pub(crate) public: &'a [u8; 65],
    /// The secret key, encrypted with that SM4 key.
    pub(crate) encrypted: &'a [u8; 32],
}

impl<'a> CsrResponse<'a> {
    /// Reads an answer with both certificates; `None` when it is anything else, or in another encoding.
    pub(crate) fn parse(der: &'a [u8]) -> Option<Self> {
        let der = (der.len() <= LIMIT).then_some(der)?;
        let mut outer = SliceReader::new(der).ok()?;
        let mut fields = SliceReader::new(value(&mut outer, Tag::Sequence)?).ok()?;
        outer.finish().ok()?;
        let signing = only_certificate(value(&mut fields, Tag::Set)?)?;
        let envelope = EnvelopedKey::parse(value(&mut fields, context(0))?)?;
        let encryption = only_certificate(value(&mut fields, context(1))?)?;
        fields.finish().ok()?;
        Some(Self { signing, envelope, encryption })
    }
}

impl<'a> EnvelopedKey<'a> {
    /// Reads what stands in `[0]`.
    fn parse(content: &'a [u8]) -> Option<Self> {
        // Of an implicit one this is the algorithm, and more follows.
        let mut fields = SliceReader::new(content).ok()?;
        let first = value(&mut fields, Tag::Sequence)?;
        let (algorithm, mut fields) = match fields.is_finished() {
            false => (first, fields),
            true => {
                let mut inside = SliceReader::new(first).ok()?;
                (value(&mut inside, Tag::Sequence)?, inside)
            }
        };
        (algorithm == SM4_ECB || algorithm == SM4).then_some(())?;
        let wrapped = AnyRef::decode(&mut fields).ok().filter(|it| it.tag() == Tag::Sequence)?;
        let public = octets(&mut fields)?;
        let encrypted = octets(&mut fields)?;
        fields.finish().ok()?;
        Some(Self { wrapped: wrapped.to_der().ok()?, public, encrypted })
    }
}

const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// The value of the next element, which has this tag.
fn value<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Option<&'a [u8]> {
    AnyRef::decode(reader).ok().filter(|it| it.tag() == tag).map(|it| it.value())
}

/// The one element of a set of certificates.
fn only_certificate(set: &[u8]) -> Option<&[u8]> {
    let mut elements = SliceReader::new(set).ok()?;
    value(&mut elements, Tag::Sequence)?;
    elements.finish().ok()?;
    Some(set)
}

/// A BIT STRING of so many whole octets.
fn octets<'a, const N: usize>(reader: &mut SliceReader<'a>) -> Option<&'a [u8; N]> {
    match value(reader, Tag::BitString)? {
        [0, octets @ ..] => octets.try_into().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// `vectors/sm2_enveloped_key.json`, 1 (GM/T 0009-2012, 7.4).
    const ENVELOPE: &[u8] = &hex!(
        "3081ef300a06082a811ccf55016801307a022100ecea77d9bd20638882d9e9d86380c554007539de982b530d6ca74d50"
        "60529cec02210083f2ae6c409429a42cb6258ce5c1104d78234ab12551c104843e26c8879e5be90420ddd36258cdfdba"
        "9b2058cb2ea0a6745c80200239f4aad1eb3ff9df57f8d1753304102a125e066d8d1ed6f1c5ad4ab83abf0c034200041f"
        "aacd33bdc447c609c8ac22ff2daeeea5aa51d4169a21f70808c8d41c8c16244bea136ec34e9b693e42ccfda0b6d5ec72"
        "bcb62002ce093451b2ee5ff1bd9e060321008a02df0e670e0630a94ba570f6b392a20fe9d8c6d7e5bedf47195e215678"
        "bc35"
    );
    const FIRST: &[u8] = &[0x30, 3, 2, 1, 1];
    const SECOND: &[u8] = &[0x30, 3, 2, 1, 2];

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = match value.len() {
            short @ 0..=127 => vec![short as u8],
            long @ 128..=255 => vec![0x81, long as u8],
            long => [&[0x82][..], &(long as u16).to_be_bytes()].concat(),
        };
        [&[tag], &length[..], value].concat()
    }

    fn answer(parts: &[Vec<u8>]) -> Vec<u8> {
        tlv(0x30, &parts.concat())
    }

    fn good() -> [Vec<u8>; 3] {
        [tlv(0x31, FIRST), tlv(0xa0, &ENVELOPE[3..]), tlv(0xa1, SECOND)]
    }

    #[test]
    fn both_forms_of_the_envelope_are_read_alike() {
        let [signing, implicit, encryption] = good();
        let explicit = tlv(0xa0, ENVELOPE);
        let of =
            |envelope: &Vec<u8>| answer(&[signing.clone(), envelope.clone(), encryption.clone()]);
        let (implicit, explicit) = (of(&implicit), of(&explicit));
        let read = CsrResponse::parse(&implicit).expect("an answer");
        assert_eq!((read.signing, read.encryption), (FIRST, SECOND));
        assert_eq!(read.envelope.wrapped, ENVELOPE[15..15 + 124]);
        assert_eq!(read.envelope.public[..], ENVELOPE[142..142 + 65]);
        assert_eq!(read.envelope.encrypted[..], ENVELOPE[210..]);
        assert_eq!(CsrResponse::parse(&explicit), Some(read));
    }

    #[test]
    fn anything_else_is_refused() {
        let [signing, envelope, encryption] = good();
        let with = |at: usize, by: u8| {
            let mut changed = ENVELOPE[3..].to_vec();
            changed[at] = by;
            vec![signing.clone(), tlv(0xa0, &changed), encryption.clone()]
        };
        let both = tlv(0x31, &[FIRST, SECOND].concat());
        let parts = [signing.clone(), envelope.clone(), encryption.clone()];
        let cases = [
            ("nothing in it", vec![]),
            ("one certificate alone", vec![signing.clone()]),
            ("no envelope", vec![signing.clone(), encryption.clone()]),
            ("no encryption certificate", vec![signing.clone(), envelope.clone()]),
            ("another order", vec![signing.clone(), encryption.clone(), envelope.clone()]),
            ("two signing certificates", vec![both, envelope.clone(), encryption.clone()]),
            ("no signing certificate", vec![tlv(0x31, &[]), envelope.clone(), encryption.clone()]),
            ("something after it", [&parts[..], &[vec![5, 0]]].concat()),
            ("SM4-CBC", with(11, 2)),
            ("unused bits", with(139 - 3 + 2, 1)),
            ("another tag of the key", with(139 - 3, 4)),
            ("an empty envelope", vec![signing.clone(), tlv(0xa0, &[]), encryption.clone()]),
        ];
        for (what, parts) in cases {
            assert_eq!(CsrResponse::parse(&answer(&parts)), None, "{what}");
        }
        let good = answer(&parts);
        assert!(CsrResponse::parse(&good).is_some());
        for length in 0..good.len() {
            assert_eq!(CsrResponse::parse(&good[..length]), None, "cut at {length}");
        }
        assert_eq!(CsrResponse::parse(&[&good[..], &[0]].concat()), None);
        let long = answer(&[tlv(0x31, &tlv(0x30, &vec![0; LIMIT])), envelope, encryption]);
        assert_eq!(CsrResponse::parse(&long), None, "too long");
    }

    proptest! {
        #[test]
        fn what_is_read_has_one_encoding(at in 0_usize..300, bit in 0_u8..8) {
            let good = answer(&good());
            let mut changed = good.clone();
            let at = at % changed.len();
            changed[at] ^= 1 << bit;
            // What still reads says something else.
            prop_assert_ne!(CsrResponse::parse(&changed), CsrResponse::parse(&good));
        }
    }
}
