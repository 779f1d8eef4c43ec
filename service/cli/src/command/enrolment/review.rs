//! `healthcard enrolment review`: what another person entered is looked at, held against the reviewer's own copy of the ID
//! number, and signed or sent back.

use std::path::{Path, PathBuf};

use audit::approval::Statement;
use clap::Args;
use proto::v1::{
    Enrolment, FindIdentitiesRequest, Identity, ReviewEnrolmentRequest,
    enrolments_client::EnrolmentsClient, find_identities_request::By, get_enrolment_request::Key,
    identities_client::IdentitiesClient,
};
use serde_json::{Value, json};

use super::{found, identity, keep, verified};
use crate::{
    approval::{self, Approvals},
    clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files, input, json,
    page::Page,
    show,
    text::{self, problems},
};

#[derive(Debug, Args)]
pub(crate) struct Review {
    /// 申请编号 | Number of the enrolment
    #[arg(value_name = "ENROLMENT")]
    id: String,
    /// 通过 | Approve it
    #[arg(long)]
    approve: bool,
    /// 驳回，并说明理由（不含个人信息） | Reject it, and say why, without personal data
    #[arg(long, value_name = "WHY", conflicts_with = "approve")]
    reject: Option<String>,
    /// 复核人自行取得的公民身份号码，用于核对：JSON 或 TOML 文件，含 id_number；- 为标准输入；缺省在终端中询问 | The ID number as the reviewer has it, to be compared: JSON or TOML with id_number; - is standard input; by default asked for at the terminal
    #[arg(long, value_name = "FILE", requires = "approve", conflicts_with = "reject")]
    id_number_file: Option<PathBuf>,
    /// 通过后存放证书的目录 | Directory for the certificate of an approval
    #[arg(long, value_name = "DIR", requires = "approve", conflicts_with = "reject")]
    out: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, order: Review) -> Outcome {
    let enrolment = found(context, Key::EnrolmentId(order.id.clone())).await?;
    let why = order.reject.as_deref();
    let (stated, name) = match why {
        // What was altered is rejected as it was stated.
        Some(_) => {
            let entry = enrolment.entry.as_ref().map(|it| it.text.as_str()).unwrap_or_default();
            let stated = Statement::read(entry);
            let stated = stated.map_err(|_| Failure::of(problems::APPROVAL_NOT_GENUINE))?;
            (stated, identity(context, &enrolment.identity_id).await?.name)
        }
        None => {
            let looked_at = LookedAt::of(context, enrolment.clone()).await?;
            if !order.approve {
                context.screen.show(&looked_at.json(), &looked_at.page());
                return Ok(Exit::Done);
            }
            looked_at.compare(context, order.id_number_file.as_deref()).await?;
            (looked_at.approvals.entry, looked_at.identity.name)
        }
    };
    let entry = enrolment.entry.unwrap_or_default();
    let (key, _) = context.service.home().credentials()?;
    let statement = approval::review(&stated, &entry, why, clock::now());
    if let Some(out) = &order.out {
        files::make_directory(out)?;
    }
    let message = ReviewEnrolmentRequest {
        enrolment_id: order.id.clone(),
        statement: Some(approval::sign(&key, &statement)),
        rejection: order.reject.clone().unwrap_or_default(),
    };
    let reviewed = context
        .service
        .ask(async |channel| EnrolmentsClient::new(channel).review(message.clone()).await)
        .await?;
    let mut json = json::of("ReviewEnrolmentResponse", &reviewed);
    let title = match &reviewed.issued {
        Some(_) => text::ENROLMENT_ISSUED,
        None => text::CHANGE_REJECTED,
    };
    let mut page = Page::titled(title).row(text::ENROLMENT_ID, &order.id).row(text::LABEL, name);
    if let Some(issued) = &reviewed.issued {
        page = keep(issued, Some(&statement), order.out.as_deref(), page, &mut json)?;
    }
    context.screen.show(&json, &show::receipt(page, reviewed.receipt.as_ref()));
    Ok(Exit::Done)
}

