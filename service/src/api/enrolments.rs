//! `Enrolments`: certificates that one operator enters and another reviews.

use std::sync::Arc;

use proto::v1::{
    self, enrolment::State, enrolments_server::Enrolments, get_enrolment_request::Key,
};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{id, numbered, one_institution, page, receipt, short_text, timestamp},
};
use crate::{
    catalogue::Needs,
    clock::UtcTime,
    registrar::{
        EnrolmentEvidence, EnrolmentKey, EnrolmentOrder, Error, IssuedCertificates,
        ListedEnrolments, ReviewOrder,
    },
    store::{Enrolment, SignedStatement},
    vocabulary::{CertificateSet, EnrolmentState},
};

numbered!(set, set_number, CertificateSet, CertificateSet, "certificates", Signing, Pair);

#[tonic::async_trait]
impl Enrolments for Desk {
    async fn enter(
        &self,
        request: Request<v1::EnterEnrolmentRequest>,
    ) -> Reply<v1::EnterEnrolmentResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let statement = message.statement.unwrap_or_default();
        let order = EnrolmentOrder {
            id: id("enrolment_id", &message.enrolment_id)?,
            identity: id("identity_id", &message.identity_id)?,
            certificates: set(message.certificates)?,
            days: (message.valid_days > 0).then_some(message.valid_days),
            request: message.request,
            statement: statement.text,
            signature: statement.signature,
        };
        let now = caller.now;
        let entered = Arc::clone(&self.registrar).enter_enrolment(caller, order).await?;
        Ok(Response::new(v1::EnterEnrolmentResponse {
            enrolment: Some(rendered(entered.enrolment, now)),
            issued: entered.issued.map(issued),
            receipt: receipt(entered.receipt),
        }))
    }

    async fn review(
        &self,
        request: Request<v1::ReviewEnrolmentRequest>,
    ) -> Reply<v1::ReviewEnrolmentResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let statement = message.statement.unwrap_or_default();
        let order = ReviewOrder {
            id: id("enrolment_id", &message.enrolment_id)?,
            rejection: match message.rejection.is_empty() {
                true => None,
                false => Some(short_text("rejection", message.rejection, 200)?),
            },
            statement: statement.text,
            signature: statement.signature,
        };
        let now = caller.now;
        let reviewed = Arc::clone(&self.registrar).review_enrolment(caller, order).await?;
        Ok(Response::new(v1::ReviewEnrolmentResponse {
            enrolment: Some(rendered(reviewed.enrolment, now)),
            issued: reviewed.issued.map(issued),
            receipt: receipt(reviewed.receipt),
        }))
    }

    async fn collect(
        &self,
        request: Request<v1::CollectCertificatesRequest>,
    ) -> Reply<v1::IssuedCertificates> {
        let caller = self.caller(&request).await?;
        let enrolment = id("enrolment_id", &request.get_ref().enrolment_id)?;
        let collected = Arc::clone(&self.registrar).collect(caller, enrolment).await?;
        Ok(Response::new(issued(collected)))
    }

    async fn get(&self, request: Request<v1::GetEnrolmentRequest>) -> Reply<v1::Enrolment> {
        let caller = self.caller(&request).await?;
        let key = match request.into_inner().key {
            Some(Key::EnrolmentId(text)) => EnrolmentKey::Id(id("enrolment_id", &text)?),
            Some(Key::Serial(serial)) => EnrolmentKey::Serial(short_text("serial", serial, 40)?),
            None => return Err(Error::Field { field: "key", needs: Needs::ListedValue }.into()),
        };
        let evidence = self.registrar.enrolment(&caller, key).await?;
        let EnrolmentEvidence { enrolment, enterer, reviewer, issued } = evidence;
        let mut message = rendered(enrolment, caller.now);
        if let Some(entry) = &mut message.entry {
            entry.certificate = enterer;
        }
        if let (Some(review), Some(certificate)) = (&mut message.review, reviewer) {
            review.certificate = certificate;
        }
        message.certificate = issued.unwrap_or_default();
        Ok(Response::new(message))
    }

    async fn list(
        &self,
        request: Request<v1::ListEnrolmentsRequest>,
    ) -> Reply<v1::ListEnrolmentsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let institution = one_institution(&asked.institution_id)?;
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let which = match (asked.rejected, asked.unsigned) {
            (false, false) => ListedEnrolments::Waiting,
            (true, false) => ListedEnrolments::Rejected,
            (false, true) => ListedEnrolments::Unsigned,
            (true, true) => {
                let (field, needs) = ("unsigned", Needs::ListedValue);
                return Err(Error::Field { field, needs }.into());
            }
        };
        let found = self.registrar.enrolments(&caller, which, institution, after, size).await?;
        let full = found.len() == size as usize;
        let next = found.last().filter(|_| full).map(|last| last.entered.id.to_string());
        Ok(Response::new(v1::ListEnrolmentsResponse {
            enrolments: found.into_iter().map(|it| rendered(it, caller.now)).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }
}

/// An enrolment as it stands at this time.
fn rendered(enrolment: Enrolment, now: UtcTime) -> v1::Enrolment {
    let state = match enrolment.state_at(now) {
        EnrolmentState::Pending => State::Pending,
        EnrolmentState::Approved => State::Approved,
        EnrolmentState::Rejected => State::Rejected,
        EnrolmentState::Alone => State::Alone,
        EnrolmentState::Expired => State::Expired,
    };
    let Enrolment { entered, review, rejection, certificate, .. } = enrolment;
    v1::Enrolment {
        enrolment_id: entered.id.to_string(),
        identity_id: entered.identity.to_string(),
        certificates: set_number(entered.certificates),
        valid_days: entered.days.unwrap_or_default(),
        state: state.into(),
        expires_at: Some(timestamp(entered.expires_at)),
        entry: Some(statement(entered.entry)),
        review: review.map(statement),
        rejection: rejection.unwrap_or_default(),
        serial: certificate.unwrap_or_default(),
        certificate: Vec::new(),
    }
}

fn statement(signed: SignedStatement) -> v1::SignedStatement {
    v1::SignedStatement {
        text: signed.text,
        signature: signed.signature,
        identity_id: signed.by.to_string(),
        certificate: Vec::new(),
        recorded_at: Some(timestamp(signed.at)),
    }
}

fn issued(issued: IssuedCertificates) -> v1::IssuedCertificates {
    let IssuedCertificates { signing, encryption, answer, chain } = issued;
    v1::IssuedCertificates {
        certificate: signing.der().to_vec(),
        encryption_certificate: encryption.map(|it| it.der().to_vec()).unwrap_or_default(),
        answer: answer.unwrap_or_default(),
        chain,
    }
}
