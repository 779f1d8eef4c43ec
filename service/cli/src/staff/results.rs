//! What became of each person, as a table for spreadsheets. There are numbers in it and no names.

use std::path::Path;

use crate::{
    csv::cell,
    failure::Failure,
    files::{self, Audience},
};

/// What became of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Line of the file; none for whoever is not in it.
    pub(crate) line: Option<u32>,
    pub(crate) number: String,
    /// `joiner`, `mover`, `unchanged`, `leaver` or `enrolment`.
    pub(crate) kind: &'static str,
    /// `done`, `refused`, `left` or `not-done`.
    pub(crate) verdict: &'static str,
    /// Why it was refused or left: a stable name.
    pub(crate) reason: String,
    pub(crate) identity_id: String,
    /// What was entered or approved, to be collected.
    pub(crate) enrolment_id: String,
}

/// Writes the table, in the order of the file.
pub(crate) fn write(path: &Path, mut verdicts: Vec<Verdict>) -> Result<(), Failure> {
    verdicts.sort_by(|one, other| {
        let key = |it: &Verdict| it.line.unwrap_or(u32::MAX);
        key(one).cmp(&key(other)).then_with(|| one.number.cmp(&other.number))
    });
    let mut table = String::from("row,number,change,verdict,reason,identity_id,enrolment_id\r\n");
    for it in &verdicts {
        let line = it.line.map(|line| line.to_string()).unwrap_or_default();
        let number = cell(&it.number);
        let Verdict { kind, verdict, reason, identity_id, enrolment_id, .. } = it;
        table.push_str(&format!(
            "{line},{number},{kind},{verdict},{reason},{identity_id},{enrolment_id}\r\n"
        ));
    }
    files::write(path, table.as_bytes(), Audience::Owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_in_the_order_of_the_file_and_computed_by_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.csv");
        let verdict = |line, number: &str| Verdict {
            line,
            number: number.into(),
            kind: "joiner",
            verdict: "done",
            ..Verdict::default()
        };
        let given = vec![verdict(None, "=1,\"2\""), verdict(Some(10), "B"), verdict(Some(2), "A")];
        write(&path, given).unwrap();
        let expected = "row,number,change,verdict,reason,identity_id,enrolment_id\r\n\
            2,A,joiner,done,,,\r\n10,B,joiner,done,,,\r\n,\"'=1,\"\"2\"\"\",joiner,done,,,\r\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert!(!files::is_exposed(&path).unwrap());
    }
}
