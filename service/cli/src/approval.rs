//! What operators sign when one enters that a certificate is to be issued and another reviews it, and what the two
//! statements of a certificate are worth: checked here, not believed.

use audit::approval::{Statement, Step, check, digest, identifiers};
use der::{Decode as _, Encode as _, asn1::OctetString};
use proto::v1::{self, enrolment::State};
use sm3::{Digest as _, Sm3};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use x509_cert::{Certificate as Issuer, ext::Extension, request::CertReq};

use crate::{
    certificate_status::verify,
    clock::written,
    identity::{Certificate, ClientKey},
    text::{Problem, name_of, problems},
};

#[cfg(test)]
mod tests;

/// What is to be entered.
pub(crate) struct Entry<'a> {
    /// Identifier of the enrolment.
    pub(crate) id: &'a str,
    /// Name of the service.
    pub(crate) service: &'a str,
    /// Whom the certificate is for, as the service has them on record.
    pub(crate) identity: &'a v1::Identity,
    pub(crate) certificates: v1::CertificateSet,
    pub(crate) days: u32,
    /// PKCS#10, DER.
    pub(crate) request: &'a [u8],
}

impl Entry<'_> {
    /// The statement of who enters it.
    pub(crate) fn statement(&self, now: OffsetDateTime) -> Result<Statement, Problem> {
        let Self { id, service, identity, certificates, days, request } = self;
        let key = CertReq::from_der(request).ok();
        let key =
            key.and_then(|it| Some(it.info.public_key.subject_public_key.as_bytes()?.to_vec()));
        let role = name_of::<v1::Role>(identity.role);
        let role = role.ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
        Ok(Statement {
            step: Step::Entry,
            service: (*service).to_owned(),
            enrolment: (*id).to_owned(),
            identity: identity.identity_id.clone(),
            institution: identity.institution_id.clone(),
            role: role.to_owned(),
            profile: profile(role).to_owned(),
            certificates: set(*certificates).to_owned(),
            days: *days,
            request: Sm3::digest(request).into(),
            key: Sm3::digest(key.ok_or(problems::REQUEST_MALFORMED)?).into(),
            identifiers: Some(told(&identity.identifiers)?),
            at: written(now),
        })
    }
}

/// The statement of who reviews what was entered; `why` to reject it.
pub(crate) fn review(
    entered: &Statement,
    entry: &v1::SignedStatement,
    why: Option<&str>,
    now: OffsetDateTime,
) -> Statement {
    let entry = digest(&entry.text, &entry.signature);
    let step = match why {
        None => Step::Approval { entry },
        Some(why) => Step::Rejection { entry, why: Sm3::digest(why).into() },
    };
    Statement { step, at: written(now), ..entered.clone() }
}

/// Signs a statement.
pub(crate) fn sign(key: &ClientKey, statement: &Statement) -> v1::SignedStatement {
    let text = statement.to_string();
    let signature = key.sign(text.as_bytes()).to_vec();
    v1::SignedStatement { text, signature, ..v1::SignedStatement::default() }
}

/// The statements of an enrolment, found to be what two people signed about this one certificate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Approvals {
    pub(crate) entry: Statement,
    pub(crate) review: Option<Statement>,
}

/// Checks an enrolment as the service gave it: signatures, that certificates of the signers were made by one of
/// these issuers, and that all of it is about one person, one key and one certificate.
pub(crate) fn approvals(
    enrolment: &v1::Enrolment,
    service: &str,
    issuers: &[Issuer],
) -> Result<Approvals, Problem> {
    let wrong = problems::APPROVAL_NOT_GENUINE;
    let entered = enrolment.entry.as_ref().ok_or(wrong)?;
    let entry = signed(entered, issuers)?;
    let right = entry.step == Step::Entry
        && entry.service == service
        && entry.enrolment == enrolment.enrolment_id
        && entry.identity == enrolment.identity_id
        && entry.certificates == set(enrolment.certificates())
        && entry.days == enrolment.valid_days
        && entry.profile == profile(&entry.role);
    right.then_some(()).ok_or(wrong)?;
    let review = match &enrolment.review {
        None => None,
        Some(reviewed) => {
            let named = digest(&entered.text, &entered.signature);
            let review = signed(reviewed, issuers)?;
            let (says, why) = match review.step {
                Step::Approval { entry } => (entry, None),
                Step::Rejection { entry, why } => (entry, Some(why)),
                Step::Entry => return Err(wrong),
            };
            let told = (!enrolment.rejection.is_empty())
                .then(|| <[u8; 32]>::from(Sm3::digest(&enrolment.rejection)));
            let (step, at) = (review.step, review.at.clone());
            let right = says == named
                && why == told
                && review == Statement { step, at, ..entry.clone() }
                && reviewed.identity_id != entered.identity_id;
            right.then_some(()).ok_or(wrong)?;
            Some(review)
        }
    };
    let fits = matches!(
        (enrolment.state(), review.as_ref().map(|review| review.step)),
        (State::Approved, Some(Step::Approval { .. }))
            | (State::Rejected, Some(Step::Rejection { .. }))
            | (State::Pending | State::Expired | State::Alone, None)
    );
    fits.then_some(()).ok_or(wrong)?;
    if !enrolment.certificate.is_empty() {
        let issued = genuine(&enrolment.certificate, issuers)?;
        let named = (part(&issued, "CN="), part(&issued, "OU="), part(&issued, "O="));
        let stated = (&entry.identity, &entry.role, &entry.institution);
        let right = named
            == (Some(stated.0.clone()), Some(stated.1.clone()), Some(stated.2.clone()))
            && issued.serial() == enrolment.serial
            && key_digest(&issued) == Some(entry.key)
            && entry.identifiers.is_none_or(|stated| said(&issued) == Some(stated));
        right.then_some(()).ok_or(wrong)?;
    }
    Ok(Approvals { entry, review })
}

