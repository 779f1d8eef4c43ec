//! Certificates that one person enters and another reviews.

use super::*;
use crate::vocabulary::{CertificateSet, EnrolmentState};

/// Three operators with certificates, of whom the third is the first person again; and who is to be certified.
struct Office {
    operators: [IdentityId; 3],
    nurse: IdentityId,
}

async fn office(store: &Store) -> Office {
    let home = institution();
    store.record_institution(home.clone(), act("institution.register")).await.unwrap();
    let register = async |number: &str, person: Option<[u8; 32]>| {
        let it = Identity { role: "operator".into(), person, ..identity(home.id, number) };
        store.record_identity(it.clone(), act("identity.register")).await.unwrap();
        it.id
    };
    let operators = [
        register("1", Some([1; 32])).await,
        register("2", Some([2; 32])).await,
        register("3", Some([1; 32])).await,
    ];
    for (serial, operator) in ["a1", "a2", "a3"].into_iter().zip(operators) {
        let drafted = draft(serial, operator);
        store.record_certificate_draft(drafted, act("service.init")).await.unwrap();
        store.record_certificate_signed(serial, vec![7], act("service.init")).await.unwrap();
    }
    Office { operators, nurse: register("n", None).await }
}

fn statement(text: &str, by: IdentityId, with: &str, at: UtcTime) -> SignedStatement {
    SignedStatement { text: text.into(), signature: vec![9; 64], by, with: with.into(), at }
}

impl Office {
    fn enrolment(&self, key: u8) -> NewEnrolment {
        NewEnrolment {
            id: EnrolmentId::generate(),
            identity: self.nurse,
            certificates: CertificateSet::Signing,
            days: Some(30),
            request: vec![key; 10],
            key_digest: [key; 32],
            entry: statement("entry", self.operators[0], "a1", NOW),
            expires_at: NOW + Duration::days(3),
        }
    }

    fn drafted(&self, serial: &str, key: u8) -> EnrolmentDraft {
        let drafted = CertificateDraft { key_digest: [key; 32], ..draft(serial, self.nurse) };
        EnrolmentDraft::Signing(drafted)
    }

    fn approval(&self, enrolment: &NewEnrolment, who: usize, at: UtcTime) -> EnrolmentReview {
        let (serial, key) = (format!("b{}", enrolment.key_digest[0]), enrolment.key_digest[0]);
        let with = ["a1", "a2", "a3"][who];
        EnrolmentReview {
            enrolment: enrolment.id,
            statement: statement("review", self.operators[who], with, at),
            verdict: EnrolmentVerdict::Approve(Box::new(self.drafted(&serial, key))),
        }
    }
}

async fn enter(store: &Store, enrolment: &NewEnrolment) -> Result<Receipt, StoreError> {
    store.record_enrolment(enrolment.clone(), None, act("certificate.enter")).await
}

async fn review(store: &Store, review: EnrolmentReview) -> Result<Receipt, StoreError> {
    store.record_enrolment_reviewed(review, act("certificate.review")).await
}

