//! The manifest of a report about certificates (证书信息、黑名单): what was given out to be told to a platform, signed by
//! the log's key.
//!
//! ```text
//! healthcard.v1 certificate report
//! service log.example/healthcard
//! since 17
//! until 19
//! records 2
//! root <64 hex: root of the tree over the lines below>
//!
//! — log.example/healthcard <signature, as of a checkpoint>
//!
//! 18 issued 5a5a5a5a5a5a5a5a <SM3 of the record>
//! 19 revoked 5a5a5a5a5a5a5a5a <SM3 of the record>
//! ```
//!
//! Each report begins where the last one ended, so that whoever holds all of them sees that none is missing and that
//! nothing was told twice. Changes ascend; there is one form only.

use std::fmt;

use sm3::{Digest as _, Sm3};

use crate::{
    checkpoint::{NoteError, VerifierKey},
    note::decimal,
    tree::{Frontier, Hash, leaf_hash},
};

/// Most records of a report.
pub const MAX_RECORDS: usize = 500;
/// Most bytes of a manifest.
pub const MAX_REPORT: usize = 128 * 1024;
/// The first line.
const TITLE: &str = "healthcard.v1 certificate report";

/// What a report says that was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Name of the service, which is that of its log.
    pub service: String,
    /// The last change before those of this report; 0 where there is none.
    pub since: u64,
    /// The last change that it looked at.
    pub until: u64,
    /// Its records, by ascending changes.
    pub lines: Vec<ReportLine>,
}

/// One record of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportLine {
    /// Number of the change.
    pub change: u64,
    /// Its kind, a word.
    pub kind: String,
    /// Serial number of the certificate, hexadecimal.
    pub serial: String,
    /// SM3 of the record's octets.
    pub digest: Hash,
}

/// Why a manifest is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Not of the form.
    #[error("not a manifest of a report: line {line} is not what belongs there")]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// No signature by this key, or a wrong one.
    #[error("the manifest of the report is not signed by this key")]
    NotSigned,
    /// It is one of another service than the key's.
    #[error("the manifest of the report is one of another service")]
    OtherService,
    /// Its records are not those that were signed.
    #[error("the records of the report are not those that were signed")]
    Altered,
}

impl ReportLine {
    /// The line of a record.
    pub fn new(change: u64, kind: &str, serial: &str, record: &[u8]) -> Self {
        let digest = Sm3::digest(record).into();
        Self { change, kind: kind.to_owned(), serial: serial.to_owned(), digest }
    }

    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [change, kind, serial, digest] = words[..] else { return None };
        let mut octets = Hash::default();
        hex::decode_to_slice(digest, &mut octets).ok()?;
        let read = Self {
            change: decimal(change)?,
            kind: kind.to_owned(),
            serial: serial.to_owned(),
            digest: octets,
        };
        let word = |text: &str| {
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        (word(kind) && word(serial) && read.to_string() == line).then_some(read)
    }
}

impl fmt::Display for ReportLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.change, self.kind, self.serial, hex::encode(self.digest))
    }
}

impl Report {
    /// The signed manifest. `sign` gets the octets to be signed with SM2 and the default signer identifier, and
    /// answers r ‖ s.
    ///
    /// # Errors
    /// Those of `sign`.
    pub fn sign<E>(
        &self,
        key: &VerifierKey,
        sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
    ) -> Result<String, E> {
        let note = key.sign_note(&self.head(), sign)?;
        let lines: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        Ok(format!("{note}\n{lines}"))
    }

    fn head(&self) -> String {
        let mut tree = Frontier::new();
        for line in &self.lines {
            tree.push(leaf_hash(line.to_string().as_bytes()));
        }
        let root = hex::encode(tree.root());
        let (since, until, records) = (self.since, self.until, self.lines.len());
        let service = &self.service;
        format!(
            "{TITLE}\nservice {service}\nsince {since}\nuntil {until}\nrecords {records}\nroot {root}\n"
        )
    }

