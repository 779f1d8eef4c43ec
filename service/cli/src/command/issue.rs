//! `healthcard card issue`, `healthcard card abandon` and `healthcard card manifest`.

use std::path::{Path, PathBuf};

use audit::manifest::{self, Altered, Manifest, ManifestError};
use clap::{Args, Subcommand, ValueEnum};
use proto::v1::{
    AbandonBatchRequest, BatchAbandonment, CardCapacity, ManifestRequest, RowState,
    cards_client::CardsClient,
};
use serde_json::json;

use super::audit::Key;
use crate::{
    batch::{Folder, MAX_ANSWER, Rows},
    context::{Context, Outcome},
    desk,
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    page::{Cell, Page},
    service::Authorized,
    text::{self, problems},
};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("input").required(true)))]
pub(crate) struct Issue {
    /// 批次文件：CSV（UTF-8，首行为列名），或扩展名为 pb 的 BatchRow 消息 | File of a batch: CSV in UTF-8 whose first line names the columns, or BatchRow messages in a file ending in .pb
    #[arg(long, value_name = "FILE", group = "input")]
    batch: Option<PathBuf>,
    /// 一个人的 TOML 文件，键为列名 | TOML of one person, with the names of columns
    #[arg(long = "person", value_name = "FILE", group = "input")]
    form: Option<PathBuf>,
    /// 卡容量；行内 capacity（卡容量）一列优先 | Capacity of the cards; the column `capacity` of a row goes before it
    #[arg(long, value_enum, default_value = "32K")]
    capacity: Capacity,
    /// 照片所在目录；缺省与批次文件同目录 | Directory of the photos; by default that of the batch
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// 批次的工作目录：中断后以同一命令继续 | Directory of the batch: the same command goes on where it was cut off
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// 只用名称含此文字的读卡器 | Only readers whose name contains this
    #[arg(long, value_name = "TEXT")]
    reader: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Abandon {
    /// 批次编号 | Number of the batch
    #[arg(value_name = "BATCH")]
    id: String,
    /// 原因 | Why
    #[arg(long, value_enum)]
    cause: Cause,
    /// 保存清单的文件 | File to keep the manifest in
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Why a batch is given up.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Cause {
    /// 数据有误 | The rows are wrong
    WrongRows,
    /// 空白卡不足 | There are no blank cards for the rest
    NoBlanks,
    /// 不再需要 | The cards are no longer wanted
    NotWanted,
    /// 经核对，待决定的人员已在册 | People of held rows are on record already
    SamePeople,
}

/// What cards have room for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Capacity {
    /// 全部内容 | Everything
    #[value(name = "32K")]
    Full,
    /// 无照片，仅一个地址和联系人 | No photo, one address, one contact
    #[value(name = "16K")]
    Reduced,
}

impl From<Capacity> for CardCapacity {
    fn from(capacity: Capacity) -> Self {
        match capacity {
            Capacity::Full => Self::CardCapacity32k,
            Capacity::Reduced => Self::CardCapacity16k,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ManifestCommand {
    /// 取回已结束批次的清单 | Fetch the manifest of a batch that is closed
    Get {
        /// 批次编号 | Number of the batch
        #[arg(value_name = "BATCH")]
        id: String,
        /// 保存清单的文件 | File to keep the manifest in
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// 离线核对清单，指出被改动之处 | Check a manifest off line, and name what was changed
    Check {
        /// 清单文件 | The manifest
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        key: Key,
    },
}

impl Issue {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let photos = self.photos.as_deref();
        let rows = match (&self.batch, &self.form) {
            (Some(batch), _) => Rows::of_batch(batch, photos)?,
            (None, Some(form)) => Rows::of_form(form, photos)?,
            (None, None) => return Err(problems::USAGE.into()),
        };
        let folder = Folder::open(&self.out, &rows)?;
        let made = desk::issue(context, self.reader, self.capacity.into(), &folder, rows).await?;
        let progress = &made.progress;
        let (issued, refused, held) = (
            progress.count(RowState::Issued),
            progress.count(RowState::Refused),
            progress.count(RowState::Held),
        );
        let report = self.out.join("report.csv").display().to_string();
        let counted = |title| {
            Page::titled(title)
                .row(text::BATCH_ID, folder.batch_id.as_str())
                .row(text::ROWS, progress.rows.to_string())
                .row(text::ISSUED, issued.to_string())
                .row(text::ROWS_REFUSED, refused.to_string())
        };
        let mut answer = json!({
            "event": "done",
            "batch_id": folder.batch_id,
            "rows": progress.rows,
            "issued": issued,
            "refused": refused,
            "held": held,
        });
        let Some(manifest) = made.manifest else {
            answer["event"] = json!("held");
            let page = counted(text::BATCH_HELD)
                .row(text::ROWS_HELD, held.to_string())
                .row(text::REPORT_FILE, report)
                .row(text::ADVICE, Cell::Spoken(text::BATCH_HELD_ADVICE));
            context.screen.show(&answer, &page);
            return Ok(Exit::Refused);
        };
        let manifest = folder.manifest(&manifest.manifest)?.display().to_string();
        answer["manifest"] = json!(manifest);
        let page = counted(text::BATCH_DONE)
            .row(text::MANIFEST_FILE, manifest)
            .row(text::REPORT_FILE, report);
        context.screen.show(&answer, &page);
        Ok(if refused == 0 { Exit::Done } else { Exit::Refused })
    }
}

impl Abandon {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let cause = match self.cause {
            Cause::WrongRows => BatchAbandonment::WrongRows,
            Cause::NoBlanks => BatchAbandonment::NoBlanks,
            Cause::NotWanted => BatchAbandonment::NotWanted,
            Cause::SamePeople => BatchAbandonment::SamePeople,
        };
        let request = AbandonBatchRequest { batch_id: self.id, cause: cause.into() };
        let found = context
            .service
            .ask(async |channel| cards(channel).abandon_batch(request.clone()).await)
            .await?;
        files::write(&self.out, found.manifest.as_bytes(), Audience::Everyone)?;
        let page = Page::titled(text::BATCH_ABANDONED)
            .row(text::MANIFEST_FILE, self.out.display().to_string());
        context.answer("ManifestResponse", &found, &page)
    }
}

/// The service, with answers that hold a manifest.
fn cards(channel: Authorized) -> CardsClient<Authorized> {
    CardsClient::new(channel).max_decoding_message_size(MAX_ANSWER)
}

impl ManifestCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Get { id, out } => {
                let request = ManifestRequest { batch_id: id };
                let found = context
                    .service
                    .ask(async |channel| cards(channel).manifest(request.clone()).await)
                    .await?;
                files::write(&out, found.manifest.as_bytes(), Audience::Everyone)?;
                let page =
                    Page::titled(text::MANIFEST_SAVED).row(text::FILE, out.display().to_string());
                context.answer("ManifestResponse", &found, &page)
            }
            Self::Check { file, key } => check(context, &file, &key),
        }
    }
}

