//! What a request shows: the token in `authorization` and the proof in `dpop`, headers of HTTP or metadata of gRPC.
//!
//! Each is there once (RFC 9449, 4.3 and 7.1): of two values somebody else may look at the other one. A token that is bound
//! to a key is shown as `DPoP`, never as `Bearer`.
//!
//! Over gRPC a proof is for `POST` and the full address of the method, [`rpc`]: scheme and authority of the server, and the
//! path `/package.Service/Method`. The base is the server's own, from its settings. `:authority` is what the caller says:
//! whoever was shown token and proof at another address could say that one here.
//!
//! ```
//! use access_token::{Refusal, proof::Request, shown::{Shown, rpc}};
//! # let verifier = access_token::Verifier::new("desk.example", "emr.example", [].into_iter().collect());
//! # let (authorization, dpop): (&[u8], &[u8]) = (b"DPoP e30.e30.", b"e30.e30.");
//! // With tonic: metadata.get_all("authorization").iter().map(|value| value.as_encoded_bytes()), and so `dpop`.
//! let shown = Shown::read([authorization], [dpop])?;
//! let uri = rpc("https://emr.example", "/records.v1.Observations/Read");
//! let request = Request { method: "POST", uri: &uri };
//! let refused = verifier.check(shown.token, shown.proof, request, 1_795_680_000).unwrap_err();
//! # assert_eq!(refused, Refusal::TokenMalformed);
//! # Ok::<(), Refusal>(())
//! ```
//!
//! A gRPC server answers a [`Refusal`] with `UNAUTHENTICATED`, but with `UNAVAILABLE` where it lacks a snapshot itself
//! (`SNAPSHOT_MISSING`, `SNAPSHOT_TOO_OLD`), with `RESOURCE_EXHAUSTED` where it has no room for more proofs
//! (`PROOFS_TOO_MANY`), and with `PERMISSION_DENIED` what the token does not open.

use crate::{MAX_TOKEN, proof::MAX_PROOF, refusal::Refusal};

/// How a token that is bound to a key is shown (RFC 9449, 7.1).
const SCHEME: &str = "DPoP";

/// What a request shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The token.
    pub token: &'a str,
    /// The proof, where there is one.
    pub proof: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// Reads all values that a request has of `authorization`, and all that it has of `dpop`. Nothing of them is checked but
    /// number, length and form.
    ///
    /// # Errors
    /// [`Refusal::TokenMissing`] where no token is shown as `DPoP`; [`Refusal::TokenMalformed`] and
    /// [`Refusal::ProofMalformed`] for two of a kind, and for what is no text; those two and [`Refusal::TokenTooLong`] for
    /// what is too long.
    pub fn read(
        authorization: impl IntoIterator<Item = &'a [u8]>,
        dpop: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Refusal> {
        let (mut tokens, mut proofs) = (authorization.into_iter(), dpop.into_iter());
        let credentials = tokens.next().ok_or(Refusal::TokenMissing)?;
        if tokens.next().is_some() {
            return Err(Refusal::TokenMalformed);
        }
        let token = token(credentials)?;
        let proof = proofs.next().map(proof).transpose()?;
        if proofs.next().is_some() {
            return Err(Refusal::ProofMalformed);
        }
        Ok(Self { token, proof })
    }
}

/// Neither token nor proof.
impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let proof = self.proof.map_or(0, str::len);
        write!(f, "Shown(token of {} octets, proof of {proof})", self.token.len())
    }
}

/// `DPoP`, in any case, and the token (RFC 9110, 11.4).
fn token(credentials: &[u8]) -> Result<&str, Refusal> {
    let (scheme, rest) = credentials.split_at_checked(SCHEME.len()).ok_or(Refusal::TokenMissing)?;
    let blanks = rest.iter().take_while(|octet| **octet == b' ').count();
    let token = &rest[blanks..];
    if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) || blanks == 0 {
        return Err(Refusal::TokenMissing);
    }
    if token.len() > MAX_TOKEN {
        return Err(Refusal::TokenTooLong);
    }
    std::str::from_utf8(token).map_err(|_| Refusal::TokenMalformed)
}

fn proof(value: &[u8]) -> Result<&str, Refusal> {
    if value.len() > MAX_PROOF {
        return Err(Refusal::ProofMalformed);
    }
    std::str::from_utf8(value).map_err(|_| Refusal::ProofMalformed)
}

