//! The session file: the bearer token and what it is good for. Mode 0600.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, serde::rfc3339};
use zeroize::Zeroizing;

/// A session as saved after a log-in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// The secret. Sent only to the server it came from.
    pub(crate) token: Zeroizing<String>,
    /// Address of that server.
    pub(crate) server: String,
    pub(crate) identity_id: String,
    /// Serial number of the certificate that logged in.
    pub(crate) certificate: String,
    pub(crate) role: i32,
    pub(crate) institution_id: String,
    #[serde(with = "rfc3339")]
    pub(crate) expires_at: OffsetDateTime,
}

impl Session {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("strings and a number have a JSON form"))
    }

    /// Whether it can serve a call made now to this server by this certificate.
    pub(crate) fn serves(&self, server: &str, certificate: &str, now: OffsetDateTime) -> bool {
        self.server == server
            && self.certificate == certificate
            && self.expires_at > now + Duration::seconds(5)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session {{ identity_id: {}, .. }}", self.identity_id)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn session_serves_its_server_and_holder_in_time() {
        let session = Session {
            token: Zeroizing::new("secret".to_owned()),
            server: "https://a:1".to_owned(),
            identity_id: "i".to_owned(),
            certificate: "0a".to_owned(),
            role: 2,
            institution_id: "o".to_owned(),
            expires_at: datetime!(2026-11-23 08:00 UTC),
        };
        let read = Session::parse(&session.encode()).unwrap();
        assert_eq!(*read.token, "secret");
        assert!(!format!("{read:?}").contains("secret"));
        let cases = [
            ("https://a:1", "0a", datetime!(2026-11-23 07:59 UTC), true),
            ("https://a:1", "0a", datetime!(2026-11-23 07:59:56 UTC), false),
            ("https://b:1", "0a", datetime!(2026-11-23 07:00 UTC), false),
            ("https://a:1", "0b", datetime!(2026-11-23 07:00 UTC), false),
        ];
        for (server, certificate, now, expected) in cases {
            assert_eq!(read.serves(server, certificate, now), expected, "{server} {now}");
        }
    }
}
