//! Warnings of misuse (监测预警): looked for in the log, put on record, and looked into.

use std::collections::{HashMap, HashSet};

use audit::{Entry, Outcome};
use time::{Date, Duration};

use super::{Caller, Error, Registrar, entry_by, service_actor};
use crate::{
    catalogue::Reason,
    clock::{UtcTime, date_at_desk},
    policy::Act,
    store::{
        Change, IdentityId, InstitutionId, LogEntry, NewWarning, Receipt, SeenLeaf, Warning,
        WarningFilter, WarningId, WarningReview,
    },
    warnings::{
        BASELINE_DAYS, CardUse, Deed, Familiarity, Finding, Person, Settings, WarningRule,
        WarningVerdict,
    },
};

/// Positions of the log that are looked at in one go.
const STRIDE: u64 = 1000;
/// People who are remembered; with more, all are looked up again.
const MOST_PEOPLE: usize = 5000;
/// How far back the log says how somebody usually works: the fortnight, and the day that it began on.
const LOOKED_BACK: Duration = Duration::days(BASELINE_DAYS + 2);
/// What was looked at before a halt is looked at again, in case it was not to the end.
const AGAIN: Duration = Duration::days(1);

/// How far the log was looked at, and what is remembered of it.
#[derive(Debug, Default)]
pub struct LogWatch {
    /// The next position; nothing before the first turn.
    next: Option<u64>,
    people: HashMap<IdentityId, Person>,
    /// What was said lately, so that it is not said over and over.
    said: HashSet<(WarningRule, String, Date)>,
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

    /// Looks at what came into the log since the last turn, and raises warnings of it.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Key`]: what was not looked at to its end is looked at again at the next turn.
    pub async fn watch_log(&self, watch: &mut LogWatch, now: UtcTime) -> Result<(), Error> {
        let looked = self.watch_on(watch, now).await;
        if looked.is_err() {
            // Whoever did what was looked at half may have been told of it already.
            watch.people.clear();
        }
        looked
    }

    async fn watch_on(&self, watch: &mut LogWatch, now: UtcTime) -> Result<(), Error> {
        let mut next = match watch.next {
            Some(next) => next,
            None => self.store.warnings_begin(now - AGAIN).await?,
        };
        let size = self.store.log_size();
        while next < size {
            let until = size.min(next + STRIDE);
            for leaf in self.store.watched_leaves(next, until).await? {
                watch.next = Some(leaf.position);
                self.look_at(watch, &leaf, now).await?;
            }
            next = until;
            watch.next = Some(next);
        }
        watch.next = Some(next);
        Ok(())
    }

    async fn look_at(
        &self,
        watch: &mut LogWatch,
        leaf: &SeenLeaf,
        now: UtcTime,
    ) -> Result<(), Error> {
        let entry = read(leaf)?;
        let Some((identity, deed)) = Deed::read(leaf.position, leaf.at, &entry) else {
            return Ok(());
        };
        let institution = entry.actor.institution.as_ref().and_then(|id| id.parse().ok());
        let Some(institution) = institution else { return Ok(()) };
        let raised = |finding, card| Raised { finding, leaf, identity, institution, card };
        if let Some((card, used)) = CardUse::read(leaf.position, leaf.at, &entry) {
            for finding in self.said_of_card(&card, &used, &self.warned_of).await? {
                self.raise(watch, raised(finding, Some(card.clone())), now).await?;
            }
        }
        if !watch.people.contains_key(&identity) {
            if watch.people.len() >= MOST_PEOPLE {
                watch.people.clear();
            }
            let person = self.person(identity, leaf, &self.warned_of).await?;
            watch.people.insert(identity, person);
        }
        let Some(person) = watch.people.get_mut(&identity) else { return Ok(()) };
        let familiarity = self.familiarity(person, identity, &deed).await?;
        let findings = person.take(deed, familiarity, &self.warned_of);
        for finding in findings {
            self.raise(watch, raised(finding, None), now).await?;
        }
        Ok(())
    }

