use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use super::*;
use crate::{
    signature::{Form, Hashed, Identifier, Message, Preimage, Z},
    wrapping::unwrap,
};

fn vectors(file: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    unwrap(&fs::read(path).unwrap()).0.to_vec()
}

#[test]
fn certificates_of_others_are_told_with_the_convention_of_their_issuer() {
    let issuer = key::public(&vectors("openssl/inter.pem")).unwrap();
    let standard = Convention {
        form: Form::Der,
        preimage: Preimage::WithZ(Identifier::Default, Z::Standard, Hashed::Message),
        message: Message::AsGiven,
    };
    #[rustfmt::skip]
    let cases = [
        ("openssl/root.pem", None,          Some(Role::Authority),  true),
        ("openssl/sign.pem", Some(&issuer), Some(Role::Signing),    false),
        ("openssl/enc.pem",  Some(&issuer), Some(Role::Encryption), false),
        ("gmssl/root.pem",   None,          Some(Role::Authority),  true),
    ];
    for (file, issuer, role, self_issued) in cases {
        let read = read(&vectors(file), issuer, &[]).expect(file);
        assert_eq!(
            (read.role, read.self_issued, read.trailing),
            (role, self_issued, false),
            "{file}"
        );
        assert_eq!(read.inner, read.outer, "{file}");
        assert_eq!(
            (read.inner.oid.as_str(), read.inner.parameters),
            ("1.2.156.10197.1.501", Parameters::Absent)
        );
        assert_eq!(read.signature, Some(vec![standard.clone()]), "{file}");
        assert_eq!(read.curve, Some(Curve::Named), "{file}");
    }
    let unknown = read(&vectors("openssl/sign.pem"), None, &[]).unwrap();
    assert_eq!(unknown.signature, None, "nobody's key was given");
}

/// Runs OpenSSL in a directory; what it left in a file.
fn openssl(place: &Path, arguments: &[&str], file: &str) -> Vec<u8> {
    let done = Command::new("openssl").args(arguments).current_dir(place).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    unwrap(&fs::read(place.join(file)).unwrap()).0.to_vec()
}

#[test]
fn what_openssl_makes_when_it_is_not_told_has_the_empty_identifier() {
    let place = TempDir::new().unwrap();
    let key = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", "key"];
    openssl(place.path(), &key, "key");
    let made = |more: &[&str]| {
        let order =
            ["req", "-x509", "-new", "-key", "key", "-sm3", "-subj", "/CN=x", "-out", "made"];
        openssl(place.path(), &[&order[..], more].concat(), "made")
    };
    let [bare, implicit, explicit] = [
        "ASN1:PRINTABLESTRING:1",
        "ASN1:IMPLICIT:0C,PRINTABLESTRING:1",
        "ASN1:EXPLICIT:0C,PRINTABLESTRING:1",
    ]
    .map(|value| format!("{IDENTIFY_CODE}={value}"));
    let octets = format!("{ENTITY_IDENTIFIER}=DER:31:40:35");
    type Told = (Identifier, Option<Role>, Option<Tagging>);
    let (empty, default) = (Identifier::Empty, Identifier::Default);
    #[rustfmt::skip]
    let cases: [(&[&str], Told); 5] = [
        (&[], (empty.clone(), None, None)),
        (&["-sigopt", "distid:1234567812345678"], (default, None, None)),
        (&["-addext", &bare, "-addext", "keyUsage=keyAgreement"],
            (empty.clone(), Some(Role::Encryption), Some(Tagging::Bare))),
        (&["-addext", &implicit, "-addext", "keyUsage=digitalSignature,keyEncipherment"],
            (empty.clone(), Some(Role::Both), Some(Tagging::Implicit))),
        (&["-addext", &explicit, "-addext", "keyUsage=nonRepudiation"],
            (empty, Some(Role::Signing), Some(Tagging::Explicit))),
    ];
    for (more, (identifier, role, tagging)) in cases {
        let read = read(&made(more), None, &[]).unwrap();
        let [Convention { preimage, .. }] = read.signature.as_deref().unwrap() else { panic!() };
        assert_eq!(
            *preimage,
            Preimage::WithZ(identifier, Z::Standard, Hashed::Message),
            "{more:?}"
        );
        assert_eq!(read.role, role, "{more:?}");
        assert_eq!(read.identities.first().map(|it| it.tagging), tagging, "{more:?}");
    }
    let read = read(&made(&["-addext", &octets]), None, &[]).unwrap();
    assert_eq!(read.identities, [Identity { oid: ENTITY_IDENTIFIER, tagging: Tagging::Text }]);
}

#[test]
fn algorithms_that_differ_and_their_parameters_are_told() {
    let whole = vectors("openssl/sign.pem");
    // 1.2.156.10197.1.501 and the end of its AlgorithmIdentifier, within and beside what is signed.
    let name = [0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75];
    let at: Vec<_> = whole.windows(name.len()).enumerate().filter(|(_, it)| *it == name).collect();
    let [(inner, _), (outer, _)] = at[..] else { panic!("{} places", at.len()) };
    let changed = |at: usize| {
        let mut changed = whole.clone();
        changed[at + 9] = 0x76;
        read(&changed, None, &[]).unwrap()
    };
    let (within, beside) = (changed(inner), changed(outer));
    assert_eq!(
        (within.inner.oid.as_str(), within.outer.oid.as_str()),
        ("1.2.156.10197.1.502", "1.2.156.10197.1.501")
    );
    assert_eq!(
        (beside.inner.oid.as_str(), beside.outer.oid.as_str()),
        ("1.2.156.10197.1.501", "1.2.156.10197.1.502")
    );
    for (parameters, expected) in [
        (&[][..], Parameters::Absent),
        (&[5, 0], Parameters::Null),
        (&[2, 1, 1], Parameters::Other),
    ] {
        let fields = [&name[..], parameters].concat();
        let octets = [&[0x30, fields.len() as u8][..], &fields].concat();
        let (element, _) = ber::first(&octets, SEQUENCE).unwrap();
        assert_eq!(algorithm(element).unwrap().parameters, expected);
    }
}

proptest::proptest! {
    #[test]
    fn nothing_panics(octets: Vec<u8>, at in 0..600_usize, octet: u8) {
        let _ = read(&octets, None, &[]);
        let mut changed = vectors("openssl/sign.pem");
        if let Some(place) = changed.get_mut(at) {
            *place = octet;
        }
        let _ = read(&changed, None, &[]);
    }
}
