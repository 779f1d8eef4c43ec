//! `Audit`: the tamper-evident log, for auditors.

use std::{net::IpAddr, time::Duration};

use proto::v1::{self, audit_server::Audit, review_removal_request::Verdict};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    Desk, Reply,
    convert::{id, moment, page, receipt},
    following::{Follower, Seat, Told},
    segments,
};
use crate::{
    catalogue::{Needs, Reason},
    clock,
    config::is_service_name,
    policy::Act,
    registrar::{Error, Growth, KeysOverTime, Proof},
    store::{
        Counted, IdentityId, InstitutionId, LogEntry, ResidentId, SearchFilter, VisitId,
        WithinEntry,
    },
    vocabulary::{AuditQuestion, CountBy, Purpose, Role},
};

/// How often whoever follows is shown what is new.
const FOLLOW_EACH: Duration = Duration::from_millis(500);
/// Most certificates that are asked for at once.
const MAX_SERIALS: usize = 100;

#[tonic::async_trait]
impl Audit for Desk {
    async fn search(
        &self,
        request: Request<v1::SearchAuditRequest>,
    ) -> Reply<v1::SearchAuditResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (after, size) = page(asked.page_size, 50, &asked.page_token)?;
        let filter = filter(asked)?;
        let (entries, next) = self.registrar.search_log(&caller, filter, after, size).await?;
        Ok(Response::new(v1::SearchAuditResponse {
            entries: entries.into_iter().map(message).collect(),
            next_page_token: next.map(|cursor| cursor.to_string()).unwrap_or_default(),
            begins: self.registrar.log_begins(),
        }))
    }

    async fn count(
        &self,
        request: Request<v1::CountAuditRequest>,
    ) -> Reply<v1::CountAuditResponse> {
        let caller = self.caller(&request).await?;
        let v1::CountAuditRequest { search, by } = request.into_inner();
        let search = search.unwrap_or_default();
        let (after, _) = page(0, 50, &search.page_token)?;
        let (filter, by) = (filter(search)?, count_by(by)?);
        let Counted { groups, next } = self.registrar.count_log(&caller, filter, by, after).await?;
        let counts = groups.into_iter().map(|(value, entries)| v1::AuditCount { value, entries });
        Ok(Response::new(v1::CountAuditResponse {
            counts: counts.collect(),
            next_page_token: next.map(|cursor| cursor.to_string()).unwrap_or_default(),
        }))
    }

    type FollowStream = ReceiverStream<Told<v1::AuditEntry>>;

    async fn follow(&self, request: Request<v1::SearchAuditRequest>) -> Reply<Self::FollowStream> {
        let caller = self.caller(&request).await?;
        let filter = filter(request.get_ref().clone())?;
        let seat = Seat::take(&self.log_followers, &caller, request.metadata())?;
        let from = self.registrar.follow_log(&caller, &filter).await?;
        let (follower, stream) = seat.follow(self);
        tokio::spawn(follow(follower, filter, from));
        Ok(Response::new(stream))
    }

    async fn get(&self, request: Request<v1::GetAuditEntryRequest>) -> Reply<v1::AuditEntry> {
        let caller = self.caller(&request).await?;
        let position = request.get_ref().position;
        Ok(Response::new(message(self.registrar.log_entry(&caller, position).await?)))
    }

    async fn prove(
        &self,
        request: Request<v1::ProveAuditEntryRequest>,
    ) -> Reply<v1::ProveAuditEntryResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let (position, size) = (asked.position, asked.tree_size);
        let Proof { tree_size, entry, path, checkpoint } =
            self.registrar.prove_entry(&caller, position, size).await?;
        Ok(Response::new(v1::ProveAuditEntryResponse {
            position,
            tree_size,
            entry,
            path: path.iter().map(|hash| hash.to_vec()).collect(),
            checkpoint: checkpoint.unwrap_or_default(),
        }))
    }

    async fn consistency(
        &self,
        request: Request<v1::ConsistencyRequest>,
    ) -> Reply<v1::ConsistencyResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let (first_size, second_size) = (asked.first_size, asked.second_size);
        let Proof { tree_size, path, checkpoint, .. } =
            self.registrar.prove_consistency(&caller, first_size, second_size).await?;
        Ok(Response::new(v1::ConsistencyResponse {
            first_size,
            second_size: tree_size,
            path: path.iter().map(|hash| hash.to_vec()).collect(),
            checkpoint: checkpoint.unwrap_or_default(),
        }))
    }

    async fn checkpoint(
        &self,
        _request: Request<v1::CheckpointRequest>,
    ) -> Reply<v1::CheckpointResponse> {
        let (checkpoint, verifier_key) = self.registrar.checkpoint();
        let cosigned = self.registrar.cosigned_checkpoints();
        Ok(Response::new(v1::CheckpointResponse { checkpoint, verifier_key, cosigned }))
    }

    async fn growth(&self, request: Request<v1::GrowthRequest>) -> Reply<v1::GrowthResponse> {
        self.admit_stranger(&request)?;
        let Growth { checkpoint, path } =
            self.registrar.growth(&request.get_ref().held, clock::now()).await?;
        let path = path.iter().map(|hash| hash.to_vec()).collect();
        Ok(Response::new(v1::GrowthResponse { checkpoint, path }))
    }

    async fn cosign(&self, request: Request<v1::CosignRequest>) -> Reply<v1::CosignResponse> {
        self.admit_stranger(&request)?;
        let v1::CosignRequest { checkpoint, cosignature } = request.get_ref();
        self.registrar.take_cosignature(checkpoint, cosignature, clock::now()).await?;
        Ok(Response::new(v1::CosignResponse {}))
    }

    type ExportStream = ReceiverStream<Result<v1::ExportAuditResponse, Status>>;

    async fn export(&self, request: Request<v1::ExportAuditRequest>) -> Reply<Self::ExportStream> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let mut chunks = self.registrar.export_log(&caller, asked.from, asked.until).await?;
        let (answers, stream) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(chunk) = chunks.recv().await {
                let answer = chunk
                    .map(|chunk| v1::ExportAuditResponse { chunk })
                    .map_err(|error| Error::Store(error).into());
                if answers.send(answer).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn keys(&self, request: Request<v1::AuditKeysRequest>) -> Reply<v1::AuditKeysResponse> {
        let caller = self.caller(&request).await?;
        let KeysOverTime { keys, witnesses } = self.registrar.log_keys(&caller).await?;
        let keys = keys.into_iter().map(|(key, checkpoint)| v1::LogKey {
            verifier_key: key.to_string(),
            checkpoint: checkpoint.unwrap_or_default(),
        });
        let identity_id = caller.holder.identity.to_string();
        Ok(Response::new(v1::AuditKeysResponse { keys: keys.collect(), witnesses, identity_id }))
    }

    async fn certificates(
        &self,
        request: Request<v1::AuditCertificatesRequest>,
    ) -> Reply<v1::AuditCertificatesResponse> {
        let caller = self.caller(&request).await?;
        let v1::AuditCertificatesRequest { serials } = request.into_inner();
        if serials.is_empty()
            || serials.len() > MAX_SERIALS
            || !serials.iter().all(|it| is_serial(it))
        {
            return Err(Error::Field { field: "serials", needs: Needs::Serials }.into());
        }
        let certificates = self.registrar.certificates_in_log(&caller, &serials).await?;
        Ok(Response::new(v1::AuditCertificatesResponse { certificates }))
    }

    async fn segments(&self, request: Request<v1::SegmentsRequest>) -> Reply<v1::SegmentsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let (from, size) = page::<u64>(asked.page_size, 100, &asked.page_token)?;
        let found = self.registrar.log_segments(&caller, from.unwrap_or(0), size).await?;
        let full = found.len() == size as usize;
        let next = found.last().filter(|_| full).map(|it| it.closed.segment.until);
        Ok(Response::new(v1::SegmentsResponse {
            segments: found.into_iter().map(segments::rendered).collect(),
            next_page_token: next.map(|next| next.to_string()).unwrap_or_default(),
        }))
    }

    async fn enter_removal(
        &self,
        request: Request<v1::EnterRemovalRequest>,
    ) -> Reply<v1::EnterRemovalResponse> {
        let caller = self.caller(&request).await?;
        let v1::EnterRemovalRequest { first, root } = request.into_inner();
        let wrong = Error::Field { field: "root", needs: Needs::Root };
        let root = root.try_into().map_err(|_| wrong)?;
        let (removal, recorded) = self.registrar.enter_removal(&caller, first, root).await?;
        Ok(Response::new(v1::EnterRemovalResponse {
            removal: Some(segments::removal(removal)),
            receipt: receipt(recorded),
        }))
    }

    async fn review_removal(
        &self,
        request: Request<v1::ReviewRemovalRequest>,
    ) -> Reply<v1::ReviewRemovalResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let approve = match asked.verdict() {
            Verdict::Approve => true,
            Verdict::Reject => false,
            Verdict::Unspecified => {
                return Err(Error::Field { field: "verdict", needs: Needs::ListedValue }.into());
            }
        };
        let removal = id("removal_id", &asked.removal_id)?;
        let (removal, recorded) = self.registrar.review_removal(&caller, removal, approve).await?;
        Ok(Response::new(v1::ReviewRemovalResponse {
            removal: Some(segments::removal(removal)),
            receipt: receipt(recorded),
        }))
    }
}

