//! Searching the log, and counting in it.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

use audit::{Entry, Outcome};
use rusqlite::{Connection, Row, Rows, types::Value};
use serde_json::json;

use super::{BadId, LogEntry, MAX_PAGE, Store, StoreError, micros::Micros};
use crate::{
    clock::{self, UtcTime, date_at_desk},
    policy::Act,
    vocabulary::{AuditQuestion, CountBy},
};

/// Entries that are read in one call for conditions that no index knows, or to be counted.
pub const EXAMINED: u32 = 50_000;
/// How long one search reads for such conditions, on however slow a disk.
const PATIENCE: Duration = Duration::from_millis(200);
/// Entries after which the time is looked at.
const GLANCE: u32 = 256;
/// What is counted apart; the rest is counted together, under an empty name.
const MOST_GROUPS: usize = 10_000;

/// Conditions that an entry must meet, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchFilter {
    /// About this resident, by pseudonym.
    pub resident: Option<String>,
    /// By this identity.
    pub actor: Option<String>,
    /// This action, e.g. `token.issue`.
    pub action: Option<String>,
    /// In this visit.
    pub visit: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Not before.
    pub from: Option<UtcTime>,
    /// Before.
    pub until: Option<UtcTime>,
    /// Only those that carry an alert.
    pub alerts: bool,
    /// What the entry itself says.
    pub within: WithinEntry,
}

/// Conditions on what only the entry itself says, all of them. No index knows them: entries are read for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WithinEntry {
    /// By somebody of this institution.
    pub institution: Option<String>,
    /// By somebody in this role.
    pub role: Option<String>,
    /// From this network address.
    pub address: Option<String>,
    /// For this purpose.
    pub purpose: Option<String>,
    /// Decided by this rule.
    pub rule: Option<String>,
    /// Refused for this reason.
    pub reason: Option<String>,
    /// An answer to this question.
    pub question: Option<AuditQuestion>,
}

impl WithinEntry {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an entry meets them.
    #[must_use]
    pub fn admits(&self, entry: &Entry) -> bool {
        let meets = |wanted: &Option<String>, said: Option<&String>| match wanted {
            Some(wanted) => said == Some(wanted),
            None => true,
        };
        let Entry { actor, purpose, policy, detail, .. } = entry;
        meets(&self.institution, actor.institution.as_ref())
            && meets(&self.role, actor.role.as_ref())
            && meets(&self.address, actor.address.as_ref())
            && meets(&self.purpose, purpose.as_ref())
            && meets(&self.rule, policy.as_ref().map(|policy| &policy.rule))
            && meets(&self.reason, detail.get("reason"))
            && self.question.is_none_or(|question| answers(question, entry))
    }
}

/// What an entry has to have among its octets, and its columns have to say, to meet conditions: it takes less than reading it.
struct Signs {
    question: Option<AuditQuestion>,
    /// Fields as the one form of entries has them.
    fields: Vec<String>,
}

impl Signs {
    fn of(within: &WithinEntry) -> Self {
        let WithinEntry { institution, role, address, purpose, rule, reason, question } = within;
        let fields = [
            ("institution", institution),
            ("role", role),
            ("address", address),
            ("purpose", purpose),
            ("rule", rule),
            ("reason", reason),
        ];
        let field = |(name, value): (&str, &Option<String>)| {
            value.as_ref().map(|value| format!("\"{name}\":{}", json!(value)))
        };
        Self { question: *question, fields: fields.into_iter().filter_map(field).collect() }
    }

    fn are_on(&self, row: &Row<'_>, at: i64) -> rusqlite::Result<bool> {
        let column = |column| row.get_ref(column).map(|value| value.as_str().unwrap_or_default());
        let is = |act: Act, action: &str| act.as_str() == action;
        let granted = || Ok::<_, rusqlite::Error>(column("outcome")? == Outcome::Granted.as_str());
        let asked = match self.question {
            None => true,
            Some(AuditQuestion::WhoOpened) => {
                let action = column("action")?;
                granted()? && OPENING.iter().any(|act| is(*act, action))
            }
            Some(AuditQuestion::AtNight) => is_night(at),
            Some(AuditQuestion::Emergencies) => {
                granted()? && is(Act::EmergencyBegin, column("action")?)
            }
            Some(AuditQuestion::WithoutVisit) => {
                let action = column("action")?;
                let seen = is(Act::TokenIssue, action) || is(Act::CardDump, action);
                seen && granted()? && row.get_ref("visit")?.as_str().is_err()
            }
            Some(AuditQuestion::Refusals) => column("outcome")? == Outcome::Refused.as_str(),
        };
        if !asked || self.fields.is_empty() {
            return Ok(asked);
        }
        let entry = row.get_ref("entry")?.as_blob().map(str::from_utf8);
        let Ok(Ok(entry)) = entry else { return Ok(false) };
        Ok(self.fields.iter().all(|field| entry.contains(field)))
    }
}

