//! Doing what a plan says. Each person is one or two calls, and what was done is on record: a run that was cut off
//! goes on when the same file is compared again.

use std::sync::Arc;

use proto::v1::{
    CertificateIdentifier, CertificateSet, ChangeIdentityRequest, CollectCertificatesRequest,
    DepartIdentityRequest, EnterEnrolmentRequest, Identity, RegisterIdentityRequest,
    RevocationReason, Role, enrolments_client::EnrolmentsClient,
    identities_client::IdentitiesClient,
};

use super::{
    file::{Column, Qualification, StaffRole, StaffRow},
    plan::{Kind, Plan, Step},
    results::Verdict,
    work::{self, Told, Worked},
};
use crate::{
    approval::{self, Entry},
    clock,
    context::Context,
    failure::Failure,
    identity::ClientKey,
    service::Service,
    text::{Word, problems},
};

/// How it is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) institution: String,
    /// What is entered on requests.
    pub(crate) certificates: CertificateSet,
    /// Why certificates of leavers are revoked.
    pub(crate) reason: RevocationReason,
}

/// One who does it: the service, and the key that statements are signed with.
struct Hand {
    service: Arc<Service>,
    key: ClientKey,
    /// Name of the service.
    name: String,
    order: Order,
}

/// Does it, everybody but leavers first.
pub(crate) async fn run(context: &Context, plan: Plan, order: Order) -> Result<Worked, Failure> {
    let (key, certificate) = context.service.home().credentials()?;
    let name = certificate.issuing_service().ok_or(problems::CERTIFICATE_MALFORMED)?;
    let hand = Arc::new(Hand { service: Arc::clone(&context.service), key, name, order });
    let (leavers, others): (Vec<_>, Vec<_>) =
        plan.steps.into_iter().filter(Step::is_due).partition(|step| step.kind == Kind::Leaver);
    let mut told = Told::new(context.screen, others.len() + leavers.len());
    let of = |hand: &Arc<Hand>| {
        let hand = Arc::clone(hand);
        async move |step: Step| {
            let mut settled = verdict(&step);
            let attempt = hand.attempt(&step, &mut settled).await;
            (settled, attempt)
        }
    };
    let mut worked = work::run(&mut told, others, verdict, of(&hand)).await;
    if worked.stopped.is_some() {
        let never_begun = leavers.iter().map(verdict);
        worked.verdicts.extend(never_begun.map(|it| Verdict { verdict: "not-done", ..it }));
        return Ok(worked);
    }
    let left = work::run(&mut told, leavers, verdict, of(&hand)).await;
    worked.verdicts.extend(left.verdicts);
    worked.stopped = left.stopped;
    Ok(worked)
}

impl Hand {
    async fn attempt(&self, step: &Step, settled: &mut Verdict) -> Result<(), Failure> {
        let mut identifiers =
            step.identity.as_ref().map(|it| it.identifiers.clone()).unwrap_or_default();
        match (step.kind, &step.row, &step.identity) {
            (Kind::Joiner, Some(row), _) => {
                (settled.identity_id, identifiers) = self.register(row).await?;
            }
            (Kind::Mover, Some(row), Some(identity)) => self.change(row, step, identity).await?,
            (Kind::Leaver, _, Some(identity)) => self.depart(identity).await?,
            _ => {}
        }
        for id in &step.unsigned {
            let request = CollectCertificatesRequest { enrolment_id: id.clone() };
            let ask = async |channel| EnrolmentsClient::new(channel).collect(request.clone()).await;
            settled.reason.push_str("enrolment:");
            settled.enrolment_id.clone_from(id);
            self.service.ask(ask).await?;
            settled.reason.clear();
        }
        if let (Some(row), Some(request)) = (&step.row, &step.request) {
            // What comes before is done; what is refused now is the enrolment.
            settled.reason.push_str("enrolment:");
            settled.enrolment_id =
                self.enter(row, &settled.identity_id, identifiers, request).await?;
            settled.reason.clear();
        }
        Ok(())
    }

