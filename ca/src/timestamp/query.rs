use super::{Failure, Imprint, Nonce, Policy};
use crate::der::{DerError, Reader, boolean_true, sequence, tag};

/// What somebody wants stamped (TimeStampReq; RFC 3161, 2.4.1), read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    imprint: Imprint,
    policy: Option<Policy>,
    nonce: Option<Nonce>,
    with_certificate: bool,
}

/// Why octets are not a query that is understood here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// More than [`Query::MAX_LEN`] octets.
    #[error("the query is longer than {} octets", Query::MAX_LEN)]
    TooLong,
    /// Not the DER of a query.
    #[error("reading the query")]
    Der(#[from] DerError),
    /// Not version 1.
    #[error("the query is not of version 1")]
    Version,
    /// The digest is neither SM3 nor SHA-256.
    #[error("the digest is neither SM3 nor SHA-256")]
    Digest,
    /// It has extensions, of which none is known here.
    #[error("the query has extensions")]
    Extension,
}

impl QueryError {
    /// What the asker is told.
    pub fn failure(&self) -> Failure {
        match self {
            Self::TooLong | Self::Der(_) | Self::Version => Failure::BadDataFormat,
            Self::Digest => Failure::BadAlgorithm,
            // Critical or not (RFC 3161, 2.4.1; GM/T 0033).
            Self::Extension => Failure::UnacceptedExtension,
        }
    }
}

impl Query {
    /// Most octets a query may have.
    pub const MAX_LEN: usize = 1024;

    /// Reads a query, DER.
    ///
    /// # Errors
    /// [`QueryError`], when one octet is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, QueryError> {
        if der.len() > Self::MAX_LEN {
            return Err(QueryError::TooLong);
        }
        let mut fields = Reader::only(der, tag::SEQUENCE)?;
        if fields.value(tag::INTEGER)? != [1] {
            return Err(QueryError::Version);
        }
        let imprint = Imprint::read(&mut fields)?;
        let policy = match fields.peek() {
            Some(tag::OID) => Some(Policy::of(fields.oid()?)),
            _ => None,
        };
        let nonce = fields.optional(tag::INTEGER)?.map(Nonce::read).transpose()?;
        let with_certificate = fields.default_false()?;
        if fields.optional(tag::constructed(0))?.is_some() {
            return Err(QueryError::Extension);
        }
        fields.end()?;
        let imprint = imprint.ok_or(QueryError::Digest)?;
        Ok(Self { imprint, policy, nonce, with_certificate })
    }

    /// What is to be stamped.
    pub fn imprint(&self) -> &Imprint {
        &self.imprint
    }

    /// The policy that the asker insists on.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// What the token is to repeat.
    pub fn nonce(&self) -> Option<&Nonce> {
        self.nonce.as_ref()
    }

    /// Whether the token is to carry the stamper's certificate.
    pub fn wants_certificate(&self) -> bool {
        self.with_certificate
    }
}

/// Makes a query that asks for the stamper's certificate, under whatever policy. DER.
pub fn query(imprint: &Imprint, nonce: Option<&Nonce>) -> Vec<u8> {
    let nonce = nonce.map(Nonce::write).unwrap_or_default();
    sequence(&[&[tag::INTEGER, 1, 1], &imprint.write(), &nonce, &boolean_true()])
}
