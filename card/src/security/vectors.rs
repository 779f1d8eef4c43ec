//! The vectors of the SM4 profile (health-card.md, 4.5; computed with OpenSSL's SM4).

use std::sync::Arc;

use hex_literal::hex;
use hsm::sm4::Sm4Key;
use hsm::{CardMaster, KeyError};

use super::*;
use crate::atr::CardFactor;
use crate::key::ProvinceFactor;
use crate::messaging::{MAX_PROTECTED, ProtectError, protect, protect_empty};
use crate::security::profile::div1;

const ROOT: [u8; 16] = hex!("0123456789ABCDEFFEDCBA9876543210");
const CHALLENGE: [u8; 8] = hex!("1122334455667788");
const FACTORS: CardFactors = CardFactors {
    province: ProvinceFactor(*b"41000000"),
    card: CardFactor(hex!("1101220100000001")),
};

/// The root of the vectors as a master.
struct Root;

impl CardMaster for Root {
    fn derive(&self, blocks: &[[u8; 16]]) -> Result<Sm4Key, KeyError> {
        Ok(key(ROOT).derive(blocks))
    }

    fn derive_wrapped(&self, _: &[[u8; 16]], _: &Sm4Key) -> Result<[u8; 16], KeyError> {
        Err(KeyError::Locked)
    }
}

fn key(bytes: [u8; 16]) -> Sm4Key {
    Sm4Key::fill(|key| {
        *key = bytes;
        Ok::<(), KeyError>(())
    })
    .unwrap()
}

fn module() -> SoftSecurityModule {
    let root: Arc<dyn CardMaster> = Arc::new(Root);
    SoftSecurityModule::new().with(CardKey::Rk1Ddf1, KeyVersion::FIRST, root.clone()).with(
        CardKey::StkDdf1,
        KeyVersion::FIRST,
        root,
    )
}

#[test]
fn every_step_of_diversification_is_as_computed() {
    assert_eq!(FACTORS.province.0, hex!("3431303030303030"));
    let province = hex!("71B5329BB4EC4E2F8ABDE61BD953DE5E");
    let card = hex!("A403DDABD7ED14F3BBE534CC5613DE57");
    let session = hex!("C748DB48FA584085BB2722D66AAC1C12");
    let steps = [
        ("K province", ROOT, FACTORS.province.0, province),
        ("K card", province, FACTORS.card.0, card),
        ("K session", card, CHALLENGE, session),
    ];
    for (name, above, factor, below) in steps {
        let mut block = div1(&factor);
        key(above).encrypt_block(&mut block);
        assert_eq!(block, below, "{name}");
    }
}

#[test]
fn the_cryptogram_is_as_computed() {
    let data = hex!("8877665544332211");
    let mut block = hex!("88776655443322110000000000000000");
    key(hex!("C748DB48FA584085BB2722D66AAC1C12")).encrypt_block(&mut block);
    assert_eq!(block, hex!("9C2DDFAB903F4F8A105D4A7D63D0E4D9"));

    let module = module();
    let mut session =
        module.session(CardKey::Rk1Ddf1, KeyVersion::FIRST, &FACTORS, &CHALLENGE).unwrap();
    assert_eq!(session.cryptogram(&data).unwrap(), hex!("8C7095D6F3EFAB53"));
}

#[test]
fn the_protected_update_is_as_computed() {
    let module = module();
    let mut session =
        module.session(CardKey::StkDdf1, KeyVersion::FIRST, &FACTORS, &CHALLENGE).unwrap();
    // The session key shows itself by what it makes of zeros.
    let mut zeros = [0; 16];
    key(hex!("107F3B49C0B17CC61BF4F9C011F65CEE")).encrypt_block(&mut zeros);
    assert_eq!(session.encrypt(&[[0; 16]]).unwrap(), zeros);

    let record = hex!("10143133383030313338303030000000000000000000");
    let update = protect(&mut *session, [0xDC, 0x02, 0x04], &record).unwrap();
    let expected = hex!(
        "04DC020424 7825F68CB2B5C3D5F3EADDEBBB9BF95CF3330C30A88CBE8EA1D38DD3E8EFE8F1 1BD6B0A6"
    );
    assert_eq!(update.to_bytes(), expected);
    let valid = protect_empty(&mut *session, [0xD2, 0x01, 0x04]).unwrap();
    assert_eq!(valid.to_bytes(), hex!("84D2010404 BD2B7F19"));
}

#[test]
fn protected_sizes_are_those_seen_on_the_wire() {
    let module = module();
    let mut session =
        module.session(CardKey::StkDdf1, KeyVersion::FIRST, &FACTORS, &CHALLENGE).unwrap();
    // health-card.md, 3.4: check sums, and padding even after a full block.
    let cases = [("phone", 22, 0x24), ("allergy", 120, 0x84), ("full block", 15, 0x24)];
    for (what, size, lc) in cases {
        let update = protect(&mut *session, [0xDC, 0x02, 0x04], &vec![0; size]).unwrap();
        assert_eq!(update.data().len(), lc, "{what}");
    }
    assert!(protect(&mut *session, [0xDC, 1, 4], &[0; MAX_PROTECTED]).is_ok());
    let long = protect(&mut *session, [0xDC, 1, 4], &[0; MAX_PROTECTED + 1]);
    assert!(matches!(long, Err(ProtectError::TooLong(239))));
}

#[test]
fn a_key_that_is_not_held_is_named() {
    let module = module();
    let missing = module.session(CardKey::IrkDdf1, KeyVersion::FIRST, &FACTORS, &CHALLENGE);
    assert!(matches!(missing.err(), Some(SecurityError::NoKey { key: CardKey::IrkDdf1, .. })));
}
