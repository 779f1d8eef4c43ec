//! Guardians of children and of adults who need one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::v1::{
    AddGuardianRequest, EndGuardianRequest, GuardianScope, GuardiansRequest, Kinship,
    residents_client::ResidentsClient,
};

use super::number::Ground;
use crate::{
    context::{Context, Outcome},
    files, show,
    text::{self, parser},
};

#[derive(Debug, Subcommand)]
pub(crate) enum GuardianCommand {
    /// 登记监护人 | Put a guardian on record
    Add(Add),
    /// 提前终止监护登记 | End a guardianship before its last day
    End {
        /// 监护编号 | Number of the guardianship
        #[arg(value_name = "GUARDIANSHIP")]
        id: String,
        /// 写有原因的文本文件；- 为标准输入 | Text file with the reason; - is standard input
        #[arg(long, value_name = "FILE")]
        note: PathBuf,
    },
    /// 居民的监护人和被监护人 | Who cares for a resident, and for whom the resident cares
    List {
        /// 居民编号 | Number of the resident
        #[arg(value_name = "RESIDENT")]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// 被监护人的居民编号 | Number of the resident who is cared for
    #[arg(long, value_name = "RESIDENT")]
    ward: String,
    /// 监护人的居民编号 | Number of the resident who cares
    #[arg(long, value_name = "RESIDENT")]
    guardian: String,
    /// 监护人是被监护人的什么人（GB/T 4761） | What the guardian is to the ward (GB/T 4761)
    #[arg(long, value_name = "KINSHIP", value_parser = parser::<Kinship>())]
    kinship: Kinship,
    /// 权限，逗号分隔 | What the guardian may do, separated by commas
    #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = parser::<GuardianScope>())]
    scopes: Vec<GuardianScope>,
    #[command(flatten)]
    ground: Ground,
    /// 起始日期，缺省为今天 | First day; today when absent
    #[arg(long, value_name = "DATE", default_value = "", hide_default_value = true)]
    starts_on: String,
    /// 截止日期；未成年人缺省为十八周岁生日，成年人必填 | Last day; for minors the 18th birthday when absent, needed for adults
    #[arg(long, value_name = "DATE", default_value = "", hide_default_value = true)]
    ends_on: String,
}

impl GuardianCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Add(order) => order.run(context).await,
            Self::End { id, note } => {
                let note = files::remark(&note)?;
                let request = EndGuardianRequest { guardianship_id: id, note };
                let ended = context
                    .service
                    .ask(async |channel| {
                        ResidentsClient::new(channel).end_guardian(request.clone()).await
                    })
                    .await?;
                let page = show::guardianship(text::GUARDIAN_ENDED, &ended);
                context.answer("Guardianship", &ended, &page)
            }
            Self::List { id } => {
                let request = GuardiansRequest { resident_id: id };
                let found = context
                    .service
                    .ask(async |channel| {
                        ResidentsClient::new(channel).guardians(request.clone()).await
                    })
                    .await?;
                context.answer("GuardiansResponse", &found, &show::guardians(&found))
            }
        }
    }
}

impl Add {
    async fn run(self, context: &Context) -> Outcome {
        let request = AddGuardianRequest {
            ward_id: self.ward,
            guardian_id: self.guardian,
            kinship: self.kinship.into(),
            scopes: self.scopes.into_iter().map(i32::from).collect(),
            basis: self.ground.basis.into(),
            scan_digest: self.ground.digest()?,
            starts_on: self.starts_on,
            ends_on: self.ends_on,
        };
        let made = context
            .service
            .ask(async |channel| ResidentsClient::new(channel).add_guardian(request.clone()).await)
            .await?;
        let page = show::guardianship(text::GUARDIAN_ADDED, &made);
        context.answer("Guardianship", &made, &page)
    }
}
