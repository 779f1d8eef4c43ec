//! What every [`SecurityModule`] does alike: the same masters give the same cryptograms, ciphertexts and MACs, wherever
//! they are held.

use card::key::{CardKey, KeyVersion};
use card::messaging::{MAX_PROTECTED, protect, protect_empty};
use card::security::profile;
use card::{CardFactor, CardFactors, ProvinceFactor, SecurityError, SecurityModule};
use hsm::sm4::Sm4Key;

/// Gives the octets of a master, or nothing when the module is not to hold it.
pub type Master = dyn Fn(CardKey, KeyVersion) -> Option<[u8; 16]>;

/// The root key of the profile's vectors (health-card.md, 4.5).
const ROOT: [u8; 16] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
const CHALLENGE: [u8; 8] = *b"\x11\x22\x33\x44\x55\x66\x77\x88";
const FACTORS: CardFactors = CardFactors {
    province: ProvinceFactor(*b"41000000"),
    card: CardFactor(*b"\x11\x01\x22\x01\x00\x00\x00\x01"),
};

/// A master of its own for every version of every key, so that no two are confused unseen.
fn own(key: CardKey, version: KeyVersion) -> [u8; 16] {
    let mut octets = [0xA5; 16];
    octets[0] = key.facts().index;
    octets[1] = version.number();
    octets
}

fn sm4(octets: [u8; 16]) -> Sm4Key {
    let key = Sm4Key::fill::<std::convert::Infallible>(|key| {
        *key = octets;
        Ok(())
    });
    let Ok(key) = key;
    key
}

/// The session key as the rules say it, step by step, from a master in the clear.
fn reference(key: CardKey, master: [u8; 16], factors: &CardFactors, challenge: &[u8; 8]) -> Sm4Key {
    let steps: &[&[u8; 8]] = match key.facts().usage >> 5 {
        1 => &[&factors.card.0, challenge],
        _ => &[&factors.province.0, &factors.card.0, challenge],
    };
    let mut octets = master;
    for factor in steps {
        let above = sm4(octets);
        octets[..8].copy_from_slice(*factor);
        octets[8..].copy_from_slice(&factor.map(|octet| !octet));
        above.encrypt_block(&mut octets);
    }
    sm4(octets)
}

/// Runs the suite. `make` gives a module that holds these masters and no others.
///
/// # Panics
/// When the module breaks the contract.
pub fn suite(make: &mut dyn FnMut(&Master) -> Box<dyn SecurityModule>) {
    let module = make(&|key, version| Some(own(key, version)));
    for (key, version) in CardKey::all_versions() {
        let what = format!("{key} version {version}");
        let expected = reference(key, own(key, version), &FACTORS, &CHALLENGE);
        let mut session = module.session(key, version, &FACTORS, &CHALLENGE).expect(&what);
        let data = [version.number(); 8];
        let cryptogram = profile::cryptogram(&expected, &data);
        assert_eq!(session.cryptogram(&data).expect(&what), cryptogram, "{what}");
        // The session is used again, for another purpose and for the same.
        let mac = profile::mac(&expected, &[data_block(1)]);
        assert_eq!(session.mac(&[data_block(1)]).expect(&what), mac, "{what}");
        assert_eq!(session.mac(&[data_block(1)]).expect(&what), mac, "{what}");
        assert_eq!(session.cryptogram(&data).expect(&what), cryptogram, "{what}");
    }

    long_messages(&*module);
    two_at_once(&*module);
    drop(module); // a reader has one SAM at a time
    what_is_missing(make);
    vectors(&*make(&|_, _| Some(ROOT)));
}

fn data_block(number: usize) -> [u8; 16] {
    [number as u8; 16]
}

