//! Proof of possession (持有者证明, RFC 9449 with SM2): whoever shows a token shows that they have the key it is bound to.
//!
//! `typ` is `dpop+jwt`, `alg` is SGD_SM3_SM2, `jwk` the holder's public key with `sm2_id`. The proof is signed with the
//! identifier [`SM2_ID`], and with no other: log-ins and records are signed by the same key with the default identifier,
//! so that neither is ever a proof, nor a proof one of them. `htm` and `htu` name the request, without query; over gRPC
//! these are `POST` and the full address of the method, `https://emr.example/records.v1.Observations/Read`
//! ([`rpc`](crate::shown::rpc)). `ath` is the SM3 of the token, base64url. Each proof is for one
//! request: `jti` is new each time.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hsm::sm2::{PublicKey, SignerId};
use serde::{Deserialize, Serialize};

use crate::{
    jws::{self, ALGORITHM, BadJws, Compact},
    keys::{self, CURVE, KEY_TYPE},
    refusal::Refusal,
};

/// The identifier that proofs are signed with.
pub const SM2_ID: &str = "healthcard.v1.proof";
/// Type of a proof (RFC 9449, 4.2).
pub const TYPE: &str = "dpop+jwt";
/// Largest proof that is looked at, octets.
pub const MAX_PROOF: usize = 4096;
/// How long a proof may be used, seconds.
pub const LIFE: i64 = 60;
/// Characters of an identifier of a proof: enough of them that two are never the same by chance.
const NAME: std::ops::RangeInclusive<usize> = 16..=128;

/// The request that a token is shown with.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its method, such as `GET`; over gRPC `POST`.
    pub method: &'a str,
    /// Its full address, as the client has it: `https://emr.example/fhir/Patient/1`. A server says so in its own name: scheme
    /// and authority from its settings, and not from what the request says (`Host`, `:authority`), since somebody else may
    /// have been shown the same token and proof at another address.
    pub uri: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    #[serde(borrow)]
    jwk: HolderKey<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HolderKey<'a> {
    kty: &'a str,
    crv: &'a str,
    x: &'a str,
    y: &'a str,
    sm2_id: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    htm: String,
    htu: String,
    iat: i64,
    jti: String,
    ath: String,
}

/// What the holder has to sign with [`SM2_ID`]. `name` is new each time, 16 characters or more.
#[must_use]
pub fn signing_input(
    key: &PublicKey,
    token: &str,
    request: Request<'_>,
    name: &str,
    now: i64,
) -> String {
    let (x, y) = keys::coordinates(key);
    let jwk = HolderKey { kty: KEY_TYPE, crv: CURVE, x: &x, y: &y, sm2_id: SM2_ID };
    let (htm, htu) = (request.method.to_owned(), without_query(request.uri).to_owned());
    let statement = Statement { htm, htu, iat: now, jti: name.to_owned(), ath: digest(token) };
    jws::encode(&Header { typ: TYPE, alg: ALGORITHM, jwk }, &statement)
}

/// The identifier that proofs are signed with, for SM2.
#[must_use]
pub fn signer_id() -> SignerId {
    SignerId::new(SM2_ID.as_bytes()).expect("a short literal")
}

/// A proof that is good, as far as it does not have to be the first of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Digest of holder and name.
    pub(crate) name: [u8; 32],
    /// Digest of the holder's key.
    pub(crate) holder: [u8; 32],
    /// When it was made.
    pub(crate) made_at: i64,
}

/// Reads a proof for `token`, which is bound to the key of `thumbprint`. Whether it was used before is
/// [`Proofs`](crate::Proofs)' to say.
///
/// # Errors
/// [`Refusal`], one of those about proofs.
pub fn read(
    proof: &str,
    token: &str,
    thumbprint: &str,
    request: Request<'_>,
    now: i64,
) -> Result<Proof, Refusal> {
    let (key, said) = open(proof).map_err(Refusal::of_proof)?;
    if keys::thumbprint(&key) != thumbprint {
        return Err(Refusal::ProofOtherKey);
    }
    if said.htm != request.method || !same_place(&said.htu, request.uri) {
        return Err(Refusal::ProofOtherRequest);
    }
    if said.ath != digest(token) {
        return Err(Refusal::ProofOtherToken);
    }
    let age = now.saturating_sub(said.iat);
    if !(-crate::LEEWAY..=LIFE + crate::LEEWAY).contains(&age) {
        return Err(Refusal::ProofStale);
    }
    let name = hsm::sm3::digest(format!("{thumbprint}.{}", said.jti).as_bytes());
    Ok(Proof { name, holder: keys::thumbprint_octets(&key), made_at: said.iat })
}

