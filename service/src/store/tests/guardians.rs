//! Who is whose guardian, for what and when.

use time::{Date, macros::date};

use super::*;
use crate::vocabulary::{Basis, GuardianScope, Kinship};

const FIRST: Date = date!(2026 - 11 - 23);
const LAST: Date = date!(2027 - 11 - 22);

pub(super) fn guardianship(
    h: &Hospital,
    guardian: ResidentId,
    ward: ResidentId,
) -> NewGuardianship {
    NewGuardianship {
        id: GuardianshipId::generate(),
        ward,
        guardian,
        kinship: Kinship::Parent,
        scopes: vec![GuardianScope::Consent, GuardianScope::PresentCard],
        basis: Basis::DocumentSeen,
        scan_digest: None,
        starts_on: FIRST,
        ends_on: LAST,
        institution: h.institution,
        identity: h.doctor,
        recorded_at: NOW,
    }
}

pub(super) fn ended(h: &Hospital, at: UtcTime) -> GuardianshipEnd {
    GuardianshipEnd { at, by: h.doctor, sealed_note: vec![6; 30] }
}

/// So many residents.
pub(super) async fn residents<const N: usize>(store: &Store, h: &Hospital) -> [ResidentId; N] {
    let mut ids = [h.resident; N];
    for (at, id) in ids.iter_mut().enumerate() {
        let other = resident(h.institution, 10 + u8::try_from(at).unwrap());
        *id = other.id;
        let entry = act("resident.register");
        store.record_resident(other, Vec::new(), None, entry).await.unwrap();
    }
    ids
}

/// Whether a guardianship on record allows this.
async fn allowed(
    store: &Store,
    guardian: ResidentId,
    ward: ResidentId,
    scope: GuardianScope,
    at: UtcTime,
) -> bool {
    let found = store.guardians_of(ward).await.unwrap();
    found.iter().any(|it| it.made.guardian == guardian && it.allows(scope, at))
}

#[tokio::test]
async fn a_guardian_is_one_for_a_scope_and_a_time() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let [parent, child] = residents(&store, &h).await;
    let made = guardianship(&h, parent, child);
    let receipt = store.record_guardianship(made.clone(), act("guardian.add")).await.unwrap();
    assert_proven(&store, &receipt).await;
    use GuardianScope::{Consent, PresentCard, SeeAccesses};
    // A day of the desk begins and ends at 16:00 UTC.
    #[rustfmt::skip]
    let cases = [
        ("now", parent, child, Consent, NOW, true),
        ("another scope of it", parent, child, PresentCard, NOW, true),
        ("a scope it has not", parent, child, SeeAccesses, NOW, false),
        ("the other way round", child, parent, Consent, NOW, false),
        ("somebody else", h.resident, child, Consent, NOW, false),
        ("for somebody else", parent, h.resident, Consent, NOW, false),
        ("oneself", child, child, Consent, NOW, false),
        ("to the end of the last day", parent, child, Consent, datetime!(2027-11-22 15:59:59 UTC), true),
        ("not on the next", parent, child, Consent, datetime!(2027-11-22 16:00 UTC), false),
    ];
    for (case, guardian, ward, scope, at, expected) in cases {
        assert_eq!(allowed(&store, guardian, ward, scope, at).await, expected, "{case}");
    }

    let later = NOW + Duration::hours(1);
    let receipt = store
        .record_guardianship_ended(made.id, ended(&h, later), act("guardian.end"))
        .await
        .unwrap();
    assert_proven(&store, &receipt).await;
    assert!(!allowed(&store, parent, child, Consent, later).await);
    let again = store.record_guardianship_ended(made.id, ended(&h, later), act("a.b")).await;
    assert!(matches!(again, Err(StoreError::Conflict(Obstacle::GuardianshipEnded))));
    let unknown = GuardianshipId::generate();
    let unknown = store.record_guardianship_ended(unknown, ended(&h, later), act("a.b")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::Guardianship))));

    let stands = |at| Guardianship { made: made.clone(), ended: None }.stands(at);
    let [first, last] = [datetime!(2026-11-22 16:00 UTC), datetime!(2027-11-22 16:00 UTC)];
    let before = |at| at - Duration::seconds(1);
    assert_eq!([before(first), first, before(last), last].map(stands), [false, true, true, false]);
    let on_record = Guardianship { made, ended: Some(ended(&h, later)) };
    assert!(!on_record.stands(later));
    assert_eq!(store.guardians_of(child).await.unwrap(), std::slice::from_ref(&on_record));
    assert_eq!(store.wards_of(parent).await.unwrap(), [on_record]);
    assert_eq!(store.guardians_of(parent).await.unwrap(), []);
    assert_eq!(store.wards_of(child).await.unwrap(), []);
}