/// The role of those who may enter and review.
const SIGNERS: &str = "operator";

/// A statement that its signer, who may make it, made with a certificate that was valid then.
fn signed(given: &v1::SignedStatement, issuers: &[Issuer]) -> Result<Statement, Problem> {
    let wrong = problems::APPROVAL_NOT_GENUINE;
    let certificate = genuine(&given.certificate, issuers)?;
    let key = point(&certificate).ok_or(wrong)?;
    let statement = check(&given.text, &given.signature, &key).map_err(|_| wrong)?;
    let at = OffsetDateTime::parse(&statement.at, &Rfc3339).map_err(|_| wrong)?;
    let valid =
        certificate.not_before() - TOLERANCE <= at && at <= certificate.not_after() + TOLERANCE;
    let named = (part(&certificate, "CN="), part(&certificate, "OU="));
    let right = named == (Some(given.identity_id.clone()), Some(SIGNERS.to_owned())) && valid;
    right.then_some(statement).ok_or(wrong)
}

/// How far the clock of who signed may have been off.
const TOLERANCE: time::Duration = time::Duration::minutes(5);

/// A certificate that one of these issuers made.
fn genuine(der: &[u8], issuers: &[Issuer]) -> Result<Certificate, Problem> {
    let wrong = problems::APPROVAL_NOT_GENUINE;
    let parsed = Issuer::from_der(der).map_err(|_| wrong)?;
    let body = parsed.tbs_certificate();
    let issuer = issuers.iter().find(|issuer| issuer.tbs_certificate().subject() == body.issuer());
    let issuer = issuer.ok_or(problems::APPROVAL_ISSUER_UNKNOWN)?;
    let certificate = Certificate::parse(der.to_vec()).map_err(|_| wrong)?;
    let body = body.to_der().map_err(|_| wrong)?;
    let signature = parsed.signature().as_bytes().ok_or(wrong)?;
    verify(issuer, &body, signature, parsed.signature_algorithm()).ok_or(wrong)?;
    Ok(certificate)
}

/// The public key as a point.
fn point(certificate: &Certificate) -> Option<Vec<u8>> {
    let parsed = Issuer::from_der(certificate.der()).ok()?;
    let key = &parsed.tbs_certificate().subject_public_key_info().subject_public_key;
    Some(key.as_bytes()?.to_vec())
}

/// SM3 of the public key, as statements name it.
pub(crate) fn key_digest(certificate: &Certificate) -> Option<[u8; 32]> {
    Some(Sm3::digest(point(certificate)?).into())
}

/// Arcs of extensions that say something else than who the holder is.
const NOT_IDENTIFYING: [&str; 2] = ["2.5.29.", "1.3.6.1.5.5.7."];

/// Identifying extensions as the service tells them, as statements name them.
pub(crate) fn told(all: &[v1::CertificateIdentifier]) -> Result<[u8; 32], Problem> {
    let extension = |it: &v1::CertificateIdentifier| {
        let extn_value = OctetString::new(&it.value[..]).ok()?;
        Extension { extn_id: it.oid.parse().ok()?, critical: false, extn_value }.to_der().ok()
    };
    let all: Option<Vec<_>> = all.iter().map(extension).collect();
    Ok(identifiers(all.ok_or(problems::SERVICE_ANSWER_MALFORMED)?))
}

/// Those of a certificate.
fn said(certificate: &Certificate) -> Option<[u8; 32]> {
    let parsed = Issuer::from_der(certificate.der()).ok()?;
    let all = parsed.tbs_certificate().extensions().into_iter().flatten().filter(|it| {
        let id = it.extn_id.to_string();
        !NOT_IDENTIFYING.iter().any(|arc| id.starts_with(arc))
    });
    Some(identifiers(all.map(|it| it.to_der().ok()).collect::<Option<Vec<_>>>()?))
}

/// A part of the subject. What the service names people by has no character that is written with an escape.
pub(crate) fn part(certificate: &Certificate, name: &str) -> Option<String> {
    certificate.subject().split(',').find_map(|part| part.strip_prefix(name).map(str::to_owned))
}

/// The word of statements for a role's kind of certificate.
fn profile(role: &str) -> &'static str {
    match role {
        "desk" => "device",
        "system" => "system",
        _ => "person",
    }
}

fn set(certificates: v1::CertificateSet) -> &'static str {
    match certificates {
        v1::CertificateSet::Pair => "pair",
        _ => "signing",
    }
}
