//! Encryption key pairs that are held: spare, in use, and past it.

use super::*;

fn spare(number: u8) -> NewEscrowedKey {
    NewEscrowedKey {
        id: EscrowedKeyId::generate(),
        key_digest: [number; 32],
        public_key: vec![number; 65],
        sealed: vec![number; 8],
    }
}

fn draft(serial: &str, holder: IdentityId, key: u8) -> CertificateDraft {
    CertificateDraft {
        serial: serial.to_owned(),
        identity: Some(holder),
        issuer: "ca-people".to_owned(),
        key_digest: [key; 32],
        body: vec![1],
        not_before: NOW,
        not_after: NOW + Duration::days(30),
        drafted_at: NOW,
        identifiers: Vec::new(),
    }
}

fn pair(holder: IdentityId, serials: [&str; 2], signing: u8, key: &NewEscrowedKey) -> PairDraft {
    PairDraft {
        holder,
        signing: draft(serials[0], holder, signing),
        encryption: draft(serials[1], holder, key.key_digest[0]),
        key: key.id,
    }
}

fn signed(serials: [&str; 2]) -> Vec<SignedDraft> {
    serials.map(|serial| SignedDraft { serial: serial.to_owned(), der: vec![7] }).to_vec()
}

/// As part of a fact: with an approval, in the service.
async fn record_pair_draft(store: &Store, pair: PairDraft) -> Result<Receipt, StoreError> {
    let entry = act("certificate.review");
    store.record(entry, move |db, _| crate::store::key_centre::insert_pair_draft(db, pair)).await
}

async fn counts(store: &Store) -> [u64; 3] {
    let KeyCounts { spare, in_use, history } = store.key_counts().await.unwrap();
    [spare, in_use, history]
}

#[tokio::test]
async fn a_key_pair_is_taken_once_and_with_both_certificates_or_not_at_all() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let keys = [spare(1), spare(2), spare(3)];
    store.record_spare_keys(keys.to_vec(), NOW, act("key-centre.make")).await.unwrap();
    let twice =
        store.record_spare_keys(vec![spare(9), spare(1)], NOW, act("key-centre.make")).await;
    assert!(matches!(twice, Err(StoreError::Duplicate(_))));
    assert_eq!(counts(&store).await, [3, 0, 0]);

    let first = pair(hospital.doctor, ["a1", "a2"], 101, &keys[0]);
    record_pair_draft(&store, first.clone()).await.unwrap();
    assert_eq!(counts(&store).await, [2, 1, 0]);
    let size = store.log_size();
    for (what, wrong, error) in [
        ("the key pair is taken", pair(hospital.doctor, ["b1", "b2"], 102, &keys[0]), None),
        (
            "the signing key is certified",
            pair(hospital.doctor, ["b1", "b2"], 101, &keys[1]),
            Some(Unique::PublicKey),
        ),
        (
            "the number was given",
            pair(hospital.doctor, ["b1", "a2"], 102, &keys[1]),
            Some(Unique::Serial),
        ),
        (
            "another key pair than that of the certificate",
            PairDraft { key: keys[2].id, ..pair(hospital.doctor, ["b1", "b2"], 102, &keys[1]) },
            None,
        ),
    ] {
        let refused = record_pair_draft(&store, wrong).await.unwrap_err();
        match error {
            Some(unique) => assert!(
                matches!(refused, StoreError::Duplicate(it) if it == unique),
                "{what}: {refused}"
            ),
            None => assert!(
                matches!(refused, StoreError::Conflict(Obstacle::KeyNotSpare)),
                "{what}: {refused}"
            ),
        }
    }
    assert_eq!((counts(&store).await, store.log_size()), ([2, 1, 0], size));
    let left = store.spare_keys(None, 10).await.unwrap();
    assert_eq!(left.iter().map(|key| key.pair.id).collect::<Vec<_>>(), [keys[1].id, keys[2].id]);
    let after = store.spare_keys(Some(keys[1].id), 10).await.unwrap();
    assert_eq!(after.iter().map(|key| &key.pair).collect::<Vec<_>>(), [&keys[2]]);

    // Both are signed, or none.
    let half = store.record_all_signed(signed(["a1", "zz"]), act("certificate.issue")).await;
    assert!(matches!(half, Err(StoreError::NotFound(Record::Certificate))));
    assert_eq!(store.certificate("a1").await.unwrap().unwrap().der, None);
    store.record_all_signed(signed(["a1", "a2"]), act("certificate.issue")).await.unwrap();
    let encryption = store.certificate("a2").await.unwrap().unwrap();
    assert_eq!((encryption.der, encryption.pair_of.as_deref()), (Some(vec![7]), Some("a1")));
    assert_eq!(store.encryption_certificate_of("a1").await.unwrap().as_deref(), Some("a2"));
}

