//! What there is to tell of certificates: each change once, in its order.

use super::{certificates::certify, *};
use crate::vocabulary::CertificateChange::{self, Issued, Released, Revoked, Suspended};

#[tokio::test]
async fn each_change_is_told_once_in_its_order() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let before = store.last_certificate_change().await.unwrap();
    let first = certify(&store, hospital.doctor, 1, 30).await;
    let second = certify(&store, hospital.doctor, 2, 30).await;
    let revoke = async |serial: &str, reason| {
        let (entry, at) = (act("certificate.revoke"), NOW + Duration::HOUR);
        store.record_certificate_revoked(serial, reason, at, entry).await.unwrap()
    };
    revoke(&first, HOLD).await;
    store.record_certificate_released(&first, act("certificate.release")).await.unwrap();
    revoke(&second, HOLD).await;
    revoke(&second, 1).await;
    // Once more changes nothing, and is told to nobody.
    assert_eq!(revoke(&second, 1).await, Change::None);
    // What nobody has is nothing to tell of.
    let draft = CertificateDraft {
        serial: "b3".to_owned(),
        identity: Some(hospital.doctor),
        issuer: "ca-people".to_owned(),
        key_digest: [3; 32],
        body: vec![1],
        not_before: NOW,
        not_after: NOW + Duration::days(1),
        drafted_at: NOW,
        identifiers: vec!["1@0000JM0A".to_owned()],
    };
    store.record_certificate_draft(draft, act("certificate.issue")).await.unwrap();
    assert_eq!(store.certificates_identified("1@0000JM0A").await.unwrap(), []);
    revoke("b3", 1).await;

    type Told = (CertificateChange, String, Option<u32>);
    let told = async |since, limit| -> (u64, Vec<Told>) {
        let changes = store.certificate_changes(since, limit).await.unwrap();
        let last = changes.last().map_or(since, |change| change.number);
        let told = changes.into_iter().map(|it| (it.change, it.certificate.serial, it.reason));
        (last, told.collect())
    };
    let (a, b) = (|| first.clone(), || second.clone());
    let all = [
        (Issued, a(), None),
        (Issued, b(), None),
        (Suspended, a(), Some(HOLD)),
        (Released, a(), None),
        (Suspended, b(), Some(HOLD)),
        (Revoked, b(), Some(1)),
    ];
    assert_eq!(told(before, 100).await.1, all);
    let (middle, part) = told(before, 4).await;
    let (last, rest) = told(middle, 4).await;
    assert_eq!((part.as_slice(), rest.as_slice()), all.split_at(4));
    assert_eq!(last, store.last_certificate_change().await.unwrap());
    assert_eq!(told(last, 4).await, (last, Vec::new()));
    // Of a release the log knows when it was.
    let changes = store.certificate_changes(before, 100).await.unwrap();
    assert_eq!(changes[3].at, Some(NOW));
    assert_eq!(changes[5].at, Some(NOW + Duration::HOUR));
}

#[tokio::test]
async fn certificates_are_found_by_what_they_say_of_their_holder() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    for (serial, texts) in [("c1", ["same", "same"]), ("c2", ["same", "other"])] {
        let draft = CertificateDraft {
            serial: serial.to_owned(),
            identity: Some(hospital.doctor),
            issuer: "ca-people".to_owned(),
            key_digest: [serial.as_bytes()[1]; 32],
            body: vec![1],
            not_before: NOW,
            not_after: NOW + Duration::days(1),
            drafted_at: NOW,
            identifiers: texts.map(str::to_owned).to_vec(),
        };
        store.record_certificate_draft(draft, act("certificate.issue")).await.unwrap();
        store.record_certificate_signed(serial, vec![7], act("certificate.issue")).await.unwrap();
    }
    for (text, expected) in [("same", &["c1", "c2"][..]), ("other", &["c2"]), ("none", &[])] {
        let found = store.certificates_identified(text).await.unwrap();
        let serials: Vec<&str> = found.iter().map(|found| found.serial.as_str()).collect();
        assert_eq!(serials, expected);
    }
}
