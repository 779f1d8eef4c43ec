//! `vcard faults`.

use std::io::{ErrorKind, Write};

use card_emulator::fault::scene::{Play, SCENES, Scene};
use clap::{Args, ValueEnum};

use super::Failure;

#[derive(Args)]
pub(super) struct Faults {
    /// Language of the list.
    #[arg(long, value_enum, default_value_t = Lang::Zh)]
    lang: Lang,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lang {
    Zh,
    En,
}

/// Prints a line a scene: how it is ordered, what must come of it, what happens.
pub(super) fn list(faults: &Faults) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let (read, write, desk) = match faults.lang {
        Lang::Zh => ("读卡", "写卡", "场景"),
        Lang::En => ("read", "write", "scene"),
    };
    for Scene { name, play, outcome, zh, en } in SCENES {
        let kind = match play {
            Play::Read(_) => read,
            Play::Write(_) => write,
            _ => desk,
        };
        let told = match faults.lang {
            Lang::Zh => zh,
            Lang::En => en,
        };
        match writeln!(out, "{kind}\t{name:<20}\t{:<26}\t{told}", outcome.to_string()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}
