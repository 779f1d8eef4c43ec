use hsm::Sm2Signer as _;
use hsm::sm2::{PublicKey, SecretKey, Signature, SignerId};
use proptest::collection::btree_map;
use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const ISSUED: OffsetDateTime = datetime!(2026-11-26 08:00 UTC);
const SALT: [u8; 16] = [7; 16];
const KEY_ID: [u8; 32] = [9; 32];
const LOST: Listing = Listing { level: Level::Black, reason: Reason::Loss };
const FROZEN: Listing = Listing { level: Level::Grey, reason: Reason::Frozen };

fn serial(number: u32) -> ChipSerial {
    format!("{number:010}").parse().unwrap()
}

fn heading(number: u64) -> Heading {
    let origin = "desk.example".to_owned();
    // A list of a later number is issued later.
    let issued_at = ISSUED + time::Duration::seconds(i64::try_from(number).unwrap());
    Heading { origin, number, issued_at, salt: SALT, key_id: KEY_ID }
}

fn contents(number: u64, cards: &[(u32, Listing)]) -> Contents {
    let entry =
        |&(card, listing): &(u32, Listing)| Entry { tag: Tag::of(&SALT, &serial(card)), listing };
    Contents::new(heading(number), cards.iter().map(entry).collect()).unwrap()
}

fn signer_id() -> SignerId {
    SignerId::new(SIGNER_ID.as_bytes()).unwrap()
}

fn sign(key: &SecretKey, contents: Contents) -> StatusList {
    let e = key.public_key().digest(&signer_id(), &contents.signed_bytes());
    let signature = *key.sign(&e).unwrap().as_raw();
    contents.signed(signature)
}

/// Checks signatures of one key, as a desk does.
fn checker(
    key: &PublicKey,
) -> impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> Result<(), BadSignature> + use<> {
    let key = key.clone();
    move |id, signed, signature| {
        if *id != KEY_ID {
            return Err(BadSignature::UnknownKey);
        }
        let signature = Signature::from_raw(signature).map_err(|_| BadSignature::Wrong)?;
        let e = key.digest(&signer_id(), signed);
        key.verify(&e, &signature).map_err(|_| BadSignature::Wrong)
    }
}

fn unchecked(_: &[u8; 32], _: &[u8], _: &[u8; 64]) -> Result<(), BadSignature> {
    Ok(())
}

#[test]
fn a_list_names_the_cards_it_was_made_of_and_no_others() {
    let key = SecretKey::generate();
    let list = sign(&key, contents(1, &[(1, LOST), (2, FROZEN)]));
    let list = StatusList::open(&list.to_bytes(), &checker(key.public_key())).unwrap();
    for (card, listing) in [(1, Some(LOST)), (2, Some(FROZEN)), (3, None)] {
        assert_eq!(list.listing(&serial(card)), listing, "{card}");
    }
    assert_eq!((list.origin(), list.number()), ("desk.example", 1));
}

#[test]
fn a_list_is_made_of_the_one_before_and_what_changed() {
    let before = contents(1, &[(1, LOST), (2, LOST), (3, LOST)]);
    let tag = |card| Tag::of(&SALT, &serial(card));
    let changes = [
        (tag(1), None),
        (tag(2), Some(FROZEN)),
        (tag(3), Some(LOST)),
        (tag(4), Some(LOST)),
        (tag(5), None),
    ];
    let after = before.changed(heading(2), changes).unwrap();
    assert_eq!(after, contents(2, &[(2, FROZEN), (3, LOST), (4, LOST)]));
}

#[test]
fn a_list_has_an_age() {
    let list = contents(1, &[]).signed([1; 64]);
    let issued = list.issued_at();
    for (later, age) in [
        (90, Ok(Duration::from_secs(90))),
        (0, Ok(Duration::ZERO)),
        (-300, Ok(Duration::ZERO)),
        (-301, Err(ListError::FromTheFuture)),
    ] {
        assert_eq!(list.age(issued + time::Duration::seconds(later)), age, "{later}");
    }
}

#[test]
fn every_listing_has_its_octet() {
    let cases = [
        (LOST, 0x01),
        (Listing { level: Level::Black, reason: Reason::Cancelled }, 0x03),
        (Listing { level: Level::Black, reason: Reason::IllegalUse }, 0x04),
        (FROZEN, 0x15),
    ];
    for (listing, octet) in cases {
        assert_eq!(listing.code(), octet);
        let list = contents(1, &[(1, listing)]).signed([1; 64]);
        assert_eq!(StatusList::open(&list.to_bytes(), &unchecked), Ok(list));
    }
}

