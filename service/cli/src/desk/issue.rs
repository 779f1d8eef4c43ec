//! Making the cards of a batch: rows go out, blank cards are put in, verdicts come back.
//!
//! Cards are made one after another, whatever reader they are put in; the service would drive
//! several at once.

use std::time::{Duration, Instant};

use card::apdu::Apdu;
use proto::v1::{
    BatchState, BlankCard, CardCapacity, CardFailure, CardInserted, CardRemoved, CardResponse,
    CloseBatch, IssueRequest, IssueResponse, ManifestResponse, OpenBatch, RelayRequest, RowState,
    cards_client::CardsClient, issue_request, issue_response, relay_request, slot_step,
};
use serde_json::json;
use tokio::{
    sync::mpsc::{self, Sender},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{
    interruption::Interruption,
    metrics::Metrics,
    reader::{Abandoned, Reader},
    relay,
    watch::{Sight, Watch},
};
use crate::{
    batch::{Folder, MAX_ANSWER, Progress, Reading, Rows, verdict_json},
    context::Context,
    failure::{Both, Failure},
    page::{Cell, Page},
    screen::Screen,
    text::{self, problems},
};

/// Longest wait for the service's next step.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a person hears how it goes.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// The one slot that cards are made in.
const SLOT: u32 = 0;

/// What came of a batch.
pub(crate) struct Made {
    pub(crate) progress: Progress,
    /// None while rows are held: the batch is then not closed.
    pub(crate) manifest: Option<ManifestResponse>,
}

/// Hands in the rows, makes their cards, and closes the batch unless rows are held.
pub(crate) async fn run(
    context: &Context,
    reader: Option<String>,
    capacity: CardCapacity,
    folder: &Folder,
    rows: Rows,
) -> Result<Made, Failure> {
    let count = rows.count;
    let open = OpenBatch {
        batch_id: folder.batch_id.clone(),
        input_digest: rows.digest.to_vec(),
        rows: count,
        capacity: capacity.into(),
    };
    let mut bench = Bench::open(context, Progress::new(count)).await?;
    let ended = bench.work(reader, open, rows).await;
    // What is known so far is worth keeping, however it ended.
    folder.report(&bench.progress)?;
    let manifest = ended?;
    Ok(Made { progress: bench.progress, manifest })
}

/// The stream, and what came of it so far.
struct Bench {
    screen: Screen,
    outgoing: Sender<IssueRequest>,
    incoming: Streaming<IssueResponse>,
    progress: Progress,
    told_at: Option<Instant>,
}

impl Bench {
    async fn open(context: &Context, progress: Progress) -> Result<Self, Failure> {
        let (outgoing, incoming) = context
            .service
            .ask(async |channel| {
                let (outgoing, requests) = mpsc::channel(64);
                let mut cards = CardsClient::new(channel).max_decoding_message_size(MAX_ANSWER);
                let stream = cards.issue(ReceiverStream::new(requests)).await?;
                Ok(stream.map(|incoming| (outgoing, incoming)))
            })
            .await?;
        Ok(Self { screen: context.screen, outgoing, incoming, progress, told_at: None })
    }

    async fn work(
        &mut self,
        reader: Option<String>,
        open: OpenBatch,
        rows: Rows,
    ) -> Result<Option<ManifestResponse>, Failure> {
        let state = self.begin(open).await?;
        self.hand_in(rows.again(state.handed_in)?).await?;
        self.progress.begin();
        if self.progress.remaining() > 0 {
            self.make(reader).await?;
        }
        if self.progress.count(RowState::Held) > 0 {
            return Ok(None);
        }
        self.send(issue_request::Event::Close(CloseBatch {})).await?;
        loop {
            if let issue_response::Step::Closed(manifest) = self.step().await? {
                return Ok(Some(manifest));
            }
        }
    }

    async fn begin(&mut self, open: OpenBatch) -> Result<BatchState, Failure> {
        self.send(issue_request::Event::Open(open)).await?;
        match self.step().await? {
            issue_response::Step::State(state) => Ok(state),
            _ => Err(problems::SERVICE_ANSWER_MALFORMED.into()),
        }
    }

    /// Hands in what is not on record yet, as it is read, and waits until every row is.
    async fn hand_in(&mut self, rows: Reading) -> Result<(), Failure> {
        let outgoing = self.outgoing.clone();
        let mut handing = tokio::task::spawn_blocking(move || {
            for row in rows {
                let event = Some(issue_request::Event::Row(row?));
                if outgoing.blocking_send(IssueRequest { event }).is_err() {
                    break; // the stream tells why
                }
            }
            Ok::<_, Failure>(())
        });
        let mut handed = false;
        while !handed || !self.progress.is_handed_in() {
            tokio::select! {
                read = &mut handing, if !handed => {
                    read.map_err(|_| problems::FILE_UNREADABLE)??;
                    handed = true;
                }
                step = self.step(), if !self.progress.is_handed_in() => {
                    step?;
                }
            }
        }
        self.tell(true);
        Ok(())
    }

    /// Takes blank cards until every row has its verdict.
    async fn make(&mut self, reader: Option<String>) -> Result<(), Failure> {
        let mut watch = Watch::start(reader, None);
        let mut interrupted = Interruption::new()?;
        let mut asked = false;
        let made = loop {
            if self.progress.remaining() == 0 {
                break Ok(());
            }
            let sight = tokio::select! {
                sight = watch.next() => sight,
                () = interrupted.came() => break Err(problems::INTERRUPTED.into()),
                // Between two cards the service has nothing to say but that it is gone.
                ended = self.incoming.message() => {
                    break Err(match ended {
                        Err(status) => status.into(),
                        Ok(_) => Failure::of(problems::SERVICE_UNREACHABLE),
                    });
                }
            };
            match sight {
                Some((_, Sight::Card { reader, atr })) => {
                    let mut reader = Reader::new(&reader, Abandoned::default(), Metrics::new());
                    let made = self.make_one(&mut reader, atr).await;
                    reader.release();
                    match made {
                        Ok(None) => {}
                        Ok(Some(failure)) => self.tell_failure(&failure),
                        Err(failure) => break Err(failure),
                    }
                    self.tell(false);
                }
                Some((_, Sight::Readers(readers))) if !readers.is_empty() => {
                    if !std::mem::replace(&mut asked, true) {
                        self.screen.hint(text::BLANK_WANTED);
                    }
                }
                Some((_, Sight::Readers(_))) => break Err(problems::READER_MISSING.into()),
                Some((_, Sight::ServiceLost)) => {
                    break Err(problems::READER_SERVICE_UNAVAILABLE.into());
                }
                Some((_, Sight::Unreadable { .. })) => {
                    self.screen.hint(text::BLANK_UNREADABLE);
                }
                Some((_, Sight::Removed { .. } | Sight::SamIn | Sight::SamOut)) => {}
                None => break Err(problems::INTERRUPTED.into()),
            }
        };
        watch.stop();
        made
    }

    /// Lets the service make one card; its failure, if it has one.
    async fn make_one(
        &mut self,
        reader: &mut Reader,
        atr: Vec<u8>,
    ) -> Result<Option<CardFailure>, Failure> {
        let reader_name = relay::shortened(reader.name());
        let inserted = CardInserted { reader: reader_name, atr, ..CardInserted::default() };
        self.card(relay_request::Event::Inserted(inserted)).await?;
        let mut held = match reader.connect().await {
            Ok(_) => true,
            Err(trouble) => {
                self.removed(&trouble).await?;
                false
            }
        };
        loop {
            let issue_response::Step::Card(step) = self.step().await? else { continue };
            match step.step {
                Some(slot_step::Step::Command(command)) if held => {
                    let command = command.command;
                    let parsed = Apdu::parse(&command).ok();
                    let parsed = parsed.filter(|parsed| parsed.to_bytes() == command);
                    match reader.transmit(parsed.ok_or(problems::SERVICE_ANSWER_MALFORMED)?).await {
                        Ok((response, taken)) => {
                            let card_microseconds =
                                u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
                            let answer = CardResponse { response, card_microseconds };
                            self.card(relay_request::Event::Response(answer)).await?;
                        }
                        Err(trouble) => {
                            held = false;
                            self.removed(&trouble).await?;
                        }
                    }
                }
                // A command sent before the service heard of it is not answered.
                Some(slot_step::Step::Command(_)) => {}
                Some(slot_step::Step::Made(_)) => return Ok(None),
                Some(slot_step::Step::Failure(failure)) => return Ok(Some(failure)),
                None => return Err(problems::SERVICE_ANSWER_MALFORMED.into()),
            }
        }
    }

    async fn removed(&self, trouble: &super::reader::Trouble) -> Result<(), Failure> {
        let cause = relay::cause(trouble).into();
        self.card(relay_request::Event::Removed(CardRemoved { cause })).await
    }

    async fn card(&self, event: relay_request::Event) -> Result<(), Failure> {
        let event = Some(RelayRequest { event: Some(event) });
        self.send(issue_request::Event::Card(BlankCard { slot: SLOT, row: 0, event })).await
    }

    async fn send(&self, event: issue_request::Event) -> Result<(), Failure> {
        let request = IssueRequest { event: Some(event) };
        self.outgoing.send(request).await.map_err(|_| problems::SERVICE_UNREACHABLE.into())
    }

    /// The service's next step; verdicts are taken on the way.
    async fn step(&mut self) -> Result<issue_response::Step, Failure> {
        let next = timeout(PATIENCE, self.incoming.message());
        let next = next.await.map_err(|_| Failure::of(problems::SERVICE_TIMEOUT))??;
        let step = next.ok_or(problems::SERVICE_UNREACHABLE)?.step;
        let step = step.ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
        if let issue_response::Step::Verdict(verdict) = &step
            && self.progress.take(verdict.clone())
            && self.screen.json
            && verdict.state() != RowState::Writing
        {
            let mut event = verdict_json(verdict);
            event["event"] = json!("row");
            self.screen.show(&event, &Page::default());
        }
        Ok(step)
    }

    /// How it goes, not too often.
    fn tell(&mut self, now: bool) {
        if self.screen.json || (!now && self.told_at.is_some_and(|at| at.elapsed() < TOLD_EVERY)) {
            return;
        }
        self.told_at = Some(Instant::now());
        let progress = &self.progress;
        let values = [
            progress.count(RowState::Issued).to_string(),
            progress.rows.to_string(),
            progress.remaining().to_string(),
            progress.count(RowState::Refused).to_string(),
            format!("{:.1}", progress.rate()),
        ];
        self.screen.note(&Cell::Filled(text::BATCH_PROGRESS, values.into()));
    }

    fn tell_failure(&self, failure: &CardFailure) {
        let both = |zh: &str, en: &str| Cell::Both(Both::new(zh, en));
        if self.screen.json {
            let event = json!({"event": "card-failed", "reason": failure.reason});
            self.screen.show(&event, &Page::default());
        } else {
            let page = Page::titled(text::BLANK_REFUSED)
                .row(text::WHY, both(&failure.message_zh, &failure.message_en))
                .row(text::ADVICE, both(&failure.advice_zh, &failure.advice_en));
            self.screen.show(&json!(null), &page);
        }
    }
}
