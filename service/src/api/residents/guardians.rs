//! Guardianships, between the interface and the registrar.

use proto::v1;
use time::Date;

use super::super::convert::{
    basis, basis_number, date, guardian_scope, guardian_scope_number, id, kinship, kinship_number,
    receipt, scan_digest, timestamp,
};
use crate::{
    catalogue::Needs,
    registrar::{Error, GuardianshipOrder, GuardianshipRecord, Guardianships},
    store::Receipt,
    vocabulary::GuardianScope,
};

pub(super) fn order(message: v1::AddGuardianRequest) -> Result<GuardianshipOrder, Error> {
    Ok(GuardianshipOrder {
        ward: id("ward_id", &message.ward_id)?,
        guardian: id("guardian_id", &message.guardian_id)?,
        kinship: kinship(message.kinship)?,
        scopes: scopes(&message.scopes)?,
        basis: basis(message.basis)?,
        scan_digest: scan_digest(message.scan_digest)?,
        starts_on: day("starts_on", &message.starts_on)?,
        ends_on: day("ends_on", &message.ends_on)?,
    })
}

fn scopes(numbers: &[i32]) -> Result<Vec<GuardianScope>, Error> {
    let wrong = Error::Field { field: "scopes", needs: Needs::Scopes };
    if numbers.is_empty() || numbers.len() > GuardianScope::ALL.len() {
        return Err(wrong);
    }
    let mut scopes = Vec::new();
    for number in numbers {
        let scope = guardian_scope(*number)?;
        if scopes.contains(&scope) {
            return Err(wrong);
        }
        scopes.push(scope);
    }
    Ok(scopes)
}

fn day(field: &'static str, text: &str) -> Result<Option<Date>, Error> {
    match text {
        "" => Ok(None),
        text => date(field, text).map(Some),
    }
}

pub(super) fn message(record: GuardianshipRecord, recorded: Option<Receipt>) -> v1::Guardianship {
    let GuardianshipRecord { made, ended, stands } = record;
    let mut message = v1::Guardianship {
        guardianship_id: made.id.to_string(),
        ward_id: made.ward.to_string(),
        guardian_id: made.guardian.to_string(),
        kinship: kinship_number(made.kinship),
        scopes: made.scopes.iter().map(|scope| guardian_scope_number(*scope)).collect(),
        basis: basis_number(made.basis),
        scan_digest: made.scan_digest.map(Vec::from).unwrap_or_default(),
        starts_on: made.starts_on.to_string(),
        ends_on: made.ends_on.to_string(),
        stands,
        institution_id: made.institution.to_string(),
        identity_id: made.identity.to_string(),
        recorded_at: Some(timestamp(made.recorded_at)),
        receipt: recorded.and_then(receipt),
        ..v1::Guardianship::default()
    };
    if let Some((at, by, note)) = ended {
        message.ended_at = Some(timestamp(at));
        message.ended_by = by.to_string();
        message.note = note;
    }
    message
}

pub(super) fn both_ways(found: Guardianships) -> v1::GuardiansResponse {
    let told = |records: Vec<GuardianshipRecord>| {
        records.into_iter().map(|record| message(record, None)).collect()
    };
    v1::GuardiansResponse {
        guardians: told(found.guardians),
        wards: told(found.wards),
        receipt: receipt(found.receipt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_named_once() {
        assert!(scopes(&[1]).is_ok());
        assert_eq!(scopes(&[3, 1, 2]).ok().map(|scopes| scopes.len()), Some(3));
        for wrong in [&[][..], &[1, 1], &[0], &[4], &[1, 2, 3, 1]] {
            assert!(scopes(wrong).is_err(), "{wrong:?}");
        }
    }
}
