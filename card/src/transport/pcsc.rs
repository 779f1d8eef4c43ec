//! Real readers, through the system's PC/SC service.
//!
//! [`Monitor`] tells what happens at the readers and outlives the service itself; [`PcscCard`] is
//! the card in one of them; a [`Worker`] is the thread that waits for it, so that nobody else does.
//! Facts they rest on (pcsc-lite 1.9): the service looks for cards every 400 ms and counts each that
//! it saw come or leave; a reset makes it call the reader's card present without having looked. It
//! passes `61xx` and `6Cxx` through unchanged, a context that has failed once never recovers,
//! although it calls itself valid, and a command has no time limit: whoever sent it to a mute card
//! waits until the card is out.

mod lent;
mod monitor;
mod worker;

pub use lent::Lent;
pub use monitor::{Event, Monitor, Stopper};
pub use worker::{Place, Wanted, Worker};

use std::ffi::CString;
use std::time::Duration;

use ::pcsc::{
    Card, Context, Error, MAX_BUFFER_SIZE_EXTENDED, Protocol, Protocols, ReaderState, Scope,
    ShareMode, State,
};

use super::{Transport, TransportError};
use crate::apdu::{Apdu, Response};
use crate::atr::Atr;

/// A card in a reader, held by this program alone. Dropping it resets the card, so that no right
/// that was proven to it survives.
pub struct PcscCard {
    card: Card,
    atr: Atr,
    protocol: Option<Protocol>,
    /// An answer that does not fit is an error after the card has acted: leave room for any.
    buffer: Vec<u8>,
}

impl PcscCard {
    /// Takes hold of the card in `reader`.
    ///
    /// # Errors
    /// [`TransportError::Busy`] while another program holds it, [`TransportError::CardRemoved`] when
    /// there is none, [`TransportError::Garbage`] when its answer to reset is malformed.
    pub fn connect(reader: &str) -> Result<Self, TransportError> {
        // A context of its own: a wait on another one does not hold this one up.
        Self::connect_over(&Context::establish(Scope::User)?, reader)
    }

    fn connect_over(context: &Context, reader: &str) -> Result<Self, TransportError> {
        let card = exclusive(context, reader)?;
        let status = card.status2_owned()?;
        let atr = Atr::parse(status.atr())
            .map_err(|_| TransportError::Garbage { length: status.atr().len() })?;
        let protocol = status.protocol2();
        Ok(Self { card, atr, protocol, buffer: vec![0; MAX_BUFFER_SIZE_EXTENDED] })
    }
}

fn exclusive(context: &Context, reader: &str) -> Result<Card, Error> {
    let name = CString::new(reader).map_err(|_| Error::UnknownReader)?;
    context.connect(&name, ShareMode::Exclusive, Protocols::ANY)
}

/// The command as the reader sends it. T=0 has one length byte: with data it is Lc, and the answer
/// is fetched after `61xx`; with neither data nor answer it is zero (ISO/IEC 7816-3:2006, 12.2).
fn wire(command: &Apdu, protocol: Option<Protocol>) -> Vec<u8> {
    match (protocol, command.data(), command.expected()) {
        (Some(Protocol::T0), [], None) => [&command.header()[..], &[0]].concat(),
        (Some(Protocol::T0), [_, ..], Some(_)) => command.clone().expecting_nothing().to_bytes(),
        _ => command.to_bytes(),
    }
}

impl Transport for PcscCard {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        match self.card.transmit(&wire(command, self.protocol), &mut self.buffer)? {
            // Some drivers (vpcd among them) say nothing at all for a card that has left.
            [] => Err(TransportError::CardRemoved),
            answer => Ok(Response::parse(answer)?),
        }
    }
}

/// Names of the readers that are there now; none when the service runs without any.
///
/// # Errors
/// [`TransportError::ReaderGone`] when the service does not run.
pub fn readers() -> Result<Vec<String>, TransportError> {
    let names = names(&Context::establish(Scope::User)?)?;
    Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

/// Names of the readers that have a card now, of whatever kind.
///
/// # Errors
/// [`TransportError::ReaderGone`] when the service does not run.
pub fn readers_with_cards() -> Result<Vec<String>, TransportError> {
    let context = Context::establish(Scope::User)?;
    let names = names(&context)?.into_iter();
    let mut states: Vec<_> = names.map(|name| ReaderState::new(name, State::UNAWARE)).collect();
    if !states.is_empty() {
        context.get_status_change(Duration::ZERO, &mut states)?;
    }
    let present = states.iter().filter(|state| state.event_state().contains(State::PRESENT));
    Ok(present.map(|state| state.name().to_string_lossy().into_owned()).collect())
}

fn names(context: &Context) -> Result<Vec<CString>, TransportError> {
    match context.list_readers_owned() {
        Err(Error::NoReadersAvailable) => Ok(Vec::new()),
        names => Ok(names?),
    }
}

impl From<Error> for TransportError {
    fn from(error: Error) -> Self {
        match error {
            // pcsc-lite says `NotTransacted` to the command during which the card leaves.
            Error::RemovedCard
            | Error::NoSmartcard
            | Error::UnpoweredCard
            | Error::ResetCard
            | Error::NotTransacted => Self::CardRemoved,
            Error::NoService
            | Error::ServiceStopped
            | Error::Shutdown
            | Error::CommError
            | Error::InvalidHandle
            | Error::UnknownReader
            | Error::NoReadersAvailable
            | Error::ReaderUnavailable => Self::ReaderGone,
            Error::SharingViolation => Self::Busy,
            Error::Timeout | Error::WaitedTooLong | Error::UnresponsiveCard => Self::Timeout,
            Error::InsufficientBuffer => Self::Garbage { length: MAX_BUFFER_SIZE_EXTENDED },
            other => Self::Failed(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn a_command_has_one_length_byte_under_t0() {
        let header = [0x00, 0x88, 0x00, 0x00];
        let cases: [(&str, Apdu, &[u8], &[u8]); 4] = [
            ("case 1", Apdu::new(header), &hex!("00880000 00"), &hex!("00880000")),
            ("case 2", Apdu::new(header).expecting(8), &hex!("00880000 08"), &hex!("00880000 08")),
            (
                "case 3",
                Apdu::new(header).with_data([7]),
                &hex!("00880000 01 07"),
                &hex!("00880000 01 07"),
            ),
            (
                "case 4",
                Apdu::new(header).with_data([7]).expecting(8),
                &hex!("00880000 01 07"),
                &hex!("00880000 01 07 08"),
            ),
        ];
        for (case, command, t0, t1) in cases {
            assert_eq!(wire(&command, Some(Protocol::T0)), t0, "{case}, T=0");
            assert_eq!(wire(&command, Some(Protocol::T1)), t1, "{case}, T=1");
        }
    }

    #[test]
    fn removal_and_loss_of_the_reader_are_told_apart() {
        type Expected = fn(&TransportError) -> bool;
        let removed: Expected = |e| matches!(e, TransportError::CardRemoved);
        let gone: Expected = |e| matches!(e, TransportError::ReaderGone);
        // What pcsc-lite 1.9 answered when each was tried.
        let cases: [(Error, Expected); 6] = [
            (Error::NotTransacted, removed),
            (Error::RemovedCard, removed),
            (Error::CommError, gone),
            (Error::NoService, gone),
            (Error::UnknownReader, gone),
            (Error::SharingViolation, |e| matches!(e, TransportError::Busy)),
        ];
        for (error, expected) in cases {
            assert!(expected(&error.into()), "{error:?}");
        }
    }
}
