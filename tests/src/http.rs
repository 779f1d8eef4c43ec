//! Plain HTTP to a running service, by way of the openssl command.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::hospital::{Hospital, text};

/// Sends a request; head and body of what comes back.
///
/// # Panics
/// When there is no answer.
#[must_use]
pub fn http(hospital: &Hospital, request: &[u8]) -> (String, Vec<u8>) {
    let mut child = Command::new("openssl")
        .args(["s_client", "-quiet", "-ign_eof", "-verify_return_error", "-CAfile"])
        .arg(hospital.stage.tls_authority())
        .args(["-connect", hospital.stage.url().trim_start_matches("https://")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    child.stdin.take().expect("a pipe").write_all(request).expect("it reads");
    let answer = child.wait_with_output().expect("it ends").stdout;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(answer[..end].to_vec()).expect("ASCII");
    (head, answer[end + 4..].to_vec())
}

/// Posts a body, with these lines of the head beside its length.
#[must_use]
pub fn post(hospital: &Hospital, path: &str, lines: &[&str], body: &[u8]) -> (String, Vec<u8>) {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{lines}\r\n",
        body.len()
    );
    http(hospital, &[head.as_bytes(), body].concat())
}

/// Gets what is at a path.
#[must_use]
pub fn get(hospital: &Hospital, path: &str) -> (String, Vec<u8>) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    http(hospital, head.as_bytes())
}

/// The header that names somebody's session, which is opened for it.
///
/// # Panics
/// When it is not.
#[must_use]
pub fn session(hospital: &Hospital, who: &str) -> String {
    hospital.granted(who, &["session", "open"]);
    let saved = std::fs::read(hospital.stage.identity(who).join("session")).expect("it is kept");
    let saved: Value = serde_json::from_slice(&saved).expect("it is kept");
    format!("authorization: Bearer {}", text(&saved, "token"))
}
