//! What comes to a resource server: a token with its proof, and with the same octets a snapshot and a set of keys. Three
//! parts, parted by line ends: keys, snapshot or token, proof. No signature can be hit upon, so that nothing is taken.
#![no_main]

use access_token::{Claims, KeySet, Verifier, proof::{self, Request}};

/// Named `k`; it signs nothing here.
const KEYS: &[u8] = br#"{"keys":[{"kty":"EC","crv":"SM2-P-256","x":"MsSuLB8ZgRlfmQRGajnJlI_jC7_yZgvhcVpFiTNMdMc",
"y":"vDc2ovT2d5xZvc7ja2khU9Cph3zGKkdAAt8y5SE58KA","use":"sig","alg":"SGD_SM3_SM2","kid":"k","sm2_id":"1234567812345678"}]}"#;
const REQUEST: Request<'static> = Request { method: "GET", uri: "https://emr.example/Patient/1" };

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |octet| *octet == b'\n');
    let (keys, token, proof) = (parts.next(), parts.next(), parts.next());
    let keys = keys.unwrap_or_default();
    let text = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or_default()).into_owned();
    let (token, proof) = (text(token), text(proof));
    // Keys of its own may be in the set, but a signature takes the secret.
    let set = KeySet::from_json(keys)
        .unwrap_or_else(|_| KeySet::from_json(KEYS).expect("the base point is a key"));
    let verifier = Verifier::new("desk.example", "emr.example", set);
    assert!(verifier.take_snapshot(&token, 1000).is_err());
    let refused = verifier.check(&token, Some(&proof), REQUEST, 1000).expect_err("nobody signed it");
    assert!(!refused.reason().is_empty());
    // Behind the signature of the token.
    let _ = proof::read(&proof, &token, "", REQUEST, 1000);
    if let Ok(claims) = serde_json::from_str::<Claims>(&token) {
        // What a token says takes no more room when it is written again; who reads it from C has that much.
        let again = serde_json::to_string(&claims).expect("plain strings and numbers");
        assert!(again.len() <= token.len(), "{again}");
        assert_eq!(serde_json::from_str::<Claims>(&again).expect("it was just written"), claims);
    }
});
