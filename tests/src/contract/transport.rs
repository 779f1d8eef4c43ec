//! What every [`Transport`] does alike: a card is read through it, refuses through it, and leaves through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use card::key::{CardKey, KeyVersion};
use card::layout::Profile;
use card::{
    CardFactor, IdentityReading, ReadError, SoftSecurityModule, Transport, TransportError,
    read_identity, read_photo,
};
use card_emulator::{Card, Fault, Masters, Person};
use hsm::sm4::Sm4Key;
use service::demo::people::{PATIENT, Resident};
use time::macros::date;

/// A slot that a test puts cards into, and the transport to what is in it.
pub trait Reader {
    /// Puts a card in, and connects to it.
    fn insert(&mut self, card: Card) -> Box<dyn Transport>;
    /// Takes it out.
    fn remove(&mut self);
}

/// The issuer's side: masters, and the security module that computes with them.
pub struct Issuer {
    masters: Masters,
    /// For reading cards of this issuer.
    pub security: SoftSecurityModule,
}

impl Issuer {
    /// One with keys of its own.
    ///
    /// # Panics
    /// When the system gives no randomness.
    #[must_use]
    pub fn new() -> Self {
        let masters = Masters::single(Sm4Key::generate());
        let module = [CardKey::IrkDdf1, CardKey::Rk1Ddf1].into_iter().fold(
            SoftSecurityModule::new(),
            |module, key| {
                let version = KeyVersion::FIRST;
                let master = masters.master(key, version).expect("a single master serves all keys");
                module.with(key, version, Arc::clone(&master))
            },
        );
        Self { masters, security: module }
    }

    /// A card for somebody.
    ///
    /// # Panics
    /// When the person's data do not fit a card.
    #[must_use]
    pub fn card(&self, resident: &Resident) -> Card {
        let mut factor = CardFactor([0; 8]);
        hex::decode_to_slice(resident.card_factor, &mut factor.0).expect("eight bytes");
        let person = Person {
            name: resident.name.parse().expect("a name"),
            id_number: resident.id_number.parse().expect("an ID number"),
            ethnic_group: None,
            phones: [Some(resident.phone.parse().expect("a phone")), None],
            payments: [None; 3],
            photo: None,
            issued_on: date!(2024 - 01 - 01),
            valid_until: date!(2039 - 12 - 31),
            issuer_name: "居民健康卡发卡中心".to_owned(),
            city: "990000".parse().expect("a city"),
            chip_serial: resident.chip_serial.parse().expect("a serial"),
            factor,
            profile: Profile::Full,
        };
        let nothing_else = BTreeMap::new();
        let image = card_emulator::personalise::personalise(&person, &self.masters, &nothing_else);
        let image = image.expect("a card image");
        Card::new(image, Box::new(|challenge| *challenge = [7; 8]))
    }
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

fn read(transport: &mut dyn Transport, issuer: &Issuer) -> Result<IdentityReading, ReadError> {
    read_identity(
        transport,
        &issuer.security,
        &mut |octets| *octets = [9; 8],
        date!(2026 - 11 - 23),
    )
}

/// Runs the suite; how many commands one reading took.
///
/// # Panics
/// When the transport breaks the contract.
pub fn suite(reader: &mut dyn Reader) -> u32 {
    let issuer = Issuer::new();

    // A card is read, and read again in the same session.
    let mut transport = reader.insert(issuer.card(&PATIENT));
    let reading = read(&mut *transport, &issuer).expect("a genuine card is read");
    assert_eq!(reading.holder.name.as_str(), PATIENT.name);
    assert_eq!(reading.holder.id_number.as_str(), PATIENT.id_number);
    let again = read(&mut *transport, &issuer).expect("and read again");
    assert_eq!(again.commands, reading.commands);
    let photo = read_photo(
        &mut *transport,
        &issuer.security,
        &mut |octets| *octets = [9; 8],
        date!(2026 - 11 - 23),
    );
    assert!(photo.expect("the file of the photo is read").is_none());

    // Taken out, the card is gone, and stays gone for this transport.
    reader.remove();
    for _ in 0..2 {
        let gone = read(&mut *transport, &issuer);
        assert!(matches!(gone, Err(ReadError::Removed { .. })), "{gone:?}");
    }
    drop(transport);

    // It leaves in the middle of a session, at every command.
    for at in 1..=reading.commands {
        let mut card = issuer.card(&PATIENT);
        card.misbehave(Fault::GoneAt(at));
        let mut transport = reader.insert(card);
        let gone = read(&mut *transport, &issuer);
        assert!(matches!(gone, Err(ReadError::Removed { .. })), "command {at}: {gone:?}");
        drop(transport);
        reader.remove();
    }

    // Another issuer's card, and answers that are none.
    let mut transport = reader.insert(Issuer::new().card(&PATIENT));
    let forged = read(&mut *transport, &issuer);
    assert!(matches!(forged, Err(ReadError::NotGenuine { .. })), "{forged:?}");
    drop(transport);
    reader.remove();
    let mut card = issuer.card(&PATIENT);
    card.misbehave(Fault::Short);
    let mut transport = reader.insert(card);
    let garbage = read(&mut *transport, &issuer);
    assert!(
        matches!(
            &garbage,
            Err(ReadError::Transport { source: TransportError::Garbage { .. }, .. })
        ),
        "{garbage:?}"
    );
    drop(transport);
    reader.remove();
    reading.commands
}
