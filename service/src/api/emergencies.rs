//! `Emergencies`: access in an emergency, and what is owed for it.

use proto::v1::{self, emergencies_server::Emergencies};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{id, numbered, page, receipt, role_number, short_text, timestamp},
};
use crate::{
    catalogue::Needs,
    emergency::EmergencyState,
    registrar::{EmergencyNotice, EmergencyOrder, EmergencyRecord, Error, Registrar, Whom},
    store::{Receipt, ResidentId},
    vocabulary::{EmergencyReason, Finding},
};

/// Most bytes of what is written about one.
const MOST_NOTE: usize = 512;

numbered!(
    reason,
    reason_number,
    EmergencyReason,
    EmergencyReason,
    "reason",
    LifeThreatening,
    Unconscious,
    UrgentHistory,
    MassCasualty,
    Other
);
numbered!(
    finding,
    finding_number,
    Finding,
    EmergencyFinding,
    "finding",
    Justified,
    Unjustified,
    NeedsInquiry
);

#[tonic::async_trait]
impl Emergencies for Desk {
    async fn begin(&self, request: Request<v1::BeginEmergencyRequest>) -> Reply<v1::Emergency> {
        let caller = self.caller(&request).await?;
        let order = order(request.into_inner())?;
        let (record, recorded) = self.registrar.begin_emergency(&caller, order).await?;
        Ok(Response::new(message(record, Some(recorded))))
    }

    async fn end(&self, request: Request<v1::EndEmergencyRequest>) -> Reply<v1::Emergency> {
        let caller = self.caller(&request).await?;
        let emergency = id("emergency_id", &request.get_ref().emergency_id)?;
        let (record, recorded) = self.registrar.end_emergency(&caller, emergency).await?;
        Ok(Response::new(message(record, Some(recorded))))
    }

    async fn account(&self, request: Request<v1::AccountEmergencyRequest>) -> Reply<v1::Emergency> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let emergency = id("emergency_id", &asked.emergency_id)?;
        let note = short_text("note", asked.note, MOST_NOTE)?;
        let answer = self.registrar.account_for_emergency(&caller, emergency, &note).await?;
        Ok(Response::new(message(answer.0, Some(answer.1))))
    }

    async fn review(&self, request: Request<v1::ReviewEmergencyRequest>) -> Reply<v1::Emergency> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let emergency = id("emergency_id", &asked.emergency_id)?;
        let finding = finding(asked.finding)?;
        let note = short_text("note", asked.note, MOST_NOTE)?;
        let answer = self.registrar.review_emergency(&caller, emergency, finding, &note).await?;
        Ok(Response::new(message(answer.0, Some(answer.1))))
    }

    async fn get(&self, request: Request<v1::GetEmergencyRequest>) -> Reply<v1::Emergency> {
        let caller = self.caller(&request).await?;
        let emergency = id("emergency_id", &request.get_ref().emergency_id)?;
        let (record, recorded) = self.registrar.emergency(&caller, emergency).await?;
        Ok(Response::new(message(record, Some(recorded))))
    }

    async fn list(
        &self,
        request: Request<v1::ListEmergenciesRequest>,
    ) -> Reply<v1::ListEmergenciesResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let found = self.registrar.emergencies(&caller, after, size).await?;
        let full = found.len() == size as usize;
        let next = found.last().filter(|_| full).map(|it| it.on_record.begun.id.to_string());
        Ok(Response::new(v1::ListEmergenciesResponse {
            next_page_token: next.unwrap_or_default(),
            emergencies: found.into_iter().map(|record| message(record, None)).collect(),
        }))
    }

    async fn tell(
        &self,
        request: Request<v1::TellEmergencyRequest>,
    ) -> Reply<v1::TellEmergencyResponse> {
        let caller = self.caller(&request).await?;
        let emergency = id("emergency_id", &request.get_ref().emergency_id)?;
        let recorded = self.registrar.tell_emergency(&caller, emergency).await?;
        Ok(Response::new(v1::TellEmergencyResponse { receipt: recorded.and_then(receipt) }))
    }
}

fn order(asked: v1::BeginEmergencyRequest) -> Result<EmergencyOrder, Error> {
    let whom = match (&*asked.resident_id, &*asked.visit_id) {
        (resident, "") => Whom::Resident(id("resident_id", resident)?),
        ("", visit) => Whom::Visit(id("visit_id", visit)?),
        _ => return Err(Error::Field { field: "visit_id", needs: Needs::OneOf }),
    };
    let note = short_text("note", asked.note, MOST_NOTE)?;
    Ok(EmergencyOrder { whom, reason: reason(asked.reason)?, note })
}

