//! Emergency accesses: over at once, and owed for until there is a finding.

use std::cell::RefCell;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::{
    clock::date_at_desk,
    emergency::EmergencyState,
    vocabulary::{EmergencyReason, Finding, Role},
};

const LASTS: Duration = Duration::hours(1);
const REVIEW: Duration = Duration::days(3);
const MOST: u32 = 5;

/// Whoever begins it, the same person under another number, and somebody else.
struct People {
    own: IdentityId,
    same: IdentityId,
    other: IdentityId,
}

async fn people(store: &Store, h: &Hospital, person: u8) -> People {
    let mut ids = [h.doctor; 3];
    for (at, id) in ids.iter_mut().enumerate() {
        let person = (at < 2).then_some([person; 32]);
        let new = Identity { person, ..identity(h.institution, &Uuid::now_v7().to_string()) };
        *id = new.id;
        store.record_identity(new, act("identity.register")).await.unwrap();
    }
    let [own, same, other] = ids;
    People { own, same, other }
}

fn begun(h: &Hospital, identity: IdentityId, begun_at: UtcTime) -> NewEmergency {
    NewEmergency {
        id: EmergencyId::generate(),
        resident: h.resident,
        visit: None,
        institution: h.institution,
        identity,
        role: Role::Doctor,
        reason: EmergencyReason::Unconscious,
        sealed_note: vec![7; 40],
        begun_at,
        ends_at: begun_at + LASTS,
        account_due: begun_at + LASTS + REVIEW,
        finding_due: begun_at + LASTS + REVIEW + REVIEW,
    }
}

fn within(h: &Hospital, emergency: EmergencyId, issued_at: UtcTime) -> NewToken {
    let expires_at = issued_at + Duration::hours(8);
    NewToken { visit: None, emergency: Some(emergency), issued_at, expires_at, ..token(h) }
}

fn finding(by: IdentityId, at: UtcTime) -> EmergencyReview {
    EmergencyReview { at, by, finding: Finding::Justified, sealed_note: vec![8; 40] }
}

async fn begin(store: &Store, new: &NewEmergency) -> Result<Receipt, StoreError> {
    store.record_emergency(new.clone(), SESSION, MOST, act("emergency.begin")).await
}

async fn account(store: &Store, id: EmergencyId, at: UtcTime) -> Result<Receipt, StoreError> {
    let entry = act("emergency.account");
    store.record_emergency_accounted(id, at, vec![9; 40], at + REVIEW, entry).await
}

async fn review(
    store: &Store,
    id: EmergencyId,
    by: IdentityId,
    at: UtcTime,
) -> Result<Receipt, StoreError> {
    store.record_emergency_reviewed(id, finding(by, at), act("emergency.review")).await
}

fn is_conflict<T>(answer: &Result<T, StoreError>, obstacle: Obstacle) -> bool {
    matches!(answer, Err(StoreError::Conflict(it)) if *it == obstacle)
}

#[tokio::test]
async fn tokens_end_with_the_emergency_they_are_within() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let [first, second] = [begun(&h, h.doctor, NOW), begun(&h, h.doctor, NOW)];
    for new in [&first, &second] {
        let receipt = begin(&store, new).await.unwrap();
        assert_proven(&store, &receipt).await;
        assert_eq!(&store.emergency(new.id).await.unwrap().unwrap().begun, new);
    }
    let [ended, left] = [within(&h, first.id, NOW), within(&h, second.id, NOW)];
    for token in [&ended, &left] {
        store.record_token(token.clone(), act("token.issue")).await.unwrap();
    }
    let stands =
        async |token: &NewToken, at| store.token(token.id).await.unwrap().unwrap().ended(at);
    assert_eq!(stands(&ended, NOW).await, None);
    let soon = NOW + Duration::minutes(1);
    let end = || store.record_emergency_ended(first.id, soon, h.doctor, act("emergency.end"));
    end().await.unwrap();
    assert!(is_conflict(&end().await, Obstacle::EmergencyState), "ended twice");
    assert_eq!(stands(&ended, soon).await, Some(Ended::EmergencyOver));
    assert_eq!(stands(&left, soon).await, None, "another emergency's");
    assert_eq!(stands(&left, NOW + LASTS).await, Some(Ended::EmergencyOver));
    for late in [within(&h, first.id, soon), within(&h, second.id, NOW + LASTS)] {
        let refused = store.record_token(late, act("token.issue")).await;
        assert!(is_conflict(&refused, Obstacle::EmergencyOver));
    }
}

