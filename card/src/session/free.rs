use zeroize::Zeroizing;

use super::raw::malformed;
use super::{IssuerSummary, NotHealthCard, ReadError, Step, issuer_summary, recognise};
use crate::apdu::Status;
use crate::atr::CardFactor;
use crate::command::{CardError, ReadRecord};
use crate::data::Records;
use crate::layout::ddf1::ef05;
use crate::layout::{Element, File, Profile};
use crate::tlv;
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

/// A field as it stands on the card, padding included, tag and length left out.
pub struct FreeField {
    /// What it is.
    pub element: Element,
    /// As on the card.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Personal data, as the card number is: the item alone.
impl std::fmt::Debug for FreeField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FreeField({}, ..)", self.element.item)
    }
}

/// The fields of EF05, in the order of the card. One that only 32K cards have is left out when the
/// card does not have it.
///
/// # Errors
/// [`ReadError::NotHealthCard`], or what went wrong on the way.
pub fn read_free_fields(transport: &mut dyn Transport) -> Result<Vec<FreeField>, ReadError> {
    let mut link = Link::new(transport);
    link.atr().card_factor().map_err(NotHealthCard::HistoricalBytes)?;
    recognise(&mut link)?;
    let mut fields = Vec::new();
    for item in ef05::FILE.items(Profile::Full) {
        let element = item.element;
        let record = match Free(&mut link).record(&ef05::FILE, &element) {
            Ok(record) => Zeroizing::new(record),
            Err(error) if element.full_only && is_missing(&error) => continue,
            Err(error) => return Err(error),
        };
        let field = tlv::unwrap(&element, &record)
            .map_err(|why| malformed(&ef05::FILE, element.record(), why))?;
        fields.push(FreeField { element, bytes: Zeroizing::new(field.to_vec()) });
    }
    Ok(fields)
}

fn is_missing(error: &ReadError) -> bool {
    let missing = CardError::Refused(Status::RecordNotFound);
    matches!(error, ReadError::Refused { source, .. } if *source == missing)
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
