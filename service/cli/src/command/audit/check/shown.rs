//! What the checker says: for people, and for programs.

use std::path::Path;

use audit::{
    Entry,
    check::{Gap, Removed, Verdict},
    history::{Before, Header},
    receipt::Receipt,
};
use serde_json::{Value, json};

use super::{Checked, Kind, Today};
use crate::{
    exit::Exit,
    history::removed,
    page::{Cell, Page, entry_instant, log_instant},
    show::finding,
    text::{self, Lang, Text, problems},
};

/// The verdict's stable name, and its heading: of a log, of a history, of a receipt, and of a package.
fn verdict(exit: Exit) -> (&'static str, [Text; 4]) {
    use text::{
        AUDIT_TAMPERED, AUDIT_UNVERIFIABLE, AUDIT_VALID, HISTORY_TAMPERED, HISTORY_UNVERIFIABLE,
        HISTORY_VALID, PACKAGE_TAMPERED, PACKAGE_UNVERIFIABLE, PACKAGE_VALID, RECEIPT_TAMPERED,
        RECEIPT_UNVERIFIABLE, RECEIPT_VALID,
    };
    match exit {
        Exit::Done => ("valid", [AUDIT_VALID, HISTORY_VALID, RECEIPT_VALID, PACKAGE_VALID]),
        Exit::Tampered => {
            ("tampered", [AUDIT_TAMPERED, HISTORY_TAMPERED, RECEIPT_TAMPERED, PACKAGE_TAMPERED])
        }
        _ => (
            "unverifiable",
            [AUDIT_UNVERIFIABLE, HISTORY_UNVERIFIABLE, RECEIPT_UNVERIFIABLE, PACKAGE_UNVERIFIABLE],
        ),
    }
}

pub(super) fn page(path: &Path, checked: &Checked) -> Page {
    let Checked { report, key_in_file, kind, package, today, .. } = checked;
    let [of_log, of_history, of_receipt, of_package] = verdict(checked.exit()).1;
    let title = match (package, kind) {
        (Some(_), _) => of_package,
        (None, Kind::Log) => of_log,
        (None, Kind::History(_)) => of_history,
        (None, Kind::Receipt(_)) => of_receipt,
    };
    let mut page = Page::titled(title).row(text::FILE, path.display().to_string());
    if let Some(package) = package {
        page = package.rows(page);
    }
    page = match kind {
        Kind::Log => page.row(text::ENTRIES_CHECKED, report.leaves),
        Kind::History(header) => {
            let Header { resident, index, statement, .. } = &**header;
            let stated = Entry::decode(&statement.entry).ok();
            page.row(text::RESIDENT_ID, resident)
                .row(text::HISTORY_COUNTED, index.size)
                .row(text::HISTORY_STATED, statement.position)
                .maybe(text::HISTORY_UNTIL, stated.as_ref().map(entry_instant))
                .maybe(text::HISTORY_BEFORE, removed(header))
                .row(text::ENTRIES_CHECKED, report.leaves)
        }
        Kind::Receipt(receipt) => {
            let Receipt { position, leaf, .. } = &**receipt;
            page.row(text::POSITION, *position).row(text::LEAF_HASH, hex::encode(leaf))
        }
    };
    page = page.row(text::LOG_SIZE, report.size).maybe(text::ROOT, report.root.map(hex::encode));
    if let Some(Removed { until, position, since, months, witnessed }) = report.removed {
        let said = if witnessed { text::REMOVED_BEFORE } else { text::REMOVED_UNWITNESSED };
        let [until, position, months] = [until, position, months.into()].map(|it| it.to_string());
        let told = vec![until, position, months, log_instant(since)];
        page = page.row(text::REMOVED_ENTRIES, Cell::Filled(said, told));
    }
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
    if let Some(package) = package {
        page = package
            .findings()
            .fold(page, |page, found| page.row(text::FINDING, finding::of_package(found)));
        page = package
            .missing()
            .into_iter()
            .fold(page, |page, gap| page.row(text::MISSING_EVIDENCE, gap));
    } else if checked.foreign {
        page = page.row(text::MISSING_EVIDENCE, finding::gap(&Gap::OtherKey));
    }
    if let Some(today) = today {
        page = today.rows(page);
    }
    match checked.exit() {
        Exit::Tampered => page.row(text::ADVICE, problems::LOG_TAMPERED.advice),
        Exit::Unverifiable => page.row(text::ADVICE, problems::LOG_UNVERIFIABLE.advice),
        _ if *key_in_file => page.note(text::KEY_IN_FILE),
        _ => page,
    }
}

pub(super) fn report_json(path: &Path, checked: &Checked) -> Value {
    let Checked { report, key_in_file, kind, package, today, foreign, .. } = checked;
    let (mut findings, unlisted, mut missing): (Vec<Value>, u64, Vec<String>) =
        match &report.verdict {
            Verdict::Valid => (Vec::new(), 0, Vec::new()),
            Verdict::Tampered(findings) => {
                (findings.listed.iter().map(finding::json).collect(), findings.unlisted, Vec::new())
            }
            Verdict::Unverifiable(gaps) => {
                (Vec::new(), 0, gaps.iter().map(ToString::to_string).collect())
            }
        };
    if let Some(package) = package {
        findings.extend(package.findings().map(finding::package_json));
        missing.extend(package.missing().iter().map(|gap| gap.speak(Lang::En)));
    } else if *foreign {
        missing.push(Gap::OtherKey.to_string());
    }
    findings.extend(today.as_ref().and_then(Today::finding));
    let (history, receipt) = match kind {
        Kind::Log => (Value::Null, Value::Null),
        Kind::History(header) => {
            let Header { resident, index, statement, before, .. } = &**header;
            let stated_at = statement.position;
            let removed = before.as_ref().map_or(0, |before| before.standing.count);
            let said = json!({
                "resident": resident, "counted": index.size, "stated_at": stated_at,
                "removed": removed,
                "removal": before.as_ref().and_then(Before::removed).as_ref().map(finding::removed_json),
            });
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
        "package": package.as_ref().map(|it| it.json()),
        "today": today.as_ref().map(Today::json),
        "verdict": verdict(checked.exit()).0,
        "entries_checked": report.leaves,
        "size": report.size,
        "root": report.root.map(hex::encode),
        "checkpoints": report.checkpoints,
        "removed": report.removed.as_ref().map(finding::removed_json),
        "verifier_key_source": if *key_in_file { "file" } else { "given" },
        "findings": findings,
        "unlisted_findings": unlisted,
        "missing": missing,
    })
}

/// One file's report as it is; of several, the worst verdict and all findings.
pub(super) fn summary(exit: Exit, mut files: Vec<Value>) -> Value {
    if files.len() == 1 {
        return files.remove(0);
    }
    let findings: Vec<Value> =
        files.iter().filter_map(|file| file["findings"].as_array()).flatten().cloned().collect();
    json!({ "verdict": verdict(exit).0, "findings": findings, "files": files })
}
