//! `healthcard identity`: staff, desks and systems, and their certificates.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use proto::v1::{
    ChangeIdentityRequest, DepartIdentityRequest, FindIdentitiesRequest, GetIdentityRequest,
    IdentityNumber, ListEndingCertificatesRequest, ListEndingQualificationsRequest,
    ListIdentitiesRequest, ListIdentitiesResponse, RegisterIdentityRequest,
    ReleaseCertificateRequest, RenewCertificateRequest, RevocationReason, RevokeCertificateRequest,
    Role, SetQualificationRequest, SuspendCertificateRequest, find_identities_request::By,
    identities_client::IdentitiesClient,
};

use super::Pages;
use crate::{
    context::{Context, Outcome},
    failure::Failure,
    files::{self, Audience},
    identity::{Certificate, pem_chain},
    input,
    page::{Page, instant},
    show,
    text::{self, parser, problems},
};

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// 登记人员、窗口设备或系统 | Put a member of staff, a desk or a system on record
    Register(Register),
    /// 吊销证书；签名证书连同其加密证书 | Revoke a certificate; a signing certificate with its encryption certificate
    Revoke {
        /// 证书序列号，十六进制 | Serial number of the certificate, hexadecimal
        #[arg(long, value_name = "HEX")]
        serial: String,
        /// 原因 | Reason
        #[arg(long, value_name = "REASON", value_parser = parser::<RevocationReason>())]
        reason: RevocationReason,
    },
    /// 更新证书：同一密钥，新的有效期；连同其加密证书 | Renew a certificate for the same key, with its encryption certificate
    Renew(Renew),
    /// 暂停使用证书，可恢复；签名证书连同其加密证书 | Suspend a certificate until it is released; a signing certificate with its encryption certificate
    Suspend {
        /// 证书序列号，十六进制 | Serial number of the certificate, hexadecimal
        #[arg(long, value_name = "HEX")]
        serial: String,
    },
    /// 恢复暂停使用的证书 | Release a certificate that is suspended
    Release {
        /// 证书序列号，十六进制 | Serial number of the certificate, hexadecimal
        #[arg(long, value_name = "HEX")]
        serial: String,
    },
    /// 设置执业资格到期日；到期后暂停签署病历，登录和查阅不受影响 | Set the last day of a qualification; after it no records are signed, logging in and reading go on
    Qualify(Qualify),
    /// 变更在册人员的姓名、科室或角色（调岗）；角色变更时吊销现有证书 | Change name, department or role of somebody on record; with another role the certificates in force are revoked
    Change {
        /// JSON 或 TOML 文件，含变更后的全部内容：identity_id（身份编号）、role（角色，如 ROLE_NURSE）、name（姓名）、department（科室）、qualified_until（执业资格到期日）、id_number（公民身份号码，用于核对） | JSON or TOML with all of it as it is to be: identity_id, role (such as ROLE_NURSE), name, department, qualified_until, and id_number to be compared; - is standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// 人员离职：吊销其全部证书，待复核的申请失效；登记保留 | End what somebody has who leaves: certificates are revoked, what waits for a review lapses, the record stays
    Depart {
        /// 身份编号 | Number of the identity
        #[arg(long, value_name = "IDENTITY")]
        id: String,
        /// 原因 | Reason
        #[arg(long, value_name = "REASON", default_value = "cessation-of-operation",
            value_parser = parser::<RevocationReason>())]
        reason: RevocationReason,
    },
    /// 列出即将到期且未吊销的证书，或执业资格 | List certificates that end soon and are not revoked, or qualifications
    Ending {
        /// 改为列出即将到期和已到期的执业资格 | Qualifications that end soon or have ended instead
        #[arg(long)]
        qualifications: bool,
        /// 多少天内到期 | Within so many days
        #[arg(long, value_name = "DAYS", default_value_t = 30,
            value_parser = clap::value_parser!(u32).range(0..=3660))]
        within: u32,
        /// 只列一个机构 | Of one institution only
        #[arg(long, value_name = "INSTITUTION", default_value = "", hide_default_value = true)]
        institution: String,
        #[command(flatten)]
        pages: Pages,
    },
    /// 查看一个身份及其证书 | Show one identity and its certificates
    Get {
        /// 身份编号 | Number of the identity
        #[arg(value_name = "IDENTITY")]
        id: String,
    },
    /// 按工号、公民身份号码或证书序列号查找身份 | Find identities by number, ID number or certificate
    Find(Find),
    /// 列出身份 | List identities
    List {
        /// 只列一个机构 | Of one institution only
        #[arg(long, value_name = "INSTITUTION", default_value = "", hide_default_value = true)]
        institution: String,
        #[command(flatten)]
        pages: Pages,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// JSON 或 TOML 文件：name（姓名或名称）、number（工号），管理员另须 id_number（公民身份号码），可含 qualified_until（执业资格到期日）和下列各项；- 为标准输入 | JSON or TOML with name and number, of operators id_number, and possibly qualified_until and any of the following; - is standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// 机构编号 | Number of the institution
    #[arg(long, value_name = "INSTITUTION")]
    institution: Option<String>,
    /// 角色 | Role
    #[arg(long, value_name = "ROLE", value_parser = parser::<Role>())]
    role: Option<Role>,
    /// 科室 | Department
    #[arg(long, value_name = "DEPARTMENT")]
    department: Option<String>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("by").required(true)))]
