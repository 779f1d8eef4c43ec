//! The checker: a database file or an export, and the log's key. It asks no service.

use std::path::{Path, PathBuf};

use audit::{
    Entry,
    check::{Report, Verdict},
    checkpoint::VerifierKey,
    history::Header,
    receipt::Receipt,
};
use clap::Args;
use serde_json::{Value, json};

use super::{Key, Witnesses, all_signed, bundle, cosigned, cosigned_json, database, held};
use crate::{
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    page::{Cell, Page, entry_instant},
    show::finding,
    text::{self, Text, problems},
};

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// 数据库文件的副本、导出文件、查阅记录或回执 | Copies of the database file, exports, access histories, or receipts
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    key: Key,
    /// 此前保存的检查点，可多次给出 | A checkpoint held earlier; may be repeated
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    #[command(flatten)]
    witnesses: Witnesses,
}

/// One file and what was found.
pub(super) struct Checked {
    pub(super) report: Report,
    /// The key came with the file, which then vouches for itself only.
    pub(super) key_in_file: bool,
    pub(super) kind: Kind,
}

/// What a file is.
pub(super) enum Kind {
    /// The log, or a range of it.
    Log,
    /// An access history, with what it says of itself.
    History(Box<Header>),
    /// A receipt for an entry.
    Receipt(Box<Receipt>),
}

impl Check {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let key = self.key.given()?;
        let held: Vec<String> =
            self.checkpoint.iter().map(|path| held(path)).collect::<Result<_, _>>()?;
        let signed = match &key {
            None if self.witnesses.keys.is_empty() => Vec::new(),
            None => return Err(Failure::of(problems::VERIFIER_KEY_NEEDED)),
            Some(key) => self.witnesses.signed(&held, key)?,
        };
        let mut exit = all_signed(&signed);
        let mut files = Vec::new();
        // What speaks of a log and the log, when they are checked together, have to be of one log.
        let brought = self.files.iter().filter_map(|path| bundle::brought_note(path));
        let whole: Vec<_> = held.iter().cloned().chain(brought).collect();
        for path in &self.files {
            let brings = bundle::brought_note(path).is_some();
            let checked = check(path, key.as_ref(), if brings { &held } else { &whole })?;
            exit = worse(exit, checked.exit());
            if !context.screen.json {
                // What witnesses signed says something of a log that was compared with it and is whole.
                let page = page(path, &checked);
                let whole = checked.exit() == Exit::Done;
                let page = if whole { cosigned(page, &signed) } else { page };
                context.screen.show(&Value::Null, &page);
            }
            let mut report = report_json(path, &checked);
            report["witnesses"] = cosigned_json(&signed);
            files.push(report);
        }
        if context.screen.json {
            context.screen.show(&summary(exit, files), &Page::default());
        }
        Ok(exit)
    }
}

/// Checks one file, and shows what was found unless it is as it was signed.
pub(in crate::command) fn judged(context: &Context, path: &Path, key: &VerifierKey) -> Outcome {
    let checked = check(path, Some(key), &[])?;
    let exit = checked.exit();
    if exit != Exit::Done {
        context.screen.show(&report_json(path, &checked), &page(path, &checked));
    }
    Ok(exit)
}

fn check(path: &Path, key: Option<&VerifierKey>, held: &[String]) -> Result<Checked, Failure> {
    let about = |failure: Failure| failure.about(path.display());
    if database::is_database(path).map_err(about)? {
        let key = key.ok_or_else(|| Failure::of(problems::VERIFIER_KEY_NEEDED))?;
        database::check(path, key, held).map_err(about)
    } else {
        bundle::check(path, key, held).map_err(about)
    }
}

impl Checked {
    fn exit(&self) -> Exit {
        match &self.report.verdict {
            Verdict::Valid => Exit::Done,
            Verdict::Tampered(_) => Exit::Tampered,
            Verdict::Unverifiable(_) => Exit::Unverifiable,
        }
    }
}

/// Tampering outweighs what cannot be told, and that outweighs what is well.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Tampered, _) | (_, Exit::Tampered) => Exit::Tampered,
        (Exit::Done, other) => other,
        (one, _) => one,
    }
}

/// The verdict's stable name, and its heading: of a log, of a history, and of a receipt.
fn verdict(exit: Exit) -> (&'static str, [Text; 3]) {
    use text::{
        AUDIT_TAMPERED, AUDIT_UNVERIFIABLE, AUDIT_VALID, HISTORY_TAMPERED, HISTORY_UNVERIFIABLE,
        HISTORY_VALID, RECEIPT_TAMPERED, RECEIPT_UNVERIFIABLE, RECEIPT_VALID,
    };
    match exit {
        Exit::Done => ("valid", [AUDIT_VALID, HISTORY_VALID, RECEIPT_VALID]),
        Exit::Tampered => ("tampered", [AUDIT_TAMPERED, HISTORY_TAMPERED, RECEIPT_TAMPERED]),
        _ => ("unverifiable", [AUDIT_UNVERIFIABLE, HISTORY_UNVERIFIABLE, RECEIPT_UNVERIFIABLE]),
    }
}

