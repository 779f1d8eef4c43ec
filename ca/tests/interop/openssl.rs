//! The openssl command, 3.0: single certificates, requests and lists. It applies the identifier to
//! the certificate named on its command line only, so a chain is verified link by link.

use ca::request::{CertificateRequest, RequestError};

use crate::bench::{Bench, ENTITY, NOW};

const ID: &str = "distid:1234567812345678";

#[test]
fn openssl_verifies_each_link_of_a_chain() {
    let bench = Bench::new();
    let at = NOW.unix_timestamp().to_string();
    let verify = |certificate: &str, trusted: &str| {
        let arguments = [
            "verify",
            "-partial_chain",
            "-vfyopt",
            ID,
            "-x509_strict",
            "-attime",
            &at,
            "-trusted",
            trusted,
            certificate,
        ];
        bench.run("openssl", &arguments)
    };
    for (certificate, issuer) in [
        ("people.pem", "root.pem"),
        ("doctor.pem", "people.pem"),
        ("nurse.pem", "people.pem"),
        // After the root has got another key.
        ("doctor.pem", "next-people.pem"),
        ("next-people.pem", "next-root.pem"),
        ("next-people.pem", "new-with-old.pem"),
        ("new-with-old.pem", "root.pem"),
        ("people.pem", "old-with-new.pem"),
        ("old-with-new.pem", "next-root.pem"),
    ] {
        let (good, said) = verify(certificate, issuer);
        assert!(good && said.contains(&format!("{certificate}: OK")), "{said}");
    }
    // It does look: the same link with one bit of the signature changed.
    let mut forged = bench.doctor.der().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    bench.write("forged.pem", ca::pem::encode(ca::pem::CERTIFICATE, &forged).as_bytes());
    let (good, said) = verify("forged.pem", "people.pem");
    assert!(!good && said.contains("certificate signature failure"), "{said}");
}

