//! A person who does not exist, the masters of the test vectors, and a security module that holds
//! them: what a test of any crate needs to have a card read.

pub mod making;

use std::sync::Arc;

use ::card::certificate::{Body, Holder, SamSerial};
use ::card::data::IssuerCode;
use ::card::layout::Profile;
use ::card::sam::{ApplicationFile, PublicFile, TerminalNumber};
use ::card::{CardFactor, CardKey, EthnicGroup, KeyVersion, Payment, Pin, SoftSecurityModule};
use hsm::sm2::SecretKey;
use hsm::sm4::Sm4Key;
use time::macros::date;

use crate::card::Card;
use crate::image::Image;
use crate::personalise::{LooseMaster, Masters, Person, personalise};
use crate::sam::{Sam, SamImage};

/// The root key of the SM4 profile's vectors (health-card.md, 4.5).
const ROOT: [u8; 16] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";

/// One master for every key.
pub fn masters() -> Masters {
    masters_of(ROOT)
}

/// One master of these bytes for every key: another issuer, or a forger.
pub fn masters_of(root: [u8; 16]) -> Masters {
    Masters::single(key(root))
}

/// Masters that differ from key to key, and from version to version, as those of an issuer do.
pub fn distinct_masters() -> Masters {
    let root = key(ROOT);
    CardKey::all_versions().fold(Masters::new(), |masters, (name, version)| {
        let master = root.derive(&[[name.facts().index; 16], [version.number(); 16]]);
        masters.with(name, version, Arc::new(LooseMaster(master)))
    })
}

/// A transport master.
pub fn transport_master() -> LooseMaster {
    LooseMaster(key(*b"blank cards only"))
}

fn key(bytes: [u8; 16]) -> Sm4Key {
    let key = Sm4Key::fill::<std::convert::Infallible>(|key| {
        *key = bytes;
        Ok(())
    });
    let Ok(key) = key;
    key
}

/// A security module that holds `masters`.
pub fn module(masters: &Masters) -> SoftSecurityModule {
    CardKey::all_versions().fold(SoftSecurityModule::new(), |module, (key, version)| {
        let master = masters.master(key, version).expect("samples have every master");
        module.with(key, version, master)
    })
}

/// 张三, with the ID number printed in GB 11643-1999.
pub fn person() -> Person {
    Person {
        name: "张三".parse().expect("two characters"),
        id_number: "11010519491231002X".parse().expect("the standard's example"),
        ethnic_group: EthnicGroup::from_code(1),
        phones: ["13800138000".parse().ok(), None],
        payments: [Payment::from_code(1), None, None],
        photo: None,
        issued_on: date!(2024 - 01 - 02),
        valid_until: date!(2034 - 01 - 01),
        issuer_name: "河南省卫生厅".to_owned(),
        city: "410100".parse().expect("six digits"),
        chip_serial: "0000000001".parse().expect("ten digits"),
        factor: CardFactor(*b"\x11\x01\x22\x01\x00\x00\x00\x01"),
        profile: Profile::Full,
    }
}

/// The image of that person's card.
pub fn image() -> Image {
    image_of(&masters())
}

/// The image of that person's card from these masters.
pub fn image_of(masters: &Masters) -> Image {
    personalise(&person(), masters, &Default::default()).expect("samples have every master")
}

/// A card whose challenges count up from `11 22 33 44 55 66 77 88`, so that sessions repeat.
pub fn card(image: Image) -> Card {
    Card::new(image, Box::new(counter(0x1122_3344_5566_7788)))
}

/// Bytes that count up from `start`: randomness for a session that repeats.
pub fn counter(mut start: u64) -> impl FnMut(&mut [u8; 8]) + Send {
    move |bytes| {
        *bytes = start.to_be_bytes();
        start = start.wrapping_add(1);
    }
}

/// The SAM of the sample's issuer, with the PIN `123456` and the vectors' root as every master.
pub fn sam() -> Sam {
    sam_of(|_, _| Some(ROOT))
}

/// The same SAM with other masters: those that `master` gives.
pub fn sam_of(master: impl Fn(CardKey, KeyVersion) -> Option<[u8; 16]>) -> Sam {
    let masters = CardKey::all_versions().fold(Masters::new(), |masters, (name, version)| {
        match master(name, version) {
            Some(bytes) => masters.with(name, version, Arc::new(LooseMaster(key(bytes)))),
            None => masters,
        }
    });
    Sam::new(sam_image(), masters, Box::new(counter(0x8877_6655_4433_2211)))
}

/// The image of that SAM. Its issuer's and its own SM2 key are new each time.
pub fn sam_image() -> SamImage {
    let (issuer, key) = (SecretKey::generate(), SecretKey::generate());
    let serial = SamSerial(*b"\0\0\0\0\0\0\0\0\0\x01");
    let code: IssuerCode = "4101000000000000000001".parse().expect("22 digits");
    let certificate = |holder, subject: &SecretKey| {
        let body = Body {
            holder,
            authority: code.clone(),
            subject: code.clone(),
            serial: [0, 0, 0, 0, 0, 0, 0, 1],
            valid_from: date!(2024 - 01 - 02),
            valid_until: date!(2034 - 01 - 01),
            key: subject.public().clone(),
        };
        body.sign(&issuer).expect("software keys sign").to_bytes()
    };
    let own = certificate(Holder::Issuer, &issuer);
    let sams = certificate(Holder::Sam(serial), &key);
    SamImage {
        public: PublicFile { serial, version: 1, key_card: 1, commands: 1, issuer_fci: 0 },
        terminal: TerminalNumber(*b"\x41\x01\x01\0\0\x01"),
        application: ApplicationFile {
            key_index: 1,
            issuer: [0x41; 8],
            receiver: [0x42; 8],
            valid_from: date!(2024 - 01 - 02),
            valid_until: date!(2034 - 01 - 01),
        },
        issuer_certificate: own.try_into().expect("an issuer's certificate has 180 bytes"),
        certificate: sams.try_into().expect("a SAM's certificate has 190 bytes"),
        pin: Pin::from_digits("123456").expect("six digits"),
        key,
    }
}
