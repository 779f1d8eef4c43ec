//! Proof of possession (持有者证明, RFC 9449 with SM2): whoever shows a token shows that they have the key it is bound to.
//!
//! Signed with an identifier of its own, so that it can be taken for no log-in and no record.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use sm3::{Digest as _, Sm3};
use time::OffsetDateTime;

use crate::{
    identity::ClientKey,
    jws::{ALGORITHM, CURVE},
};

/// Identifier of the signer.
const SM2_ID: &str = "healthcard.v1.proof";
/// Type of a proof (RFC 9449, 4.2).
const TYPE: &str = "dpop+jwt";

/// A proof that this key shows `token` with a request of this method to this address; `name` is new each time.
pub(crate) fn prove(
    key: &ClientKey,
    token: &str,
    method: &str,
    uri: &str,
    name: &[u8; 16],
    now: OffsetDateTime,
) -> String {
    let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let point = key.public_point();
    let (x, y) = point[1..].split_at(32);
    let header = json!({
        "typ": TYPE, "alg": ALGORITHM,
        "jwk": { "kty": "EC", "crv": CURVE, "x": text(x), "y": text(y), "sm2_id": SM2_ID },
    });
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    let said = json!({
        "htm": method, "htu": uri, "iat": now.unix_timestamp(), "jti": text(name),
        "ath": text(&Sm3::digest(token.as_bytes())),
    });
    let signed = [header, said].map(|part| text(part.to_string().as_bytes())).join(".");
    let signature = text(&key.sign_raw_as(SM2_ID, signed.as_bytes()));
    format!("{signed}.{signature}")
}