/// Form and signature.
fn open(proof: &str) -> Result<(PublicKey, Statement), BadJws> {
    let parts = Compact::split(proof, MAX_PROOF)?;
    let header = jws::octets(parts.header)?;
    let Header { typ, alg, jwk } = jws::json(&header)?;
    let of_ours = typ == TYPE
        && alg == ALGORITHM
        && (jwk.kty, jwk.crv, jwk.sm2_id) == (KEY_TYPE, CURVE, SM2_ID);
    if !of_ours {
        return Err(BadJws::Algorithm);
    }
    let key = keys::point(jwk.x, jwk.y).ok_or(BadJws::Malformed)?;
    let said: Statement = jws::json(&jws::octets(parts.payload)?)?;
    if !NAME.contains(&said.jti.len()) {
        return Err(BadJws::Malformed);
    }
    let signature = parts.signature()?;
    let e = key.digest(&signer_id(), parts.signed.as_bytes());
    key.verify(&e, &signature).map_err(|_| BadJws::Signature)?;
    Ok((key, said))
}

/// `ath`.
fn digest(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(hsm::sm3::digest(token.as_bytes()))
}

fn without_query(uri: &str) -> &str {
    uri.split(['?', '#']).next().unwrap_or_default()
}

/// Whether both name one resource (RFC 9449, 4.3, step 9): scheme and host in any case, the scheme's own port said or not.
fn same_place(htu: &str, uri: &str) -> bool {
    let said = place(htu);
    said.is_some() && without_query(htu) == htu && said == place(without_query(uri))
}

fn place(uri: &str) -> Option<(String, String, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.to_ascii_lowercase();
    let port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let host = host.strip_suffix(port).unwrap_or(&host).to_owned();
    let path = if path.is_empty() { "/" } else { path };
    (!host.is_empty() && !host.contains('@')).then_some((scheme, host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_as_resources() {
        let uri = "https://emr.example/fhir/Patient/1";
        let cases = [
            (uri, uri, true),
            ("HTTPS://EMR.example:443/fhir/Patient/1", uri, true),
            (uri, "https://emr.example/fhir/Patient/1?_format=json#top", true),
            ("https://emr.example", "https://emr.example/", true),
            ("http://emr.example:80/x", "http://emr.example/x", true),
            ("http://emr.example/fhir/Patient/1", uri, false),
            ("https://emr.example:80/fhir/Patient/1", uri, false),
            ("https://emr.example/fhir/patient/1", uri, false),
            ("https://emr.example/fhir/Patient/1/", uri, false),
            ("https://emr.example/fhir/Patient/1?", uri, false),
            ("https://emr.example.evil/fhir/Patient/1", uri, false),
            ("https://you@emr.example/x", "https://you@emr.example/x", false),
            ("/fhir/Patient/1", "/fhir/Patient/1", false),
            ("ftp://emr.example/x", "ftp://emr.example/x", false),
            ("", "", false),
            (
                "https://[::1]:443/records.v1.Observations/Read",
                "https://[::1]/records.v1.Observations/Read",
                true,
            ),
            // A spelling that another name might have is none of ours.
            ("https://emr.example./fhir/Patient/1", uri, false),
            ("https://emr.example:/fhir/Patient/1", uri, false),
            ("https://emr.example:0443/fhir/Patient/1", uri, false),
            ("https://emr.example:443:443/fhir/Patient/1", uri, false),
            ("https://emr.example/fhir/./Patient/1", uri, false),
            ("https://emr.example//fhir/Patient/1", uri, false),
            ("https://emr.example/%66hir/Patient/1", uri, false),
            ("https://emr.example\\fhir/Patient/1", uri, false),
            (" https://emr.example/fhir/Patient/1", uri, false),
            ("https:/emr.example/fhir/Patient/1", uri, false),
            ("https:///fhir/Patient/1", "https:///fhir/Patient/1", false),
        ];
        for (htu, uri, same) in cases {
            assert_eq!(same_place(htu, uri), same, "{htu} {uri}");
        }
    }
}