pub(crate) struct Find {
    /// 工号，须同时给出机构 | Number at an institution, which is named as well
    #[arg(long, value_name = "NUMBER", group = "by", requires = "institution")]
    number: Option<String>,
    /// 机构编号 | Number of the institution
    #[arg(long, value_name = "INSTITUTION", requires = "number")]
    institution: Option<String>,
    /// JSON 或 TOML 文件，含 id_number（公民身份号码）：此人的全部身份；- 为标准输入 | JSON or TOML with id_number: all identities of that person; - is standard input
    #[arg(long, value_name = "FILE", group = "by")]
    file: Option<PathBuf>,
    /// 证书序列号，十六进制 | Serial number of a certificate, hexadecimal
    #[arg(long, value_name = "HEX", group = "by")]
    serial: Option<String>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("end").required(true)))]
pub(crate) struct Qualify {
    /// 身份编号 | Number of the identity
    #[arg(long, value_name = "IDENTITY")]
    id: String,
    /// 到期日，YYYY-MM-DD | Last day, YYYY-MM-DD
    #[arg(long, value_name = "DATE", group = "end")]
    until: Option<String>,
    /// 没有到期日 | There is none
    #[arg(long, group = "end")]
    unlimited: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// 签名证书序列号，十六进制 | Serial number of the signing certificate, hexadecimal
    #[arg(long, value_name = "HEX")]
    serial: String,
    /// 存放 chain.pem、certificate.der（及 encryption-certificate.der）的目录 | Directory for chain.pem and certificate.der, and encryption-certificate.der of a pair
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// 有效天数；0 为最长 | Days of validity; 0 gives the most
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    valid_days: u32,
}