#[track_caller]
fn conflict(answer: Result<Receipt, StoreError>, obstacle: Obstacle) {
    assert!(matches!(&answer, Err(StoreError::Conflict(it)) if *it == obstacle), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_is_drafted_with_the_approval_of_another_person_and_not_before() {
    let place = Place::new();
    let store = place.open();
    let office = office(&store).await;
    let entered = office.enrolment(1);
    assert_proven(&store, &enter(&store, &entered).await.unwrap()).await;
    assert_eq!(store.certificates_of(office.nurse).await.unwrap(), []);
    assert_eq!(store.pending_enrolments(NOW, None, None, 10).await.unwrap().len(), 1);

    // Neither the same identity nor the same person under another one; and not too late.
    for who in [0, 2] {
        conflict(review(&store, office.approval(&entered, who, NOW)).await, Obstacle::SamePerson);
    }
    let late = entered.expires_at;
    conflict(review(&store, office.approval(&entered, 1, late)).await, Obstacle::ChangeOver);
    assert_eq!(store.pending_enrolments(late, None, None, 10).await.unwrap(), []);
    assert_eq!(store.certificates_of(office.nurse).await.unwrap(), []);

    let receipt = review(&store, office.approval(&entered, 1, NOW)).await.unwrap();
    assert_proven(&store, &receipt).await;
    let found = store.enrolment_of("b1").await.unwrap().unwrap();
    assert_eq!((found.state, found.entered.clone()), (EnrolmentState::Approved, entered.clone()));
    assert_eq!(found.review, Some(statement("review", office.operators[1], "a2", NOW)));
    assert_eq!(store.certificates_of(office.nurse).await.unwrap()[0].der, None);
    conflict(review(&store, office.approval(&entered, 1, NOW)).await, Obstacle::ChangeOver);
    // What was entered and signed once is not entered again, and the key is certified.
    let replayed = enter(&store, &entered).await;
    assert!(matches!(replayed, Err(StoreError::Duplicate(Unique::PublicKey))), "{replayed:?}");
    let other_key = NewEnrolment { key_digest: [9; 32], ..entered };
    let replayed = enter(&store, &other_key).await;
    assert!(matches!(replayed, Err(StoreError::Duplicate(Unique::Id))), "{replayed:?}");
    let unknown = NewEnrolment { id: EnrolmentId::generate(), ..other_key };
    let nobody = review(&store, office.approval(&unknown, 1, NOW)).await;
    assert!(matches!(nobody, Err(StoreError::NotFound(Record::PendingChange))), "{nobody:?}");
}

#[tokio::test]
async fn entries_of_who_was_revoked_are_void_and_reviews_too() {
    let place = Place::new();
    let store = place.open();
    let office = office(&store).await;
    let [first, second, third] = [1, 2, 3].map(|key| office.enrolment(key));
    for entered in [&first, &second, &third] {
        enter(&store, entered).await.unwrap();
    }
    let revoke = async |serial, reason| {
        let entry = act("certificate.revoke");
        store.record_certificate_revoked(serial, reason, NOW, entry).await.unwrap();
    };
    revoke("a2", HOLD).await;
    let refused = review(&store, office.approval(&first, 1, NOW)).await;
    conflict(refused, Obstacle::CertificateNotValid);
    store.record_certificate_released("a2", act("certificate.release")).await.unwrap();
    review(&store, office.approval(&first, 1, NOW)).await.unwrap();
    revoke("a1", 1).await;
    conflict(review(&store, office.approval(&second, 1, NOW)).await, Obstacle::EntryVoid);
    conflict(enter(&store, &office.enrolment(4)).await, Obstacle::CertificateNotValid);
    // It can still be rejected, and goes back with the reason.
    let rejection = EnrolmentReview {
        verdict: EnrolmentVerdict::Reject { why: "录入人已离职".into() },
        ..office.approval(&second, 1, NOW)
    };
    review(&store, rejection).await.unwrap();
    let rejected = store.rejected_enrolments(None, None, 10).await.unwrap();
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].entered.id, rejected[0].certificate.clone()), (second.id, None));
    assert_eq!(rejected[0].rejection.as_deref(), Some("录入人已离职"));
    assert_eq!(store.pending_enrolments(NOW, None, None, 10).await.unwrap()[0].entered, third);
}

#[tokio::test]
async fn a_key_has_one_enrolment_that_waits() {
    let place = Place::new();
    let store = place.open();
    let office = office(&store).await;
    let first = office.enrolment(1);
    enter(&store, &first).await.unwrap();
    let again = NewEnrolment { id: EnrolmentId::generate(), ..first.clone() };
    let refused = enter(&store, &again).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::PendingEnrolment))));
    // One whose time is over gives way.
    let mut later = again;
    later.entry.at = first.expires_at;
    later.expires_at = first.expires_at + Duration::days(3);
    enter(&store, &later).await.unwrap();
    let expired = store.enrolment(first.id).await.unwrap().unwrap();
    assert_eq!(expired.state, EnrolmentState::Expired);
}

#[tokio::test]
async fn where_one_person_is_enough_entry_and_draft_are_one_fact() {
    let place = Place::new();
    let store = place.open();
    let office = office(&store).await;
    let entered = office.enrolment(1);
    // A serial number that was given: neither comes to be.
    let taken = office.drafted("a1", 1);
    let refused =
        store.record_enrolment(entered.clone(), Some(taken), act("certificate.enter")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::Serial))), "{refused:?}");
    assert_eq!(store.enrolment(entered.id).await.unwrap(), None);
    let drafted = office.drafted("b1", 1);
    store.record_enrolment(entered, Some(drafted), act("certificate.enter")).await.unwrap();
    let found = store.enrolment_of("b1").await.unwrap().unwrap();
    assert_eq!((found.state, found.review), (EnrolmentState::Alone, None));
}

