//! `healthcard timestamp`: when a file was there (RFC 3161).

use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use clap::{Args, Subcommand};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::authority::known_issuers;
use crate::{
    clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    page::{Page, instant},
    service::{Fresh, post},
    text::{self, Text, problems},
    time_stamp::{self, Stamp},
};

/// Largest file that is stamped, bytes.
const LARGEST: u64 = 256 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum TimestampCommand {
    /// 为文件加盖时间戳 | Have a file stamped with the time
    Request {
        /// 文件 | File
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// 存放时间戳的文件（TimeStampResp，DER） | Where the stamp is put (TimeStampResp, DER)
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// 核对文件的时间戳 | Check the time stamp of a file
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// 文件 | File
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// 时间戳 | Time stamp
    #[arg(long, value_name = "FILE")]
    stamp: PathBuf,
    /// 签发证书 issuers.pem（authority export 所存）；缺省向服务索取 | issuers.pem as `authority export` saves it; by default the service is asked
    #[arg(long, value_name = "FILE")]
    issuers: Option<PathBuf>,
}

impl TimestampCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Request { file, out } => request(context, &file, &out).await,
            Self::Verify(Verify { file, stamp, issuers }) => {
                let digest = files::sm3(&file, LARGEST)?;
                let reply = files::read(&stamp, time_stamp::LIMIT as u64)?;
                let issuers = known_issuers(context, issuers.as_deref()).await?;
                let stamp = time_stamp::read(&reply, &digest, None, &issuers, clock::now())?;
                Ok(show(context, text::STAMP_GOOD, &stamp, None))
            }
        }
    }
}

async fn request(context: &Context, file: &Path, out: &Path) -> Outcome {
    let digest = files::sm3(file, LARGEST)?;
    let (reply, stamp) = stamped(context, &digest).await?;
    files::write(out, &reply, Audience::Everyone)?;
    Ok(show(context, text::STAMPED, &stamp, Some(out)))
}

/// Has a digest stamped; the reply as it came, and what it says.
pub(super) async fn stamped(
    context: &Context,
    digest: &[u8; 32],
) -> Result<(Vec<u8>, Stamp), Failure> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
    let query = time_stamp::query(digest, &nonce).ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
    let reply = ask(context, &query).await?;
    let issuers = known_issuers(context, None).await?;
    let stamp = time_stamp::read(&reply, digest, Some(&nonce), &issuers, clock::now())?;
    Ok((reply, stamp))
}

/// Sends a query within a session, and takes the reply.
async fn ask(context: &Context, query: &[u8]) -> Result<Vec<u8>, Failure> {
    let address = ("/tsa", "application/timestamp-query");
    let (channel, fresh) = context.service.authorized().await?;
    let mut answer = post(channel, address, query, time_stamp::LIMIT).await?;
    if answer.0 == StatusCode::UNAUTHORIZED && fresh == Fresh::Saved {
        let channel = context.service.log_in_unasked().await?;
        answer = post(channel, address, query, time_stamp::LIMIT).await?;
    }
    match answer {
        (StatusCode::OK, reply) => Ok(reply),
        (StatusCode::FORBIDDEN, _) => Err(problems::TIME_STAMPS_NOT_ALLOWED.into()),
        _ => Err(problems::TIME_NOT_STAMPED.into()),
    }
}

fn show(context: &Context, title: Text, stamp: &Stamp, file: Option<&Path>) -> Exit {
    let accuracy = stamp.accuracy.map(|by| format!("±{} ms", by.whole_milliseconds()));
    let page = Page::titled(title)
        .row(text::STAMPED_AT, instant(stamp.at))
        .maybe(text::ACCURACY, accuracy)
        .row(text::STAMP_NUMBER, stamp.serial.as_str())
        .row(text::STAMPER, stamp.stamper.as_str())
        .maybe(text::STAMP_FILE, file.map(|file| file.display().to_string()));
    let json = json!({
        "time": stamp.at.format(&Rfc3339).unwrap_or_default(),
        "accuracy_ms": stamp.accuracy.map(|by| i64::try_from(by.whole_milliseconds()).ok()),
        "serial": stamp.serial,
        "stamper": stamp.stamper,
        "file": file.map(|file| file.display().to_string()),
    });
    context.screen.show(&json, &page);
    Exit::Done
}
