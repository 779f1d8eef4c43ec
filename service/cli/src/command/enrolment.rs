//! `healthcard enrolment`: certificates that one operator enters and another reviews.

use std::path::{Path, PathBuf};

use audit::approval::Statement;
use clap::{ArgGroup, Args, Subcommand};
use proto::v1::{
    CertificateSet, CollectCertificatesRequest, Enrolment, EnterEnrolmentRequest,
    GetEnrolmentRequest, GetIdentityRequest, Identity, IssuedCertificates, ListEnrolmentsRequest,
    Role, enrolments_client::EnrolmentsClient, get_enrolment_request::Key,
    identities_client::IdentitiesClient,
};

use super::{Pages, authority::known_issuers};

use crate::{
    approval::{self, Approvals, Entry},
    clock,
    context::{Context, Outcome},
    csr_response::CsrResponse,
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    identity::{Certificate, pem_chain},
    json,
    page::{Page, instant},
    show,
    text::{self, problems},
};

mod review;

#[derive(Debug, Subcommand)]
pub(crate) enum EnrolmentCommand {
    /// 录入证书申请，以本人密钥签名；由另一人复核后签发 | Enter that a certificate is to be issued, signed with the own key; another person reviews it
    Enter(Enter),
    /// 复核另一人录入的证书申请，以本人密钥签名；不给结论时只显示 | Review what another person entered, signed with the own key; without a verdict it is only shown
    Review(review::Review),
    /// 领取已签发的证书，可重复 | Collect what was issued; as often as needed
    Collect {
        /// 申请编号 | Number of the enrolment
        #[arg(value_name = "ENROLMENT")]
        id: String,
        /// 存放 chain.pem 和 certificate.der（证书对为 answer.der）的目录 | Directory for chain.pem and certificate.der, or answer.der of a pair
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// 列出待复核的证书申请 | List enrolments that wait for a review
    List {
        /// 改为列出被驳回的 | Those that were rejected instead
        #[arg(long)]
        rejected: bool,
        /// 改为列出已通过、尚未签发的；领取（collect）时签发 | Those that were approved and are not signed yet instead; collect signs them
        #[arg(long, conflicts_with = "rejected")]
        unsigned: bool,
        /// 只列一个机构 | Of one institution only
        #[arg(long, value_name = "INSTITUTION", default_value = "", hide_default_value = true)]
        institution: String,
        #[command(flatten)]
        pages: Pages,
    },
    /// 查看录入和复核的签名，并重新验证 | Show who entered and who reviewed it, and verify both signatures again
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct Enter {
    /// 身份编号 | Number of the identity
    #[arg(long, value_name = "IDENTITY")]
    id: String,
    /// 证书申请（PKCS#10，DER） | Certificate request (PKCS#10, DER)
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// 签发证书对：签名证书，以及密钥管理中心密钥的加密证书 | Issue a pair: for signing, and for an encryption key of the key management centre
    #[arg(long)]
    pair: bool,
    /// 有效天数；0 为最长 | Days of validity; 0 gives the most
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    valid_days: u32,
    /// 无须复核时，存放证书的目录 | Directory for the certificate, where none has to review it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true)))]
pub(crate) struct Show {
    /// 申请编号 | Number of the enrolment
    #[arg(value_name = "ENROLMENT", group = "which")]
    id: Option<String>,
    /// 或所签发的签名证书的序列号，十六进制 | Or the serial number of the signing certificate that was issued, hexadecimal
    #[arg(long, value_name = "HEX", group = "which")]
    serial: Option<String>,
    /// 签发机构证书（issuers.pem）；缺省取自服务 | Certificates of the authorities (issuers.pem); by default as the service gives them
    #[arg(long, value_name = "FILE")]
    issuers: Option<PathBuf>,
}

impl EnrolmentCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Enter(order) => enter(context, order).await,
            Self::Review(order) => review::run(context, order).await,
            Self::Collect { id, out } => {
                let request = CollectCertificatesRequest { enrolment_id: id };
                let issued = context
                    .service
                    .ask(async |channel| {
                        EnrolmentsClient::new(channel).collect(request.clone()).await
                    })
                    .await?;
                let mut json = json::of("IssuedCertificates", &issued);
                let page = Page::titled(text::CERTIFICATES_COLLECTED);
                let page = keep(&issued, None, Some(&out), page, &mut json)?;
                context.screen.show(&json, &page);
                Ok(Exit::Done)
            }
            Self::List { rejected, unsigned, institution, pages } => {
                let request = ListEnrolmentsRequest {
                    rejected,
                    page_size: pages.page_size,
                    page_token: pages.page_token,
                    institution_id: institution,
                    unsigned,
                };
                let found = context
                    .service
                    .ask(async |channel| EnrolmentsClient::new(channel).list(request.clone()).await)
                    .await?;
                context.answer("ListEnrolmentsResponse", &found, &show::enrolments(&found))
            }
            Self::Show(order) => {
                let key = match (order.id, order.serial) {
                    (Some(id), _) => Key::EnrolmentId(id),
                    (None, serial) => Key::Serial(serial.unwrap_or_default()),
                };
                let (enrolment, approvals) =
                    checked(context, key, order.issuers.as_deref()).await?;
                let mut page = show::enrolment(text::ENROLMENT_GENUINE, &enrolment, &approvals);
                // Operators see who it is for; auditors see no names.
                let role = context.service.home().session().map(|session| session.role);
                if role == Some(Role::Operator.into()) {
                    let identity = identity(context, &enrolment.identity_id).await?;
                    page = page.row(text::LABEL, identity.name).row(text::NUMBER, identity.number);
                }
                context.answer("Enrolment", &enrolment, &page)
            }
        }
    }
}

