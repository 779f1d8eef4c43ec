//! What the two sign: compared with what is on record, word for word, and checked with the key of the signer's
//! certificate; when it comes, an entry's again before it is approved, and both before what follows from them is signed.

use audit::approval::{Statement, Step, identifiers};
use ca::{Certificate, IdentifyingExtension, Profile};
use hsm::{
    sm2::{Signature, SignerId},
    sm3,
};
use time::Duration;

use super::{
    super::{Caller, Error, Registrar, sessions::stored_role},
    profile_of,
};
use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    store::{Enrolment, Identity, NewEnrolment, SignedStatement},
    vocabulary::Role,
};

/// How far the clock of whoever signs a statement may be off.
pub(super) const TOLERANCE: Duration = Duration::minutes(5);

impl Registrar {
    /// What has to be stated about an enrolment, at a time that is yet to come.
    pub(super) async fn statement(
        &self,
        enrolment: &NewEnrolment,
        holder: &Identity,
        step: Step,
    ) -> Result<Statement, Error> {
        let profile = profile_of(holder)?;
        let identifying = self.identifying(holder, profile).await?;
        Ok(Statement {
            step,
            service: self.name.clone(),
            enrolment: enrolment.id.to_string(),
            identity: holder.id.to_string(),
            institution: holder.institution.to_string(),
            role: holder.role.clone(),
            profile: profile_word(profile).to_owned(),
            certificates: enrolment.certificates.as_str().to_owned(),
            days: enrolment.days.unwrap_or_default(),
            request: sm3::digest(&enrolment.request),
            key: enrolment.key_digest,
            identifiers: Some(identifiers(identifying.iter().map(IdentifyingExtension::der))),
            at: String::new(),
        })
    }

    /// A statement that the caller signed a moment ago: it says what is on record and nothing else, and the
    /// key is that of the certificate with which they are logged in.
    pub(super) async fn signed_now(
        &self,
        caller: &Caller,
        text: String,
        signature: Vec<u8>,
        expected: Statement,
    ) -> Result<SignedStatement, Error> {
        let stated = Statement::read(&text).map_err(|_| Reason::STATEMENT_DIFFERS)?;
        let at = clock::read(&stated.at).ok_or(Reason::STATEMENT_DIFFERS)?;
        if (at - caller.now).abs() > TOLERANCE {
            return Err(Reason::STATEMENT_LATE.into());
        }
        if stated != (Statement { at: stated.at.clone(), ..expected }) {
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

    /// Whether what is kept of an entry is what was signed; when that was.
    pub(super) async fn check_entry(
        &self,
        entered: &NewEnrolment,
        holder: &Identity,
    ) -> Result<UtcTime, Error> {
        let expected = self.statement(entered, holder, Step::Entry).await?;
        self.check_kept(&entered.entry, expected).await
    }

    /// Whether what is kept of an enrolment says that two persons signed it, or one where that is enough; when the
    /// last of them did.
    pub(super) async fn check_approved(
        &self,
        enrolment: &Enrolment,
        holder: &Identity,
    ) -> Result<UtcTime, Error> {
        let entered = &enrolment.entered;
        let at = self.check_entry(entered, holder).await?;
        match &enrolment.review {
            None => {
                let alone = self.enrolment_rules.one_person.contains(&stored_role(&holder.role)?);
                if alone { Ok(at) } else { Err(Reason::SECOND_PERSON_REQUIRED.into()) }
            }
            Some(review) if review.by == entered.entry.by => {
                Err(Reason::SECOND_PERSON_REQUIRED.into())
            }
            Some(review) => {
                let step = Step::Approval { entry: entered.entry.digest() };
                self.check_kept(review, self.statement(entered, holder, step).await?).await
            }
        }
    }

    async fn check_kept(
        &self,
        kept: &SignedStatement,
        expected: Statement,
    ) -> Result<UtcTime, Error> {
        let stated = Statement::read(&kept.text).map_err(|_| Reason::STATEMENT_DIFFERS)?;
        let at = clock::read(&stated.at).ok_or(Reason::STATEMENT_DIFFERS)?;
        // What was signed before statements said it names none.
        let identifiers = stated.identifiers.and(expected.identifiers);
        if stated != (Statement { at: stated.at.clone(), identifiers, ..expected }) {
            return Err(Reason::STATEMENT_DIFFERS.into());
        }
        self.check_signature(kept).await?;
        Ok(at)
    }

    async fn check_signature(&self, statement: &SignedStatement) -> Result<(), Error> {
        let record = self.store.certificate(&statement.with).await?;
        let record = record.filter(|record| record.identity == Some(statement.by));
        let der = record.and_then(|record| record.der).ok_or(Reason::STATEMENT_NOT_SIGNED)?;
        let certificate =
            Certificate::parse(&der).map_err(|e| Error::internal("a certificate on record", e))?;
        // The certificate says who signed; its own signature cannot be edited in a database.
        let verify = self.remembered();
        let (subject, by) = (certificate.subject(), statement.by.to_string());
        let operator = subject.common_name() == Some(by.as_str())
            && subject.organizational_unit() == Some(Role::Operator.as_str())
            && self.authorities.members().iter().any(|issuer| {
                issuer.revoked.is_none()
                    && issuer.certificate().subject() == certificate.issuer()
                    && certificate.is_signed_by_with(issuer.certificate().public_key(), &verify)
            });
        if !operator {
            return Err(Reason::STATEMENT_NOT_SIGNED.into());
        }
        let key = certificate.public_key();
        let digest = key.digest(&SignerId::DEFAULT, statement.text.as_bytes());
        Signature::from_raw(&statement.signature)
            .ok()
            .filter(|signature| verify(key, &digest, signature).is_ok())
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
