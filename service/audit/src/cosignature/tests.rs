use proptest::prelude::*;
use sm2::dsa::{Signature, SigningKey, signature::Signer as _};

use super::*;
use crate::testing::{key, note, other_key, signing_key};

const WITNESS: &str = "witness.example";
const TIME: u64 = 1_795_803_600;

fn witness(seed: u8) -> (WitnessKey, SigningKey) {
    let key = signing_key(seed);
    let public_key = key.verifying_key().to_sec1_bytes();
    (WitnessKey::new(WITNESS, public_key.as_ref().try_into().unwrap()).unwrap(), key)
}

/// The line of the witness of this seed.
fn line(seed: u8, note: &str, time: u64) -> String {
    let (witness, key) = witness(seed);
    let sign = |octets: &[u8]| -> Result<[u8; 64], NoteError> {
        let signature: Signature = key.sign(octets);
        Ok(signature.to_bytes().into())
    };
    witness.cosign(note, time, sign).unwrap()
}

#[test]
fn a_cosigned_checkpoint_reads_back() {
    let plain = note(42, [7; 32]);
    let both = cosigned(&plain, &[&line(3, &plain, TIME), &line(4, &plain, TIME + 9)]).unwrap();
    for (seed, time) in [(3, TIME), (4, TIME + 9)] {
        let read = witness(seed).0.witnessed(&both, &key()).unwrap();
        assert_eq!((read.checkpoint.size, read.time), (42, time));
    }
    // The log's own signature stands as before, and the newest word of a witness counts.
    assert_eq!(Checkpoint::verify(&both, &key()).unwrap().size, 42);
    let again = cosigned(&both, &[&line(3, &plain, TIME + 60)]).unwrap();
    assert_eq!(witness(3).0.time_of(&again), Ok(TIME + 60));
    // A witness's key is written as such, and read as nothing else.
    let text = witness(3).0.to_string();
    assert_eq!(text.parse::<WitnessKey>(), Ok(witness(3).0));
    assert!(text.parse::<VerifierKey>().is_err());
    assert!(key().to_string().parse::<WitnessKey>().is_err());
}

#[test]
fn what_a_witness_did_not_sign_is_refused() {
    let plain = note(42, [7; 32]);
    let mine = line(3, &plain, TIME);
    let other_size = note(43, [7; 32]);
    let late = mine.replace(' ', "  ");
    let (blob_at, _) = mine.char_indices().nth(WITNESS.len() + 9).unwrap();
    let other_time = {
        let mut line = mine.clone().into_bytes();
        line[blob_at] = if line[blob_at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(line).unwrap()
    };
    let with = |note: &str, line: &str| format!("{note}{line}");
    #[rustfmt::skip]
    let cases = [
        ("nobody's", plain.clone(), NoteError::NotSigned),
        ("another witness's", with(&plain, &line(4, &plain, TIME)), NoteError::NotSigned),
        ("that of another checkpoint", with(&other_size, &mine), NoteError::BadSignature),
        ("another time", with(&plain, &other_time), NoteError::BadSignature),
        ("one good and one bad", [&*plain, &mine, &other_time].concat(), NoteError::BadSignature),
        ("no line", with(&plain, &late), NoteError::Form),
        ("one cut short", with(&plain, mine.trim_end()), NoteError::Form),
    ];
    for (why, note, error) in cases {
        assert_eq!(witness(3).0.witnessed(&note, &key()), Err(error), "{why}");
    }
    let good = with(&plain, &mine);
    assert_eq!(witness(3).0.witnessed(&good, &other_key()), Err(NoteError::NotSigned));
    let short = format!("{plain}{}", witness(3).0.line(&[0; 7]));
    assert_eq!(witness(3).0.time_of(&short), Err(NoteError::BadSignature));
}

#[test]
fn only_lines_of_signatures_are_put_below_a_note() {
    let plain = note(42, [7; 32]);
    let mine = line(3, &plain, TIME);
    assert_eq!(cosigned(&plain, &[]).unwrap(), plain);
    let many: Vec<&str> = vec![&mine; 16];
    for lines in
        [&["\n"][..], &["x\n"], &[&mine[..9]], &[&plain], &["\u{2014} a \u{2014}\n"], &many]
    {
        assert_eq!(cosigned(&plain, lines), Err(NoteError::Form), "{lines:?}");
    }
    let two = format!("{mine}{mine}");
    assert_eq!(cosigned(&plain, &[&two]), Err(NoteError::Form), "two lines are not one");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bit_of_a_cosigned_note_may_change(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let plain = note(42, [7; 32]);
        let mut both = cosigned(&plain, &[&line(3, &plain, TIME)]).unwrap().into_bytes();
        let at = at.index(both.len());
        both[at] ^= 1 << bit;
        if let Ok(both) = String::from_utf8(both) {
            prop_assert!(witness(3).0.witnessed(&both, &key()).is_err());
        }
    }
}
