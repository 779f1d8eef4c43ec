//! Other numbers of residents: bound, taken back, read with their history, and found by.

use audit::Outcome;

use super::{
    Alike, Caller, Decision, DecisionRecord, Error, Registrar, ResidentRecord, personal::Remark,
};
use crate::{
    catalogue::{Needs, Reason},
    clock::UtcTime,
    likeness::Verdict,
    numbers::BoundNumber,
    policy::Act,
    store::{
        self, Binding, BindingEnded, BindingId, IdentityId, InstitutionId, Obstacle, Receipt,
        ResidentId, StoreError,
    },
    vocabulary::{Basis, BindingEnd},
};

/// A number to be bound.
pub struct NumberOrder {
    /// To whom.
    pub resident: ResidentId,
    /// The number.
    pub number: BoundNumber,
    /// What it rests on.
    pub basis: Basis,
    /// SM3 of a scanned document.
    pub scan_digest: Option<[u8; 32]>,
}

/// What became of an order.
pub enum Bound {
    /// The number is bound.
    Binding(BindingId),
    /// Staff found the same person behind both records, and nothing was bound.
    Stopped,
}

/// A binding on record. Personal data: it has no `Debug`.
pub struct BindingRecord {
    /// Its identifier.
    pub id: BindingId,
    /// To whom.
    pub resident: ResidentId,
    /// The number.
    pub number: BoundNumber,
    /// What it rests on.
    pub basis: Basis,
    /// SM3 of a scanned document.
    pub scan_digest: Option<[u8; 32]>,
    /// Where it was bound.
    pub institution: InstitutionId,
    /// Who bound it.
    pub identity: IdentityId,
    /// When.
    pub bound_at: UtcTime,
    /// How it ended; `None` while it stands.
    pub ended: Option<EndedRecord>,
}

/// How a binding ended.
pub struct EndedRecord {
    /// When.
    pub at: UtcTime,
    /// Who ended it.
    pub by: IdentityId,
    /// Why.
    pub reason: BindingEnd,
    /// Why in words; may be empty.
    pub note: String,
}

/// A page of a resident's bindings.
pub struct History {
    /// In the order they were made, those that ended included.
    pub bindings: Vec<BindingRecord>,
    /// Decisions about the resident, newest first; on the first page only.
    pub decisions: Vec<DecisionRecord>,
    /// Where the reading stands in the log.
    pub receipt: Receipt,
}

impl Registrar {
    /// Binds a number to a resident.
    ///
    /// # Errors
    /// LOOK_ALIKE while somebody else has the number or looks like the resident and `decision` does
    /// not answer that; ALREADY_REGISTERED when the resident has it; PRESENCE_INVALID when the
    /// resident is said to be here and is not; RESIDENT_NOT_FOUND; REGISTERED_ELSEWHERE;
    /// ROLE_NOT_ALLOWED.
    pub async fn bind_number(
        &self,
        caller: &Caller,
        order: NumberOrder,
        decision: Option<Decision>,
    ) -> Result<(Bound, Receipt), Error> {
        self.allow(caller, Act::NumberBind).await?;
        if decision.is_some() {
            self.allow(caller, Act::LookAlikeDecide).await?;
        }
        let resident = self.resident_open(caller, Act::NumberBind, order.resident).await?;
        let number = &order.number;
        let refused = || {
            self.entry(caller, Act::NumberBind, Outcome::Refused)
                .about(resident.id.to_string())
                .with("kind", number.kind().as_str())
        };
        if order.basis == Basis::Presence
            && !self.store.has_presence(caller.holder.session, resident.id, caller.now).await?
        {
            return self.refuse(refused(), Reason::PRESENCE_INVALID).await;
        }
        let index = self.personal.number_index(number)?;
        let id = BindingId::generate();
        let binding = store::NewBinding {
            id,
            resident: resident.id,
            kind: number.kind(),
            number_index: index,
            sealed_number: self.personal.seal_number(&resident, id, number)?,
            basis: order.basis,
            scan_digest: order.scan_digest,
            institution: caller.holder.institution,
            identity: caller.holder.identity,
            bound_at: caller.now,
        };
        let mut entry = self
            .entry(caller, Act::NumberBind, Outcome::Granted)
            .about(resident.id.to_string())
            .on("binding", id.to_string())
            .with("kind", number.kind().as_str())
            .with("basis", order.basis.as_str());
        if let Some(digest) = order.scan_digest {
            entry = entry.with("scan_digest", hex::encode(digest));
        }
        let question = async || {
            let candidates = self.store.look_alikes_of(resident.id, index).await?;
            self.question(&[b"number.bind", resident.id.to_string().as_bytes(), &index], candidates)
        };
        let decided = match &decision {
            None => None,
            Some(decision) => {
                let question = question().await?;
                self.answered(caller, refused(), &question, decision).await?;
                if decision.verdict == Verdict::SamePerson {
                    let receipt = self.stop(caller, resident.id, &question, decision).await?;
                    return Ok((Bound::Stopped, receipt));
                }
                let decided = self.decided(caller, &resident, &question, decision)?;
                entry = question.told_in(entry).with("decision", decided.id.to_string());
                Some(decided)
            }
        };
        match self.store.record_bound(binding, decided, entry).await {
            Err(StoreError::Conflict(Obstacle::LookAlike)) => {
                self.ask_staff(caller, refused(), &question().await?).await
            }
            answer => Ok((Bound::Binding(id), self.settle(refused(), answer).await?)),
        }
    }

