//! The status of a certificate, asked and read (OCSP; RFC 6960). Believed is only who the issuer of
//! the certificate certified to answer for it, and only an answer to this very question.

use der::{
    Choice, Decode as _, Encode as _, Enumerated, Sequence,
    asn1::{BitString, GeneralizedTime, Null, ObjectIdentifier, OctetString},
};
use sm2::dsa::{Signature, VerifyingKey, signature::Verifier as _};
use sm3::{Digest as _, Sm3};
use time::{Duration, OffsetDateTime};
use x509_cert::{
    Certificate,
    ext::{
        Extensions,
        pkix::{CrlReason, ExtendedKeyUsage},
    },
    name::Name,
    serial_number::SerialNumber,
    spki::AlgorithmIdentifierOwned,
};

use crate::{
    identity::DEFAULT_IDENTIFIER,
    text::{Problem, problems},
};

const SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.401");
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
const NO_CHECK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.5");
const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");

/// Largest response that is read, bytes.
pub(crate) const LIMIT: usize = 32 * 1024;
/// How far the clocks of the one who asks and the one who answers may be apart.
const TOLERANCE: Duration = Duration::minutes(5);

#[derive(Sequence)]
struct OcspRequest {
    body: RequestBody,
}

#[derive(Sequence)]
struct RequestBody {
    list: Vec<SingleRequest>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Sequence)]
struct SingleRequest {
    id: CertificateId,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct CertificateId {
    algorithm: AlgorithmIdentifierOwned,
    issuer_name: OctetString,
    issuer_key: OctetString,
    serial: SerialNumber,
}

#[derive(Clone, Copy, PartialEq, Eq, Enumerated)]
#[repr(u8)]
enum ResponseStatus {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SignatureRequired = 5,
    Unauthorized = 6,
}

#[derive(Sequence)]
struct OcspResponse {
    status: ResponseStatus,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    bytes: Option<ResponseBytes>,
}

#[derive(Sequence)]
struct ResponseBytes {
    kind: ObjectIdentifier,
    response: OctetString,
}

#[derive(Sequence)]
struct BasicResponse {
    data: ResponseData,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    certificates: Option<Vec<Certificate>>,
}

#[derive(Sequence)]
struct ResponseData {
    responder: ResponderId,
    produced_at: GeneralizedTime,
    list: Vec<SingleResponse>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Choice)]
enum ResponderId {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", constructed = "true")]
    Name(Name),
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    Key(OctetString),
}

#[derive(Sequence)]
struct SingleResponse {
    id: CertificateId,
    status: CertificateStatus,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    next_update: GeneralizedTime,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Choice)]
enum CertificateStatus {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(Revoked),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

#[derive(Sequence)]
struct Revoked {
    at: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    reason: Option<CrlReason>,
}

/// What is said about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// Since when, and the code of the reason (RFC 5280, 5.3.1).
    Revoked(OffsetDateTime, Option<u8>),
    Unknown,
}

/// An answer that was found genuine, in time, and to this question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) standing: Standing,
    pub(crate) this_update: OffsetDateTime,
    pub(crate) next_update: OffsetDateTime,
}

/// A question about one certificate.
pub(crate) struct Question<'a> {
    issuer: &'a Certificate,
    id: CertificateId,
    /// The value of the nonce's extension; `None` where the question is not at hand any more.
    nonce: Option<OctetString>,
    der: Vec<u8>,
}

impl<'a> Question<'a> {
    /// A question about the certificate of this issuer with this serial number. `nonce` is random.
    /// `None` for an issuer without a name or key that could be written.
    pub(crate) fn new(
        issuer: &'a Certificate,
        serial: &SerialNumber,
        nonce: &[u8; 32],
    ) -> Option<Self> {
        let body = issuer.tbs_certificate();
        let digest = |octets: &[u8]| OctetString::new(Sm3::digest(octets).to_vec()).ok();
        let id = CertificateId {
            algorithm: AlgorithmIdentifierOwned { oid: SM3, parameters: None },
            issuer_name: digest(&body.subject().to_der().ok()?)?,
            issuer_key: digest(body.subject_public_key_info().subject_public_key.raw_bytes())?,
            serial: serial.clone(),
        };
        let nonce = OctetString::new(OctetString::new(*nonce).ok()?.to_der().ok()?).ok()?;
        let extension = x509_cert::ext::Extension {
            extn_id: NONCE,
            critical: false,
            extn_value: nonce.clone(),
        };
        let body = RequestBody {
            list: vec![SingleRequest { id: id.clone() }],
            extensions: Some(vec![extension]),
        };
        let der = OcspRequest { body }.to_der().ok()?;
        Some(Self { issuer, id, nonce: Some(nonce), der })
    }

