//! Access tokens as a test asks for them, and what is published for whoever checks them.

use access_token::{KeySet, Verifier};
use serde_json::Value;

use crate::hospital::{Hospital, text};
use crate::http::get;

/// A token that was issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// Its number.
    pub id: String,
    /// The file that it is in.
    pub file: String,
}

/// What an address answers in JSON.
///
/// # Panics
/// When it does not.
#[must_use]
pub fn json_at(hospital: &Hospital, path: &str) -> Value {
    let (head, body) = get(hospital, path);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_slice(&body).expect("JSON")
}

/// A verifier for `emr.example` with the keys that are published now.
///
/// # Panics
/// When they are no keys.
#[must_use]
pub fn verifier(hospital: &Hospital) -> Verifier {
    let said = json_at(hospital, "/.well-known/oauth-authorization-server");
    assert!(text(&said, "jwks_uri").ends_with("/jwks.json"), "{said}");
    Verifier::new(&text(&said, "issuer"), "emr.example", keys(hospital))
}

/// The keys that are published now.
///
/// # Panics
/// When they are none.
#[must_use]
pub fn keys(hospital: &Hospital) -> KeySet {
    KeySet::from_json(&get(hospital, "/jwks.json").1).expect("a key set")
}

/// The revocation snapshot of now.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn snapshot(hospital: &Hospital) -> String {
    let (head, body) = get(hospital, "/token-revocations");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/jwt"), "{head}");
    String::from_utf8(body).expect("it is text")
}

/// Has a token issued to somebody for `emr.example`, of this grade and these classes.
///
/// # Panics
/// When it is refused.
#[track_caller]
#[must_use]
pub fn issue(hospital: &Hospital, who: &str, visit: &str, grade: &str, classes: &str) -> Issued {
    let order = ["token", "issue", "--visit", visit, "--grade", grade, "--classes", classes];
    let order = [&order[..], &["--audience", "emr.example"]].concat();
    kept(hospital, &hospital.granted(who, &order))
}

/// A token that was answered, in a file of its own.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn kept(hospital: &Hospital, issued: &Value) -> Issued {
    let (token, id) = (text(issued, "token"), text(issued, "token_id"));
    let file = hospital.stage.write(&format!("token-{id}"), token.as_bytes()).expect("a file");
    Issued { token, id, file: file.to_string_lossy().into_owned() }
}

/// A proof by somebody's key, as the command line makes it of a request.
///
/// # Panics
/// When it is refused.
#[track_caller]
#[must_use]
pub fn prove(hospital: &Hospital, who: &str, file: &str, request: &[&str]) -> String {
    let order = [&["token", "prove", "--token", file], request].concat();
    text(&hospital.granted(who, &order), "proof")
}
