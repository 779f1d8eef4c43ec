//! Changes of cards that two persons make.

use clap::{ArgGroup, Args};
use proto::v1::{
    LiftingCause, ListCardChangesRequest, PendingCardChange, ReplaceCardRequest, ReplacementCause,
    ReviewCardChangeRequest, UnblacklistCardRequest,
    cards_client::CardsClient,
    pending_card_change::{Order, State},
    review_card_change_request::{Approval, Rejection, Verdict},
};

use super::card_factor;
use crate::{
    command::Pages,
    context::{Context, Outcome},
    page::{Cell, Page, timestamp},
    show,
    text::{self, Text, parser, word_of},
};

#[derive(Debug, Args)]
pub(crate) struct Replace {
    /// 被替换的卡的编号 | Number of the card whose place is taken
    #[arg(value_name = "CARD")]
    id: String,
    /// 新卡的发卡序列号 | Issuing serial of the new card
    #[arg(long, value_name = "DIGITS")]
    chip_serial: String,
    /// 新卡的卡分散因子，十六进制 | Card factor of the new card, hexadecimal
    #[arg(long, value_name = "HEX")]
    card_factor: String,
    /// 新卡的有效期，YYYY-MM-DD | Last day of validity of the new card, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    valid_until: String,
    /// 原因 | Why
    #[arg(long, value_name = "CAUSE", value_parser = parser::<ReplacementCause>())]
    cause: ReplacementCause,
}

#[derive(Debug, Args)]
pub(crate) struct Unblacklist {
    /// 卡编号 | Number of the card
    #[arg(value_name = "CARD")]
    id: String,
    /// 原因 | Why
    #[arg(long, value_name = "CAUSE", value_parser = parser::<LiftingCause>())]
    cause: LiftingCause,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("verdict").required(true)))]
pub(crate) struct Review {
    /// 变更编号 | Number of the change
    #[arg(value_name = "CHANGE")]
    id: String,
    /// 批准 | Approve it
    #[arg(long, group = "verdict")]
    approve: bool,
    /// 驳回，并说明理由（不含个人信息） | Reject it, and say why, without personal data
    #[arg(long, value_name = "WHY", group = "verdict")]
    reject: Option<String>,
}

impl Replace {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let request = ReplaceCardRequest {
            card_id: self.id,
            chip_serial: self.chip_serial,
            card_factor: card_factor(&self.card_factor)?,
            valid_until: self.valid_until,
            cause: self.cause.into(),
        };
        let entered = context
            .service
            .ask(async |channel| CardsClient::new(channel).replace(request.clone()).await)
            .await?;
        let change = entered.change.clone().unwrap_or_default();
        let page = show::receipt(page(text::CHANGE_ENTERED, &change), entered.receipt.as_ref());
        context.answer("EnteredCardChange", &entered, &page)
    }
}

impl Unblacklist {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let request = UnblacklistCardRequest { card_id: self.id, cause: self.cause.into() };
        let entered = context
            .service
            .ask(async |channel| CardsClient::new(channel).unblacklist(request.clone()).await)
            .await?;
        let change = entered.change.clone().unwrap_or_default();
        let page = show::receipt(page(text::CHANGE_ENTERED, &change), entered.receipt.as_ref());
        context.answer("EnteredCardChange", &entered, &page)
    }
}

impl Review {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let verdict = match self.reject {
            Some(reason) => Verdict::Reject(Rejection { reason }),
            None => Verdict::Approve(Approval {}),
        };
        let request = ReviewCardChangeRequest { change_id: self.id, verdict: Some(verdict) };
        let reviewed = context
            .service
            .ask(async |channel| CardsClient::new(channel).review(request.clone()).await)
            .await?;
        let change = reviewed.change.clone().unwrap_or_default();
        let title = match change.state() {
            State::Rejected => text::CHANGE_REJECTED,
            _ => text::CHANGE_APPROVED,
        };
        let page = show::receipt(page(title, &change), reviewed.receipt.as_ref());
        context.answer("ReviewedCardChange", &reviewed, &page)
    }
}

/// `healthcard card changes`.
pub(super) async fn list(context: &Context, pages: Pages) -> Outcome {
    let Pages { page_size, page_token } = pages;
    let request = ListCardChangesRequest { page_size, page_token };
    let found = context
        .service
        .ask(async |channel| CardsClient::new(channel).list_changes(request.clone()).await)
        .await?;
    let lines = found.changes.iter().map(line).collect();
    let headings = [
        text::CHANGE_ID,
        text::CHANGE_KIND,
        text::CARD_ID,
        text::CHANGE_CAUSE,
        text::ENTERED_BY,
        text::EXPIRES_AT,
    ];
    let page = show::listed(text::CHANGES, &headings, lines, &found.next_page_token);
    context.answer("ListCardChangesResponse", &found, &page)
}

fn line(change: &PendingCardChange) -> Vec<Cell> {
    let (kind, cause) = order(change);
    vec![
        Cell::from(&change.change_id),
        kind.map_or(Cell::from(""), Cell::from),
        Cell::from(&change.card_id),
        cause.map_or(Cell::from(""), Cell::from),
        Cell::from(&change.entered_by),
        Cell::from(timestamp(change.expires_at.as_ref()).unwrap_or_default()),
    ]
}

fn page(title: Text, change: &PendingCardChange) -> Page {
    let (kind, cause) = order(change);
    let replacement = match &change.order {
        Some(Order::Replace(order)) => Some(order),
        _ => None,
    };
    let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Page::titled(title)
        .row(text::CHANGE_ID, &change.change_id)
        .maybe(text::CHANGE_KIND, kind)
        .row(text::CARD_ID, &change.card_id)
        .maybe(text::CHANGE_CAUSE, cause)
        .maybe(text::CHIP_SERIAL, replacement.map(|order| &order.chip_serial))
        .maybe(text::VALID_UNTIL, replacement.map(|order| &order.valid_until))
        .maybe(text::NEW_CARD_ID, said(&change.new_card_id))
        .row(text::ENTERED_BY, &change.entered_by)
        .maybe(
            text::EXPIRES_AT,
            match change.state() {
                State::Pending => timestamp(change.expires_at.as_ref()),
                _ => None,
            },
        )
        .maybe(text::REVIEWED_BY, said(&change.reviewed_by))
        .maybe(text::WHY, said(&change.rejection))
}

/// What is to be done, and why.
fn order(change: &PendingCardChange) -> (Option<Text>, Option<Text>) {
    match &change.order {
        Some(Order::Replace(order)) => {
            (Some(text::CHANGE_REPLACE), word_of::<ReplacementCause>(order.cause))
        }
        Some(Order::Unblacklist(cause)) => {
            (Some(text::CHANGE_UNBLACKLIST), word_of::<LiftingCause>(*cause))
        }
        None => (None, None),
    }
}
