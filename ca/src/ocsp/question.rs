use super::{CertificateId, Nonce, read_extensions};
use crate::{
    der::{DerError, Reader, sequence, tag, tlv},
    extension, oid,
};

/// What somebody wants to know (OCSPRequest; RFC 6960, 4.1.1), read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    ids: Vec<CertificateId>,
    nonce: Option<Nonce>,
}

/// Why octets are not a question that is understood here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuestionError {
    /// More than [`Question::MAX_LEN`] octets.
    #[error("the question is longer than {} octets", Question::MAX_LEN)]
    TooLong,
    /// Not the DER of a question.
    #[error("reading the question")]
    Der(#[from] DerError),
    /// Not version 1, or version 1 spelled out.
    #[error("the question is not of version 1")]
    Version,
    /// About no certificate, or more than [`Question::MAX_IDS`].
    #[error("the question is about none or more than {} certificates", Question::MAX_IDS)]
    Count,
    /// A critical extension is not understood.
    #[error("critical extension {oid} is not understood")]
    UnknownCritical {
        /// The extension's identifier, dotted.
        oid: String,
    },
}

impl Question {
    /// Most octets a question may have: sixteen certificates, and a signature with its certificate.
    pub const MAX_LEN: usize = 8192;

    /// Most certificates a question may be about.
    pub const MAX_IDS: usize = 16;

    /// Reads a question, DER.
    ///
    /// # Errors
    /// [`QuestionError`], when one octet of what is looked at is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, QuestionError> {
        if der.len() > Self::MAX_LEN {
            return Err(QuestionError::TooLong);
        }
        let unknown = |oid| QuestionError::UnknownCritical { oid };
        let mut outer = Reader::only(der, tag::SEQUENCE)?;
        let mut fields = outer.sequence()?;
        // optionalSignature [0]: who asks makes no difference.
        outer.optional(tag::constructed(0))?;
        outer.end()?;

        // version [0] EXPLICIT INTEGER DEFAULT v1
        if fields.peek() == Some(tag::constructed(0)) {
            return Err(QuestionError::Version);
        }
        // requestorName [1]: the same.
        fields.optional(tag::constructed(1))?;
        let mut list = fields.sequence()?;
        let mut ids = Vec::new();
        while !list.is_empty() {
            let mut single = list.sequence()?;
            ids.push(CertificateId::read(single.element(tag::SEQUENCE)?)?);
            let extensions = single.optional(tag::constructed(0))?;
            single.end()?;
            if let Some(extensions) = extensions {
                read_extensions(extensions, unknown)?;
            }
            if ids.len() > Self::MAX_IDS {
                return Err(QuestionError::Count);
            }
        }
        if ids.is_empty() {
            return Err(QuestionError::Count);
        }
        let extensions = fields.optional(tag::constructed(2))?;
        fields.end()?;
        let nonce = extensions.map(|list| read_extensions(list, unknown)).transpose()?.flatten();
        Ok(Self { ids, nonce })
    }

    /// The certificates that are asked about, at least one.
    pub fn ids(&self) -> &[CertificateId] {
        &self.ids
    }

    /// What the answer is to repeat.
    pub fn nonce(&self) -> Option<&Nonce> {
        self.nonce.as_ref()
    }
}

/// Makes a question, unsigned. DER.
pub fn question(ids: &[CertificateId], nonce: Option<&Nonce>) -> Vec<u8> {
    let list: Vec<u8> = ids.iter().flat_map(|id| sequence(&[id.der()])).collect();
    let extensions = nonce.map(|nonce| {
        let list = sequence(&[&extension::write(&oid::OCSP_NONCE, &nonce.write())]);
        tlv(tag::constructed(2), &[&list])
    });
    sequence(&[&sequence(&[&sequence(&[&list]), &extensions.unwrap_or_default()])])
}
