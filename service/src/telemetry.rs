//! Logging of the process itself. Nothing logged names a person or holds a secret: types that do
//! have no `Debug` that prints it, and errors carry none.

use std::{error::Error, fmt::Write as _, io::IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// Sends log lines to standard error: for people at a terminal, as JSON elsewhere.
/// `HEALTHCARD_LOG` chooses levels, e.g. `info` or `service=debug`.
pub fn start() {
    let filter =
        EnvFilter::try_from_env("HEALTHCARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first subscriber.
    let _ =
        if std::io::stderr().is_terminal() { lines.try_init() } else { lines.json().try_init() };
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
