//! What happens to cards at desks, for whoever watches: in order, without a gap or a repeat, and only what concerns them.

use std::time::Duration;

use proto::v1::card_event::Kind;
use proto::v1::desks_client::DesksClient;
use proto::v1::{CardEvent, CardEventsRequest};
use service::demo::people::{CLERK, DESK, DOCTOR, Institution, PATIENT, Staff};
use tests::grpc::{Caller, log_in, reason};
use tests::hospital::Hospital;
use tests::relay::{Relay, card, present};
use tonic::{Status, Streaming};

const ELSEWHERE: Institution =
    Institution { credit_code: "91350100M000100Y43", name: "虚构县中医院", region: "990000" };
const CLERK_ELSEWHERE: Staff = Staff { key: "clerk-elsewhere", ..CLERK };

struct Watch(Streaming<CardEvent>);

impl Watch {
    async fn open(caller: Caller, cursor: &str) -> Result<Self, Status> {
        let request = CardEventsRequest { cursor: cursor.to_owned() };
        Ok(Self(DesksClient::new(caller).events(request).await?.into_inner()))
    }

    async fn next(&mut self) -> CardEvent {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.message());
        next.await.expect("in time").unwrap().expect("an event")
    }
}

#[tokio::test]
async fn a_watcher_goes_on_where_it_was() {
    let mut hospital = Hospital::open();
    let desk = log_in(&hospital.stage, DESK.key).await;
    let mut clerk = Watch::open(log_in(&hospital.stage, CLERK.key).await, "").await.unwrap();
    let beginning = clerk.next().await;
    assert_eq!(beginning.kind(), Kind::Unspecified);

    let mut relay = Relay::open(desk.clone()).await.unwrap();
    let shown = present(&mut relay, &mut card(&hospital.card_image())).await.reading();
    assert_eq!(shown.name, PATIENT.name);
    let inserted = clerk.next().await;
    assert_eq!((inserted.kind(), inserted.reader.as_str()), (Kind::Inserted, "test reader"));
    assert_eq!(inserted.desk_id, hospital.staff[DESK.key]);
    // The watcher's connection goes; meanwhile the card is read, and another one fails.
    drop(clerk);
    let refused = relay.present(&[0x3B, 0x00], |_, _| unreachable!("no command")).await;
    assert_eq!(refused.reason(), "NOT_HEALTH_CARD");
    let caller = log_in(&hospital.stage, CLERK.key).await;
    let mut clerk = Watch::open(caller, &inserted.cursor).await.unwrap();
    assert_eq!(clerk.next().await.cursor, inserted.cursor);
    let read = clerk.next().await;
    assert_eq!((read.kind(), &read.card_id), (Kind::Read, &hospital.card_id));
    assert!(read.receipt.is_some());
    assert!(!format!("{read:?}").contains(PATIENT.name));
    assert_eq!(clerk.next().await.kind(), Kind::Inserted);
    let refused = clerk.next().await;
    assert_eq!((refused.kind(), refused.reason.as_str()), (Kind::Refused, "NOT_HEALTH_CARD"));

    // The desk's device sees its own desk; another hospital, nothing of it; a doctor may not watch.
    let mut own = Watch::open(desk, &beginning.cursor).await.unwrap();
    own.next().await;
    assert_eq!(own.next().await.cursor, inserted.cursor);
    let elsewhere = hospital.stage.register_institution(&ELSEWHERE).unwrap();
    hospital.stage.engage(&elsewhere, &CLERK_ELSEWHERE).unwrap();
    let stranger = log_in(&hospital.stage, CLERK_ELSEWHERE.key).await;
    let mut stranger = Watch::open(stranger, &beginning.cursor).await.unwrap();
    stranger.next().await;
    let nothing = tokio::time::timeout(Duration::from_millis(500), stranger.0.message()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let doctor = Watch::open(log_in(&hospital.stage, DOCTOR.key).await, "").await;
    assert_eq!(reason(&doctor.err().unwrap()), "ROLE_NOT_ALLOWED");

    // A cursor of a service that was started anew is not one of this one's: the gap is told.
    for cursor in ["nonsense", "1"] {
        let caller = log_in(&hospital.stage, CLERK.key).await;
        assert_eq!(reason(&Watch::open(caller, cursor).await.err().unwrap()), "EVENTS_MISSED");
    }
    hospital.stage.server().unwrap().kill();
    hospital.stage.serve().unwrap();
    let caller = log_in(&hospital.stage, CLERK.key).await;
    let missed = Watch::open(caller, &read.cursor).await.err().unwrap();
    assert_eq!(reason(&missed), "EVENTS_MISSED");
}