/// Acts by which somebody sees what is on record of a resident.
const OPENING: [Act; 8] = [
    Act::TokenIssue,
    Act::CardRead,
    Act::CardDump,
    Act::ResidentRead,
    Act::NumberRead,
    Act::GuardianRead,
    Act::ConsentRead,
    Act::VisitRead,
];
/// Hours of the night at the desk: from the first, and before the second.
const NIGHT: (u8, u8) = (22, 6);

/// Whether an entry is one that a question asks for.
fn answers(question: AuditQuestion, entry: &Entry) -> bool {
    let act = Act::from_word(&entry.action);
    let granted = entry.outcome == Outcome::Granted;
    let opens = granted && act.is_some_and(|act| OPENING.contains(&act));
    match question {
        AuditQuestion::WhoOpened => opens && entry.resident.is_some(),
        AuditQuestion::AtNight => is_night(entry.at_microseconds()),
        AuditQuestion::Emergencies => granted && act == Some(Act::EmergencyBegin),
        AuditQuestion::WithoutVisit => {
            // A card in the reader comes before the visit, and what an emergency or a consent is for has its own account.
            let seen = act == Some(Act::TokenIssue) || act == Some(Act::CardDump);
            let otherwise =
                ["emergency", "consent"].iter().any(|it| entry.detail.contains_key(*it));
            granted && seen && entry.visit.is_none() && !otherwise
        }
        AuditQuestion::Refusals => entry.outcome == Outcome::Refused,
    }
}

fn is_night(at: i64) -> bool {
    let hour = hour_at_desk(at);
    hour >= NIGHT.0 || hour < NIGHT.1
}

/// The hour of an instant in microseconds, in UTC+8.
fn hour_at_desk(at: i64) -> u8 {
    const HOUR: i64 = 3_600_000_000;
    (at.div_euclid(HOUR) + 8).rem_euclid(24) as u8
}

/// Where a search goes on: after the entry of this time and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: i64,
    position: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.position)
    }
}

impl FromStr for Cursor {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (at, position) = text.split_once('.').ok_or(BadId)?;
        let cursor = Self {
            at: at.parse().map_err(|_| BadId)?,
            position: position.parse().map_err(|_| BadId)?,
        };
        let in_range = i64::try_from(cursor.position).is_ok();
        if in_range && cursor.to_string() == text { Ok(cursor) } else { Err(BadId) }
    }
}

impl SearchFilter {
    /// Whether an entry meets the conditions, as a search finds it.
    #[must_use]
    pub fn admits(&self, entry: &Entry) -> bool {
        let meets = |wanted: &Option<String>, said: Option<&String>| match wanted {
            Some(wanted) => said == Some(wanted),
            None => true,
        };
        let at = entry.at_microseconds();
        meets(&self.resident, entry.resident.as_ref())
            && meets(&self.actor, entry.actor.identity.as_ref())
            && meets(&self.action, Some(&entry.action))
            && meets(&self.visit, entry.visit.as_ref())
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self.from.is_none_or(|from| Micros(from).count() <= at)
            && self.until.is_none_or(|until| at < Micros(until).count())
            && (!self.alerts || entry.detail.contains_key("alert"))
            && self.within.admits(entry)
    }

