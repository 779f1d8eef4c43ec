//! The same with the commands of OpenSSL 3 and GmSSL 3, for whoever has to show it to the maker of the other side.
//!
//! The lines are for a shell, in a directory of one's own; they begin with files that the user has: `MESSAGE`,
//! `PRIVATE-KEY`, `CERTIFICATE`, `ISSUER`, the two certificates in PEM. What else they need they make. No private key
//! is in them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hsm::sm2::{Ciphertext, PublicKey, Signature};

use crate::signature::{Convention, Hashed, Identifier, Message, Preimage, Z, e_of};

/// Lines for the shell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lines {
    /// For the command `openssl`.
    pub openssl: Vec<String>,
    /// For the command `gmssl`; empty where it has no option for it.
    pub gmssl: Vec<String>,
}

/// The user's file with the message.
pub const MESSAGE: &str = "MESSAGE";
/// The user's file with the private key in PEM.
pub const PRIVATE_KEY: &str = "PRIVATE-KEY";
/// The user's file with the certificate in PEM.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The user's file with the issuer's certificate in PEM.
pub const ISSUER: &str = "ISSUER";

/// How the signature of a message is verified.
#[must_use]
pub fn signature(
    key: &PublicKey,
    signature: &Signature,
    convention: &Convention,
    message: &[u8],
) -> Lines {
    let mut openssl = vec![file("key.der", &key.to_spki_der())];
    openssl.push("openssl pkey -pubin -inform DER -in key.der -out key.pem".to_owned());
    openssl.push(file("signature.der", &signature.to_der()));
    let verify = "openssl pkeyutl -verify -pubin -inkey key.pem -sigfile signature.der";
    let (signed, made) = signed(convention.message, message);
    openssl.extend(made);
    let digest = |of: &str| format!("openssl dgst -sm3 -binary {of} > digest");
    let mut gmssl = Vec::new();
    match &convention.preimage {
        Preimage::WithZ(id, Z::Standard, hashed) => {
            let signed = match hashed {
                Hashed::Message => signed,
                Hashed::Digest => {
                    openssl.push(digest(signed));
                    "digest"
                }
            };
            gmssl.clone_from(&openssl);
            openssl.push(format!("{verify} -rawin -digest sm3 -in {signed}{}", distid(id)));
            match id_text(id) {
                Some("") | None => gmssl.clear(),
                Some(id) => gmssl.push(format!(
                    "gmssl sm2verify -pubkey key.pem -id {} -in {signed} -sig signature.der",
                    quoted(id)
                )),
            }
        }
        Preimage::WithoutZ(hashed) => {
            openssl.push(digest(signed));
            if *hashed == Hashed::Digest {
                openssl.push("openssl dgst -sm3 -binary -out twice digest".to_owned());
            }
            let last = if *hashed == Hashed::Digest { "twice" } else { "digest" };
            openssl.push(format!("{verify} -in {last}"));
        }
        Preimage::Itself => openssl.push(format!("{verify} -in {signed}")),
        // No command computes such a Z: the number that was signed is given.
        Preimage::WithZ(..) => {
            openssl.push(file("e", &e_of(key, convention, message)));
            openssl.push(format!("{verify} -in e"));
        }
    }
    Lines { openssl, gmssl }
}

/// How a ciphertext is decrypted.
#[must_use]
pub fn ciphertext(ciphertext: &Ciphertext) -> Lines {
    let made = file("ciphertext.der", &ciphertext.to_der());
    let openssl = format!("openssl pkeyutl -decrypt -inkey {PRIVATE_KEY} -in ciphertext.der");
    let gmssl =
        format!("gmssl sm2decrypt -key {PRIVATE_KEY} -pass \"$PASSWORD\" -in ciphertext.der");
    Lines { openssl: vec![made.clone(), openssl], gmssl: vec![made, gmssl] }
}

/// How a public key is looked at.
#[must_use]
pub fn key(key: &PublicKey) -> Lines {
    let made = file("key.der", &key.to_spki_der());
    let look = "openssl pkey -pubin -inform DER -in key.der -noout -text".to_owned();
    Lines { openssl: vec![made, look], gmssl: Vec::new() }
}

/// How the signature of a certificate is verified; nothing for a convention that no option names.
#[must_use]
pub fn certificate(convention: &Convention) -> Lines {
    let Preimage::WithZ(id, Z::Standard, Hashed::Message) = &convention.preimage else {
        return Lines::default();
    };
    let option = match id {
        Identifier::Empty => String::new(),
        id => match id_text(id) {
            Some(text) => format!(" -vfyopt {}", quoted(&format!("distid:{text}"))),
            None => format!(" -vfyopt hexdistid:{}", hex::encode(id.octets())),
        },
    };
    let openssl = format!("openssl verify{option} -partial_chain -trusted {ISSUER} {CERTIFICATE}");
    let gmssl = match id {
        Identifier::Default => vec![format!("gmssl certverify -in {CERTIFICATE} -cacert {ISSUER}")],
        _ => Vec::new(),
    };
    Lines { openssl: vec![openssl], gmssl }
}

/// What was signed, as a file, and the line that makes it.
fn signed(form: Message, message: &[u8]) -> (&'static str, Option<String>) {
    let made = match form {
        Message::AsGiven => return (MESSAGE, None),
        Message::WithoutLineEnd => {
            let end = if message.ends_with(b"\r\n") { 2 } else { 1 };
            format!("head -c -{end} {MESSAGE} > signed")
        }
        Message::WithLineEnd => format!("{{ cat {MESSAGE}; echo; }} > signed"),
        Message::HexDigits => format!("od -An -v -tx1 {MESSAGE} | tr -d ' \\n' > signed"),
    };
    ("signed", Some(made))
}

fn distid(id: &Identifier) -> String {
    match id_text(id) {
        Some("") => String::new(),
        Some(text) => format!(" -pkeyopt {}", quoted(&format!("distid:{text}"))),
        None => format!(" -pkeyopt hexdistid:{}", hex::encode(id.octets())),
    }
}

/// An identifier that can be given as text.
fn id_text(id: &Identifier) -> Option<&str> {
    let text = std::str::from_utf8(id.octets()).ok()?;
    text.chars().all(|it| !it.is_control()).then_some(text)
}

/// As one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn file(name: &str, octets: &[u8]) -> String {
    format!("echo {} | openssl base64 -d -A > {name}", STANDARD.encode(octets))
}

#[cfg(test)]
mod tests;
