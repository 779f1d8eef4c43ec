//! What is different in rules that are about to be signed: line by line, for the person who signs.

use std::collections::HashMap;

use crate::policy::Texts;

/// What is different in one file.
#[derive(Debug, PartialEq, Eq)]
pub struct FileChange<'a> {
    /// The file.
    pub file: &'static str,
    /// Lines that are no more there.
    pub gone: Vec<&'a str>,
    /// Lines that were not there. Both are empty where the same lines stand in another order.
    pub new: Vec<&'a str>,
}

/// What is different, by file; nothing of files that are the same.
#[must_use]
pub fn between<'a>(before: &'a Texts<'_>, after: &'a Texts<'_>) -> Vec<FileChange<'a>> {
    let pairs = before.files().zip(after.files());
    pairs
        .filter(|((_, before), (_, after))| before != after)
        .map(|((file, before), (_, after))| FileChange {
            file,
            gone: lacking(before, after),
            new: lacking(after, before),
        })
        .collect()
}

/// Lines of `text` that `other` has less often, as they stand there, without those that are blank.
fn lacking<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    let mut there: HashMap<&str, usize> = HashMap::new();
    for line in other.lines() {
        *there.entry(line).or_default() += 1;
    }
    let mut lacking = Vec::new();
    for line in text.lines() {
        match there.get_mut(line) {
            Some(left) if *left > 0 => *left -= 1,
            _ if line.trim().is_empty() => {}
            _ => lacking.push(line),
        }
    }
    lacking
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_what_came_and_what_went() {
        let texts = |access: &'static str| Texts {
            rules: "".into(),
            access: access.into(),
            cases: "".into(),
        };
        let before = texts("a\nb\nb\n\nc\n");
        let after = texts("c\na\nb\nd\n\n\n");
        let change = FileChange { file: "access.cedar", gone: vec!["b"], new: vec!["d"] };
        assert_eq!(between(&before, &after), [change]);
        assert_eq!(between(&before, &before), []);
        let reordered = FileChange { file: "access.cedar", gone: vec![], new: vec![] };
        assert_eq!(between(&before, &texts("b\na\nb\n\nc\n")), [reordered]);
    }
}
