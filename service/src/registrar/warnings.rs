//! Warnings of misuse (监测预警): looked for in the log, put on record, and looked into.

use std::{collections::HashMap, sync::atomic::Ordering};

use audit::{Entry, Outcome};
use hsm::KeyError;
use time::Duration;

use super::{Caller, Error, Registrar, entry_by, erasures::unless_erased, service_actor};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::Act,
    store::{
        Change, IdentityId, InstitutionId, LogEntry, NewWarning, Receipt, SeenLeaf, StoreError,
        Warning, WarningFilter, WarningId, WarningReview,
    },
    warnings::{
        BASELINE_DAYS, CLOCK_STEP, CardUse, Deed, Familiarity, Finding, Person, Settings,
        WarningRule, WarningVerdict,
    },
};

/// Positions of the log that are looked at in one go.
const STRIDE: u64 = 1000;
/// People who are remembered; with more, those who did nothing for a day are looked up again, and then all.
const MOST_PEOPLE: usize = 5000;
/// How far back the log says how somebody usually works: the fortnight, and the day that it began on.
const LOOKED_BACK: Duration = Duration::days(BASELINE_DAYS + 2);

/// How far the log was looked at, and what is remembered of it.
#[derive(Debug, Default)]
pub struct LogWatch {
    /// The next position; nothing before the first turn.
    next: Option<u64>,
    /// The first identity of whoever has another.
    persons: HashMap<IdentityId, IdentityId>,
    /// By their first identity.
    people: HashMap<IdentityId, Person>,
}

impl LogWatch {
    fn forget(&mut self) {
        self.people.clear();
        self.persons.clear();
    }

    /// Makes room for one more.
    fn make_room(&mut self, now: UtcTime) {
        if self.people.len() < MOST_PEOPLE {
            return;
        }
        let day = Duration::days(1);
        self.people.retain(|_, person| person.last().is_some_and(|last| last > now - day));
        self.persons.clear();
        if self.people.len() >= MOST_PEOPLE {
            self.forget();
        }
    }
}

/// A warning with what stands for it.
pub struct WarningRecord {
    /// What is on record.
    pub on_record: Warning,
    /// What somebody wrote who looked into it; empty while nobody has.
    pub note: String,
    /// The entries of the log that it rests on.
    pub evidence: Vec<LogEntry>,
}

/// What a rule says when the log is asked again.
pub struct WarningAgain {
    /// What it says now, of the same place in the log and with the settings of then; nothing, when it says nothing.
    pub finding: Option<Finding>,
    /// Whether that is what is on record.
    pub same: bool,
    /// That it was asked is in the log.
    pub receipt: Receipt,
}

/// Something that a rule says, with all that goes on record.
struct Raised<'a> {
    finding: Finding,
    leaf: &'a SeenLeaf,
    identity: IdentityId,
    institution: InstitutionId,
    subject: String,
    card: Option<String>,
}

