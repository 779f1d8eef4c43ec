use hsm::sm2::SecretKey;
use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn reading() -> OfflineReading {
    OfflineReading {
        id: *b"0123456789abcdef",
        desk: "01939d5e-7a00-7000-8000-000000000001".to_owned(),
        at: datetime!(2026-11-26 03:04:05 UTC),
        factor: CardFactor([1, 2, 3, 4, 5, 6, 7, 8]),
        chip_serial: "0000000001".parse().unwrap(),
        card_number: "11010119000307473X".parse().unwrap(),
        list: 7,
        standing: Standing::NotListed,
        proof: Proof::Genuine,
        refusal: None,
    }
}

#[test]
fn only_the_service_opens_what_a_desk_sealed() {
    let key = SecretKey::generate();
    let to = SealingKey::from_sec1(key.public().as_sec1()).unwrap();
    let sealed = reading().seal(&to);
    assert!(sealed.len() <= MAX_SEALED);
    assert_eq!(OfflineReading::open(&sealed, &key).unwrap(), reading());
    // It is sealed anew each time, so that equal readings do not look equal.
    assert_ne!(reading().seal(&to), sealed);
    let holds = |needle: &[u8]| sealed.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(b"11010119000307473X") && !holds(b"0000000001"));
    let other = SecretKey::generate();
    assert_eq!(OfflineReading::open(&sealed, &other), Err(OpenError::Sealed));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(OfflineReading::open(&changed, &key), Err(OpenError::Sealed), "octet {at}");
    }
}

#[test]
fn there_is_one_form() {
    let good = reading().encode();
    assert_eq!(OfflineReading::decode(&good), Some(reading()));
    let mut cases = vec![("nothing", Vec::new()), ("one more octet", [&good[..], &[0]].concat())];
    let mut changed = |what, at: usize, to: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = to;
        cases.push((what, bytes));
    };
    changed("another version", 0, 3);
    changed("a time that there is not", 17, 0x7f);
    changed("a standing that there is not", 41, 4);
    changed("no list, and its number", 41, 0);
    changed("a proof that there is not", 42, 3);
    changed("a card that is forged and was not refused", 42, 2);
    changed("a refusal that there is not", 43, 5);
    changed("refused as listed, and not listed", 43, 1);
    changed("refused as forged, and genuine", 43, 2);
    changed("a name too long", 44, 255);
    changed("a name that is not ASCII", 45, 0xff);
    for length in 0..good.len() {
        cases.push(("cut short", good[..length].to_vec()));
    }
    for (what, bytes) in cases {
        assert_eq!(OfflineReading::decode(&bytes), None, "{what}");
    }
    assert!(SealingKey::from_sec1(&[4; 65]).is_err());
}

#[test]
fn what_was_proven_and_refused_fits_what_the_list_said() {
    use Refusal as R;
    use Standing as S;
    let listed = [S::Grey, S::Black];
    for standing in Standing::ALL {
        for proof in Proof::ALL {
            for refusal in [None].into_iter().chain(Refusal::ALL.map(Some)) {
                let fits = match refusal {
                    None => !listed.contains(&standing) && proof != Proof::Forged,
                    Some(R::Listed) => listed.contains(&standing) && proof != Proof::Forged,
                    Some(R::NotGenuine) => proof == Proof::Forged,
                    Some(R::Expired | R::Inconsistent) => {
                        !listed.contains(&standing) && proof == Proof::Genuine
                    }
                };
                let list = if standing == S::NoList { 0 } else { 7 };
                let reading = OfflineReading { list, standing, proof, refusal, ..reading() };
                let told = format!("{standing:?}, {proof:?}, {refusal:?}");
                let expected = fits.then(|| reading.clone());
                assert_eq!(OfflineReading::decode(&reading.encode()), expected, "{told}");
            }
        }
    }
}

#[test]
fn the_form_of_before_is_read_and_proves_nothing() {
    for standing in [Standing::NotListed, Standing::Black] {
        let now = OfflineReading { standing, proof: Proof::None, ..reading() };
        let mut before = now.encode().to_vec();
        before[0] = 1;
        before.drain(42..44);
        assert_eq!(OfflineReading::decode(&before), Some(now));
    }
}

#[test]
fn a_time_is_one_that_every_zone_can_tell() {
    let with = |seconds: i64| {
        let mut bytes = reading().encode().to_vec();
        bytes[17..25].copy_from_slice(&seconds.to_be_bytes());
        OfflineReading::decode(&bytes)
    };
    let last = with(END_OF_TIME - 1).unwrap();
    assert_eq!(last.at.to_offset(time::macros::offset!(+8)).year(), 9999);
    assert_eq!((with(END_OF_TIME), with(-1)), (None, None));
}

#[test]
fn nothing_personal_is_printed() {
    let printed = format!("{:?}", reading());
    assert_eq!(printed, "OfflineReading(NotListed, list 7, ..)");
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(reading) = OfflineReading::decode(&bytes)
            && bytes[0] == VERSION
        {
            prop_assert_eq!(&*reading.encode(), &bytes);
        }
    }

    #[test]
    fn every_reading_survives(seconds in 0i64..4_000_000_000, id: [u8; 16], factor: [u8; 8], list in 1u64..) {
        let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let (standing, refusal) = (Standing::Grey, Some(Refusal::Listed));
        let factor = CardFactor(factor);
        let reading = OfflineReading { id, at, factor, list, standing, refusal, ..reading() };
        prop_assert_eq!(OfflineReading::decode(&reading.encode()), Some(reading));
    }
}
