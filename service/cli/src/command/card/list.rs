//! `healthcard card list`: the cards of the institution, and the list of cards that are not to be
//! served; `healthcard card check`: what that list says of a card.

use std::{path::PathBuf, time::Duration};

use card::{
    ChipSerial,
    status_list::{Level, Listing, MAX_BYTES, Reason, StatusList},
};
use clap::{ArgGroup, Args, Subcommand};
use proto::v1::{
    Card, CardStatus, ListCardsRequest, cards_client::CardsClient, list_cards_request::Filter,
};

use serde_json::{Value, json};

use crate::{
    card_list, clock,
    command::{Pages, token},
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    json as render,
    page::{Cell, Page, instant},
    show,
    text::{self, Text, parser, problems, word_of},
};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("filter")), args_conflicts_with_subcommands = true)]
pub(crate) struct List {
    /// 只列此状态的卡 | Only cards in this state
    #[arg(long, value_name = "STATUS", group = "filter", value_parser = parser::<CardStatus>())]
    status: Option<CardStatus>,
    /// 只列从今天起若干天内到期的卡，先到期的在前 | Only cards in force that end within so many days, the first to end first
    #[arg(long, value_name = "DAYS", group = "filter",
        value_parser = clap::value_parser!(u32).range(0..=3660))]
    ending_within: Option<u32>,
    #[command(flatten)]
    pages: Pages,
    #[command(subcommand)]
    command: Option<ListCommand>,
}

#[derive(Debug, Subcommand)]
enum ListCommand {
    /// 取得停用卡名单，已有的以增量更新 | Get the list of cards not to be served; one that is there is brought up to date
    Fetch {
        /// 名单文件 | File of the list
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        keys: Keys,
    },
}

#[derive(Debug, Args)]
struct Keys {
    /// 公钥集文件（healthcard token keys）；缺省向服务取得 | Key set (`healthcard token keys`); by default fetched from the service
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// 名单文件（healthcard card list fetch） | File of the list (`healthcard card list fetch`)
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// 发卡序列号；省略时只核对名单 | Issuing serial; without it the list alone is checked
    #[arg(long, alias = "serial", value_name = "DIGITS")]
    chip_serial: Option<String>,
    #[command(flatten)]
    keys: Keys,
}

impl Keys {
    async fn get(&self, context: &Context) -> Result<String, Failure> {
        token::key_set(context, self.keys.as_deref()).await
    }
}

impl Check {
    /// Says what the list says, and how old it is. A card that is listed ends with a refusal.
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let serial: Option<ChipSerial> = self
            .chip_serial
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| Failure::of(problems::INPUT_MALFORMED).about("--chip-serial"))?;
        let jwks = self.keys.get(context).await?;
        let bytes = files::read(&self.list, MAX_BYTES as u64)?;
        let list = card_list::open(&bytes, &jwks)?;
        let listing = serial.as_ref().map(|serial| list.listing(serial));
        let title = match listing {
            None => text::CARD_LIST,
            Some(None) => text::CARD_NOT_LISTED,
            Some(Some(Listing { level: Level::Black, .. })) => text::CARD_LISTED_BLACK,
            Some(Some(Listing { level: Level::Grey, .. })) => text::CARD_LISTED_GREY,
        };
        let reason = listing.flatten().map(|listing| match listing.reason {
            Reason::Loss => text::FOR_LOSS,
            Reason::Cancelled => text::FOR_CANCELLATION,
            Reason::IllegalUse => text::FOR_ILLEGAL_USE,
            Reason::Frozen => text::FOR_FREEZE,
            Reason::NotActivated => text::FOR_ACTIVATION,
        });
        let (mut json, page) = told(&list, title, reason)?;
        if let Some(listing) = listing {
            json["verdict"] = verdict(listing);
        }
        context.screen.show(&json, &page);
        Ok(if listing.flatten().is_some() { Exit::Refused } else { Exit::Done })
    }
}

/// `healthcard card list fetch`.
async fn fetch(context: &Context, out: PathBuf, keys: Keys) -> Outcome {
    let jwks = keys.get(context).await?;
    let held = match out.try_exists() {
        Ok(false) => None,
        _ => Some(card_list::open(&files::read(&out, MAX_BYTES as u64)?, &jwks)?),
    };
    let list = card_list::fetch(&context.service, held, &jwks).await?;
    files::write(&out, &list.to_bytes(), Audience::Everyone)?;
    let (json, page) = told(&list, text::CARD_LIST_SAVED, None)?;
    context.screen.show(&json, &page.row(text::FILE, out.display().to_string()));
    Ok(Exit::Done)
}

/// A list, for programs and for people.
fn told(list: &StatusList, title: Text, reason: Option<Text>) -> Result<(Value, Page), Failure> {
    let age = card_list::age(list, clock::now())?;
    let entries = list.entries().len() as u64;
    let json = json!({
        "service": list.origin(), "number": list.number(), "entries": entries,
        "issued_at": render::instant(list.issued_at()), "age_seconds": age.as_secs(),
    });
    let page = Page::titled(title)
        .maybe(text::LISTED_FOR, reason)
        .row(text::LIST_NUMBER, list.number())
        .row(text::LIST_ISSUED_AT, instant(list.issued_at()))
        .row(text::LIST_AGE, spoken(age))
        .row(text::LIST_SERVICE, list.origin())
        .row(text::LIST_ENTRIES, entries);
    Ok((json, page))
}

fn verdict(listing: Option<Listing>) -> Value {
    let Some(Listing { level, reason }) = listing else { return json!({ "listed": false }) };
    json!({ "listed": true, "level": level.as_str(), "reason": reason.as_str() })
}

/// An age in the largest unit of which there are two.
fn spoken(age: Duration) -> Cell {
    let seconds = age.as_secs();
    let units = [(86_400, text::AGE_DAYS), (3_600, text::AGE_HOURS), (60, text::AGE_MINUTES)];
    let (length, unit) = units
        .into_iter()
        .find(|(length, _)| seconds >= 2 * length)
        .unwrap_or((1, text::AGE_SECONDS));
    Cell::Filled(unit, vec![(seconds / length).to_string()])
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        if let Some(ListCommand::Fetch { out, keys }) = self.command {
            return fetch(context, out, keys).await;
        }
        let status = self.status.map(|status| Filter::Status(status.into()));
        let request = ListCardsRequest {
            filter: status.or(self.ending_within.map(Filter::EndingWithinDays)),
            page_size: self.pages.page_size,
            page_token: self.pages.page_token,
        };
        let found = context
            .service
            .ask(async |channel| CardsClient::new(channel).list(request.clone()).await)
            .await?;
        let lines = found.cards.iter().map(line).collect();
        let headings = [
            text::CARD_ID,
            text::CARD_STATUS,
            text::CHIP_SERIAL,
            text::VALID_UNTIL,
            text::RESIDENT_ID,
        ];
        let page = show::listed(text::CARDS, &headings, lines, &found.next_page_token);
        context.answer("ListCardsResponse", &found, &page)
    }
}

fn line(card: &Card) -> Vec<Cell> {
    vec![
        Cell::from(&card.card_id),
        word_of::<CardStatus>(card.status).map_or(Cell::from(""), Cell::from),
        Cell::from(&card.chip_serial),
        Cell::from(&card.valid_until),
        Cell::from(&card.resident_id),
    ]
}
