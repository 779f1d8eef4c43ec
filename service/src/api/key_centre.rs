//! `KeyCentre`: encryption key pairs that are held for their owners.

use hsm::{sm2::PublicKey, sm3};
use proto::v1::{
    self, enter_recovery_request::To, key_centre_server::KeyCentre, key_recovery::State,
    review_recovery_request::Verdict,
};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{id, page, receipt, short_text, timestamp},
};
use crate::{
    catalogue::Needs,
    clock::UtcTime,
    registrar::{Error, MOST_MADE, RecoveryTo},
    store::{KeyCounts, Recovery, RecoveryRecipient, RecoveryState, RecoveryVerdict},
};

#[tonic::async_trait]
impl KeyCentre for Desk {
    async fn counts(&self, request: Request<v1::KeyCountsRequest>) -> Reply<v1::KeyCounts> {
        let caller = self.caller(&request).await?;
        Ok(Response::new(message(self.registrar.key_counts(&caller).await?)))
    }

    async fn make(&self, request: Request<v1::MakeKeysRequest>) -> Reply<v1::MakeKeysResponse> {
        let caller = self.caller(&request).await?;
        let count = request.get_ref().count as usize;
        if !(1..=MOST_MADE).contains(&count) {
            return Err(Error::Field { field: "count", needs: Needs::KeyCount }.into());
        }
        let (counts, recorded) = self.registrar.make_spare_keys(&caller, count).await?;
        Ok(Response::new(v1::MakeKeysResponse {
            counts: Some(message(counts)),
            receipt: receipt(recorded),
        }))
    }

    async fn enter_recovery(
        &self,
        request: Request<v1::EnterRecoveryRequest>,
    ) -> Reply<v1::EnterRecoveryResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let serial = short_text("encryption_serial", message.encryption_serial, 40)?;
        let to = match message.to {
            Some(To::SigningSerial(signing)) => {
                RecoveryTo::Holder { signing: short_text("signing_serial", signing, 40)? }
            }
            Some(To::Order(order)) => RecoveryTo::Order {
                request: order.request,
                reference: short_text("order.reference", order.reference, 120)?,
            },
            None => return Err(Error::Field { field: "to", needs: Needs::ListedValue }.into()),
        };
        let (recovery, recorded) = self.registrar.enter_recovery(&caller, serial, to).await?;
        Ok(Response::new(v1::EnterRecoveryResponse {
            recovery: Some(rendered(recovery, caller.now)),
            receipt: receipt(recorded),
        }))
    }

    async fn review_recovery(
        &self,
        request: Request<v1::ReviewRecoveryRequest>,
    ) -> Reply<v1::ReviewRecoveryResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let verdict = match message.verdict() {
            Verdict::Approve => RecoveryVerdict::Approve,
            Verdict::Reject => RecoveryVerdict::Reject,
            Verdict::Unspecified => {
                return Err(Error::Field { field: "verdict", needs: Needs::ListedValue }.into());
            }
        };
        let recovery = id("recovery_id", &message.recovery_id)?;
        let reviewed = self.registrar.review_recovery(&caller, recovery, verdict).await?;
        Ok(Response::new(v1::ReviewRecoveryResponse {
            recovery: Some(rendered(reviewed.recovery, caller.now)),
            answer: reviewed.answer.unwrap_or_default(),
            receipt: receipt(reviewed.receipt),
        }))
    }

    async fn list_recoveries(
        &self,
        request: Request<v1::ListRecoveriesRequest>,
    ) -> Reply<v1::ListRecoveriesResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let found = self.registrar.recoveries(&caller, after, size).await?;
        let full = found.len() == size as usize;
        let next = found.last().filter(|_| full).map(|last| last.entered.id.to_string());
        let recoveries = found.into_iter().map(|it| rendered(it, caller.now)).collect();
        Ok(Response::new(v1::ListRecoveriesResponse {
            recoveries,
            next_page_token: next.unwrap_or_default(),
        }))
    }
}

fn message(counts: KeyCounts) -> v1::KeyCounts {
    let KeyCounts { spare, in_use, history } = counts;
    v1::KeyCounts { spare, in_use, history }
}

/// A recovery as it stands at this time.
fn rendered(recovery: Recovery, now: UtcTime) -> v1::KeyRecovery {
    let Recovery { entered, state } = recovery;
    let (state, reviewed) = match state {
        RecoveryState::Pending if entered.expires_at <= now => (State::Expired, None),
        RecoveryState::Pending => (State::Pending, None),
        RecoveryState::Approved { by, at } => (State::Approved, Some((by, at))),
        RecoveryState::Rejected { by, at } => (State::Rejected, Some((by, at))),
    };
    let (signing_serial, order_reference) = match entered.recipient {
        RecoveryRecipient::Holder { signing } => (signing, String::new()),
        RecoveryRecipient::Order { reference } => (String::new(), reference),
    };
    let spki = PublicKey::from_sec1(&entered.recipient_key).map(|key| key.to_spki_der());
    v1::KeyRecovery {
        recovery_id: entered.id.to_string(),
        encryption_serial: entered.certificate,
        signing_serial,
        order_reference,
        recipient_key_sm3: spki.map(|der| sm3::digest(&der).to_vec()).unwrap_or_default(),
        entered_by: entered.entered_by.to_string(),
        entered_at: Some(timestamp(entered.entered_at)),
        expires_at: Some(timestamp(entered.expires_at)),
        state: state.into(),
        reviewed_by: reviewed.map(|(by, _)| by.to_string()).unwrap_or_default(),
        reviewed_at: reviewed.map(|(_, at)| timestamp(at)),
    }
}
