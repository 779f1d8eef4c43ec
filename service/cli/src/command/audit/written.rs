//! Entries as files for other programs: a table (CSV), or FHIR R4 AuditEvents.

pub(super) mod event;

use std::path::Path;

use audit::Entry;

use crate::{
    csv::cell,
    failure::Failure,
    files::{Audience, NewFile},
    page::entry_instant,
};

/// Form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// 表格（CSV，UTF-8） | A table (CSV, UTF-8)
    Csv,
    /// FHIR R4 Bundle，AuditEvent | FHIR R4 Bundle of AuditEvents
    Fhir,
}

/// A file of entries, as it is written.
pub(super) struct Written {
    form: Form,
    file: NewFile,
    entries: u64,
}

/// What a table has, one column each.
const COLUMNS: [&str; 16] = [
    "position",
    "time",
    "action",
    "outcome",
    "reason",
    "identity",
    "role",
    "institution",
    "address",
    "certificate",
    "resident",
    "visit",
    "purpose",
    "rule",
    "object",
    "detail",
];

impl Written {
    pub(super) fn begin(form: Form, path: &Path) -> Result<Self, Failure> {
        let mut file = NewFile::create(path, Audience::Owner)?;
        match form {
            // Programs of offices know UTF-8 by its mark.
            Form::Csv => file.append(format!("\u{feff}{}\r\n", COLUMNS.join(",")).as_bytes())?,
            Form::Fhir => {
                file.append(br#"{"resourceType":"Bundle","type":"collection","entry":["#)?;
            }
        }
        Ok(Self { form, file, entries: 0 })
    }

    /// Adds an entry; what is none has its position alone.
    pub(super) fn add(&mut self, position: u64, bytes: &[u8]) -> Result<(), Failure> {
        let entry = Entry::decode(bytes).ok();
        let text = match (self.form, entry) {
            (Form::Csv, entry) => row(position, entry.as_ref()),
            (Form::Fhir, Some(entry)) => {
                let separator = if self.entries == 0 { "" } else { "," };
                format!("{separator}\n{}", event::of(position, &entry))
            }
            (Form::Fhir, None) => return Ok(()),
        };
        self.entries += 1;
        self.file.append(text.as_bytes())
    }

    /// Completes the file; how many entries it has.
    pub(super) fn finish(mut self) -> Result<u64, Failure> {
        if self.form == Form::Fhir {
            self.file.append(b"\n]}\n")?;
        }
        self.file.finish()?;
        Ok(self.entries)
    }
}

fn row(position: u64, entry: Option<&Entry>) -> String {
    let position = position.to_string();
    let Some(entry) = entry else { return format!("{position}\r\n") };
    let Entry { actor, policy, object, detail, .. } = entry;
    let detail: Vec<_> = detail
        .iter()
        .filter(|(name, _)| *name != "reason")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let fields = [
        position,
        entry_instant(entry),
        entry.action.clone(),
        entry.outcome.as_str().to_owned(),
        entry.detail.get("reason").cloned().unwrap_or_default(),
        text(&actor.identity),
        text(&actor.role),
        text(&actor.institution),
        text(&actor.address),
        text(&actor.certificate),
        text(&entry.resident),
        text(&entry.visit),
        text(&entry.purpose),
        policy.as_ref().map(|policy| policy.rule.clone()).unwrap_or_default(),
        object.as_ref().map(|it| format!("{} {}", it.kind, it.id)).unwrap_or_default(),
        detail.join("; "),
    ];
    let fields: Vec<_> = fields.iter().map(|field| cell(field)).collect();
    format!("{}\r\n", fields.join(","))
}

#[cfg(test)]
mod tests {
    use audit::{Actor, Outcome};

    use super::*;

    #[test]
    fn a_row_has_what_an_entry_says_and_nothing_is_computed() {
        let actor = Actor {
            identity: Some("=cmd".to_owned()),
            role: Some("doctor".to_owned()),
            ..Actor::default()
        };
        let entry = Entry::new(
            "0193e5a0-0000-7000-8000-000000000001",
            "2026-11-23T08:05:09.000000Z",
            "token.issue",
            Outcome::Refused,
            actor,
        );
        let entry = entry.about("r").with("reason", "NO_RELATION").with("a", "x, \"y\"");
        assert_eq!(
            row(7, Some(&entry)),
            "7,2026-11-23 16:05:09+08:00,token.issue,refused,NO_RELATION,'=cmd,doctor,,,,r,,,,,\"a=x, \"\"y\"\"\"\r\n"
        );
        assert_eq!(row(8, None), "8\r\n");
    }
}
