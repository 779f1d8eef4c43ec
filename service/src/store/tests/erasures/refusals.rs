//! What stands in the way of an erasure.

use super::*;
use crate::vocabulary::Finding;

/// How an order came out, by the obstacle.
fn outcome<T>(recorded: Result<T, StoreError>) -> Option<String> {
    recorded.err().map(|error| match error {
        StoreError::Conflict(obstacle) => format!("{obstacle:?}"),
        other => format!("{other}"),
    })
}

async fn order(store: &Store, order: NewErasure) -> Option<String> {
    outcome(store.record_erasure_ordered(order, RULES, act("erasure.enter")).await)
}

#[tokio::test]
async fn a_basis_allows_what_it_is_for_and_no_earlier() {
    let place = Place::new();
    let store = place.open();
    let desk = desk(&store).await;
    let (resident, h) = (desk.h.resident, &desk.h);
    let [fresh, carded] = guardians::residents(&store, h).await;
    let applied = card(h.institution, carded, "0000000002");
    store.record_card(applied, act("card.register")).await.unwrap();
    use ErasureBasis::{Order, RegisteredInError, ResidentAsks};
    // The visit ended on 23 November 2026 at the desk.
    let before = datetime!(2056-11-22 15:59:59 UTC);
    let from = datetime!(2056-11-22 16:00 UTC);
    let kept = format!("{:?}", Obstacle::KeptUntil(date!(2056 - 11 - 23)));
    #[rustfmt::skip]
    let cases = [
        ("a visit", resident, RegisteredInError, LATER, Some("NotInError")),
        ("a card", carded, RegisteredInError, LATER, Some("NotInError")),
        ("neither", fresh, RegisteredInError, LATER, None),
        ("the day before", resident, ResidentAsks, before, Some(&*kept)),
        ("the day", resident, ResidentAsks, from, None),
        ("no visit", carded, ResidentAsks, LATER, None),
        ("nobody", ResidentId::generate(), Order, LATER, Some("there is no such record to refer to")),
    ];
    for (case, whom, basis, at, expected) in cases {
        let found = order(&store, desk.order(whom, basis, at)).await;
        assert_eq!(found.as_deref(), expected, "{case}");
    }
    // One waits at a time.
    let second = desk.order(fresh, Order, LATER);
    let found = store.record_erasure_ordered(second, RULES, act("erasure.enter")).await;
    assert!(matches!(found, Err(StoreError::Duplicate(Unique::PendingErasure))));
    let after = desk.order(fresh, Order, LATER + Duration::days(3));
    assert_eq!(order(&store, after.clone()).await, None, "once the first is over");
    let listed = store.erasures(h.institution, LATER + Duration::days(3), None, 10).await.unwrap();
    let now = LATER + Duration::days(3);
    let states = listed.iter().map(|it| (it.ordered.resident, it.clone().at(now).state));
    use ErasureState::{Expired, Pending};
    let expected = [(resident, Pending), (fresh, Pending), (fresh, Expired), (carded, Expired)];
    assert_eq!(states.collect::<Vec<_>>(), expected);
    // Page by page the same.
    let mut paged = Vec::new();
    while let Some(next) = {
        let after = paged.last().map(|it: &Erasure| it.ordered.id);
        let at = LATER + Duration::days(3);
        store.erasures(h.institution, at, after, 1).await.unwrap().pop()
    } {
        paged.push(next);
    }
    assert_eq!(paged, listed);
    assert_eq!(store.erasures(InstitutionId::generate(), LATER, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn nobody_is_erased_while_something_is_under_way() {
    let place = Place::new();
    let store = place.open();
    let desk = desk(&store).await;
    let h = &desk.h;
    let begun = emergency(h, NOW);
    let wanted = || desk.order(h.resident, ErasureBasis::Order, LATER);
    let first = wanted();
    assert_eq!(order(&store, first.clone()).await, None);
    store.record_emergency(begun.clone(), SESSION, 5, act("emergency.begin")).await.unwrap();
    let approve =
        || store.record_erased(desk.review(first.id, LATER), RULES, act("resident.erase"));
    assert_eq!(outcome(approve().await).as_deref(), Some("EmergencyOpen"), "it came meanwhile");
    let review = EmergencyReview {
        at: NOW + Duration::hours(4),
        by: desk.reviews.0,
        finding: Finding::Justified,
        sealed_note: vec![2],
    };
    let reviewed = act("emergency.review");
    store.record_emergency_reviewed(begun.id, review.clone(), reviewed).await.unwrap();

    // Whoever was treated in an emergency alone was cared for.
    let [treated, _] = guardians::residents(&store, h).await;
    let emergency = NewEmergency { id: EmergencyId::generate(), resident: treated, ..begun };
    let id = emergency.id;
    store.record_emergency(emergency, SESSION, 5, act("emergency.begin")).await.unwrap();
    store.record_emergency_reviewed(id, review, act("emergency.review")).await.unwrap();
    for (basis, expected) in [
        (ErasureBasis::RegisteredInError, "NotInError"),
        (ErasureBasis::ResidentAsks, "KeptUntil(2056-11-23)"),
    ] {
        let found = order(&store, desk.order(treated, basis, LATER)).await;
        assert_eq!(found.as_deref(), Some(expected));
    }

    let presence = presence(h.card, h.resident);
    let visit = NewVisit {
        id: VisitId::generate(),
        presence: presence.id,
        evidence: Evidence::Card(h.card),
        session: SESSION,
        resident: h.resident,
        institution: h.institution,
        department: "内科".into(),
        reason: "fever".into(),
        attending: vec![h.doctor],
        opened_at: NOW,
    };
    let id = visit.id;
    store.record_presence(presence, act("card.read")).await.unwrap();
    store.record_visit_opened(visit, act("visit.open")).await.unwrap();
    assert_eq!(outcome(approve().await).as_deref(), Some("VisitOpen"));
    store.record_visit_closed(id, NOW, act("visit.close")).await.unwrap();
    assert_eq!(outcome(approve().await), None);
    assert_eq!(order(&store, wanted()).await.as_deref(), Some("ResidentErased"));
    assert_eq!(outcome(approve().await).as_deref(), Some("ChangeOver"));
}

#[tokio::test]
async fn it_takes_two_people_in_force_in_time() {
    let place = Place::new();
    let store = place.open();
    let desk = desk(&store).await;
    let h = &desk.h;
    let first = desk.order(h.resident, ErasureBasis::Order, LATER);
    assert_eq!(order(&store, first.clone()).await, None);
    let approve = async |review: ErasureReview| {
        outcome(store.record_erased(review, RULES, act("resident.erase")).await)
    };
    let reject = async |review: ErasureReview| {
        outcome(store.record_erasure_rejected(review, act("erasure.review")).await)
    };
    let own = ErasureReview {
        by: desk.enters.0,
        with: desk.enters.1.into(),
        ..desk.review(first.id, LATER)
    };
    // The same person under another number.
    let same = Identity { person: Some([11; 32]), ..identity(h.institution, "other") };
    let double = ErasureReview { by: same.id, ..desk.review(first.id, LATER) };
    store.record_identity(same, act("identity.register")).await.unwrap();
    let late = desk.review(first.id, first.expires_at);
    let unsigned = ErasureReview { with: "ff".into(), ..desk.review(first.id, LATER) };
    let unknown = desk.review(ErasureId::generate(), LATER);
    for (review, expected) in [
        (own, "SamePerson"),
        (double, "SamePerson"),
        (late, "ChangeOver"),
        (unsigned, "CertificateNotValid"),
        (unknown, "there is no such change to review"),
    ] {
        assert_eq!(approve(review.clone()).await.as_deref(), Some(expected), "{review:?}");
        assert_eq!(reject(review.clone()).await.as_deref(), Some(expected), "{review:?}");
    }
    let entry = act("certificate.revoke");
    store.record_certificate_revoked(desk.enters.1, 1, LATER, entry).await.unwrap();
    let void = approve(desk.review(first.id, LATER)).await;
    assert_eq!(void.as_deref(), Some("EntryVoid"));
    assert!(store.resident(h.resident).await.unwrap().is_some());
    assert_eq!(reject(desk.review(first.id, LATER)).await, None);
    let found = store.erasure(first.id).await.unwrap().unwrap();
    assert_eq!(found.state, ErasureState::Rejected { by: desk.reviews.0, at: LATER });
    assert!(store.resident(h.resident).await.unwrap().is_some());
}
