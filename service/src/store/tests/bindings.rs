//! Bound numbers, who looks like whom, and what was decided about it.

use super::*;
use crate::{
    likeness::{Rule, Verdict},
    numbers::NumberKind,
    vocabulary::{Basis, BindingEnd},
};

const SAME_PERSON_RULE: Rule = Rule::NameAndBirthDate;

fn likeness(digest: u8) -> Likeness {
    Likeness { rule: SAME_PERSON_RULE, digest: [digest; 32] }
}

pub(super) fn binding(h: &Hospital, resident: ResidentId, index: u8) -> NewBinding {
    NewBinding {
        id: BindingId::generate(),
        resident,
        kind: NumberKind::Passport,
        number_index: [index; 32],
        sealed_number: vec![8; 40],
        basis: Basis::DocumentSeen,
        scan_digest: Some([3; 32]),
        institution: h.institution,
        identity: h.doctor,
        bound_at: NOW,
    }
}

fn decision(h: &Hospital, resident: ResidentId, candidates: &[LookAlike]) -> Decision {
    Decision {
        id: DecisionId::generate(),
        resident,
        verdict: Verdict::DifferentPeople,
        candidates: candidates.to_vec(),
        institution: h.institution,
        identity: h.doctor,
        sealed_grounds: vec![7; 30],
        decided_at: NOW,
    }
}

fn ended(h: &Hospital) -> BindingEnded {
    BindingEnded {
        at: NOW + Duration::days(1),
        by: h.doctor,
        reason: BindingEnd::Mistake,
        sealed_note: Some(vec![6; 30]),
    }
}

/// Another resident, with these likenesses.
async fn another(store: &Store, h: &Hospital, index: u8, likenesses: &[Likeness]) -> ResidentId {
    let other = resident(h.institution, index);
    let id = other.id;
    let entry = act("resident.register");
    store.record_resident(other, likenesses.to_vec(), None, entry).await.unwrap();
    id
}

fn is_look_alike<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Conflict(Obstacle::LookAlike)))
}

#[tokio::test]
async fn a_binding_ends_and_stays_on_record() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let first = binding(&h, h.resident, 9);
    let receipt = store.record_bound(first.clone(), None, act("number.bind")).await.unwrap();
    assert_proven(&store, &receipt).await;
    let found = store.residents_by_number([9; 32]).await.unwrap();
    assert_eq!(found.iter().map(|r| r.id).collect::<Vec<_>>(), [h.resident]);

    let again = NewBinding { id: BindingId::generate(), ..first.clone() };
    let refused = store.record_bound(again.clone(), None, act("number.bind")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::Binding))));

    let receipt = store.record_unbound(first.id, ended(&h), act("number.unbind")).await.unwrap();
    assert_proven(&store, &receipt).await;
    assert_eq!(store.residents_by_number([9; 32]).await.unwrap(), []);
    let refused = store.record_unbound(first.id, ended(&h), act("number.unbind")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::BindingEnded))));
    let unknown = store.record_unbound(BindingId::generate(), ended(&h), act("a.b")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::Binding))));

    // Bound again, all of it is on record, in its order.
    store.record_bound(again.clone(), None, act("number.bind")).await.unwrap();
    drop(store);
    let store = place.open();
    let history = store.bindings(h.resident, None, 10).await.unwrap();
    let expected = [
        Binding { made: first.clone(), ended: Some(ended(&h)) },
        Binding { made: again.clone(), ended: None },
    ];
    assert_eq!(history, expected);
    assert_eq!(store.bindings(h.resident, Some(first.id), 10).await.unwrap(), expected[1..]);
    assert_eq!(store.bindings(h.resident, None, 1).await.unwrap(), expected[..1]);
    assert_eq!(store.binding(first.id).await.unwrap().as_ref(), Some(&expected[0]));
}