impl IdentityCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Register(order) => register(context, order).await,
            Self::Revoke { serial, reason } => {
                let request = RevokeCertificateRequest { serial, reason: reason.into() };
                let revoked = context
                    .service
                    .ask(async |channel| {
                        IdentitiesClient::new(channel).revoke(request.clone()).await
                    })
                    .await?;
                let serial = (text::SERIAL, request.serial.as_str());
                let message = ("RevokeCertificateResponse", &revoked);
                context.made(message, text::CERTIFICATE_REVOKED, serial, revoked.receipt.as_ref())
            }
            Self::Renew(order) => renew(context, order).await,
            Self::Suspend { serial } => {
                let request = SuspendCertificateRequest { serial };
                let done = context
                    .service
                    .ask(async |channel| {
                        IdentitiesClient::new(channel).suspend(request.clone()).await
                    })
                    .await?;
                let serial = (text::SERIAL, request.serial.as_str());
                let message = ("SuspendCertificateResponse", &done);
                context.made(message, text::CERTIFICATE_SUSPENDED, serial, done.receipt.as_ref())
            }
            Self::Release { serial } => {
                let request = ReleaseCertificateRequest { serial };
                let done = context
                    .service
                    .ask(async |channel| {
                        IdentitiesClient::new(channel).release(request.clone()).await
                    })
                    .await?;
                let serial = (text::SERIAL, request.serial.as_str());
                let message = ("ReleaseCertificateResponse", &done);
                context.made(message, text::CERTIFICATE_RELEASED, serial, done.receipt.as_ref())
            }
            Self::Qualify(order) => {
                let request = SetQualificationRequest {
                    identity_id: order.id,
                    qualified_until: order.until.unwrap_or_default(),
                };
                let set = context
                    .service
                    .ask(async |channel| {
                        IdentitiesClient::new(channel).set_qualification(request.clone()).await
                    })
                    .await?;
                let identity = (text::IDENTITY_ID, request.identity_id.as_str());
                let message = ("SetQualificationResponse", &set);
                context.made(message, text::QUALIFICATION_SET, identity, set.receipt.as_ref())
            }
            Self::Change { file } => {
                let request: ChangeIdentityRequest =
                    input::message("ChangeIdentityRequest", &file)?;
                let ask =
                    async |channel| IdentitiesClient::new(channel).change(request.clone()).await;
                let changed = context.service.ask(ask).await?;
                let page = Page::titled(text::IDENTITY_CHANGED)
                    .row(text::IDENTITY_ID, &request.identity_id)
                    .row(text::CERTIFICATES_ENDED, changed.revoked.join("\n"));
                let page = show::receipt(page, changed.receipt.as_ref());
                context.answer("ChangeIdentityResponse", &changed, &page)
            }
            Self::Depart { id, reason } => {
                let request = DepartIdentityRequest { identity_id: id, reason: reason.into() };
                let ask =
                    async |channel| IdentitiesClient::new(channel).depart(request.clone()).await;
                let departed = context.service.ask(ask).await?;
                let page = Page::titled(text::IDENTITY_DEPARTED)
                    .row(text::IDENTITY_ID, &request.identity_id)
                    .row(text::CERTIFICATES_ENDED, departed.revoked.join("\n"));
                let page = show::receipt(page, departed.receipt.as_ref());
                context.answer("DepartIdentityResponse", &departed, &page)
            }
            Self::Ending { qualifications: true, within, institution, pages } => {
                let request = ListEndingQualificationsRequest {
                    within_days: within,
                    institution_id: institution,
                    page_size: pages.page_size,
                    page_token: pages.page_token,
                };
                let found = context
                    .service
                    .ask(async |channel| {
                        IdentitiesClient::new(channel)
                            .list_ending_qualifications(request.clone())
                            .await
                    })
                    .await?;
                let page = show::ending_qualifications(&found);
                context.answer("ListEndingQualificationsResponse", &found, &page)
            }
            Self::Ending { qualifications: false, within, institution, pages } => {
                let request = ListEndingCertificatesRequest {
                    within_days: within,
                    institution_id: institution,
                    page_size: pages.page_size,
                    page_token: pages.page_token,
                };
                let found = context
                    .service
                    .ask(async |channel| {
                        IdentitiesClient::new(channel).list_ending(request.clone()).await
                    })
                    .await?;
                let page = show::ending_certificates(&found);
                context.answer("ListEndingCertificatesResponse", &found, &page)
            }
            Self::Get { id } => {
                let request = GetIdentityRequest { identity_id: id };
                let found = context
                    .service
                    .ask(async |channel| IdentitiesClient::new(channel).get(request.clone()).await)
                    .await?;
                context.answer("Identity", &found, &show::identity(&found))
            }
            Self::Find(order) => find(context, order).await,
            Self::List { institution, pages } => {
                let request = ListIdentitiesRequest {
                    institution_id: institution,
                    page_size: pages.page_size,
                    page_token: pages.page_token,
                };
                let found = context
                    .service
                    .ask(async |channel| IdentitiesClient::new(channel).list(request.clone()).await)
                    .await?;
                context.answer("ListIdentitiesResponse", &found, &show::identities(&found))
            }
        }
    }
}

