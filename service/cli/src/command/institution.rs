//! `healthcard institution`.

use std::path::PathBuf;

use clap::Subcommand;
use proto::v1::identities_client::IdentitiesClient;

use crate::{
    context::{Context, Outcome},
    input, text,
};

#[derive(Debug, Subcommand)]
pub(crate) enum InstitutionCommand {
    /// 登记机构 | Put an institution on record
    Register {
        /// JSON 或 TOML 文件：credit_code（统一社会信用代码）、name、region（六位行政区划代码）；- 为标准输入 | JSON or TOML with credit_code, name, region (six digits); - is standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

impl InstitutionCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let Self::Register { file } = self;
        let request: proto::v1::RegisterInstitutionRequest =
            input::message("RegisterInstitutionRequest", &file)?;
        let made = context
            .service
            .ask(async |channel| {
                IdentitiesClient::new(channel).register_institution(request.clone()).await
            })
            .await?;
        context.made(
            ("RegisterInstitutionResponse", &made),
            text::INSTITUTION_REGISTERED,
            (text::INSTITUTION_ID, &made.institution_id),
            made.receipt.as_ref(),
        )
    }
}