#[tokio::test]
async fn a_number_is_on_two_residents_only_by_decision() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let other = another(&store, &h, 2, &[]).await;
    let first = binding(&h, h.resident, 9);
    store.record_bound(first.clone(), None, act("number.bind")).await.unwrap();

    let size = store.log_size();
    let second = binding(&h, other, 9);
    let refused = store.record_bound(second.clone(), None, act("number.bind")).await;
    assert!(is_look_alike(&refused));
    assert_eq!(store.bindings(other, None, 10).await.unwrap(), [], "nothing is left of it");
    assert_eq!(store.log_size(), size);

    let candidates = store.look_alikes_of(other, [9; 32]).await.unwrap();
    let rule = Rule::Number;
    assert_eq!(candidates, [LookAlike { resident: h.resident, institution: h.institution, rule }]);
    // A decision about nobody, or about the same two by another rule, is no decision about this.
    for wrong in [vec![], vec![LookAlike { rule: Rule::NameAndPhone, ..candidates[0] }]] {
        let decided = decision(&h, other, &wrong);
        let refused = store.record_bound(second.clone(), Some(decided), act("number.bind")).await;
        assert!(is_look_alike(&refused), "{wrong:?}");
    }
    let decided = decision(&h, other, &candidates);
    store.record_bound(second, Some(decided.clone()), act("number.bind")).await.unwrap();
    assert_eq!(store.decisions(other).await.unwrap(), [decided]);
    assert_eq!(store.decisions(h.resident).await.unwrap(), []);
    let found = store.residents_by_number([9; 32]).await.unwrap();
    assert_eq!(found.iter().map(|r| r.id).collect::<Vec<_>>(), [h.resident, other]);

    // A third must be told apart from both; told from one is not enough.
    let third = another(&store, &h, 3, &[]).await;
    let candidates = store.look_alikes_of(third, [9; 32]).await.unwrap();
    assert_eq!(candidates.len(), 2);
    let decided = decision(&h, third, &candidates[..1]);
    let bound = binding(&h, third, 9);
    let refused = store.record_bound(bound.clone(), Some(decided), act("number.bind")).await;
    assert!(is_look_alike(&refused));

    // A number that was taken back is free.
    store.record_unbound(first.id, ended(&h), act("number.unbind")).await.unwrap();
    assert_eq!(store.look_alikes_of(third, [9; 32]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_looks_like_somebody_on_record_is_registered_only_by_decision() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let first = another(&store, &h, 2, &[likeness(1)]).await;
    another(&store, &h, 3, &[likeness(2)]).await;

    let size = store.log_size();
    let second = resident(h.institution, 4);
    let register = |resident: &Resident, decision| {
        let entry = act("resident.register");
        store.record_resident(resident.clone(), vec![likeness(1)], decision, entry)
    };
    assert!(is_look_alike(&register(&second, None).await));
    assert_eq!(store.resident(second.id).await.unwrap(), None, "nothing is left of it");
    assert_eq!(store.log_size(), size);

    let candidates = store.look_alikes(vec![likeness(1)]).await.unwrap();
    let rule = SAME_PERSON_RULE;
    assert_eq!(candidates, [LookAlike { resident: first, institution: h.institution, rule }]);
    let decided = decision(&h, second.id, &candidates);
    register(&second, Some(decided)).await.unwrap();

    // Who was told apart once is not asked about again, whichever of the two a number is for.
    for resident in [first, second.id] {
        assert_eq!(store.look_alikes_of(resident, [9; 32]).await.unwrap(), []);
        let bound = binding(&h, resident, if resident == first { 8 } else { 9 });
        store.record_bound(bound, None, act("number.bind")).await.unwrap();
    }
    // Somebody who comes later is not decided about.
    let third = resident(h.institution, 5);
    let decided = decision(&h, third.id, &candidates);
    assert!(is_look_alike(&register(&third, Some(decided)).await));
    assert_eq!(store.look_alikes(vec![likeness(1)]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn one_who_was_found_twice_is_asked_about_again() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let first = another(&store, &h, 2, &[likeness(1)]).await;
    let candidates = store.look_alikes(vec![likeness(1)]).await.unwrap();
    let same = Decision { verdict: Verdict::SamePerson, ..decision(&h, first, &candidates) };
    let receipt = store.record_decision(same.clone(), act("look-alike.decide")).await.unwrap();
    assert_proven(&store, &receipt).await;
    assert_eq!(store.decisions(first).await.unwrap(), [same]);
    let again = resident(h.institution, 3);
    let entry = act("resident.register");
    let refused = store.record_resident(again, vec![likeness(1)], None, entry).await;
    assert!(is_look_alike(&refused));
}

#[tokio::test]
async fn residents_of_before_are_compared_once_they_are_filled_in() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    assert_eq!(store.unlikened(10).await.unwrap(), [], "who is registered now is compared");
    drop(store);
    // As the migration leaves whoever was there before it.
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute("INSERT INTO unlikened SELECT id FROM resident", []).unwrap();
    drop(db);
    let store = place.open();
    let before = store.unlikened(10).await.unwrap();
    assert_eq!(before.iter().map(|r| r.id).collect::<Vec<_>>(), [h.resident]);
    let filled = vec![(h.resident, vec![likeness(1)])];
    store.record_likenesses(filled, act("likeness.fill")).await.unwrap();
    assert_eq!(store.unlikened(10).await.unwrap(), []);
    assert_eq!(store.look_alikes(vec![likeness(1)]).await.unwrap().len(), 1);
}
