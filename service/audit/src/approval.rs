//! What operators sign when one enters that a certificate is to be issued and another reviews it (录入、复核; GM/T 0037):
//! statements of a form of their own, kept with the certificate and checked again by whoever has the signers' certificates.
//!
//! ```text
//! healthcard.v1 enrolment approval
//! service healthcard.localhost
//! enrolment 0193…
//! identity 0193…
//! institution 0193…
//! role nurse
//! profile person
//! certificates pair
//! days 0
//! request <64 hex: SM3 of the PKCS#10 request>
//! key <64 hex: SM3 of the public key, 04 ‖ X ‖ Y>
//! identifiers <64 hex: SM3 of the identifying extensions>
//! entry <64 hex: SM3 of the entry's statement and signature>
//! at 2026-11-27T08:00:00.000000Z
//! ```
//!
//! The first line says which step it is; an entry has no line `entry`, a rejection has a line `why` with the SM3 of the
//! reason. Statements of before have no line `identifiers`. Each line is ended. The signature is SM2 with the default identifier over the whole text: no login, request,
//! certificate or record begins with these octets. A step names what came before it, so that no approval fits another
//! entry.

use std::{fmt, iter::Peekable};

use sm2::dsa::{Signature, VerifyingKey, signature::Verifier as _};
use sm3::{Digest as _, Sm3};

#[cfg(test)]
mod tests;

/// Most bytes of a statement.
pub const MAX_STATEMENT: usize = 2048;
/// Most bytes of a line.
const MAX_LINE: usize = 128;
/// Identifier of the signer, where nothing else is agreed (GB/T 32918.2-2016, 5.5).
const SIGNER_ID: &str = "1234567812345678";

/// A certificate that is to be issued, and the step that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What is stated.
    pub step: Step,
    /// Name of the service.
    pub service: String,
    /// Identifier of the enrolment, never used twice.
    pub enrolment: String,
    /// Whom the certificate is for, by pseudonym.
    pub identity: String,
    /// Where that identity works.
    pub institution: String,
    /// Its role.
    pub role: String,
    /// Kind of certificate.
    pub profile: String,
    /// `signing`, or `pair`.
    pub certificates: String,
    /// Days of validity; 0 for as many as the profile gives.
    pub days: u32,
    /// SM3 of the request (PKCS#10, DER).
    pub request: [u8; 32],
    /// SM3 of the public key that it asks for.
    pub key: [u8; 32],
    /// [`identifiers`] of the certificate; `None` in statements of before they said so.
    pub identifiers: Option<[u8; 32]>,
    /// When it was signed: RFC 3339 in UTC with six digits of a second.
    pub at: String,
}

/// A step of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is to be issued.
    Entry,
    /// Somebody else says so as well.
    Approval {
        /// [`digest`] of what was entered.
        entry: [u8; 32],
    },
    /// Somebody else says that it is not.
    Rejection {
        /// [`digest`] of what was entered.
        entry: [u8; 32],
        /// SM3 of the reason.
        why: [u8; 32],
    },
}

/// Why a statement is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not of the form.
    #[error("not a statement about an enrolment")]
    Form,
    /// The signer's key is none.
    #[error("the signer's key is not an SM2 key")]
    Key,
    /// The holder of the key did not sign it.
    #[error("the statement is not signed by this key")]
    NotSigned,
}

const ENTRY: &str = "healthcard.v1 enrolment entry";
const APPROVAL: &str = "healthcard.v1 enrolment approval";
const REJECTION: &str = "healthcard.v1 enrolment rejection";

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}",
            match self.step {
                Step::Entry => ENTRY,
                Step::Approval { .. } => APPROVAL,
                Step::Rejection { .. } => REJECTION,
            }
        )?;
        for (name, value) in [
            ("service", &self.service),
            ("enrolment", &self.enrolment),
            ("identity", &self.identity),
            ("institution", &self.institution),
            ("role", &self.role),
            ("profile", &self.profile),
            ("certificates", &self.certificates),
        ] {
            writeln!(f, "{name} {value}")?;
        }
        writeln!(f, "days {}", self.days)?;
        writeln!(f, "request {}", hex::encode(self.request))?;
        writeln!(f, "key {}", hex::encode(self.key))?;
        if let Some(identifiers) = self.identifiers {
            writeln!(f, "identifiers {}", hex::encode(identifiers))?;
        }
        if let Step::Approval { entry } | Step::Rejection { entry, .. } = self.step {
            writeln!(f, "entry {}", hex::encode(entry))?;
        }
        if let Step::Rejection { why, .. } = self.step {
            writeln!(f, "why {}", hex::encode(why))?;
        }
        writeln!(f, "at {}", self.at)
    }
}

