//! `healthcard key-centre`: encryption keys that are held for their owners.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::v1::{
    EnterRecoveryRequest, EvidenceOrder, KeyCounts, KeyCountsRequest, ListRecoveriesRequest,
    MakeKeysRequest, ReviewRecoveryRequest, enter_recovery_request::To,
    key_centre_client::KeyCentreClient, review_recovery_request::Verdict,
};

use super::Pages;
use crate::{
    context::{Context, Outcome},
    exit::Exit,
    files::{self, Audience, NewFile},
    json,
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
    /// 录入密钥恢复：给持有人，或依司法取证文书；须另一人复核 | Enter the recovery of a key, to its holder or by an order for evidence; another person reviews it
    Recover(Recover),
    /// 复核密钥恢复；通过后取得封装的密钥 | Review the recovery of a key; an approval gives the key in its envelope
    Review(Review),
    /// 待复核的密钥恢复 | Recoveries that wait for a review
    Recoveries {
        #[command(flatten)]
        pages: Pages,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// 加密证书序列号，十六进制 | Serial number of the encryption certificate, hexadecimal
    #[arg(long, value_name = "HEX")]
    serial: String,
    /// 持有人有效的签名证书序列号 | Serial number of a signing certificate of the holder that is in force
    #[arg(long, value_name = "HEX", conflicts_with_all = ["request", "order"], required_unless_present = "request")]
    to: Option<String>,
    /// 取证方的证书申请（PKCS#10，DER） | Request made with the key of whoever the order names (PKCS#10, DER)
    #[arg(long, value_name = "FILE", requires = "order")]
    request: Option<PathBuf>,
    /// 写有取证文书编号的文件；- 为标准输入 | File with the number of the order; - is standard input
    #[arg(long, value_name = "FILE", requires = "request")]
    order: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Review {
    /// 恢复编号 | Number of the recovery
    #[arg(value_name = "RECOVERY")]
    id: String,
    /// 通过，封装的密钥写入此文件 | Approve, and write the enveloped key to this file
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "reject",
        required_unless_present = "reject"
    )]
    approve: Option<PathBuf>,
    /// 驳回 | Reject
    #[arg(long)]
    reject: bool,
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
            Self::Recover(order) => recover(context, order).await,
            Self::Review(order) => review(context, order).await,
            Self::Recoveries { pages } => {
                let request = ListRecoveriesRequest {
                    page_size: pages.page_size,
                    page_token: pages.page_token,
                };
                let found = context
                    .service
                    .ask(async |channel| {
                        KeyCentreClient::new(channel).list_recoveries(request.clone()).await
                    })
                    .await?;
                context.answer("ListRecoveriesResponse", &found, &show::recoveries(&found))
            }
        }
    }
}

async fn recover(context: &Context, order: Recover) -> Outcome {
    let to = match (order.to, order.request, order.order) {
        (Some(signing), ..) => Some(To::SigningSerial(signing)),
        (None, Some(request), Some(reference)) => Some(To::Order(EvidenceOrder {
            request: files::read(&request, 16 * 1024)?.to_vec(),
            reference: files::remark(&reference)?,
        })),
        _ => None,
    };
    let request = EnterRecoveryRequest { encryption_serial: order.serial, to };
    let entered = context
        .service
        .ask(async |channel| KeyCentreClient::new(channel).enter_recovery(request.clone()).await)
        .await?;
    let page =
        show::recovery(text::RECOVERY_ENTERED, &entered.recovery.clone().unwrap_or_default());
    let page = show::receipt(page, entered.receipt.as_ref());
    context.answer("EnterRecoveryResponse", &entered, &page)
}

async fn review(context: &Context, order: Review) -> Outcome {
    let verdict = if order.reject { Verdict::Reject } else { Verdict::Approve };
    // The key is given once: where it goes is made before it is asked for.
    let file = order.approve.as_deref().map(|path| NewFile::create(path, Audience::Owner));
    let file = file.transpose()?;
    let request = ReviewRecoveryRequest { recovery_id: order.id, verdict: verdict.into() };
    let reviewed = context
        .service
        .ask(async |channel| KeyCentreClient::new(channel).review_recovery(request.clone()).await)
        .await?;
    let mut json = json::of("ReviewRecoveryResponse", &reviewed);
    let recovery = reviewed.recovery.clone().unwrap_or_default();
    let mut page = show::recovery(text::RECOVERY_REVIEWED, &recovery);
    if let (Some(path), Some(mut file)) = (&order.approve, file) {
        file.append(&reviewed.answer)?;
        file.finish()?;
        json["answer_file"] = path.display().to_string().into();
        page = page.row(text::ANSWER_FILE, path.display().to_string());
    }
    context.screen.show(&json, &show::receipt(page, reviewed.receipt.as_ref()));
    Ok(Exit::Done)
}

fn counts(title: Text, counts: &KeyCounts) -> Page {
    Page::titled(title)
        .row(text::KEYS_SPARE, counts.spare.to_string())
        .row(text::KEYS_IN_USE, counts.in_use.to_string())
        .row(text::KEYS_HISTORY, counts.history.to_string())
}
