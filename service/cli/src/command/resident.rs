//! `healthcard resident`. Names and numbers of people are read from a file or the standard input.

mod decision;
mod erasure;
mod guardian;
mod history;
mod number;

use std::path::PathBuf;

use clap::Subcommand;
use proto::v1::{
    FindResidentRequest, GetResidentRequest, RegisterResidentRequest,
    residents_client::ResidentsClient,
};

use super::Pages;
use crate::{
    context::{Context, Outcome},
    input, show, text,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ResidentCommand {
    /// 登记居民 | Put a resident on record
    Register {
        /// JSON 或 TOML 文件：name、id_number，可含 phone、ethnic_group；- 为标准输入 | JSON or TOML with name, id_number and, if wanted, phone and ethnic_group; - is standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        decision: decision::Decision,
    },
    /// 按居民编号查看 | Show a resident by number
    Get {
        /// 居民编号 | Number of the resident
        #[arg(value_name = "RESIDENT")]
        id: String,
    },
    /// 按身份证号查找 | Find a resident by ID number
    Find {
        /// JSON 或 TOML 文件：id_number；- 为标准输入 | JSON or TOML with id_number; - is standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// 按其他证件或卡的号码查找 | Find a resident by the number of another document or card
    FindNumber(number::Find),
    /// 为居民绑定其他证件或卡的号码 | Bind the number of another document or card to a resident
    Bind(number::Bind),
    /// 解除绑定；历史保留 | End a binding; its history stays
    Unbind(number::Unbind),
    /// 居民的号码绑定及其历史 | A resident's bound numbers and their history
    Bindings(number::Bindings),
    /// 为到场居民（或其监护人）出具查阅记录及无遗漏的证明 | Give the resident who is here, or their guardian, all that the log has about them, with proof
    History(history::History),
    /// 录入删除居民的个人信息；须本机构另一人复核 | Enter that a resident's personal data is to be erased; another person of this institution reviews it
    Erase(erasure::Erase),
    /// 复核删除 | Review an erasure
    EraseReview(erasure::Review),
    /// 本机构居民的删除，待复核的在前 | Erasures of residents of this institution, those that wait for a review first
    Erasures {
        #[command(flatten)]
        pages: Pages,
    },
    /// 监护人 | Guardians
    #[command(subcommand)]
    Guardian(guardian::GuardianCommand),
}

impl ResidentCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Register { file, decision } => {
                let mut request: RegisterResidentRequest =
                    input::message("RegisterResidentRequest", &file)?;
                request.decision = decision.read()?.or(request.decision);
                let made = context
                    .service
                    .ask(async |channel| {
                        ResidentsClient::new(channel).register(request.clone()).await
                    })
                    .await?;
                if made.stopped {
                    let page = show::stopped(made.receipt.as_ref());
                    return context.answer("RegisterResidentResponse", &made, &page);
                }
                context.made(
                    ("RegisterResidentResponse", &made),
                    text::RESIDENT_REGISTERED,
                    (text::RESIDENT_ID, &made.resident_id),
                    made.receipt.as_ref(),
                )
            }
            Self::Get { id } => {
                let request = GetResidentRequest { resident_id: id };
                let found = context
                    .service
                    .ask(async |channel| ResidentsClient::new(channel).get(request.clone()).await)
                    .await?;
                context.answer("Resident", &found, &show::resident(&found))
            }
            Self::Find { file } => {
                let request: FindResidentRequest = input::message("FindResidentRequest", &file)?;
                let found = context
                    .service
                    .ask(async |channel| ResidentsClient::new(channel).find(request.clone()).await)
                    .await?;
                context.answer("Resident", &found, &show::resident(&found))
            }
            Self::FindNumber(order) => order.run(context).await,
            Self::Bind(order) => order.run(context).await,
            Self::Unbind(order) => order.run(context).await,
            Self::Bindings(order) => order.run(context).await,
            Self::History(order) => order.run(context).await,
            Self::Erase(order) => order.run(context).await,
            Self::EraseReview(order) => order.run(context).await,
            Self::Erasures { pages } => erasure::list(context, pages).await,
            Self::Guardian(command) => command.run(context).await,
        }
    }
}