#[test]
fn openssl_shows_what_a_certificate_says() {
    let bench = Bench::new();
    let (good, said) = bench.run("openssl", &["x509", "-in", "doctor.pem", "-noout", "-text"]);
    assert!(good, "{said}");
    for part in [
        "Version: 3 (0x2)",
        "Signature Algorithm: SM2-with-SM3",
        "OU = doctor, CN = 01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21",
        "Not After : Mar  3 07:59:59 2027 GMT",
        "ASN1 OID: SM2",
        "CA:FALSE",
        "Digital Signature, Non Repudiation",
        "TLS Web Client Authentication",
        "URI:http://ca.example.invalid/people.crl",
        "CA Issuers - URI:http://ca.example.invalid/people.cer",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let (_, said) = bench.run("openssl", &["x509", "-in", "people.pem", "-noout", "-text"]);
    assert!(
        said.contains("CA:TRUE, pathlen:0") && said.contains("Certificate Sign, CRL Sign"),
        "{said}"
    );
}

#[test]
fn openssl_reads_what_identifies_a_holder() {
    let bench = Bench::new();
    let (good, said) = bench.run("openssl", &["x509", "-in", "doctor.pem", "-noout", "-text"]);
    // A UTF8String of 35 octets, and the choice with tag 2 around a PrintableString.
    let shown =
        [format!("1.2.86.21.1.1: \n.#{ENTITY}"), "1.2.156.10260.4.1.1: \n....E12345678".into()];
    let lines = said.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    for part in shown {
        assert!(good && lines.contains(&part), "{part:?} is not in {lines}");
    }
    let (good, said) = bench.run("openssl", &["asn1parse", "-in", "doctor.pem"]);
    for part in ["OBJECT            :1.2.86.21.1.1", "OBJECT            :1.2.156.10260.4.1.1"] {
        assert!(good && said.contains(part), "{part} is not in {said}");
    }
    // The value of the last extension is within an OCTET STRING, the last before the signature.
    let value = said.lines().rfind(|line| line.contains("OCTET STRING")).unwrap();
    let offset = value.split(':').next().unwrap().trim();
    let (good, said) =
        bench.run("openssl", &["asn1parse", "-in", "doctor.pem", "-strparse", offset]);
    for part in ["cont [ 2 ]", "PRINTABLESTRING", ":E12345678"] {
        assert!(good && said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn openssl_reads_a_revocation_list() {
    let bench = Bench::new();
    let arguments = ["crl", "-inform", "DER", "-in", "people.crl", "-noout", "-text"];
    let (good, said) = bench.run("openssl", &arguments);
    assert!(good, "{said}");
    let serial = format!("Serial Number: {}", bench.nurse.serial().to_string().to_uppercase());
    for part in [
        "Version 2 (0x1)",
        "CN = people",
        "Next Update: Mar 10 08:00:00 2025 GMT",
        "X509v3 CRL Number",
        &serial,
        "Revocation Date: Mar  3 09:00:00 2025 GMT",
        "Key Compromise",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let (good, said) =
        bench.run("openssl", &["crl", "-inform", "DER", "-in", "root.crl", "-noout", "-text"]);
    assert!(good && said.contains("No Revoked Certificates"), "{said}");
}

#[test]
fn openssl_reads_a_list_of_a_part_and_its_changes() {
    let bench = Bench::new();
    let show = |list: &str| {
        let (good, said) =
            bench.run("openssl", &["crl", "-inform", "DER", "-in", list, "-noout", "-text"]);
        assert!(good, "{said}");
        // How deep a line stands is its own affair.
        said.lines().map(str::trim).collect::<Vec<_>>().join("\n")
    };
    let point = "Issuing Distribution Point: critical\nFull Name:\nURI:http://ca.example.invalid/people.crl";
    let part = show("part.crl");
    for expected in [
        point,
        "X509v3 CRL Number:\n7",
        "X509v3 Freshest CRL:\nFull Name:\nURI:http://ca.example.invalid/people-delta.crl",
        "No Revoked Certificates",
    ] {
        assert!(part.contains(expected), "{expected} is not in {part}");
    }
    let delta = show("delta.crl");
    for expected in [
        point,
        "X509v3 CRL Number:\n8",
        "X509v3 Delta CRL Indicator: critical\n7",
        "Key Compromise",
    ] {
        assert!(delta.contains(expected), "{expected} is not in {delta}");
    }
}

#[test]
fn requests_are_read_both_ways() {
    let bench = Bench::new();
    let arguments =
        ["req", "-inform", "DER", "-in", "doctor.req", "-verify", "-vfyopt", ID, "-noout"];
    let (good, said) = bench.run("openssl", &arguments);
    assert!(good && said.contains("verify OK"), "{said}");

    let make = |more: &[&str]| {
        let arguments = [
            "req",
            "-new",
            "-key",
            "doctor.key",
            "-sm3",
            "-subj",
            "/CN=test",
            "-outform",
            "DER",
            "-out",
            "made.req",
        ];
        let (good, said) = bench.run("openssl", &[&arguments, more].concat());
        assert!(good, "{said}");
        CertificateRequest::parse(&bench.read("made.req"))
    };
    let read = make(&["-sigopt", ID]).unwrap();
    assert_eq!(read.public_key(), bench.doctor.public_key());
    assert_eq!(read.subject().common_name(), Some("test"));
    let with_extensions =
        make(&["-sigopt", ID, "-addext", "keyUsage=critical,keyCertSign"]).unwrap();
    assert_eq!(with_extensions.public_key(), bench.doctor.public_key());
    // Left alone, openssl signs with the empty identifier.
    assert_eq!(make(&[]).err(), Some(RequestError::NoPossession));
}

#[test]
fn openssl_takes_a_message_apart() {
    let bench = Bench::new();
    let arguments = ["asn1parse", "-inform", "DER", "-in", "record.p7s"];
    let (good, said) = bench.run("openssl", &arguments);
    assert!(good, "{said}");
    for part in [
        "pkcs7-signedData",
        "contentType",
        "signingTime",
        ":250303093000Z",
        "messageDigest",
        "id-smime-aa-signingCertificateV2",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}