#[test]
fn a_list_cannot_be_made_of_anything() {
    let entry = Entry { tag: Tag([0; 12]), listing: LOST };
    let with = |change: fn(&mut Heading)| {
        let mut heading = heading(1);
        change(&mut heading);
        Contents::new(heading, vec![]).unwrap_err()
    };
    assert_eq!(Contents::new(heading(1), vec![entry, entry]), Err(ListError::Order));
    let many = vec![entry; MAX_ENTRIES + 1];
    assert_eq!(Contents::new(heading(1), many), Err(ListError::TooLarge));
    assert_eq!(with(|it| it.number = 0), ListError::Field("number"));
    assert_eq!(with(|it| it.origin = "a b".into()), ListError::Field("name of the service"));
    assert_eq!(with(|it| it.origin = "a".repeat(65)), ListError::Field("name of the service"));
    assert_eq!(
        with(|it| it.issued_at = datetime!(1969-12-31 23:59:59 UTC)),
        ListError::Field("time of issue")
    );
}

/// Offsets in a snapshot of `desk.example`.
const VERSION_AT: usize = 16;
const NUMBER_AT: usize = 18;
const ISSUED_AT: usize = 26;
const KEY_AT: usize = 50;
const LENGTH_AT: usize = 82;
const COUNT_AT: usize = 95;
const ENTRIES_AT: usize = 99;

#[test]
fn other_octets_are_refused_for_their_reason() {
    let key = SecretKey::generate();
    let good = sign(&key, contents(3, &[(1, LOST), (2, FROZEN)])).to_bytes();
    let with = |at: usize, new: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    let (first, second) = good[ENTRIES_AT..ENTRIES_AT + 26].split_at(13);
    let delta = sign(&key, contents(4, &[])).delta_from(&contents(3, &[(1, LOST)])).unwrap();
    let cases: Vec<(&str, Vec<u8>, ListError)> = vec![
        ("nothing", vec![], ListError::NotAList),
        ("another beginning", with(0, b"H"), ListError::NotAList),
        ("form 2", with(VERSION_AT, &[2]), ListError::Version(2)),
        ("form 0", with(VERSION_AT, &[0]), ListError::Version(0)),
        ("another kind", with(VERSION_AT + 1, b"X"), ListError::Field("kind")),
        ("number 0", with(NUMBER_AT, &[0; 8]), ListError::Field("number")),
        ("before 1970", with(ISSUED_AT, &[0xff; 8]), ListError::Field("time of issue")),
        ("after 9999", with(ISSUED_AT, &[0x7f; 8]), ListError::Field("time of issue")),
        ("another key", with(KEY_AT, &[0]), ListError::UnknownKey),
        ("a nameless service", with(LENGTH_AT, &[0]), ListError::Field("name of the service")),
        ("a space in the name", with(LENGTH_AT + 2, b" "), ListError::Field("name of the service")),
        ("another service", with(LENGTH_AT + 2, b"x"), ListError::Signature),
        ("another number", with(NUMBER_AT + 7, &[4]), ListError::Signature),
        ("more entries than came", with(COUNT_AT, &[0, 0, 1, 0]), ListError::Truncated),
        ("far more entries", with(COUNT_AT, &[0xff; 4]), ListError::TooLarge),
        ("fewer entries", with(COUNT_AT, &[0, 0, 0, 1]), ListError::Trailing(13)),
        ("descending", with(ENTRIES_AT, &[second, first].concat()), ListError::Order),
        ("one twice", with(ENTRIES_AT, &[first, first].concat()), ListError::Order),
        (
            "level 2",
            with(ENTRIES_AT + 12, &[0x21]),
            ListError::Field("level and reason of an entry"),
        ),
        (
            "a released card",
            with(ENTRIES_AT + 12, &[0x02]),
            ListError::Field("level and reason of an entry"),
        ),
        ("a changed entry", with(ENTRIES_AT + 12, &[0x04]), ListError::Signature),
        ("no signature", with(good.len() - 64, &[0; 64]), ListError::Signature),
        ("cut short", good[..good.len() - 1].to_vec(), ListError::Truncated),
        ("one more", [&good[..], &[0]].concat(), ListError::Trailing(1)),
        ("oversized", vec![0; MAX_BYTES + 1], ListError::TooLarge),
        ("a delta", delta, ListError::DeltaAlone),
    ];
    let check = checker(key.public_key());
    assert!(StatusList::open(&good, &check).is_ok());
    for (what, bytes, error) in cases {
        assert_eq!(StatusList::open(&bytes, &check).err(), Some(error), "{what}");
    }
    let stranger = checker(SecretKey::generate().public_key());
    assert_eq!(StatusList::open(&good, &stranger), Err(ListError::Signature));
}

