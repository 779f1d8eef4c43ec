//! Logging of the process itself. Nothing logged names a person or holds a secret: types that do
//! have no `Debug` that prints it, and errors carry none.

use std::{
    error::Error,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write},
};

use tracing_subscriber::EnvFilter;

/// Standard error, as far as it takes anything. A line that cannot be written, because the disk that it goes to is
/// full, must not end the work that it tells of.
struct Lines;

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends log lines to standard error: for people at a terminal, as JSON elsewhere.
/// `HEALTHCARD_LOG` chooses levels, e.g. `info` or `service=debug`.
pub fn start() {
    let filter =
        EnvFilter::try_from_env("HEALTHCARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lines);
    // A second start in one process (tests) keeps the first subscriber.
    let _ = if io::stderr().is_terminal() { lines.try_init() } else { lines.json().try_init() };
}

/// An error and its causes on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}
