//! `Visits`: the frame in which a resident's data may be used.

use proto::v1::{self, visits_server::Visits};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{id, page, receipt, short_text, timestamp},
};
use crate::{
    registrar::{Error, NewVisit},
    store::{IdentityId, Receipt, Visit},
};

#[tonic::async_trait]
impl Visits for Desk {
    async fn open(&self, request: Request<v1::OpenVisitRequest>) -> Reply<v1::Visit> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let attending = asked
            .attending
            .iter()
            .map(|text| id::<IdentityId>("attending", text))
            .collect::<Result<_, Error>>()?;
        let order = NewVisit {
            presence: id("presence_id", &asked.presence_id)?,
            department: short_text("department", asked.department, 50)?,
            reason: short_text("reason", asked.reason, 64)?,
            attending,
        };
        let (visit, recorded) = self.registrar.open_visit(&caller, order).await?;
        Ok(Response::new(message(visit, Some(recorded))))
    }

    async fn get(&self, request: Request<v1::GetVisitRequest>) -> Reply<v1::Visit> {
        let caller = self.caller(&request).await?;
        let visit = id("visit_id", &request.get_ref().visit_id)?;
        let (visit, recorded) = self.registrar.visit(&caller, visit).await?;
        Ok(Response::new(message(visit, Some(recorded))))
    }

    async fn list(&self, request: Request<v1::ListVisitsRequest>) -> Reply<v1::ListVisitsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let visits = self.registrar.visits(&caller, after, size).await?;
        let full = visits.len() == size as usize;
        let next = visits.last().filter(|_| full).map(|visit| visit.id.to_string());
        Ok(Response::new(v1::ListVisitsResponse {
            next_page_token: next.unwrap_or_default(),
            visits: visits.into_iter().map(|visit| message(visit, None)).collect(),
        }))
    }

    async fn close(&self, request: Request<v1::CloseVisitRequest>) -> Reply<v1::Visit> {
        let caller = self.caller(&request).await?;
        let visit = id("visit_id", &request.get_ref().visit_id)?;
        let (visit, recorded) = self.registrar.close_visit(&caller, visit).await?;
        Ok(Response::new(message(visit, Some(recorded))))
    }
}

fn message(visit: Visit, recorded: Option<Receipt>) -> v1::Visit {
    v1::Visit {
        visit_id: visit.id.to_string(),
        resident_id: visit.resident.to_string(),
        institution_id: visit.institution.to_string(),
        department: visit.department,
        reason: visit.reason,
        attending: visit.attending.iter().map(ToString::to_string).collect(),
        opened_at: Some(timestamp(visit.opened_at)),
        closed_at: visit.closed_at.map(timestamp),
        receipt: recorded.and_then(receipt),
    }
}
