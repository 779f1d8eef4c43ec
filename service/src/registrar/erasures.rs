//! Erasure of residents (删除个人信息): one person enters it, another reviews it, both of the institution that registered
//! the resident. The approval destroys the resident's data key; what the log has stays, and is provable.

use audit::{Entry, Outcome};
use hsm::sm3;

use super::{Caller, Error, Registrar, entry_by, issuing::row_of_erased, service_actor, uncut};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::{Act, Denial},
    store::{
        Erasure, ErasureId, ErasureReview, ErasureRules, NewErasure, Obstacle, Receipt, ResidentId,
        Store, StoreError, Swept,
    },
    vocabulary::ErasureBasis,
};

/// How long an erasure waits for its review.
const REVIEW: time::Duration = time::Duration::days(3);

/// Whom to erase, and why.
#[derive(Clone, Debug)]
pub struct ErasureOrder {
    /// The resident.
    pub resident: ResidentId,
    /// Why.
    pub basis: ErasureBasis,
    /// Number of the order, for [`ErasureBasis::Order`] alone.
    pub reference: Option<String>,
}

/// What a reviewer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasureVerdict {
    /// Erase the resident.
    Approve,
    /// Do not.
    Reject,
}

/// What a review made of an erasure.
pub struct ReviewedErasure {
    /// The erasure, as it now stands.
    pub erasure: Erasure,
    /// What was done to the files, when it was approved.
    pub swept: Option<Swept>,
    /// Its place in the log.
    pub receipt: Receipt,
}

impl Registrar {
    /// Enters that a resident is to be erased. They stay on record until another person approves.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; RESIDENT_ERASED; REGISTERED_ELSEWHERE; VISIT_OPEN; EMERGENCY_UNREVIEWED; NOT_IN_ERROR;
    /// RECORD_KEPT; ERASURE_PENDING; ROLE_NOT_ALLOWED.
    pub async fn order_erasure(
        &self,
        caller: &Caller,
        order: ErasureOrder,
    ) -> Result<(Erasure, Receipt), Error> {
        self.allow(caller, Act::ErasureEnter).await?;
        let holder = &caller.holder;
        let refused = || {
            self.entry(caller, Act::ErasureEnter, Outcome::Refused)
                .about(order.resident.to_string())
                .with("basis", order.basis.as_str())
        };
        let resident = self.resident_asked_for(order.resident, refused).await?;
        if resident.institution != holder.institution {
            return self.refuse(refused(), Denial::RegisteredElsewhere).await;
        }
        let erasure = NewErasure {
            id: ErasureId::generate(),
            resident: order.resident,
            institution: resident.institution,
            basis: order.basis,
            order_reference: order.reference,
            entered_by: holder.identity,
            entered_with: holder.certificate.clone(),
            entered_at: caller.now,
            expires_at: caller.now + REVIEW,
        };
        let entry = about(self.entry(caller, Act::ErasureEnter, Outcome::Granted), &erasure);
        let (id, rules) = (erasure.id, self.erasure_rules());
        let recorded = self.store.record_erasure_ordered(erasure, rules, entry).await;
        let receipt = self.settle(refused(), recorded).await?;
        Ok((self.known_erasure(id, caller.now).await?, receipt))
    }

    /// Reviews an erasure that another person entered. An approval erases the resident, for good.
    ///
    /// # Errors
    /// CHANGE_NOT_FOUND; REGISTERED_ELSEWHERE; SECOND_PERSON_REQUIRED for the person who entered it; CHANGE_OVER when it
    /// was reviewed before or its time is over; ENTRY_VOID when the certificate with which it was entered is no longer in
    /// force; as for [`order_erasure`](Self::order_erasure), by what came on record meanwhile; ROLE_NOT_ALLOWED.
    pub async fn review_erasure(
        &self,
        caller: &Caller,
        id: ErasureId,
        verdict: ErasureVerdict,
    ) -> Result<ReviewedErasure, Error> {
        self.allow(caller, Act::ErasureReview).await?;
        let ordered = self.erasure_asked_for(caller, Act::ErasureReview, id).await?.ordered;
        let reviewed = |act, outcome| {
            let entered_by = ordered.entered_by.to_string();
            about(self.entry(caller, act, outcome), &ordered).with("entered-by", entered_by)
        };
        let refused = || reviewed(Act::ErasureReview, Outcome::Refused);
        let review = ErasureReview {
            erasure: id,
            by: caller.holder.identity,
            with: caller.holder.certificate.clone(),
            at: caller.now,
        };
        let (receipt, swept) = match verdict {
            ErasureVerdict::Reject => {
                let entry = reviewed(Act::ErasureReview, Outcome::Granted);
                let entry = entry.with("verdict", "rejected");
                let recorded = self.store.record_erasure_rejected(review, entry).await;
                (self.settle(refused(), recorded).await?, None)
            }
            ErasureVerdict::Approve => {
                let entry = reviewed(Act::ResidentErase, Outcome::Granted);
                let (store, rules) = (self.store.clone(), self.erasure_rules());
                // What follows the commit is done however the call ends.
                let erased = async move { Ok(store.record_erased(review, rules, entry).await) };
                let recorded = uncut(erased).await?;
                let (receipt, swept) = self.settle(refused(), recorded).await?;
                self.tell_card_list(caller.now).await;
                (receipt, Some(swept))
            }
        };
        let erasure = self.known_erasure(id, caller.now).await?;
        Ok(ReviewedErasure { erasure, swept, receipt })
    }

