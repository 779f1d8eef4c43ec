use super::{Accepted, Case, Plan, Refused, Verdict};
use crate::sm2::{
    Ciphertext, Point, PublicKey, SecretKey, Signature, SignerId, encrypt_with_nonce,
    open_envelope, seal_envelope, sign_with_nonce,
};
use crate::{Sm2Decrypter, Sm2Signer};
use ::sm2::Scalar;
use ::sm2::elliptic_curve::ff::PrimeField;

/// The parameters of the curve are fixed here.
pub(super) fn other_curve(case: &Case<'_>) -> Option<&'static str> {
    (case.curve() != "sm2p256v1").then_some("the example curve of 2010")
}

pub(super) fn scalar(octets: [u8; 32]) -> Scalar {
    Scalar::from_repr(octets.into()).unwrap()
}

#[test]
fn multiples_of_the_base_point() {
    let plan = Plan {
        // Of the two forms of a point, ours reads one.
        choices: &[],
        skip: |case| (case.test["x"].is_null() && case.test["k"].is_string()).then_some("infinity"),
        skipped: &[("infinity", 1)],
        ..Plan::all("sm2_curve.json")
    };
    plan.run(|case| {
        if case.group["kind"] == "compression" {
            let uncompressed = case.octets("uncompressed");
            assert_eq!(Point::from_sec1(&uncompressed).unwrap().sec1()[..], uncompressed);
            assert!(Point::from_sec1(&case.octets("compressed")).is_none());
        } else {
            let point = Point::base_multiple(&scalar(case.array("k")));
            assert_eq!(point.x()[..], case.octets("x"), "{}", case.id());
            assert_eq!(point.y()[..], case.octets("y"), "{}", case.id());
        }
        Accepted
    });
}

#[test]
fn signing() {
    let plan = Plan {
        skip: other_curve,
        skipped: &[("the example curve of 2010", 1)],
        ..Plan::all("sm2_sign.json")
    };
    plan.run(|case| {
        let key = SecretKey::from_be_bytes(&case.octets("private_key")).unwrap();
        assert_eq!(key.public().as_sec1()[..], case.octets("public_key"), "{}", case.id());
        let id = SignerId::new(&case.octets("user_id")).unwrap();
        assert_eq!(key.public().za(&id)[..], case.octets("za"), "{}", case.id());
        let e = key.public().digest(&id, &case.octets("message"));
        assert_eq!(e[..], case.octets("e"), "{}", case.id());

        let signature = sign_with_nonce(&key, &e, &scalar(case.array("k"))).unwrap();
        assert_eq!(signature.as_raw()[..32], case.octets("r"), "{}", case.id());
        assert_eq!(signature.as_raw()[32..], case.octets("s"), "{}", case.id());
        assert_eq!(signature.to_der(), case.octets("signature_der"), "{}", case.id());
        // With a nonce of its own the key gives another signature, as good as this one.
        let other = key.sign(&e).unwrap();
        assert_ne!(other, signature, "{}", case.id());
        assert_eq!(key.public().verify(&e, &other), Ok(()), "{}", case.id());
        key.public().verify(&e, &signature).into()
    });
}

#[test]
fn verifying_messages() {
    let plan = Plan {
        // An empty identifier is one when both sides say so: it is never the default of ours.
        choices: &[(5, Accepted)],
        ..Plan::all("sm2_verify.json")
    };
    plan.run(|case| {
        let Ok(id) = SignerId::new(&case.octets("user_id")) else { return Refused };
        let Ok(key) = PublicKey::from_sec1(&case.octets("public_key")) else { return Refused };
        let der = case.octets("signature_der");
        let Ok(signature) = Signature::from_der(&der) else { return Refused };
        assert_eq!(signature.to_der(), der, "{}", case.id());
        assert_eq!(Signature::from_raw(signature.as_raw()), Ok(signature), "{}", case.id());
        let e = key.digest(&id, &case.octets("message"));
        assert_eq!(key.prepare().verify(&e, &signature), key.verify(&e, &signature));
        key.verify(&e, &signature).into()
    });
}

#[test]
fn verifying_digests() {
    Plan::all("sm2_verify_digest.json").run(|case| {
        let key = PublicKey::from_sec1(&case.octets("public_key")).unwrap();
        let raw = [case.octets("r"), case.octets("s")].concat();
        // Each is a signature in form: what is refused is refused by the equation.
        let signature = Signature::from_raw(&raw).unwrap();
        let e = case.array("e");
        assert_eq!(key.prepare().verify(&e, &signature), key.verify(&e, &signature));
        key.verify(&e, &signature).into()
    });
}

#[test]
fn encrypting() {
    let plan = Plan {
        skip: other_curve,
        skipped: &[("the example curve of 2010", 1)],
        ..Plan::all("sm2_encrypt.json")
    };
    plan.run(|case| {
        let key = SecretKey::from_be_bytes(&case.octets("private_key")).unwrap();
        assert_eq!(key.public().as_sec1()[..], case.octets("public_key"), "{}", case.id());
        let message = case.octets("message");
        let k = scalar(case.array("k"));
        let ciphertext = encrypt_with_nonce(key.public(), &message, &k).unwrap();
        assert_eq!(ciphertext.to_c1c3c2(), case.octets("c1c3c2"), "{}", case.id());
        assert_eq!(ciphertext.to_der(), case.octets("ciphertext_der"), "{}", case.id());

        for ciphertext in [
            Ciphertext::from_der(&case.octets("ciphertext_der")).unwrap(),
            Ciphertext::from_c1c3c2(&case.octets("c1c3c2")).unwrap(),
            Ciphertext::from_der(&key.public().encrypt(&message).unwrap()).unwrap(),
        ] {
            assert_eq!(*key.decrypt(&ciphertext).unwrap(), message, "{}", case.id());
        }
        Accepted
    });
}

#[test]
fn decrypting() {
    let plan = Plan {
        // C1 compressed and hybrid
        choices: &[(17, Refused), (18, Refused)],
        ..Plan::all("sm2_decrypt_invalid.json")
    };
    plan.run(|case| {
        let key = SecretKey::from_be_bytes(&case.octets("private_key")).unwrap();
        // A5: the nonce that gives a key stream of zeros is not used to encrypt either.
        if case.test["flags"][0] == "KdfAllZero" {
            let k = scalar(case.array("k"));
            assert!(encrypt_with_nonce(key.public(), b"x", &k).is_none());
        }
        let forms = [
            case.optional("c1c3c2").map(|octets| Ciphertext::from_c1c3c2(&octets)),
            case.optional("ciphertext_der").map(|der| Ciphertext::from_der(&der)),
        ];
        // Where the file gives both forms, both must fare alike.
        let verdicts: Vec<Verdict> = forms
            .into_iter()
            .flatten()
            .map(|ciphertext| {
                let Ok(ciphertext) = ciphertext else { return Refused };
                let Ok(plaintext) = key.decrypt(&ciphertext) else { return Refused };
                assert_eq!(Some(plaintext.to_vec()), case.optional("plaintext"), "{}", case.id());
                Accepted
            })
            .collect();
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{}", case.id());
        verdicts[0]
    });
}

#[test]
fn keys() {
    let plan = Plan {
        choices: &[
            (2, Refused),   // compressed point
            (3, Refused),   // hybrid point
            (29, Accepted), // the generator, public key of d = 1: a weak key, not a malformed one
            (38, Refused),  // SPKI with a compressed point
            (40, Refused),  // SPKI with 301 as the algorithm
        ],
        ..Plan::all("sm2_keys.json")
    };
    plan.run(|case| match case.group["kind"].as_str().unwrap() {
        "point" => PublicKey::from_sec1(&case.octets("point")).into(),
        "private" => SecretKey::from_be_bytes(&case.octets("private_key")).into(),
        "spki" => {
            let der = case.octets("spki_der");
            let key = PublicKey::from_spki_der(&der);
            if let Ok(key) = &key {
                assert_eq!(key.to_spki_der(), der, "{}", case.id());
            }
            key.into()
        }
        other => panic!("unknown kind {other}"),
    });
}

#[test]
fn enveloped_keys() {
    let plan = Plan {
        choices: &[
            (2, Accepted), // SM4 without a mode, as some writers put it
            (4, Refused),  // a private key of 64 octets, which is the layout of devices
        ],
        ..Plan::all("sm2_enveloped_key.json")
    };
    plan.run(|case| {
        let recipient = SecretKey::from_be_bytes(&case.octets("recipient_private_key")).unwrap();
        let Ok(secret) = open_envelope(&recipient, &case.octets("der")) else { return Refused };
        assert_eq!(secret.to_be_bytes()[..], case.octets("enveloped_private_key"));
        assert_eq!(secret.public().as_sec1()[..], case.octets("enveloped_public_key"));
        let again = open_envelope(&recipient, &seal_envelope(recipient.public(), &secret)).unwrap();
        assert_eq!(again.public(), secret.public(), "{}", case.id());
        Accepted
    });
}