#[tokio::test]
async fn one_that_begins_later_does_not_hold_yet() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let [parent, child] = residents(&store, &h).await;
    let starts_on = date!(2026 - 12 - 01);
    let made = NewGuardianship { starts_on, ..guardianship(&h, parent, child) };
    store.record_guardianship(made, act("guardian.add")).await.unwrap();
    let ask = |at| allowed(&store, parent, child, GuardianScope::Consent, at);
    assert!(!ask(datetime!(2026-11-30 15:59:59 UTC)).await);
    assert!(ask(datetime!(2026-11-30 16:00 UTC)).await);
}

#[tokio::test]
async fn nobody_comes_into_their_own_care() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let [a, b, c, d] = residents(&store, &h).await;
    let add = |made| store.record_guardianship(made, act("guardian.add"));
    let is_circle = |answer: Result<Receipt, StoreError>| {
        matches!(answer, Err(StoreError::Conflict(Obstacle::GuardianCircle)))
    };
    assert!(is_circle(add(guardianship(&h, a, a)).await), "oneself");
    let first = guardianship(&h, a, b);
    add(first.clone()).await.unwrap();
    assert!(is_circle(add(guardianship(&h, b, a)).await), "each other");
    add(guardianship(&h, b, c)).await.unwrap();
    add(guardianship(&h, b, d)).await.unwrap();
    let size = store.log_size();
    assert!(is_circle(add(guardianship(&h, c, a)).await), "through another");
    assert_eq!(store.log_size(), size);
    add(guardianship(&h, a, c)).await.unwrap();

    // Whoever has come of age by then may care for the parent later.
    let later = NewGuardianship {
        starts_on: date!(2027 - 11 - 23),
        ends_on: date!(2030 - 01 - 01),
        ..guardianship(&h, b, a)
    };
    add(later).await.unwrap();
    // One that was ended is no link of a circle.
    store.record_guardianship_ended(first.id, ended(&h, NOW), act("guardian.end")).await.unwrap();
    add(guardianship(&h, b, a)).await.unwrap();
}

#[tokio::test]
async fn two_have_one_guardianship_at_a_time() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let [parent, child] = residents(&store, &h).await;
    let add = |made| store.record_guardianship(made, act("guardian.add"));
    let first = guardianship(&h, parent, child);
    add(first.clone()).await.unwrap();
    let same = NewGuardianship { id: GuardianshipId::generate(), ..first.clone() };
    let touching = NewGuardianship { starts_on: LAST, ends_on: LAST, ..same.clone() };
    for wrong in [same.clone(), touching] {
        let refused = add(wrong).await;
        assert!(matches!(refused, Err(StoreError::Duplicate(Unique::Guardianship))));
    }
    let next = date!(2027 - 11 - 23);
    add(NewGuardianship { starts_on: next, ends_on: next, ..same.clone() }).await.unwrap();
    store.record_guardianship_ended(first.id, ended(&h, NOW), act("guardian.end")).await.unwrap();
    let unknown = NewGuardianship {
        id: GuardianshipId::generate(),
        guardian: ResidentId::generate(),
        ..same.clone()
    };
    assert!(matches!(add(unknown).await, Err(StoreError::NotFound(Record::Reference))));
    add(NewGuardianship { id: GuardianshipId::generate(), ..same }).await.unwrap();

    // What ended by itself is not ended once more.
    let over = ended(&h, datetime!(2027-11-22 16:00 UTC));
    let listed = store.guardians_of(child).await.unwrap();
    let last = listed.iter().find(|g| g.ended.is_none() && g.made.ends_on == LAST).unwrap();
    let refused = store.record_guardianship_ended(last.made.id, over, act("a.b")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::GuardianshipEnded))));
}