    /// Erasures of the residents of the caller's institution, those that wait for a review first. The reading is in the
    /// log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn erasures(
        &self,
        caller: &Caller,
        after: Option<ErasureId>,
        limit: u32,
    ) -> Result<Vec<Erasure>, Error> {
        self.allow(caller, Act::ErasureRead).await?;
        let institution = caller.holder.institution;
        let found = self.store.erasures(institution, caller.now, after, limit).await?;
        let entry = self.entry(caller, Act::ErasureRead, Outcome::Granted);
        self.record_act(entry.with("erasures", found.len().to_string())).await?;
        Ok(found.into_iter().map(|it| it.at(caller.now)).collect())
    }

    fn erasure_rules(&self) -> ErasureRules {
        ErasureRules { records_years: self.retention.records_years, row_reasons: row_of_erased }
    }

    /// One of the caller's institution; otherwise a refusal is left in the log.
    async fn erasure_asked_for(
        &self,
        caller: &Caller,
        act: Act,
        id: ErasureId,
    ) -> Result<Erasure, Error> {
        let refused = || self.entry(caller, act, Outcome::Refused).with("erasure", id.to_string());
        match self.store.erasure(id).await? {
            None => self.refuse(refused(), Reason::CHANGE_NOT_FOUND).await,
            Some(erasure) if erasure.ordered.institution != caller.holder.institution => {
                self.refuse(refused(), Denial::RegisteredElsewhere).await
            }
            Some(erasure) => Ok(erasure),
        }
    }

    async fn known_erasure(&self, id: ErasureId, now: UtcTime) -> Result<Erasure, Error> {
        let found = self.store.erasure(id).await?.ok_or(Reason::CHANGE_NOT_FOUND)?;
        Ok(found.at(now))
    }
}

/// Erases again whom an older copy of the database has on record, before anybody is served. That takes entries, which
/// cannot be signed after a failed self-test.
///
/// # Errors
/// [`StoreError`]: then nobody must be.
pub(crate) async fn erase_again(
    store: &Store,
    name: &str,
    signs: bool,
    now: UtcTime,
) -> Result<(), StoreError> {
    for listed in store.erasures_missing().await? {
        if !signs {
            let why = "who was erased is on record in this copy, and nothing can be signed";
            return Err(StoreError::Damaged(why.to_owned()));
        }
        let resident = listed.resident.to_string();
        tracing::warn!(resident, "erased before, and on record in this copy of the database");
        let entry = entry_by(service_actor(name), Act::ResidentErase, Outcome::Granted, now)
            .about(&resident)
            .on("resident", &resident)
            .with("erasure", listed.erasure.to_string())
            .with("again", &listed.entry)
            .with("alert", "erased-in-older-copy");
        store.record_erased_again(listed, row_of_erased, now, entry).await?;
    }
    Ok(())
}

/// What a search that has nobody left says: the record is there, and its person erased.
pub(super) fn unless_erased<T>(
    found: Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    match found {
        Err(StoreError::Conflict(Obstacle::ResidentErased)) => Ok(None),
        found => found,
    }
}

/// The entry about an erasure. Of an order the log has the digest of its number.
fn about(entry: Entry, erasure: &NewErasure) -> Entry {
    let entry = entry
        .about(erasure.resident.to_string())
        .on("resident", erasure.resident.to_string())
        .with("erasure", erasure.id.to_string())
        .with("basis", erasure.basis.as_str());
    match &erasure.order_reference {
        None => entry,
        Some(reference) => entry.with("order", hex::encode(sm3::digest(reference.as_bytes()))),
    }
}
