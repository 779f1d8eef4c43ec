//! `healthcard audit`: searching the log, and proofs that are checked on this machine.

mod bundle;
mod check;
mod checker;
mod database;
mod export;
mod forward;
mod package;
mod running;
mod search;
mod segments;
mod today;
mod written;

use std::path::{Path, PathBuf};

use audit::{
    checkpoint::{Checkpoint, VerifierKey},
    cosignature::{WitnessKey, Witnessed},
};
use clap::{Args, Subcommand};
use proto::v1::{
    CheckpointRequest, CheckpointResponse, ConsistencyRequest, GetAuditEntryRequest, GrowthRequest,
    ProveAuditEntryRequest, audit_client::AuditClient,
};
use serde_json::{Value, json};

pub(super) use check::judged;

use super::{Pages, witness::moment};
use crate::{
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    json,
    page::{Cell, Page, instant},
    proof,
    text::{self, problems},
    witness::disagreement,
};

/// Largest checkpoint, bytes.
const NOTE_LIMIT: u64 = 8 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// 查找记录，由新到旧 | Search entries, newest first
    Search(search::Search),
    /// 按日期、操作者、规则等分组计数 | Count entries by day, person, rule and so on
    Count(search::Count),
    /// 持续显示新写入的记录 | Show entries as they are written
    Follow(search::Follow),
    /// 查看一条记录 | Show one entry
    Get {
        /// 日志位置 | Position in the log
        #[arg(value_name = "POSITION")]
        position: u64,
    },
    /// 证明一条记录在日志之中，并在本机核对 | Prove that an entry is in the log, checked on this machine
    Prove(Prove),
    /// 核对日志自所持检查点以来只增未改 | Check that the log only grew since a checkpoint held earlier
    Consistency(Consistency),
    /// 取得最新检查点，并核对其签名 | Get the newest checkpoint and check its signature
    Checkpoint {
        #[command(flatten)]
        key: Key,
        #[command(flatten)]
        witnesses: Witnesses,
        /// 保存检查点的文件 | File to keep the checkpoint in
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// 导出日志，供离线核对 | Export the log, to be checked offline
    Export(export::Export),
    /// 向安全审计服务（IHE ATNA，syslog over TLS）逐条转发日志 | Pass the log on to a repository of audit messages (IHE ATNA, syslog over TLS)
    Forward(forward::Forward),
    /// 制作证据包：一个文件，含记录、证明、证书、状态和核对方法，已签名 | Make a package of evidence: entries, proofs, certificates, status and how to check them in one signed file
    Package(package::Package),
    /// 离线核对日志：完好、被改动（指出哪一条）或无法核对 | Check a log offline: intact, tampered with (naming entries), or not to be told
    Check(check::Check),
    /// 日志分段：封存、期满、移除的情况 | Segments of the log: closed, past their term, removed
    Segments {
        #[command(flatten)]
        pages: Pages,
    },
    /// 录入：移除保存期满的最早分段；须另一位审计员复核 | Enter that the oldest segment is to be removed, its term being over; another auditor reviews it
    Remove(segments::Remove),
    /// 复核移除分段的申请 | Review the removal of a segment
    RemoveReview(segments::Review),
    /// 给出核对网页：一个文件，用浏览器离线核对导出文件 | Give out the checker page: one file that checks exports in a browser, offline
    Checker(checker::Checker),
}

#[derive(Debug, Args)]
pub(crate) struct Key {
    /// 日志的验证公钥；缺省采用服务给出的 | Verifier key of the log; by default the one the service gives
    #[arg(long, value_name = "KEY", env = "HEALTHCARD_VERIFIER_KEY")]
    verifier_key: Option<String>,
}

/// Who has to have signed a checkpoint, too.
#[derive(Debug, Args)]
pub(crate) struct Witnesses {
    /// 见证公钥，可多次给出：检查点须有其签名 | Key of a witness that has to have signed a checkpoint, too; may be repeated
    #[arg(long = "witness", value_name = "KEY")]
    keys: Vec<String>,
}

/// A witness, and what it signed, if anything.
type Cosigned = (String, Option<Witnessed>);

impl Witnesses {
    fn parsed(&self) -> Result<Vec<WitnessKey>, Failure> {
        let malformed = |error| Failure::of(problems::WITNESS_KEY_MALFORMED).about(error);
        self.keys.iter().map(|key| key.trim().parse().map_err(malformed)).collect()
    }

    /// What each of them signed among these checkpoints of the log, the newest.
    fn signed(&self, notes: &[String], log: &VerifierKey) -> Result<Vec<Cosigned>, Failure> {
        let newest = |key: WitnessKey| {
            // A line that does not verify is nobody's: whoever has the note can write one.
            let signed = notes.iter().filter_map(|note| key.witnessed(note, log).ok());
            let newest = signed.max_by_key(|signed| (signed.checkpoint.size, signed.time));
            (key.name().to_owned(), newest)
        };
        Ok(self.parsed()?.into_iter().map(newest).collect())
    }
}

