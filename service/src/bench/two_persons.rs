//! Two operators of a bench: what one enters the other reviews, each with a signed statement.

use audit::approval::{Statement, Step, digest};
use ca::Certificate;
use hsm::{Sm2Signer as _, sm3};
use proto::v1;

use super::{BenchError, ground::Person};
use crate::{
    clock,
    store::EnrolmentId,
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