#[tokio::test]
async fn more_than_anybody_can_need_are_refused_for_an_hour() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let who = people(&store, &h, 3).await;
    for n in 0..MOST {
        let identity = if n % 2 == 0 { who.own } else { who.same };
        begin(&store, &begun(&h, identity, NOW)).await.unwrap();
    }
    assert_eq!(store.emergencies_begun(who.same, NOW).await.unwrap(), MOST);
    let refused = begin(&store, &begun(&h, who.own, NOW)).await;
    assert!(is_conflict(&refused, Obstacle::TooManyEmergencies));
    begin(&store, &begun(&h, who.other, NOW)).await.unwrap();
    begin(&store, &begun(&h, who.own, NOW + COUNTED_WITHIN)).await.unwrap();
}

#[tokio::test]
async fn what_is_late_is_told_once_a_day_until_it_is_given() {
    let place = Place::new();
    let h = hospital(&place.open()).await;
    let new = begun(&h, h.doctor, NOW);
    begin(&place.open(), &new).await.unwrap();
    let mut told = Vec::new();
    for day in 0..10 {
        let now = new.ends_at + Duration::days(day);
        // As often as it is looked at, and by a service that starts anew.
        for _ in 0..2 {
            let store = place.open();
            let day = date_at_desk(now);
            for late in store.emergencies_late(now, day).await.unwrap() {
                let state = late.state(now);
                for _ in 0..2 {
                    let entry = act("emergency.remind");
                    let change = store.record_emergency_reminded(new.id, state, now, day, entry);
                    if let Change::Recorded(_) = change.await.unwrap() {
                        told.push((day, state));
                    }
                }
            }
        }
        if day == 5 {
            account(&place.open(), new.id, now).await.unwrap();
        }
    }
    use EmergencyState::{AccountOverdue, FindingOverdue};
    let states: Vec<_> = told.iter().map(|(_, state)| *state).collect();
    assert_eq!(
        states,
        [AccountOverdue, AccountOverdue, AccountOverdue, FindingOverdue, FindingOverdue]
    );
    assert!(told.windows(2).all(|two| two[0].0 < two[1].0), "{told:?}");
    let store = place.open();
    review(&store, new.id, new_reviewer(&store, &h).await, NOW + Duration::days(20)).await.unwrap();
    let late = NOW + Duration::days(30);
    assert_eq!(store.emergencies_late(late, date_at_desk(late)).await.unwrap(), []);
    assert_eq!(store.emergencies_owed(None, 10).await.unwrap(), []);
}

async fn new_reviewer(store: &Store, h: &Hospital) -> IdentityId {
    people(store, h, 4).await.other
}

#[tokio::test]
async fn a_resident_is_told_once() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let new = begun(&h, h.doctor, NOW);
    begin(&store, &new).await.unwrap();
    assert_eq!(store.emergencies_untold(h.resident).await.unwrap().len(), 1);
    let clerk = new_reviewer(&store, &h).await;
    let tell = |by| store.record_emergency_told(new.id, NOW, by, act("emergency.tell"));
    // Not by whoever looked.
    let own = tell(h.doctor).await;
    assert!(matches!(own, Err(StoreError::Conflict(Obstacle::SamePerson))));
    assert!(matches!(tell(clerk).await.unwrap(), Change::Recorded(_)));
    assert_eq!(tell(clerk).await.unwrap(), Change::None);
    assert_eq!(store.emergencies_untold(h.resident).await.unwrap(), []);
    let on_record = store.emergency(new.id).await.unwrap().unwrap();
    assert_eq!(on_record.told, Some((NOW, clerk)));
    let unknown = EmergencyId::generate();
    let unknown = store.record_emergency_told(unknown, NOW, h.doctor, act("a.b")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::Emergency))));
}

