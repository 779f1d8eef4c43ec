//! `healthcard visit`.

use clap::{Args, Subcommand};
use proto::v1::{
    CloseVisitRequest, GetVisitRequest, ListVisitsRequest, OpenVisitRequest,
    visits_client::VisitsClient,
};

use super::Pages;
use crate::{
    context::{Context, Outcome},
    show, text,
};

#[derive(Debug, Subcommand)]
pub(crate) enum VisitCommand {
    /// 为刚刷卡的居民开始就诊 | Open a visit for the resident whose card was just read
    Open(Open),
    /// 查看就诊 | Show a visit
    Get(Named),
    /// 列出进行中的就诊 | List open visits
    List(Pages),
    /// 结束就诊，其令牌随即失效 | Close a visit; its tokens end with it
    Close(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Open {
    /// 读卡得到的到场凭据 | Presence from the reading of the card
    #[arg(long, value_name = "PRESENCE")]
    presence: String,
    /// 就诊科室 | Department
    #[arg(long, value_name = "DEPARTMENT")]
    department: String,
    /// 就诊事由，不含个人信息 | Reason, without personal data
    #[arg(long, value_name = "REASON")]
    reason: String,
    /// 接诊人员的身份编号，可多次给出 | Identity of an attending doctor or nurse; may be repeated
    #[arg(long, value_name = "IDENTITY")]
    attending: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// 就诊编号 | Number of the visit
    #[arg(value_name = "VISIT")]
    id: String,
}

impl VisitCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let service = &context.service;
        match self {
            Self::Open(Open { presence, department, reason, attending }) => {
                let request =
                    OpenVisitRequest { presence_id: presence, department, reason, attending };
                let visit = service
                    .ask(async |channel| VisitsClient::new(channel).open(request.clone()).await)
                    .await?;
                context.answer("Visit", &visit, &show::visit(text::VISIT_OPENED, &visit))
            }
            Self::Get(Named { id }) => {
                let request = GetVisitRequest { visit_id: id };
                let visit = service
                    .ask(async |channel| VisitsClient::new(channel).get(request.clone()).await)
                    .await?;
                context.answer("Visit", &visit, &show::visit(text::VISIT, &visit))
            }
            Self::List(Pages { page_size, page_token }) => {
                let request = ListVisitsRequest { page_size, page_token };
                let found = service
                    .ask(async |channel| VisitsClient::new(channel).list(request.clone()).await)
                    .await?;
                context.answer("ListVisitsResponse", &found, &show::visits(&found))
            }
            Self::Close(Named { id }) => {
                let request = CloseVisitRequest { visit_id: id };
                let visit = service
                    .ask(async |channel| VisitsClient::new(channel).close(request.clone()).await)
                    .await?;
                context.answer("Visit", &visit, &show::visit(text::VISIT_CLOSED, &visit))
            }
        }
    }
}
