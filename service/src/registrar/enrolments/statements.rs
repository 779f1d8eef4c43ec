//! What the two sign: compared with what is on record, word for word, and checked with the key of the signer's
//! certificate; an entry's when it comes, and again before it is approved.

use audit::approval::{Statement, Step};
use ca::{Certificate, Profile};
use hsm::{
    sm2::{Signature, SignerId},
    sm3,
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    super::{Caller, Error, Registrar},
    profile_of,
};
use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    store::{Identity, NewEnrolment, SignedStatement},
};

/// How far the clock of whoever signs a statement may be off.
const TOLERANCE: Duration = Duration::minutes(5);

impl Registrar {
    /// What has to be stated about an enrolment.
    pub(super) fn statement(
        &self,
        enrolment: &NewEnrolment,
        holder: &Identity,
        step: Step,
        at: String,
    ) -> Result<Statement, Error> {
        Ok(Statement {
            step,
            service: self.name.clone(),
            enrolment: enrolment.id.to_string(),
            identity: holder.id.to_string(),
            institution: holder.institution.to_string(),
            role: holder.role.clone(),
            profile: profile_word(profile_of(holder)?).to_owned(),
            certificates: enrolment.certificates.as_str().to_owned(),
            days: enrolment.days.unwrap_or_default(),
            request: sm3::digest(&enrolment.request),
            key: enrolment.key_digest,
            at,
        })
    }

    /// A statement that the caller signed a moment ago: it says what is on record and nothing else, and the
    /// key is that of the certificate with which they are logged in.
    pub(super) async fn signed_now(
        &self,
        caller: &Caller,
        text: String,
        signature: Vec<u8>,
        expected: impl FnOnce(String) -> Result<Statement, Error>,
    ) -> Result<SignedStatement, Error> {
        let stated = Statement::read(&text).map_err(|_| Reason::STATEMENT_DIFFERS)?;
        let at = instant(&stated.at).ok_or(Reason::STATEMENT_DIFFERS)?;
        if (at - caller.now).abs() > TOLERANCE {
            return Err(Reason::STATEMENT_LATE.into());
        }
        if stated != expected(stated.at.clone())? {
            return Err(Reason::STATEMENT_DIFFERS.into());
        }
        let statement = SignedStatement {
            text,
            signature,
            by: caller.holder.identity,
            with: caller.holder.certificate.clone(),
            at: caller.now,
        };
        self.check_signature(&statement).await?;
        Ok(statement)
    }

    /// Whether what is kept of an entry is what was signed.
    pub(super) async fn check_kept(
        &self,
        entered: &NewEnrolment,
        holder: &Identity,
    ) -> Result<(), Error> {
        let stated = Statement::read(&entered.entry.text).map_err(|_| Reason::STATEMENT_DIFFERS)?;
        if stated != self.statement(entered, holder, Step::Entry, stated.at.clone())? {
            return Err(Reason::STATEMENT_DIFFERS.into());
        }
        self.check_signature(&entered.entry).await
    }

    async fn check_signature(&self, statement: &SignedStatement) -> Result<(), Error> {
        let record = self.store.certificate(&statement.with).await?;
        let record = record.filter(|record| record.identity == Some(statement.by));
        let der = record.and_then(|record| record.der).ok_or(Reason::STATEMENT_NOT_SIGNED)?;
        let certificate =
            Certificate::parse(&der).map_err(|e| Error::internal("a certificate on record", e))?;
        let key = certificate.public_key();
        Signature::from_raw(&statement.signature)
            .ok()
            .filter(|signature| {
                key.verify(&key.digest(&SignerId::DEFAULT, statement.text.as_bytes()), signature)
                    .is_ok()
            })
            .map(drop)
            .ok_or(Reason::STATEMENT_NOT_SIGNED.into())
    }
}

/// The word of statements for a kind of certificate.
fn profile_word(profile: Profile) -> &'static str {
    match profile {
        Profile::Device => "device",
        Profile::System => "system",
        _ => "person",
    }
}

/// A time as statements have it, and in no other form.
fn instant(text: &str) -> Option<UtcTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (clock::rfc3339(at) == text).then_some(at)
}