/// Who signed what, as rows.
fn cosigned(page: Page, signed: &[Cosigned]) -> Page {
    signed.iter().fold(page, |page, (witness, signed)| {
        let cell = match signed {
            Some(Witnessed { checkpoint, time }) => Cell::Filled(
                text::COSIGNED,
                vec![witness.clone(), checkpoint.size.to_string(), instant(moment(*time))],
            ),
            None => Cell::Filled(text::NOT_COSIGNED_BY, vec![witness.clone()]),
        };
        page.row(text::COSIGNED_BY, cell)
    })
}

fn cosigned_json(signed: &[Cosigned]) -> Value {
    let one = |(witness, signed): &Cosigned| match signed {
        Some(Witnessed { checkpoint, time }) => json!({
            "witness": witness, "size": checkpoint.size, "signed_at": json::instant(moment(*time)),
        }),
        None => json!({ "witness": witness, "size": null }),
    };
    signed.iter().map(one).collect()
}

/// Whether all signed who had to.
fn all_signed(signed: &[Cosigned]) -> Exit {
    let all = signed.iter().all(|(_, signed)| signed.is_some());
    if all { Exit::Done } else { Exit::Unverifiable }
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// 日志位置 | Position in the log
    #[arg(value_name = "POSITION")]
    position: u64,
    #[command(flatten)]
    key: Key,
    /// 此前保存的检查点；缺省用最新的 | A checkpoint held earlier; by default the newest
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Consistency {
    /// 此前保存的检查点 | The checkpoint held earlier
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// 该检查点的验证公钥，日志其后更换过密钥时使用 | Its verifier key, where the log has a new key since
    #[arg(long, value_name = "KEY")]
    held_key: Option<String>,
    #[command(flatten)]
    key: Key,
    /// 保存新检查点的文件 | File to keep the new checkpoint in
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl AuditCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Search(search) => search.run(context).await,
            Self::Count(order) => order.run(context).await,
            Self::Follow(order) => order.run(context).await,
            Self::Forward(order) => order.run(context).await,
            Self::Get { position } => get(context, position).await,
            Self::Prove(order) => prove(context, order).await,
            Self::Consistency(order) => consistency(context, order).await,
            Self::Checkpoint { key, witnesses, out } => {
                checkpoint(context, &key, &witnesses, out.as_deref()).await
            }
            Self::Export(order) => order.run(context).await,
            Self::Package(order) => order.run(context).await,
            Self::Check(order) => order.run(context).await,
            Self::Segments { pages } => segments::segments(context, pages).await,
            Self::Remove(order) => order.run(context).await,
            Self::RemoveReview(order) => order.run(context).await,
            Self::Checker(order) => order.run(context),
        }
    }
}

impl Key {
    /// The key as given here.
    pub(super) fn given(&self) -> Result<Option<VerifierKey>, Failure> {
        self.verifier_key.as_deref().map(parse).transpose()
    }

    /// The key given, or that of the service. The latter binds the service to its own words only.
    pub(super) async fn resolve(&self, context: &Context) -> Result<VerifierKey, Failure> {
        match self.given()? {
            Some(key) => Ok(key),
            None => parse(&newest(context).await?.verifier_key),
        }
    }
}

fn parse(key: &str) -> Result<VerifierKey, Failure> {
    key.trim().parse().map_err(|error| Failure::of(problems::VERIFIER_KEY_MALFORMED).about(error))
}

/// A checkpoint from a file.
pub(super) fn held(path: &Path) -> Result<String, Failure> {
    let bytes = files::read(path, NOTE_LIMIT)?;
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Failure::of(problems::CHECKPOINT_UNUSABLE).about(path.display()))
}

async fn newest(context: &Context) -> Result<CheckpointResponse, Failure> {
    context
        .service
        .ask_openly(async |channel| {
            AuditClient::new(channel).checkpoint(CheckpointRequest {}).await
        })
        .await
}

