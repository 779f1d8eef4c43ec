//! `healthcard card`.

mod code;
mod dump;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use proto::v1::{
    ActivateCardRequest, ApplyCardRequest, BlacklistCardRequest, CancelCardRequest, CardChange,
    FreezeCardRequest, GetCardRequest, RegisterCardRequest, ReleaseCardRequest, RenewCardRequest,
    ReportLossRequest, UnfreezeCardRequest, cards_client::CardsClient, get_card_request::Key,
};

use crate::{
    context::{Context, Outcome},
    desk,
    failure::Failure,
    input, show,
    text::{self, Text, problems},
};

mod changes;
mod list;
mod write;

#[derive(Debug, Subcommand)]
pub(crate) enum CardCommand {
    /// 申领健康卡 | Apply for a card
    Apply {
        /// 居民编号 | Number of the resident
        #[arg(value_name = "RESIDENT")]
        resident: String,
    },
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
        #[command(flatten)]
        sam: desk::SamOptions,
    },
    /// 读取整张卡，按文件显示 | Read a whole card and show it file by file
    Dump(dump::Dump),
    /// 写卡：地址、联系人、电话、临床数据、就诊记录，逐条回读核对 | Write a card: address, contacts, phones, clinical data, visits; each record is read back
    Write(write::Write),
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
    /// 列出本机构登记的卡，或取得停用卡名单 | List the cards of this institution, or get the list of cards not to be served
    List(list::List),
    /// 用停用卡名单核对一张卡，可离线 | Check a card against the list of cards not to be served, offline if need be
    Check(list::Check),
    /// 激活：持卡人到场并出示证件 | Take a card into use: its holder is there with a document
    Activate {
        /// 卡编号 | Number of the card
        #[arg(value_name = "CARD")]
        id: String,
        /// JSON 或 TOML 文件，字段为 id_number（所出示证件的号码）；- 为标准输入 | JSON or TOML with id_number, as on the document that is shown; - is standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        file: PathBuf,
    },
    /// 制卡：一批人，或一个人 | Make the cards of a batch of people, or of one
    Issue(super::issue::Issue),
    /// 提前结束批次，其余的行不再制卡 | Give a batch up: its other rows make no card
    Abandon(super::issue::Abandon),
    /// 制卡清单 | Manifests of batches
    #[command(subcommand)]
    Manifest(super::issue::ManifestCommand),
    /// 挂失 | Report a card as lost
    ReportLoss(Named),
    /// 解挂 | Take a report of loss back
    Release(Named),
    /// 冻结 | Freeze a card
    Freeze(Named),
    /// 解冻 | Unfreeze a card
    Unfreeze(Named),
    /// 因非法使用列入黑名单 | Put a card on the blacklist for illegal use
    Blacklist(Named),
    /// 申请移出黑名单，须由另一人复核 | Enter that a card comes off the blacklist; another person reviews it
    Unblacklist(changes::Unblacklist),
    /// 注销，不可恢复 | Cancel a card for good
    Cancel(Named),
    /// 录入补卡、换卡，须由另一人复核 | Enter that a new card takes a card's place; another person reviews it
    Replace(changes::Replace),
    /// 列出待复核的变更 | List changes that wait for a review
    Changes(super::Pages),
    /// 复核他人录入的变更 | Review a change that another person entered
    Review(changes::Review),
    /// 延期：登记新的有效期，重写卡并读出后生效 | Move the end of a card; it counts once the card was rewritten and read
    Renew {
        /// 卡编号 | Number of the card
        #[arg(value_name = "CARD")]
        id: String,
        /// 新的卡有效期，YYYY-MM-DD | New last day of validity, YYYY-MM-DD
        #[arg(long, value_name = "DATE")]
        valid_until: String,
    },
    /// 电子健康卡及其二维码 | Electronic cards and their codes
    #[command(subcommand)]
    Code(code::CodeCommand),
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
    /// 所对应的申领（卡编号）；该卡随后待激活 | The application it was made for, by its card's number; the card then waits for its holder
    #[arg(long, value_name = "CARD")]
    application: Option<String>,
    /// 待持卡人激活后才可使用 | The card is not in force before its holder activates it
    #[arg(long)]
    to_be_activated: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// 卡编号 | Number of the card
    #[arg(value_name = "CARD")]
    id: String,
}

