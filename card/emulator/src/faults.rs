//! `vcard faults`.

use card_emulator::fault::scene::{Play, SCENES, Scene};
use clap::{Args, ValueEnum};

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
pub(super) fn list(faults: &Faults) {
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
        println!("{kind}\t{name:<20}\t{:<26}\t{told}", outcome.to_string());
    }
}