/// Asks no service: the key comes with the command, or is that of the log as kept elsewhere.
fn check(context: &Context, file: &Path, key: &Key) -> Outcome {
    let key = key.given()?.ok_or(problems::VERIFIER_KEY_NEEDED)?;
    let bytes = files::read(file, manifest::MAX_MANIFEST as u64)?;
    let malformed = || Failure::of(problems::MANIFEST_MALFORMED).about(file.display());
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
    match manifest::check(text, &key) {
        Ok(manifest) => {
            context.screen.show(&valid_json(&manifest), &valid_page(&manifest));
            Ok(Exit::Done)
        }
        Err(ManifestError::Altered(what)) => {
            let named = what.iter().map(|what| named(*what));
            let page =
                named.clone().fold(Page::titled(text::MANIFEST_ALTERED), |page, (cell, _)| {
                    page.row(text::FINDING, cell)
                });
            let list: Vec<_> = named.map(|(_, json)| json).collect();
            let answer = json!({ "verdict": "tampered", "altered": list });
            context.screen.show(&answer, &page);
            Ok(Exit::Tampered)
        }
        Err(ManifestError::NotSigned | ManifestError::OtherService) => {
            Err(Failure::of(problems::MANIFEST_OTHER_KEY).about(file.display()))
        }
        Err(error) => Err(malformed().about(error)),
    }
}

fn valid_json(manifest: &Manifest) -> serde_json::Value {
    json!({
        "verdict": "valid",
        "service": manifest.service,
        "batch_id": manifest.batch,
        "institution_id": manifest.institution,
        "rows": manifest.rows.len(),
        "issued": manifest.issued(),
        "spoiled": manifest.spoiled.len(),
        "closed_at": manifest.closed,
    })
}

fn valid_page(manifest: &Manifest) -> Page {
    Page::titled(text::MANIFEST_VALID)
        .row(text::BATCH_ID, manifest.batch.as_str())
        .row(text::INSTITUTION_ID, manifest.institution.as_str())
        .row(text::ROWS, manifest.rows.len().to_string())
        .row(text::ISSUED, manifest.issued().to_string())
        .row(text::SPOILED, manifest.spoiled.len().to_string())
        .row(text::CLOSED_AT, manifest.closed.as_str())
}

fn named(what: Altered) -> (Cell, serde_json::Value) {
    let counted = |text, number: u32| Cell::Filled(text, vec![number.to_string()]);
    match what {
        Altered::Head => (Cell::Spoken(text::ALTERED_HEAD), json!("head")),
        Altered::Row(row) => (counted(text::ALTERED_ROW, row), json!({"row": row})),
        Altered::Missing(row) => (counted(text::ALTERED_MISSING, row), json!({"missing": row})),
        Altered::Added(row) => (counted(text::ALTERED_ADDED, row), json!({"added": row})),
        Altered::Spoiled(n) => (counted(text::ALTERED_SPOILED, n), json!({"spoiled": n})),
        Altered::Lines => (Cell::Spoken(text::ALTERED_LINES), json!("lines")),
    }
}