#[test]
fn a_held_list_is_replaced_by_later_ones_only() {
    let key = SecretKey::generate();
    let check = checker(key.public_key());
    let held = sign(&key, contents(5, &[(1, LOST), (2, FROZEN)]));
    let later = sign(&key, contents(7, &[(2, LOST), (3, LOST)]));
    let signed = |change: &dyn Fn(&mut Heading)| {
        let mut heading = heading(7);
        change(&mut heading);
        sign(&key, Contents::new(heading, vec![]).unwrap()).to_bytes()
    };
    let delta = later.delta_from(&held).unwrap();
    let resigned = {
        // A delta of the right numbers that was made from another list 5.
        later.delta_from(&contents(5, &[(2, FROZEN)])).unwrap()
    };
    let idle = later.delta_from(&contents(5, &[])).unwrap();
    let changed = |at: usize, new: u8| {
        let mut delta = delta.clone();
        delta[at] = new;
        delta
    };
    let cases: Vec<(&str, Vec<u8>, Option<ListError>)> = vec![
        ("itself", held.to_bytes(), None),
        ("a later snapshot", later.to_bytes(), None),
        ("a delta", delta.clone(), None),
        (
            "an older snapshot",
            sign(&key, contents(4, &[])).to_bytes(),
            Some(ListError::Older { held: 5, offered: 4 }),
        ),
        (
            "another list of its number",
            sign(&key, contents(5, &[])).to_bytes(),
            Some(ListError::Contradiction { number: 5 }),
        ),
        (
            "one of another service",
            signed(&|it| it.origin = "other.example".into()),
            Some(ListError::OtherService),
        ),
        (
            "one that goes back in time",
            signed(&|it| it.issued_at = ISSUED),
            Some(ListError::BackInTime),
        ),
        (
            "a delta for another list",
            later.delta_from(&contents(4, &[])).unwrap(),
            Some(ListError::OtherBase { held: 5, needs: 4 }),
        ),
        ("a delta made from another list 5", resigned, Some(ListError::DoesNotFit)),
        ("a delta that adds what is there", idle, Some(ListError::DoesNotFit)),
        ("a delta to itself", changed(33, 5), Some(ListError::Field("number"))),
        ("a delta of another salt", changed(42, 0), Some(ListError::DoesNotFit)),
        ("a delta with another time", changed(41, 0), Some(ListError::Signature)),
        (
            "a delta that does what there is not",
            changed(111, 3),
            Some(ListError::Field("operation of a change")),
        ),
        ("a delta cut short", delta[..delta.len() - 1].to_vec(), Some(ListError::Truncated)),
        ("a delta and more", [&delta[..], &[0]].concat(), Some(ListError::Trailing(1))),
    ];
    for (what, bytes, error) in cases {
        let answer = held.updated(&bytes, &check);
        assert_eq!(answer.as_ref().err().copied(), error, "{what}");
        if let (Ok(list), true) = (answer, what != "itself") {
            assert_eq!(list, later, "{what}");
        }
    }
    assert_eq!(
        held.delta_from(&later),
        Err(ListError::OtherBase { held: 7, needs: 5 }),
        "deltas lead forward"
    );
}

fn listing() -> impl Strategy<Value = Listing> {
    let levels = prop::sample::select(vec![Level::Black, Level::Grey]);
    let reasons = prop::sample::select(vec![
        Reason::Loss,
        Reason::Cancelled,
        Reason::IllegalUse,
        Reason::Frozen,
        Reason::NotActivated,
    ]);
    (levels, reasons).prop_map(|(level, reason)| Listing { level, reason })
}

/// Cards of a small set, so that two lists have many in common.
fn cards() -> impl Strategy<Value = Vec<(u32, Listing)>> {
    btree_map(0_u32..40, listing(), 0..30).prop_map(|cards| cards.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_delta_gives_the_bytes_of_the_later_list(
        before in cards(),
        after in cards(),
        number in 1_u64..1000,
        steps in 1_u64..1000,
        signature in any::<[u8; 32]>(),
    ) {
        let held = contents(number, &before).signed([1; 64]);
        let later = contents(number + steps, &after).signed([signature, signature].concat().try_into().unwrap());
        let delta = later.delta_from(&held).unwrap();
        let updated = held.updated(&delta, &unchecked).unwrap();
        prop_assert_eq!(updated.to_bytes(), later.to_bytes());
    }

    #[test]
    fn lists_are_read_as_written(cards in cards(), number in 1_u64..=u64::MAX / 2) {
        let list = Contents::new(
            Heading { issued_at: ISSUED, ..heading(1) },
            contents(1, &cards).entries().to_vec(),
        );
        let mut list = list.unwrap();
        list.number = number;
        let list = list.signed([3; 64]);
        prop_assert_eq!(StatusList::open(&list.to_bytes(), &unchecked), Ok(list));
    }

    #[test]
    fn what_is_read_is_written_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300), sound in any::<bool>()) {
        let bytes = if sound { [&b"healthcard.cards\x01F"[..], &bytes].concat() } else { bytes };
        if let Ok(list) = StatusList::open(&bytes, &unchecked) {
            prop_assert_eq!(list.to_bytes(), bytes);
        }
    }

    #[test]
    fn one_octet_changed_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>(), by_delta in any::<bool>()) {
        // One key and list for all cases; SM2 does the rest.
        let key = SecretKey::from_be_bytes(&[5; 32]).unwrap();
        let check = checker(key.public_key());
        let held = sign(&key, contents(1, &[(1, LOST), (2, FROZEN)]));
        let later = sign(&key, contents(2, &[(2, LOST), (3, FROZEN)]));
        let mut bytes = if by_delta { later.delta_from(&held).unwrap() } else { later.to_bytes() };
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert!(held.updated(&bytes, &check).is_err());
    }
}