/// Messages of every length that secure messaging can have, and one block more.
fn long_messages(module: &dyn SecurityModule) {
    let key = CardKey::StkDf03;
    let expected = reference(key, own(key, KeyVersion::FIRST), &FACTORS, &CHALLENGE);
    let mut session = module.session(key, KeyVersion::FIRST, &FACTORS, &CHALLENGE).expect("held");
    for count in 1..=17 {
        let blocks: Vec<[u8; 16]> = (0..count).map(data_block).collect();
        let encrypted = expected.encrypt_ecb(&blocks.concat()).expect("whole blocks");
        assert_eq!(session.encrypt(&blocks).expect("it encrypts"), encrypted, "{count} blocks");
        let mac = profile::mac(&expected, &blocks);
        assert_eq!(session.mac(&blocks).expect("it authenticates"), mac, "{count} blocks");
    }
    let longest = protect(&mut *session, [0xDC, 1, 4], &[7; MAX_PROTECTED]).expect("it fits");
    assert_eq!(longest.data().len(), 244);
}

/// Two sessions that take turns do not get into each other's way.
fn two_at_once(module: &dyn SecurityModule) {
    let keys = [CardKey::Uk1Ddf1, CardKey::StkDdf1];
    let mut sessions = keys.map(|key| {
        module.session(key, KeyVersion::FIRST, &FACTORS, &CHALLENGE).expect("both are held")
    });
    for data in [[1; 8], [2; 8]] {
        for (key, session) in keys.iter().zip(&mut sessions) {
            let expected = reference(*key, own(*key, KeyVersion::FIRST), &FACTORS, &CHALLENGE);
            let cryptogram = profile::cryptogram(&expected, &data);
            assert_eq!(session.cryptogram(&data).expect("it computes"), cryptogram, "{key}");
        }
    }
}

/// A key that is not held is named, whether the key, its version, or the version on any card is missing.
fn what_is_missing(make: &mut dyn FnMut(&Master) -> Box<dyn SecurityModule>) {
    let second = KeyVersion::new(2).expect("one to four");
    let held = move |key: CardKey, version: KeyVersion| {
        (key != CardKey::LkDf02 && !(key == CardKey::Rk1Df01 && version == second))
            .then(|| own(key, version))
    };
    let module = make(&held);
    let missing = [
        (CardKey::LkDf02, KeyVersion::FIRST),
        (CardKey::Rk1Df01, second),
        (CardKey::StkDdf1, second),
    ];
    for (key, version) in missing {
        let refused = module.session(key, version, &FACTORS, &CHALLENGE).err();
        let named = matches!(
            refused,
            Some(SecurityError::NoKey { key: named, version: of }) if named == key && of == version
        );
        assert!(named, "{key} version {version}: {refused:?}");
    }
    // And those beside them are there.
    for (key, version) in
        [(CardKey::LkDf01, KeyVersion::FIRST), (CardKey::Rk1Df01, KeyVersion::FIRST)]
    {
        assert!(module.session(key, version, &FACTORS, &CHALLENGE).is_ok(), "{key}");
    }
}

/// The vectors of health-card.md, 4.5.
fn vectors(module: &dyn SecurityModule) {
    let session = |key| module.session(key, KeyVersion::FIRST, &FACTORS, &CHALLENGE).expect("held");
    let cryptogram = session(CardKey::Rk1Ddf1).cryptogram(b"\x88\x77\x66\x55\x44\x33\x22\x11");
    assert_eq!(hex::encode_upper(cryptogram.expect("it computes")), "8C7095D6F3EFAB53");

    let mut line = session(CardKey::StkDdf1);
    let record = hex::decode("10143133383030313338303030000000000000000000").expect("hex");
    let update = protect(&mut *line, [0xDC, 0x02, 0x04], &record).expect("it protects");
    assert_eq!(
        hex::encode_upper(update.to_bytes()),
        "04DC0204247825F68CB2B5C3D5F3EADDEBBB9BF95CF3330C30A88CBE8EA1D38DD3E8EFE8F11BD6B0A6"
    );
    let valid = protect_empty(&mut *line, [0xD2, 0x01, 0x04]).expect("it authenticates");
    assert_eq!(hex::encode_upper(valid.to_bytes()), "84D2010404BD2B7F19");
}
