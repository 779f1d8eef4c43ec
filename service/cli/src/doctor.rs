//! The check-up: what a desk needs before a card can be read, each with what to do about it.

use proto::v1::{TokenKeysRequest, tokens_client::TokensClient};
use serde_json::{Value, json};
use time::{
    Duration, OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem,
    macros::format_description,
};

use crate::{
    clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    page::{Cell, Page, instant},
    service::Security,
    text::{self, Lang, Text, problems},
};

/// Days before its end at which a certificate calls for attention.
const NOTICE_DAYS: i64 = 30;
/// Seconds that clocks may differ before log-in and signing suffer.
const SKEW_SECONDS: i64 = 60;

/// One thing looked at.
struct Finding {
    /// Stable name for programs.
    check: &'static str,
    label: Text,
    state: Result<Cell, Failure>,
}

/// Looks at everything, also after something was found wrong.
pub(crate) async fn run(context: &Context) -> Outcome {
    let service_time = service_time(context).await;
    let now = clock::now();
    let findings = [
        finding("key", text::CHECK_KEY, key(context)),
        finding("certificate", text::CHECK_CERTIFICATE, certificate(context, now)),
        finding("server", text::CHECK_SERVER, server(context, &service_time)),
        finding("clock", text::CHECK_CLOCK, skew(service_time, now)),
        finding("login", text::CHECK_LOGIN, login(context).await),
        finding("readers", text::CHECK_READERS, readers().await),
    ];
    let bad = findings.iter().filter(|finding| finding.state.is_err()).count();
    let checks: Vec<Value> = findings.iter().map(|it| it.json(context.screen.lang)).collect();
    let json = json!({ "good": bad == 0, "checks": checks });
    context.screen.show(&json, &page(&findings, bad));
    Ok(if bad == 0 { Exit::Done } else { Exit::Refused })
}

fn finding(check: &'static str, label: Text, state: Result<Cell, Failure>) -> Finding {
    Finding { check, label, state }
}

impl Finding {
    fn json(&self, lang: Lang) -> Value {
        match &self.state {
            Ok(detail) => {
                json!({ "check": self.check, "good": true, "detail": detail.speak(lang) })
            }
            Err(failure) => {
                json!({ "check": self.check, "good": false, "error": failure.json(lang)["error"] })
            }
        }
    }
}

fn page(findings: &[Finding], bad: usize) -> Page {
    let page =
        findings.iter().fold(Page::titled(text::DOCTOR), |page, finding| match &finding.state {
            Ok(detail) => page.row(finding.label, Cell::Marked("✓", Box::new(detail.clone()))),
            Err(failure) => {
                let message = Cell::Both(failure.message.clone());
                let page = page.row(finding.label, Cell::Marked("✗", Box::new(message)));
                let page = failure.detail.iter().fold(page, |page, it| page.row(text::CAUSE, it));
                page.row(text::ADVICE, Cell::Both(failure.advice.clone()))
            }
        });
    match bad {
        0 => page.note(text::ALL_GOOD),
        bad => page.note(Cell::Filled(text::SOME_BAD, vec![bad.to_string()])),
    }
}

fn key(context: &Context) -> Result<Cell, Failure> {
    context.service.home().key()?;
    Ok(context.service.home().dir().display().to_string().into())
}

fn certificate(context: &Context, now: OffsetDateTime) -> Result<Cell, Failure> {
    let certificate = context.service.home().certificate()?;
    judge_validity(certificate.not_before(), certificate.not_after(), now)
}

