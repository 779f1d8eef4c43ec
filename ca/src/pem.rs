//! Textual encoding of certificates, requests and revocation lists (RFC 7468), in its strict form.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::CertificateError;

/// Label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// Label of a PKCS#10 certification request.
pub const REQUEST: &str = "CERTIFICATE REQUEST";
/// Label of a revocation list.
pub const CRL: &str = "X509 CRL";

/// Why text is not the PEM of what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// The text is longer than anything of its kind may be.
    #[error("the text is too long")]
    TooLong,
    /// There is no `-----BEGIN`, or `-----END` line with the label asked for, or something stands
    /// around them.
    #[error("the text is not one block of PEM with the label asked for")]
    Armour,
    /// What stands between them is not base64 with its padding.
    #[error("the text between the lines is not base64")]
    Base64,
    /// The block holds something else than a certificate.
    #[error("reading what the text holds")]
    Certificate(#[from] CertificateError),
}

/// Writes `der` under `label`, 64 characters a line.
pub fn encode(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().map(|octet| char::from(*octet)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Reads the one block of `label` that `text` consists of; at most `most` octets come out.
///
/// # Errors
/// [`PemError`], when the text is anything else.
pub fn decode_one(text: &str, label: &str, most: usize) -> Result<Vec<u8>, PemError> {
    // Base64 takes 4 characters for 3 octets; line ends and armour take less than the rest of this.
    if text.len() > most * 2 + 256 {
        return Err(PemError::TooLong);
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let inside = text.trim().strip_prefix(&begin).and_then(|text| text.strip_suffix(&end));
    let inside = inside.ok_or(PemError::Armour)?;
    if !inside.starts_with(['\r', '\n']) || !inside.ends_with(['\r', '\n']) {
        return Err(PemError::Armour);
    }
    let base64: String = inside.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|_| PemError::Base64)?;
    if der.len() > most { Err(PemError::TooLong) } else { Ok(der) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 47, 48, 49, 4096] {
            let der: Vec<u8> = (0..length).map(|at| at as u8).collect();
            assert_eq!(decode_one(&encode(CRL, &der), CRL, 4096), Ok(der), "{length} octets");
        }
    }

    #[test]
    fn other_text_is_refused() {
        let good = encode(CERTIFICATE, b"certificate");
        for (text, why) in [
            (good.replace("CERTIFICATE", "X509 CRL"), PemError::Armour),
            (format!("subject=someone\n{good}"), PemError::Armour),
            (format!("{good}{good}"), PemError::Base64),
            (good.replace("\n-----END", "-----END"), PemError::Armour),
            (good.replace("=\n", "\n"), PemError::Base64),
            (" ".repeat(9000), PemError::TooLong),
            (encode(CERTIFICATE, &[0; 4097]), PemError::TooLong),
            (String::new(), PemError::Armour),
        ] {
            assert_eq!(decode_one(&text, CERTIFICATE, 4096), Err(why), "{text}");
        }
    }
}