/// What may happen, in any order.
#[derive(Clone, Copy, Debug)]
enum Event {
    Wait(i64),
    Issue,
    End,
    Account,
    ReviewByOneself,
    ReviewByOther,
    Housekeeping,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..100_i64).prop_map(Event::Wait),
        3 => Just(Event::Issue),
        1 => Just(Event::End),
        2 => Just(Event::Account),
        1 => Just(Event::ReviewByOneself),
        2 => Just(Event::ReviewByOther),
        1 => Just(Event::Housekeeping),
        1 => Just(Event::Restart),
    ]
}

fn held(store: &RefCell<Option<Store>>) -> Store {
    store.borrow().clone().unwrap()
}

/// Plays events on a real store, and looks after each of them.
async fn play(
    place: &Place,
    store: &RefCell<Option<Store>>,
    h: &Hospital,
    person: u8,
    events: &[Event],
) {
    let who = people(&held(store), h, person).await;
    let new = begun(h, who.own, NOW);
    begin(&held(store), &new).await.unwrap();
    let (id, mut now) = (new.id, NOW);
    let (mut tokens, mut found) = (Vec::new(), false);
    for event in events {
        let db = held(store);
        let before = db.emergency(id).await.unwrap().unwrap().state(now);
        use EmergencyState::{AccountOverdue, FindingOverdue, OwesAccount, OwesFinding, Running};
        match event {
            Event::Wait(hours) => now += Duration::minutes(*hours * 20),
            Event::Issue => {
                let token = within(h, id, now);
                let issued = db.record_token(token.clone(), act("token.issue")).await;
                assert_eq!(issued.is_ok(), before == Running);
                tokens.extend(issued.is_ok().then_some(token.id));
            }
            Event::End => {
                let ended = db.record_emergency_ended(id, now, who.own, act("emergency.end"));
                assert_eq!(ended.await.is_ok(), before == Running);
            }
            Event::Account => {
                let owed = matches!(before, OwesAccount | AccountOverdue);
                assert_eq!(account(&db, id, now).await.is_ok(), owed);
            }
            Event::ReviewByOneself => {
                for by in [who.own, who.same] {
                    let refused = review(&db, id, by, now).await;
                    assert!(is_conflict(&refused, Obstacle::SamePerson));
                }
            }
            Event::ReviewByOther => {
                let due = matches!(before, AccountOverdue | OwesFinding | FindingOverdue);
                let reviewed = review(&db, id, who.other, now).await;
                assert_eq!(reviewed.is_ok(), due, "{before}");
                found |= due;
            }
            Event::Housekeeping => {
                for over in db.emergencies_over(now).await.unwrap() {
                    let over = over.begun.id;
                    db.record_emergency_over(over, act("emergency.end")).await.unwrap();
                }
                let on_record = db.emergency(id).await.unwrap().unwrap();
                assert_eq!(on_record.ended.is_some(), before != Running, "{before}");
            }
            Event::Restart => {
                drop(db);
                drop(store.take());
                store.replace(Some(place.open()));
            }
        }
        let db = held(store);
        let state = db.emergency(id).await.unwrap().unwrap().state(now);
        for token in &tokens {
            let token = db.token(*token).await.unwrap().unwrap();
            assert!(state == Running || token.ended(now).is_some(), "accepted while {state}");
        }
        assert_eq!(found, state == EmergencyState::Reviewed, "{state}");
        let owed = db.emergencies_owed(None, MAX_PAGE).await.unwrap();
        assert_eq!(owed.iter().any(|it| it.begun.id == id), !found, "{state}");
        let blocked = db.owes_account(who.same, now).await.unwrap();
        assert_eq!(blocked, state == AccountOverdue, "{state}");
        assert!(!db.owes_account(who.other, now).await.unwrap(), "whoever reviews owes no account");
    }
}

#[test]
fn no_order_of_events_leaves_an_emergency_without_an_end_or_a_finding() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = Place::new();
    let store = RefCell::new(Some(runtime.block_on(async { place.open() })));
    let h = runtime.block_on(async { hospital(&held(&store)).await });
    let persons = std::cell::Cell::new(20_u8);
    let config =
        Config { cases: 24, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let run = |events: Vec<Event>| {
        persons.set(persons.get() + 1);
        runtime.block_on(play(&place, &store, &h, persons.get(), &events));
        Ok(())
    };
    TestRunner::new(config).run(&proptest::collection::vec(event(), 1..16), run).unwrap();
}
