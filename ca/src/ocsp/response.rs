use std::{fmt, ops::Range};

use hsm::sm2::{Signature, SignerId};
use time::{Duration, OffsetDateTime};

use super::{Answer, CertificateId, Nonce, Period, Status, answer::may_answer, read_extensions};
use crate::{
    Certificate, CertificateError, Name, algorithm,
    crl::Reason,
    der::{DerError, Reader, read_generalized_time, sequence, tag, tlv},
    digest::Digest,
    oid,
};

/// How far apart the clocks of the one who asks and the one who answers may be.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// Why there is no answer (OCSPResponseStatus; RFC 6960, 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The question was not understood.
    #[error("the question was not understood")]
    MalformedRequest,
    /// The responder is at fault.
    #[error("the responder is at fault")]
    InternalError,
    /// Nothing can be said now; later perhaps.
    #[error("the responder cannot answer now")]
    TryLater,
    /// Questions must be signed.
    #[error("the responder wants questions to be signed")]
    SignatureRequired,
    /// The responder does not answer for the issuer that is named.
    #[error("the responder does not answer for this issuer")]
    Unauthorized,
}

impl Failure {
    pub(super) const CODES: [(Self, u8); 5] = [
        (Self::MalformedRequest, 1),
        (Self::InternalError, 2),
        (Self::TryLater, 3),
        (Self::SignatureRequired, 5),
        (Self::Unauthorized, 6),
    ];

    /// The response that says so, DER. Nobody signs it.
    pub fn response(self) -> Vec<u8> {
        let row = Self::CODES.iter().find(|(failure, _)| *failure == self);
        let (_, code) = row.expect("the table has a row for each failure");
        sequence(&[&tlv(tag::ENUMERATED, &[&[*code]])])
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::CODES.iter().find(|(_, number)| *number == code).map(|(failure, _)| *failure)
    }
}

/// Why a response was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// More than [`Response::MAX_LEN`] octets.
    #[error("the response is longer than {} octets", Response::MAX_LEN)]
    TooLong,
    /// Not the DER of a response.
    #[error("reading the response")]
    Der(#[from] DerError),
    /// The responder gives no answer.
    #[error("the responder gives no answer")]
    Failed(#[source] Failure),
    /// A response of another type than the basic one, of another version, or with a status that
    /// does not exist.
    #[error("the response is not a basic response of version 1")]
    Kind,
    /// Not signed with SM2 and SM3.
    #[error("the response is not signed with SM2 and SM3")]
    Algorithm,
    /// The signature is not the strict DER of two numbers in range.
    #[error("the response's signature is malformed")]
    Malformed,
    /// A certificate in it is not one.
    #[error("reading a certificate in the response")]
    Certificate(#[from] CertificateError),
    /// An answer does not say until when it is good.
    #[error("the response does not say until when it is good")]
    NoPeriod,
    /// A reason that is unknown.
    #[error("a reason code is unknown")]
    Reason,
    /// A critical extension is not understood.
    #[error("critical extension {oid} is not understood")]
    UnknownCritical {
        /// The extension's identifier, dotted.
        oid: String,
    },
    /// Neither the issuer nor anybody whom it certified for that has made this.
    #[error("the responder may not answer for this issuer")]
    WrongResponder,
    /// The responder's certificate is not valid now.
    #[error("the responder's certificate is not valid")]
    ResponderNotValid,
    /// The responder did not sign this.
    #[error("the response's signature does not verify")]
    BadSignature,
    /// The nonce is missing or another: an answer to some other question.
    #[error("the response is to another question")]
    OtherQuestion,
    /// It says nothing about the certificate.
    #[error("the response does not speak of the certificate")]
    NotAnswered,
    /// It is good from a time that is yet to come.
    #[error("the response is good from {this_update} only")]
    NotYetValid {
        /// When it begins to be good.
        this_update: OffsetDateTime,
    },
    /// There should be a newer one.
    #[error("the response was good until {next_update} only")]
    Stale {
        /// Until when it was good.
        next_update: OffsetDateTime,
    },
}

/// By what a response names who made it (ResponderID; RFC 6960, 4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
enum ResponderId {
    Name(Name),
    /// SHA-1 of the key.
    Key([u8; 20]),
}

impl ResponderId {
    fn is(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Name(name) => name == certificate.subject(),
            Self::Key(digest) => {
                Digest::Sha1.of(certificate.public_key().as_sec1()) == digest.as_slice()
            }
        }
    }
}

/// A response that gives answers (BasicOCSPResponse; RFC 6960, 4.2.1), read strictly. Whether one
/// may rely on it is answered by [`Response::verify`].
#[derive(Clone)]
pub struct Response {
    der: Vec<u8>,
    body: Range<usize>,
    responder: ResponderId,
    answers: Vec<(Answer, Period)>,
    nonce: Option<Nonce>,
    certificates: Vec<Certificate>,
    signature: Signature,
}

/// What was asked, which an answer is held against.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Certificate of the authority that issued what is asked about.
    pub issuer: &'a Certificate,
    /// What is asked about.
    pub id: &'a CertificateId,
    /// The nonce that was sent along; the response must have it.
    pub nonce: Option<&'a Nonce>,
}

