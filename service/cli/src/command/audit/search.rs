//! Searching, and how an entry of the log is shown.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use audit::Entry;
use clap::Args;
use prost_types::Timestamp;
use proto::v1::{
    AuditCount, AuditQuestion, CountAuditRequest, CountBy, Purpose, Role, SearchAuditRequest,
    SearchAuditResponse, audit_client::AuditClient,
};
use serde_json::{Value, json};
use time::{
    Date, OffsetDateTime, Time,
    format_description::well_known::{Iso8601, Rfc3339},
};

use super::written::{Form, Written};
use crate::{
    clock,
    command::Pages,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    json,
    page::{Cell, Page, entry_instant},
    show,
    text::{self, Text, name_of, parser, word_of},
};

/// Which entries: all that is given has to be met.
#[derive(Debug, Args)]
pub(crate) struct Conditions {
    /// 常用问题 | A question that is asked again and again
    #[arg(long, value_name = "QUESTION", value_parser = parser::<AuditQuestion>())]
    question: Option<AuditQuestion>,
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
    /// 操作者所在机构的编号 | By somebody of this institution
    #[arg(long, value_name = "INSTITUTION", default_value = "", hide_default_value = true)]
    institution: String,
    /// 操作者的角色 | By somebody in this role
    #[arg(long, value_name = "ROLE", value_parser = parser::<Role>())]
    role: Option<Role>,
    /// 操作者的网络地址，如某一窗口的 | From this network address, such as that of a desk
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    address: String,
    /// 目的 | For this purpose
    #[arg(long, value_name = "PURPOSE", value_parser = parser::<Purpose>())]
    purpose: Option<Purpose>,
    /// 依据的规则，如 doctor-treats | Decided by this rule, such as doctor-treats
    #[arg(long, value_name = "RULE", default_value = "", hide_default_value = true)]
    rule: String,
    /// 拒绝原因，如 NO_RELATION | Refused for this reason, such as NO_RELATION
    #[arg(long, value_name = "REASON", default_value = "", hide_default_value = true)]
    reason: String,
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
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    conditions: Conditions,
    /// 把所有符合的记录写入文件 | Write all entries that match into a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["page_size", "page_token"])]
    out: Option<PathBuf>,
    /// 文件格式 | Form of the file
    #[arg(long, value_name = "FORM", default_value = "csv", requires = "out")]
    form: Form,
    #[command(flatten)]
    pages: Pages,
}

#[derive(Debug, Args)]
pub(crate) struct Count {
    /// 按此分组计数 | What to count by
    #[arg(long, value_name = "BY", value_parser = parser::<CountBy>())]
    by: CountBy,
    #[command(flatten)]
    conditions: Conditions,
}

#[derive(Debug, Args)]
pub(crate) struct Follow {
    #[command(flatten)]
    conditions: Conditions,
}

impl Conditions {
    fn request(self) -> SearchAuditRequest {
        let stamp = |at: OffsetDateTime| Timestamp {
            seconds: at.unix_timestamp(),
            nanos: at.nanosecond().cast_signed(),
        };
        SearchAuditRequest {
            resident_id: self.resident,
            actor_id: self.actor,
            action: self.action,
            visit_id: self.visit,
            outcome: self.outcome.unwrap_or_default(),
            from: self.from.map(stamp),
            until: self.until.map(stamp),
            page_size: 0,
            page_token: String::new(),
            alerts: self.alerts,
            institution_id: self.institution,
            role: self
                .role
                .and_then(|it| name_of::<Role>(it.into()))
                .unwrap_or_default()
                .to_owned(),
            address: self.address,
            purpose: self
                .purpose
                .and_then(|it| name_of::<Purpose>(it.into()))
                .unwrap_or_default()
                .to_owned(),
            rule: self.rule,
            reason: self.reason,
            question: self.question.unwrap_or_default().into(),
        }
    }
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
        let mut request = self.conditions.request();
        if let Some(out) = &self.out {
            return write_all(context, request, out, self.form).await;
        }
        request.page_size = self.pages.page_size;
        request.page_token = self.pages.page_token;
        let mut found = page_of(context, &request).await?;
        // What matches may be far back: the service looks at so many entries in a call.
        while found.entries.is_empty() && !found.next_page_token.is_empty() {
            context.screen.hint(text::AUDIT_SEARCHING);
            request.page_token = found.next_page_token;
            found = page_of(context, &request).await?;
        }
        let mut json = json::of("SearchAuditResponse", &found);
        if let Some(Value::Array(entries)) = json.get_mut("entries") {
            for (value, entry) in entries.iter_mut().zip(&found.entries) {
                *value = entry_json(value.take(), &entry.entry);
            }
        }
        let lines = found.entries.iter().map(|it| line(it.position, &it.entry)).collect();
        let page = show::listed(text::AUDIT_ENTRIES, &HEADINGS, lines, &found.next_page_token);
        let page = match found.begins {
            0 => page,
            begins => page.note(Cell::Filled(text::SEARCH_BEGINS, vec![begins.to_string()])),
        };
        context.screen.show(&json, &page);
        Ok(Exit::Done)
    }
}

