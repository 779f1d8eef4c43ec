//! What every command is given.

use std::sync::Arc;

use prost::Message;
use proto::v1::Receipt;

use crate::{
    exit::Exit, failure::Failure, json, page::Page, screen::Screen, service::Service, show,
    text::Text,
};

/// The screen and the service.
pub(crate) struct Context {
    pub(crate) screen: Screen,
    pub(crate) service: Arc<Service>,
}

/// How a command ends.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Context {
    /// Shows the message `healthcard.v1.{name}` and ends well.
    pub(crate) fn answer(&self, name: &str, message: &impl Message, page: &Page) -> Outcome {
        self.screen.show(&json::of(name, message), page);
        Ok(Exit::Done)
    }

    /// Confirms an act that made one new thing.
    pub(crate) fn made(
        &self,
        (name, message): (&str, &impl Message),
        title: Text,
        (label, id): (Text, &str),
        receipt: Option<&Receipt>,
    ) -> Outcome {
        let page = show::receipt(Page::titled(title).row(label, id), receipt);
        self.answer(name, message, &page)
    }
}
