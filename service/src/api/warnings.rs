//! `Warnings`: what the log says of people and cards that somebody should look into.

use std::time::Duration;

use proto::v1::{self, warnings_server::Warnings};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{id, numbered, page, receipt, short_text, timestamp},
    following::{Follower, Seat, Told},
};
use crate::{
    catalogue::Needs,
    registrar::{Error, WarningRecord},
    store::{Receipt, Warning, WarningFilter},
    warnings::{Settings, WarningRule, WarningVerdict, found_in_words},
};

/// Most bytes of what is written about one.
const MOST_NOTE: usize = 512;
/// How often a follower's session is looked at when nothing is raised.
const SESSION_CHECK: Duration = Duration::from_secs(60);
numbered!(
    rule,
    rule_number,
    WarningRule,
    WarningRule,
    "rule",
    TwoPlaces,
    NightReading,
    WithoutRelation,
    UnusualVolume,
    FamiliarResident,
    CardAtTwoDesks,
    DormantCard
);
numbered!(
    verdict,
    verdict_number,
    WarningVerdict,
    WarningVerdict,
    "verdict",
    Explained,
    Mistaken,
    Misuse,
    NeedsInquiry
);

#[tonic::async_trait]
impl Warnings for Desk {
    type FollowStream = ReceiverStream<Told<v1::Warning>>;

    async fn rules(
        &self,
        request: Request<v1::WarningRulesRequest>,
    ) -> Reply<v1::WarningRulesResponse> {
        let caller = self.caller(&request).await?;
        let settings = self.registrar.warned_of(&caller).await?;
        let rules = WarningRule::ALL.iter().map(|rule| {
            let [text_zh, text_en] = settings.told(*rule);
            v1::RuleOfWarnings {
                rule: rule_number(*rule),
                on: settings.is_on(*rule),
                text_zh,
                text_en,
            }
        });
        Ok(Response::new(v1::WarningRulesResponse { rules: rules.collect() }))
    }

    async fn list(
        &self,
        request: Request<v1::ListWarningsRequest>,
    ) -> Reply<v1::ListWarningsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let rule = match asked.rule {
            0 => None,
            number => Some(rule(number)?),
        };
        let filter = WarningFilter { open: !asked.with_closed, rule };
        let (before, size) = page(asked.page_size, 100, &asked.page_token)?;
        let found = self.registrar.warnings(&caller, filter, before, size).await?;
        let full = found.len() == size as usize;
        let next = found.last().filter(|_| full).map(|last| last.log_position.to_string());
        Ok(Response::new(v1::ListWarningsResponse {
            next_page_token: next.unwrap_or_default(),
            warnings: found.into_iter().map(message).collect(),
        }))
    }

    async fn get(&self, request: Request<v1::GetWarningRequest>) -> Reply<v1::Warning> {
        let caller = self.caller(&request).await?;
        let warning = id("warning_id", &request.get_ref().warning_id)?;
        let (record, recorded) = self.registrar.warning(&caller, warning).await?;
        Ok(Response::new(whole(record, recorded)))
    }

    async fn follow(
        &self,
        request: Request<v1::FollowWarningsRequest>,
    ) -> Reply<Self::FollowStream> {
        let caller = self.caller(&request).await?;
        let seat = Seat::take(&self.warnings, &caller, request.metadata())?;
        let recorded = self.registrar.follow_warnings(&caller).await?;
        // What is raised next stands after the entry that says that somebody follows.
        let after = request.get_ref().after_position.unwrap_or(recorded.position);
        let (follower, stream) = seat.follow(self);
        tokio::spawn(follow(follower, after));
        Ok(Response::new(stream))
    }

    async fn close(&self, request: Request<v1::CloseWarningRequest>) -> Reply<v1::Warning> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let warning = id("warning_id", &asked.warning_id)?;
        let verdict = verdict(asked.verdict)?;
        let note = short_text("note", asked.note, MOST_NOTE)?;
        let (record, recorded) =
            self.registrar.close_warning(&caller, warning, verdict, &note).await?;
        Ok(Response::new(whole(record, recorded)))
    }

    async fn replay(
        &self,
        request: Request<v1::ReplayWarningRequest>,
    ) -> Reply<v1::ReplayWarningResponse> {
        let caller = self.caller(&request).await?;
        let warning = id("warning_id", &request.get_ref().warning_id)?;
        let again = self.registrar.warning_again(&caller, warning).await?;
        let [found_zh, found_en] = match &again.finding {
            Some(finding) => finding.told(),
            None => [String::new(), String::new()],
        };
        Ok(Response::new(v1::ReplayWarningResponse {
            same: again.same,
            found_zh,
            found_en,
            evidence: again.finding.map(|finding| finding.evidence).unwrap_or_default(),
            receipt: receipt(again.receipt),
        }))
    }
}

/// Tells a follower what is raised after a place in the log.
async fn follow(follower: Follower<v1::Warning>, mut after: u64) {
    let mut newest = follower.registrar().newest_warning();
    loop {
        newest.mark_unchanged();
        let fresh = match follower.is_there().await {
            Ok(()) => follower.registrar().warnings_after(after).await,
            Err(error) => Err(error),
        };
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(error) => {
                follower.tell(Err(error.into())).await;
                return;
            }
        };
        let more = !fresh.is_empty();
        for warning in fresh {
            after = warning.log_position;
            if !follower.tell(Ok(message(warning))).await {
                return;
            }
        }
        if more {
            continue;
        }
        tokio::select! {
            _ = timeout(SESSION_CHECK, newest.changed()) => {}
            () = follower.left() => return,
        }
    }
}

fn message(warning: Warning) -> v1::Warning {
    let Warning { raised, log_position, review } = warning;
    // Settings of a version with others are not told as if they were these.
    let settings = serde_json::from_str::<Settings>(&raised.settings);
    let [rule_zh, rule_en] = settings.map(|it| it.told(raised.rule)).unwrap_or_default();
    let [found_zh, found_en] = found_in_words(raised.rule, &raised.found);
    let (closed_at, closed_by, verdict) = match review {
        Some(it) => (Some(timestamp(it.at)), it.by.to_string(), verdict_number(it.verdict)),
        None => (None, String::new(), 0),
    };
    v1::Warning {
        warning_id: raised.id.to_string(),
        rule: rule_number(raised.rule),
        rule_zh,
        rule_en,
        found_zh,
        found_en,
        identity_id: raised.identity.to_string(),
        institution_id: raised.institution.to_string(),
        resident_id: raised.resident.map(String::from).unwrap_or_default(),
        card_id: raised.card.unwrap_or_default(),
        at: Some(timestamp(raised.at)),
        raised_at: Some(timestamp(raised.raised_at)),
        log_position,
        evidence: raised.evidence,
        entries: Vec::new(),
        closed_at,
        closed_by,
        verdict,
        note: String::new(),
        receipt: None,
    }
}

fn whole(record: WarningRecord, recorded: Receipt) -> v1::Warning {
    let WarningRecord { on_record, note, evidence } = record;
    let entries = evidence.into_iter().map(super::audit::message).collect();
    v1::Warning { entries, note, receipt: receipt(recorded), ..message(on_record) }
}
