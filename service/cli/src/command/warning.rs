//! `healthcard warning`. What is written about one is read from a file or the standard input.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::v1::{
    CloseWarningRequest, FollowWarningsRequest, GetWarningRequest, ListWarningsRequest,
    ReplayWarningRequest, WarningRule, WarningRulesRequest, WarningVerdict,
    warnings_client::WarningsClient,
};

use super::Pages;
use crate::{
    context::{Context, Outcome},
    exit::Exit,
    files, json, show,
    text::{self, parser},
};

#[derive(Debug, Subcommand)]
pub(crate) enum WarningCommand {
    /// 列出待核查的预警，最新的在前 | List warnings that nobody has looked into, the newest first
    List(List),
    /// 查看预警及其依据的日志条目 | Show one, with the entries of the log that it rests on
    Get(Named),
    /// 持续显示新的预警 | Show warnings as they are raised
    Follow {
        /// 从此日志位置之后的预警开始 | Begin after this place in the log
        #[arg(long, value_name = "POSITION")]
        after: Option<u64>,
    },
    /// 登记核查结论 | Say what came of one
    Close {
        #[command(flatten)]
        named: Named,
        /// 结论 | Verdict
        #[arg(long, value_name = "VERDICT", value_parser = parser::<WarningVerdict>())]
        verdict: WarningVerdict,
        /// 写有依据的文本文件；- 为标准输入 | Text file with what it rests on; - is standard input
        #[arg(long, value_name = "FILE")]
        note: PathBuf,
    },
    /// 按当时的参数对日志重新判断，看结果是否相同 | Ask the log again with the settings of then: whether the rule says the same
    Replay(Named),
    /// 列出预警规则及其参数 | List what is looked for, with its numbers
    Rules,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// 也列出已核查的 | Also those that somebody looked into
    #[arg(long)]
    all: bool,
    /// 只列出此规则的 | Only those of this rule
    #[arg(long, value_name = "RULE", value_parser = parser::<WarningRule>())]
    rule: Option<WarningRule>,
    #[command(flatten)]
    pages: Pages,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// 预警编号 | Number of the warning
    #[arg(value_name = "WARNING")]
    id: String,
}

impl WarningCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let service = &context.service;
        match self {
            Self::List(List { all, rule, pages: Pages { page_size, page_token } }) => {
                let request = ListWarningsRequest {
                    with_closed: all,
                    rule: rule.unwrap_or_default().into(),
                    page_size,
                    page_token,
                };
                let found = service
                    .ask(async |it| WarningsClient::new(it).list(request.clone()).await)
                    .await?;
                context.answer("ListWarningsResponse", &found, &show::warnings(&found))
            }
            Self::Get(Named { id }) => {
                let request = GetWarningRequest { warning_id: id };
                let found = service
                    .ask(async |it| WarningsClient::new(it).get(request.clone()).await)
                    .await?;
                context.answer("Warning", &found, &show::warning(text::WARNING, &found))
            }
            Self::Follow { after } => {
                let request = FollowWarningsRequest { after_position: after };
                let mut stream =
                    service.ask(async |it| WarningsClient::new(it).follow(request).await).await?;
                while let Some(warning) = stream.message().await? {
                    let page = show::warning(text::WARNING, &warning);
                    context.screen.show(&json::of("Warning", &warning), &page);
                }
                Ok(Exit::Unreachable)
            }
            Self::Close { named, verdict, note } => {
                let request = CloseWarningRequest {
                    warning_id: named.id,
                    verdict: verdict.into(),
                    note: files::remark(&note)?,
                };
                let closed = service
                    .ask(async |it| WarningsClient::new(it).close(request.clone()).await)
                    .await?;
                let page = show::warning(text::WARNING_CLOSED, &closed);
                context.answer("Warning", &closed, &page)
            }
            Self::Replay(Named { id }) => {
                let request = ReplayWarningRequest { warning_id: id };
                let again = service
                    .ask(async |it| WarningsClient::new(it).replay(request.clone()).await)
                    .await?;
                context.answer("ReplayWarningResponse", &again, &show::warning_again(&again))
            }
            Self::Rules => {
                let found = service
                    .ask(async |it| WarningsClient::new(it).rules(WarningRulesRequest {}).await)
                    .await?;
                context.answer("WarningRulesResponse", &found, &show::warning_rules(&found))
            }
        }
    }
}