impl Registrar {
    /// What is warned of: for those who look into it, as others might keep below it.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn warned_of(&self, caller: &Caller) -> Result<&Settings, Error> {
        self.allow(caller, Act::WarningRead).await?;
        Ok(&self.warned_of)
    }

    /// Follows where the newest warning stands in the log.
    #[must_use]
    pub fn newest_warning(&self) -> tokio::sync::watch::Receiver<u64> {
        self.newest_warning.subscribe()
    }

    /// Looks at what came into the log since the last turn, and raises warnings of it. What cannot be read is passed over
    /// with an alert: nobody keeps others from being warned of by spoiling a record.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Key`] when records or keys are unavailable: what was not looked at to its end is looked
    /// at again at the next turn.
    pub async fn watch_log(&self, watch: &mut LogWatch, now: UtcTime) -> Result<(), Error> {
        let looked = self.watch_on(watch, now).await;
        if looked.is_err() {
            // Whoever did what was looked at half may have been told of it already.
            watch.forget();
        }
        looked
    }

    async fn watch_on(&self, watch: &mut LogWatch, now: UtcTime) -> Result<(), Error> {
        let mut next = match watch.next {
            Some(next) => next,
            None => self.store.watched().await?,
        };
        let (began, size) = (next, self.store.log_size());
        while next < size {
            let until = size.min(next + STRIDE);
            for leaf in self.store.watched_leaves(next, until).await? {
                watch.next = Some(leaf.position);
                match self.look_at(watch, &leaf, now).await {
                    Err(error) if passes(&error) => return Err(error),
                    Err(error) => self.pass_over(watch, &leaf, &error, now).await?,
                    Ok(()) => {}
                }
            }
            next = until;
            watch.next = Some(next);
            self.watched.store(next, Ordering::Relaxed);
            if next - began >= STRIDE || next == size {
                self.store.keep_watched(next).await?;
            }
        }
        watch.next = Some(next);
        self.watched.store(next, Ordering::Relaxed);
        Ok(())
    }

    async fn pass_over(
        &self,
        watch: &mut LogWatch,
        leaf: &SeenLeaf,
        error: &Error,
        now: UtcTime,
    ) -> Result<(), Error> {
        watch.forget();
        let cause = crate::telemetry::chain(error);
        tracing::error!(position = leaf.position, cause, "an entry was not looked at for warnings");
        let entry = entry_by(service_actor(&self.name), Act::WarningRaise, Outcome::Failed, now)
            .with("alert", "entry-not-looked-at")
            .with("position", leaf.position.to_string());
        self.record_act(entry).await.map(drop)
    }

    async fn look_at(
        &self,
        watch: &mut LogWatch,
        leaf: &SeenLeaf,
        now: UtcTime,
    ) -> Result<(), Error> {
        let entry = read(leaf)?;
        let actor = &entry.actor;
        let identity = actor.identity.as_ref().and_then(|id| id.parse().ok());
        let institution = actor.institution.as_ref().and_then(|id| id.parse().ok());
        let Some((identity, institution)) = identity.zip(institution) else { return Ok(()) };
        let mut found = Vec::new();
        if let Some(used) = CardUse::read(leaf.position, leaf.at, &entry) {
            let before = self.store.card_before(used.clone()).await?;
            let findings = used.findings(&before, &self.warned_of).into_iter();
            found.extend(findings.map(|finding| (finding, Some(used.card.clone()))));
        }
        let mut person = identity;
        if let Some((_, deed)) = Deed::read(leaf.position, leaf.at, &entry) {
            person = match watch.persons.get(&identity) {
                Some(person) => *person,
                None => self.store.person_of(identity).await?,
            };
            watch.persons.insert(identity, person);
            if !watch.people.contains_key(&person) {
                watch.make_room(now);
                let seen = self.person(person, leaf, &self.warned_of).await?;
                watch.people.insert(person, seen);
            }
            if let Some(seen) = watch.people.get_mut(&person) {
                let familiarity = self.familiarity(seen, identity, &deed, &self.warned_of).await?;
                let findings = seen.take(deed, familiarity, &self.warned_of).into_iter();
                found.extend(findings.map(|finding| (finding, None)));
            }
        }
        for (finding, card) in found {
            let subject = finding.subject(person, card.as_deref());
            let raised = Raised { finding, leaf, identity, institution, subject, card };
            self.raise(raised, now).await?;
        }
        Ok(())
    }

    /// A person as the log has them before a leaf, by any of their identities.
    async fn person(
        &self,
        identity: IdentityId,
        leaf: &SeenLeaf,
        settings: &Settings,
    ) -> Result<Person, Error> {
        let times = leaf.at - LOOKED_BACK..=leaf.at + CLOCK_STEP;
        let mut person = Person::default();
        for deed in self.store.deeds_of(identity, times, leaf.position).await? {
            person.remember(deed, settings);
        }
        Ok(person)
    }

    /// How the resident is familiar to whoever reads about them, where that matters.
    async fn familiarity(
        &self,
        person: &Person,
        identity: IdentityId,
        deed: &Deed,
        settings: &Settings,
    ) -> Result<Option<Familiarity>, Error> {
        let Some(resident) = deed.resident.filter(|_| person.may_be_familiar(deed, settings))
        else {
            return Ok(None);
        };
        let (reader, resident) = (
            self.store.identity(identity).await?,
            unless_erased(self.store.resident(resident).await)?,
        );
        let Some((reader, resident)) = reader.zip(resident) else { return Ok(None) };
        let resident = self.personal.open_resident(&resident)?;
        let index = self.personal.person_index(&resident.id_number)?;
        if reader.person == Some(index) {
            return Ok(Some(Familiarity::Themselves));
        }
        if self.store.works_at(index, reader.institution).await? {
            return Ok(Some(Familiarity::Colleague));
        }
        let name = self.personal.open_staff_name(reader.id, &reader.sealed_name)?;
        Ok((name == resident.name).then_some(Familiarity::Namesake))
    }

    async fn raise(&self, raised: Raised<'_>, now: UtcTime) -> Result<(), Error> {
        let Raised { finding, leaf, identity, institution, subject, card } = raised;
        let settings = serde_json::to_string(&self.warned_of)
            .map_err(|e| Error::internal("writing the settings of warnings", e))?;
        let warning = NewWarning {
            id: WarningId::generate(),
            rule: finding.rule,
            day: finding.day,
            step: finding.step,
            subject,
            identity,
            institution,
            resident: finding.resident,
            card,
            evidence: finding.evidence,
            at: leaf.at,
            found: finding.found,
            settings,
            raised_at: now,
        };
        let (rule, entry) = (warning.rule, self.raising(&warning, now));
        if let Change::Recorded(receipt) = self.store.record_warning(warning, entry).await? {
            tracing::warn!(%rule, position = receipt.position, "a warning was raised");
            self.newest_warning.send_replace(receipt.position);
        }
        Ok(())
    }

    /// The entry has what the warning says, as an alert.
    fn raising(&self, warning: &NewWarning, now: UtcTime) -> Entry {
        let entry = entry_by(service_actor(&self.name), Act::WarningRaise, Outcome::Granted, now)
            .on("warning", warning.id.to_string())
            .with("alert", format!("warning-{}", warning.rule))
            .with("rule", warning.rule.as_str())
            .with("identity", warning.identity.to_string())
            .with("institution", warning.institution.to_string())
            .with("evidence", warning.evidence.len().to_string())
            .with("settings", hex::encode(hsm::sm3::digest(warning.settings.as_bytes())));
        let entry = match warning.evidence.last() {
            Some(last) => entry.with("position", last.to_string()),
            None => entry,
        };
        let entry = match warning.resident {
            Some(resident) => entry.about(resident.to_string()),
            None => entry,
        };
        let entry = match &warning.card {
            Some(card) => entry.with("card", card.as_str()),
            None => entry,
        };
        // Who is whose colleague, or has the same name, is for those who look into it: the log is for more people.
        let found = warning.found.iter().filter(|_| warning.rule != WarningRule::FamiliarResident);
        found.fold(entry, |entry, (name, value)| entry.with(format!("found-{name}"), value))
    }

    /// Warnings, the newest first. The reading is in the log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn warnings(
        &self,
        caller: &Caller,
        filter: WarningFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Warning>, Error> {
        self.allow(caller, Act::WarningRead).await?;
        let found = self.store.warnings(filter, before, limit).await?;
        let entry = self
            .entry(caller, Act::WarningRead, Outcome::Granted)
            .with("warnings", found.len().to_string());
        self.record_act(entry).await?;
        Ok(found)
    }

    /// That somebody follows warnings from now on is in the log.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn follow_warnings(&self, caller: &Caller) -> Result<Receipt, Error> {
        self.allow(caller, Act::WarningRead).await?;
        let entry = self.entry(caller, Act::WarningRead, Outcome::Granted);
        self.record_act(entry.with("warnings", "follow")).await
    }

    /// What was raised after a place in the log, for whoever follows.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn warnings_after(&self, after: u64) -> Result<Vec<Warning>, Error> {
        Ok(self.store.warnings_after(after).await?)
    }

    /// One, with what stands for it. The reading is in the log before the answer.
    ///
    /// # Errors
    /// WARNING_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn warning(
        &self,
        caller: &Caller,
        id: WarningId,
    ) -> Result<(WarningRecord, Receipt), Error> {
        self.allow(caller, Act::WarningRead).await?;
        let on_record = self.warning_asked_for(caller, Act::WarningRead, id).await?;
        let note = match &on_record.review {
            Some(review) => self.personal.open_warning_note(id, &review.sealed_note)?,
            None => String::new(),
        };
        let mut evidence = Vec::with_capacity(on_record.raised.evidence.len());
        for position in &on_record.raised.evidence {
            evidence.extend(self.store.entry(*position).await?);
        }
        let entry = about(self.entry(caller, Act::WarningRead, Outcome::Granted), &on_record);
        let receipt = self.record_act(entry).await?;
        Ok((WarningRecord { on_record, note, evidence }, receipt))
    }

    /// Says what came of a warning. Whom it is about does not.
    ///
    /// # Errors
    /// WARNING_NOT_FOUND; SECOND_PERSON_REQUIRED; STATE_CONFLICT when somebody said so before; ROLE_NOT_ALLOWED.
    pub async fn close_warning(
        &self,
        caller: &Caller,
        id: WarningId,
        verdict: WarningVerdict,
        note: &str,
    ) -> Result<(WarningRecord, Receipt), Error> {
        self.allow(caller, Act::WarningClose).await?;
        let warning = self.warning_asked_for(caller, Act::WarningClose, id).await?;
        let entry = |outcome| about(self.entry(caller, Act::WarningClose, outcome), &warning);
        let review = WarningReview {
            at: caller.now,
            by: caller.holder.identity,
            verdict,
            sealed_note: self.personal.seal_warning_note(id, note)?,
        };
        let granted = entry(Outcome::Granted).with("verdict", verdict.as_str());
        let answer = self.store.record_warning_closed(id, review, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        let on_record = self.store.warning(id).await?.ok_or(Reason::WARNING_NOT_FOUND)?;
        Ok((WarningRecord { on_record, note: note.to_owned(), evidence: Vec::new() }, receipt))
    }

    /// Asks the log again, with the settings of then.
    ///
    /// # Errors
    /// WARNING_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn warning_again(
        &self,
        caller: &Caller,
        id: WarningId,
    ) -> Result<WarningAgain, Error> {
        self.allow(caller, Act::WarningRead).await?;
        let warning = self.warning_asked_for(caller, Act::WarningRead, id).await?;
        let raised = &warning.raised;
        let findings = self.findings_again(raised).await?;
        let finding = findings.into_iter().find(|it| it.rule == raised.rule);
        let same = finding.as_ref().is_some_and(|it| {
            it.evidence == raised.evidence && it.found == raised.found && it.day == raised.day
        });
        let entry = about(self.entry(caller, Act::WarningRead, Outcome::Granted), &warning)
            .with("again", if same { "same" } else { "differs" });
        let receipt = self.record_act(entry).await?;
        Ok(WarningAgain { finding, same, receipt })
    }

    async fn findings_again(&self, raised: &NewWarning) -> Result<Vec<Finding>, Error> {
        let settings: Settings = serde_json::from_str(&raised.settings)
            .map_err(|e| Error::internal("reading the settings of a warning", e))?;
        let last = raised.evidence.last().copied();
        let leaves = match last {
            Some(last) => self.store.watched_leaves(last, last + 1).await?,
            None => Vec::new(),
        };
        let Some(leaf) = leaves.first() else { return Ok(Vec::new()) };
        let entry = read(leaf)?;
        if raised.card.is_some() {
            let Some(used) = CardUse::read(leaf.position, leaf.at, &entry) else {
                return Ok(Vec::new());
            };
            let before = self.store.card_before(used.clone()).await?;
            return Ok(used.findings(&before, &settings));
        }
        let Some((identity, deed)) = Deed::read(leaf.position, leaf.at, &entry) else {
            return Ok(Vec::new());
        };
        let mut person = self.person(identity, leaf, &settings).await?;
        let familiarity = self.familiarity(&person, identity, &deed, &settings).await?;
        Ok(person.take(deed, familiarity, &settings))
    }

    async fn warning_asked_for(
        &self,
        caller: &Caller,
        act: Act,
        id: WarningId,
    ) -> Result<Warning, Error> {
        match self.store.warning(id).await? {
            Some(warning) => Ok(warning),
            None => {
                let entry = self.entry(caller, act, Outcome::Refused).on("warning", id.to_string());
                self.refuse(entry, Reason::WARNING_NOT_FOUND).await
            }
        }
    }
}

fn about(entry: Entry, warning: &Warning) -> Entry {
    let raised = &warning.raised;
    let entry = entry
        .on("warning", raised.id.to_string())
        .with("rule", raised.rule.as_str())
        .with("identity", raised.identity.to_string());
    match raised.resident {
        Some(resident) => entry.about(resident.to_string()),
        None => entry,
    }
}

fn read(leaf: &SeenLeaf) -> Result<Entry, Error> {
    leaf.entry().ok_or(Error::Internal { what: "an entry of the log is none", source: None })
}

/// Whether what went wrong is about the service and worth another try, and not about what was looked at.
fn passes(error: &Error) -> bool {
    match error {
        Error::Store(error) => {
            matches!(error, StoreError::Unavailable(_) | StoreError::Unsettled(_))
        }
        Error::Key(error) => matches!(
            error,
            KeyError::Locked | KeyError::Device(_) | KeyError::SelfTest(_) | KeyError::NotActive
        ),
        _ => false,
    }
}
