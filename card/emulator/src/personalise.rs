//! A card for a person: data from a form, keys derived from masters.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::card::data::{CardClass, ContactData, HolderData, IssuerCertificate, IssuerData, Photo};
use ::card::value::BadText;
use ::card::{
    CardFactor, CardFactors, CardKey, CardNumber, ChipSerial, CityCode, EthnicGroup, Name, Payment,
    Phone, ProvinceFactor, ResidentIdNumber,
};
use hsm::sm4::Sm4Key;
use hsm::{CardMaster, KeyError, KeyRef, Keystore};
use time::Date;
use zeroize::Zeroizing;

use crate::image::{Answers, Image};

/// The keys that DDF1 needs, each from a master of its own.
pub const KEYS: [CardKey; 4] =
    [CardKey::IrkDdf1, CardKey::Rk1Ddf1, CardKey::Uk1Ddf1, CardKey::StkDdf1];

/// What goes on a card.
#[derive(Debug, Clone)]
pub struct Person {
    /// Name of the holder.
    pub name: Name,
    /// Their ID number; sex and date of birth follow from it.
    pub id_number: ResidentIdNumber,
    /// Their ethnic group.
    pub ethnic_group: Option<EthnicGroup>,
    /// Their phones.
    pub phones: [Option<Phone>; 2],
    /// How they pay.
    pub payments: [Option<Payment>; 3],
    /// Their photo.
    pub photo: Option<Photo>,
    /// First day of the card.
    pub issued_on: Date,
    /// Last day of the card.
    pub valid_until: Date,
    /// Who issues it.
    pub issuer_name: String,
    /// Where it is issued.
    pub city: CityCode,
    /// Serial of the chip.
    pub chip_serial: ChipSerial,
    /// Historical bytes of the answer to reset.
    pub factor: CardFactor,
}

/// Master keys by what they are for.
#[derive(Default)]
pub struct Masters(BTreeMap<CardKey, Arc<dyn CardMaster>>);

/// Why a card was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PersonaliseError {
    /// A master is missing.
    #[error("no master for {0}")]
    NoMaster(CardKey),
    /// A master did not derive.
    #[error("deriving {key}")]
    Key {
        /// The key.
        key: CardKey,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The issuer's name does not fit the card.
    #[error("the issuer's name does not fit the card")]
    IssuerName(#[source] BadText),
}

impl Masters {
    /// No masters yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with the master of `key`.
    #[must_use]
    pub fn with(mut self, key: CardKey, master: Arc<dyn CardMaster>) -> Self {
        self.0.insert(key, master);
        self
    }

    /// The masters of a keystore, each by the reference that `name` gives for it.
    ///
    /// # Errors
    /// [`PersonaliseError::Key`] when one is missing or is for something else.
    pub fn of_keystore(
        keystore: &dyn Keystore,
        name: impl Fn(CardKey) -> KeyRef,
    ) -> Result<Self, PersonaliseError> {
        KEYS.into_iter().try_fold(Self::new(), |masters, key| {
            let master = keystore.card_master(&name(key));
            let master = master.map_err(|source| PersonaliseError::Key { key, source })?;
            Ok(masters.with(key, master))
        })
    }

    /// One master for every key, as test vectors have it.
    pub fn single(master: Sm4Key) -> Self {
        let master: Arc<dyn CardMaster> = Arc::new(LooseMaster(master));
        KEYS.into_iter().fold(Self::new(), |masters, key| masters.with(key, master.clone()))
    }

    /// The master of `key`.
    pub fn master(&self, key: CardKey) -> Option<Arc<dyn CardMaster>> {
        self.0.get(&key).cloned()
    }

    /// The key of one card, as bytes for its image. It travels as into a real card, under a
    /// transport key made for the occasion.
    fn card_key(
        &self,
        key: CardKey,
        factors: &CardFactors,
    ) -> Result<Zeroizing<[u8; 16]>, PersonaliseError> {
        let master = self.0.get(&key).ok_or(PersonaliseError::NoMaster(key))?;
        let transport = Sm4Key::generate();
        let wrapped = master.derive_wrapped(&key.derivation(factors), &transport);
        let mut bytes =
            Zeroizing::new(wrapped.map_err(|source| PersonaliseError::Key { key, source })?);
        transport.decrypt_block(&mut bytes);
        Ok(bytes)
    }
}

/// The image of a card for `person`.
///
/// # Errors
/// [`PersonaliseError`] when a master is missing or the issuer's name does not fit.
pub fn personalise(person: &Person, masters: &Masters) -> Result<Image, PersonaliseError> {
    let factors = CardFactors { province: ProvinceFactor::from(&person.city), card: person.factor };
    let keys = KEYS.into_iter().map(|key| Ok((key, masters.card_key(key, &factors)?)));
    let issuer = IssuerData {
        class: CardClass(b'1'),
        version: "1.0".parse().expect("three characters of four"),
        name: person.issuer_name.clone(),
        // A code of our own: region and zeros; the registry knows the real one.
        code: format!("{:0<22}", person.city.as_str()).parse().expect("22 digits"),
        certificate: IssuerCertificate([0; 180]),
        issued_on: person.issued_on,
        card_number: CardNumber::from(&person.id_number),
        security_code: "000".parse().expect("three digits"),
        chip_serial: person.chip_serial.clone(),
        city: person.city.clone(),
    };
    issuer.encode().map_err(PersonaliseError::IssuerName)?;
    Ok(Image {
        factor: person.factor,
        answers: Answers::Direct,
        keys: keys.collect::<Result<_, PersonaliseError>>()?,
        issuer,
        holder: HolderData {
            name: person.name.clone(),
            sex: person.id_number.sex(),
            ethnic_group: person.ethnic_group,
            birth_date: person.id_number.birth_date(),
            id_number: person.id_number.clone(),
        },
        photo: person.photo.clone(),
        contact: ContactData {
            valid_until: person.valid_until,
            phones: person.phones.clone(),
            payments: person.payments,
        },
        overrides: BTreeMap::new(),
    })
}

/// A master in memory, outside any keystore: for tests and for masters given as hex.
pub struct LooseMaster(pub Sm4Key);

impl CardMaster for LooseMaster {
    fn derive(&self, blocks: &[[u8; 16]]) -> Result<Sm4Key, KeyError> {
        match blocks {
            [] => Err(KeyError::NothingToDeriveFrom),
            blocks => Ok(self.0.derive(blocks)),
        }
    }

    fn derive_wrapped(
        &self,
        blocks: &[[u8; 16]],
        transport: &Sm4Key,
    ) -> Result<[u8; 16], KeyError> {
        let (last, before) = blocks.split_last().ok_or(KeyError::NothingToDeriveFrom)?;
        // The last step by hand, so that the derived key appears as bytes, to be wrapped at once.
        let mut key = Zeroizing::new(*last);
        self.0.derive(before).encrypt_block(&mut key);
        transport.encrypt_block(&mut key);
        Ok(*key)
    }
}
