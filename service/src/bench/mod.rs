//! `healthcardd bench`: what the service does in a second on this machine, told as ratios against
//! limits measured in the same run. Nothing here is a test: figures are for people to read.
//!
//! In reading order: `ground`, a whole service in this process with people to serve; `tokens`, `ends`, `decisions`, `pairs`,
//! `staff`, `status`, `national`, `log` (with `population`), `size`, `seats`, `desk` and `recovery`, each a question; `measure`, how answers are counted.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::demo::{
    people::{CLERK, HOSPITAL},
    programs::Programs,
    stage::Stage,
};

mod decisions;
mod desk;
mod echo;
mod ends;
mod ground;
mod log;
mod measure;
mod national;
mod pairs;
mod population;
mod recovery;
mod seats;
mod size;
mod staff;
mod status;
mod tokens;
mod two_persons;

/// A question to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Question {
    /// Tokens issued a second, against SM2 alone and a bare echo (令牌签发).
    Tokens,
    /// How soon a token that was ended is refused by two servers that check offline (撤销生效).
    Ends,
    /// What a decision alone takes, by the shipped rules and by fifty (授权判定).
    Decisions,
    /// Certificate pairs a second, from request to answer (双证书签发).
    Pairs,
    /// Clinicians a second, put on record and certified by two operators (批量入职).
    Staff,
    /// Answers a second about the status of certificates, against a bare echo (证书状态).
    Status,
    /// Handshakes and calls a second over national TLS, beside the ordinary one (国密 TLS).
    National,
    /// Appending, searching, proving, checking and starting as the log grows (审计日志).
    Log,
    /// Memory at rest, and size of the program (内存与体积).
    Size,
    /// From one person at a shared workstation to the next, with the real programs (换人登录).
    Seats,
    /// From a card in a reader to the person on screen; needs a PC/SC daemon with the virtual
    /// reader (窗口读卡).
    Desk,
    /// How soon a desk reads again after the PC/SC daemon was killed, a reader torn out, a card
    /// pulled; starts daemons of its own, under `scripts/with-pcsc --no-daemon` (故障恢复).
    Recovery,
}

/// How to measure.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// What is asked.
    pub questions: Vec<Question>,
    /// Directory for what is made on the way. It must not exist; it is removed at the end, unless a
    /// question could not be answered: then it has the logs.
    pub directory: PathBuf,
    /// Seconds for each rate.
    pub seconds: u64,
    /// Entries of the largest log.
    pub entries: u64,
    /// Clinicians to put on record.
    pub people: u32,
    /// Rounds of recovery.
    pub rounds: u32,
    /// One JSON object a question, instead of lines for people.
    pub json: bool,
}

/// Why something was not measured: told to whoever sits there, so the cause as text is enough.
pub type BenchError = Box<dyn std::error::Error + Send + Sync>;

/// Asks and prints.
///
/// # Errors
/// [`BenchError`] for the first question that could not be answered.
pub fn run(options: &BenchOptions) -> Result<(), BenchError> {
    std::fs::create_dir(&options.directory)?;
    ask_all(options).map_err(|error| {
        let kept = options.directory.display();
        format!("{error} (what was made and logged on the way is in {kept})")
    })?;
    std::fs::remove_dir_all(&options.directory)?;
    Ok(())
}

fn ask_all(options: &BenchOptions) -> Result<(), BenchError> {
    for question in &options.questions {
        let directory = options.directory.join(format!("{question:?}").to_lowercase());
        let figures = match question {
            Question::Tokens => runtime()?.block_on(tokens::ask(&directory, options.seconds))?,
            Question::Ends => runtime()?.block_on(ends::ask(&directory))?,
            Question::Decisions => decisions::ask(options.seconds)?,
            Question::Pairs => runtime()?.block_on(pairs::ask(&directory, options.seconds))?,
            Question::Staff => runtime()?.block_on(staff::ask(&directory, options.people))?,
            Question::Status => runtime()?.block_on(status::ask(&directory, options.seconds))?,
            Question::National => {
                runtime()?.block_on(national::ask(&directory, options.seconds))?
            }
            Question::Log => {
                runtime()?.block_on(log::ask(&directory, options.entries, options.seconds))?
            }
            Question::Size => runtime()?.block_on(size::ask(&directory))?,
            Question::Seats => seats::ask(&directory)?,
            Question::Desk => desk::ask(&directory)?,
            Question::Recovery => recovery::ask(&directory, options.rounds)?,
        };
        print(*question, &figures, options.json);
    }
    Ok(())
}

/// A service that runs, with a hospital and its clerk; the hospital's id.
fn with_a_clerk(directory: &Path) -> Result<(Stage, String), BenchError> {
    let mut stage = Stage::empty(directory, Programs::beside_this_one()?)?;
    stage.init()?;
    stage.serve()?;
    let hospital = stage.register_institution(&HOSPITAL)?;
    stage.engage(&hospital, &CLERK)?;
    Ok((stage, hospital))
}

fn runtime() -> Result<tokio::runtime::Runtime, BenchError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn print(question: Question, figures: &[(String, Value)], json: bool) {
    let name = format!("{question:?}").to_lowercase();
    if json {
        let object: serde_json::Map<String, Value> = figures.iter().cloned().collect();
        println!("{}", serde_json::json!({ "question": name, "figures": object }));
        return;
    }
    println!("{name}");
    for (what, value) in figures {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        println!("  {what:<76} {value:>14}");
    }
}
