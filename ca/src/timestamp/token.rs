use std::fmt;

use hsm::{sm2::Signature, sm3};
use time::{Duration, OffsetDateTime};

use super::{Imprint, Nonce, Statement, stamper::may_stamp};
use crate::{
    Certificate, ChainError, Name, Serial,
    chain::{Anchors, Moment, Purpose},
    cms::{Attributes, CmsError, World, digest_of, envelope::Envelope},
    der::DerError,
    oid,
};

/// How far the clock of whoever reads a token may be behind the stamper's.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// A time stamp (TimeStampToken; RFC 3161, 2.4.2, or GM/T 0033), read strictly. Whether one may rely
/// on it is answered by [`Token::verify`].
#[derive(Clone)]
pub struct Token {
    der: Vec<u8>,
    statement: Statement,
    attributes: Vec<u8>,
    issuer: Name,
    serial: Serial,
    certificate: Option<Certificate>,
    signature: Signature,
}

/// Why a token was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// More than [`Token::MAX_LEN`] octets.
    #[error("the token is longer than {} octets", Token::MAX_LEN)]
    TooLong,
    /// Not a signed message as tokens are.
    #[error("reading the token")]
    Message(#[from] CmsError),
    /// The message is about something else than a time, or lacks its content.
    #[error("the message states no time")]
    Content,
    /// The statement is not DER.
    #[error("reading the statement")]
    Statement(#[source] DerError),
    /// The statement is of another version, about a digest that is neither SM3 nor SHA-256, or has
    /// extensions.
    #[error("the statement has parts that are not understood")]
    Unknown,
    /// Certificates beside the stamper's.
    #[error("the token carries certificates that are not the stamper's")]
    StrangeCertificate,
    /// The stamper's certificate is neither in the token nor at hand.
    #[error("the stamper's certificate is not known")]
    NoCertificate,
    /// Another thing was stamped.
    #[error("another thing was stamped")]
    OtherImprint,
    /// The nonce is missing or another: the token is for some other query.
    #[error("the token is for another query")]
    OtherQuery,
    /// The signed attributes do not name the stamper's certificate, or the statement names another.
    #[error("the token names another certificate than the stamper's")]
    OtherCertificate,
    /// What was signed is not the statement.
    #[error("the statement is not what was signed")]
    OtherStatement,
    /// The stamper's certificate is not for stamping times and nothing else.
    #[error("the certificate is not for stamping times and nothing else")]
    WrongPurpose,
    /// The stamper did not sign this.
    #[error("the token's signature does not verify")]
    BadSignature,
    /// The time is yet to come.
    #[error("the time that was stamped is yet to come")]
    FutureTime,
    /// The stamper's certificate may not be relied on.
    #[error("checking the stamper's certificate")]
    Chain(#[from] ChainError),
}

impl Token {
    /// Most octets a token may have.
    pub const MAX_LEN: usize = 16 << 10;

    /// Reads a token, DER.
    ///
    /// # Errors
    /// [`TokenError`], when one octet is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, TokenError> {
        if der.len() > Self::MAX_LEN {
            return Err(TokenError::TooLong);
        }
        let envelope = Envelope::read(der)?;
        // RFC 5652, 5.1, has version 3 for what is not plain data; GM/T 0010 has version 1 alone.
        let version = match envelope.world {
            World::Rfc5652 => 3,
            World::Gm0010 => 1,
        };
        if envelope.content_type != oid::TST_INFO || envelope.version != version {
            return Err(TokenError::Content);
        }
        let content = envelope.content.ok_or(TokenError::Content)?;
        let statement = Statement::read(content).map_err(TokenError::Statement)?;
        let statement = statement.ok_or(TokenError::Unknown)?;
        let attributes = Attributes::read(&envelope.attributes)?;
        if attributes.content_type != oid::TST_INFO {
            return Err(TokenError::Content);
        }
        if attributes.digest != sm3::digest(content) {
            return Err(TokenError::OtherStatement);
        }
        let certificate = match (&envelope.certificates[..], envelope.signer()) {
            ([], _) => None,
            ([certificate], Some(0)) => Some(certificate.clone()),
            _ => return Err(TokenError::StrangeCertificate),
        };
        let Envelope { attributes, issuer, serial, signature, .. } = envelope;
        let der = der.to_vec();
        Ok(Self { der, statement, attributes, issuer, serial, certificate, signature })
    }

    /// Whether a stamper that `anchors` vouch for stamped this imprint, for this query, at a time
    /// when it could, judged by what is known `now`. `known` is its certificate, where the token does
    /// not carry it.
    ///
    /// # Errors
    /// [`TokenError`], for the first thing found wrong.
    pub fn verify(
        &self,
        imprint: &Imprint,
        nonce: Option<&Nonce>,
        known: Option<&Certificate>,
        anchors: &Anchors,
        now: OffsetDateTime,
    ) -> Result<&Statement, TokenError> {
        let certificate = self.certificate.as_ref().or(known).ok_or(TokenError::NoCertificate)?;
        let statement = &self.statement;
        if statement.imprint != *imprint {
            return Err(TokenError::OtherImprint);
        }
        if nonce.is_some() && nonce != statement.nonce.as_ref() {
            return Err(TokenError::OtherQuery);
        }
        let attributes = Attributes::read(&self.attributes)?;
        let named = attributes.certificate.is_some_and(|id| id.is_of(certificate));
        let stamper = statement.stamper.as_ref();
        if !named
            || *certificate.issuer() != self.issuer
            || *certificate.serial() != self.serial
            || stamper.is_some_and(|name| name != certificate.subject())
        {
            return Err(TokenError::OtherCertificate);
        }
        if !may_stamp(certificate) {
            return Err(TokenError::WrongPurpose);
        }
        let key = certificate.public_key();
        key.verify(&digest_of(key, &self.attributes), &self.signature)
            .map_err(|_| TokenError::BadSignature)?;
        if statement.at > now + CLOCK_SKEW {
            return Err(TokenError::FutureTime);
        }
        let moment = Moment { claimed: statement.at, witnessed: None };
        anchors.verify_past(certificate, Purpose::StampTime, moment, now)?;
        Ok(statement)
    }

    /// What it states. Unchecked.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The stamper's certificate, where the token carries it.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The token, DER, as it was read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, {})", self.statement.serial, self.statement.at)
    }
}