#[tokio::test]
async fn key_pairs_go_into_the_history_with_their_certificates() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let keys = [spare(1), spare(2), spare(3)];
    store.record_spare_keys(keys.to_vec(), NOW, act("key-centre.make")).await.unwrap();
    for (at, serials) in [["a1", "a2"], ["b1", "b2"], ["c1", "c2"]].into_iter().enumerate() {
        let drafted = pair(hospital.doctor, serials, 101 + at as u8, &keys[at]);
        record_pair_draft(&store, drafted).await.unwrap();
        store.record_all_signed(signed(serials), act("certificate.issue")).await.unwrap();
    }
    assert_eq!(counts(&store).await, [0, 3, 0]);
    let revoke = async |serial, reason, at| {
        let entry = act("certificate.revoke");
        store.record_certificate_revoked(serial, reason, at, entry).await.unwrap()
    };
    let revoked =
        async |serial| store.certificate(serial).await.unwrap().unwrap().revocation_reason;

    // The encryption certificate alone; then the pair, of which it keeps its own reason.
    assert!(matches!(revoke("a2", 3, NOW).await, Change::Recorded(_)));
    assert_eq!((revoked("a1").await, counts(&store).await), (None, [0, 2, 1]));
    assert!(matches!(revoke("a1", 1, NOW).await, Change::Recorded(_)));
    assert_eq!((revoked("a1").await, revoked("a2").await), (Some(1), Some(3)));
    // A signing certificate takes the other along.
    assert!(matches!(revoke("b1", 4, NOW).await, Change::Recorded(_)));
    assert_eq!((revoked("b1").await, revoked("b2").await), (Some(4), Some(4)));
    assert_eq!(counts(&store).await, [0, 1, 2]);
    assert_eq!(revoke("b2", 1, NOW).await, Change::None);

    // And one whose time is over goes by itself, with an entry only then.
    let (end, size) = (NOW + Duration::days(30), store.log_size());
    assert_eq!(store.record_keys_past(end, act("key-centre.end")).await.unwrap(), 0);
    assert_eq!(store.log_size(), size);
    let after = end + Duration::SECOND;
    assert_eq!(store.record_keys_past(after, act("key-centre.end")).await.unwrap(), 1);
    assert_eq!((counts(&store).await, store.log_size()), ([0, 0, 3], size + 1));
}

fn recovery(key: &NewEscrowedKey, recipient: RecoveryRecipient, by: IdentityId) -> NewRecovery {
    NewRecovery {
        id: RecoveryId::generate(),
        key: key.id,
        certificate: "a2".to_owned(),
        recipient,
        recipient_key: vec![4; 65],
        entered_by: by,
        entered_with: "a9".to_owned(),
        entered_at: NOW,
        expires_at: NOW + Duration::days(3),
    }
}

