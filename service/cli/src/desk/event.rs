//! What the desk shows: a page for people, one JSON object a line for programs.

mod offline;

use std::{net::SocketAddr, path::Path, time::Instant};

use proto::v1::{CardFailure, Reconciled};
use serde_json::{Value, json};

use super::{
    alone::Seen, reader::Quarantine, relay::Outcome, reset::Reset, sam::Restored, watch::Sight,
};
use crate::{
    exit::Exit,
    failure::{Both, Failure, Told},
    json,
    page::{Cell, Page},
    screen::Screen,
    show,
    text::{self, Problem, problems},
};

/// One thing to show.
pub(super) enum Shown<'a> {
    Sight(&'a Sight),
    ServiceLost(&'a Failure),
    ServiceBack,
    /// What came of a card that was put in at `since`.
    Outcome {
        reader: &'a str,
        outcome: &'a Outcome,
        since: Instant,
    },
    /// A card was seen without the service.
    Offline {
        reader: &'a str,
        seen: &'a Seen,
        since: Instant,
    },
    /// What was seen without the service was told to it.
    Reconciled(&'a [Reconciled]),
    /// Cards cannot be seen without the service, and why.
    NoOffline(&'a Failure),
    /// Octets of the offline records that were found damaged.
    SpoolDamaged(u64),
    /// Metrics are offered here.
    Metrics(SocketAddr),
    /// Software on this machine may ask here.
    Interface(&'a Path),
    /// There are health cards in these readers: which one is meant?
    Choose(&'a [String]),
    /// The card in this one.
    Chosen(&'a str),
    /// The card in this reader is left alone until it is taken out.
    Quarantined(&'a str, Quarantine),
    Reset(&'a str, Reset),
    /// The SAM was brought back, or why not.
    SamRestored(&'a Result<Restored, Failure>),
    Ended,
}

/// Shows it.
pub(super) fn tell(screen: Screen, shown: &Shown<'_>) {
    match shown {
        Shown::Sight(sight) => screen.show(&sight_json(sight), &sight_page(sight)),
        Shown::ServiceLost(failure) => {
            let event = json!({
                "event": "service_lost", "failure": failure.json(screen.lang)["error"],
            });
            let page = Page::titled(text::DESK_SERVICE_GONE)
                .row(text::WHY, failure.message.speak(screen.lang));
            screen.show(&event, &page);
        }
        Shown::ServiceBack => {
            screen
                .show(&json!({ "event": "service_back" }), &Page::titled(text::DESK_SERVICE_BACK));
        }
        Shown::Outcome { reader, outcome, since } => {
            // The page is made before the clock is read, so that the time is that of the screen.
            let page = outcome_page(outcome);
            let mut event = outcome_json(reader, outcome);
            let milliseconds = since.elapsed().as_secs_f64() * 1000.0;
            event["screen_ms"] = json!((milliseconds * 10.0).round() / 10.0);
            screen.show(&event, &timed(page, outcome, milliseconds));
        }
        Shown::Offline { reader, seen, since } => {
            let mut event = offline::json(reader, seen);
            event["screen_ms"] = json!((since.elapsed().as_secs_f64() * 10_000.0).round() / 10.0);
            screen.show(&event, &offline::page(seen));
        }
        Shown::Reconciled(readings) => {
            let contradicted = readings.iter().filter(|it| !it.contradictions.is_empty()).count();
            let told: Vec<_> = readings.iter().map(|it| json::of("Reconciled", it)).collect();
            let page = Page::titled(text::DESK_RECONCILED)
                .row(text::DESK_RECONCILED_COUNT, readings.len().to_string());
            let page = match contradicted {
                0 => page,
                some => page.note(Cell::Filled(text::DESK_TASKS_MADE, vec![some.to_string()])),
            };
            screen.show(&json!({ "event": "reconciled", "readings": told }), &page);
        }
        Shown::NoOffline(failure) => {
            let failed = &failure.json(screen.lang)["error"];
            let page = Page::titled(text::DESK_NO_OFFLINE)
                .row(text::WHY, failure.message.speak(screen.lang));
            screen.show(&json!({ "event": "no_offline", "failure": failed }), &page);
        }
        Shown::SpoolDamaged(octets) => {
            let page = Page::default()
                .note(Cell::Filled(text::DESK_SPOOL_DAMAGED, vec![octets.to_string()]));
            screen.show(&json!({ "event": "spool_damaged", "bytes": octets }), &page);
        }
        Shown::Metrics(address) => {
            let place = format!("http://{address}/metrics");
            let page = Page::default().row(text::DESK_METRICS, &place);
            screen.show(&json!({ "event": "metrics", "url": place }), &page);
        }
        Shown::Interface(path) => {
            let path = path.display().to_string();
            let page = Page::default().row(text::DESK_INTERFACE, &path);
            screen.show(&json!({ "event": "interface", "path": path }), &page);
        }
        Shown::Choose(readers) => {
            let event = json!({ "event": "choose", "readers": readers });
            let lines = readers.iter().enumerate();
            let lines = lines
                .map(|(at, reader)| vec![(at + 1).to_string().into(), (*reader).clone().into()]);
            let page = Page::titled(text::DESK_CHOOSE)
                .table(&[text::DESK_CHOICE, text::DESK_READER], lines.collect())
                .note(Cell::Spoken(text::DESK_CHOOSE_HOW));
            screen.show(&event, &page);
        }
        Shown::Chosen(reader) => {
            let page = Page::titled(text::DESK_CHOSEN).row(text::DESK_READER, *reader);
            screen.show(&json!({ "event": "chosen", "reader": reader }), &page);
        }
        Shown::Quarantined(reader, why) => {
            let event = json!({ "event": "quarantined", "reader": reader, "cause": why.word() });
            let cause = match why {
                Quarantine::Hung => text::DESK_HUNG,
                Quarantine::Flooding => text::DESK_FLOODING,
            };
            let page = Page::titled(text::DESK_QUARANTINED)
                .row(text::DESK_READER, *reader)
                .row(text::WHY, Cell::Spoken(cause));
            screen.show(&event, &page);
        }
        Shown::Reset(reader, reset) => {
            let done = *reset == Reset::Done;
            let event = json!({ "event": "reader_reset", "reader": reader, "done": done });
            let title = if done { text::DESK_RESET } else { text::DESK_STUCK };
            screen.show(&event, &Page::titled(title).row(text::DESK_READER, *reader));
        }
        Shown::SamRestored(Ok(Restored::Whole)) => {
            screen.show(&json!({ "event": "sam_ready" }), &Page::titled(text::DESK_SAM_READY));
        }
        Shown::SamRestored(Ok(Restored::PinNeeded(tries))) => {
            let event = json!({ "event": "sam_pin_needed", "tries_left": tries });
            let page = Page::titled(text::DESK_SAM_PIN_NEEDED)
                .row(text::SAM_TRIES, tries.to_string())
                .note(Cell::Spoken(text::DESK_SAM_PIN_HOW));
            screen.show(&event, &page);
        }
        Shown::SamRestored(Err(failure)) => {
            let failed = &failure.json(screen.lang)["error"];
            let page = Page::titled(text::DESK_SAM_FAILED)
                .row(text::WHY, failure.message.speak(screen.lang))
                .row(text::ADVICE, failure.advice.speak(screen.lang))
                .note(Cell::Spoken(text::DESK_SAM_PIN_HOW));
            screen.show(&json!({ "event": "sam_failed", "failure": failed }), &page);
        }
        Shown::Ended => {
            screen.show(&json!({ "event": "ended" }), &Page::titled(text::DESK_ENDED));
        }
    }
}

fn sight_json(sight: &Sight) -> Value {
    match sight {
        Sight::ServiceLost => json!({ "event": "reader_service_lost" }),
        Sight::Readers(readers) => json!({ "event": "readers", "readers": readers }),
        Sight::Card { reader, atr } => {
            json!({ "event": "inserted", "reader": reader, "atr": hex::encode(atr) })
        }
        Sight::Removed { reader } => json!({ "event": "removed", "reader": reader }),
        Sight::SamIn => json!({ "event": "sam_inserted" }),
        Sight::SamOut => json!({ "event": "sam_removed" }),
        Sight::Unreadable { reader } => {
            let failure = json::of("CardFailure", &local_failure(problems::CARD_UNREADABLE));
            json!({ "event": "failure", "reader": reader, "failure": failure })
        }
    }
}

fn sight_page(sight: &Sight) -> Page {
    match sight {
        Sight::ServiceLost => Page::titled(text::DESK_DAEMON_GONE),
        Sight::Readers(readers) if readers.is_empty() => Page::titled(text::DESK_NO_READER),
        Sight::Readers(readers) => Page::titled(text::DESK_READY)
            .note(Cell::Filled(text::DESK_READERS, vec![readers.join("; ")])),
        Sight::Card { .. } => Page::titled(text::DESK_READING),
        Sight::Removed { .. } => Page::titled(text::DESK_REMOVED),
        Sight::SamIn => Page::titled(text::DESK_SAM_IN),
        Sight::SamOut => Page::titled(text::DESK_SAM_OUT),
        Sight::Unreadable { .. } => {
            refused_page(&failure(&local_failure(problems::CARD_UNREADABLE)))
        }
    }
}

fn outcome_json(reader: &str, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Reading(reading) => {
            json!({ "event": "reading", "reader": reader, "reading": json::of("CardReading", &**reading) })
        }
        Outcome::Refused(refused) => {
            let failure = json::of("CardFailure", &**refused);
            json!({ "event": "failure", "reader": reader, "failure": failure })
        }
    }
}

fn outcome_page(outcome: &Outcome) -> Page {
    match outcome {
        Outcome::Reading(reading) => show::reading(reading),
        Outcome::Refused(refused) => refused_page(&failure(refused)),
    }
}

fn timed(page: Page, outcome: &Outcome, milliseconds: f64) -> Page {
    let Outcome::Reading(reading) = outcome else { return page };
    page.note(Cell::Filled(
        text::DESK_TIMING,
        vec![
            format!("{milliseconds:.0}"),
            reading.commands.to_string(),
            (reading.card_microseconds / 1000).to_string(),
        ],
    ))
}

fn refused_page(failure: &Failure) -> Page {
    Page::titled(text::CARD_REFUSED)
        .row(text::WHY, Cell::Both(failure.message.clone()))
        .row(text::ADVICE, Cell::Both(failure.advice.clone()))
}

/// The service's word on a card, as a failure of the command.
pub(super) fn failure(refused: &CardFailure) -> Failure {
    Told {
        reason: refused.reason.clone(),
        exit: Exit::Refused,
        message: Both::new(&refused.message_zh, &refused.message_en),
        advice: Both::new(&refused.advice_zh, &refused.advice_en),
        detail: (!refused.detail.is_empty()).then(|| refused.detail.clone()).into_iter().collect(),
        field: None,
        refusal: None,
        alike: None,
        rows: Vec::new(),
        session_over: false,
    }
    .into()
}

/// A failure that only this side of the stream knows, in the form of the service's.
pub(super) fn local_failure(problem: Problem) -> CardFailure {
    CardFailure {
        reason: problem.reason.to_owned(),
        message_zh: problem.message.zh.to_owned(),
        message_en: problem.message.en.to_owned(),
        advice_zh: problem.advice.zh.to_owned(),
        advice_en: problem.advice.en.to_owned(),
        receipt: None,
        detail: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::CardReading;

    use super::*;
    use crate::text::Lang;

    #[test]
    fn events_are_told_apart() {
        let reader = || "Virtual PCD 00 00".to_owned();
        let cases = [
            (Sight::ServiceLost, json!({"event": "reader_service_lost"})),
            (Sight::Readers(vec![reader()]), json!({"event": "readers", "readers": [reader()]})),
            (
                Sight::Card { reader: reader(), atr: vec![0x3b, 0x8a] },
                json!({"event": "inserted", "reader": reader(), "atr": "3b8a"}),
            ),
            (Sight::Removed { reader: reader() }, json!({"event": "removed", "reader": reader()})),
        ];
        for (sight, event) in cases {
            assert_eq!(sight_json(&sight), event);
        }
        let unreadable = sight_json(&Sight::Unreadable { reader: reader() });
        assert_eq!(unreadable["failure"]["reason"], "CARD_UNREADABLE");
    }

    #[test]
    fn refusal_says_why_and_what_to_do() {
        let refused = Outcome::Refused(Box::new(CardFailure {
            reason: "CARD_LOST".to_owned(),
            message_zh: "此卡已挂失".to_owned(),
            advice_zh: "请核对持卡人身份".to_owned(),
            ..CardFailure::default()
        }));
        assert_eq!(
            outcome_page(&refused).render(Lang::Zh),
            "卡未通过\n  原因    此卡已挂失\n  怎么办  请核对持卡人身份\n"
        );
        assert_eq!(outcome_json("r", &refused)["failure"]["reason"], "CARD_LOST");
    }

    #[test]
    fn person_is_shown_with_the_time_it_took() {
        let reading = CardReading {
            name: "王秀英".to_owned(),
            commands: 9,
            card_microseconds: 41_900,
            ..CardReading::default()
        };
        let outcome = Outcome::Reading(Box::new(reading));
        let page = timed(outcome_page(&outcome), &outcome, 87.6).render(Lang::Zh);
        assert!(page.ends_with("88 毫秒显示（9 条命令，卡用时 41 毫秒）\n"), "{page}");
    }
}
