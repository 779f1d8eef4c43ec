use hsm::sm2::SecretKey;
use proptest::prelude::*;
use time::macros::date;

use super::*;

fn body(holder: Holder, key: &SecretKey) -> Body {
    Body {
        holder,
        authority: "1101010000000000000001".parse().unwrap(),
        subject: "1101010000000000000001".parse().unwrap(),
        serial: [0, 0, 0, 0, 0, 0, 0, 7],
        valid_from: date!(2024 - 01 - 01),
        valid_until: date!(2033 - 12 - 31),
        key: key.public().clone(),
    }
}

fn pair() -> (CardCertificate, CardCertificate, SecretKey) {
    let (issuer, sam) = (SecretKey::generate(), SecretKey::generate());
    let own = body(Holder::Issuer, &issuer).sign(&issuer).unwrap();
    let below = body(Holder::Sam(SamSerial(*b"SAM0000001")), &sam).sign(&issuer).unwrap();
    (own, below, sam)
}

#[test]
fn certificates_have_their_sizes_and_read_as_written() {
    let (issuer, sam, _) = pair();
    for (certificate, size) in [(&issuer, ISSUER_SIZE), (&sam, SAM_SIZE)] {
        let bytes = certificate.to_bytes();
        assert_eq!(bytes.len(), size);
        assert_eq!(CardCertificate::parse(&bytes).as_ref(), Ok(certificate));
        assert_eq!(CardCertificate::stored(&bytes), Stored::Known(Box::new(certificate.clone())));
    }
    assert_eq!(CardCertificate::stored(&[0; 180]), Stored::Opaque(vec![0; 180]));
}

#[test]
fn an_issuer_vouches_for_itself_and_its_sams() {
    let (issuer, sam, _) = pair();
    let day = date!(2026 - 11 - 26);
    assert_eq!(issuer.verify(&issuer, day), Ok(()));
    assert_eq!(sam.verify(&issuer, day), Ok(()));
    assert_eq!(sam.verify(&sam, day), Err(NotTrusted::NotAnIssuer));
    let (other, ..) = pair();
    assert_eq!(sam.verify(&other, day), Err(NotTrusted::Signature));
    for day in [date!(2023 - 12 - 31), date!(2034 - 01 - 01)] {
        assert_eq!(sam.verify(&issuer, day), Err(NotTrusted::NotOn(day)));
    }
    let mut elsewhere = sam.clone();
    elsewhere.body.authority = "99".parse().unwrap();
    assert_eq!(elsewhere.verify(&issuer, day), Err(NotTrusted::OtherAuthority));
}

#[test]
fn other_bytes_are_refused_by_what_is_wrong() {
    let (_, sam, _) = pair();
    let good = sam.to_bytes();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let cases = [
        ("empty", Vec::new(), BadCertificate::Length(0)),
        ("short", good[..189].to_vec(), BadCertificate::Length(189)),
        ("an issuer of 190 bytes", with(1, &[0x01]), BadCertificate::Length(190)),
        ("format", with(0, &[0x30]), BadCertificate::Format(0x30)),
        ("kind", with(1, &[0x03]), BadCertificate::Kind(0x03)),
        ("authority", with(2, &[0xAB]), BadCertificate::Code),
        ("no subject", with(13, &[0xFF; 11]), BadCertificate::Code),
        ("from", with(42, &[0x20, 0x24, 0x02, 0x30]), BadCertificate::Dates),
        ("until", with(46, &[0x20, 0x20, 0x01, 0x01]), BadCertificate::Dates),
        ("no day", with(42, &[0xFF; 4]), BadCertificate::Dates),
        ("algorithm", with(50, &[0x01]), BadCertificate::Algorithms),
        ("curve", with(52, &[0x01]), BadCertificate::Algorithms),
        ("key", with(54, &[0xFF; 32]), BadCertificate::Key),
        ("reserved", with(118, &[1]), BadCertificate::Reserved),
        ("r", with(126, &[0; 32]), BadCertificate::Signature),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(CardCertificate::parse(&bytes), Err(expected), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_changed_byte_is_never_trusted(at in 0..SAM_SIZE, flip in 1..=u8::MAX) {
        let (issuer, sam, _) = pair();
        let mut bytes = sam.to_bytes();
        bytes[at] ^= flip;
        if let Ok(changed) = CardCertificate::parse(&bytes) {
            prop_assert_eq!(changed.to_bytes(), bytes);
            prop_assert!(changed.verify(&issuer, date!(2026 - 11 - 26)).is_err());
        }
    }

    #[test]
    fn any_bytes_parse_or_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 180..=190)) {
        bytes[0] = FORMAT;
        if let Ok(read) = CardCertificate::parse(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }
}
