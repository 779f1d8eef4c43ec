//! Bound numbers and decisions about look-alikes, between the interface and the registrar.

use proto::v1;

use super::{
    super::convert::{
        basis, basis_number, binding_end_number, id, number_kind, number_kind_number, receipt,
        scan_digest, short_text, timestamp, verdict, verdict_number,
    },
    MOST_REMARK,
};
use crate::{
    catalogue::Needs,
    numbers::{BadBoundNumber, BoundNumber, NumberKind, Scope},
    registrar::{BindingRecord, Caller, Decision, DecisionRecord, Error, History, NumberOrder},
    store::{InstitutionId, Receipt},
};

pub(super) fn decision(message: v1::LookAlikeDecision) -> Result<Decision, Error> {
    let wrong = Error::Field { field: "decision.case", needs: Needs::Case };
    let mut case = [0; 32];
    hex::decode_to_slice(&message.case, &mut case).map_err(|_| wrong)?;
    Ok(Decision {
        case,
        verdict: verdict(message.verdict)?,
        grounds: short_text("decision.grounds", message.grounds, MOST_REMARK)?,
    })
}

pub(super) fn order(caller: &Caller, message: v1::BindNumberRequest) -> Result<NumberOrder, Error> {
    let number = message.number.unwrap_or_default();
    let own = caller.holder.institution.to_string();
    let hospital = number_kind(number.kind)?.scope() == Scope::Institution;
    // A hospital's numbers are given out, and vouched for, by itself alone.
    if hospital && !number.issuer.is_empty() && number.issuer != own {
        return Err(Error::Field { field: "number.issuer", needs: Needs::IssuerHere });
    }
    Ok(NumberOrder {
        resident: id("resident_id", &message.resident_id)?,
        number: self::number(caller, number)?,
        basis: basis(message.basis)?,
        scan_digest: scan_digest(message.scan_digest)?,
    })
}

/// A number to find somebody by, of any hospital.
pub(super) fn number_found(
    caller: &Caller,
    message: Option<v1::ResidentNumber>,
) -> Result<BoundNumber, Error> {
    number(caller, message.unwrap_or_default())
}

fn number(caller: &Caller, message: v1::ResidentNumber) -> Result<BoundNumber, Error> {
    let kind = number_kind(message.kind)?;
    let own = caller.holder.institution.to_string();
    let issuer = match kind.scope() {
        Scope::Institution if message.issuer.is_empty() => own,
        Scope::Institution => id::<InstitutionId>("number.issuer", &message.issuer)?.to_string(),
        Scope::Everywhere | Scope::State | Scope::Region => message.issuer,
    };
    BoundNumber::parse(kind, &issuer, &message.number).map_err(|error| match error {
        BadBoundNumber::Issuer => {
            Error::Field { field: "number.issuer", needs: issuer_form(kind.scope()) }
        }
        BadBoundNumber::Number => Error::Field { field: "number.number", needs: form(kind) },
    })
}

fn issuer_form(scope: Scope) -> Needs {
    match scope {
        Scope::Everywhere => Needs::NoIssuer,
        Scope::State => Needs::IssuerState,
        Scope::Region => Needs::IssuerRegion,
        Scope::Institution => Needs::Identifier,
    }
}

fn form(kind: NumberKind) -> Needs {
    match kind {
        NumberKind::HouseholdBook => Needs::HouseholdBook,
        NumberKind::Passport => Needs::Passport,
        NumberKind::OfficerCard => Needs::OfficerCard,
        NumberKind::HkMacauPermit => Needs::HkMacauPermit,
        NumberKind::TaiwanPermit => Needs::TaiwanPermit,
        NumberKind::BirthCertificate => Needs::BirthCertificate,
        NumberKind::ForeignResidenceCard => Needs::ForeignResidenceCard,
        NumberKind::SocialSecurityCard | NumberKind::CityCard => Needs::CardSurfaceNumber,
        NumberKind::MedicalRecord | NumberKind::Patient => Needs::HospitalNumber,
        NumberKind::Other => Needs::OtherDocument,
    }
}

pub(super) fn message(record: BindingRecord, recorded: Option<Receipt>) -> v1::Binding {
    let number = v1::ResidentNumber {
        kind: number_kind_number(record.number.kind()),
        issuer: record.number.issuer().to_owned(),
        number: record.number.number().to_owned(),
    };
    let mut message = v1::Binding {
        binding_id: record.id.to_string(),
        resident_id: record.resident.to_string(),
        number: Some(number),
        basis: basis_number(record.basis),
        scan_digest: record.scan_digest.map(Vec::from).unwrap_or_default(),
        institution_id: record.institution.to_string(),
        identity_id: record.identity.to_string(),
        bound_at: Some(timestamp(record.bound_at)),
        receipt: recorded.and_then(receipt),
        ..v1::Binding::default()
    };
    if let Some(ended) = record.ended {
        message.ended_at = Some(timestamp(ended.at));
        message.ended_by = ended.by.to_string();
        message.end_reason = binding_end_number(ended.reason);
        message.note = ended.note;
    }
    message
}

pub(super) fn history(history: History, size: u32) -> v1::BindingsResponse {
    let full = history.bindings.len() == size as usize;
    let next = history.bindings.last().filter(|_| full).map(|binding| binding.id.to_string());
    v1::BindingsResponse {
        next_page_token: next.unwrap_or_default(),
        bindings: history.bindings.into_iter().map(|binding| message(binding, None)).collect(),
        decisions: history.decisions.into_iter().map(decided).collect(),
        receipt: receipt(history.receipt),
    }
}

fn decided(record: DecisionRecord) -> v1::LookAlikeRecord {
    v1::LookAlikeRecord {
        decision_id: record.id.to_string(),
        verdict: verdict_number(record.verdict),
        rules: record.rules.iter().map(ToString::to_string).collect(),
        here: record.here.iter().map(ToString::to_string).collect(),
        elsewhere: u32::try_from(record.elsewhere).unwrap_or(u32::MAX),
        grounds: record.grounds,
        institution_id: record.institution.to_string(),
        identity_id: record.identity.to_string(),
        decided_at: Some(timestamp(record.decided_at)),
    }
}
