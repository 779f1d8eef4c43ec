//! `healthcard resident`. Names and ID numbers are read from a file or the standard input.

use std::path::PathBuf;

use clap::Subcommand;
use proto::v1::{
    FindResidentRequest, GetResidentRequest, RegisterResidentRequest,
    residents_client::ResidentsClient,
};

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
}

impl ResidentCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Register { file } => {
                let request: RegisterResidentRequest =
                    input::message("RegisterResidentRequest", &file)?;
                let made = context
                    .service
                    .ask(async |channel| {
                        ResidentsClient::new(channel).register(request.clone()).await
                    })
                    .await?;
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
        }
    }
}
