//! What somebody at the terminal, or a program, answers on the standard input, a line each.

use std::{
    io::{self, BufRead as _},
    thread,
};

use tokio::sync::mpsc::{self, UnboundedReceiver};

/// Longest line that is an answer, bytes: the name of a reader.
const LONGEST: usize = 256;

/// Answers as they come. Nothing is read before the first question: a desk in the background must
/// not be stopped for reading a terminal that is not its own.
#[derive(Default)]
pub(super) struct Answers(Option<UnboundedReceiver<String>>);

impl Answers {
    /// Starts to listen, and forgets what was said before it was asked for.
    pub(super) fn listen(&mut self) {
        match &mut self.0 {
            Some(lines) => while lines.try_recv().is_ok() {},
            none => *none = Some(start()),
        }
    }

    /// The next line; never, when there is none to come. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> String {
        if let Some(lines) = &mut self.0
            && let Some(line) = lines.recv().await
        {
            return line;
        }
        std::future::pending().await
    }
}

fn start() -> UnboundedReceiver<String> {
    let (said, lines) = mpsc::unbounded_channel();
    // Not joined: it ends with the input, or with the process.
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if line.len() <= LONGEST && said.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The reader that a line means: its number in the list, its name, or a part of only one name.
pub(super) fn meant<'r>(line: &str, readers: &'r [String]) -> Option<&'r str> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    if let Some(reader) = readers.iter().find(|reader| *reader == line) {
        return Some(reader);
    }
    if let Some(reader) = line.parse::<usize>().ok().and_then(|at| readers.get(at.wrapping_sub(1)))
    {
        return Some(reader);
    }
    let mut fitting = readers.iter().filter(|reader| reader.contains(line));
    let found = fitting.next()?;
    fitting.next().is_none().then_some(found.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_meant_by_number_name_or_part() {
        let readers = ["Virtual PCD 00 00".to_owned(), "Virtual PCD 00 01".to_owned()];
        let cases = [
            ("1", Some(0)),
            (" 2 ", Some(1)),
            ("Virtual PCD 00 01", Some(1)),
            ("00 00", Some(0)),
            ("Virtual", None),
            ("0", None),
            ("3", None),
            ("", None),
            ("18446744073709551616", None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|at: usize| readers[at].as_str());
            assert_eq!(meant(line, &readers), expected, "{line:?}");
        }
    }
}
