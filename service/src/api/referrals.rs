//! `Referrals`: residents whom one institution sends to another.

use proto::v1::{self, referrals_server::Referrals};
use time::Duration;
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{id, receipt, timestamp},
};
use crate::{
    clock::{self, UtcTime},
    store::{Receipt, Referral},
};

/// Days that a referral lasts where nothing is said.
const DAYS: u32 = 30;

#[tonic::async_trait]
impl Referrals for Desk {
    async fn make(&self, request: Request<v1::MakeReferralRequest>) -> Reply<v1::Referral> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let visit = id("visit_id", &asked.visit_id)?;
        let recipient = id("recipient_id", &asked.recipient_id)?;
        let days = if asked.days == 0 { DAYS } else { asked.days };
        let lasts = Duration::days(days.into());
        let (referral, recorded) = self.registrar.refer(&caller, visit, recipient, lasts).await?;
        Ok(Response::new(message(&referral, clock::now(), Some(recorded))))
    }

    async fn end(&self, request: Request<v1::EndReferralRequest>) -> Reply<v1::Referral> {
        let caller = self.caller(&request).await?;
        let referral = id("referral_id", &request.get_ref().referral_id)?;
        let (referral, recorded) = self.registrar.end_referral(&caller, referral).await?;
        Ok(Response::new(message(&referral, clock::now(), Some(recorded))))
    }

    async fn list(
        &self,
        request: Request<v1::ListReferralsRequest>,
    ) -> Reply<v1::ListReferralsResponse> {
        let caller = self.caller(&request).await?;
        let visit = id("visit_id", &request.get_ref().visit_id)?;
        let (found, recorded) = self.registrar.referrals(&caller, visit).await?;
        let now = clock::now();
        Ok(Response::new(v1::ListReferralsResponse {
            referrals: found.iter().map(|referral| message(referral, now, None)).collect(),
            receipt: receipt(recorded),
        }))
    }
}

fn message(referral: &Referral, now: UtcTime, recorded: Option<Receipt>) -> v1::Referral {
    let made = &referral.made;
    v1::Referral {
        referral_id: made.id.to_string(),
        resident_id: made.resident.to_string(),
        visit_id: made.visit.to_string(),
        institution_id: made.institution.to_string(),
        recipient_id: made.recipient.to_string(),
        identity_id: made.identity.to_string(),
        made_at: Some(timestamp(made.made_at)),
        ends_at: Some(timestamp(made.ends_at)),
        ended_at: referral.ended_at.map(timestamp),
        stands: referral.stands(now),
        receipt: recorded.and_then(receipt),
    }
}
