//! `healthcard card list`: the cards of the institution.

use clap::{ArgGroup, Args};
use proto::v1::{
    Card, CardStatus, ListCardsRequest, cards_client::CardsClient, list_cards_request::Filter,
};

use crate::{
    command::Pages,
    context::{Context, Outcome},
    page::Cell,
    show,
    text::{self, parser, word_of},
};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("filter")))]
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
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Outcome {
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
