//! `healthcard authority status`: whether a certificate was revoked, as its issuer says now.

use std::path::Path;

use axum::http::StatusCode;
use der::Decode as _;
use proto::v1::{AuthoritiesResponse, IdentifierSetting, RevocationReason};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use x509_cert::Certificate;

use super::{authorities, decoded, is_made_by};
use crate::{
    certificate_status::{Answer, LIMIT, Question, Standing},
    clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files,
    page::{Cell, Page, instant},
    service::post,
    text::{self, Problem, problems, word_of},
};

pub(super) async fn status(context: &Context, certificate: Option<&Path>) -> Outcome {
    let der = match certificate {
        Some(path) => files::read(path, 16 * 1024)?.to_vec(),
        None => context.service.home().certificate()?.der().to_vec(),
    };
    let certificate = Certificate::from_der(&der).map_err(|_| problems::CERTIFICATE_MALFORMED)?;
    let found = authorities(context).await?;
    let issuer = issuer_of(&certificate, &found)?;
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
    let serial = certificate.tbs_certificate().serial_number();
    let question =
        Question::new(&issuer, serial, &nonce).ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
    let response = ask(context, question.der()).await?;
    let answer = question.read(&response, clock::now())?;
    let now = clock::now();
    let validity = certificate.tbs_certificate().validity();
    let [from, to] = [validity.not_before, validity.not_after]
        .map(|time| OffsetDateTime::UNIX_EPOCH + time.to_unix_duration());
    let in_validity = (from..=to).contains(&now);
    let serial = hex::encode(serial.as_bytes());
    Ok(show(context, &serial, answer, in_validity, &found.identifiers))
}

/// The authority of this service that the certificate names as its issuer, and that did make it: the number alone
/// would be that of a certificate which the authority made.
fn issuer_of(
    certificate: &Certificate,
    found: &AuthoritiesResponse,
) -> Result<Certificate, Problem> {
    let named = |der: &Vec<u8>| {
        let issuer = decoded(der)?;
        let named = issuer.tbs_certificate().subject() == certificate.tbs_certificate().issuer();
        named.then_some(issuer)
    };
    let made = |issuer: &Certificate| is_made_by(issuer, certificate).is_some();
    let mut now = std::iter::once(&found.root).chain(&found.issuers).filter_map(named).peekable();
    let is_named = now.peek().is_some();
    if let Some(issuer) = now.find(made) {
        return Ok(issuer);
    }
    // Of what roots of before have made the service says nothing more than their last lists.
    let mut before = found.succeeded.iter().filter_map(|root| named(&root.root));
    match before.any(|root| made(&root)) || !is_named {
        true => Err(problems::STATUS_FOREIGN),
        false => Err(problems::CERTIFICATE_FORGED),
    }
}

/// Sends a question to the service and takes what comes back (RFC 6960, appendix A.1).
async fn ask(context: &Context, question: &[u8]) -> Result<Vec<u8>, Failure> {
    let channel = context.service.channel().await?;
    match post(channel, ("/ocsp", "application/ocsp-request"), question, LIMIT).await? {
        (StatusCode::OK, response) => Ok(response),
        _ => Err(problems::STATUS_UNAVAILABLE.into()),
    }
}

fn show(
    context: &Context,
    serial: &str,
    answer: Answer,
    in_validity: bool,
    settings: &[IdentifierSetting],
) -> Exit {
    let (title, word, since, reason) = match answer.standing {
        Standing::Good if !in_validity => (text::STATUS_PAST, "good", None, None),
        Standing::Good => (text::STATUS_GOOD, "good", None, None),
        Standing::Revoked(at, reason) => (text::STATUS_REVOKED, "revoked", Some(at), reason),
        Standing::Unknown => (text::STATUS_UNKNOWN, "unknown", None, None),
    };
    let Answer { this_update, next_update, .. } = answer;
    let page = Page::titled(title)
        .row(text::SERIAL, serial)
        .maybe(text::REVOKED_SINCE, since.map(instant))
        .maybe(text::REVOKED_BECAUSE, reason.map(reason_cell))
        .row(text::STATUS_AS_OF, instant(this_update))
        .row(text::STATUS_UNTIL, instant(next_update))
        .row(
            text::IDENTIFIER_SETTINGS,
            settings.iter().map(setting_line).collect::<Vec<_>>().join("\n"),
        );
    let written = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    let json = json!({
        "serial": serial,
        "status": word,
        "in_validity": in_validity,
        "revoked_at": since.map(written),
        "reason": reason,
        "this_update": written(this_update),
        "next_update": written(next_update),
        "identifiers": settings.iter().map(|it| json!({
            "oid": it.oid, "prefix": it.prefix, "value": it.value, "profiles": it.profiles,
        })).collect::<Vec<_>>(),
    });
    context.screen.show(&json, &page);
    match answer.standing {
        Standing::Good if in_validity => Exit::Done,
        Standing::Good | Standing::Revoked(..) | Standing::Unknown => Exit::Refused,
    }
}

/// An extension of certificates that are issued now, as the settings have it.
fn setting_line(setting: &IdentifierSetting) -> String {
    let IdentifierSetting { oid, prefix, value, profiles } = setting;
    format!("{oid}  {prefix}<{value}>  {}", profiles.join(", "))
}

/// A reason by its word, or by its number in RFC 5280, 5.3.1.
fn reason_cell(code: u8) -> Cell {
    match word_of::<RevocationReason>(i32::from(code)) {
        Some(word) => word.into(),
        None => code.to_string().into(),
    }
}
