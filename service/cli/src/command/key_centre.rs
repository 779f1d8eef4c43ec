//! `healthcard key-centre`: encryption keys that are held for their owners.

use clap::Subcommand;
use proto::v1::{KeyCounts, KeyCountsRequest, MakeKeysRequest, key_centre_client::KeyCentreClient};

use crate::{
    context::{Context, Outcome},
    page::Page,
    show,
    text::{self, Text},
};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCentreCommand {
    /// 备用库、在用库、历史库中的密钥对数 | How many key pairs are spare, in use, and past use
    Show,
    /// 预先生成加密密钥对 | Make encryption key pairs ahead
    Make {
        /// 对数，1 至 1000 | How many, 1 to 1000
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
    },
}

impl KeyCentreCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Show => {
                let found = context
                    .service
                    .ask(async |channel| {
                        KeyCentreClient::new(channel).counts(KeyCountsRequest {}).await
                    })
                    .await?;
                context.answer("KeyCounts", &found, &counts(text::KEY_CENTRE, &found))
            }
            Self::Make { count } => {
                let made = context
                    .service
                    .ask(async |channel| {
                        KeyCentreClient::new(channel).make(MakeKeysRequest { count }).await
                    })
                    .await?;
                let page = counts(text::KEYS_MADE, &made.counts.unwrap_or_default());
                let page = show::receipt(page, made.receipt.as_ref());
                context.answer("MakeKeysResponse", &made, &page)
            }
        }
    }
}

fn counts(title: Text, counts: &KeyCounts) -> Page {
    Page::titled(title)
        .row(text::KEYS_SPARE, counts.spare.to_string())
        .row(text::KEYS_IN_USE, counts.in_use.to_string())
        .row(text::KEYS_HISTORY, counts.history.to_string())
}
