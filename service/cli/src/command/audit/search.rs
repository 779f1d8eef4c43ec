//! Searching, and how an entry of the log is shown.

use audit::Entry;
use clap::Args;
use prost_types::Timestamp;
use proto::v1::{SearchAuditRequest, audit_client::AuditClient};
use serde_json::Value;
use time::{
    Date, OffsetDateTime, Time,
    format_description::well_known::{Iso8601, Rfc3339},
};

use crate::{
    clock,
    command::Pages,
    context::{Context, Outcome},
    exit::Exit,
    json,
    page::{Cell, Page, entry_instant},
    show, text,
};

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// 居民编号 | About this resident
    #[arg(long, value_name = "RESIDENT", default_value = "", hide_default_value = true)]
    resident: String,
    /// 操作者的身份编号 | By this identity
    #[arg(long, value_name = "IDENTITY", default_value = "", hide_default_value = true)]
    actor: String,
    /// 操作，如 token.issue | What was done, such as token.issue
    #[arg(long, value_name = "ACTION", default_value = "", hide_default_value = true)]
    action: String,
    /// 就诊编号 | In this visit
    #[arg(long, value_name = "VISIT", default_value = "", hide_default_value = true)]
    visit: String,
    /// 结果 | With this result
    #[arg(long, value_name = "OUTCOME", value_parser = ["granted", "refused", "failed"])]
    outcome: Option<String>,
    /// 起始时间（含），YYYY-MM-DD（北京时间零时）或 RFC 3339 | From this time on, YYYY-MM-DD (midnight at +08:00) or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<OffsetDateTime>,
    /// 截止时间（不含），YYYY-MM-DD（北京时间零时）或 RFC 3339 | Before this time, YYYY-MM-DD (midnight at +08:00) or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<OffsetDateTime>,
    /// 只看警报，如使用已挂失的卡 | Only alerts, such as the use of a card that was reported lost
    #[arg(long)]
    alerts: bool,
    #[command(flatten)]
    pages: Pages,
}

/// A time as typed; a bare date is its first moment at the desk.
fn instant(text: &str) -> Result<OffsetDateTime, &'static str> {
    let date = || Date::parse(text, &Iso8601::DATE).map(|date| date.with_time(Time::MIDNIGHT));
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| date().map(|midnight| midnight.assume_offset(clock::DESK)))
        .map_err(|_| "YYYY-MM-DD / RFC 3339")
}

impl Search {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let stamp = |at: OffsetDateTime| Timestamp {
            seconds: at.unix_timestamp(),
            nanos: at.nanosecond().cast_signed(),
        };
        let request = SearchAuditRequest {
            resident_id: self.resident,
            actor_id: self.actor,
            action: self.action,
            visit_id: self.visit,
            outcome: self.outcome.unwrap_or_default(),
            from: self.from.map(stamp),
            until: self.until.map(stamp),
            page_size: self.pages.page_size,
            page_token: self.pages.page_token,
            alerts: self.alerts,
        };
        let found = context
            .service
            .ask(async |channel| {
                let client = AuditClient::new(channel);
                client.max_decoding_message_size(LARGEST_PAGE).search(request.clone()).await
            })
            .await?;
        let mut json = json::of("SearchAuditResponse", &found);
        if let Some(Value::Array(entries)) = json.get_mut("entries") {
            for (value, entry) in entries.iter_mut().zip(&found.entries) {
                *value = entry_json(value.take(), &entry.entry);
            }
        }
        let lines = found.entries.iter().map(|it| line(it.position, &it.entry)).collect();
        let headings =
            [text::POSITION, text::AT, text::ACTION, text::OUTCOME, text::ROLE, text::ACTOR];
        let page = show::listed(text::AUDIT_ENTRIES, &headings, lines, &found.next_page_token);
        context.screen.show(&json, &page);
        Ok(Exit::Done)
    }
}

/// Largest page, bytes: 500 leaves of 8 KiB and their frames.
const LARGEST_PAGE: usize = 5 * 1024 * 1024;

fn line(position: u64, bytes: &[u8]) -> Vec<Cell> {
    let Ok(entry) = Entry::decode(bytes) else {
        return vec![Cell::from(position), Cell::from(String::from_utf8_lossy(bytes).into_owned())];
    };
    vec![
        Cell::from(position),
        Cell::from(entry_instant(&entry)),
        Cell::from(entry.action),
        Cell::from(entry.outcome.as_str()),
        Cell::from(entry.actor.role.unwrap_or_default()),
        Cell::from(entry.actor.identity.unwrap_or_default()),
    ]
}

/// Puts the entry itself beside its bytes: `entry` as JSON, `entry_bytes` as base64.
pub(super) fn entry_json(mut message: Value, entry: &[u8]) -> Value {
    let bytes = message["entry"].take();
    message["entry"] = serde_json::from_slice(entry).unwrap_or(Value::Null);
    message["entry_bytes"] = bytes;
    message
}

/// Adds what an entry says, in the words of the entry.
pub(super) fn entry_page(page: Page, position: u64, bytes: &[u8]) -> Page {
    let page = page.row(text::POSITION, position);
    let Ok(entry) = Entry::decode(bytes) else {
        return page.row(text::ENTRY, String::from_utf8_lossy(bytes).into_owned());
    };
    let at = entry_instant(&entry);
    let object = entry.object.map(|object| format!("{} {}", object.kind, object.id));
    let detail: Vec<_> =
        entry.detail.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    page.row(text::AT, at)
        .row(text::ACTION, entry.action)
        .row(text::OUTCOME, entry.outcome.as_str())
        .maybe(text::ACTOR, entry.actor.identity)
        .maybe(text::ROLE, entry.actor.role)
        .maybe(text::SERIAL, entry.actor.certificate)
        .maybe(text::INSTITUTION_ID, entry.actor.institution)
        .maybe(text::RESIDENT_ID, entry.resident)
        .maybe(text::VISIT_ID, entry.visit)
        .maybe(text::PURPOSE, entry.purpose)
        .maybe(text::RULE, entry.policy.map(|policy| policy.rule))
        .maybe(text::OBJECT, object)
        .row(text::ENTRY, detail.join("\n"))
        .row(text::ENTRY_ID, entry.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_read_as_typed() {
        let cases = [
            ("2026-11-23", Some(datetime!(2026-11-22 16:00 UTC))),
            ("2026-11-23T08:00:00+08:00", Some(datetime!(2026-11-23 00:00 UTC))),
            ("2026-11-23T00:00:00Z", Some(datetime!(2026-11-23 00:00 UTC))),
            // As times are shown.
            ("2026-11-23 16:05:09+08:00", Some(datetime!(2026-11-23 08:05:09 UTC))),
            ("2026-11-31", None),
            ("23.11.2026", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(instant(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn entry_is_given_as_json_and_as_bytes() {
        let message = json!({"position": 3, "entry": "e30="});
        let shown = entry_json(message, b"{}");
        assert_eq!(shown, json!({"position": 3, "entry": {}, "entry_bytes": "e30="}));
    }
}
