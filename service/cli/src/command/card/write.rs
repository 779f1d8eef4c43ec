//! `healthcard card write`.

use std::{path::PathBuf, time::Duration};

use card::layout::{Access, FILES, File, FileName, Profile, Structure};
use clap::Args;
use proto::v1::{
    CardChanges, CardWritten, ItemChange, NewCardRecord, NewVisitRecord, VisitRecordKind,
};
use serde_json::{Map, Value};

use crate::{
    context::{Context, Outcome},
    desk::{self, SamOptions},
    failure::Failure,
    files,
    page::Page,
    show,
    text::{self, problems},
};

/// Largest file of changes, bytes.
const LIMIT: u64 = 256 * 1024;

/// Changes of a card, from a file: personal data is never on the command line.
#[derive(Debug, Args)]
pub(crate) struct Write {
    /// JSON 或 TOML：表 items 按名称或项号给出要改的项；各表 records 含 file 及其项；各表 outpatient、inpatient 为就诊记录；- 为标准输入 | JSON or TOML: the table items by name or item number; tables records with file and its items; tables outpatient and inpatient for visits; - is standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// 写临床数据所属的就诊 | The visit that clinical data belong to
    #[arg(long, value_name = "VISIT", default_value = "")]
    visit: String,
    /// 只用名称含此文字的读卡器 | Only readers whose name contains this
    #[arg(long, value_name = "TEXT")]
    reader: Option<String>,
    /// 等待放卡的秒数 | Seconds to wait for a card
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    #[command(flatten)]
    sam: SamOptions,
}

impl Write {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let bytes = files::read(&self.file, LIMIT)?;
        let changes =
            changes(&bytes, self.visit).map_err(|error| error.about(self.file.display()))?;
        let patience = Duration::from_secs(self.wait);
        let written = desk::write_one(context, self.reader, &self.sam, patience, changes).await?;
        context.answer("CardWritten", &written, &page(&written))
    }
}

fn page(written: &CardWritten) -> Page {
    let lines = written.records.iter().map(|record| {
        let effect =
            if record.changed { text::CARD_RECORD_CHANGED } else { text::CARD_RECORD_SAME };
        vec![record.file.clone().into(), record.record.to_string().into(), effect.into()]
    });
    let headings = [text::CARD_FILE, text::CARD_RECORD, text::CARD_RECORD_EFFECT];
    let page = Page::titled(text::CARD_WRITTEN)
        .row(text::CARD_ID, &written.card_id)
        .row(text::RESIDENT_ID, &written.resident_id)
        .table(&headings, lines.collect());
    show::receipt(page, written.receipt.as_ref())
}

/// The changes as the service takes them. Values are not quoted in errors; names are.
fn changes(bytes: &[u8], visit_id: String) -> Result<CardChanges, Failure> {
    let malformed = || Failure::of(problems::INPUT_MALFORMED);
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    let given: Map<String, Value> = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|_| malformed())?,
        false => toml::from_str(text).map_err(|_| malformed())?,
    };
    let mut changes = CardChanges { visit_id, ..CardChanges::default() };
    for (name, value) in given {
        match (name.as_str(), value) {
            ("items", Value::Object(items)) => changes.items = listed(items, by_itself)?,
            ("records", Value::Array(records)) => {
                for record in records {
                    changes.records.push(new_record(record)?);
                }
            }
            ("outpatient", Value::Array(visits)) => {
                add_visits(&mut changes, VisitRecordKind::Outpatient, visits)?;
            }
            ("inpatient", Value::Array(visits)) => {
                add_visits(&mut changes, VisitRecordKind::Inpatient, visits)?;
            }
            _ => return Err(malformed().about(name)),
        }
    }
    Ok(changes)
}

fn new_record(record: Value) -> Result<NewCardRecord, Failure> {
    let malformed = || Failure::of(problems::INPUT_MALFORMED);
    let Value::Object(mut items) = record else { return Err(malformed()) };
    let Some(Value::String(file)) = items.remove("file") else {
        return Err(malformed().about("file"));
    };
    let name: FileName = file.parse().map_err(|_| malformed().about(&file))?;
    let known = card::layout::file(name).ok_or_else(|| malformed().about(&file))?;
    let items = listed(items, |name| item_of(known, name))?;
    Ok(NewCardRecord { file, items })
}

