//! `healthcardd demo`: a visit from the first key to the auditor's proof, played with the real programs.
//!
//! Every step is a command of `healthcard`, `healthcardd` or `vcard` that a person could type, run as its own
//! process against a real PC/SC daemon; the demo adds nothing to them but the order. In reading order: [`people`] who
//! play, [`programs`] they use, the [`stage`] with everything on disk, its [`readers`], and the story itself.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;

mod access;
mod auditing;
pub mod card_contents;
pub mod daemon;
pub mod people;
pub mod programs;
pub mod readers;
mod refusals;
mod report;
pub mod stage;
mod story;
pub mod tamper;

pub use report::{Form, Language};

use programs::{ProgramError, Programs};
use report::{Report, text};
use stage::Stage;
use story::Story;

/// How the demo is to be played.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// End after the last step, also at a terminal.
    pub once: bool,
    /// For people, or for programs.
    pub form: Form,
    /// Language of the texts.
    pub language: Language,
    /// Directory for keys, database, cards and logs. It is emptied first if an earlier demo made it.
    pub directory: PathBuf,
}

/// Why the demo did not go as it must.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A program could not be used.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Something was granted, refused or found otherwise than it must be.
    #[error("expected {expected}; got {got}")]
    Unexpected {
        /// What should have come.
        expected: String,
        /// What came.
        got: String,
    },
    /// The directory holds something that no demo made.
    #[error("{} is not empty and was not made by a demo: name another with --dir", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// A file of the demo could not be written or read.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The copy of the log could not be made or altered.
    #[error("altering a copy of the log")]
    Copy(#[from] rusqlite::Error),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness(#[source] getrandom::Error),
    /// What was to be told could not be printed.
    #[error("printing")]
    Output(#[source] io::Error),
}

impl DemoError {
    fn unexpected(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Unexpected { expected: expected.into(), got: got.into() }
    }

    /// The error with its causes, in one line.
    fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(below) = cause {
            line = format!("{line}: {below}");
            cause = below.source();
        }
        line
    }
}

/// Plays the demo. Ends with an error at the first thing that is not as it must be.
///
/// # Errors
/// [`DemoError`]; what went well before it has been told.
pub fn run(options: &DemoOptions) -> Result<(), DemoError> {
    let mut report = Report::new(options.language, options.form);
    let stage = Stage::empty(&options.directory, Programs::beside_this_one()?)?;
    let stage = stage.speaking(options.language);
    report.say(&text(
        "居民健康卡身份服务：一次就诊的全过程。\n人物、证件号码、电话均为虚构：行政区划 990000 不存在。",
        "A visit from the first key to the auditor's proof.\nNobody here exists: no place has the region code 990000 of the ID numbers.",
    ))?;
    let mut story = Story::begin(stage, &mut report)?;
    story.visit(&mut report)?;
    story.refusals(&mut report)?;
    story.consent(&mut report)?;
    story.emergency(&mut report)?;
    story.warning(&mut report)?;
    story.auditing(&mut report)?;
    story.package(&mut report)?;
    story.tampering(&mut report)?;
    report.summary()?;
    if !options.once && io::stdin().is_terminal() {
        story.stay(&report)?;
    }
    Ok(())
}

impl Story {
    /// Keeps everything running at a terminal, and hands the virtual readers to whoever sits there.
    fn stay(self, report: &Report) -> Result<(), DemoError> {
        self.write_shell_settings()?;
        let (patient, else_) = (self.card("patient"), self.card("somebody-else"));
        report.say(&text(
            format!(
                "服务仍在运行。可以继续试：\n\
                 1. 另开一个终端运行 scripts/demo-shell，在其中：\n\
                 \x20    healthcard --as $DESK desk            # 看读卡器，读卡即显示\n\
                 \x20    healthcard --as $DOCTOR visit list\n\
                 \x20    healthcard --as $AUDITOR audit search --resident {resident}\n\
                 \x20    healthcard doctor\n\
                 2. 在这里输入一行，操作虚拟读卡器：\n\
                 \x20    insert 0 {patient}\n\
                 \x20    remove 0\n\
                 \x20    insert 1 {else_}\n\
                 按 Ctrl-D 或 Ctrl-C 结束。",
                resident = self.resident_id, patient = patient.display(), else_ = else_.display(),
            ),
            format!(
                "The service stays up. What to try next:\n\
                 1. In another terminal run scripts/demo-shell, and there:\n\
                 \x20    healthcard --as $DESK desk            # watch the readers and show whose card it is\n\
                 \x20    healthcard --as $DOCTOR visit list\n\
                 \x20    healthcard --as $AUDITOR audit search --resident {resident}\n\
                 \x20    healthcard doctor\n\
                 2. Type a line here to work the virtual readers:\n\
                 \x20    insert 0 {patient}\n\
                 \x20    remove 0\n\
                 \x20    insert 1 {else_}\n\
                 Ctrl-D or Ctrl-C ends everything.",
                resident = self.resident_id, patient = patient.display(), else_ = else_.display(),
            ),
        ))?;
        // The cards are for the desk that is started next.
        let Self { stage: _stage, mut readers, desk, .. } = self;
        drop(desk);
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let order = line.trim();
            if !order.is_empty() {
                let said = match readers.order(order) {
                    Ok(()) => "ok".to_owned(),
                    Err(DemoError::Unexpected { got, .. }) => got,
                    Err(error) => return Err(error),
                };
                report.say(&text(said.clone(), said))?;
            }
        }
        Ok(())
    }
}