async fn enter(context: &Context, order: Enter) -> Outcome {
    let request = files::read(&order.request, 16 * 1024)?.to_vec();
    let identity = identity(context, &order.id).await?;
    let (key, certificate) = context.service.home().credentials()?;
    let service = certificate.issuing_service().ok_or(problems::CERTIFICATE_MALFORMED)?;
    let certificates = match order.pair {
        true => CertificateSet::Pair,
        false => CertificateSet::Signing,
    };
    let id = uuid::Uuid::now_v7().to_string();
    let days = order.valid_days;
    let entry = Entry {
        id: &id,
        service: &service,
        identity: &identity,
        certificates,
        days,
        request: &request,
    };
    let statement = entry.statement(clock::now())?;
    if let Some(out) = &order.out {
        files::make_directory(out)?;
    }
    let message = EnterEnrolmentRequest {
        enrolment_id: id.clone(),
        identity_id: order.id,
        certificates: certificates.into(),
        request,
        valid_days: days,
        statement: Some(approval::sign(&key, &statement)),
    };
    let entered = context
        .service
        .ask(async |channel| EnrolmentsClient::new(channel).enter(message.clone()).await)
        .await?;
    let mut json = json::of("EnterEnrolmentResponse", &entered);
    json["enrolment_id"] = id.as_str().into();
    let title = match &entered.issued {
        None => text::ENROLMENT_ENTERED,
        Some(_) => text::ENROLMENT_ISSUED,
    };
    let mut page =
        Page::titled(title).row(text::ENROLMENT_ID, &id).row(text::LABEL, &identity.name);
    if let Some(issued) = &entered.issued {
        page = keep(issued, Some(&statement), order.out.as_deref(), page, &mut json)?;
    }
    context.screen.show(&json, &show::receipt(page, entered.receipt.as_ref()));
    Ok(Exit::Done)
}

/// An enrolment whose statements hold.
async fn checked(
    context: &Context,
    key: Key,
    issuers: Option<&Path>,
) -> Result<(Enrolment, Approvals), Failure> {
    let enrolment = found(context, key).await?;
    let approvals = verified(context, &enrolment, issuers).await?;
    Ok((enrolment, approvals))
}

/// An enrolment as the service gives it.
async fn found(context: &Context, key: Key) -> Result<Enrolment, Failure> {
    let request = GetEnrolmentRequest { key: Some(key) };
    context
        .service
        .ask(async |channel| EnrolmentsClient::new(channel).get(request.clone()).await)
        .await
}

async fn verified(
    context: &Context,
    enrolment: &Enrolment,
    issuers: Option<&Path>,
) -> Result<Approvals, Failure> {
    let issuers = known_issuers(context, issuers).await?;
    let own = context.service.home().certificate()?;
    let service = own.issuing_service().ok_or(problems::CERTIFICATE_MALFORMED)?;
    Ok(approval::approvals(enrolment, &service, &issuers)?)
}

async fn identity(context: &Context, id: &str) -> Result<Identity, Failure> {
    let request = GetIdentityRequest { identity_id: id.to_owned() };
    context
        .service
        .ask(async |channel| IdentitiesClient::new(channel).get(request.clone()).await)
        .await
}

/// Writes what was issued where it is wanted, and says what it is. It is for the key that was stated: with
/// another its holder could not use it.
pub(super) fn keep(
    issued: &IssuedCertificates,
    stated: Option<&Statement>,
    out: Option<&Path>,
    page: Page,
    json: &mut serde_json::Value,
) -> Result<Page, Failure> {
    let malformed = |_| Failure::of(problems::SERVICE_ANSWER_MALFORMED);
    let signing = Certificate::parse(issued.certificate.clone()).map_err(malformed)?;
    if stated.is_some_and(|stated| approval::key_digest(&signing) != Some(stated.key)) {
        return Err(problems::SERVICE_ANSWER_MALFORMED.into());
    }
    let pair = !issued.answer.is_empty();
    let encryption = pair.then(|| Certificate::parse(issued.encryption_certificate.clone()));
    let encryption = encryption.transpose().map_err(malformed)?;
    if pair {
        let answer =
            CsrResponse::parse(&issued.answer).ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
        let both = (answer.signing, answer.encryption);
        if both != (signing.der(), &issued.encryption_certificate[..]) {
            return Err(problems::SERVICE_ANSWER_MALFORMED.into());
        }
    }
    let page = page
        .row(text::SUBJECT, signing.subject())
        .row(text::SERIAL, signing.serial())
        .maybe(text::ENCRYPTION_SERIAL, encryption.as_ref().map(Certificate::serial))
        .row(text::NOT_AFTER, instant(signing.not_after()));
    json["serial"] = signing.serial().into();
    json["encryption_serial"] = encryption.map(|it| it.serial()).unwrap_or_default().into();
    let Some(out) = out else { return Ok(page) };
    files::make_directory(out)?;
    let chain = pem_chain(&issued.chain)?;
    files::write(&out.join("chain.pem"), chain.as_bytes(), Audience::Everyone)?;
    let (name, octets, label, field) = match pair {
        true => ("answer.der", &issued.answer[..], text::ANSWER_FILE, "answer_file"),
        false => ("certificate.der", signing.der(), text::CERTIFICATE_FILE, "certificate_file"),
    };
    let path = out.join(name);
    files::write(&path, octets, Audience::Everyone)?;
    json[field] = path.display().to_string().into();
    Ok(page.row(label, path.display().to_string()))
}
