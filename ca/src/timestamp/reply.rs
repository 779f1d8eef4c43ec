use super::{Token, TokenError};
use crate::der::{DerError, Reader, Text, read_text, sequence, tag, tlv};

/// Why a time was not stamped (PKIFailureInfo; RFC 3161, 2.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The digest is not one that is stamped.
    #[error("the digest is not one that is stamped")]
    BadAlgorithm,
    /// What was asked for is not done here.
    #[error("what was asked for is not done here")]
    BadRequest,
    /// The query was not understood.
    #[error("the query was not understood")]
    BadDataFormat,
    /// The time is not known well enough.
    #[error("the time is not known well enough")]
    TimeNotAvailable,
    /// The policy that was asked for is not followed here.
    #[error("the policy that was asked for is not followed here")]
    UnacceptedPolicy,
    /// An extension of the query is not known here.
    #[error("an extension of the query is not known here")]
    UnacceptedExtension,
    /// More was asked for than can be said.
    #[error("more was asked for than can be said")]
    AdditionNotAvailable,
    /// The stamper is at fault.
    #[error("the stamper is at fault")]
    SystemFailure,
}

impl Failure {
    /// Each with its bit.
    pub(super) const BITS: [(Self, u8); 8] = [
        (Self::BadAlgorithm, 0),
        (Self::BadRequest, 2),
        (Self::BadDataFormat, 5),
        (Self::TimeNotAvailable, 14),
        (Self::UnacceptedPolicy, 15),
        (Self::UnacceptedExtension, 16),
        (Self::AdditionNotAvailable, 17),
        (Self::SystemFailure, 25),
    ];

    /// The reply that says so (status rejection), DER. Nobody signs it.
    pub fn reply(self) -> Vec<u8> {
        sequence(&[&sequence(&[&[tag::INTEGER, 1, 2], &self.write()])])
    }

    /// Named bits: no trailing zero bits (X.690, 11.2.2).
    fn write(self) -> Vec<u8> {
        let row = Self::BITS.iter().find(|(failure, _)| *failure == self);
        let (_, bit) = row.expect("the table has a row for each failure");
        let mut content = vec![0; usize::from(bit / 8) + 2];
        content[0] = 7 - bit % 8;
        let last = content.len() - 1;
        content[last] = 0x80 >> (bit % 8);
        tlv(tag::BIT_STRING, &[&content])
    }

    /// Several bits or other ones name no failure that is known here.
    fn read(element: &[u8]) -> Option<Self> {
        Self::BITS
            .iter()
            .find(|(failure, _)| failure.write() == element)
            .map(|(failure, _)| *failure)
    }
}

/// What came back (TimeStampResp; RFC 3161, 2.4.2), when it is a token.
#[derive(Clone, Debug)]
pub struct Reply {
    token: Token,
}

/// Why octets are not a reply with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// More than [`Reply::MAX_LEN`] octets.
    #[error("the reply is longer than {} octets", Reply::MAX_LEN)]
    TooLong,
    /// Not the DER of a reply.
    #[error("reading the reply")]
    Der(#[from] DerError),
    /// No time was stamped; `None` when the reason is not known here.
    #[error("no time was stamped")]
    Rejected(#[source] Option<Failure>),
    /// A status that does not exist, or a token where none belongs.
    #[error("the reply has a status that does not exist, or does not go with it")]
    Status,
    /// The token is not one.
    #[error("reading the token")]
    Token(#[from] TokenError),
}

impl Reply {
    /// Most octets a reply may have.
    pub const MAX_LEN: usize = Token::MAX_LEN + 1024;

    /// Reads a reply, DER.
    ///
    /// # Errors
    /// [`ReplyError::Rejected`] for one without a token; otherwise what is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, ReplyError> {
        if der.len() > Self::MAX_LEN {
            return Err(ReplyError::TooLong);
        }
        let mut outer = Reader::only(der, tag::SEQUENCE)?;
        let mut info = outer.sequence()?;
        let &[status] = info.value(tag::INTEGER)? else { return Err(ReplyError::Status) };
        if let Some(texts) = info.optional(tag::SEQUENCE)? {
            let mut texts = Reader::new(texts);
            while !texts.is_empty() {
                read_text(Text::Utf8, texts.value(tag::UTF8_STRING)?)?;
            }
        }
        let failure = match info.is_empty() {
            true => None,
            false => Failure::read(info.element(tag::BIT_STRING)?),
        };
        info.end()?;
        match status {
            // granted, grantedWithMods
            0 | 1 => {
                let token = Token::parse(outer.element(tag::SEQUENCE)?)?;
                outer.end()?;
                Ok(Self { token })
            }
            // rejection, waiting, revocationWarning, revocationNotification
            2..=5 if outer.is_empty() => Err(ReplyError::Rejected(failure)),
            _ => Err(ReplyError::Status),
        }
    }

    /// The token.
    pub fn token(&self) -> &Token {
        &self.token
    }
}
