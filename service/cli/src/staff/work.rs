//! Working through many people: a refusal is one person's alone, what would befall all the others stops the run.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use super::{pool, results::Verdict};
use crate::{exit::Exit, failure::Failure, page::Cell, screen::Screen, text};

/// How often a person hears how it goes.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Refusals that everybody else would meet as well.
const BEFALL_ALL: [&str; 5] = [
    "ROLE_NOT_ALLOWED",
    "INSTITUTION_NOT_FOUND",
    "SESSION_MISSING",
    "SESSION_INVALID",
    "CERTIFICATE_REVOKED",
];

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Worked {
    /// One for each person, in no order.
    pub(crate) verdicts: Vec<Verdict>,
    /// Why it stopped before the end.
    pub(crate) stopped: Option<Failure>,
}

impl Worked {
    pub(crate) fn count(&self, verdict: &str) -> usize {
        self.verdicts.iter().filter(|it| it.verdict == verdict).count()
    }
}

/// Does `work` for each item. `named` is whom an item is about, and stands for those that were never begun.
pub(super) async fn run<T: 'static>(
    told: &mut Told,
    items: Vec<T>,
    named: impl Fn(&T) -> Verdict,
    work: impl AsyncFn(T) -> (Verdict, Result<(), Failure>) + 'static,
) -> Worked {
    let mut waiting: BTreeMap<String, Verdict> =
        items.iter().map(|it| (named(it).number.clone(), named(it))).collect();
    let mut worked = Worked::default();
    pool::each(items, work, |(mut verdict, attempt)| {
        waiting.remove(&verdict.number);
        verdict.verdict = "done";
        if let Err(failure) = attempt {
            verdict.reason.push_str(&failure.reason);
            let befalls_all = BEFALL_ALL.contains(&failure.reason.as_str());
            if failure.exit == Exit::Unreachable || befalls_all {
                verdict.verdict = "not-done";
                worked.stopped = Some(failure);
            } else {
                verdict.verdict = "refused";
            }
        }
        told.one(verdict.verdict == "done");
        worked.verdicts.push(verdict);
        match worked.stopped {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    })
    .await;
    let never_begun = waiting.into_values().map(|it| Verdict { verdict: "not-done", ..it });
    worked.verdicts.extend(never_begun);
    worked
}

/// How it goes, told not too often.
pub(super) struct Told {
    screen: Screen,
    all: usize,
    done: usize,
    failed: usize,
    since: Instant,
    at: Instant,
}

impl Told {
    pub(super) fn new(screen: Screen, all: usize) -> Self {
        let now = Instant::now();
        Self { screen, all, done: 0, failed: 0, since: now, at: now }
    }

    fn one(&mut self, good: bool) {
        self.done += usize::from(good);
        self.failed += usize::from(!good);
        if self.at.elapsed() < TOLD_EVERY {
            return;
        }
        self.at = Instant::now();
        let rate = (self.done + self.failed) as f64 / self.since.elapsed().as_secs_f64();
        let counts = [self.done, self.all, self.failed].map(|count| count.to_string());
        let values = counts.into_iter().chain([format!("{rate:.0}")]).collect();
        self.screen.note(&Cell::Filled(text::STAFF_PROGRESS, values));
    }
}
