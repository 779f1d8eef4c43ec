//! Two operators of a bench: what one enters the other reviews, each with a signed statement.

use std::sync::Arc;

use audit::approval::{Statement, Step, digest};
use ca::{Certificate, IdentifyingExtension};
use hsm::{Sm2Signer as _, sm3};
use proto::v1::{self, enrolments_client::EnrolmentsClient};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::{
    BenchError,
    ground::{Ground, Person},
};
use crate::{
    clock,
    registrar::Registrar,
    store::{EnrolmentId, IdentityId},
    vocabulary::{CertificateSet, Role},
};

/// What is to be issued.
pub(super) struct Wanted<'a> {
    pub(super) service: &'a str,
    pub(super) identity: String,
    pub(super) institution: String,
    pub(super) role: Role,
    pub(super) certificates: CertificateSet,
    pub(super) request: Vec<u8>,
    /// As statements name the identifying extensions.
    pub(super) identifiers: [u8; 32],
}

impl Wanted<'_> {
    fn statement(&self, id: EnrolmentId, step: Step) -> Result<Statement, BenchError> {
        let request = ca::request::CertificateRequest::parse(&self.request)?;
        Ok(Statement {
            step,
            service: self.service.to_owned(),
            enrolment: id.to_string(),
            identity: self.identity.clone(),
            institution: self.institution.clone(),
            role: self.role.as_str().to_owned(),
            profile: "person".to_owned(),
            certificates: self.certificates.as_str().to_owned(),
            days: 0,
            request: sm3::digest(&self.request),
            key: sm3::digest(request.public_key().as_sec1()),
            identifiers: Some(self.identifiers),
            at: clock::rfc3339(clock::now()),
        })
    }

    /// What `operator` signs to enter it.
    pub(super) fn entry(
        &self,
        id: EnrolmentId,
        operator: &Person,
    ) -> Result<v1::SignedStatement, BenchError> {
        operator.signs(&self.statement(id, Step::Entry)?)
    }

    /// What `operator` signs to approve what was entered.
    pub(super) fn approval(
        &self,
        id: EnrolmentId,
        entry: &v1::SignedStatement,
        operator: &Person,
    ) -> Result<v1::SignedStatement, BenchError> {
        let entry = digest(&entry.text, &entry.signature);
        operator.signs(&self.statement(id, Step::Approval { entry })?)
    }
}

/// How statements name what a certificate of this identity would say of it besides the name.
pub(super) async fn identifiers_of(
    registrar: &Registrar,
    identity: IdentityId,
) -> Result<[u8; 32], BenchError> {
    let identifying = registrar.identifying_of(identity).await?;
    Ok(audit::approval::identifiers(identifying.iter().map(IdentifyingExtension::der)))
}

/// Two operators over gRPC: how they call, and with whose keys they sign.
#[derive(Clone)]
pub(super) struct Operators {
    pub(super) client: EnrolmentsClient<Channel>,
    /// Of the sessions of who enters, and of who reviews.
    pub(super) bearers: [MetadataValue<Ascii>; 2],
    pub(super) ground: Arc<Ground>,
}

impl Operators {
    /// Enters what is wanted and reviews it; what was issued.
    pub(super) async fn issue(
        &mut self,
        wanted: Wanted<'_>,
    ) -> Result<v1::IssuedCertificates, BenchError> {
        let id = EnrolmentId::generate();
        let entry = wanted.entry(id, &self.ground.operator)?;
        let approval = wanted.approval(id, &entry, &self.ground.reviewer)?;
        let [entering, reviewing] = self.bearers.clone();
        let certificates = match wanted.certificates {
            CertificateSet::Signing => v1::CertificateSet::Signing,
            CertificateSet::Pair => v1::CertificateSet::Pair,
        };
        let mut order = Request::new(v1::EnterEnrolmentRequest {
            enrolment_id: id.to_string(),
            identity_id: wanted.identity,
            certificates: certificates.into(),
            request: wanted.request,
            valid_days: 0,
            statement: Some(entry),
        });
        order.metadata_mut().insert("authorization", entering);
        self.client.enter(order).await?;
        let mut order = Request::new(v1::ReviewEnrolmentRequest {
            enrolment_id: id.to_string(),
            statement: Some(approval),
            rejection: String::new(),
        });
        order.metadata_mut().insert("authorization", reviewing);
        let reviewed = self.client.review(order).await?.into_inner();
        Ok(reviewed.issued.unwrap_or_default())
    }
}

impl Person {
    fn signs(&self, statement: &Statement) -> Result<v1::SignedStatement, BenchError> {
        let text = statement.to_string();
        let signature = self.key.sign(&self.key.digest(text.as_bytes()))?.as_raw().to_vec();
        Ok(v1::SignedStatement { text, signature, ..v1::SignedStatement::default() })
    }

    /// Identity, institution and serial number, as the certificate has them.
    pub(super) fn names(&self) -> Result<[String; 3], BenchError> {
        let certificate = Certificate::parse(&self.certificate)?;
        let subject = certificate.subject();
        let part = |part: Option<&str>| part.map(str::to_owned).ok_or("a subject without a name");
        Ok([
            part(subject.common_name())?,
            part(subject.organization())?,
            certificate.serial().to_string(),
        ])
    }
}