    /// Ends a binding. It may be done where the resident is known or present, and by the
    /// institution that made it.
    ///
    /// # Errors
    /// BINDING_NOT_FOUND; STATE_CONFLICT when it ended before; REGISTERED_ELSEWHERE; FIELD_INVALID
    /// for a mistake without a note; ROLE_NOT_ALLOWED.
    pub async fn unbind_number(
        &self,
        caller: &Caller,
        id: BindingId,
        reason: BindingEnd,
        note: Option<String>,
    ) -> Result<(BindingRecord, Receipt), Error> {
        self.allow(caller, Act::NumberUnbind).await?;
        if reason == BindingEnd::Mistake && note.is_none() {
            return Err(Error::Field { field: "note", needs: Needs::MistakeNote });
        }
        let refused = || {
            self.entry(caller, Act::NumberUnbind, Outcome::Refused).on("binding", id.to_string())
        };
        let Some(binding) = self.store.binding(id).await? else {
            return self.refuse(refused(), Reason::BINDING_NOT_FOUND).await;
        };
        let resident = self.known_resident(binding.made.resident).await?;
        let refused = || refused().about(resident.id.to_string());
        if binding.made.institution != caller.holder.institution {
            self.here_or_present(caller, resident.institution, resident.id, refused).await?;
        }
        let ended = BindingEnded {
            at: caller.now,
            by: caller.holder.identity,
            reason,
            sealed_note: note
                .map(|note| self.personal.seal_remark(&resident, Remark::BindingEnd(id), &note))
                .transpose()?,
        };
        let entry = self
            .entry(caller, Act::NumberUnbind, Outcome::Granted)
            .about(resident.id.to_string())
            .on("binding", id.to_string())
            .with("kind", binding.made.kind.as_str())
            .with("why", reason.as_str());
        let answer = self.store.record_unbound(id, ended.clone(), entry).await;
        let receipt = self.settle(refused(), answer).await?;
        let binding = Binding { ended: Some(ended), ..binding };
        Ok((self.open_binding(&resident, binding)?, receipt))
    }

    /// Bindings of a resident with their history, and what staff decided about look-alikes. The
    /// reading is in the log before the answer.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn bindings(
        &self,
        caller: &Caller,
        resident: ResidentId,
        after: Option<BindingId>,
        limit: u32,
    ) -> Result<History, Error> {
        self.allow(caller, Act::NumberRead).await?;
        let resident = self.resident_open(caller, Act::NumberRead, resident).await?;
        let bindings = self.store.bindings(resident.id, after, limit).await?;
        let open = |binding| self.open_binding(&resident, binding);
        let bindings: Vec<_> = bindings.into_iter().map(open).collect::<Result<_, _>>()?;
        let decisions = match after {
            None => self.decisions_about(caller, &resident).await?,
            Some(_) => Vec::new(),
        };
        let entry = self
            .entry(caller, Act::NumberRead, Outcome::Granted)
            .about(resident.id.to_string())
            .on("resident", resident.id.to_string())
            .with("bindings", bindings.len().to_string());
        let receipt = self.record_act(entry).await?;
        Ok(History { bindings, decisions, receipt })
    }

    /// A resident, by any number that is bound to them. The reading is in the log before the
    /// answer.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; NUMBER_SHARED when it stands for several; REGISTERED_ELSEWHERE;
    /// ROLE_NOT_ALLOWED.
    pub async fn find_by_number(
        &self,
        caller: &Caller,
        number: &BoundNumber,
    ) -> Result<(ResidentRecord, Receipt), Error> {
        self.allow(caller, Act::ResidentRead).await?;
        let index = self.personal.number_index(number)?;
        let mut found = self.store.residents_by_number(index).await?;
        if found.len() < 2 {
            return self.read_resident(caller, found.pop()).await;
        }
        let residents: Vec<_> = found.iter().map(|r| (r.id, r.institution)).collect();
        let (here, elsewhere) = self.seen_of(caller, &residents).await?;
        let reason = Reason::NUMBER_SHARED;
        let alike = Alike { reason, rules: Vec::new(), here, elsewhere, case: None };
        let refused = self
            .entry(caller, Act::ResidentRead, Outcome::Refused)
            .with("kind", number.kind().as_str());
        self.refuse(refused, Error::Alike(Box::new(alike))).await
    }

    fn open_binding(
        &self,
        resident: &store::Resident,
        binding: Binding,
    ) -> Result<BindingRecord, Error> {
        let Binding { made, ended } = binding;
        let ended = match ended {
            None => None,
            Some(ended) => Some(EndedRecord {
                at: ended.at,
                by: ended.by,
                reason: ended.reason,
                note: match ended.sealed_note {
                    None => String::new(),
                    Some(sealed) => {
                        self.personal.open_remark(resident, Remark::BindingEnd(made.id), &sealed)?
                    }
                },
            }),
        };
        Ok(BindingRecord {
            number: self.personal.open_number(resident, made.id, made.kind, &made.sealed_number)?,
            id: made.id,
            resident: made.resident,
            basis: made.basis,
            scan_digest: made.scan_digest,
            institution: made.institution,
            identity: made.identity,
            bound_at: made.bound_at,
            ended,
        })
    }
}
