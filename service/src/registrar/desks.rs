//! Desks that could not ask for a while: what they saw meanwhile, held against the record, and the
//! tasks for staff that come of it.

use audit::Outcome;
use card::offline::{self, Refusal};
use hsm::{
    IndexKey,
    sm2::{PublicKey, SecretKey},
};
use time::Duration;

use super::{Caller, Error, Registrar, cards::alert, erasures::unless_erased};
use crate::{
    card_life::CardStatus,
    catalogue::Reason,
    clock::{self, UtcTime},
    policy::Act,
    rate::Buckets,
    store::{
        self, Card, Change, Closing, IdentityId, NewOfflineReading, NewTask, Receipt, Task, TaskId,
    },
    vocabulary::words,
};

/// How far a desk's clock may be ahead.
const TOLERANCE: Duration = Duration::minutes(5);
/// Readings that are older were not kept by a desk that still works.
const OLDEST: Duration = Duration::days(180);
/// Calls with readings that a desk may make at once, and that come back each second: a busy day's
/// readings are told in one go, and whether made-up ones fit the record is not tried out by the
/// thousand.
const RECONCILIATIONS: (f64, f64) = (100.0, 1.0);
/// Desks whose calls are remembered.
const MOST_DESKS: usize = 10_000;
/// Domain of the key that desks seal to, among what is derived from the index key.
const SEALING: &str = "desk.sealing-key";

words! {
    /// How a reading made without the service contradicts the record.
    Contradiction {
        /// It cannot be opened.
        Unreadable = "unreadable",
        /// The card is not on record.
        UnknownCard = "unknown-card",
        /// The card was not active at the time.
        NotActive = "not-active",
        /// The card number is not the ID number of the holder on record.
        Holder = "holder",
        /// The card factor is another than that on record.
        Factor = "factor",
        /// The card was past its validity at the time.
        Expired = "expired",
        /// It claims a time that has not come, or is long past.
        Time = "time",
        /// It was made in the name of another desk.
        OtherDesk = "other-desk",
        /// The card failed to prove to the desk's SAM that it is genuine.
        NotGenuine = "not-genuine",
        /// The card contradicted itself.
        Inconsistent = "inconsistent",
    }
}

words! {
    /// What came of a task.
    TaskResult {
        /// 已核实为本人
        HolderVerified = "holder-verified",
        /// 登记已更正
        RecordCorrected = "record-corrected",
        /// 已扣留卡
        CardKept = "card-kept",
        /// 已上报处理
        Reported = "reported",
        /// 设备问题，已处理
        DeskRepaired = "desk-repaired",
    }
}

impl Contradiction {
    /// The words of a list that `join` wrote; a word of a later version is left out.
    #[must_use]
    pub fn list(words: &str) -> Vec<Self> {
        words.split_ascii_whitespace().filter_map(Self::from_word).collect()
    }
}

fn join(contradictions: &[Contradiction]) -> String {
    let words: Vec<_> = contradictions.iter().map(|word| word.as_str()).collect();
    words.join(" ")
}

/// What a reading made without the service turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// Its identifier, in hexadecimal.
    pub reading: String,
    /// The card and its holder, when it is on record.
    pub card: Option<(store::CardId, store::ResidentId)>,
    /// How it contradicts the record.
    pub contradictions: Vec<Contradiction>,
    /// The task that was made of it.
    pub task: Option<TaskId>,
    /// Its place in the log; nothing when it was recorded before.
    pub receipt: Option<Receipt>,
}

/// Counts the calls of desks that tell what they read.
pub(super) fn reconciliations() -> Buckets<IdentityId> {
    Buckets::new(RECONCILIATIONS.0, RECONCILIATIONS.1, MOST_DESKS)
}

/// The key that desks seal to. It is derived from the index key under a domain of its own, so that
/// a service that was installed before there were such readings has one as well.
pub(super) fn sealing_key(index: &dyn IndexKey) -> Result<SecretKey, hsm::KeyError> {
    let mut counter = 1_u32;
    loop {
        let octets = zeroize::Zeroizing::new(index.index(SEALING, &counter.to_be_bytes())?);
        // All but one in 2^32 candidates are in range.
        if let Ok(key) = SecretKey::from_be_bytes(&*octets) {
            return Ok(key);
        }
        counter += 1;
    }
}