/// Whether a text is a serial number as it is written here.
fn is_serial(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (2..=40).contains(&text.len()) && text.len().is_multiple_of(2) && text.bytes().all(digit)
}

/// Tells a follower what is written from a position on.
async fn follow(follower: Follower<v1::AuditEntry>, filter: SearchFilter, mut from: u64) {
    let mut beat = interval(FOLLOW_EACH);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            () = follower.left() => return,
        }
        let found = match follower.is_there().await {
            Ok(()) => follower.registrar().log_after(&filter, from).await,
            Err(error) => Err(error),
        };
        let entries = match found {
            Ok((entries, next)) => {
                from = next;
                entries
            }
            Err(error) => {
                follower.tell(Err(error.into())).await;
                return;
            }
        };
        for entry in entries {
            if !follower.tell(Ok(message(entry))).await {
                return;
            }
        }
    }
}

fn filter(asked: v1::SearchAuditRequest) -> Result<SearchFilter, Error> {
    let outcome = match asked.outcome.as_str() {
        "" => None,
        "granted" => Some(audit::Outcome::Granted),
        "refused" => Some(audit::Outcome::Refused),
        "failed" => Some(audit::Outcome::Failed),
        _ => return Err(Error::Field { field: "outcome", needs: Needs::Outcome }),
    };
    let word = |known: bool, field| {
        known.then_some(()).ok_or(Error::Field { field, needs: Needs::ListedValue })
    };
    let within = WithinEntry {
        institution: given(asked.institution_id, |text| {
            id::<InstitutionId>("institution_id", text)
        })?,
        role: given(asked.role, |text| word(Role::from_word(text).is_some(), "role"))?,
        address: given(asked.address, |text| {
            let known = text.parse::<IpAddr>().is_ok_and(|address| address.to_string() == text);
            known.then_some(()).ok_or(Error::Field { field: "address", needs: Needs::Address })
        })?,
        purpose: given(asked.purpose, |text| word(Purpose::from_word(text).is_some(), "purpose"))?,
        rule: given(asked.rule, |text| word(is_rule(text), "rule"))?,
        reason: given(asked.reason, |text| {
            word(Reason::ALL.iter().any(|reason| reason.text().reason == text), "reason")
        })?,
        question: match asked.question {
            0 => None,
            number => Some(question(number)?),
        },
    };
    if within.question == Some(AuditQuestion::WhoOpened) && asked.resident_id.is_empty() {
        return Err(Error::Field { field: "resident_id", needs: Needs::Identifier });
    }
    Ok(SearchFilter {
        resident: given(asked.resident_id, |text| id::<ResidentId>("resident_id", text))?,
        actor: given(asked.actor_id, |text| {
            let known = text.parse::<IdentityId>().is_ok() || is_service_name(text);
            known.then_some(()).ok_or(Error::Field { field: "actor_id", needs: Needs::Actor })
        })?,
        action: given(asked.action, |text| {
            let known = Act::from_word(text).is_some();
            known.then_some(()).ok_or(Error::Field { field: "action", needs: Needs::Action })
        })?,
        visit: given(asked.visit_id, |text| id::<VisitId>("visit_id", text))?,
        outcome,
        from: moment("from", asked.from)?,
        until: moment("until", asked.until)?,
        alerts: asked.alerts,
        within,
    })
}

