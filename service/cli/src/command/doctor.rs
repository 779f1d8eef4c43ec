//! `healthcard doctor`: this machine; `healthcard doctor sm2`: what was made elsewhere.

mod sm2;

use clap::{Args, Subcommand};

use crate::{
    context::{Context, Outcome},
    doctor,
};

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
}

#[derive(Debug, Subcommand)]
enum DoctorCommand {
    /// 判断别处生成的 SM2 签名、密文、密钥或证书采用了哪种约定 | Say which convention an SM2 signature, ciphertext, key or certificate made elsewhere follows
    #[command(subcommand)]
    Sm2(sm2::Sm2Command),
}

impl Doctor {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self.command {
            None => doctor::run(context).await,
            Some(DoctorCommand::Sm2(command)) => command.run(context),
        }
    }
}
