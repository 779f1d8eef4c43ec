use hsm::Sm2Signer;
use time::OffsetDateTime;

use super::{CertificateId, Nonce};
use crate::{
    Certificate, ExtendedKeyUsage, IssueError, KeyUsage, algorithm,
    crl::Reason,
    der::{bit_string, oid, sequence, tag, tlv, write_generalized_time},
    extension,
    issuer::sign_body,
    oid,
};

/// What is said about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was issued and is not revoked.
    Good,
    /// It was revoked, or is suspended.
    Revoked {
        /// Since when, to the second.
        at: OffsetDateTime,
        /// Why.
        reason: Reason,
    },
    /// The authority issued no certificate of this serial number.
    Unknown,
}

/// The answer about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which certificate, as it was asked.
    pub id: CertificateId,
    /// What is said about it.
    pub status: Status,
}

/// When an answer is good, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// When it was known to be so.
    pub this_update: OffsetDateTime,
    /// Until when it may be relied on.
    pub next_update: OffsetDateTime,
}

/// Who answers for an authority (OCSP 响应者): its certificate. It holds no key.
#[derive(Clone, Debug)]
pub struct Responder {
    certificate: Certificate,
}

/// The certificate does not let its holder answer for this authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate does not let its holder answer for this authority")]
pub struct ResponderError;

/// An answer of which every signed octet is fixed, and which nobody has signed yet.
#[derive(Debug)]
pub struct AnswerDraft<'a> {
    body: Vec<u8>,
    responder: &'a Responder,
}

impl Responder {
    /// Who answers, from its certificate, which `issuer` must have signed for that
    /// (RFC 6960, 4.2.2.2) and never revokes.
    ///
    /// # Errors
    /// [`ResponderError`].
    pub fn new(certificate: Certificate, issuer: &Certificate) -> Result<Self, ResponderError> {
        match may_answer(&certificate, issuer) {
            true => Ok(Self { certificate }),
            false => Err(ResponderError),
        }
    }

    /// The responder's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Fixes an answer, which repeats `nonce`.
    pub fn draft(
        &self,
        answers: &[Answer],
        period: Period,
        nonce: Option<&Nonce>,
    ) -> AnswerDraft<'_> {
        let list: Vec<u8> =
            answers.iter().flat_map(|answer| write_single(answer, period)).collect();
        let extensions = nonce.map(|nonce| {
            let list = sequence(&[&extension::write(&oid::OCSP_NONCE, &nonce.write())]);
            tlv(tag::constructed(1), &[&list])
        });
        let body = sequence(&[
            // byName [1]
            &tlv(tag::constructed(1), &[self.certificate.subject().der()]),
            &write_generalized_time(whole_second(period.this_update)),
            &sequence(&[&list]),
            &extensions.unwrap_or_default(),
        ]);
        AnswerDraft { body, responder: self }
    }
}

/// Whether `issuer` made `certificate` for answering in its place, and says that it never revokes
/// it: otherwise one would have to ask about the one who answers.
pub(super) fn may_answer(certificate: &Certificate, issuer: &Certificate) -> bool {
    certificate.issuer() == issuer.subject()
        && certificate.is_signed_by(issuer.public_key())
        && !certificate.is_ca()
        && certificate.key_usage().is_some_and(|has| has.contains(KeyUsage::DIGITAL_SIGNATURE))
        && certificate.purposes().contains(&ExtendedKeyUsage::OcspSigning)
        && certificate.is_never_checked()
}

fn write_single(answer: &Answer, period: Period) -> Vec<u8> {
    let status = match answer.status {
        Status::Good => tlv(tag::context(0), &[]),
        Status::Revoked { at, reason } => {
            let reason = match reason {
                Reason::Unspecified => Vec::new(),
                reason => {
                    let code = tlv(tag::ENUMERATED, &[&[reason.code()]]);
                    tlv(tag::constructed(0), &[&code])
                }
            };
            tlv(tag::constructed(1), &[&write_generalized_time(whole_second(at)), &reason])
        }
        Status::Unknown => tlv(tag::context(2), &[]),
    };
    let next_update = write_generalized_time(whole_second(period.next_update));
    sequence(&[
        answer.id.der(),
        &status,
        &write_generalized_time(whole_second(period.this_update)),
        &tlv(tag::constructed(0), &[&next_update]),
    ])
}

fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    at - time::Duration::nanoseconds(i64::from(at.nanosecond()))
}

impl AnswerDraft<'_> {
    /// Signs the answer, and checks what comes back. DER of the whole response.
    ///
    /// # Errors
    /// [`IssueError::WrongKey`], [`IssueError::Sign`], [`IssueError::FalseSignature`].
    pub fn sign(self, key: &dyn Sm2Signer) -> Result<Vec<u8>, IssueError> {
        let certificate = &self.responder.certificate;
        let signature = sign_body(&self.body, certificate.public_key(), key)?;
        let basic = sequence(&[
            &self.body,
            &algorithm::sm2_with_sm3(),
            &bit_string(&signature.to_der()),
            &tlv(tag::constructed(0), &[&sequence(&[certificate.der()])]),
        ]);
        let octets = tlv(tag::OCTET_STRING, &[&basic]);
        let bytes = sequence(&[&oid(&oid::OCSP_BASIC), &octets]);
        Ok(sequence(&[&[tag::ENUMERATED, 1, 0], &tlv(tag::constructed(0), &[&bytes])]))
    }

    /// What will be signed (ResponseData), DER.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}