#[tokio::test]
async fn a_key_is_given_by_two_persons_once_and_in_time() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let second = identity(hospital.institution, "D2");
    store.record_identity(second.clone(), act("identity.register")).await.unwrap();
    let key = spare(1);
    store.record_spare_keys(vec![key.clone()], NOW, act("key-centre.make")).await.unwrap();
    let drafted = pair(hospital.doctor, ["a1", "a2"], 101, &key);
    record_pair_draft(&store, drafted).await.unwrap();
    store.record_all_signed(signed(["a1", "a2"]), act("certificate.issue")).await.unwrap();
    assert_eq!(store.escrowed_key([1; 32]).await.unwrap().unwrap().holder, Some(hospital.doctor));
    assert_eq!(store.escrowed_key([101; 32]).await.unwrap(), None);

    // The two persons' own; the second one has another that is revoked.
    for (serial, holder, key, drafted_at) in
        [("a9", hospital.doctor, 9, NOW), ("a8", second.id, 8, NOW), ("a7", second.id, 7, NOW)]
    {
        let draft = CertificateDraft {
            serial: serial.to_owned(),
            identity: Some(holder),
            issuer: "ca-people".to_owned(),
            key_digest: [key; 32],
            body: vec![1],
            not_before: drafted_at,
            not_after: NOW + Duration::days(30),
            drafted_at,
            identifiers: Vec::new(),
        };
        store.record_certificate_draft(draft, act("certificate.issue")).await.unwrap();
        store.record_certificate_signed(serial, vec![7], act("certificate.issue")).await.unwrap();
    }

    store.record_certificate_revoked("a7", 1, NOW, act("certificate.revoke")).await.unwrap();

    let to_holder = || RecoveryRecipient::Holder { signing: "a1".to_owned() };
    let by_order = RecoveryRecipient::Order { reference: "（2026）刑初1号".to_owned() };
    let entered = [to_holder(), by_order, to_holder()]
        .map(|recipient| recovery(&key, recipient, hospital.doctor));
    for recovery in &entered {
        store.record_recovery(recovery.clone(), act("key-recovery.enter")).await.unwrap();
    }
    let review = async |recovery: &NewRecovery, by, at, verdict| {
        let with = "a8".to_owned();
        let review = RecoveryReview { recovery: recovery.id, by, with, at, verdict };
        store.record_recovery_reviewed(review, act("key-recovery.review")).await
    };
    use RecoveryVerdict::{Approve, Reject};
    let [first, order, third] = &entered;
    let end = first.expires_at;
    let same = review(first, hospital.doctor, NOW, Approve).await;
    assert!(matches!(same, Err(StoreError::Conflict(Obstacle::SamePerson))));
    let revoked = RecoveryReview {
        recovery: first.id,
        by: second.id,
        with: "a7".to_owned(),
        at: NOW,
        verdict: Approve,
    };
    let revoked = store.record_recovery_reviewed(revoked, act("key-recovery.review")).await;
    assert!(matches!(revoked, Err(StoreError::Conflict(Obstacle::CertificateNotValid))));
    let late = review(first, second.id, end, Approve).await;
    assert!(matches!(late, Err(StoreError::Conflict(Obstacle::ChangeOver))));
    let pending = async |now| {
        let found = store.pending_recoveries(now, None, 10).await.unwrap();
        found.into_iter().map(|found| found.entered).collect::<Vec<_>>()
    };
    assert_eq!(pending(NOW).await, entered);
    assert_eq!(pending(end).await, []);

    review(first, second.id, end - Duration::SECOND, Approve).await.unwrap();
    for verdict in [Approve, Reject] {
        let again = review(first, second.id, NOW, verdict).await;
        assert!(matches!(again, Err(StoreError::Conflict(Obstacle::ChangeOver))));
    }
    review(order, second.id, NOW, Reject).await.unwrap();
    let state = store.recovery(order.id).await.unwrap().unwrap().state;
    assert_eq!(state, RecoveryState::Rejected { by: second.id, at: NOW });

    // Not to a signing certificate that was revoked meanwhile.
    store.record_certificate_revoked("a1", 1, NOW, act("certificate.revoke")).await.unwrap();
    let revoked = review(third, second.id, NOW, Approve).await;
    assert!(matches!(revoked, Err(StoreError::Conflict(Obstacle::CertificateNotValid))));
    assert_eq!(pending(NOW).await, std::slice::from_ref(third));
    // Nor one that was entered with a certificate that was revoked since.
    let by_order = RecoveryRecipient::Order { reference: "（2026）刑初2号".to_owned() };
    let fourth = recovery(&key, by_order, hospital.doctor);
    store.record_recovery(fourth.clone(), act("key-recovery.enter")).await.unwrap();
    store.record_certificate_revoked("a9", 1, NOW, act("certificate.revoke")).await.unwrap();
    let revoked = review(&fourth, second.id, NOW, Approve).await;
    assert!(matches!(revoked, Err(StoreError::Conflict(Obstacle::EntryVoid))));
    let nobody = RecoveryReview {
        recovery: RecoveryId::generate(),
        by: second.id,
        with: "a8".to_owned(),
        at: NOW,
        verdict: Reject,
    };
    let unknown = store.record_recovery_reviewed(nobody, act("key-recovery.review")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::PendingChange))));
}
