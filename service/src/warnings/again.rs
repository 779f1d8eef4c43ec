//! What other settings would warn of: the log of the last days is looked at with them, so that a person sees what a
//! change brings before it is made. Nothing is changed, and the service may be running.

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU32,
    path::Path,
};

use serde::Deserialize;
use time::{Date, Duration};

use super::{BASELINE_DAYS, BadSettings, CardUse, Deed, Finding, Person, Settings, WarningRule};
use crate::{
    clock::{UtcTime, date_at_desk},
    config::{Config, ConfigError},
    store::{IdentityId, SeenLeaf, StoreError, WarningLog},
};

/// A warning by what it is said once of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// The day.
    pub day: Date,
    /// The rule.
    pub rule: WarningRule,
    /// Whom or what it is about.
    pub subject: String,
}

/// How warnings would come out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// So many as they are on record.
    pub same: usize,
    /// Those that would be raised and are not on record.
    pub new: Vec<Said>,
    /// Those that are on record and would not be raised.
    pub gone: Vec<Said>,
    /// Whether there may be others of [`WarningRule::FamiliarResident`]: it is switched on here and is not in the
    /// service, which alone has the keys to see who is whose colleague.
    pub familiar_unknown: bool,
}

/// Why settings were not tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The settings are not accepted.
    #[error("reading settings")]
    Config(#[from] ConfigError),
    /// A number is out of its range.
    #[error("reading settings")]
    Settings(#[from] BadSettings),
    /// The settings file is not TOML of the expected shape.
    #[error("reading settings: {0}")]
    Malformed(String),
    /// The log could not be read.
    #[error("reading the record")]
    Record(#[from] StoreError),
}

/// The section of a settings file; what else stands there is left aside.
#[derive(Deserialize)]
struct Section {
    #[serde(default)]
    warnings: Settings,
}

/// The settings in the text of a settings file.
///
/// # Errors
/// [`TrialError::Malformed`], [`TrialError::Settings`].
pub fn settings(text: &str) -> Result<Settings, TrialError> {
    let section: Section =
        toml::from_str(text).map_err(|error| TrialError::Malformed(error.message().to_owned()))?;
    Ok(section.warnings.checked()?)
}

/// Looks at the log of a data directory with these settings: at the days before `now`, today among them.
///
/// # Errors
/// [`TrialError`].
pub fn tried(
    data: &Path,
    settings: &Settings,
    days: NonZeroU32,
    now: UtcTime,
) -> Result<Tried, TrialError> {
    let Config { database, warnings: in_use, .. } = Config::load(data)?;
    let first = date_at_desk(now) - Duration::days(i64::from(days.get()) - 1);
    // Whoever is measured by a fortnight has to be seen for that long before.
    let from = first.midnight().assume_offset(time::macros::offset!(+8));
    let mut log = WarningLog::open(&database, from - Duration::days(BASELINE_DAYS + 2))?;
    let mut trial =
        Trial { settings, persons: HashMap::new(), people: HashMap::new(), said: BTreeSet::new() };
    while let Some(leaves) = log.page()? {
        for leaf in &leaves {
            trial.look_at(&log, leaf)?;
        }
    }
    let raised = log.raised(first)?.into_iter();
    let raised: BTreeSet<_> =
        raised.map(|(rule, subject, day)| Said { day, rule, subject }).collect();
    // Of those who are familiar no number decides: where the rule is on, what is on record comes again.
    let rule = WarningRule::FamiliarResident;
    let (on, was_on) = (settings.is_on(rule), in_use.is_on(rule));
    let familiar = raised.iter().filter(|said| on && said.rule == rule).cloned();
    let said = trial.said.into_iter().filter(|said| said.day >= first);
    let said: BTreeSet<_> = said.chain(familiar).collect();
    Ok(Tried {
        same: said.intersection(&raised).count(),
        new: said.difference(&raised).cloned().collect(),
        gone: raised.difference(&said).cloned().collect(),
        familiar_unknown: on && !was_on,
    })
}

struct Trial<'a> {
    settings: &'a Settings,
    /// The first identity of whoever has another.
    persons: HashMap<IdentityId, IdentityId>,
    people: HashMap<IdentityId, Person>,
    said: BTreeSet<Said>,
}

impl Trial<'_> {
    /// What is no entry is passed over, as the service does.
    fn look_at(&mut self, log: &WarningLog, leaf: &SeenLeaf) -> Result<(), StoreError> {
        let Some(entry) = leaf.entry() else { return Ok(()) };
        let identity = entry.actor.identity.as_ref().and_then(|id| id.parse().ok());
        let Some(identity) = identity else { return Ok(()) };
        if let Some(used) = CardUse::read(leaf.position, leaf.at, &entry) {
            let findings = used.findings(&log.card_before(&used)?, self.settings);
            self.note(identity, Some(&used.card), findings);
        }
        let Some((_, deed)) = Deed::read(leaf.position, leaf.at, &entry) else { return Ok(()) };
        let person = match self.persons.get(&identity) {
            Some(person) => *person,
            None => log.person_of(identity)?,
        };
        self.persons.insert(identity, person);
        let findings = self.people.entry(person).or_default().take(deed, None, self.settings);
        self.note(person, None, findings);
        Ok(())
    }

    fn note(&mut self, person: IdentityId, card: Option<&str>, findings: Vec<Finding>) {
        self.said.extend(findings.into_iter().map(|finding| Said {
            day: finding.day,
            rule: finding.rule,
            subject: finding.subject(person, card),
        }));
    }
}