impl Response {
    /// Most octets a response may have.
    pub const MAX_LEN: usize = 32 << 10;

    /// Most certificates in a response.
    pub const MAX_CERTIFICATES: usize = 4;

    /// Reads a response, DER.
    ///
    /// # Errors
    /// [`ResponseError::Failed`] for one that says why there is no answer; otherwise what is not as
    /// it should be.
    pub fn parse(der: &[u8]) -> Result<Self, ResponseError> {
        if der.len() > Self::MAX_LEN {
            return Err(ResponseError::TooLong);
        }
        let mut outer = Reader::only(der, tag::SEQUENCE)?;
        match outer.value(tag::ENUMERATED)? {
            [0] => {}
            [code] => {
                outer.end()?;
                let failure = Failure::from_code(*code).ok_or(ResponseError::Kind)?;
                return Err(ResponseError::Failed(failure));
            }
            _ => return Err(ResponseError::Kind),
        }
        let mut explicit = outer.nested(tag::constructed(0))?;
        outer.end()?;
        let mut bytes = explicit.sequence()?;
        explicit.end()?;
        if bytes.oid()? != oid::OCSP_BASIC {
            return Err(ResponseError::Kind);
        }
        let mut basic = Reader::only(bytes.value(tag::OCTET_STRING)?, tag::SEQUENCE)?;
        bytes.end()?;

        let body = basic.element(tag::SEQUENCE)?;
        if !algorithm::names(basic.element(tag::SEQUENCE)?, &oid::SM2_WITH_SM3)? {
            return Err(ResponseError::Algorithm);
        }
        let signature =
            Signature::from_der(basic.octet_bits()?).map_err(|_| ResponseError::Malformed)?;
        let certificates = match basic.optional(tag::constructed(0))? {
            Some(list) => read_certificates(Reader::only(list, tag::SEQUENCE)?)?,
            None => Vec::new(),
        };
        basic.end()?;
        // The body is a part of `der`: its place is found by where it begins.
        let start = body.as_ptr() as usize - der.as_ptr() as usize;
        let place = start..start + body.len();

        let mut fields = Reader::only(body, tag::SEQUENCE)?;
        let responder = match fields.any()? {
            (0xa1, name, _) => ResponderId::Name(Name::read(name)?),
            (0xa2, key, _) => {
                let mut key = Reader::new(key);
                let digest = key.value(tag::OCTET_STRING)?;
                key.end()?;
                ResponderId::Key(digest.try_into().map_err(|_| DerError::Count)?)
            }
            // Version 1 is the default and not written; there is no other.
            (0xa0, ..) => return Err(ResponseError::Kind),
            _ => return Err(DerError::Tag { expected: tag::constructed(1) }.into()),
        };
        read_second(&mut fields)?;
        let mut list = fields.sequence()?;
        let mut answers = Vec::new();
        while !list.is_empty() {
            answers.push(read_single(list.sequence()?)?);
        }
        let extensions = fields.optional(tag::constructed(1))?;
        fields.end()?;
        let nonce = extensions.map(|list| read_extensions(list, unknown)).transpose()?.flatten();
        let der = der.to_vec();
        Ok(Self { der, body: place, responder, answers, nonce, certificates, signature })
    }

