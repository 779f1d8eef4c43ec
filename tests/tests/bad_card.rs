//! Cards that are pulled, broken, foreign, wrong or forged: each has its own answer, none keeps the next from being read.

use card_emulator::Fault;
use encoding_rs::GBK;
use proto::v1::card_removed::Cause;
use proto::v1::cards_client::CardsClient;
use proto::v1::get_card_request::Key;
use proto::v1::relay_request::Event;
use proto::v1::{
    CancelCardRequest, CardRemoved, CardStatus, GetCardRequest, RegisterCardRequest,
    ReleaseCardRequest, ReportLossRequest,
};
use service::demo::people::{CLERK, DESK, PATIENT, SOMEBODY_ELSE};
use service::demo::stage::CardKeys;
use tests::grpc::{log_in, reason};
use tests::hospital::Hospital;
use tests::relay::{self, Answer, Relay, answer, card, present};

/// A hospital, its desk's relay, and the patient's card.
struct Desk {
    hospital: Hospital,
    relay: Relay,
    card: card_emulator::Card,
}

impl Desk {
    async fn open() -> Self {
        let hospital = Hospital::open();
        let relay = Relay::open(log_in(&hospital.stage, DESK.key).await).await.unwrap();
        let card = card(&hospital.card_image());
        Self { hospital, relay, card }
    }

    /// The patient's card is read as if nothing had happened before; how many commands it took.
    async fn still_works(&mut self, after: &str) -> u32 {
        self.card.behave();
        let outcome = present(&mut self.relay, &mut self.card).await;
        match outcome {
            relay::Outcome::Reading(reading) => {
                assert_eq!(reading.name, PATIENT.name, "after {after}");
                assert_eq!(reading.resident_id, self.hospital.resident_id, "after {after}");
                reading.commands
            }
            other => panic!("after {after}: {other:?}"),
        }
    }

    /// Lets the test spoil each answer of the genuine card.
    async fn spoiled(&mut self, mut spoil: impl FnMut(u32, Vec<u8>) -> Answer) -> String {
        self.card.reset();
        let atr = self.card.atr().bytes().to_vec();
        let card = &mut self.card;
        let outcome = self.relay.present(&atr, |number, command| match answer(card, command) {
            Answer::Card(bytes) => spoil(number, bytes),
            gone @ Answer::Gone(_) => gone,
        });
        outcome.await.reason()
    }
}

