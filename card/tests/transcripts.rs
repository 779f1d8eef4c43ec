//! Recorded card sessions, replayed. A real card of the same keys and person would replay them too.

use std::sync::Arc;

use card::session::Step;
use card::transport::transcript::{Replay, Transcript};
use card::{CardKey, KeyVersion, ReadError, SoftSecurityModule, read_identity};
use hex_literal::hex;
use hsm::sm4::Sm4Key;
use hsm::{CardMaster, KeyError};
use time::macros::date;

/// The root of the SM4 profile's vectors (health-card.md, 4.5).
struct Root;

impl CardMaster for Root {
    fn derive(&self, blocks: &[[u8; 16]]) -> Result<Sm4Key, KeyError> {
        let root = Sm4Key::fill(|key| {
            *key = hex!("0123456789ABCDEFFEDCBA9876543210");
            Ok::<(), KeyError>(())
        })?;
        Ok(root.derive(blocks))
    }

    fn derive_wrapped(&self, _: &[[u8; 16]], _: &Sm4Key) -> Result<[u8; 16], KeyError> {
        Err(KeyError::Locked)
    }
}

/// Reads a recorded card, with the random bytes of the recording.
fn read(card: &mut Replay) -> Result<card::IdentityReading, ReadError> {
    let module = [CardKey::IrkDdf1, CardKey::Rk1Ddf1]
        .into_iter()
        .fold(SoftSecurityModule::new(), |module, key| {
            module.with(key, KeyVersion::FIRST, Arc::new(Root))
        });
    let mut next = 0x8877_6655_4433_2211u64;
    let mut random = |bytes: &mut [u8; 8]| {
        *bytes = next.to_be_bytes();
        next += 1;
    };
    read_identity(card, &module, &mut random, date!(2026 - 03 - 01))
}

const IDENTITY: &str = include_str!("transcripts/identity.txt");

#[test]
fn a_recorded_reading_is_read_again() {
    let mut card = Replay::new(IDENTITY.parse().unwrap());
    let reading = read(&mut card).unwrap();
    assert_eq!(reading.holder.name.as_str(), "张三");
    assert_eq!(reading.holder.id_number.as_str(), "11010519491231002X");
    assert_eq!(reading.valid_until, date!(2034 - 01 - 01));
    assert_eq!(reading.issuer.city.as_str(), "410100");
    assert_eq!((reading.commands, card.left()), (18, 0));
}

#[test]
fn a_recording_cut_anywhere_is_a_removed_card() {
    let lines: Vec<&str> = IDENTITY.lines().collect();
    for answer in (3..lines.len()).step_by(2) {
        let cut = [&lines[..answer], &["! removed"]].concat().join("\n");
        let refused = read(&mut Replay::new(cut.parse::<Transcript>().unwrap()));
        assert!(matches!(refused, Err(ReadError::Removed { .. })), "line {answer}: {refused:?}");
    }
}

#[test]
fn another_answer_to_the_internal_challenge_is_not_genuine() {
    let forged = IDENTITY.replace("< CDB01B737AA43F199000", "< CDB01B737AA43F189000");
    assert_ne!(forged, IDENTITY);
    let refused = read(&mut Replay::new(forged.parse().unwrap()));
    assert!(matches!(refused, Err(ReadError::NotGenuine { .. })));
    let short = IDENTITY.replace("< CDB01B737AA43F199000", "< CDB01B737AA43F9000");
    let refused = read(&mut Replay::new(short.parse().unwrap()));
    assert!(matches!(refused, Err(ReadError::Refused { at: Step::ProveGenuine, .. })));
}
