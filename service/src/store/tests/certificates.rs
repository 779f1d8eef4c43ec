//! Certificates that are suspended, and those that end soon.

use super::*;

pub(super) async fn certify(store: &Store, holder: IdentityId, number: u8, days: i64) -> String {
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
        identifiers: Vec::new(),
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
    assert_eq!(store.count_revoked("ca-people").await.unwrap(), 1);
    release().await.unwrap();
    assert_eq!(reason().await, None);
    assert_eq!(store.count_revoked("ca-people").await.unwrap(), 0);
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

#[tokio::test]
async fn a_certificate_is_renewed_once_while_it_is_in_force() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let serial = certify(&store, hospital.doctor, 1, 30).await;
    let next = |serial: &str, key: u8, holder, drafted_at| RenewalDraft {
        renews: "a1".to_owned(),
        draft: CertificateDraft {
            serial: serial.to_owned(),
            identity: Some(holder),
            issuer: "ca-people".to_owned(),
            key_digest: [key; 32],
            body: vec![2],
            not_before: drafted_at,
            not_after: drafted_at + Duration::days(60),
            drafted_at,
            identifiers: Vec::new(),
        },
    };
    let renew = async |signing: RenewalDraft| {
        store.record_renewal_draft(signing, None, act("certificate.renew")).await
    };
    let over = NOW + Duration::days(30) + Duration::SECOND;
    let other = identity(hospital.institution, "D2");
    for (what, wrong) in [
        ("another key", next("b1", 2, hospital.doctor, NOW)),
        ("another holder", next("b1", 1, other.id, NOW)),
        ("one that is over", next("b1", 1, hospital.doctor, over)),
    ] {
        let refused = renew(wrong).await;
        let not_valid = matches!(refused, Err(StoreError::Conflict(Obstacle::CertificateNotValid)));
        assert!(not_valid, "{what}: {refused:?}");
    }
    renew(next("b1", 1, hospital.doctor, NOW)).await.unwrap();
    // What was not signed yet is not renewed, and does not stand in the way of another try; then it is
    // not signed any more.
    let early = RenewalDraft { renews: "b1".to_owned(), ..next("b3", 1, hospital.doctor, NOW) };
    assert!(matches!(renew(early).await, Err(StoreError::Conflict(Obstacle::CertificateNotValid))));
    renew(next("b2", 1, hospital.doctor, NOW)).await.unwrap();
    let sign = async |serial| {
        store.record_certificate_signed(serial, vec![7], act("certificate.renew")).await
    };
    assert!(matches!(sign("b1").await, Err(StoreError::Conflict(Obstacle::CertificateNotValid))));
    sign("b2").await.unwrap();
    let twice = renew(next("b5", 1, hospital.doctor, NOW)).await;
    assert!(matches!(twice, Err(StoreError::Duplicate(Unique::Renewal))));
    let renewed = store.certificate("b2").await.unwrap().unwrap();
    assert_eq!(renewed.renews, Some(serial));
    // The key is still certified to nobody else.
    let again = next("b4", 1, hospital.doctor, NOW).draft;
    let again = store.record_certificate_draft(again, act("certificate.issue")).await;
    assert!(matches!(again, Err(StoreError::Duplicate(Unique::PublicKey))));
}

#[tokio::test]
async fn a_key_is_given_up_under_every_certificate_it_has() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let reason =
        async |serial: &str| store.certificate(serial).await.unwrap().unwrap().revocation_reason;
    let revoke = async |serial: &str, reason, at| {
        let entry = act("certificate.revoke");
        store.record_certificate_revoked(serial, reason, at, entry).await.unwrap();
    };
    let renew = async |old: &str, new: &str, key| {
        let draft = CertificateDraft {
            serial: new.to_owned(),
            identity: Some(hospital.doctor),
            issuer: "ca-people".to_owned(),
            key_digest: [key; 32],
            body: vec![2],
            not_before: NOW,
            not_after: NOW + Duration::days(60),
            drafted_at: NOW,
            identifiers: Vec::new(),
        };
        let draft = RenewalDraft { renews: old.to_owned(), draft };
        store.record_renewal_draft(draft, None, act("certificate.renew")).await.unwrap();
    };
    let sign = async |serial: &str| {
        store.record_certificate_signed(serial, vec![7], act("certificate.renew")).await
    };
    let release = async |serial: &str| {
        store.record_certificate_released(serial, act("certificate.release")).await
    };

    // Suspended and released together, drafts included; another key is not touched.
    certify(&store, hospital.doctor, 1, 30).await;
    certify(&store, hospital.doctor, 2, 30).await;
    renew("a1", "b1", 1).await;
    revoke("a1", HOLD, NOW).await;
    assert_eq!((reason("b1").await, reason("a2").await), (Some(HOLD), None));
    assert!(matches!(sign("b1").await, Err(StoreError::Conflict(Obstacle::CertificateNotValid))));
    release("b1").await.unwrap();
    assert_eq!((reason("a1").await, reason("b1").await), (None, None));
    sign("b1").await.unwrap();
    // Replaced is the certificate alone.
    revoke("a1", 4, NOW).await;
    assert_eq!((reason("a1").await, reason("b1").await), (Some(4), None));
    // Compromised is the key; the date of a suspension stays.
    revoke("b1", HOLD, NOW).await;
    revoke("b1", 1, NOW + Duration::DAY).await;
    let lost = store.certificate("b1").await.unwrap().unwrap();
    assert_eq!((lost.revocation_reason, lost.revoked_at), (Some(1), Some(NOW)));
    let serials = store.certificates_of_same_key("a1").await.unwrap();
    assert_eq!(serials, ["a1", "b1"]);
    // And nothing brings a key back that was given up under another certificate.
    certify(&store, hospital.doctor, 3, 30).await;
    renew("a3", "b3", 3).await;
    sign("b3").await.unwrap();
    revoke("b3", HOLD, NOW).await;
    revoke("a3", 1, NOW).await;
    assert_eq!(reason("b3").await, Some(1));
    assert!(matches!(release("b3").await, Err(StoreError::Conflict(Obstacle::CertificateNotHeld))));
}
