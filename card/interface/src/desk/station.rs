use card::agent::Spelled;
use card::data::Value;
use card::layout::{File, Item};
use card::sam::SamFile;
use card::write::{Mark, VisitKind};

use super::{Body, PinRefused, Slot};
use crate::code::Code;
use crate::field::Characters;

/// Where a card is reached: over a reader and a SAM of this process, or through the desk agent.
///
/// Fields are as on the card, padding included, tag and length left out.
pub(crate) trait Station: Send {
    /// Powers a slot, also when it has power already; the answer to reset.
    fn power_on(&mut self, slot: Slot) -> Result<Vec<u8>, Code>;

    /// Sends a command as it is.
    fn send(&mut self, slot: Slot, command: &[u8]) -> Result<Characters, Code>;

    /// Presents the PIN to the SAM.
    fn verify_pin(&mut self, pin: &[u8]) -> Result<(), PinRefused>;

    /// Changes the PIN of the SAM.
    fn change_pin(&mut self, old: &[u8], new: &[u8]) -> Result<(), Code>;

    /// A file of the SAM.
    fn sam_file(&mut self, file: SamFile) -> Result<Vec<u8>, Code>;

    /// Signs a digest with the SAM's key.
    fn sign(&mut self, digest: &[u8; 32]) -> Result<[u8; 64], Code>;

    /// The field of each item of a file with one record an item, in their order; none where the card,
    /// of 16K, has none.
    fn fields(&mut self, file: &'static File) -> Result<Vec<Option<Characters>>, Code>;

    /// Record `number` of a ring, the newest being 1.
    fn record(&mut self, file: &'static File, number: u8) -> Result<Characters, Code>;

    /// The entries of an index; a 16K card has fewer.
    fn flags(&mut self, index: &'static File) -> Result<Vec<u8>, Code>;

    /// The photo; empty when there is none.
    fn photo(&mut self) -> Result<Characters, Code>;

    /// The bytes of a body that its index calls valid.
    fn body(&mut self, file: &'static File) -> Result<Characters, Code>;

    /// Gives items of a file with one record an item their values.
    fn set(&mut self, file: &'static File, items: Vec<Spelled>) -> Result<(), Code>;

    /// Adds a record to a ring.
    fn append(&mut self, file: &'static File, items: Vec<Spelled>) -> Result<(), Code>;

    /// Marks record `number`, from 1, of a visit.
    fn mark(&mut self, kind: VisitKind, number: u8, mark: Mark) -> Result<(), Code>;

    /// Writes a part of a body that its index calls valid.
    fn write_part(&mut self, part: &Body, bytes: &[u8]) -> Result<(), Code>;

    /// Writes every item of a body but signature and certificate.
    fn write_body(&mut self, file: &'static File, values: &[(Item, Value)]) -> Result<(), Code>;
}