    /// The query for entries from one position on, newest first, and its parameters. The most selective index is named, as the
    /// planner without statistics may choose another.
    fn query(&self, begins: u64, after: Option<Cursor>, limit: u32) -> (String, Vec<Value>) {
        // What a question asks for in every entry, the index may know as well.
        let question = self.within.question;
        let refusals = question == Some(AuditQuestion::Refusals);
        let outcome = self.outcome.or(refusals.then_some(Outcome::Refused));
        let begun = question == Some(AuditQuestion::Emergencies);
        let begun = begun.then(|| Act::EmergencyBegin.as_str().to_owned());
        let action = self.action.clone().or(begun);
        let exception = outcome.filter(|outcome| *outcome != Outcome::Granted);
        let index = match self {
            Self { visit: Some(_), .. } => "leaf_visit",
            Self { resident: Some(_), .. } => "leaf_resident",
            Self { actor: Some(_), .. } => "leaf_actor",
            Self { alerts: true, .. } => "leaf_alert",
            _ if exception.is_some() => "leaf_exception",
            _ if action.is_some() => "leaf_action",
            _ => "leaf_at",
        };
        let columns = "position, entry, at, action, outcome, visit";
        let mut sql = format!("SELECT {columns} FROM leaf INDEXED BY {index} WHERE 1");
        let mut values = Vec::new();
        let mut condition = |text: &str, value: Value| {
            sql.push_str(" AND ");
            sql.push_str(text);
            values.push(value);
        };
        let texts = [
            ("visit = ?", &self.visit),
            ("resident = ?", &self.resident),
            ("actor = ?", &self.actor),
            ("action = ?", &action),
        ];
        for (text, value) in texts {
            if let Some(value) = value {
                condition(text, value.clone().into());
            }
        }
        if let Some(outcome) = outcome {
            condition("outcome = ?", outcome.as_str().to_owned().into());
        }
        if let Some(from) = self.from {
            condition("at >= ?", Micros(from).count().into());
        }
        if let Some(until) = self.until {
            condition("at < ?", Micros(until).count().into());
        }
        if begins > 0 {
            condition("position >= ?", begins.cast_signed().into());
        }
        if let Some(cursor) = after {
            condition("at <= ?", cursor.at.into());
            sql.push_str(" AND (at < ? OR position < ?)");
            values.push(cursor.at.into());
            values.push(i64::try_from(cursor.position).unwrap_or(i64::MAX).into());
        }
        if exception.is_some() {
            // What lets the planner use the index of exceptions.
            sql.push_str(" AND outcome <> 'granted'");
        }
        if self.alerts {
            // The key `"alert":`, in the words of the index.
            sql.push_str(" AND instr(entry, x'22616c657274223a') > 0");
        }
        sql.push_str(" ORDER BY at DESC, position DESC LIMIT ?");
        values.push(limit.into());
        (sql, values)
    }
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many, by what they say; an empty text where they say nothing of it.
    pub groups: BTreeMap<String, u64>,
    /// Where to go on; nothing when all are counted.
    pub next: Option<Cursor>,
}

impl Store {
    /// Entries that meet the conditions, newest first, at most `limit` (and [`MAX_PAGE`]), and
    /// where to go on; `None` on the last page. Where entries have to be read for the conditions, a page is over after
    /// [`EXAMINED`] of them or when they took too long, with as many as there were.
    pub async fn search(
        &self,
        filter: SearchFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<(Vec<LogEntry>, Option<Cursor>), StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let begins = self.log_begins();
        self.read(move |db| search(db, &filter, begins, after, limit)).await
    }

    /// How many entries meet the conditions, by what they say, and where to go on: one call counts among [`EXAMINED`]
    /// entries.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count(
        &self,
        filter: SearchFilter,
        by: CountBy,
        after: Option<Cursor>,
    ) -> Result<Counted, StoreError> {
        let begins = self.log_begins();
        self.read(move |db| count(db, &filter, by, begins, after)).await
    }

    /// Entries that meet the conditions among those from one position up to another, in their order; those that are no
    /// entries are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn matching(
        &self,
        filter: SearchFilter,
        from: u64,
        until: u64,
    ) -> Result<Vec<LogEntry>, StoreError> {
        let begins = self.log_begins();
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT position, entry FROM leaf WHERE position >= ?1 AND position < ?2 ORDER BY position",
            )?;
            let mut rows = select.query((from.max(begins), until))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let entry = LogEntry { position: row.get(0)?, entry: row.get(1)? };
                if Entry::decode(&entry.entry).is_ok_and(|it| filter.admits(&it)) {
                    found.push(entry);
                }
            }
            Ok(found)
        })
        .await
    }
}

/// The entries that the columns let through, one after the other.
struct Candidates<'a> {
    rows: Rows<'a>,
    within: &'a WithinEntry,
    signs: Signs,
    /// When it was enough, however few.
    until: Option<Instant>,
    over: bool,
    examined: u32,
    /// The one that was examined last.
    last: Option<Cursor>,
}