    /// Number of the identity, and what its certificates say of it.
    async fn register(
        &self,
        row: &StaffRow,
    ) -> Result<(String, Vec<CertificateIdentifier>), Failure> {
        let request = RegisterIdentityRequest {
            institution_id: self.order.institution.clone(),
            role: role(row.role).into(),
            name: row.name.clone(),
            number: row.number.clone(),
            department: row.department.clone(),
            id_number: id_number(row),
            qualified_until: match row.qualification {
                Qualification::Until(day) => day.to_string(),
                Qualification::Open | Qualification::Unsaid => String::new(),
            },
        };
        let ask = async |channel| IdentitiesClient::new(channel).register(request.clone()).await;
        let registered = self.service.ask(ask).await?;
        Ok((registered.identity_id, registered.identifiers))
    }

    async fn change(
        &self,
        row: &StaffRow,
        step: &Step,
        identity: &Identity,
    ) -> Result<(), Failure> {
        let until = step.fields.iter().find(|it| it.column == Column::QualifiedUntil);
        let request = ChangeIdentityRequest {
            identity_id: identity.identity_id.clone(),
            role: role(row.role).into(),
            name: row.name.clone(),
            department: row.department.clone(),
            qualified_until: until.map_or(&identity.qualified_until, |it| &it.to).clone(),
            id_number: id_number(row),
        };
        let ask = async |channel| IdentitiesClient::new(channel).change(request.clone()).await;
        self.service.ask(ask).await.map(drop)
    }

    async fn depart(&self, identity: &Identity) -> Result<(), Failure> {
        let request = DepartIdentityRequest {
            identity_id: identity.identity_id.clone(),
            reason: self.order.reason.into(),
        };
        let ask = async |channel| IdentitiesClient::new(channel).depart(request.clone()).await;
        self.service.ask(ask).await.map(drop)
    }

    /// Enters a request, signed; number of the enrolment.
    async fn enter(
        &self,
        row: &StaffRow,
        identity_id: &str,
        identifiers: Vec<CertificateIdentifier>,
        request: &[u8],
    ) -> Result<String, Failure> {
        let id = uuid::Uuid::now_v7().to_string();
        let identity = Identity {
            identity_id: identity_id.to_owned(),
            institution_id: self.order.institution.clone(),
            role: role(row.role).into(),
            identifiers,
            ..Identity::default()
        };
        let entry = Entry {
            id: &id,
            service: &self.name,
            identity: &identity,
            certificates: self.order.certificates,
            days: 0,
            request,
        };
        let statement = entry.statement(clock::now())?;
        let message = EnterEnrolmentRequest {
            enrolment_id: id.clone(),
            identity_id: identity_id.to_owned(),
            certificates: self.order.certificates.into(),
            request: request.to_vec(),
            valid_days: 0,
            statement: Some(approval::sign(&self.key, &statement)),
        };
        let ask = async |channel| EnrolmentsClient::new(channel).enter(message.clone()).await;
        self.service.ask(ask).await?;
        Ok(id)
    }
}

/// Whom a step is about.
fn verdict(step: &Step) -> Verdict {
    Verdict {
        line: step.row.as_ref().map(|row| row.line),
        number: step.number().to_owned(),
        kind: kind_word(step.kind),
        identity_id: step.identity.as_ref().map(|it| it.identity_id.clone()).unwrap_or_default(),
        ..Verdict::default()
    }
}

/// The word for a kind, for programs.
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Joiner => "joiner",
        Kind::Mover => "mover",
        Kind::Unchanged => "unchanged",
        Kind::Leaver => "leaver",
    }
}

fn role(role: StaffRole) -> Role {
    let named = Role::TABLE.iter().find(|(_, name, _)| *name == role.word());
    named.map_or(Role::Unspecified, |(role, ..)| *role)
}

fn id_number(row: &StaffRow) -> String {
    row.id_number.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default()
}
