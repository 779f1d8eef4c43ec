//! How the list is written. This leans on nothing else of the service, so that it is fuzzed alone.

/// The first line; it names the version.
pub(super) const TITLE: &str = "healthcard erasures v1\n";

/// A line: identifiers, each a UUID in its lower-case text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) resident: &'a str,
    pub(super) erasure: &'a str,
    pub(super) by: &'a str,
    pub(super) entry: &'a str,
}

impl<'a> Line<'a> {
    /// As it stands in the file, with its end.
    pub(super) fn written(&self) -> String {
        format!("{} {} {} {}\n", self.resident, self.erasure, self.by, self.entry)
    }

    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut word = || words.next().filter(|word| is_identifier(word));
        let line = Self { resident: word()?, erasure: word()?, by: word()?, entry: word()? };
        words.next().is_none().then_some(line)
    }
}

/// The lines, and how many octets are whole lines: the last may have been cut short as it was written. `None` for what is
/// no such list.
pub(super) fn parse(octets: &[u8]) -> Option<(Vec<Line<'_>>, usize)> {
    let whole = octets.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
    let text = std::str::from_utf8(&octets[..whole]).ok()?;
    let Some(lines) = text.strip_prefix(TITLE) else {
        // Of a title that was cut short nothing is whole.
        let cut = whole == 0 && TITLE.as_bytes().starts_with(octets);
        return cut.then(|| (Vec::new(), 0));
    };
    let lines = lines.split_terminator('\n').map(Line::parse).collect::<Option<Vec<_>>>()?;
    Some((lines, whole))
}

fn is_identifier(word: &str) -> bool {
    word.len() == 36
        && word.bytes().enumerate().all(|(at, octet)| match at {
            8 | 13 | 18 | 23 => octet == b'-',
            _ => matches!(octet, b'0'..=b'9' | b'a'..=b'f'),
        })
}