/// What a reviewer sees before they sign: what was stated, for whom, and who that is besides.
struct LookedAt {
    enrolment: Enrolment,
    approvals: Approvals,
    identity: Identity,
    /// Other identities on record of the same person.
    others: Vec<Identity>,
}

impl LookedAt {
    async fn of(context: &Context, enrolment: Enrolment) -> Result<Self, Failure> {
        let approvals = verified(context, &enrolment, None).await?;
        let identity = identity(context, &enrolment.identity_id).await?;
        let said = approval::told(&identity.identifiers)?;
        if approvals.entry.identifiers.is_some_and(|stated| stated != said) {
            return Err(problems::ENROLMENT_IDENTIFIERS_DIFFER.into());
        }
        let mut others = found_by(context, By::SamePersonAs(identity.identity_id.clone())).await?;
        others.retain(|it| it.identity_id != identity.identity_id);
        Ok(Self { enrolment, approvals, identity, others })
    }

    fn page(&self) -> Page {
        let known = match self.identity.id_number_known {
            true => text::ID_NUMBER_TO_COMPARE,
            false => text::ID_NUMBER_NOT_KNOWN,
        };
        let page = show::enrolment(text::ENROLMENT_TO_REVIEW, &self.enrolment, &self.approvals)
            .row(text::LABEL, &self.identity.name)
            .row(text::NUMBER, &self.identity.number)
            .row(text::DEPARTMENT, &self.identity.department)
            .row(text::CERTIFICATE_SAYS, show::identifiers(&self.identity.identifiers))
            .row(text::ID_NUMBER, known);
        match self.others[..] {
            [] => page,
            _ => page.below(show::other_identities(&self.others)),
        }
    }

    fn json(&self) -> Value {
        let Identity { identifiers, id_number_known, .. } = &self.identity;
        let identifiers = identifiers.iter().map(|it| json!({ "oid": it.oid, "text": it.text }));
        let others = self.others.iter().map(|it| {
            let role = json::of("Identity", it)["role"].clone();
            json!({
                "identity_id": it.identity_id, "institution_id": it.institution_id, "role": role,
            })
        });
        json!({
            "enrolment": json::of("Enrolment", &self.enrolment),
            "key_sm3": hex::encode(self.approvals.entry.key),
            "identifiers": identifiers.collect::<Vec<_>>(),
            "id_number_known": id_number_known,
            "other_identities": others.collect::<Vec<_>>(),
        })
    }

    /// Holds the ID number on record against the reviewer's own copy. Where none is known there is nothing to compare.
    async fn compare(&self, context: &Context, file: Option<&Path>) -> Result<(), Failure> {
        if context.screen.can_ask() {
            context.screen.present(&self.page());
        }
        if !self.identity.id_number_known {
            return Ok(());
        }
        let by = match file {
            Some(path) => match input::message("FindIdentitiesRequest", path)? {
                FindIdentitiesRequest { by: Some(by @ By::IdNumber(_)) } => by,
                _ => return Err(problems::ID_NUMBER_NEEDED.into()),
            },
            None if context.screen.can_ask() => {
                let question = text::ASK_ID_NUMBER.speak(context.screen.lang);
                let typed = rpassword::prompt_password(question)
                    .map_err(|error| Failure::of(problems::ID_NUMBER_NEEDED).about(error))?;
                By::IdNumber(typed)
            }
            None => return Err(problems::ID_NUMBER_NEEDED.into()),
        };
        let persons = found_by(context, by).await?;
        match persons.iter().any(|it| it.identity_id == self.identity.identity_id) {
            true => Ok(()),
            false => Err(problems::ID_NUMBER_DIFFERS.into()),
        }
    }
}

async fn found_by(context: &Context, by: By) -> Result<Vec<Identity>, Failure> {
    let request = FindIdentitiesRequest { by: Some(by) };
    let ask = async |channel| IdentitiesClient::new(channel).find(request.clone()).await;
    Ok(context.service.ask(ask).await?.identities)
}
