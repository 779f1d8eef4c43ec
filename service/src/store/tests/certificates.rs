//! Certificates that are suspended, and those that end soon.

use super::*;

async fn certify(store: &Store, holder: IdentityId, number: u8, days: i64) -> String {
    let serial = format!("a{number}");
    let draft = CertificateDraft {
        serial: serial.clone(),
        identity: Some(holder),
        issuer: "ca-people".to_owned(),
        key_digest: [number; 32],
        body: vec![1],
        not_before: NOW,
        not_after: NOW + Duration::days(days),
        drafted_at: NOW,
    };
    store.record_certificate_draft(draft, act("certificate.issue")).await.unwrap();
    store.record_certificate_signed(&serial, vec![7], act("certificate.issue")).await.unwrap();
    serial
}

#[tokio::test]
async fn a_certificate_is_suspended_released_and_revoked_in_this_order_only() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let serial = certify(&store, hospital.doctor, 1, 30).await;
    let revoke = async |reason| {
        let entry = act("certificate.revoke");
        let change = store.record_certificate_revoked(&serial, reason, NOW, entry).await.unwrap();
        matches!(change, Change::Recorded(_))
    };
    let release =
        async || store.record_certificate_released(&serial, act("certificate.release")).await;
    let reason = async || store.certificate(&serial).await.unwrap().unwrap().revocation_reason;

    let refused = release().await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::CertificateNotHeld))));
    assert!(revoke(HOLD).await && !revoke(HOLD).await);
    assert_eq!(reason().await, Some(HOLD));
    assert_eq!(store.revoked_serials("ca-people").await.unwrap().len(), 1);
    release().await.unwrap();
    assert_eq!(reason().await, None);
    assert_eq!(store.revoked_serials("ca-people").await.unwrap(), []);
    // What is suspended can be revoked, and what is revoked is neither suspended nor released.
    assert!(revoke(HOLD).await && revoke(1).await);
    assert!(!revoke(HOLD).await && !revoke(4).await);
    assert!(matches!(release().await, Err(StoreError::Conflict(Obstacle::CertificateNotHeld))));
    assert_eq!(reason().await, Some(1));
    let unknown = store.record_certificate_released("ff", act("certificate.release")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::Certificate))));
}

#[tokio::test]
async fn certificates_that_end_soon_are_listed_page_by_page() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    for (number, days) in [(3, 20), (1, 10), (2, 10), (4, 40), (5, 5), (6, 6)] {
        certify(&store, hospital.doctor, number, days).await;
    }
    for (serial, reason) in [("a5", 1), ("a6", HOLD)] {
        let entry = act("certificate.revoke");
        store.record_certificate_revoked(serial, reason, NOW, entry).await.unwrap();
    }
    let list = async |from, days, institution, after, limit| {
        let times = (NOW + Duration::days(from), NOW + Duration::days(days));
        let found = store.ending_certificates(times, institution, after, limit).await.unwrap();
        let next = found.last().map(CertificateCursor::after);
        (found.into_iter().map(|found| found.serial).collect::<Vec<_>>(), next)
    };
    let here = Some(hospital.institution);
    assert_eq!(list(0, 30, here, None, 10).await.0, ["a6", "a1", "a2", "a3"]);
    assert_eq!(
        list(7, 30, None, None, 10).await.0,
        ["a1", "a2", "a3"],
        "what is over is not listed"
    );
    assert_eq!(list(0, 10, here, None, 10).await.0, ["a6", "a1", "a2"]);
    let elsewhere = Some(InstitutionId::generate());
    assert_eq!(list(0, 30, elsewhere, None, 10).await.0, [""; 0]);
    let (first, next) = list(0, 30, here, None, 2).await;
    assert_eq!(first, ["a6", "a1"]);
    // As it travels.
    let next: CertificateCursor = next.unwrap().to_string().parse().unwrap();
    assert_eq!(list(0, 30, here, Some(next), 2).await.0, ["a2", "a3"]);
    for wrong in ["", "1", ".a1", "x.a1", "1.xyz", &format!("1.{}", "a".repeat(41))] {
        assert!(wrong.parse::<CertificateCursor>().is_err(), "{wrong}");
    }
}