impl Statement {
    /// Reads a statement; another form of the same one is refused.
    ///
    /// # Errors
    /// [`StatementError::Form`].
    pub fn read(text: &str) -> Result<Self, StatementError> {
        let statement = read(text).ok_or(StatementError::Form)?;
        if statement.to_string() == text { Ok(statement) } else { Err(StatementError::Form) }
    }
}

fn read(text: &str) -> Option<Statement> {
    let mut lines = (text.len() <= MAX_STATEMENT).then(|| Lines(text.lines().peekable()))?;
    let title = lines.0.next()?;
    Some(Statement {
        service: lines.word("service")?,
        enrolment: lines.word("enrolment")?,
        identity: lines.word("identity")?,
        institution: lines.word("institution")?,
        role: lines.word("role")?,
        profile: lines.word("profile")?,
        certificates: lines.word("certificates")?,
        days: lines.word("days")?.parse().ok()?,
        request: lines.digest("request")?,
        key: lines.digest("key")?,
        identifiers: match lines.0.peek()?.starts_with("identifiers ") {
            true => Some(lines.digest("identifiers")?),
            false => None,
        },
        step: match title {
            ENTRY => Step::Entry,
            APPROVAL => Step::Approval { entry: lines.digest("entry")? },
            REJECTION => {
                Step::Rejection { entry: lines.digest("entry")?, why: lines.digest("why")? }
            }
            _ => return None,
        },
        at: lines.word("at")?,
    })
}

struct Lines<'a>(Peekable<std::str::Lines<'a>>);

impl Lines<'_> {
    /// The value of the next line, which has this name: not endless, and nothing that a terminal would obey.
    fn word(&mut self, name: &str) -> Option<String> {
        let line = self.0.next()?;
        let plain = line.len() <= MAX_LINE && !line.chars().any(char::is_control);
        let value = line.strip_prefix(name)?.strip_prefix(' ')?;
        (plain && !value.is_empty()).then(|| value.to_owned())
    }

    fn digest(&mut self, name: &str) -> Option<[u8; 32]> {
        hex::decode(self.word(name)?).ok()?.try_into().ok()
    }
}

/// What a statement names the identifying extensions of a certificate by: SM3 over each `Extension` as it stands there
/// (RFC 5280, 4.1, DER), in their order. They are those outside of the arcs 2.5.29 and 1.3.6.1.5.5.7; both certificates
/// of a pair have the same.
pub fn identifiers<T: AsRef<[u8]>>(extensions: impl IntoIterator<Item = T>) -> [u8; 32] {
    let all = extensions.into_iter().fold(Sm3::new(), |all, it| all.chain_update(it.as_ref()));
    all.finalize().into()
}

/// What the next step names a signed statement by.
#[must_use]
pub fn digest(statement: &str, signature: &[u8]) -> [u8; 32] {
    Sm3::new().chain_update(statement).chain_update(signature).finalize().into()
}

/// Reads a statement and checks it with the signer's public key, 04 ‖ X ‖ Y. It asks no service.
///
/// # Errors
/// [`StatementError`].
pub fn check(text: &str, signature: &[u8], key: &[u8]) -> Result<Statement, StatementError> {
    let statement = Statement::read(text)?;
    let key = VerifyingKey::from_sec1_bytes(SIGNER_ID, key).map_err(|_| StatementError::Key)?;
    let signature = Signature::from_slice(signature).map_err(|_| StatementError::NotSigned)?;
    key.verify(text.as_bytes(), &signature).map_err(|_| StatementError::NotSigned)?;
    Ok(statement)
}
