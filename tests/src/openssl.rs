//! What the openssl command says of an SM2 signature.

use std::path::Path;
use std::process::Command;

use hsm::sm2::{PublicKey, Signature};

/// Whether openssl accepts `signature` by `key`.
///
/// # Panics
/// When it cannot be asked.
#[must_use]
pub fn verifies(place: &Path, key: &PublicKey, signature: &[u8], over: Over<'_>) -> bool {
    let file = |name: &str, content: &[u8]| {
        let path = place.join(name);
        std::fs::write(&path, content).expect("a temporary directory");
        path
    };
    let key = file("key.der", &key.to_spki_der());
    let der = Signature::from_raw(signature).expect("r and s").to_der();
    let signature = file("signature.der", &der);
    let mut command = Command::new("openssl");
    command.args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey"]).arg(key);
    command.arg("-sigfile").arg(signature);
    match over {
        Over::Message(message) => {
            command.args(["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"]);
            command.arg("-in").arg(file("message", message));
        }
        Over::Digest(digest) => {
            command.arg("-in").arg(file("digest", digest));
        }
    }
    command.output().expect("openssl is installed").status.success()
}

/// What was signed.
#[derive(Clone, Copy, Debug)]
pub enum Over<'m> {
    /// SM3(Z ‖ message), Z over the default identifier.
    Message(&'m [u8]),
    /// The digest as it is.
    Digest(&'m [u8; 32]),
}
