use hsm::{Sm2Signer as _, sm2::SecretKey};

use super::*;

const MESSAGE: &[u8] = "处方：阿莫西林\n".as_bytes();

fn key() -> SecretKey {
    SecretKey::from_be_bytes(&[0x39; 32]).unwrap()
}

fn sign(e: [u8; 32]) -> Signature {
    key().sign(&e).unwrap()
}

fn found(octets: &[u8], message: &[u8]) -> Vec<Convention> {
    conventions(key().public(), octets, message, &[b"ALICE123@YAHOO.COM".to_vec()])
}

#[test]
fn every_way_to_e_is_found_again() {
    let mut seen = Vec::new();
    for (message, signed) in messages(MESSAGE) {
        let suggested = [b"ALICE123@YAHOO.COM".to_vec()];
        let preimages = preimages(key().public(), &signed, &suggested);
        // Four identifiers: three with five forms of Z, the empty one with three; each over message and digest.
        assert_eq!(preimages.len(), 2 * (3 * 5 + 3) + 2);
        let tried = if message == Message::AsGiven { preimages.len() } else { 1 };
        for (preimage, e) in preimages.into_iter().take(tried) {
            let convention = Convention { form: Form::Der, preimage, message };
            let found = found(&sign(e).to_der(), MESSAGE);
            assert_eq!(found, std::slice::from_ref(&convention));
            assert_eq!(e_of(key().public(), &convention, MESSAGE), e);
            seen.push(convention);
        }
    }
    let standard = seen.iter().filter(|it| it.is_standard()).count();
    assert_eq!(standard, 3, "one for each identifier but the empty one");
}

#[test]
fn what_was_given_may_be_the_number_that_was_signed() {
    let e = hsm::sm3::digest(MESSAGE);
    let conventions = found(&sign(e).to_der(), &e);
    let itself =
        Convention { form: Form::Der, preimage: Preimage::Itself, message: Message::AsGiven };
    assert_eq!(conventions, [itself]);
}

#[test]
fn every_form_is_found_again() {
    // One with a number above the middle, which loses its zero in the fifth case.
    let (message, signature) = (0_u8..)
        .map(|n| [n])
        .map(|message| (message, sign(key().public().digest(&SignerId::DEFAULT, &message))))
        .find(|(_, signature)| signature.to_der().len() > 70)
        .unwrap();
    let (r, s) = signature.as_raw().split_at(32);
    let turned = |number: &[u8]| number.iter().rev().copied().collect::<Vec<_>>();
    let der = signature.to_der();
    let swapped = Signature::from_raw(&[s, r].concat()).unwrap();
    let cases = [
        (Form::Der, der.clone()),
        (Form::NotQuiteDer, [&der[..], &[0]].concat()),
        (Form::NotQuiteDer, [&[0x30, 0x81, der[1]][..], &der[2..]].concat()),
        (Form::NotQuiteDer, [&[0x30, 0x80][..], &der[2..], &[0, 0]].concat()),
        (Form::NotQuiteDer, [&[0x30, 0x44, 2, 0x20][..], r, &[2, 0x20], s].concat()),
        (Form::Raw, signature.as_raw().to_vec()),
        (Form::Device, [&[0; 32][..], r, &[0; 32], s].concat()),
        (Form::LittleEndian, [turned(r), turned(s)].concat()),
        (Form::SwappedDer, swapped.to_der()),
        (Form::SwappedRaw, [s, r].concat()),
    ];
    for (form, octets) in cases {
        let forms: Vec<_> = found(&octets, &message).into_iter().map(|it| it.form).collect();
        assert_eq!(forms, [form]);
    }
}

#[test]
fn what_belongs_to_something_else_verifies_nowhere() {
    let e = key().public().digest(&SignerId::DEFAULT, MESSAGE);
    let signature = sign(e);
    assert_eq!(found(&signature.to_der(), b"another message"), []);
    let other = SecretKey::from_be_bytes(&[0x40; 32]).unwrap();
    assert_eq!(conventions(other.public(), &signature.to_der(), MESSAGE, &[]), []);
    for nothing in [&[][..], &[0x30], &[0; 64], &[0xff; 64], &[0x30, 6, 2, 1, 0, 2, 1, 0]] {
        assert_eq!(forms(nothing), [], "{nothing:02x?}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_panics(octets: Vec<u8>, message: Vec<u8>) {
        let _ = found(&octets, &message);
    }
}
