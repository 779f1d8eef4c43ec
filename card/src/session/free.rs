use super::{IssuerSummary, NotHealthCard, ReadError, Step, issuer_summary, recognise};
use crate::atr::CardFactor;
use crate::command::ReadRecord;
use crate::data::Records;
use crate::layout::{Element, File};
use crate::transport::{Link, Transport};

/// What anyone may read of a health card, without a key: who issued it, and its numbers. Nothing in
/// it is proven: a copied card says the same.
#[derive(Debug, Clone)]
pub struct FreeReading {
    /// The card diversification factor, as the answer to reset gives it.
    pub factor: CardFactor,
    /// What the issuer wrote.
    pub issuer: IssuerSummary,
    /// Commands sent for this reading.
    pub commands: u32,
}

/// Tells whether this is a health card, by the same rule as a session, without a key.
///
/// # Errors
/// [`ReadError::NotHealthCard`], or what went wrong on the way.
pub fn recognise_card(transport: &mut dyn Transport) -> Result<(), ReadError> {
    let mut link = Link::new(transport);
    link.atr().card_factor().map_err(NotHealthCard::HistoricalBytes)?;
    recognise(&mut link).map(drop)
}

/// Reads what anyone may read of a health card (EF05).
///
/// # Errors
/// [`ReadError::NotHealthCard`], or what went wrong on the way.
pub fn read_free(transport: &mut dyn Transport) -> Result<FreeReading, ReadError> {
    let mut link = Link::new(transport);
    let factor = link.atr().card_factor().map_err(NotHealthCard::HistoricalBytes)?;
    let (city, _) = recognise(&mut link)?;
    let issuer = issuer_summary(&mut Free(&mut link), city)?;
    Ok(FreeReading { factor, issuer, commands: link.commands() })
}

/// Records that need no key, of the file that was selected.
struct Free<'l, 't>(&'l mut Link<'t>);

impl Records for Free<'_, '_> {
    type Error = ReadError;

    fn record(&mut self, file: &File, element: &Element) -> Result<Vec<u8>, ReadError> {
        let step = Step::Read { file: file.name, record: element.record() };
        let command = ReadRecord::ByTag(element);
        self.0.run(&command).map_err(|error| ReadError::at(step, error))
    }
}