fn judge_validity(
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Cell, Failure> {
    let until = instant(not_after);
    let days = (not_after - now).whole_days();
    if now < not_before {
        return Err(Failure::of(problems::CERTIFICATE_NOT_YET_VALID).about(instant(not_before)));
    }
    if now > not_after {
        return Err(Failure::of(problems::CERTIFICATE_EXPIRED).about(until));
    }
    if days < NOTICE_DAYS {
        return Err(Failure::of(problems::CERTIFICATE_EXPIRES_SOON).about(until));
    }
    Ok(Cell::Filled(text::DAYS_LEFT, vec![days.to_string()]))
}

/// The time that the service's answer carries, where there is one.
async fn service_time(context: &Context) -> Result<Option<OffsetDateTime>, Failure> {
    let channel = context.service.channel().await?;
    let answer = TokensClient::new(channel).keys(TokenKeysRequest {}).await?;
    let date = answer.metadata().get("date").and_then(|date| date.to_str().ok());
    Ok(date.and_then(http_date))
}

fn server(
    context: &Context,
    answered: &Result<Option<OffsetDateTime>, Failure>,
) -> Result<Cell, Failure> {
    match (answered, context.service.address().security) {
        (Err(failure), _) => Err(failure.clone()),
        (Ok(_), Security::Tls) => Ok(text::TLS_TRUSTED.into()),
        (Ok(_), Security::National) => Ok(text::NATIONAL_TLS_TRUSTED.into()),
        (Ok(_), Security::InsecurePlaintext) => Ok(text::NOT_ENCRYPTED.into()),
    }
}

fn skew(
    service_time: Result<Option<OffsetDateTime>, Failure>,
    now: OffsetDateTime,
) -> Result<Cell, Failure> {
    let Ok(Some(theirs)) = service_time else {
        return Err(problems::CLOCK_UNKNOWN.into());
    };
    let seconds = (now - theirs).whole_seconds();
    let skew = Cell::Filled(text::CLOCK_SKEW, vec![seconds.to_string()]);
    if Duration::seconds(seconds).abs() > Duration::seconds(SKEW_SECONDS) {
        return Err(Failure::of(problems::CLOCK_WRONG).about(format_args!("{seconds} s")));
    }
    Ok(skew)
}

async fn login(context: &Context) -> Result<Cell, Failure> {
    context.service.authorized().await?;
    Ok(text::GOOD.into())
}

async fn readers() -> Result<Cell, Failure> {
    let found = tokio::task::spawn_blocking(card::transport::pcsc::readers).await;
    match found {
        Ok(Ok(readers)) if readers.is_empty() => Err(problems::READER_MISSING.into()),
        Ok(Ok(readers)) => Ok(readers.join("; ").into()),
        _ => Err(problems::READER_SERVICE_UNAVAILABLE.into()),
    }
}

/// The time of an HTTP answer (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<OffsetDateTime> {
    const FORM: &[BorrowedFormatItem<'_>] = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    PrimitiveDateTime::parse(text, FORM).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 08:00 UTC);

    #[test]
    fn certificates_are_judged_by_the_day() {
        let from = datetime!(2026-01-01 0:00 UTC);
        let cases = [
            (from, datetime!(2027-01-01 0:00 UTC), Ok("38 days left")),
            (from, datetime!(2026-12-22 8:00 UTC), Err("CERTIFICATE_EXPIRES_SOON")),
            (from, datetime!(2026-11-23 7:59 UTC), Err("CERTIFICATE_EXPIRED")),
            (
                datetime!(2026-11-24 0:00 UTC),
                datetime!(2027-11-24 0:00 UTC),
                Err("CERTIFICATE_NOT_YET_VALID"),
            ),
        ];
        for (from, until, expected) in cases {
            let verdict = judge_validity(from, until, NOW);
            let verdict = verdict.map(|cell| cell.speak(Lang::En)).map_err(|it| it.reason.clone());
            assert_eq!(verdict, expected.map(str::to_owned).map_err(str::to_owned));
        }
    }

    #[test]
    fn clocks_are_compared() {
        let ahead = |seconds| Ok(Some(NOW + Duration::seconds(seconds)));
        let cases = [
            (ahead(2), Ok("-2 s away from the service")),
            (ahead(60), Ok("-60 s away from the service")),
            (ahead(-61), Err("CLOCK_WRONG")),
            (Ok(None), Err("CLOCK_UNKNOWN")),
            (Err(problems::SERVICE_UNREACHABLE.into()), Err("CLOCK_UNKNOWN")),
        ];
        for (theirs, expected) in cases {
            let verdict = skew(theirs, NOW).map(|cell| cell.speak(Lang::En));
            let verdict = verdict.map_err(|failure| failure.reason.clone());
            assert_eq!(verdict, expected.map(str::to_owned).map_err(str::to_owned));
        }
    }

    #[test]
    fn dates_of_http_are_read() {
        let cases = [
            ("Mon, 23 Nov 2026 08:00:00 GMT", Some(NOW)),
            ("Mon, 23 Nov 2026 08:00:00 CET", None),
            ("2026-11-23T08:00:00Z", None),
        ];
        for (text, expected) in cases {
            assert_eq!(http_date(text), expected, "{text}");
        }
    }
}