fn question(number: i32) -> Result<AuditQuestion, Error> {
    use v1::AuditQuestion as Asked;
    Ok(match Asked::try_from(number) {
        Ok(Asked::WhoOpened) => AuditQuestion::WhoOpened,
        Ok(Asked::AtNight) => AuditQuestion::AtNight,
        Ok(Asked::Emergencies) => AuditQuestion::Emergencies,
        Ok(Asked::WithoutVisit) => AuditQuestion::WithoutVisit,
        Ok(Asked::Refusals) => AuditQuestion::Refusals,
        _ => return Err(Error::Field { field: "question", needs: Needs::ListedValue }),
    })
}

fn count_by(number: i32) -> Result<CountBy, Error> {
    use v1::CountBy as Asked;
    Ok(match Asked::try_from(number) {
        Ok(Asked::Day) => CountBy::Day,
        Ok(Asked::Hour) => CountBy::Hour,
        Ok(Asked::Action) => CountBy::Action,
        Ok(Asked::Outcome) => CountBy::Outcome,
        Ok(Asked::Actor) => CountBy::Actor,
        Ok(Asked::Role) => CountBy::Role,
        Ok(Asked::Institution) => CountBy::Institution,
        Ok(Asked::Purpose) => CountBy::Purpose,
        Ok(Asked::Rule) => CountBy::Rule,
        Ok(Asked::Reason) => CountBy::Reason,
        _ => return Err(Error::Field { field: "by", needs: Needs::ListedValue }),
    })
}

/// The form of a rule's name.
fn is_rule(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A condition that was given, if it can match anything. What a search asked for stands in the log,
/// so nothing but identifiers and words of ours gets there.
fn given<T>(
    text: String,
    check: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    check(&text)?;
    Ok(Some(text))
}

pub(super) fn message(entry: LogEntry) -> v1::AuditEntry {
    v1::AuditEntry { position: entry.position, entry: entry.entry }
}