impl Candidates<'_> {
    fn of<'a>(rows: Rows<'a>, within: &'a WithinEntry, until: Option<Instant>) -> Candidates<'a> {
        let signs = Signs::of(within);
        Candidates { rows, within, signs, until, over: false, examined: 0, last: None }
    }

    /// The next that meets all conditions; nothing at the end, or when enough were examined.
    fn next(&mut self) -> Result<Option<(LogEntry, Cursor)>, StoreError> {
        while !self.is_enough()
            && let Some(row) = self.rows.next()?
        {
            self.examined += 1;
            let cursor = Cursor { at: row.get("at")?, position: row.get("position")? };
            // What is no entry meets no condition on what it says.
            let admits = |entry: &LogEntry| {
                self.within.is_empty()
                    || Entry::decode(&entry.entry).is_ok_and(|it| self.within.admits(&it))
            };
            if self.signs.are_on(row, cursor.at)? {
                let entry = LogEntry { position: cursor.position, entry: row.get("entry")? };
                if admits(&entry) {
                    return Ok(Some((entry, cursor)));
                }
            }
            self.last = Some(cursor);
        }
        Ok(None)
    }

    fn is_enough(&mut self) -> bool {
        let late = || self.until.is_some_and(|until| clock::count() >= until);
        self.over = self.examined == EXAMINED
            || self.examined > 0 && self.examined.is_multiple_of(GLANCE) && late();
        self.over
    }

    /// Where to go on when there was no next: behind what was examined, unless that was all.
    fn rest(&self) -> Option<Cursor> {
        self.last.filter(|_| self.over)
    }
}

fn search(
    db: &Connection,
    filter: &SearchFilter,
    begins: u64,
    after: Option<Cursor>,
    limit: u32,
) -> Result<(Vec<LogEntry>, Option<Cursor>), StoreError> {
    // One more than asked for tells whether there is another page.
    let most = if filter.within.is_empty() { limit + 1 } else { EXAMINED };
    let (sql, values) = filter.query(begins, after, most);
    let mut select = db.prepare_cached(&sql)?;
    let rows = select.query(rusqlite::params_from_iter(values))?;
    let until = (!filter.within.is_empty()).then(|| clock::count() + PATIENCE);
    let mut candidates = Candidates::of(rows, &filter.within, until);
    let mut found = Vec::new();
    while let Some((entry, cursor)) = candidates.next()? {
        if found.len() == limit as usize {
            return Ok((found, candidates.last));
        }
        found.push(entry);
        candidates.last = Some(cursor);
    }
    let next = candidates.rest();
    Ok((found, next))
}

fn count(
    db: &Connection,
    filter: &SearchFilter,
    by: CountBy,
    begins: u64,
    after: Option<Cursor>,
) -> Result<Counted, StoreError> {
    let (sql, values) = filter.query(begins, after, EXAMINED);
    let mut select = db.prepare_cached(&sql)?;
    let rows = select.query(rusqlite::params_from_iter(values))?;
    let mut candidates = Candidates::of(rows, &filter.within, None);
    let mut groups = BTreeMap::new();
    while let Some((entry, cursor)) = candidates.next()? {
        candidates.last = Some(cursor);
        let said = Entry::decode(&entry.entry).ok().and_then(|entry| group(by, &entry));
        let said = said.unwrap_or_default();
        let known = groups.len() < MOST_GROUPS || groups.contains_key(&said);
        *groups.entry(if known { said } else { String::new() }).or_default() += 1;
    }
    Ok(Counted { groups, next: candidates.rest() })
}

/// What an entry says of what is counted by.
fn group(by: CountBy, entry: &Entry) -> Option<String> {
    let micros = entry.at_microseconds();
    let day = || {
        let at = UtcTime::from_unix_timestamp(micros.div_euclid(1_000_000)).ok()?;
        Some(date_at_desk(at).to_string())
    };
    match by {
        CountBy::Day => day(),
        CountBy::Hour => Some(format!("{:02}", hour_at_desk(micros))),
        CountBy::Action => Some(entry.action.clone()),
        CountBy::Outcome => Some(entry.outcome.as_str().to_owned()),
        CountBy::Actor => entry.actor.identity.clone(),
        CountBy::Role => entry.actor.role.clone(),
        CountBy::Institution => entry.actor.institution.clone(),
        CountBy::Purpose => entry.purpose.clone(),
        CountBy::Rule => entry.policy.as_ref().map(|policy| policy.rule.clone()),
        CountBy::Reason => entry.detail.get("reason").cloned(),
    }
}
