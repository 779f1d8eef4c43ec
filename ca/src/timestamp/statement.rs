use time::{Duration, OffsetDateTime};

use super::{Imprint, Nonce, Policy};
use crate::{
    Name, Serial,
    der::{
        DerError, Reader, boolean_true, integer, read_generalized_time, sequence, tag, tlv,
        unsigned, write_generalized_time,
    },
};

/// What a token states (TSTInfo; RFC 3161, 2.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Under which policy.
    pub policy: Policy,
    /// What was there.
    pub imprint: Imprint,
    /// Number of the token, unique for the stamper.
    pub serial: Serial,
    /// When it was there.
    pub at: OffsetDateTime,
    /// How far the time may be off either way, to the microsecond.
    pub accuracy: Option<Duration>,
    /// Whether two tokens of the stamper can be ordered by their times however near these are.
    pub ordered: bool,
    /// The nonce of the query.
    pub nonce: Option<Nonce>,
    /// Name of the stamper.
    pub stamper: Option<Name>,
}

impl Statement {
    pub(super) fn write(&self) -> Vec<u8> {
        let stamper = self.stamper.as_ref().map(|name| {
            let directory_name = tlv(tag::constructed(4), &[name.der()]);
            tlv(tag::constructed(0), &[&directory_name])
        });
        sequence(&[
            &[tag::INTEGER, 1, 1],
            self.policy.der(),
            &self.imprint.write(),
            &self.serial.write(),
            &write_generalized_time(self.at),
            &self.accuracy.map(write_accuracy).unwrap_or_default(),
            &if self.ordered { boolean_true() } else { Vec::new() },
            &self.nonce.as_ref().map(Nonce::write).unwrap_or_default(),
            &stamper.unwrap_or_default(),
        ])
    }

    /// `Ok(None)` for another version, a digest that is not known here, or with extensions.
    pub(super) fn read(der: &[u8]) -> Result<Option<Self>, DerError> {
        let mut fields = Reader::only(der, tag::SEQUENCE)?;
        if fields.value(tag::INTEGER)? != [1] {
            return Ok(None);
        }
        let policy = Policy::of(fields.oid()?);
        let imprint = Imprint::read(&mut fields)?;
        let serial = Serial::read(fields.value(tag::INTEGER)?)?;
        let at = read_generalized_time(&mut fields)?;
        let accuracy = fields.optional(tag::SEQUENCE)?.map(read_accuracy).transpose()?;
        let ordered = fields.default_false()?;
        let nonce = fields.optional(tag::INTEGER)?.map(Nonce::read).transpose()?;
        let stamper = match fields.optional(tag::constructed(0))? {
            Some(explicit) => {
                let mut explicit = Reader::new(explicit);
                let mut directory_name = explicit.nested(tag::constructed(4))?;
                explicit.end()?;
                let name = Name::read(directory_name.element(tag::SEQUENCE)?)?;
                directory_name.end()?;
                Some(name)
            }
            None => None,
        };
        let extended = fields.optional(tag::constructed(1))?.is_some();
        fields.end()?;
        let Some(imprint) = imprint.filter(|_| !extended) else { return Ok(None) };
        Ok(Some(Self { policy, imprint, serial, at, accuracy, ordered, nonce, stamper }))
    }
}

/// Accuracy: seconds, milliseconds `[0]` and microseconds `[1]`, of which those that are 0 are left
/// out.
fn write_accuracy(accuracy: Duration) -> Vec<u8> {
    let part = |number: u64, kind: u8| match number {
        0 => Vec::new(),
        number => {
            let mut element = unsigned(&number.to_be_bytes());
            element[0] = kind;
            element
        }
    };
    let (seconds, micros) = (accuracy.whole_seconds(), accuracy.subsec_microseconds());
    let [seconds, micros] = [seconds.unsigned_abs(), u64::from(micros.unsigned_abs())];
    sequence(&[
        &part(seconds, tag::INTEGER),
        &part(micros / 1000, tag::context(0)),
        &part(micros % 1000, tag::context(1)),
    ])
}

fn read_accuracy(content: &[u8]) -> Result<Duration, DerError> {
    let mut fields = Reader::new(content);
    let mut part = |kind, most: u64| match fields.optional(kind)? {
        None => Ok(0),
        Some(content) => {
            let magnitude = integer(content)?;
            let number =
                magnitude.iter().fold(0, |number: u64, octet| number << 8 | u64::from(*octet));
            match magnitude.len() <= 4 && number <= most {
                true => Ok(number),
                false => Err(DerError::Integer),
            }
        }
    };
    let seconds = part(tag::INTEGER, u64::from(u32::MAX))?;
    let (millis, micros) = (part(tag::context(0), 999)?, part(tag::context(1), 999)?);
    fields.end()?;
    let whole = std::time::Duration::from_secs(seconds)
        + std::time::Duration::from_micros(millis * 1000 + micros);
    Duration::try_from(whole).map_err(|_| DerError::Integer)
}
