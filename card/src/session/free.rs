use super::{IssuerSummary, NotHealthCard, ReadError, Step, recognise};
use crate::atr::CardFactor;
use crate::command::ReadRecord;
use crate::data;
use crate::layout::{Element, ddf1::ef05};
use crate::transport::{Link, Transport};
use crate::value::BadValue;

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
    let city = recognise(&mut link)?;
    let issuer = IssuerSummary {
        chip_serial: element(&mut link, &ef05::CHIP_SERIAL, data::chip_serial)?,
        card_number: element(&mut link, &ef05::CARD_NUMBER, data::card_number)?,
        name: element(&mut link, &ef05::ISSUER_NAME, data::issuer_name)?,
        city,
    };
    Ok(FreeReading { factor, issuer, commands: link.commands() })
}

fn element<T>(
    link: &mut Link<'_>,
    element: &Element,
    read: fn(&[u8]) -> Result<T, BadValue>,
) -> Result<T, ReadError> {
    let step = Step::Read { file: ef05::FILE.name, record: element.record() };
    let record =
        link.run(&ReadRecord::ByTag(element)).map_err(|error| ReadError::at(step, error))?;
    Ok(data::one(&ef05::FILE, element, &record, read)?)
}
