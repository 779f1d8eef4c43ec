//! `Consents`: what residents agree to, or object to.

use proto::v1::{self, consents_server::Consents};
use time::Duration;
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{
        class, class_number, id, numbered, optional_id, page, purpose, purpose_number, receipt,
        timestamp,
    },
};
use crate::{
    catalogue::Needs,
    registrar::{ConsentOrder, ConsentRecord, Error, Listed},
    store::Receipt,
    vocabulary::{ConsentKind, ConsentState, Grade, Purpose},
};

numbered!(kind, kind_number, ConsentKind, ConsentKind, "kind", Permit, Object, FamilyDoctor);

/// Days that a consent lasts where nothing is said.
const DAYS: u32 = 365;
/// Days that an objection does: the longest, as nobody should have to repeat it.
const OBJECTION_DAYS: u32 = 1830;

#[tonic::async_trait]
impl Consents for Desk {
    async fn grant(&self, request: Request<v1::GrantConsentRequest>) -> Reply<v1::Consent> {
        let caller = self.caller(&request).await?;
        let order = order(request.into_inner())?;
        let (record, recorded) = self.registrar.grant_consent(&caller, order).await?;
        Ok(Response::new(message(record, Some(recorded))))
    }

    async fn witness(&self, request: Request<v1::WitnessConsentRequest>) -> Reply<v1::Consent> {
        let caller = self.caller(&request).await?;
        let consent = id("consent_id", &request.get_ref().consent_id)?;
        let (record, recorded) = self.registrar.witness_consent(&caller, consent).await?;
        Ok(Response::new(message(record, Some(recorded))))
    }

    async fn withdraw(&self, request: Request<v1::WithdrawConsentRequest>) -> Reply<v1::Consent> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let consent = id("consent_id", &asked.consent_id)?;
        let presence = id("presence_id", &asked.presence_id)?;
        let (record, recorded) =
            self.registrar.withdraw_consent(&caller, consent, presence).await?;
        Ok(Response::new(message(record, Some(recorded))))
    }

    async fn get(&self, request: Request<v1::GetConsentRequest>) -> Reply<v1::Consent> {
        let caller = self.caller(&request).await?;
        let consent = id("consent_id", &request.get_ref().consent_id)?;
        let (record, recorded) = self.registrar.consent(&caller, consent).await?;
        Ok(Response::new(message(record, Some(recorded))))
    }

    async fn list(
        &self,
        request: Request<v1::ListConsentsRequest>,
    ) -> Reply<v1::ListConsentsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let listed = match &*asked.resident_id {
            "" => Listed::Mine,
            resident => Listed::Of(id("resident_id", resident)?),
        };
        let (before, size) = page(asked.page_size, 100, &asked.page_token)?;
        let records = self.registrar.consents(&caller, listed, before, size).await?;
        let full = records.len() == size as usize;
        let next = records.last().filter(|_| full).map(|it| it.consent.given.id.to_string());
        Ok(Response::new(v1::ListConsentsResponse {
            next_page_token: next.unwrap_or_default(),
            consents: records.into_iter().map(|record| message(record, None)).collect(),
        }))
    }
}

fn order(asked: v1::GrantConsentRequest) -> Result<ConsentOrder, Error> {
    let kind = kind(asked.kind)?;
    let mut classes = asked.classes.into_iter().map(class).collect::<Result<Vec<_>, _>>()?;
    classes.sort_unstable();
    classes.dedup();
    // How far a family doctor sees is a matter of the rules.
    let (purpose, grade) = match kind {
        ConsentKind::FamilyDoctor => {
            if !classes.is_empty() || asked.grade != 0 {
                return Err(Error::Field { field: "classes", needs: Needs::NothingHere });
            }
            (Purpose::Treatment, Grade::HIGHEST)
        }
        ConsentKind::Permit | ConsentKind::Object => {
            let grade = Grade::new(asked.grade);
            let grade = grade.ok_or(Error::Field { field: "grade", needs: Needs::Grade })?;
            (purpose(asked.purpose)?, grade)
        }
    };
    let days = match (asked.days, kind) {
        (0, ConsentKind::Object) => OBJECTION_DAYS,
        (0, _) => DAYS,
        (days, _) => days,
    };
    Ok(ConsentOrder {
        resident: id("resident_id", &asked.resident_id)?,
        presence: id("presence_id", &asked.presence_id)?,
        kind,
        purpose,
        classes,
        grade,
        recipient: optional_id("recipient_id", &asked.recipient_id)?,
        person: optional_id("person_id", &asked.person_id)?,
        records: optional_id("records_institution_id", &asked.records_institution_id)?,
        lasts: Duration::days(days.into()),
    })
}

fn message(record: ConsentRecord, recorded: Option<Receipt>) -> v1::Consent {
    let ConsentRecord { consent, state, signed, names } = record;
    let given = consent.given;
    let text = |id: Option<String>| id.unwrap_or_default();
    let (witness, witnessed_at) = consent.witnessed.unzip();
    v1::Consent {
        consent_id: given.id.to_string(),
        resident_id: given.resident.to_string(),
        kind: kind_number(given.kind),
        state: state_number(state),
        purpose: purpose_number(given.purpose),
        classes: given.classes.into_iter().map(class_number).collect(),
        grade: match given.kind {
            ConsentKind::FamilyDoctor => 0,
            ConsentKind::Permit | ConsentKind::Object => given.grade.level().into(),
        },
        recipient_id: text(given.recipient.map(String::from)),
        person_id: text(given.person.map(String::from)),
        records_institution_id: text(given.records.map(String::from)),
        guardian_id: text(given.guardian.map(String::from)),
        institution_id: given.institution.to_string(),
        identity_id: given.identity.to_string(),
        given_at: Some(timestamp(given.given_at)),
        ends_at: Some(timestamp(given.ends_at)),
        witness_id: text(witness.map(String::from)),
        witnessed_at: witnessed_at.map(timestamp),
        withdrawn_at: consent.withdrawn_at.map(timestamp),
        log_position: consent.log_position,
        signed_receipt: signed,
        receipt: recorded.and_then(receipt),
        institution_name: names.institution,
        recipient_name: names.recipient,
        records_institution_name: names.records,
    }
}

fn state_number(state: ConsentState) -> i32 {
    let number = match state {
        ConsentState::AwaitsWitness => v1::ConsentState::AwaitsWitness,
        ConsentState::InForce => v1::ConsentState::InForce,
        ConsentState::Void => v1::ConsentState::Void,
        ConsentState::Withdrawn => v1::ConsentState::Withdrawn,
        ConsentState::Over => v1::ConsentState::Over,
    };
    number.into()
}