    /// A question that was asked before, of which the answer was kept: whichever nonce it had.
    pub(crate) fn asked(issuer: &'a Certificate, serial: &SerialNumber) -> Option<Self> {
        Some(Self { nonce: None, ..Self::new(issuer, serial, &[0; 32])? })
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// What the response says, if it may be relied on now.
    pub(crate) fn read(&self, response: &[u8], now: OffsetDateTime) -> Result<Answer, Problem> {
        let malformed = problems::SERVICE_ANSWER_MALFORMED;
        let read = (response.len() <= LIMIT).then(|| OcspResponse::from_der(response).ok());
        let response = read.flatten().ok_or(malformed)?;
        match response.status {
            ResponseStatus::Successful => {}
            ResponseStatus::Unauthorized => return Err(problems::STATUS_FOREIGN),
            _ => return Err(problems::STATUS_UNAVAILABLE),
        }
        let bytes = response.bytes.filter(|bytes| bytes.kind == BASIC).ok_or(malformed)?;
        let octets = bytes.response.as_bytes();
        let basic = BasicResponse::from_der(octets).map_err(|_| malformed)?;
        // What is signed are these octets, so there must be one way to read them.
        if basic.to_der().map_err(|_| malformed)? != octets {
            return Err(malformed);
        }
        self.check_maker(&basic, now).ok_or(problems::STATUS_NOT_GENUINE)?;
        let data = &basic.data;
        let nonce = data.extensions.iter().flatten().find(|it| it.extn_id == NONCE);
        let understood = |it: &x509_cert::ext::Extension| !it.critical || it.extn_id == NONCE;
        let [single] = data.list.as_slice() else { return Err(malformed) };
        let extensions = data.extensions.iter().chain(&single.extensions).flatten();
        if nonce.is_none_or(|it| self.nonce.as_ref().is_some_and(|own| it.extn_value != *own))
            || single.id != self.id
            || !extensions.into_iter().all(understood)
        {
            return Err(problems::STATUS_NOT_GENUINE);
        }
        let (this_update, next_update) = (instant(single.this_update), instant(single.next_update));
        if this_update > now + TOLERANCE || next_update < now - TOLERANCE {
            return Err(problems::STATUS_STALE);
        }
        let standing = match &single.status {
            CertificateStatus::Good(_) => Standing::Good,
            CertificateStatus::Revoked(revoked) => {
                Standing::Revoked(instant(revoked.at), revoked.reason.map(|code| code as u8))
            }
            CertificateStatus::Unknown(_) => Standing::Unknown,
        };
        Ok(Answer { standing, this_update, next_update })
    }

    /// Whether the response was signed with the key of a certificate that the issuer made for that,
    /// never revokes, and that is valid now.
    fn check_maker(&self, basic: &BasicResponse, now: OffsetDateTime) -> Option<()> {
        let ResponderId::Name(name) = &basic.data.responder else { return None };
        let mut sent = basic.certificates.iter().flatten();
        let responder = sent.find(|sent| sent.tbs_certificate().subject() == name)?;
        let body = responder.tbs_certificate();
        let (_, usage) = body.get_extension::<ExtendedKeyUsage>().ok()??;
        let never_revoked =
            body.extensions().is_some_and(|list| list.iter().any(|it| it.extn_id == NO_CHECK));
        let validity = body.validity();
        let [from, to] = [validity.not_before, validity.not_after]
            .map(|time| OffsetDateTime::UNIX_EPOCH + time.to_unix_duration());
        let may = usage.0.contains(&OCSP_SIGNING)
            && never_revoked
            && body.issuer() == self.issuer.tbs_certificate().subject()
            && from <= now + TOLERANCE
            && now <= to;
        may.then_some(())?;
        let (signature, algorithm) = (responder.signature(), responder.signature_algorithm());
        verify(self.issuer, &body.to_der().ok()?, signature.as_bytes()?, algorithm)?;
        let signature = basic.signature.as_bytes()?;
        verify(responder, &basic.data.to_der().ok()?, signature, &basic.algorithm)
    }
}

/// Whether the holder of `certificate` signed these octets.
pub(crate) fn verify(
    certificate: &Certificate,
    signed: &[u8],
    signature: &[u8],
    algorithm: &AlgorithmIdentifierOwned,
) -> Option<()> {
    (algorithm.oid == SM2_WITH_SM3).then_some(())?;
    let key = &certificate.tbs_certificate().subject_public_key_info().subject_public_key;
    let key = VerifyingKey::from_sec1_bytes(DEFAULT_IDENTIFIER, key.as_bytes()?).ok()?;
    let signature = Signature::from_der(signature).ok()?;
    key.verify(signed, &signature).ok()
}

fn instant(time: GeneralizedTime) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time.to_unix_duration()
}

#[cfg(test)]
mod tests;
