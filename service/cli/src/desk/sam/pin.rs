//! The PIN of a SAM: where it comes from, how it is presented, and how it is changed
//! (`healthcard desk sam-pin`). It goes to the SAM alone; how many tries are left is told before.

use std::path::{Path, PathBuf};

use card::{Pin, Sam, SamError};
use clap::Args;
use serde_json::json;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::{
    super::{
        metrics::Metrics,
        reader::{Abandoned, Reader},
    },
    found, link,
};
use crate::{
    context::{self, Context},
    exit::Exit,
    failure::Failure,
    files,
    page::Page,
    screen::Screen,
    text::{self, Text, problems},
};

/// Largest file with a PIN, bytes.
const PIN_FILE: u64 = 64;

/// A SAM whose PIN is to be changed.
#[derive(Debug, Args)]
pub(crate) struct NewPin {
    /// SAM 卡所在的读卡器，名称含此文字 | The reader of the SAM: its name contains this
    #[arg(value_name = "TEXT")]
    reader: String,
    /// 含现用 PIN 的文件，只能由本人读取；省略时在终端输入 | File with the PIN so far, readable by its owner only; asked for at the terminal when absent
    #[arg(long, value_name = "FILE")]
    sam_pin_file: Option<PathBuf>,
    /// 含新 PIN 的文件，只能由本人读取；省略时在终端输入两次 | File with the new PIN, readable by its owner only; asked for twice at the terminal when absent
    #[arg(long, value_name = "FILE")]
    new_pin_file: Option<PathBuf>,
}

/// Changes the PIN of a SAM.
pub(crate) async fn change(context: &Context, order: NewPin) -> context::Outcome {
    let screen = context.screen;
    let missing = || Failure::of(problems::SAM_UNREADABLE).about(&order.reader);
    let name = found(&order.reader).await.ok_or_else(missing)?;
    let mut reader = Reader::new(&name, Abandoned::default(), Metrics::new());
    let looked = reader
        .ask(|place| -> Result<(String, u8), SamError> {
            let mut sam = Sam::open(place.connect().map_err(link)?)?;
            Ok((sam.public()?.serial.to_string(), sam.tries_left()?))
        })
        .await;
    let (serial, tries) = looked.map_err(|_| missing())?.map_err(|error| missing().about(error))?;
    if tries == 0 {
        return Err(problems::SAM_PIN_BLOCKED.into());
    }
    let needed = || Failure::of(problems::SAM_PIN_MISSING);
    let old = pin(order.sam_pin_file.as_deref(), screen, text::ASK_SAM_PIN_OLD, tries).await?;
    let old = old.ok_or_else(needed)?;
    let new = match &order.new_pin_file {
        Some(file) => Some(from_file(file)?),
        None => typed_twice(screen).await?,
    };
    let new = new.ok_or_else(needed)?;
    let changed = reader
        .ask(move |place| -> Result<(), SamError> {
            Sam::open(place.card().map_err(link)?)?.change_pin(&old, &new)
        })
        .await;
    reader.release();
    changed.map_err(|_| missing())?.map_err(|error| refused(&error))?;
    let page = Page::titled(text::SAM_PIN_CHANGED).row(text::SAM_SERIAL, &serial);
    context.screen.show(&json!({ "serial": serial, "pin_changed": true }), &page);
    Ok(Exit::Done)
}

/// Why a SAM did not take a PIN.
pub(super) fn refused(error: &SamError) -> Failure {
    match error.wrong_pin() {
        Some(0) => problems::SAM_PIN_BLOCKED.into(),
        Some(left) => Failure::of(problems::SAM_PIN_WRONG).about(left),
        None => Failure::of(problems::SAM_UNREADABLE).about(error),
    }
}

/// The PIN from its file, or as it is typed, with the tries that are left in the question. Nothing
/// typed, or nobody to type: none.
pub(super) async fn pin(
    file: Option<&Path>,
    screen: Screen,
    question: Text,
    tries: u8,
) -> Result<Option<Pin>, Failure> {
    match file {
        Some(path) => from_file(path).map(Some),
        None => typed(screen, &question.fill(screen.lang, &[&tries.to_string()])).await,
    }
}

pub(super) fn from_file(path: &Path) -> Result<Pin, Failure> {
    let bytes = Zeroizing::new(files::read(path, PIN_FILE)?);
    if files::is_exposed(path).unwrap_or(true) {
        return Err(Failure::of(problems::SAM_PIN_UNUSABLE).about(path.display()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| problems::SAM_PIN_UNUSABLE)?;
    Pin::from_digits(text.trim()).map_err(|_| problems::SAM_PIN_UNUSABLE.into())
}

async fn typed(screen: Screen, question: &str) -> Result<Option<Pin>, Failure> {
    let Some(digits) = hidden(screen, question).await? else { return Ok(None) };
    Pin::from_digits(&digits).map(Some).map_err(|_| problems::SAM_PIN_UNUSABLE.into())
}

/// A new PIN, which nobody sees while it is typed.
async fn typed_twice(screen: Screen) -> Result<Option<Pin>, Failure> {
    let ask = async |question: Text| hidden(screen, question.speak(screen.lang)).await;
    let Some(first) = ask(text::ASK_SAM_PIN_NEW).await? else { return Ok(None) };
    let again = ask(text::ASK_SAM_PIN_AGAIN).await?;
    if again.is_none_or(|again| *again != *first) {
        return Err(problems::SAM_PIN_DIFFERS.into());
    }
    Pin::from_digits(&first).map(Some).map_err(|_| problems::SAM_PIN_UNUSABLE.into())
}

/// What is typed unseen; nothing when that is nothing, or nobody is there to type. Only a thread of
/// its own waits for it.
async fn hidden(screen: Screen, question: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    if !screen.can_ask() {
        return Ok(None);
    }
    let question = question.to_owned();
    let unusable = |error: String| Failure::of(problems::SAM_PIN_UNUSABLE).about(error);
    let typed = spawn_blocking(move || rpassword::prompt_password(question).map(Zeroizing::new))
        .await
        .map_err(|error| unusable(error.to_string()))?
        .map_err(|error| unusable(error.to_string()))?;
    Ok(Some(typed).filter(|typed| !typed.is_empty()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_pin_comes_from_a_file_of_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pin");
        let cases: [(&[u8], u32, &str); 8] = [
            (b"123456\n", 0o600, ""),
            (b" 123456\r\n", 0o600, ""),
            (b"123456", 0o640, "SAM_PIN_UNUSABLE"),
            (b"123456", 0o604, "SAM_PIN_UNUSABLE"),
            (b"123", 0o600, "SAM_PIN_UNUSABLE"),
            (b"123456\n123456\n", 0o600, "SAM_PIN_UNUSABLE"),
            (b"12345\xff", 0o600, "SAM_PIN_UNUSABLE"),
            (&[b'1'; 65], 0o600, "FILE_TOO_LARGE"),
        ];
        for (content, mode, expected) in cases {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let reason =
                from_file(&path).map_or_else(|failure| failure.reason.clone(), |_| String::new());
            assert_eq!(reason, expected, "{content:?}, {mode:o}");
        }
    }
}
