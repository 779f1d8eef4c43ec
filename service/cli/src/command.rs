//! The commands: one noun per service, with its verbs.

mod audit;
mod authority;
mod card;
mod ceremony;
mod consent;
mod desk;
mod doctor;
mod emergency;
mod enrolment;
mod identity;
mod institution;
mod issue;
mod key;
mod key_centre;
mod referral;
mod resident;
mod session;
mod sign;
mod staff;
mod status;
mod timestamp;
mod token;
mod visit;
mod warning;
mod witness;

use clap::{Args, Subcommand};

use crate::context::{Context, Outcome};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// 本人的密钥 | The key of this identity
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// 登录 | Sessions
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// 机构 | Institutions
    #[command(subcommand)]
    Institution(institution::InstitutionCommand),
    /// 人员、窗口设备和系统的身份 | Identities of staff, desks and systems
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// 证书申请：一人录入，另一人复核，均签名留证 | Certificates to be issued: entered by one, reviewed by another, signed by both
    #[command(subcommand)]
    Enrolment(enrolment::EnrolmentCommand),
    /// 人员变动：按人员名册（CSV）处理入职、调岗和离职 | Joiners, movers and leavers from a staff file (CSV)
    #[command(subcommand)]
    Staff(staff::StaffCommand),
    /// 密钥管理中心：代持的加密密钥 | Key management centre: encryption keys held for their owners
    #[command(subcommand)]
    KeyCentre(key_centre::KeyCentreCommand),
    /// 根证书、吊销列表和证书状态 | Root certificate, revocation lists and status of certificates
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
    /// 居民 | Residents
    #[command(subcommand)]
    Resident(resident::ResidentCommand),
    /// 居民健康卡 | Resident health cards
    #[command(subcommand)]
    Card(card::CardCommand),
    /// 窗口读卡：监看读卡器，显示持卡人 | Watch the readers and show who holds the card
    Desk(desk::Desk),
    /// 就诊 | Visits
    #[command(subcommand)]
    Visit(visit::VisitCommand),
    /// 授权确认：居民同意或拒绝谁查看其数据 | Consents: what residents agree or object to
    #[command(subcommand)]
    Consent(consent::ConsentCommand),
    /// 转诊 | Referrals
    #[command(subcommand)]
    Referral(referral::ReferralCommand),
    /// 紧急访问：限时、限一位居民，事后说明并由他人复核 | Emergency access: for one resident and a short time, accounted for and reviewed afterwards
    #[command(subcommand)]
    Emergency(emergency::EmergencyCommand),
    /// 预警：日志中应当核查的人员和卡 | Warnings: what the log says that somebody should look into
    #[command(subcommand)]
    Warning(warning::WarningCommand),
    /// 访问令牌 | Access tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// 用本人的密钥签署病历 | Sign a record with the own key
    Sign(sign::Sign),
    /// 核对病历的签名 | Check the signature of a record
    Verify(sign::Verify),
    /// 时间戳 | Time stamps
    #[command(subcommand)]
    Timestamp(timestamp::TimestampCommand),
    /// 审计日志 | The audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// 见证方：另一方核对日志只增未改，并签署检查点 | Witnesses: another party checks that the log only grows, and signs its checkpoints
    #[command(subcommand)]
    Witness(witness::WitnessCommand),
    /// 密钥仪式的记录 | Transcripts of key ceremonies
    #[command(subcommand)]
    Ceremony(ceremony::CeremonyCommand),
    /// 服务状态 | State of the service
    Status,
    /// 检查本机与服务：私钥、证书、连接、时钟、读卡器 | Check this machine: key, certificate, connection, clock, readers
    Doctor(doctor::Doctor),
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct Pages {
    /// 每页条数，最多 500 | Records a page, at most 500
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(0..=500))]
    pub(crate) page_size: u32,
    /// 续页标记 | Where the last page ended
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    pub(crate) page_token: String,
}

impl Command {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Key(command) => command.run(context).await,
            Self::Session(command) => command.run(context).await,
            Self::Institution(command) => command.run(context).await,
            Self::Identity(command) => command.run(context).await,
            Self::Enrolment(command) => command.run(context).await,
            Self::Staff(command) => command.run(context).await,
            Self::KeyCentre(command) => command.run(context).await,
            Self::Authority(command) => command.run(context).await,
            Self::Resident(command) => command.run(context).await,
            Self::Card(command) => command.run(context).await,
            Self::Desk(command) => command.run(context).await,
            Self::Visit(command) => command.run(context).await,
            Self::Consent(command) => command.run(context).await,
            Self::Referral(command) => command.run(context).await,
            Self::Emergency(command) => command.run(context).await,
            Self::Warning(command) => command.run(context).await,
            Self::Token(command) => command.run(context).await,
            Self::Sign(command) => command.run(context).await,
            Self::Verify(command) => command.run(context).await,
            Self::Timestamp(command) => command.run(context).await,
            Self::Audit(command) => command.run(context).await,
            Self::Witness(command) => command.run(context).await,
            Self::Ceremony(command) => command.run(context),
            Self::Status => status::run(context).await,
            Self::Doctor(command) => command.run(context).await,
        }
    }
}
