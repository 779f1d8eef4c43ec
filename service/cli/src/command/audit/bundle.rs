//! A log in an export of [`audit::bundle`], what it has about one resident in an [`audit::history`], or of one entry in
//! an [`audit::receipt`].

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use audit::{
    bundle::{self, BundleError, Reader},
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    history,
    receipt::{self, Receipt},
};

use super::check::{Checked, Kind};
use crate::{failure::Failure, text::problems};

/// First lines of histories.
pub(super) const HISTORIES: [&str; 2] = [history::FORMAT, history::FORMAT_2];

/// Checks an export, a history or a receipt; without a key given, against the key that it carries itself, and so where
/// the key given signed nothing of it and today's log may show that it is of the same.
pub(super) fn check(
    path: &Path,
    key: Option<&VerifierKey>,
    held: &[String],
    online: bool,
) -> Result<Checked, Failure> {
    let file =
        File::open(path).map_err(|error| Failure::of(problems::FILE_UNREADABLE).about(error))?;
    let mut file = BufReader::new(file);
    let begins = |file: &mut BufReader<File>, formats: &[&str]| {
        begins(file, formats).map_err(|error| unreadable(BundleError::Read(error)))
    };
    let foreign = |note: &str| {
        online && key.is_some_and(|key| Checkpoint::verify(note, key) == Err(NoteError::NotSigned))
    };
    let (report, kind, note) = if begins(&mut file, &HISTORIES)? {
        let reader = history::Reader::new(file).map_err(unreadable)?;
        let header = reader.header().clone();
        let note = header.checkpoint.clone();
        let with = key.filter(|_| !foreign(&note)).unwrap_or(&header.key);
        let report = history::check(reader, with, held).map_err(unreadable)?;
        (report, Kind::History(Box::new(header)), note)
    } else if begins(&mut file, &[receipt::FORMAT])? {
        let receipt = Receipt::read(file).map_err(unreadable)?;
        let note = receipt.checkpoint.clone();
        let with = key.filter(|_| !foreign(&note)).unwrap_or(&receipt.key);
        (receipt.check(with, held), Kind::Receipt(Box::new(receipt)), note)
    } else {
        let reader = Reader::new(file).map_err(unreadable)?;
        let (own, note) = (reader.header().key.clone(), reader.header().checkpoint.clone());
        let with = key.filter(|_| !foreign(&note)).unwrap_or(&own);
        (bundle::check(reader, with, held).map_err(unreadable)?, Kind::Log, note)
    };
    let (key_in_file, foreign) = (key.is_none(), foreign(&note));
    Ok(Checked { key_in_file, kind, note: Some(note), foreign, ..Checked::of(report) })
}

/// Whether it says that it is of one of these formats.
fn begins(file: &mut impl BufRead, formats: &[&str]) -> io::Result<bool> {
    let begun = file.fill_buf()?;
    Ok(formats.iter().any(|format| begun.starts_with(format.as_bytes())))
}

/// The checkpoint of what speaks of a log without being one: a history or a receipt.
pub(super) fn brought_note(path: &Path) -> Option<String> {
    let mut file = BufReader::new(File::open(path).ok()?);
    if begins(&mut file, &[receipt::FORMAT]).ok()? {
        return Some(Receipt::read(file).ok()?.checkpoint);
    }
    let history = begins(&mut file, &HISTORIES).ok()?;
    let reader = history.then(|| history::Reader::new(file).ok())??;
    Some(reader.header().checkpoint.clone())
}

pub(super) fn unreadable(error: BundleError) -> Failure {
    let problem = match &error {
        BundleError::Read(_) => problems::FILE_UNREADABLE,
        _ => problems::LOG_UNREADABLE,
    };
    Failure::of(problem).about(error)
}

#[cfg(test)]
mod tests {
    use audit::{
        bundle::{Header, write_end, write_entry},
        check::{Finding, Findings, Gap, Verdict},
    };

    use super::*;
    use crate::testing;

    struct Export {
        log: testing::Log,
        text: Vec<u8>,
    }

    fn export() -> Export {
        let log = testing::Log::of(3);
        let mut lines = Vec::new();
        for (position, leaf) in (0..).zip(log.leaves()) {
            write_entry(&mut lines, position, &leaf);
        }
        write_end(&mut lines, 3);
        let (key, checkpoint) = (log.key.clone(), log.checkpoint(3));
        let (left, right) = (Vec::new(), Vec::new());
        let header = Header { key, from: 0, until: 3, size: 3, left, right, checkpoint };
        Export { log, text: [header.write().into_bytes(), lines].concat() }
    }

    fn verdict(export: &Export, text: &[u8], held: &[String]) -> Result<Verdict, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("export");
        std::fs::write(&path, text).unwrap();
        match check(&path, Some(&export.log.key), held, false) {
            Ok(checked) => Ok(checked.report.verdict),
            Err(failure) => Err(failure.reason.clone()),
        }
    }

    #[test]
    fn exports_are_judged() {
        let export = export();
        let text = String::from_utf8(export.text.clone()).unwrap();
        assert_eq!(verdict(&export, &export.text, &[]), Ok(Verdict::Valid));
        let altered = text.replacen("token.issue", "token.issux", 1);
        let Ok(Verdict::Tampered(found)) = verdict(&export, altered.as_bytes(), &[]) else {
            panic!("{altered}");
        };
        assert!(found.listed.contains(&Finding::Altered { position: 0 }), "{found:?}");
        let cut = &text[..text.len() / 2];
        assert_eq!(verdict(&export, cut.as_bytes(), &[]), Err("LOG_UNREADABLE".to_owned()));
    }

    #[test]
    fn exports_are_held_against_earlier_checkpoints() {
        let export = export();
        let held = |size, root| vec![export.log.note(size, root)];
        let only = |finding| Ok(Verdict::Tampered(Findings { listed: vec![finding], unlisted: 0 }));
        let cases = [
            (held(2, [0; 32]), only(Finding::Forked { size: 2 })),
            (held(3, [0; 32]), only(Finding::Forked { size: 3 })),
            (held(4, [0; 32]), only(Finding::RolledBack { held: 4, size: 3 })),
            (vec![String::new()], Ok(Verdict::Unverifiable(vec![Gap::HeldByOtherKey(0)]))),
        ];
        for (held, expected) in cases {
            assert_eq!(verdict(&export, &export.text, &held), expected);
        }
    }
}
