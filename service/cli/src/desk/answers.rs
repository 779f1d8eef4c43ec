//! What somebody at the terminal, or a program, answers on the standard input, a line each.

use std::{
    io::{self, BufRead, BufReader},
    thread,
};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// What somebody says who is about to type the PIN of the SAM. Nothing is read after it until the
/// desk goes on: what is typed then is not for here.
pub(super) const PIN: &str = "pin";

/// Longest line that is an answer, bytes: the name of a reader.
const LONGEST: usize = 256;

/// Answers as they come. Nothing is read before the first question: a desk in the background must
/// not be stopped for reading a terminal that is not its own.
#[derive(Default)]
pub(super) struct Answers(Option<Listening>);

struct Listening {
    lines: UnboundedReceiver<String>,
    go_on: UnboundedSender<()>,
}

impl Answers {
    /// Starts to listen, and forgets what was said before it was asked for.
    pub(super) fn listen(&mut self) {
        match &mut self.0 {
            Some(listening) => {
                while let Ok(line) = listening.lines.try_recv() {
                    if line.trim() == PIN {
                        // It ends with the input.
                        let _ = listening.go_on.send(());
                    }
                }
            }
            none => *none = Some(start(BufReader::new(io::stdin()))),
        }
    }

    /// Goes on after the word [`PIN`].
    pub(super) fn go_on(&self) {
        if let Some(listening) = &self.0 {
            let _ = listening.go_on.send(());
        }
    }

    /// The next line; never, when there is none to come. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> String {
        if let Some(listening) = &mut self.0
            && let Some(line) = listening.lines.recv().await
        {
            return line;
        }
        std::future::pending().await
    }
}

fn start(input: impl BufRead + Send + 'static) -> Listening {
    let (said, lines) = mpsc::unbounded_channel();
    let (go_on, mut goes_on) = mpsc::unbounded_channel();
    // Not joined: it ends with the input, or with the process.
    thread::spawn(move || {
        for line in input.lines() {
            let Ok(line) = line else { return };
            let pauses = line.trim() == PIN;
            // Nobody spoke of this pause yet.
            while pauses && goes_on.try_recv().is_ok() {}
            if line.len() <= LONGEST && said.send(line).is_err() {
                return;
            }
            if pauses && goes_on.blocking_recv().is_none() {
                return;
            }
        }
    });
    Listening { lines, go_on }
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
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_while_a_pin_is_typed() {
        let (input, mut typed) = io::pipe().unwrap();
        let mut answers = Answers(Some(start(BufReader::new(input))));
        let mut type_in = |text: &str| typed.write_all(text.as_bytes()).unwrap();
        type_in("1\n");
        assert_eq!(answers.next().await, "1");
        // Said where there is no pause, it ends none that comes.
        answers.go_on();
        type_in(" pin \n123456\n");
        assert_eq!(answers.next().await, " pin ");
        let silent = tokio::time::timeout(std::time::Duration::from_millis(20), answers.next());
        assert!(silent.await.is_err());
        answers.go_on();
        assert_eq!(answers.next().await, "123456");
        // A word that nobody waited for is forgotten, and stops nothing.
        type_in("pin\n");
        while answers.0.as_ref().unwrap().lines.is_empty() {
            tokio::task::yield_now().await;
        }
        answers.listen();
        type_in("2\n");
        assert_eq!(answers.next().await, "2");
    }

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
