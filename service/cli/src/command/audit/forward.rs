//! Giving the log to a repository of audit messages (安全审计服务; IHE ATNA, ITI-20), entry by entry, in order, and on from
//! where it was.

mod message;
mod place;
mod repository;

use std::{fs::File, io::BufReader, path::PathBuf, time::Duration};

use audit::{
    bundle::{self, Reader},
    check::Verdict,
    checkpoint::{Checkpoint, VerifierKey},
};
use clap::Args;
use proto::v1::{AuditEntry, SearchAuditRequest, audit_client::AuditClient};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Streaming;

use self::{place::Place, repository::Repository};
use super::{bundle::unreadable, export::Range, newest};
use crate::{
    clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience, NewFile},
    page::Page,
    text::{self, problems},
};

/// Entries that are fetched in one go, and checked before any of them is passed on.
const SLICE: u64 = 50_000;
/// How often it is kept how far it is, while entries come one by one.
const KEPT: Duration = Duration::from_secs(1);
/// How long to wait before the next try, at first and at most.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// 安全审计服务（syslog over TLS，RFC 5425）的地址 | The repository: syslog over TLS (RFC 5425)
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// 安全审计服务证书的签发机构（PEM） | Authority of the repository's certificate, PEM
    #[arg(long, value_name = "FILE")]
    repository_ca: PathBuf,
    /// 本节点的证书链（PEM），用于节点认证 | Certificate chain of this node, PEM, by which the repository knows it
    #[arg(long, value_name = "FILE")]
    node_certificate: PathBuf,
    /// 本节点的私钥（PEM） | Private key of this node, PEM
    #[arg(long, value_name = "FILE")]
    node_key: PathBuf,
    /// 记录已转发到何处的文件，续传以此为准 | File that keeps how far it is; it goes on from there
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// 转发完现有记录即结束，供定时任务使用 | End once what there is was passed on, for a timer
    #[arg(long)]
    once: bool,
    /// 消息标识（MSGID）；旧的安全审计服务要求 IHE+RFC-3881 | MSGID; older repositories want IHE+RFC-3881
    #[arg(long, value_name = "ID", default_value = "DICOM+RFC3881", value_parser = message::id)]
    message_id: String,
}

impl Forward {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let mut place = Place::read(&self.state)?;
        let [first, longest] = WAITS;
        let (begin, mut wait) = (place.next(), first);
        loop {
            let before = place.next();
            match self.forward(context, &mut place).await {
                Ok(()) => break,
                // What is away comes back; whoever asks for one go tries again themselves.
                Err(failure) if failure.exit == Exit::Unreachable && !self.once => {
                    context.screen.fail(&failure);
                }
                Err(failure) => return Err(failure),
            }
            wait = if place.next() > before { first } else { (wait * 2).min(longest) };
            sleep(wait).await;
        }
        let sent = place.next().saturating_sub(begin);
        let page = Page::titled(text::AUDIT_FORWARDED)
            .row(text::ENTRIES, sent)
            .row(text::POSITION, place.next());
        context.screen.show(&json!({ "entries": sent, "next": place.next() }), &page);
        Ok(Exit::Done)
    }

    /// Passes on what there is, and, unless once is enough, what comes, as long as both ends are there.
    async fn forward(&self, context: &Context, place: &mut Place) -> Result<(), Failure> {
        let mut repository = Repository::connect(self).await?;
        // Follows first, so that nothing comes between what there is and what comes.
        let following = match self.once {
            true => None,
            false => {
                let everything = SearchAuditRequest::default();
                let follow =
                    async |channel| AuditClient::new(channel).follow(everything.clone()).await;
                Some(context.service.ask(follow).await?)
            }
        };
        let answer = newest(context).await?;
        let key: VerifierKey =
            answer.verifier_key.parse().map_err(|_| problems::SERVICE_ANSWER_MALFORMED)?;
        let size = Checkpoint::verify(&answer.checkpoint, &key)
            .map_err(|_| problems::SERVICE_ANSWER_MALFORMED)?
            .size;
        place.begin(key.name(), size)?;
        self.catch_up(context, &key, place, &mut repository, size).await?;
        match following {
            None => {
                repository.close().await?;
                place.end()
            }
            Some(stream) => {
                context.screen.hint(text::AUDIT_FOLLOWING);
                self.follow(context, &key, place, &mut repository, stream).await
            }
        }
    }

    async fn follow(
        &self,
        context: &Context,
        key: &VerifierKey,
        place: &mut Place,
        repository: &mut Repository,
        mut stream: Streaming<AuditEntry>,
    ) -> Result<(), Failure> {
        let mut due = Instant::now() + KEPT;
        loop {
            tokio::select! {
                entry = stream.message() => {
                    let Some(AuditEntry { position, entry, .. }) = entry? else {
                        return Err(problems::SERVICE_UNREACHABLE.into());
                    };
                    if position > place.next() {
                        self.catch_up(context, key, place, repository, position).await?;
                    }
                    if position == place.next() {
                        let message = self.message(place.log(), position, &entry);
                        place.open()?;
                        repository.send(&message).await?;
                        place.sent(position + 1);
                    }
                }
                closed = repository.closed() => return Err(closed),
                () = sleep_until(due) => {
                    place.keep()?;
                    due = Instant::now() + KEPT;
                }
            }
        }
    }

    /// Passes on the entries up to and without a position.
    async fn catch_up(
        &self,
        context: &Context,
        key: &VerifierKey,
        place: &mut Place,
        repository: &mut Repository,
        until: u64,
    ) -> Result<(), Failure> {
        while place.next() < until {
            let end = until.min(place.next() + SLICE);
            let fetched = self.fetch(context, key, (place.next(), end)).await?;
            let mut lines = Reader::new(BufReader::new(fetched)).map_err(unreadable)?;
            place.open()?;
            while let Some(line) = lines.next_line().map_err(unreadable)? {
                let message = self.message(place.log(), line.position, &line.entry);
                repository.send(&message).await?;
                place.sent(line.position + 1);
            }
            repository.flush().await?;
            place.keep()?;
        }
        Ok(())
    }

    /// Fetches a range of the log, and checks that it is as the log's key signed it. Its file has no name any more.
    async fn fetch(
        &self,
        context: &Context,
        key: &VerifierKey,
        (from, until): (u64, u64),
    ) -> Result<File, Failure> {
        let mut stream = Range { from, until }.export(context).await?;
        let mut name = self.state.file_name().unwrap_or_default().to_owned();
        name.push(".entries");
        let path = self.state.with_file_name(name);
        let mut file = NewFile::create(&path, Audience::Owner)?;
        while let Some(piece) = stream.message().await? {
            file.append(&piece.chunk)?;
        }
        file.finish()?;
        let open = || {
            File::open(&path).map_err(|error| Failure::of(problems::FILE_UNREADABLE).about(error))
        };
        let reader = Reader::new(BufReader::new(open()?)).map_err(unreadable)?;
        let (begin, end) = (reader.header().from, reader.header().until);
        let report = bundle::check(reader, key, &[]).map_err(unreadable)?;
        let file = open()?;
        files::remove(&path)?;
        if report.verdict != Verdict::Valid || (begin, end) != (from, until) {
            return Err(Failure::of(problems::LOG_TAMPERED).about(format!("{from}..{until}")));
        }
        Ok(file)
    }

    fn message(&self, log: &str, position: u64, entry: &[u8]) -> String {
        message::of(log, position, entry, &self.message_id, clock::now())
    }
}