fn state_number(state: EmergencyState) -> i32 {
    use v1::EmergencyState as Told;
    let told = match state {
        EmergencyState::Running => Told::Running,
        EmergencyState::OwesAccount => Told::OwesAccount,
        EmergencyState::AccountOverdue => Told::AccountOverdue,
        EmergencyState::OwesFinding => Told::OwesFinding,
        EmergencyState::FindingOverdue => Told::FindingOverdue,
        EmergencyState::Reviewed => Told::Reviewed,
    };
    told.into()
}

fn message(record: EmergencyRecord, recorded: Option<Receipt>) -> v1::Emergency {
    let EmergencyRecord { on_record, state, notes } = record;
    let over_at = on_record.over_at();
    let begun = on_record.begun;
    let mut message = v1::Emergency {
        emergency_id: begun.id.to_string(),
        state: state_number(state),
        resident_id: begun.resident.to_string(),
        visit_id: begun.visit.map(String::from).unwrap_or_default(),
        institution_id: begun.institution.to_string(),
        identity_id: begun.identity.to_string(),
        role: role_number(begun.role),
        reason: reason_number(begun.reason),
        begun_at: Some(timestamp(begun.begun_at)),
        ends_at: Some(timestamp(over_at)),
        account_due: Some(timestamp(begun.account_due)),
        finding_due: Some(timestamp(begun.finding_due)),
        accounted_at: on_record.account.map(|(at, _)| timestamp(at)),
        told_at: on_record.told.map(|(at, _)| timestamp(at)),
        receipt: recorded.and_then(receipt),
        ..v1::Emergency::default()
    };
    if let Some((_, Some(by))) = on_record.ended {
        message.ended_by = by.to_string();
    }
    if let Some(review) = on_record.review {
        message.reviewed_at = Some(timestamp(review.at));
        message.reviewed_by = review.by.to_string();
        message.finding = finding_number(review.finding);
    }
    if let Some(notes) = notes {
        (message.note, message.account, message.finding_note) =
            (notes.note, notes.account, notes.finding);
    }
    message
}

/// What a resident who is here is still to be told. Whoever reads a card does not wait for what cannot be read: it is
/// shown the next time, and the process log has it.
pub(super) async fn notices(
    registrar: &Registrar,
    resident: ResidentId,
) -> Vec<v1::EmergencyNotice> {
    match registrar.notices(resident).await {
        Ok(notices) => notices.into_iter().map(notice).collect(),
        Err(error) => {
            let cause = crate::telemetry::chain(&error);
            tracing::error!(cause, "looking for what a resident is to be told");
            Vec::new()
        }
    }
}

/// What a desk shows with the record of a resident.
pub(super) fn notice(notice: EmergencyNotice) -> v1::EmergencyNotice {
    let EmergencyNotice { on_record, institution } = notice;
    v1::EmergencyNotice {
        emergency_id: on_record.begun.id.to_string(),
        role: role_number(on_record.begun.role),
        institution_id: on_record.begun.institution.to_string(),
        institution_name: institution,
        reason: reason_number(on_record.begun.reason),
        begun_at: Some(timestamp(on_record.begun.begun_at)),
        ends_at: Some(timestamp(on_record.over_at())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resident_is_named_in_one_way_with_a_reason_and_a_note() {
        let resident = "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21";
        let asked = v1::BeginEmergencyRequest {
            resident_id: resident.to_owned(),
            visit_id: String::new(),
            reason: v1::EmergencyReason::Unconscious.into(),
            note: "车祸昏迷".to_owned(),
        };
        assert!(order(asked.clone()).is_ok());
        let by_visit = v1::BeginEmergencyRequest {
            resident_id: String::new(),
            visit_id: resident.to_owned(),
            ..asked.clone()
        };
        assert!(matches!(order(by_visit).unwrap().whom, Whom::Visit(_)));
        type Change = fn(&mut v1::BeginEmergencyRequest);
        let cases: [(&str, Change); 6] = [
            ("visit_id", |it| it.visit_id = it.resident_id.clone()),
            ("resident_id", |it| it.resident_id.clear()),
            ("reason", |it| it.reason = 0),
            ("reason", |it| it.reason = 6),
            ("note", |it| it.note.clear()),
            ("note", |it| it.note = "a".repeat(513)),
        ];
        for (field, change) in cases {
            let mut asked = asked.clone();
            change(&mut asked);
            let found = order(asked).err();
            assert!(
                matches!(found, Some(Error::Field { field: it, .. }) if it == field),
                "{field}"
            );
        }
    }
}
