//! `healthcard emergency`. What is written about one is read from a file or the standard input.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::v1::{
    AccountEmergencyRequest, BeginEmergencyRequest, EmergencyFinding, EmergencyReason,
    EndEmergencyRequest, GetEmergencyRequest, ListEmergenciesRequest, ReviewEmergencyRequest,
    TellEmergencyRequest, emergencies_client::EmergenciesClient,
};

use super::Pages;
use crate::{
    context::{Context, Outcome},
    files, show,
    text::{self, parser},
};

#[derive(Debug, Subcommand)]
pub(crate) enum EmergencyCommand {
    /// 发起紧急访问：限一位居民，到时自动结束 | Begin an emergency access for one resident; it ends by itself
    Begin(Begin),
    /// 提前结束紧急访问，其令牌随即失效 | End one before its time; its tokens end with it
    End(Named),
    /// 对已结束的紧急访问作书面说明 | Account for one that is over
    Account {
        #[command(flatten)]
        named: Named,
        /// 写有说明的文本文件；- 为标准输入 | Text file with the account; - is standard input
        #[arg(long, value_name = "FILE")]
        note: PathBuf,
    },
    /// 复核他人的紧急访问 | Give a finding of one that another person began
    Review {
        #[command(flatten)]
        named: Named,
        /// 结论 | Finding
        #[arg(long, value_name = "FINDING", value_parser = parser::<EmergencyFinding>())]
        finding: EmergencyFinding,
        /// 写有依据的文本文件；- 为标准输入 | Text file with what it rests on; - is standard input
        #[arg(long, value_name = "FILE")]
        note: PathBuf,
    },
    /// 列出本人的紧急访问；复核人和管理员列出尚无结论的 | List your own; reviewers and operators see those without a finding
    List(Pages),
    /// 查看紧急访问及其说明 | Show one, with what was written about it
    Get(Named),
    /// 记录居民已被告知 | Record that the resident was told
    Tell(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Begin {
    #[command(flatten)]
    whom: Whom,
    /// 事由 | Why
    #[arg(long, value_name = "REASON", value_parser = parser::<EmergencyReason>())]
    reason: EmergencyReason,
    /// 写有事由说明的文本文件；- 为标准输入 | Text file that says why in words; - is standard input
    #[arg(long, value_name = "FILE")]
    note: PathBuf,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whom {
    /// 居民编号 | Number of the resident
    #[arg(long, value_name = "RESIDENT", default_value = "", hide_default_value = true)]
    resident: String,
    /// 本机构的就诊编号 | Number of a visit at your institution
    #[arg(long, value_name = "VISIT", default_value = "", hide_default_value = true)]
    visit: String,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// 紧急访问编号 | Number of the emergency access
    #[arg(value_name = "EMERGENCY")]
    id: String,
}

impl EmergencyCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let service = &context.service;
        let (title, emergency) = match self {
            Self::Begin(Begin { whom, reason, note }) => {
                let request = BeginEmergencyRequest {
                    resident_id: whom.resident,
                    visit_id: whom.visit,
                    reason: reason.into(),
                    note: files::remark(&note)?,
                };
                let begun = service
                    .ask(async |it| EmergenciesClient::new(it).begin(request.clone()).await)
                    .await?;
                (text::EMERGENCY_BEGUN, begun)
            }
            Self::End(Named { id }) => {
                let request = EndEmergencyRequest { emergency_id: id };
                let ended = service
                    .ask(async |it| EmergenciesClient::new(it).end(request.clone()).await)
                    .await?;
                (text::EMERGENCY_ENDED, ended)
            }
            Self::Account { named, note } => {
                let note = files::remark(&note)?;
                let request = AccountEmergencyRequest { emergency_id: named.id, note };
                let accounted = service
                    .ask(async |it| EmergenciesClient::new(it).account(request.clone()).await)
                    .await?;
                (text::EMERGENCY_ACCOUNTED, accounted)
            }
            Self::Review { named, finding, note } => {
                let request = ReviewEmergencyRequest {
                    emergency_id: named.id,
                    finding: finding.into(),
                    note: files::remark(&note)?,
                };
                let reviewed = service
                    .ask(async |it| EmergenciesClient::new(it).review(request.clone()).await)
                    .await?;
                (text::EMERGENCY_REVIEWED, reviewed)
            }
            Self::Get(Named { id }) => {
                let request = GetEmergencyRequest { emergency_id: id };
                let found = service
                    .ask(async |it| EmergenciesClient::new(it).get(request.clone()).await)
                    .await?;
                (text::EMERGENCY, found)
            }
            Self::List(Pages { page_size, page_token }) => {
                let request = ListEmergenciesRequest { page_size, page_token };
                let found = service
                    .ask(async |it| EmergenciesClient::new(it).list(request.clone()).await)
                    .await?;
                let page = show::emergencies(&found);
                return context.answer("ListEmergenciesResponse", &found, &page);
            }
            Self::Tell(Named { id }) => {
                let request = TellEmergencyRequest { emergency_id: id };
                let told = service
                    .ask(async |it| EmergenciesClient::new(it).tell(request.clone()).await)
                    .await?;
                let title = match told.receipt {
                    Some(_) => text::EMERGENCY_TOLD,
                    None => text::EMERGENCY_TOLD_BEFORE,
                };
                let id = (text::EMERGENCY_ID, request.emergency_id.as_str());
                let message = ("TellEmergencyResponse", &told);
                return context.made(message, title, id, told.receipt.as_ref());
            }
        };
        context.answer("Emergency", &emergency, &show::emergency(title, &emergency))
    }
}