impl Registrar {
    /// The key that a desk seals to. Public, and of no use to others.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn prepare_desk(&self, caller: &Caller) -> Result<&PublicKey, Error> {
        self.allow(caller, Act::CardOffline).await?;
        Ok(self.sealing.public())
    }

    /// Takes what a desk saw while it could not ask: each reading is held against the record and
    /// recorded once. One that contradicts the record becomes a task.
    ///
    /// # Errors
    /// RATE_LIMITED; ROLE_NOT_ALLOWED. A desk keeps what was refused, and sends it again.
    pub async fn reconcile(
        &self,
        caller: &Caller,
        sealed: &[Vec<u8>],
    ) -> Result<Vec<Reconciled>, Error> {
        self.allow(caller, Act::CardOffline).await?;
        if !self.reconciliations.admit(caller.holder.identity, caller.now) {
            return Err(Reason::RATE_LIMITED.into());
        }
        let mut reconciled = Vec::with_capacity(sealed.len());
        for sealed in sealed {
            reconciled.push(self.reconcile_one(caller, sealed).await?);
        }
        Ok(reconciled)
    }

    async fn reconcile_one(&self, caller: &Caller, sealed: &[u8]) -> Result<Reconciled, Error> {
        let opened = offline::OfflineReading::open(sealed, &self.sealing);
        let (id, card, contradictions) = match &opened {
            Ok(reading) => {
                let card = self.store.card_by_chip(reading.chip_serial.as_str()).await?;
                let found = self.contradictions(caller, reading, card.as_ref()).await?;
                (hex::encode(reading.id), card, found)
            }
            Err(_) => {
                let digest = hsm::sm3::digest(sealed);
                (hex::encode(&digest[..16]), None, vec![Contradiction::Unreadable])
            }
        };
        let read_at = opened.as_ref().map_or(caller.now, |reading| reading.at);
        let words = join(&contradictions);
        let task = (!contradictions.is_empty()).then(|| NewTask {
            id: TaskId::generate(),
            institution: caller.holder.institution,
            chip_serial: opened.as_ref().map_or("", |it| it.chip_serial.as_str()).to_owned(),
        });
        let refusal = opened.as_ref().ok().and_then(|reading| reading.refusal);
        let outcome = if refusal.is_some() { Outcome::Refused } else { Outcome::Granted };
        let mut entry = self.entry(caller, Act::CardOffline, outcome).with("reading", id.as_str());
        if !words.is_empty() {
            entry = entry.with("contradictions", words.as_str());
        }
        if let Ok(reading) = &opened {
            entry = entry
                .with("read_at", clock::rfc3339(read_at))
                .with("list", reading.list.to_string())
                .with("standing", reading.standing.as_str())
                .with("proof", reading.proof.as_str());
        }
        if let Some(refusal) = refusal {
            entry = entry.with("refused", refusal.as_str());
        }
        match refusal {
            Some(Refusal::Listed) => entry = alert(entry),
            Some(Refusal::NotGenuine) => entry = entry.with("alert", "card-not-genuine"),
            Some(Refusal::Expired | Refusal::Inconsistent) | None => {}
        }
        if let Some(card) = &card {
            entry = entry.about(card.resident.to_string()).on("card", card.id.to_string());
        }
        if let Some(task) = &task {
            entry = entry.with("task", task.id.to_string());
        }
        let new = NewOfflineReading {
            id: id.clone(),
            desk: caller.holder.identity,
            card: card.as_ref().map(|card| card.id),
            read_at,
            recorded_at: caller.now,
            contradictions: words,
            task: task.clone(),
        };
        // A reading proves nothing: whose card it names is told where that is known anyway.
        let card = card
            .filter(|card| card.institution == caller.holder.institution)
            .map(|card| (card.id, card.resident));
        match self.store.record_offline_reading(new, entry).await? {
            Change::Recorded(receipt) => Ok(Reconciled {
                reading: id,
                card,
                contradictions,
                task: task.map(|task| task.id),
                receipt: Some(receipt),
            }),
            // As it was told the first time: the record may say something else by now.
            Change::None => {
                let known = self.store.offline_reading(id.clone()).await?;
                let known = known.ok_or(Reason::INTERNAL)?;
                Ok(Reconciled {
                    reading: id,
                    card,
                    contradictions: Contradiction::list(&known.contradictions),
                    task: known.task,
                    receipt: None,
                })
            }
        }
    }

    /// How a reading contradicts the record.
    async fn contradictions(
        &self,
        caller: &Caller,
        reading: &offline::OfflineReading,
        card: Option<&Card>,
    ) -> Result<Vec<Contradiction>, Error> {
        let mut found = Vec::new();
        if reading.desk != caller.holder.identity.to_string() {
            found.push(Contradiction::OtherDesk);
        }
        if !is_plausible(reading.at, caller.now) {
            found.push(Contradiction::Time);
        }
        match reading.refusal {
            Some(Refusal::NotGenuine) => found.push(Contradiction::NotGenuine),
            Some(Refusal::Inconsistent) => found.push(Contradiction::Inconsistent),
            Some(Refusal::Listed | Refusal::Expired) | None => {}
        }
        let Some(card) = card else {
            found.push(Contradiction::UnknownCard);
            return Ok(found);
        };
        if !self.was_active(card, reading.at).await? {
            found.push(Contradiction::NotActive);
        }
        let day = clock::date_at_desk(reading.at);
        if card.chip.as_ref().is_none_or(|chip| chip.factor != reading.factor.0) {
            found.push(Contradiction::Factor);
        }
        // Until a renewed card has said its new end itself, both ends are accepted.
        let end = card.renewal.or(card.chip.as_ref().map(|chip| chip.valid_until));
        if end.is_none_or(|end| end < day) || reading.refusal == Some(Refusal::Expired) {
            found.push(Contradiction::Expired);
        }
        let resident = self.store.resident(card.resident).await;
        // Whose it was is not known any more.
        let Some(resident) = unless_erased(resident)? else { return Ok(found) };
        let holder = self.personal.open_resident(&resident)?;
        if card::CardNumber::from(&holder.id_number) != reading.card_number {
            found.push(Contradiction::Holder);
        }
        Ok(found)
    }

    /// Whether a card was active at the end of the second that a desk told. Of one whose last change
    /// was made before there was a history, what it was earlier is not known, and is not held against
    /// the desk.
    async fn was_active(&self, card: &Card, at: UtcTime) -> Result<bool, Error> {
        let moment = at.saturating_add(Duration::SECOND);
        Ok(match self.store.card_status_before(card.id, moment).await? {
            Some(status) => status == CardStatus::Active,
            None => card.registered_at < moment,
        })
    }

    /// Tasks of the caller's institution. The reading is in the log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn tasks(
        &self,
        caller: &Caller,
        with_closed: bool,
        after: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<Task>, Error> {
        self.allow(caller, Act::TaskRead).await?;
        let institution = caller.holder.institution;
        let tasks = self.store.tasks(institution, with_closed, after, limit).await?;
        let entry = self
            .entry(caller, Act::TaskRead, Outcome::Granted)
            .with("tasks", tasks.len().to_string());
        self.record_act(entry).await?;
        Ok(tasks)
    }

    /// Closes a task of the caller's institution.
    ///
    /// # Errors
    /// TASK_NOT_FOUND; STATE_CONFLICT when it is closed; ROLE_NOT_ALLOWED.
    pub async fn close_task(
        &self,
        caller: &Caller,
        id: TaskId,
        result: TaskResult,
    ) -> Result<(Task, Receipt), Error> {
        self.allow(caller, Act::TaskClose).await?;
        let entry = |outcome| {
            self.entry(caller, Act::TaskClose, outcome)
                .on("task", id.to_string())
                .with("result", result.as_str())
        };
        let here = |task: &Task| task.institution == caller.holder.institution;
        let Some(task) = self.store.task(id).await?.filter(here) else {
            return self.refuse(entry(Outcome::Refused), Reason::TASK_NOT_FOUND).await;
        };
        let about = |outcome| match task.resident {
            Some(resident) => entry(outcome).about(resident.to_string()),
            None => entry(outcome),
        };
        let by: IdentityId = caller.holder.identity;
        let closing = Closing { at: caller.now, by, result: result.as_str().to_owned() };
        let granted = about(Outcome::Granted);
        match self.store.record_task_closed(id, closing.clone(), granted).await? {
            Change::Recorded(receipt) => Ok((Task { closed: Some(closing), ..task }, receipt)),
            Change::None => self.refuse(about(Outcome::Refused), Reason::STATE_CONFLICT).await,
        }
    }

    /// Lets a caller watch what happens at desks. That it watches is in the log.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn watch_cards(&self, caller: &Caller) -> Result<Receipt, Error> {
        self.allow(caller, Act::CardWatch).await?;
        self.record_act(self.entry(caller, Act::CardWatch, Outcome::Granted)).await
    }
}

fn is_plausible(at: UtcTime, now: UtcTime) -> bool {
    at <= now + TOLERANCE && at >= now - OLDEST
}