#[tokio::test]
async fn a_card_pulled_at_any_command() {
    let mut desk = Desk::open().await;
    let commands = desk.still_works("nothing").await;
    assert!(commands > 5, "only {commands} commands");
    let causes = [
        (Cause::Card, "CARD_REMOVED"),
        (Cause::Reader, "READER_GONE"),
        (Cause::Garbage, "CARD_GARBAGE"),
    ];
    for (cause, expected) in causes {
        for k in 1..=commands {
            let reason =
                desk.spoiled(
                    |number, bytes| {
                        if number == k { Answer::Gone(cause) } else { Answer::Card(bytes) }
                    },
                );
            assert_eq!(reason.await, expected, "{cause:?} at command {k}");
        }
        desk.still_works(expected).await;
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    let mut desk = Desk::open().await;
    let commands = desk.still_works("nothing").await;
    let faults = [
        // 0 and 1 byte are less than a status word; more than 258 bytes are not a short answer.
        (Vec::new(), "CARD_GARBAGE"),
        (vec![0x90], "CARD_GARBAGE"),
        (vec![0x55; 259], "CARD_GARBAGE"),
        (vec![0x55; 65_000], "CARD_GARBAGE"),
    ];
    for (bytes, expected) in faults {
        for k in 1..=commands {
            let reason = desk.spoiled(|number, genuine| {
                Answer::Card(if number == k { bytes.clone() } else { genuine })
            });
            assert_eq!(reason.await, expected, "{} bytes at command {k}", bytes.len());
        }
        desk.still_works("garbage").await;
    }
}

#[tokio::test]
async fn status_words_that_say_no() {
    let mut desk = Desk::open().await;
    let commands = desk.still_works("nothing").await;
    // 6982 not allowed, 6A82 no such file, 6A83 no such record, 6700 wrong length, 6F00 nothing in particular.
    for word in [0x6982_u16, 0x6A82, 0x6A83, 0x6700, 0x6F00] {
        for k in 1..=commands {
            // From here on: one 6982 alone is answered by proving the right to read once more.
            let reason = desk.spoiled(|number, genuine| {
                Answer::Card(if number >= k { word.to_be_bytes().to_vec() } else { genuine })
            });
            let expected: &[&str] = match k {
                // The directory, and the file that tells what kind of card it is.
                1..=4 => &["NOT_HEALTH_CARD"],
                // Internal authentication.
                5 => &["CARD_NOT_GENUINE"],
                _ => &["CARD_MALFORMED", "CARD_READ_REFUSED"],
            };
            let reason = reason.await;
            assert!(
                expected.contains(&reason.as_str()),
                "{word:04X} from command {k} on: {reason}"
            );
        }
        desk.still_works("status words").await;
    }
}

#[tokio::test]
async fn faults_of_a_card() {
    let mut desk = Desk::open().await;
    let cases: [(Fault, &[&str]); 7] = [
        (Fault::Forged, &["CARD_NOT_GENUINE"]),
        (Fault::Short, &["CARD_GARBAGE"]),
        (Fault::Garbage, &["NOT_HEALTH_CARD", "CARD_GARBAGE"]),
        (Fault::Truncated, &["CARD_MALFORMED", "NOT_HEALTH_CARD"]),
        (Fault::Oversized, &["CARD_MALFORMED", "NOT_HEALTH_CARD"]),
        (Fault::Huge, &["CARD_GARBAGE", "CARD_MALFORMED"]),
        // GET RESPONSE without end must end.
        (Fault::Endless, &["CARD_GARBAGE", "NOT_HEALTH_CARD"]),
    ];
    for (fault, expected) in cases {
        desk.card.misbehave(fault);
        let reason = present(&mut desk.relay, &mut desk.card).await.reason();
        assert!(expected.contains(&reason.as_str()), "{fault:?}: {reason}");
        desk.still_works("a fault").await;
    }
}

/// Data that are on the genuine card, replaced on their way: the card's keys are right, its content is not.
#[tokio::test]
async fn records_with_wrong_content() {
    let mut desk = Desk::open().await;
    let name = GBK.encode(PATIENT.name).0.into_owned();
    let bad_name = [&[0xFF, 0xFF], &name[2..]].concat();
    let (id, birth, until) =
        (PATIENT.id_number, [0x19, 0x49, 0x06, 0x12], [0x20, 0x39, 0x12, 0x31]);
    #[rustfmt::skip]
    let cases: [(&str, &[u8], &[u8], &str); 9] = [
        ("name that is not GBK", &name, &bad_name, "CARD_MALFORMED"),
        ("wrong check character", id.as_bytes(), b"990000194906120014", "CARD_MALFORMED"),
        ("letter in the ID number", id.as_bytes(), b"9900001949O6120015", "CARD_MALFORMED"),
        ("ID number of somebody else", id.as_bytes(), SOMEBODY_ELSE.id_number.as_bytes(), "CARD_INCONSISTENT"),
        ("month 13", &birth, &[0x19, 0x49, 0x13, 0x12], "CARD_MALFORMED"),
        ("30 February", &birth, &[0x19, 0x49, 0x02, 0x30], "CARD_MALFORMED"),
        ("digits that are none", &birth, &[0x19, 0x49, 0x0A, 0x12], "CARD_MALFORMED"),
        ("another birthday than in the ID number", &birth, &[0x19, 0x49, 0x06, 0x13], "CARD_INCONSISTENT"),
        ("validity that has passed", &until, &[0x20, 0x20, 0x12, 0x31], "CARD_EXPIRED"),
    ];
    for (what, genuine, wrong, expected) in cases {
        let mut replaced = false;
        let reason = desk.spoiled(|_, mut bytes| {
            if let Some(at) = bytes.windows(genuine.len()).position(|part| part == genuine) {
                bytes[at..at + wrong.len()].copy_from_slice(wrong);
                replaced = true;
            }
            Answer::Card(bytes)
        });
        assert_eq!(reason.await, expected, "{what}");
        assert!(replaced, "{what}: the card never sent it");
        desk.still_works(what).await;
    }
}

#[tokio::test]
async fn cards_that_are_not_the_residents_own() {
    let mut desk = Desk::open().await;
    let stage = &desk.hospital.stage;
    let forged = stage.make_card(&PATIENT, CardKeys::Forged).unwrap();
    let unknown = stage.make_card(&SOMEBODY_ELSE, CardKeys::Genuine).unwrap();
    for (image, expected) in [(forged, "CARD_NOT_GENUINE"), (unknown, "CARD_UNREGISTERED")] {
        let reason = present(&mut desk.relay, &mut card(&image)).await.reason();
        assert_eq!(reason, expected);
        desk.still_works(expected).await;
    }
    // A bank card's answer to reset, a tiny one, none, and one longer than any.
    let foreign: [&[u8]; 4] = [
        &[0x3B, 0x6D, 0, 0, 0, 0x31, 0xC0, 0x71, 0xD6, 0x64, 0x41, 0x01, 0, 0x90, 0, 0, 0],
        &[0x3B, 0x00],
        &[],
        &[0x3B; 34],
    ];
    for atr in foreign {
        let no_such_file = |_, _: &[u8]| Answer::Card(vec![0x6A, 0x82]);
        let reason = desk.relay.present(atr, no_such_file).await.reason();
        assert_eq!(reason, "NOT_HEALTH_CARD", "{atr:02X?}");
        desk.still_works("a foreign card").await;
    }
}

#[tokio::test]
async fn a_lost_card_is_refused_until_it_is_released_and_a_cancelled_one_for_good() {
    let mut desk = Desk::open().await;
    let mut cards = CardsClient::new(log_in(&desk.hospital.stage, CLERK.key).await);
    let card_id = desk.hospital.card_id.clone();
    let state = async |cards: &mut CardsClient<_>| {
        let key = Some(Key::CardId(card_id.clone()));
        cards.get(GetCardRequest { key }).await.unwrap().into_inner().status()
    };

    cards.report_loss(ReportLossRequest { card_id: card_id.clone() }).await.unwrap();
    assert_eq!(state(&mut cards).await, CardStatus::Lost);
    assert_eq!(present(&mut desk.relay, &mut desk.card).await.reason(), "CARD_LOST");
    let again = cards.report_loss(ReportLossRequest { card_id: card_id.clone() }).await;
    assert_eq!(reason(&again.unwrap_err()), "STATE_CONFLICT");

    cards.release(ReleaseCardRequest { card_id: card_id.clone() }).await.unwrap();
    desk.still_works("a loss taken back").await;

    cards.cancel(CancelCardRequest { card_id: card_id.clone() }).await.unwrap();
    assert_eq!(present(&mut desk.relay, &mut desk.card).await.reason(), "CARD_CANCELLED");
    let back = cards.release(ReleaseCardRequest { card_id: card_id.clone() }).await;
    assert_eq!(reason(&back.unwrap_err()), "CARD_CANCELLED");
    assert_eq!(state(&mut cards).await, CardStatus::Cancelled);

    let twice = RegisterCardRequest {
        resident_id: desk.hospital.resident_id.clone(),
        chip_serial: PATIENT.chip_serial.to_owned(),
        card_factor: hex::decode(PATIENT.card_factor).unwrap(),
        valid_until: "2039-12-31".to_owned(),
        ..RegisterCardRequest::default()
    };
    assert_eq!(reason(&cards.register(twice).await.unwrap_err()), "ALREADY_REGISTERED");
}

/// A card that is taken out while nothing is being read is nobody's concern; answers to nothing are in flood.rs.
#[tokio::test]
async fn a_card_taken_out_between_readings() {
    let mut desk = Desk::open().await;
    desk.relay.send(Event::Removed(CardRemoved { cause: Cause::Card.into() })).await;
    desk.still_works("a removal of nothing").await;
}
