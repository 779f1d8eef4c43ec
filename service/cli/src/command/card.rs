//! `healthcard card`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use proto::v1::{
    CancelCardRequest, CardChange, GetCardRequest, RegisterCardRequest, ReleaseCardRequest,
    ReportLossRequest, cards_client::CardsClient, get_card_request::Key,
};

use crate::{
    context::{Context, Outcome},
    desk,
    failure::Failure,
    input, show,
    text::{self, Text, problems},
};

#[derive(Debug, Subcommand)]
pub(crate) enum CardCommand {
    /// 登记健康卡 | Put a card on record
    Register(Register),
    /// 读一张卡，显示持卡人 | Read one card and show its holder
    Read {
        /// 只用名称含此文字的读卡器 | Only readers whose name contains this
        #[arg(long, value_name = "TEXT")]
        reader: Option<String>,
        /// 等待放卡的秒数 | Seconds to wait for a card
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        wait: u64,
    },
    /// 查看健康卡的登记 | Show a card's record
    #[command(group(clap::ArgGroup::new("which").required(true)))]
    Get {
        /// 卡编号 | Number of the card
        #[arg(value_name = "CARD", group = "which")]
        id: Option<String>,
        /// 发卡序列号 | Issuing serial
        #[arg(long, value_name = "DIGITS", group = "which")]
        chip_serial: Option<String>,
    },
    /// 挂失 | Report a card as lost
    ReportLoss(Named),
    /// 解挂 | Take a report of loss back
    Release(Named),
    /// 注销，不可恢复 | Cancel a card for good
    Cancel(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// JSON 或 TOML 文件，字段为 resident_id、chip_serial、card_factor（base64）、valid_until；- 为标准输入 | JSON or TOML with resident_id, chip_serial, card_factor (base64), valid_until; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// 居民编号 | Number of the resident
    #[arg(long, value_name = "RESIDENT", required_unless_present = "file")]
    resident: Option<String>,
    /// 发卡序列号，十位数字 | Issuing serial, ten digits
    #[arg(long, value_name = "DIGITS", required_unless_present = "file")]
    chip_serial: Option<String>,
    /// 卡分散因子（复位应答的八个历史字节），十六进制 | Card factor (the eight historical bytes of the answer to reset), hexadecimal
    #[arg(long, value_name = "HEX", required_unless_present = "file")]
    card_factor: Option<String>,
    /// 卡有效期，YYYY-MM-DD | Last day of validity, YYYY-MM-DD
    #[arg(long, value_name = "DATE", required_unless_present = "file")]
    valid_until: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// 卡编号 | Number of the card
    #[arg(value_name = "CARD")]
    id: String,
}

impl CardCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let service = &context.service;
        match self {
            Self::Register(order) => register(context, order).await,
            Self::Read { reader, wait } => {
                desk::read_one(context, reader, Duration::from_secs(wait)).await
            }
            Self::Get { id, chip_serial } => {
                let key = id.map(Key::CardId).or(chip_serial.map(Key::ChipSerial));
                let request = GetCardRequest { key };
                let found = service
                    .ask(async |channel| CardsClient::new(channel).get(request.clone()).await)
                    .await?;
                context.answer("Card", &found, &show::card(text::CARD, &found))
            }
            Self::ReportLoss(Named { id }) => {
                let request = ReportLossRequest { card_id: id };
                let change = service
                    .ask(async |channel| {
                        CardsClient::new(channel).report_loss(request.clone()).await
                    })
                    .await?;
                changed(context, text::CARD_LOST, &change)
            }
            Self::Release(Named { id }) => {
                let request = ReleaseCardRequest { card_id: id };
                let change = service
                    .ask(async |channel| CardsClient::new(channel).release(request.clone()).await)
                    .await?;
                changed(context, text::CARD_RELEASED, &change)
            }
            Self::Cancel(Named { id }) => {
                let request = CancelCardRequest { card_id: id };
                let change = service
                    .ask(async |channel| CardsClient::new(channel).cancel(request.clone()).await)
                    .await?;
                changed(context, text::CARD_CANCELLED, &change)
            }
        }
    }
}

async fn register(context: &Context, order: Register) -> Outcome {
    let mut request: RegisterCardRequest = match &order.file {
        Some(file) => input::message("RegisterCardRequest", file)?,
        None => RegisterCardRequest::default(),
    };
    if let Some(resident) = order.resident {
        request.resident_id = resident;
    }
    if let Some(serial) = order.chip_serial {
        request.chip_serial = serial;
    }
    if let Some(factor) = order.card_factor {
        request.card_factor = hex::decode(factor)
            .map_err(|_| Failure::of(problems::INPUT_MALFORMED).about("--card-factor"))?;
    }
    if let Some(date) = order.valid_until {
        request.valid_until = date;
    }
    let made = context
        .service
        .ask(async |channel| CardsClient::new(channel).register(request.clone()).await)
        .await?;
    context.made(
        ("RegisterCardResponse", &made),
        text::CARD_REGISTERED,
        (text::CARD_ID, &made.card_id),
        made.receipt.as_ref(),
    )
}

fn changed(context: &Context, title: Text, change: &CardChange) -> Outcome {
    let card = change.card.clone().unwrap_or_default();
    let page = show::receipt(show::card(title, &card), change.receipt.as_ref());
    context.answer("CardChange", change, &page)
}