    /// What the response says about the certificate, if it may be relied on now.
    ///
    /// # Errors
    /// [`ResponseError`], for the first thing found wrong: who made it, whether they may, to which
    /// question, when it is good.
    pub fn verify(&self, asked: Asked<'_>, now: OffsetDateTime) -> Result<Status, ResponseError> {
        let responder = self.responder_of(asked.issuer)?;
        let (from, to) = (responder.not_before(), responder.not_after());
        if now < from - CLOCK_SKEW || now > to {
            return Err(ResponseError::ResponderNotValid);
        }
        let key = responder.public_key();
        let e = key.digest(&SignerId::DEFAULT, &self.der[self.body.clone()]);
        key.verify(&e, &self.signature).map_err(|_| ResponseError::BadSignature)?;
        if asked.nonce.is_some() && asked.nonce != self.nonce.as_ref() {
            return Err(ResponseError::OtherQuestion);
        }
        let is_asked = |answer: &Answer| answer.id.means(asked.id) && answer.id.is_of(asked.issuer);
        let mut found = self.answers.iter().filter(|(answer, _)| is_asked(answer));
        // Two answers to one question are none.
        let ((answer, period), None) =
            (found.next().ok_or(ResponseError::NotAnswered)?, found.next())
        else {
            return Err(ResponseError::NotAnswered);
        };
        let Period { this_update, next_update } = *period;
        if this_update > now + CLOCK_SKEW {
            return Err(ResponseError::NotYetValid { this_update });
        }
        if next_update < now - CLOCK_SKEW {
            return Err(ResponseError::Stale { next_update });
        }
        Ok(answer.status)
    }

    /// The certificate of who made the response: of the issuer itself, or of somebody whom it
    /// certified for that.
    fn responder_of<'a>(
        &'a self,
        issuer: &'a Certificate,
    ) -> Result<&'a Certificate, ResponseError> {
        if self.responder.is(issuer) {
            return Ok(issuer);
        }
        let mut sent = self.certificates.iter().filter(|sent| self.responder.is(sent));
        sent.find(|sent| may_answer(sent, issuer)).ok_or(ResponseError::WrongResponder)
    }

    /// Each certificate that the response speaks of, what it says, and when that is good. Unchecked.
    pub fn answers(&self) -> &[(Answer, Period)] {
        &self.answers
    }

    /// The nonce that it repeats.
    pub fn nonce(&self) -> Option<&Nonce> {
        self.nonce.as_ref()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} answers)", self.answers.len())
    }
}

fn read_certificates(mut list: Reader<'_>) -> Result<Vec<Certificate>, ResponseError> {
    let mut certificates = Vec::new();
    while !list.is_empty() {
        if certificates.len() == Response::MAX_CERTIFICATES {
            return Err(DerError::Count.into());
        }
        certificates.push(Certificate::parse(list.element(tag::SEQUENCE)?)?);
    }
    Ok(certificates)
}

fn read_single(mut fields: Reader<'_>) -> Result<(Answer, Period), ResponseError> {
    let id = CertificateId::read(fields.element(tag::SEQUENCE)?)?;
    let status = match fields.any()? {
        (0x80, [], _) => Status::Good,
        (0xa1, revoked, _) => {
            let mut revoked = Reader::new(revoked);
            let at = read_second(&mut revoked)?;
            let reason = match revoked.optional(tag::constructed(0))? {
                Some(explicit) => {
                    let mut explicit = Reader::new(explicit);
                    let code = match explicit.value(tag::ENUMERATED)? {
                        [code] => Reason::from_code(*code),
                        _ => None,
                    };
                    explicit.end()?;
                    code.ok_or(ResponseError::Reason)?
                }
                None => Reason::Unspecified,
            };
            revoked.end()?;
            Status::Revoked { at, reason }
        }
        (0x82, [], _) => Status::Unknown,
        _ => return Err(DerError::Tag { expected: tag::context(0) }.into()),
    };
    let this_update = read_second(&mut fields)?;
    let explicit = fields.optional(tag::constructed(0))?.ok_or(ResponseError::NoPeriod)?;
    let mut explicit = Reader::new(explicit);
    let next_update = read_second(&mut explicit)?;
    explicit.end()?;
    let extensions = fields.optional(tag::constructed(1))?;
    fields.end()?;
    extensions.map(|list| read_extensions(list, unknown)).transpose()?;
    if next_update < this_update {
        return Err(ResponseError::NoPeriod);
    }
    Ok((Answer { id, status }, Period { this_update, next_update }))
}

fn unknown(oid: String) -> ResponseError {
    ResponseError::UnknownCritical { oid }
}

/// A time without a fraction (RFC 6960, 4.2.2.1).
fn read_second(reader: &mut Reader<'_>) -> Result<OffsetDateTime, DerError> {
    match read_generalized_time(reader)? {
        at if at.nanosecond() == 0 => Ok(at),
        _ => Err(DerError::Time),
    }
}