    /// Reads a manifest and checks its form, and that its records are those of its head. Who signed it is another
    /// question: [`check`].
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn read(text: &str) -> Result<Self, ReportError> {
        let form = |line| ReportError::Form { line };
        if text.len() > MAX_REPORT || !text.ends_with('\n') {
            return Err(form(1));
        }
        let (note, body) = split(text).ok_or(form(1))?;
        let head: Vec<&str> = note.split('\n').take(6).collect();
        let value = |at: usize, name: &str| {
            let value = head.get(at).and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.ok_or(form(at + 1))
        };
        let number = |at, name| value(at, name).and_then(|text| decimal(text).ok_or(form(at + 1)));
        if head.first() != Some(&TITLE) {
            return Err(form(1));
        }
        let service = value(1, "service")?.to_owned();
        let (since, until) = (number(2, "since")?, number(3, "until")?);
        let first = note.lines().count() + 2;
        let lines = body.split_terminator('\n').enumerate();
        let lines = lines.map(|(at, line)| ReportLine::read(line).ok_or(form(first + at)));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        let ascend = lines.windows(2).all(|two| two[0].change < two[1].change);
        let within = lines.iter().all(|line| (since + 1..=until).contains(&line.change));
        if !ascend || !within || since > until || lines.len() > MAX_RECORDS {
            return Err(ReportError::Altered);
        }
        let report = Self { service, since, until, lines };
        match note.strip_prefix(&report.head()) {
            Some(signatures) if signatures.starts_with('\n') => Ok(report),
            _ => Err(ReportError::Altered),
        }
    }
}

/// Reads a manifest and checks it against the key of the log. It asks no service.
///
/// # Errors
/// [`ReportError`].
pub fn check(text: &str, key: &VerifierKey) -> Result<Report, ReportError> {
    let report = Report::read(text)?;
    let (note, _) = split(text).ok_or(ReportError::Form { line: 1 })?;
    match key.signed_text(note) {
        Ok(_) if report.service == key.name() => Ok(report),
        Ok(_) => Err(ReportError::OtherService),
        Err(NoteError::Form) => Err(ReportError::Form { line: 7 }),
        Err(_) => Err(ReportError::NotSigned),
    }
}

/// The note, which ends with the second blank line, and the lines after it.
fn split(text: &str) -> Option<(&str, &str)> {
    let signatures = text.find("\n\n")? + 2;
    let end = text[signatures..].find("\n\n")? + signatures + 1;
    Some((&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;
    use sm2::dsa::{Signature, signature::Signer as _};

    use super::*;
    use crate::testing::{NAME, key, signing_key};

    fn sign(text: &[u8]) -> Result<[u8; 64], Infallible> {
        let signature: Signature = signing_key(1).sign(text);
        Ok(signature.to_bytes().into())
    }

    fn report() -> Report {
        let line = |change, kind| ReportLine::new(change, kind, "5a5a", b"record");
        let lines = vec![line(18, "issued"), line(20, "revoked")];
        Report { service: NAME.to_owned(), since: 17, until: 20, lines }
    }

    #[test]
    fn what_was_signed_is_read_and_nothing_else() {
        let text = report().sign(&key(), sign).unwrap();
        assert_eq!(check(&text, &key()), Ok(report()));
        let empty = Report { until: 17, lines: Vec::new(), ..report() };
        assert_eq!(check(&empty.sign(&key(), sign).unwrap(), &key()), Ok(empty));
        // Whatever octet is changed, it is seen.
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(check(&changed, &key()).is_err(), "octet {at}");
        }
        let lines: Vec<&str> = text.lines().collect();
        let without_last = lines[..lines.len() - 1].join("\n") + "\n";
        assert_eq!(Report::read(&without_last), Err(ReportError::Altered));
        assert_eq!(
            check(&format!("{text}{}\n", lines[lines.len() - 1]), &key()),
            Err(ReportError::Altered)
        );
        assert!(matches!(check("", &key()), Err(ReportError::Form { line: 1 })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_report_is_read_as_it_was(since in 0_u64..1000, steps in proptest::collection::vec(1_u64..9, 0..20)) {
            let mut change = since;
            let lines = steps.iter().map(|step| {
                change += step;
                ReportLine::new(change, "issued", "5a", &change.to_be_bytes())
            });
            let lines = lines.collect();
            let report = Report { since, until: change, lines, ..report() };
            prop_assert_eq!(check(&report.sign(&key(), sign).unwrap(), &key()), Ok(report));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\n]{0,300}") {
            drop(check(&text, &key()));
        }
    }

    #[test]
    fn a_report_of_others_is_not_believed() {
        let other = Report { service: "other.example".to_owned(), ..report() };
        let text = other.sign(&key(), sign).unwrap();
        assert_eq!(check(&text, &key()), Err(ReportError::OtherService));
    }
}