    /// What is said of a card, by what happened to it last.
    async fn said_of_card(
        &self,
        card: &str,
        used: &CardUse,
        settings: &Settings,
    ) -> Result<Vec<Finding>, Error> {
        let mut before = None;
        for leaf in self.store.card_acts_about(used.resident, used.position).await? {
            let happened = CardUse::read(leaf.position, leaf.at, &read(&leaf)?);
            before = happened.filter(|(known, _)| known == card).map(|(_, used)| used);
            if before.is_some() {
                break;
            }
        }
        Ok(used.findings(before.as_ref(), settings))
    }

    /// A person as the log has them before a leaf.
    async fn person(
        &self,
        identity: IdentityId,
        leaf: &SeenLeaf,
        settings: &Settings,
    ) -> Result<Person, Error> {
        let mut person = Person::default();
        let from = leaf.at - LOOKED_BACK;
        for past in self.store.deeds_of(identity, from, leaf.position).await? {
            if let Some((_, deed)) = Deed::read(past.position, past.at, &read(&past)?) {
                person.take(deed, None, settings);
            }
        }
        Ok(person)
    }

    /// How the resident is familiar to whoever reads about them, where that matters.
    async fn familiarity(
        &self,
        person: &Person,
        identity: IdentityId,
        deed: &Deed,
    ) -> Result<Option<Familiarity>, Error> {
        let Some(resident) = deed.resident.filter(|_| person.may_be_familiar(deed)) else {
            return Ok(None);
        };
        let (reader, resident) =
            (self.store.identity(identity).await?, self.store.resident(resident).await?);
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

    async fn raise(
        &self,
        watch: &mut LogWatch,
        raised: Raised<'_>,
        now: UtcTime,
    ) -> Result<(), Error> {
        let (rule, day) = (raised.finding.rule, raised.finding.day);
        let subject = raised.finding.subject(raised.identity, raised.card.as_deref());
        let today = date_at_desk(now);
        watch.said.retain(|(_, _, day)| *day >= today - Duration::days(2));
        if !watch.said.insert((rule, subject.clone(), day)) {
            return Ok(());
        }
        let recorded = self.put_on_record(&raised, &subject, now).await;
        if recorded.is_err() {
            watch.said.remove(&(rule, subject, day));
        }
        recorded
    }

    async fn put_on_record(
        &self,
        raised: &Raised<'_>,
        subject: &str,
        now: UtcTime,
    ) -> Result<(), Error> {
        let Raised { finding, leaf, identity, institution, card } = raised;
        let settings = serde_json::to_string(&self.warned_of)
            .map_err(|e| Error::internal("writing the settings of warnings", e))?;
        let warning = NewWarning {
            id: WarningId::generate(),
            rule: finding.rule,
            day: finding.day,
            subject: subject.to_owned(),
            identity: *identity,
            institution: *institution,
            resident: finding.resident,
            card: card.clone(),
            evidence: finding.evidence.clone(),
            at: leaf.at,
            found: finding.found.clone(),
            settings,
            raised_at: now,
        };
        let entry = self.raising(&warning, now);
        if let Change::Recorded(receipt) = self.store.record_warning(warning, entry).await? {
            tracing::warn!(rule = %finding.rule, position = receipt.position, "a warning was raised");
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
        let found = warning.found.iter();
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
            let Some((card, used)) = CardUse::read(leaf.position, leaf.at, &entry) else {
                return Ok(Vec::new());
            };
            return self.said_of_card(&card, &used, &settings).await;
        }
        let Some((identity, deed)) = Deed::read(leaf.position, leaf.at, &entry) else {
            return Ok(Vec::new());
        };
        let mut person = self.person(identity, leaf, &settings).await?;
        let familiarity = self.familiarity(&person, identity, &deed).await?;
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
    Entry::decode(&leaf.entry).map_err(|e| Error::internal("reading an entry of the log", e))
}