async fn get(context: &Context, position: u64) -> Outcome {
    let request = GetAuditEntryRequest { position };
    let found =
        context.service.ask(async |channel| AuditClient::new(channel).get(request).await).await?;
    let json = search::entry_json(json::of("AuditEntry", &found), &found.entry);
    let page = search::entry_page(Page::titled(text::AUDIT_ENTRY), found.position, &found.entry);
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

async fn prove(context: &Context, Prove { position, key, checkpoint }: Prove) -> Outcome {
    let key = key.resolve(context).await?;
    let held = checkpoint.as_deref().map(held).transpose()?;
    let tree_size = match &held {
        Some(note) => proof::checkpoint(note, &key)?.size,
        None => 0,
    };
    let request = ProveAuditEntryRequest { position, tree_size };
    let answer =
        context.service.ask(async |channel| AuditClient::new(channel).prove(request).await).await?;
    let proved = proof::inclusion(&answer, position, held.as_deref(), &key)?;
    let mut json = search::entry_json(json::of("ProveAuditEntryResponse", &answer), &answer.entry);
    json["proved"] = true.into();
    json["verifier_key"] = key.to_string().into();
    json["checkpoint"] = held.unwrap_or(answer.checkpoint).into();
    let page = Page::titled(text::AUDIT_PROVED)
        .row(text::LOG_SIZE, proved.size)
        .row(text::ROOT, hex::encode(proved.root));
    let page =
        search::entry_page(page, position, &answer.entry).row(text::VERIFIER_KEY, key.to_string());
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

async fn consistency(context: &Context, order: Consistency) -> Outcome {
    let key = order.key.resolve(context).await?;
    let held_key = order.held_key.as_deref().map(parse).transpose()?;
    let older = proof::checkpoint(&held(&order.checkpoint)?, held_key.as_ref().unwrap_or(&key))?;
    let request = ConsistencyRequest { first_size: older.size, second_size: 0 };
    let answer = context
        .service
        .ask(async |channel| AuditClient::new(channel).consistency(request).await)
        .await?;
    let newer = proof::consistency(&answer, &older, &key)?;
    if let Some(out) = &order.out {
        files::write(out, answer.checkpoint.as_bytes(), Audience::Everyone)?;
    }
    let mut json = json::of("ConsistencyResponse", &answer);
    json["consistent"] = true.into();
    json["verifier_key"] = key.to_string().into();
    let page = Page::titled(text::AUDIT_CONSISTENT)
        .row(text::SIZES, format!("{} → {}", older.size, newer.size))
        .row(text::ROOT, hex::encode(newer.root))
        .row(text::VERIFIER_KEY, key.to_string());
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

async fn checkpoint(
    context: &Context,
    key: &Key,
    witnesses: &Witnesses,
    out: Option<&Path>,
) -> Outcome {
    let answer = newest(context).await?;
    let key = match key.given()? {
        Some(key) => key,
        None => parse(&answer.verifier_key)?,
    };
    let signed = witnesses.signed(&answer.cosigned, &key)?;
    let mut newest = proof::checkpoint(&answer.checkpoint, &key)?;
    let mut kept = &answer.checkpoint;
    for note in &answer.cosigned {
        let names =
            |it: &Cosigned| it.1.as_ref().is_some_and(|it| note.starts_with(&it.checkpoint.text()));
        if !signed.iter().any(names) {
            continue;
        }
        // That others see the same log follows only if the newest goes on from what they signed.
        let grown = grown(context, note, &key).await?;
        newest = if grown.size > newest.size { grown } else { newest };
        // What witnesses signed is worth more to whoever asks for it than the newest.
        kept = note;
    }
    if let Some(out) = out {
        files::write(out, kept.as_bytes(), Audience::Everyone)?;
    }
    let mut json = checkpoint_json(&answer, &newest);
    json["witnesses"] = cosigned_json(&signed);
    context.screen.show(&json, &cosigned(checkpoint_page(&key, &newest), &signed));
    Ok(all_signed(&signed))
}

/// The newest checkpoint, which goes on from this one.
async fn grown(context: &Context, held: &str, key: &VerifierKey) -> Result<Checkpoint, Failure> {
    let request = GrowthRequest { held: held.to_owned() };
    let shown = context
        .service
        .ask_openly(async |it| AuditClient::new(it).growth(request.clone()).await)
        .await?;
    let (held, newest) =
        (proof::checkpoint(held, key)?, proof::checkpoint(&shown.checkpoint, key)?);
    match disagreement(&held, &newest, &shown) {
        None => Ok(newest),
        Some(why) => Err(Failure::of(problems::PROOF_INVALID).about(why.word())),
    }
}

fn checkpoint_json(answer: &CheckpointResponse, checkpoint: &Checkpoint) -> Value {
    json!({
        "checkpoint": answer.checkpoint,
        "cosigned": answer.cosigned,
        "verifier_key": answer.verifier_key,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": hex::encode(checkpoint.root),
    })
}

fn checkpoint_page(key: &VerifierKey, checkpoint: &Checkpoint) -> Page {
    Page::titled(text::AUDIT_CHECKPOINT)
        .row(text::LABEL, &checkpoint.origin)
        .row(text::LOG_SIZE, checkpoint.size)
        .row(text::ROOT, hex::encode(checkpoint.root))
        .row(text::VERIFIER_KEY, key.to_string())
}
