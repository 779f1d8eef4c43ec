//! Erasures, between the interface and the registrar.

use proto::v1::{self, erasure::State, review_erasure_request::Verdict};

use super::super::convert::{
    erasure_basis, erasure_basis_number, id, receipt, short_text, timestamp,
};
use crate::{
    catalogue::Needs,
    registrar::{ErasureOrder, ErasureVerdict, Error, ReviewedErasure},
    store::{Erasure, ErasureState},
    vocabulary::ErasureBasis,
};

pub(super) fn order(message: v1::OrderErasureRequest) -> Result<ErasureOrder, Error> {
    let basis = erasure_basis(message.basis)?;
    let reference = match (basis, message.order_reference) {
        (ErasureBasis::Order, text) => Some(short_text("order_reference", text, 120)?),
        (_, text) if text.is_empty() => None,
        _ => return Err(Error::Field { field: "order_reference", needs: Needs::OrderAlone }),
    };
    Ok(ErasureOrder { resident: id("resident_id", &message.resident_id)?, basis, reference })
}

pub(super) fn verdict(number: i32) -> Result<ErasureVerdict, Error> {
    match Verdict::try_from(number) {
        Ok(Verdict::Approve) => Ok(ErasureVerdict::Approve),
        Ok(Verdict::Reject) => Ok(ErasureVerdict::Reject),
        _ => Err(Error::Field { field: "verdict", needs: Needs::ListedValue }),
    }
}

pub(super) fn message(erasure: Erasure) -> v1::Erasure {
    let Erasure { ordered, state } = erasure;
    let (state, reviewed, entry) = match state {
        ErasureState::Pending => (State::Pending, None, String::new()),
        ErasureState::Expired => (State::Expired, None, String::new()),
        ErasureState::Approved { by, at, entry } => (State::Approved, Some((by, at)), entry),
        ErasureState::Rejected { by, at } => (State::Rejected, Some((by, at)), String::new()),
    };
    v1::Erasure {
        erasure_id: ordered.id.to_string(),
        resident_id: ordered.resident.to_string(),
        basis: erasure_basis_number(ordered.basis),
        order_reference: ordered.order_reference.unwrap_or_default(),
        entered_by: ordered.entered_by.to_string(),
        entered_at: Some(timestamp(ordered.entered_at)),
        expires_at: Some(timestamp(ordered.expires_at)),
        state: state.into(),
        reviewed_by: reviewed.map(|(by, _)| by.to_string()).unwrap_or_default(),
        reviewed_at: reviewed.map(|(_, at)| timestamp(at)),
        entry_id: entry,
    }
}

pub(super) fn reviewed(reviewed: ReviewedErasure) -> v1::ReviewErasureResponse {
    let ReviewedErasure { erasure, swept, receipt: recorded } = reviewed;
    v1::ReviewErasureResponse {
        erasure: Some(message(erasure)),
        receipt: receipt(recorded),
        overwritten: swept.is_some_and(|swept| swept.overwritten),
        listed: swept.is_some_and(|swept| swept.listed),
    }
}

pub(super) fn list(found: Vec<Erasure>, size: u32) -> v1::ErasuresResponse {
    let full = found.len() == size as usize;
    let next = found.last().filter(|_| full).map(|last| last.ordered.id.to_string());
    let erasures = found.into_iter().map(message).collect();
    v1::ErasuresResponse { erasures, next_page_token: next.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ResidentId;

    #[test]
    fn an_order_has_a_number_and_nothing_else_does() {
        let order = |basis: v1::ErasureBasis, reference: &str| {
            order(v1::OrderErasureRequest {
                resident_id: ResidentId::generate().to_string(),
                basis: basis.into(),
                order_reference: reference.to_owned(),
            })
        };
        use v1::ErasureBasis as Basis;
        for (basis, reference, wrong) in [
            (Basis::Order, "(2026)浙01行初12号", None),
            (Basis::Order, "", Some("order_reference")),
            (Basis::Order, "a\nb", Some("order_reference")),
            (Basis::ResidentAsks, "", None),
            (Basis::ResidentAsks, "12", Some("order_reference")),
            (Basis::RegisteredInError, "12", Some("order_reference")),
            (Basis::Unspecified, "", Some("basis")),
        ] {
            let found = match order(basis, reference) {
                Ok(_) => None,
                Err(Error::Field { field, .. }) => Some(field),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(found, wrong, "{basis:?} {reference}");
        }
        assert!(verdict(0).is_err() && verdict(3).is_err());
    }
}