/// Asks the service to do something to a card, and shows the card as it is then.
macro_rules! ask {
    ($context:ident, $call:ident, $request:expr, $title:expr) => {{
        let request = $request;
        let change = $context
            .service
            .ask(async |channel| CardsClient::new(channel).$call(request.clone()).await)
            .await?;
        changed($context, $title, &change)
    }};
}

impl CardCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let service = &context.service;
        match self {
            Self::Apply { resident } => {
                let request = ApplyCardRequest { resident_id: resident };
                ask!(context, apply, request, text::CARD_APPLIED)
            }
            Self::Register(order) => register(context, order).await,
            Self::Read { reader, wait, sam } => {
                desk::read_one(context, reader, &sam, Duration::from_secs(wait)).await
            }
            Self::Dump(order) => order.run(context).await,
            Self::Write(order) => order.run(context).await,
            Self::Get { id, chip_serial } => {
                let key = id.map(Key::CardId).or(chip_serial.map(Key::ChipSerial));
                let request = GetCardRequest { key };
                let found = service
                    .ask(async |channel| CardsClient::new(channel).get(request.clone()).await)
                    .await?;
                context.answer("Card", &found, &show::card(text::CARD, &found))
            }
            Self::List(list) => list.run(context).await,
            Self::Check(check) => check.run(context).await,
            Self::Activate { id, file } => {
                let read: ActivateCardRequest = input::message("ActivateCardRequest", &file)?;
                let request = ActivateCardRequest { card_id: id, ..read };
                ask!(context, activate, request, text::CARD_ACTIVATED)
            }
            Self::Issue(order) => order.run(context).await,
            Self::Abandon(order) => order.run(context).await,
            Self::Manifest(command) => command.run(context).await,
            Self::ReportLoss(Named { id }) => {
                ask!(context, report_loss, ReportLossRequest { card_id: id }, text::CARD_LOST)
            }
            Self::Release(Named { id }) => {
                ask!(context, release, ReleaseCardRequest { card_id: id }, text::CARD_RELEASED)
            }
            Self::Freeze(Named { id }) => {
                ask!(context, freeze, FreezeCardRequest { card_id: id }, text::CARD_FROZEN)
            }
            Self::Unfreeze(Named { id }) => {
                ask!(context, unfreeze, UnfreezeCardRequest { card_id: id }, text::CARD_UNFROZEN)
            }
            Self::Blacklist(Named { id }) => {
                let request = BlacklistCardRequest { card_id: id };
                ask!(context, blacklist, request, text::CARD_BLACKLISTED)
            }
            Self::Unblacklist(order) => order.run(context).await,
            Self::Cancel(Named { id }) => {
                ask!(context, cancel, CancelCardRequest { card_id: id }, text::CARD_CANCELLED)
            }
            Self::Replace(order) => order.run(context).await,
            Self::Changes(pages) => changes::list(context, pages).await,
            Self::Review(review) => review.run(context).await,
            Self::Renew { id, valid_until } => {
                let request = RenewCardRequest { card_id: id, valid_until };
                ask!(context, renew, request, text::CARD_RENEWAL_NOTED)
            }
            Self::Code(command) => command.run(context).await,
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
        request.card_factor = card_factor(&factor)?;
    }
    if let Some(date) = order.valid_until {
        request.valid_until = date;
    }
    if let Some(application) = order.application {
        request.application_id = application;
    }
    request.to_be_activated |= order.to_be_activated;
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

/// The eight bytes of `--card-factor`.
fn card_factor(hexadecimal: &str) -> Result<Vec<u8>, Failure> {
    hex::decode(hexadecimal)
        .map_err(|_| Failure::of(problems::INPUT_MALFORMED).about("--card-factor"))
}

fn changed(context: &Context, title: Text, change: &CardChange) -> Outcome {
    let card = change.card.clone().unwrap_or_default();
    let page = show::receipt(show::card(title, &card), change.receipt.as_ref());
    context.answer("CardChange", change, &page)
}
