//! Octets out of what they travel in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// What octets were wrapped in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrapping {
    /// Nothing.
    None,
    /// Hexadecimal.
    Hex,
    /// Base64 without a heading.
    Base64,
    /// PEM (RFC 7468), with its label.
    Pem(String),
}

/// Takes octets out of PEM, hexadecimal or Base64; of several PEM blocks the first that is not
/// parameters of a curve. What is none of these is taken as it is. The octets may be a private key.
#[must_use]
pub fn unwrap(octets: &[u8]) -> (Zeroizing<Vec<u8>>, Wrapping) {
    let wrapped = std::str::from_utf8(octets).ok().and_then(text);
    wrapped.unwrap_or_else(|| (octets.to_vec().into(), Wrapping::None))
}

fn text(text: &str) -> Option<(Zeroizing<Vec<u8>>, Wrapping)> {
    if let Some(found) = pem(text) {
        return Some(found);
    }
    let packed: Zeroizing<String> =
        text.chars().filter(|it| !it.is_ascii_whitespace()).collect::<String>().into();
    let digits = packed.strip_prefix("0x").unwrap_or(&packed);
    if digits.is_empty() {
        return None;
    }
    // Digits alone would be Base64 as well.
    if let Ok(octets) = hex::decode(digits) {
        return Some((octets.into(), Wrapping::Hex));
    }
    STANDARD.decode(packed.as_bytes()).ok().map(|octets| (octets.into(), Wrapping::Base64))
}

fn pem(text: &str) -> Option<(Zeroizing<Vec<u8>>, Wrapping)> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once("-----BEGIN ")?;
        let (label, after) = after.split_once("-----")?;
        let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
        rest = after;
        if label.ends_with("PARAMETERS") {
            continue;
        }
        // Headings of the older form (RFC 1421) end with an empty line.
        let body = body.rsplit_once("\n\n").map_or(body, |(_, body)| body);
        let packed: Zeroizing<String> =
            body.chars().filter(|it| !it.is_ascii_whitespace()).collect::<String>().into();
        let octets = STANDARD.decode(packed.as_bytes()).ok()?;
        return Some((octets.into(), Wrapping::Pem(label.to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrapping_gives_the_octets() {
        let octets = [0x30, 0x01, 0xfe];
        let pem = |label: &str| Wrapping::Pem(label.to_owned());
        #[rustfmt::skip]
        let cases: [(&[u8], Wrapping); 7] = [
            (&octets, Wrapping::None),
            (b"3001FE\n", Wrapping::Hex),
            (b"0x30 01 fe", Wrapping::Hex),
            (b"MAH+\n", Wrapping::Base64),
            (b"-----BEGIN A KEY-----\nMAH+\n-----END A KEY-----\n", pem("A KEY")),
            (b"-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n-----BEGIN K-----\nMAH+\n-----END K-----\n", pem("K")),
            (b"-----BEGIN K-----\nProc-Type: 4\n\nMAH+\n-----END K-----\n", pem("K")),
        ];
        for (given, wrapping) in cases {
            let (unwrapped, found) = unwrap(given);
            assert_eq!((&unwrapped[..], found), (&octets[..], wrapping));
        }
        for none in [&b""[..], b" \n", b"-----BEGIN K-----\n", b"!"] {
            assert_eq!(unwrap(none).0[..], *none, "taken as it is");
        }
    }
}