fn add_visits(
    changes: &mut CardChanges,
    kind: VisitRecordKind,
    visits: Vec<Value>,
) -> Result<(), Failure> {
    let body = match kind {
        VisitRecordKind::Inpatient => &card::layout::df03::inpatient::FILES[0],
        _ => &card::layout::df03::outpatient::FILES[0],
    };
    for visit in visits {
        let Value::Object(items) = visit else {
            return Err(Failure::of(problems::INPUT_MALFORMED));
        };
        let items = listed(items, |name| item_of(body, name))?;
        changes.visits.push(NewVisitRecord { kind: kind.into(), items });
    }
    Ok(())
}

/// Items by name or number, each with its value as text.
fn listed(
    items: Map<String, Value>,
    number: impl Fn(&str) -> Option<u16>,
) -> Result<Vec<ItemChange>, Failure> {
    let one = |(name, value): (String, Value)| {
        let malformed = || Failure::of(problems::INPUT_MALFORMED).about(&name);
        let value = match value {
            Value::String(text) => text,
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            _ => return Err(malformed()),
        };
        let item = number(&name).ok_or_else(malformed)?;
        Ok(ItemChange { item: item.into(), value })
    };
    items.into_iter().map(one).collect()
}

/// An item of the files in which each can be changed by itself.
fn by_itself(name: &str) -> Option<u16> {
    let changeable = |file: &&&File| {
        matches!((file.structure, file.update), (Structure::Variable(_), Access::Key(_)))
    };
    FILES.iter().filter(changeable).find_map(|file| item_of(file, name))
}

/// An item of a file, by number, or by its Chinese or English name; of one that is there several
/// times, `name#2` is the second.
fn item_of(file: &File, name: &str) -> Option<u16> {
    let items = file.items(Profile::Full);
    if let Ok(number) = name.parse::<u16>() {
        return items.iter().map(|item| item.element.item).find(|item| *item == number);
    }
    let (name, which) = match name.split_once('#') {
        Some((name, which)) => (name, which.parse().ok()?),
        None => (name, 1),
    };
    let named = items.into_iter().filter(|item| [item.element.zh, item.element.en].contains(&name));
    named.map(|item| item.element.item).nth(usize::checked_sub(which, 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CardChanges, String> {
        changes(text.as_bytes(), String::new()).map_err(|failure| failure.reason.clone())
    }

    #[test]
    fn items_are_named_or_numbered() {
        let toml = "[items]\n\"地址1\" = \"郑州\"\n\"Contact 1 phone\" = \"1\"\n43 = true\n\
             [[records]]\nfile = \"DF02/EF07\"\n\"过敏物质名称\" = \"青霉素\"\n\
             [[outpatient]]\n\"就诊日期时间\" = \"2026-11-26T10:00:00\"\n\"症状名称#2\" = \"咳嗽\"\n";
        let json = r#"{"items": {"22": "郑州", "27": "1", "43": "true"},
            "records": [{"file": "DF02/EF07", "58": "青霉素"}],
            "outpatient": [{"215": "2026-11-26T10:00:00", "226": "咳嗽"}]}"#;
        let sorted = |mut changes: CardChanges| {
            changes.items.sort_by_key(|change| change.item);
            changes.visits[0].items.sort_by_key(|change| change.item);
            changes
        };
        assert_eq!(sorted(read(toml).unwrap()), sorted(read(json).unwrap()));
    }

    #[test]
    fn what_is_not_a_change_is_refused() {
        let cases = [
            "[items]\n\"姓名\" = \"李四\"", // the name is never changed
            "[items]\n58 = \"青霉素\"",     // an allergy is a record
            "[items]\n22 = [1]",
            "[other]\n22 = \"a\"",
            "[[records]]\n58 = \"a\"",
            "[[records]]\nfile = \"DF09/EF07\"",
            "[[outpatient]]\n\"症状名称#9\" = \"a\"",
            "[[outpatient]]\n\"症状名称#0\" = \"a\"",
            "items = 1",
            "{",
        ];
        for text in cases {
            assert_eq!(read(text), Err("INPUT_MALFORMED".to_owned()), "{text}");
        }
    }
}
