//! The address of the service, checked once.

use http::Uri;

use crate::{failure::Failure, text::problems};

/// `https://host:port`, `national://host:port`, or `http://` where that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) security: Security,
    /// Name or number, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Whether the line is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// TLS 1.3.
    Tls,
    /// National TLS, with the certificate of this identity.
    National,
    /// Nothing. For tests.
    InsecurePlaintext,
}

impl Address {
    /// Reads an address; plaintext must have been allowed by name.
    pub(crate) fn parse(text: &str, plaintext_allowed: bool) -> Result<Self, Failure> {
        let malformed = || Failure::of(problems::SERVER_ADDRESS_MALFORMED).about(text);
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let security = match uri.scheme_str() {
            Some("https") => Security::Tls,
            Some("national") => Security::National,
            Some("http") if plaintext_allowed => Security::InsecurePlaintext,
            Some("http") => return Err(Failure::of(problems::PLAINTEXT_NOT_ALLOWED).about(text)),
            _ => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !bare || authority.as_str().contains('@') {
            return Err(malformed());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // What follows the host: nothing, or a colon and a number.
        let port = match &authority.as_str()[authority.host().len()..] {
            "" if security == Security::National => 7444,
            "" => 7443,
            _ => authority.port_u16().ok_or_else(malformed)?,
        };
        if host.is_empty() || host.contains(['[', ']']) {
            return Err(malformed());
        }
        Ok(Self { security, host, port })
    }

    /// The address in its one spelling.
    pub(crate) fn origin(&self) -> String {
        let scheme = match self.security {
            Security::Tls => "https",
            Security::National => "national",
            Security::InsecurePlaintext => "http",
        };
        format!("{scheme}://{}", self.authority())
    }

    /// `host:port`, with brackets where the host has colons.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        #[rustfmt::skip]
        let cases: [(&str, bool, Result<&str, &str>); 14] = [
            ("https://localhost:7443", false, Ok("https://localhost:7443")),
            ("https://localhost", false, Ok("https://localhost:7443")),
            ("https://[::1]:7443/", false, Ok("https://[::1]:7443")),
            ("national://localhost:7000", false, Ok("national://localhost:7000")),
            ("national://localhost", false, Ok("national://localhost:7444")),
            ("http://127.0.0.1:80", true, Ok("http://127.0.0.1:80")),
            ("http://127.0.0.1:80", false, Err("PLAINTEXT_NOT_ALLOWED")),
            ("localhost:7443", false, Err("SERVER_ADDRESS_MALFORMED")),
            ("ftp://localhost", false, Err("SERVER_ADDRESS_MALFORMED")),
            ("https://user@localhost", false, Err("SERVER_ADDRESS_MALFORMED")),
            ("https://localhost/path", false, Err("SERVER_ADDRESS_MALFORMED")),
            ("https://localhost:99999", false, Err("SERVER_ADDRESS_MALFORMED")),
            ("https://0[]", false, Err("SERVER_ADDRESS_MALFORMED")),
            ("", false, Err("SERVER_ADDRESS_MALFORMED")),
        ];
        for (text, allowed, expected) in cases {
            let read = Address::parse(text, allowed);
            match expected {
                Ok(origin) => assert_eq!(read.unwrap().origin(), origin),
                Err(reason) => assert_eq!(read.unwrap_err().reason, reason, "{text}"),
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

        #[test]
        fn addresses_have_one_spelling(text in "((https?|national)://)?[a-z0-9.:@/\\[\\]]{0,24}") {
            if let Ok(address) = Address::parse(&text, true) {
                let again = Address::parse(&address.origin(), true).unwrap();
                proptest::prop_assert_eq!(again, address);
            }
        }
    }
}