/// Writes all entries that match, the newest first. The file appears under its name when it is complete.
async fn write_all(
    context: &Context,
    mut request: SearchAuditRequest,
    out: &Path,
    form: Form,
) -> Outcome {
    request.page_size = MOST_A_PAGE;
    let mut written = Written::begin(form, out)?;
    loop {
        let found = page_of(context, &request).await?;
        for entry in &found.entries {
            written.add(entry.position, &entry.entry)?;
        }
        if found.next_page_token.is_empty() {
            break;
        }
        context.screen.hint(text::AUDIT_SEARCHING);
        request.page_token = found.next_page_token;
    }
    let entries = written.finish()?;
    let path = out.display().to_string();
    let page =
        Page::titled(text::AUDIT_EXPORTED).row(text::FILE, &path).row(text::ENTRIES, entries);
    context.screen.show(&json!({ "file": path, "entries": entries }), &page);
    Ok(Exit::Done)
}

async fn page_of(
    context: &Context,
    request: &SearchAuditRequest,
) -> Result<SearchAuditResponse, Failure> {
    context
        .service
        .ask(async |channel| {
            let client = AuditClient::new(channel);
            client.max_decoding_message_size(LARGEST_PAGE).search(request.clone()).await
        })
        .await
}

impl Count {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let mut search = self.conditions.request();
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            let request = CountAuditRequest { search: Some(search.clone()), by: self.by.into() };
            let counted = context
                .service
                .ask(async |channel| AuditClient::new(channel).count(request.clone()).await)
                .await?;
            for AuditCount { value, entries } in counted.counts {
                *counts.entry(value).or_default() += entries;
            }
            if counted.next_page_token.is_empty() {
                break;
            }
            context.screen.hint(text::AUDIT_SEARCHING);
            search.page_token = counted.next_page_token;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        // Time as it goes, and of the rest what there is most of first.
        if !matches!(self.by, CountBy::Day | CountBy::Hour) {
            counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        }
        let total: u64 = counts.iter().map(|(_, entries)| entries).sum();
        let json: Vec<_> = counts
            .iter()
            .map(|(value, entries)| json!({ "value": value, "entries": entries }))
            .collect();
        let line = |(value, entries): &(String, u64)| {
            let value = if value.is_empty() { "-" } else { value };
            vec![Cell::from(value), Cell::from(*entries)]
        };
        let by = word_of::<CountBy>(self.by.into()).unwrap_or(text::AUDIT_ENTRIES);
        let lines = counts.iter().map(line).collect();
        let page = show::listed(text::AUDIT_COUNTS, &[by, text::ENTRIES], lines, "");
        context.screen.show(&json!({ "counts": json, "total": total }), &page);
        Ok(Exit::Done)
    }
}

impl Follow {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let request = self.conditions.request();
        let mut stream = context
            .service
            .ask(async |channel| AuditClient::new(channel).follow(request.clone()).await)
            .await?;
        context.screen.hint(text::AUDIT_FOLLOWING);
        while let Some(entry) = stream.message().await? {
            let json = entry_json(json::of("AuditEntry", &entry), &entry.entry);
            let page = entry_page(Page::titled(text::AUDIT_ENTRY), entry.position, &entry.entry);
            context.screen.show(&json, &page);
        }
        Ok(Exit::Unreachable)
    }
}

/// Most entries that a page has.
const MOST_A_PAGE: u32 = 500;
const HEADINGS: [Text; 6] =
    [text::POSITION, text::AT, text::ACTION, text::OUTCOME, text::ROLE, text::ACTOR];
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