/// The full address of a gRPC method, as proofs state it: `base` is the server's own, `https://emr.example` or
/// `https://emr.example:8443`, and `path` the method's, `/records.v1.Observations/Read`.
#[must_use]
pub fn rpc(base: &str, path: &str) -> String {
    format!("{}{path}", base.strip_suffix('/').unwrap_or(base))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All values of one header.
    type Values<'a> = &'a [&'a [u8]];

    #[test]
    fn token_and_proof_are_shown_once_each() {
        let long = |prefix: &str, length: usize| [prefix.as_bytes(), &vec![b'a'; length]].concat();
        let (longest, too_long) = (long("DPoP ", MAX_TOKEN), long("DPoP ", MAX_TOKEN + 1));
        let (longest_proof, too_long_proof) = (long("", MAX_PROOF), long("", MAX_PROOF + 1));
        let good = |token, proof| Ok(Shown { token, proof });
        let longest_token = std::str::from_utf8(&longest[5..]).unwrap();
        let longest_read = std::str::from_utf8(&longest_proof).ok();
        #[rustfmt::skip]
        let cases: [(Values<'_>, Values<'_>, _); 18] = [
            (&[b"DPoP a.b.c"], &[b"d.e.f"], good("a.b.c", Some("d.e.f"))),
            (&[b"dpop  a.b.c"], &[], good("a.b.c", None)),
            (&[&longest], &[&longest_proof], good(longest_token, longest_read)),
            (&[], &[b"d.e.f"], Err(Refusal::TokenMissing)),
            (&[b""], &[], Err(Refusal::TokenMissing)),
            (&[b"DPo"], &[], Err(Refusal::TokenMissing)),
            (&[b"DPoP"], &[], Err(Refusal::TokenMissing)),
            (&[b"DPoPa.b.c"], &[], Err(Refusal::TokenMissing)),
            (&[b" DPoP a.b.c"], &[], Err(Refusal::TokenMissing)),
            (&[b"Bearer a.b.c"], &[b"d.e.f"], Err(Refusal::TokenMissing)),
            (&[b"DPoP a.b.c", b"DPoP a.b.c"], &[b"d.e.f"], Err(Refusal::TokenMalformed)),
            (&[b"DPoP a.b.c", b"Bearer x"], &[b"d.e.f"], Err(Refusal::TokenMalformed)),
            (&[b"Bearer x", b"DPoP a.b.c"], &[b"d.e.f"], Err(Refusal::TokenMalformed)),
            (&[&too_long], &[], Err(Refusal::TokenTooLong)),
            (&[b"DPoP \xff"], &[], Err(Refusal::TokenMalformed)),
            (&[b"DPoP a.b.c"], &[b"d.e.f", b"d.e.f"], Err(Refusal::ProofMalformed)),
            (&[b"DPoP a.b.c"], &[&too_long_proof], Err(Refusal::ProofMalformed)),
            (&[b"DPoP a.b.c"], &[b"\xff"], Err(Refusal::ProofMalformed)),
        ];
        for (authorization, dpop, expected) in cases {
            let read = Shown::read(authorization.iter().copied(), dpop.iter().copied());
            assert_eq!(read, expected, "{authorization:?} {dpop:?}");
        }
    }

    #[test]
    fn what_is_shown_is_not_printed() {
        let shown = Shown { token: "a.secret", proof: Some("a.proof") };
        assert_eq!(format!("{shown:?}"), "Shown(token of 8 octets, proof of 7)");
    }

    #[test]
    fn a_method_is_addressed_at_the_servers_own_base() {
        let at = "https://emr.example/records.v1.Observations/Read";
        for base in ["https://emr.example", "https://emr.example/"] {
            assert_eq!(rpc(base, "/records.v1.Observations/Read"), at);
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(
            authorization in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..3),
            after in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let values = || authorization.iter().map(Vec::as_slice);
            prop_assert!(Shown::read(values(), values()).is_err() || authorization.len() == 1);
            let shown = [b"DPoP ", &after[..]].concat();
            if let Ok(shown) = Shown::read([&shown[..]], []) {
                prop_assert_eq!(shown.token.trim_start_matches(' '), shown.token);
                prop_assert!(after.ends_with(shown.token.as_bytes()));
            }
        }
    }
}