#[tokio::test]
async fn operators_are_counted_who_could_be_two_persons() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(store.operators(NOW).await.unwrap().home, None);
    office(&store).await;
    let counted = store.operators(NOW).await.unwrap();
    // None of them is the service's own, and nobody reviewed their certificates; two of them are one person.
    assert_eq!((counted.in_force, counted.by_one_person), (2, 3));
    let revoke = async |serial| {
        let entry = act("certificate.revoke");
        store.record_certificate_revoked(serial, 1, NOW, entry).await.unwrap();
        store.operators(NOW).await.unwrap().in_force
    };
    assert_eq!((revoke("a3").await, revoke("a2").await), (2, 1));
    assert_eq!(store.operators(NOW + Duration::days(400)).await.unwrap().in_force, 0);
}

#[tokio::test]
async fn numbers_of_staff_and_certificates_of_pairs_do_not_disturb_the_count() {
    let place = Place::new();
    let store = place.open();
    let own = Institution { credit_code: String::new(), ..institution() };
    store.record_institution(own.clone(), act("institution.register")).await.unwrap();
    let long = Identity { role: "operator".into(), ..identity(own.id, "13800138000") };
    store.record_identity(long, act("identity.register")).await.unwrap();
    assert_eq!(store.operators(NOW).await.unwrap().in_force, 0);
    let office = office(&store).await;
    // An operator elsewhere whose pair two persons approved: neither of the two is of one person.
    let before = store.operators(NOW).await.unwrap();
    let key = NewEscrowedKey {
        id: EscrowedKeyId::generate(),
        key_digest: [8; 32],
        public_key: vec![8; 65],
        sealed: vec![8; 8],
    };
    store.record_spare_keys(vec![key.clone()], NOW, act("key-centre.make")).await.unwrap();
    let mut entered = office.enrolment(7);
    entered.identity = office.operators[1];
    entered.certificates = CertificateSet::Pair;
    enter(&store, &entered).await.unwrap();
    let drafts = PairDraft {
        holder: office.operators[1],
        signing: CertificateDraft { key_digest: [7; 32], ..draft("c1", office.operators[1]) },
        encryption: CertificateDraft { key_digest: [8; 32], ..draft("c2", office.operators[1]) },
        key: key.id,
    };
    let draft = EnrolmentDraft::Pair { drafts: Box::new(drafts), envelope: vec![5] };
    let approval = EnrolmentReview {
        verdict: EnrolmentVerdict::Approve(Box::new(draft)),
        ..office.approval(&entered, 0, NOW)
    };
    // The entry is of the first operator, so that the second reviews it.
    let approval =
        EnrolmentReview { statement: statement("r", office.operators[1], "a2", NOW), ..approval };
    review(&store, approval).await.unwrap();
    let signed = ["c1", "c2"].map(|serial| SignedDraft { serial: serial.into(), der: vec![7] });
    store.record_all_signed(signed.into(), act("certificate.issue")).await.unwrap();
    assert_eq!(store.operators(NOW).await.unwrap(), before);
}

#[tokio::test]
async fn identities_are_found_by_what_is_known_of_them() {
    let place = Place::new();
    let store = place.open();
    let office = office(&store).await;
    let [first, second, again] = office.operators;
    let home = store.identity(first).await.unwrap().unwrap().institution;
    let cases = [
        (IdentityKey::Person([1; 32]), vec![first, again]),
        (IdentityKey::Person([9; 32]), vec![]),
        (IdentityKey::Number(home, "2".into()), vec![second]),
        (IdentityKey::Number(InstitutionId::generate(), "2".into()), vec![]),
        (IdentityKey::Serial("a3".into()), vec![again]),
        (IdentityKey::Serial("ff".into()), vec![]),
    ];
    for (number, (key, expected)) in cases.into_iter().enumerate() {
        let found = store.find_identities(key).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|it| it.id).collect();
        assert_eq!(found, expected, "case {number}");
    }
}
