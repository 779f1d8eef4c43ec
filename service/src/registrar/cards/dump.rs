//! More of a card than who holds it: for somebody of the institution, within a visit of the holder,
//! for a purpose that the rules name.

use audit::{Entry, Outcome};
use card::{
    IdentityReading, ReadError, Transport,
    layout::FileName,
    session::{Dump, read_whole},
};
use time::Date;

use super::CardFailure;
use crate::{
    catalogue::Reason,
    clock,
    policy::{Act, Grant, Standing, looked_for},
    registrar::{Caller, Error, Module, Registrar, visits::standing},
    store::{CardId, Receipt, Visit, VisitId},
    vocabulary::Purpose,
};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpOrder {
    /// Why.
    pub purpose: Purpose,
    /// The visit that it is for.
    pub visit: VisitId,
    /// Which files; all when there are none.
    pub files: Vec<FileName>,
}

/// What was allowed, on what ground.
struct Allowed {
    visit: Visit,
    standing: Standing,
    grant: Grant,
}

impl Registrar {
    /// Whether this caller may have any card driven, for whatever is then asked of it.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn may_relay(&self, caller: &Caller) -> Result<(), Error> {
        let others =
            [Act::CardDump, Act::CardWriteContact, Act::CardWriteValidity, Act::CardWriteClinical];
        match others.iter().any(|act| self.policy.may(caller.holder.role, *act).is_ok()) {
            true => Ok(()),
            false => self.may_read_cards(caller).await,
        }
    }

    /// Whether this caller may have a card dumped, before it is touched; the visit.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED; VISIT_NOT_FOUND; OTHER_INSTITUTION; VISIT_CLOSED; PURPOSE_NOT_ALLOWED;
    /// NO_RELATION.
    pub async fn may_dump(&self, caller: &Caller, order: &DumpOrder) -> Result<Visit, Error> {
        Ok(self.decided_dump(caller, order).await?.visit)
    }

    async fn decided_dump(&self, caller: &Caller, order: &DumpOrder) -> Result<Allowed, Error> {
        self.allow(caller, Act::CardDump).await?;
        let visit = self.visit_asked_for(caller, Act::CardDump, order.visit).await?;
        let mut standing = standing(caller, &visit);
        let sought = self.policy.looks_for(Act::CardDump, standing.role, order.purpose);
        let in_person = self.in_person(caller, sought, visit.resident).await?;
        standing.relations.extend(in_person.relations());
        match self.policy.dump(&standing, order.purpose) {
            Ok(grant) => Ok(Allowed { visit, standing, grant }),
            Err(denial) => {
                let entry = self.dump_entry(caller, Outcome::Refused, order, &visit, &standing);
                self.refuse(entry, denial).await
            }
        }
    }

    /// The entry has everything that it is decided on.
    fn dump_entry(
        &self,
        caller: &Caller,
        outcome: Outcome,
        order: &DumpOrder,
        visit: &Visit,
        standing: &Standing,
    ) -> Entry {
        let entry = self.entry_in(caller, Act::CardDump, outcome, visit);
        let sought = self.policy.looks_for(Act::CardDump, standing.role, order.purpose);
        looked_for(standing.recorded(entry, order.purpose), sought)
    }

    /// Drives a card through the reading of its holder and of `files`. Blocks while the card works;
    /// it belongs on a thread that may wait.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_whole_card(
        &self,
        transport: &mut dyn Transport,
        module: &Module,
        today: Date,
        files: &[FileName],
    ) -> Result<(IdentityReading, Dump), ReadError> {
        let randomness = &mut super::randomness;
        read_whole(transport, self.security(module), randomness, today, files, &mut clock::now)
    }

    /// Takes a dump: the card must be on record, active, and its holder the resident of the visit.
    /// The log names the files, and nothing that they say.
    ///
    /// # Errors
    /// CARD_OTHER_RESIDENT, and those of [`card_presented`](Self::card_presented), each with its
    /// leaf.
    pub async fn card_dumped(
        &self,
        caller: &Caller,
        order: &DumpOrder,
        read: &IdentityReading,
        dump: &Dump,
    ) -> Result<(CardId, Visit, Receipt), CardFailure> {
        // The visit may have been closed while the card was read.
        let Allowed { visit, standing, grant } = match self.decided_dump(caller, order).await {
            Ok(allowed) => allowed,
            Err(error) => return Err(CardFailure::refused(&error)),
        };
        let entry = |outcome| self.dump_entry(caller, outcome, order, &visit, &standing);
        let refused = |reason: Reason| entry(Outcome::Refused).with("reason", reason.text().reason);
        let (card, resident) = match self.known_card(read, caller.now).await {
            Ok(known) => known,
            Err((reason, card)) => {
                return Err(self.card_refused(caller, reason, card.as_ref()).await);
            }
        };
        if resident.id != visit.resident {
            let reason = Reason::CARD_OTHER_RESIDENT;
            let entry = refused(reason).on("card", card.id.to_string());
            return Err(self.recorded_failure(entry, reason).await);
        }
        let files: Vec<String> = dump.files.iter().map(|read| read.file.name.to_string()).collect();
        let entry = grant
            .recorded(entry(Outcome::Granted), &self.policy_hash)
            .on("card", card.id.to_string())
            .with("files", files.join(" "))
            .with("commands", dump.commands.to_string());
        match self.record_act(entry).await {
            Ok(receipt) => Ok((card.id, visit, receipt)),
            Err(error) => Err(CardFailure::unrecorded(error)),
        }
    }

    async fn recorded_failure(&self, entry: Entry, reason: Reason) -> CardFailure {
        match self.record_act(entry).await {
            Ok(receipt) => CardFailure { reason, receipt: Some(receipt) },
            Err(error) => CardFailure::unrecorded(error),
        }
    }
}
