//! A card for a person: data from a form, keys derived from masters.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::card::command::personalise::TRANSPORT_MASTER;
use ::card::data::{CardClass, ContactData, HolderData, IssuerCertificate, IssuerData, Photo};
use ::card::layout::Profile;
use ::card::layout::ddf1::{ef05, ef06, ef08};
use ::card::security::Diversification;
use ::card::security::profile::div1;
use ::card::value::BadText;
use ::card::{
    CardFactor, CardFactors, CardKey, CardNumber, ChipSerial, CityCode, EthnicGroup, KeyVersion,
    Name, Payment, Phone, ProvinceFactor, ResidentIdNumber,
};
use hsm::sm4::Sm4Key;
use hsm::{CardMaster, KeyError, KeyRef, Keystore};
use time::Date;
use zeroize::Zeroizing;

use crate::image::{self, Answers, Blocked, FileText, Files, Image, ImageError, Keys};

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
    /// What the card has room for.
    pub profile: Profile,
}

/// Master keys by what they are for: one for each version of each key of a card.
#[derive(Default)]
pub struct Masters(BTreeMap<(CardKey, KeyVersion), Arc<dyn CardMaster>>);

/// Why a card was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PersonaliseError {
    /// A master is missing.
    #[error("no master for {key} version {version}")]
    NoMaster {
        /// The key.
        key: CardKey,
        /// Its version.
        version: KeyVersion,
    },
    /// A master did not derive.
    #[error("deriving {key} version {version}")]
    Key {
        /// The key.
        key: CardKey,
        /// Its version.
        version: KeyVersion,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The issuer's name does not fit the card.
    #[error("the issuer's name does not fit the card")]
    IssuerName(#[source] BadText),
    /// The transport master is missing or did not derive.
    #[error("deriving the transport key")]
    Transport(#[source] KeyError),
    /// What else is to be on the card does not fit it.
    #[error(transparent)]
    Contents(#[from] ImageError),
}

impl Masters {
    /// No masters yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with the master of a version of `key`.
    #[must_use]
    pub fn with(mut self, key: CardKey, version: KeyVersion, master: Arc<dyn CardMaster>) -> Self {
        self.0.insert((key, version), master);
        self
    }

    /// The masters of a keystore, each by the reference that `name` gives for it.
    ///
    /// # Errors
    /// [`PersonaliseError::Key`] when one is missing or is for something else.
    pub fn of_keystore(
        keystore: &dyn Keystore,
        name: impl Fn(CardKey, KeyVersion) -> KeyRef,
    ) -> Result<Self, PersonaliseError> {
        CardKey::all_versions().try_fold(Self::new(), |masters, (key, version)| {
            let master = keystore.card_master(&name(key, version));
            let master = master.map_err(|source| PersonaliseError::Key { key, version, source })?;
            Ok(masters.with(key, version, master))
        })
    }

    /// One master for the first version of every key, as test vectors have it; those of further
    /// versions follow from it by their number.
    pub fn single(master: Sm4Key) -> Self {
        let versions = [1, 2, 3, 4].map(|number| match number {
            1 => master.derive(&[]),
            number => master.derive(&[[number; 16]]),
        });
        let versions: [Arc<dyn CardMaster>; 4] =
            versions.map(|master| Arc::new(LooseMaster(master)) as Arc<_>);
        CardKey::all_versions().fold(Self::new(), |masters, (key, version)| {
            let master = versions[usize::from(version.number()) - 1].clone();
            masters.with(key, version, master)
        })
    }

    /// The master of a version of `key`.
    pub fn master(&self, key: CardKey, version: KeyVersion) -> Option<Arc<dyn CardMaster>> {
        self.0.get(&(key, version)).cloned()
    }

    /// The key of one card, as bytes for its image.
    fn card_key(
        &self,
        key: CardKey,
        version: KeyVersion,
        factors: &CardFactors,
    ) -> Result<Zeroizing<[u8; 16]>, PersonaliseError> {
        let missing = PersonaliseError::NoMaster { key, version };
        let master = self.0.get(&(key, version)).ok_or(missing)?;
        unwrapped(&**master, &key.derivation(Diversification::Div1, factors))
            .map_err(|source| PersonaliseError::Key { key, version, source })
    }
}

/// A key as bytes. It travels as into a real card, under a transport key made for the occasion.
fn unwrapped(
    master: &dyn CardMaster,
    blocks: &[[u8; 16]],
) -> Result<Zeroizing<[u8; 16]>, KeyError> {
    let transport = Sm4Key::generate();
    let mut bytes = Zeroizing::new(master.derive_wrapped(blocks, &transport)?);
    transport.decrypt_block(&mut bytes);
    Ok(bytes)
}

/// A blank card, whose transport key is diversified from the transport master by its factor.
///
/// # Errors
/// [`PersonaliseError::Transport`] when the master does not derive.
pub fn blank(
    factor: CardFactor,
    profile: Profile,
    transport: &dyn CardMaster,
) -> Result<Image, PersonaliseError> {
    let key = unwrapped(transport, &[div1(&factor.0)]).map_err(PersonaliseError::Transport)?;
    Ok(Image::blank(factor, profile, key))
}

/// The transport master of a keystore.
///
/// # Errors
/// [`PersonaliseError::Transport`] when it is missing.
pub fn transport_master(keystore: &dyn Keystore) -> Result<Arc<dyn CardMaster>, PersonaliseError> {
    let name = format!("soft:{TRANSPORT_MASTER}").parse().expect("letters and hyphens");
    keystore.card_master(&name).map_err(PersonaliseError::Transport)
}

/// The image of a card for `person`, with whatever else `files` tell.
///
/// # Errors
/// [`PersonaliseError`] when a master is missing or something does not fit.
pub fn personalise(
    person: &Person,
    masters: &Masters,
    files: &BTreeMap<String, FileText>,
) -> Result<Image, PersonaliseError> {
    let factors = CardFactors { province: ProvinceFactor::from(&person.city), card: person.factor };
    let mut keys = Keys::default();
    for (key, version) in CardKey::all_versions() {
        let bytes = masters.card_key(key, version, &factors)?;
        keys.insert(image::Name::Card(key, version), bytes);
    }
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
    let holder = HolderData {
        name: person.name.clone(),
        sex: person.id_number.sex(),
        ethnic_group: person.ethnic_group,
        birth_date: person.id_number.birth_date(),
        id_number: person.id_number.clone(),
    };
    let contact = ContactData {
        valid_until: person.valid_until,
        phones: person.phones.clone(),
        payments: person.payments,
    };
    let mut tree = Files::complete(person.profile);
    let issuer = issuer.encode().map_err(PersonaliseError::IssuerName)?;
    tree.write_records(&ef05::FILE, issuer);
    tree.write_records(&ef06::FILE, holder.encode());
    tree.write_records(&ef08::FILE, contact.encode());
    let mut image = Image {
        factor: person.factor,
        answers: Answers::Direct,
        profile: person.profile,
        keys,
        files: tree,
        blocked: Blocked::default(),
    };
    if person.photo.is_some() {
        image.set_photo(person.photo.as_ref())?;
    }
    image::fill(&mut image, files)?;
    Ok(image)
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