fn page(path: &Path, checked: &Checked) -> Page {
    let Checked { report, key_in_file, kind } = checked;
    let [of_log, of_history, of_receipt] = verdict(checked.exit()).1;
    let title = match kind {
        Kind::Log => of_log,
        Kind::History(_) => of_history,
        Kind::Receipt(_) => of_receipt,
    };
    let page = Page::titled(title).row(text::FILE, path.display().to_string());
    let mut page = match kind {
        Kind::Log => page.row(text::ENTRIES_CHECKED, report.leaves),
        Kind::History(header) => {
            let Header { resident, index, statement, .. } = &**header;
            let stated = Entry::decode(&statement.entry).ok();
            page.row(text::RESIDENT_ID, resident)
                .row(text::HISTORY_COUNTED, index.size)
                .row(text::HISTORY_STATED, statement.position)
                .maybe(text::HISTORY_UNTIL, stated.as_ref().map(entry_instant))
                .row(text::ENTRIES_CHECKED, report.leaves)
        }
        Kind::Receipt(receipt) => {
            let Receipt { position, leaf, .. } = &**receipt;
            page.row(text::POSITION, *position).row(text::LEAF_HASH, hex::encode(leaf))
        }
    };
    page = page.row(text::LOG_SIZE, report.size).maybe(text::ROOT, report.root.map(hex::encode));
    match &report.verdict {
        Verdict::Valid => {}
        Verdict::Tampered(findings) => {
            for found in &findings.listed {
                page = page.row(text::FINDING, finding::spoken(found));
            }
            if findings.unlisted > 0 {
                let more = vec![findings.unlisted.to_string()];
                page = page.row(text::FINDING, Cell::Filled(text::FOUND_MORE, more));
            }
        }
        Verdict::Unverifiable(gaps) => {
            for gap in gaps {
                page = page.row(text::MISSING_EVIDENCE, finding::gap(gap));
            }
        }
    }
    match checked.exit() {
        Exit::Tampered => page.row(text::ADVICE, problems::LOG_TAMPERED.advice),
        Exit::Unverifiable => page.row(text::ADVICE, problems::LOG_UNVERIFIABLE.advice),
        _ if *key_in_file => page.note(text::KEY_IN_FILE),
        _ => page,
    }
}

fn report_json(path: &Path, checked: &Checked) -> Value {
    let Checked { report, key_in_file, kind } = checked;
    let (findings, unlisted, missing): (Vec<Value>, u64, Vec<String>) = match &report.verdict {
        Verdict::Valid => (Vec::new(), 0, Vec::new()),
        Verdict::Tampered(findings) => {
            (findings.listed.iter().map(finding::json).collect(), findings.unlisted, Vec::new())
        }
        Verdict::Unverifiable(gaps) => {
            (Vec::new(), 0, gaps.iter().map(ToString::to_string).collect())
        }
    };
    let (history, receipt) = match kind {
        Kind::Log => (Value::Null, Value::Null),
        Kind::History(header) => {
            let Header { resident, index, statement, .. } = &**header;
            let stated_at = statement.position;
            let said =
                json!({ "resident": resident, "counted": index.size, "stated_at": stated_at });
            (said, Value::Null)
        }
        Kind::Receipt(receipt) => {
            let Receipt { position, leaf, .. } = &**receipt;
            (Value::Null, json!({ "position": position, "leaf": hex::encode(leaf) }))
        }
    };
    json!({
        "file": path,
        "history": history,
        "receipt": receipt,
        "verdict": verdict(checked.exit()).0,
        "entries_checked": report.leaves,
        "size": report.size,
        "root": report.root.map(hex::encode),
        "checkpoints": report.checkpoints,
        "verifier_key_source": if *key_in_file { "file" } else { "given" },
        "findings": findings,
        "unlisted_findings": unlisted,
        "missing": missing,
    })
}

/// One file's report as it is; of several, the worst verdict and all findings.
fn summary(exit: Exit, mut files: Vec<Value>) -> Value {
    if files.len() == 1 {
        return files.remove(0);
    }
    let findings: Vec<Value> =
        files.iter().filter_map(|file| file["findings"].as_array()).flatten().cloned().collect();
    json!({ "verdict": verdict(exit).0, "findings": findings, "files": files })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_verdict_is_the_answer() {
        use Exit::{Done, Tampered, Unverifiable};
        let cases = [
            (Done, Done, Done),
            (Done, Unverifiable, Unverifiable),
            (Unverifiable, Done, Unverifiable),
            (Unverifiable, Tampered, Tampered),
            (Tampered, Unverifiable, Tampered),
        ];
        for (one, other, expected) in cases {
            assert_eq!(worse(one, other), expected);
        }
    }
}
