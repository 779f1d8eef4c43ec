use super::{Accepted, Case, Plan, Refused, Verdict};
use crate::sm4::Sm4Key;
use ::sm4::Sm4;
use aes_gcm::aead::Aead;
use aes_gcm::aead::consts::{U7, U12, U13, U16};
use ccm::Ccm;
use cmac::{Cmac, Mac};
use std::convert::Infallible;

fn key(case: &Case<'_>) -> Sm4Key {
    let Ok(key) = Sm4Key::fill(|key| {
        *key = case.array("key");
        Ok::<(), Infallible>(())
    });
    key
}

#[test]
fn blocks() {
    Plan::all("sm4_block.json").run(|case| {
        let key = key(case);
        let plaintext: [u8; 16] = case.array("plaintext");
        let mut block = plaintext;
        for _ in 0..case.number("iterations") {
            key.encrypt_block(&mut block);
        }
        assert_eq!(block[..], case.octets("ciphertext"), "{}", case.id());
        for _ in 0..case.number("iterations") {
            key.decrypt_block(&mut block);
        }
        assert_eq!(block, plaintext, "{}", case.id());
        Accepted
    });
}

/// ECB is ours; the chained modes are not offered and are written here over our block, which they
/// check in other ways.
#[test]
fn modes() {
    let plan = Plan {
        skip: |case| {
            (case.text("padding") == "pkcs7" && !case.is_valid()).then_some("no padding is removed")
        },
        skipped: &[("no padding is removed", 6)],
        ..Plan::all("sm4_modes.json")
    };
    plan.run(|case| {
        let key = key(case);
        let mut plaintext = case.octets("plaintext");
        if case.text("padding") == "pkcs7" {
            let count = 16 - plaintext.len() % 16;
            plaintext.extend(vec![u8::try_from(count).unwrap(); count]);
        }
        let ciphertext = case.octets("ciphertext");
        if case.text("mode") == "ECB" {
            assert_eq!(*key.decrypt_ecb(&ciphertext).unwrap(), plaintext, "{}", case.id());
            assert_eq!(key.encrypt_ecb(&plaintext).unwrap(), ciphertext, "{}", case.id());
        } else {
            let result = chained(case.text("mode"), &key, case.array("iv"), &plaintext);
            assert_eq!(result, ciphertext, "{}", case.id());
        }
        Accepted
    });
}

fn chained(mode: &str, key: &Sm4Key, iv: [u8; 16], plaintext: &[u8]) -> Vec<u8> {
    let mut state = iv;
    let mut result = Vec::new();
    for piece in plaintext.chunks(16) {
        let mut stream = state;
        match mode {
            "CBC" => {
                stream.iter_mut().zip(piece).for_each(|(stream, octet)| *stream ^= octet);
                key.encrypt_block(&mut stream);
                result.extend(stream);
                state = stream;
            }
            "CTR" | "OFB" | "CFB128" => {
                key.encrypt_block(&mut stream);
                let block: Vec<u8> = piece.iter().zip(stream).map(|(a, b)| a ^ b).collect();
                match mode {
                    "CTR" => state = u128::from_be_bytes(state).wrapping_add(1).to_be_bytes(),
                    "OFB" => state = stream,
                    _ => state[..block.len()].copy_from_slice(&block),
                }
                result.extend(block);
            }
            other => panic!("unknown mode {other}"),
        }
    }
    result
}

/// GCM is ours. CCM is what TLS would add: checked here, not offered.
#[test]
fn aead() {
    let plan = Plan {
        choices: &[
            // GCM with a nonce of other than 12 octets
            (7, Refused),
            (8, Refused),
            (10, Refused),
            (11, Refused),
            // CCM with a tag of 8 and 4 octets
            (13, Refused),
            (15, Refused),
        ],
        ..Plan::all("sm4_aead.json")
    };
    plan.run(|case| match case.text("mode") {
        "GCM" => gcm(case),
        "CCM" => ccm(case),
        other => panic!("unknown mode {other}"),
    });
}

fn gcm(case: &Case<'_>) -> Verdict {
    let (key, iv, aad) = (key(case), case.octets("iv"), case.octets("aad"));
    let sealed = [iv.clone(), case.octets("ciphertext"), case.octets("tag")].concat();
    let opened = key.open(&aad, &sealed);
    if let Ok(opened) = &opened {
        assert_eq!(Some(opened.to_vec()), case.optional("plaintext"), "{}", case.id());
        let nonce = iv.as_slice().try_into().unwrap();
        assert_eq!(key.seal_with_nonce(nonce, &aad, opened), sealed, "{}", case.id());
    }
    opened.into()
}

fn ccm(case: &Case<'_>) -> Verdict {
    let (key, iv, aad): ([u8; 16], _, _) =
        (case.array("key"), case.octets("iv"), case.octets("aad"));
    let sealed = [case.octets("ciphertext"), case.octets("tag")].concat();
    let payload = aes_gcm::aead::Payload { msg: &sealed, aad: &aad };
    use aes_gcm::KeyInit;
    // The tag has 16 octets whatever the input brings.
    let opened = match iv.len() {
        7 => Ccm::<Sm4, U16, U7>::new(&key.into())
            .decrypt(iv.as_slice().try_into().unwrap(), payload),
        12 => Ccm::<Sm4, U16, U12>::new(&key.into())
            .decrypt(iv.as_slice().try_into().unwrap(), payload),
        13 => Ccm::<Sm4, U16, U13>::new(&key.into())
            .decrypt(iv.as_slice().try_into().unwrap(), payload),
        _ => return Refused,
    };
    if let Ok(opened) = &opened {
        assert_eq!(Some(opened.clone()), case.optional("plaintext"), "{}", case.id());
    }
    opened.into()
}

#[test]
fn macs() {
    Plan::all("sm4_mac.json").run(|case| {
        let message = case.octets("message");
        match case.text("mac") {
            "CMAC" => {
                let mut mac = <Cmac<Sm4> as cmac::KeyInit>::new(&case.array("key").into());
                mac.update(&message);
                assert_eq!(mac.finalize().into_bytes()[..], case.octets("tag"), "{}", case.id());
            }
            "CBC-MAC" => {
                // ISO/IEC 9797-1 padding method 2: one bit, then zeros to the end of the block.
                let mut padded = message;
                padded.push(0x80);
                padded.resize(padded.len().next_multiple_of(16), 0);
                let tag = key(case).cbc_mac_last_block(&[0; 16], &padded).unwrap();
                assert_eq!(tag[..], case.octets("tag"), "{}", case.id());
            }
            other => panic!("unknown MAC {other}"),
        }
        Accepted
    });
}