async fn register(context: &Context, order: Register) -> Outcome {
    let mut request: RegisterIdentityRequest =
        input::message("RegisterIdentityRequest", &order.file)?;
    if let Some(institution) = order.institution {
        request.institution_id = institution;
    }
    if let Some(role) = order.role {
        request.set_role(role);
    }
    if let Some(department) = order.department {
        request.department = department;
    }
    let made = context
        .service
        .ask(async |channel| IdentitiesClient::new(channel).register(request.clone()).await)
        .await?;
    context.made(
        ("RegisterIdentityResponse", &made),
        text::IDENTITY_REGISTERED,
        (text::IDENTITY_ID, &made.identity_id),
        made.receipt.as_ref(),
    )
}

async fn find(context: &Context, order: Find) -> Outcome {
    let request = match (order.number, order.file, order.serial) {
        (Some(number), ..) => {
            let institution_id = order.institution.unwrap_or_default();
            let by = By::Number(IdentityNumber { institution_id, number });
            FindIdentitiesRequest { by: Some(by) }
        }
        (None, Some(file), _) => input::message("FindIdentitiesRequest", &file)?,
        (None, None, serial) => {
            FindIdentitiesRequest { by: Some(By::Serial(serial.unwrap_or_default())) }
        }
    };
    let found = context
        .service
        .ask(async |channel| IdentitiesClient::new(channel).find(request.clone()).await)
        .await?;
    // One is shown whole, with what its certificates say.
    let page = match &found.identities[..] {
        [identity] => show::identity(identity),
        identities => show::identities(&ListIdentitiesResponse {
            identities: identities.to_vec(),
            next_page_token: String::new(),
        }),
    };
    context.answer("FindIdentitiesResponse", &found, &page)
}

async fn renew(context: &Context, order: Renew) -> Outcome {
    let request = RenewCertificateRequest { serial: order.serial, valid_days: order.valid_days };
    let renewed = context
        .service
        .ask(async |channel| IdentitiesClient::new(channel).renew(request.clone()).await)
        .await?;
    let malformed = |_| Failure::of(problems::SERVICE_ANSWER_MALFORMED);
    let signing = Certificate::parse(renewed.certificate.clone()).map_err(malformed)?;
    let encryption = match renewed.encryption_certificate.is_empty() {
        true => None,
        false => {
            Some(Certificate::parse(renewed.encryption_certificate.clone()).map_err(malformed)?)
        }
    };
    let chain = pem_chain(&renewed.chain)?;
    let path = order.out.join("certificate.der");
    files::make_directory(&order.out)?;
    files::write(&order.out.join("chain.pem"), chain.as_bytes(), Audience::Everyone)?;
    if let Some(encryption) = &encryption {
        let path = order.out.join("encryption-certificate.der");
        files::write(&path, encryption.der(), Audience::Everyone)?;
    }
    files::write(&path, signing.der(), Audience::Everyone)?;
    let page = Page::titled(text::CERTIFICATE_RENEWED)
        .row(text::SUBJECT, signing.subject())
        .row(text::SERIAL, signing.serial())
        .maybe(text::ENCRYPTION_SERIAL, encryption.as_ref().map(|it| it.serial()))
        .row(text::NOT_AFTER, instant(signing.not_after()))
        .row(text::CERTIFICATE_FILE, path.display().to_string());
    let page = show::receipt(page, renewed.receipt.as_ref());
    let mut json = crate::json::of("RenewCertificateResponse", &renewed);
    json["serial"] = signing.serial().into();
    json["encryption_serial"] = encryption.map(|it| it.serial()).into();
    json["certificate_file"] = path.display().to_string().into();
    context.screen.show(&json, &page);
    Ok(crate::exit::Exit::Done)
}
