//! What lists say, and which changes are told since which list.

use super::{certificates::certify, *};

fn part(range: Option<&str>) -> ListPart {
    ListPart { issuer: "ca-people".into(), range: range.map(str::to_owned) }
}

fn lists(range: Option<&str>, number: u64) -> RevocationLists {
    RevocationLists { part: part(range), number, complete: vec![1], delta: None }
}

async fn record(
    store: &Store,
    lists: RevocationLists,
    (now, life): (UtcTime, Duration),
) -> Result<Receipt, StoreError> {
    let changes = store.revocations(&lists.part, now).await.unwrap().changes;
    let times = (now, now + life);
    store.record_revocation_lists(lists, changes, times, act("crl.issue")).await
}

async fn revoke(store: &Store, serial: &str, reason: u32) {
    let entry = act("certificate.revoke");
    store.record_certificate_revoked(serial, reason, NOW, entry).await.unwrap();
}

#[tokio::test]
async fn a_list_never_goes_back() {
    let place = Place::new();
    let store = place.open();
    let week = (NOW, Duration::days(7));
    record(&store, lists(None, 7), week).await.unwrap();
    record(&store, lists(Some("4a"), 8), week).await.unwrap();
    // An authority counts through all its lists.
    for (range, number) in [(None, 7), (None, 8), (Some("4a"), 8), (Some("4b"), 1)] {
        let refused = record(&store, lists(range, number), week).await;
        assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::OlderRevocationList))));
    }
    record(&store, lists(None, 9), week).await.unwrap();
    let other = RevocationLists {
        part: ListPart { issuer: "ca-devices".into(), range: None },
        ..lists(None, 1)
    };
    record(&store, other.clone(), week).await.unwrap();
    assert_eq!(store.last_list_number("ca-people").await.unwrap(), Some(9));
    assert_eq!(store.last_list_number("ca-root").await.unwrap(), None);
    let newest = [other, lists(None, 9), lists(Some("4a"), 8)];
    assert_eq!(store.revocation_lists().await.unwrap(), newest);
}

#[tokio::test]
async fn a_part_has_the_serial_numbers_that_begin_with_its_octet() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let mut serials = Vec::new();
    for (at, serial) in ["4900", "4a00", "4aff", "4b00"].into_iter().enumerate() {
        let mut draft = draft(serial, hospital.doctor);
        draft.issuer = "ca-people".into();
        draft.key_digest = [at as u8 + 40; 32];
        store.record_certificate_draft(draft, act("certificate.draft")).await.unwrap();
        revoke(&store, serial, 4).await;
        serials.push(serial);
    }
    for (range, expected) in [(None, &serials[..]), (Some("4a"), &serials[1..3]), (Some("4c"), &[])]
    {
        let found = store.revocations(&part(range), NOW).await.unwrap().revoked;
        assert_eq!(found.iter().map(|it| it.serial.as_str()).collect::<Vec<_>>(), expected);
    }
}

/// Drafts of 4900 and 4b00 of one generation of an authority, and of 4a00 of the next.
async fn draft_three(store: &Store) {
    let hospital = hospital(store).await;
    let issued = [("4900", "ca-people"), ("4a00", "ca-people-g2"), ("4b00", "ca-people")];
    for (at, (serial, issuer)) in (40..).zip(issued) {
        let mut draft = draft(serial, hospital.doctor);
        draft.issuer = issuer.into();
        draft.key_digest = [at; 32];
        store.record_certificate_draft(draft, act("certificate.draft")).await.unwrap();
    }
}

#[tokio::test]
async fn certificates_are_told_apart_by_the_key_that_issued_them() {
    let place = Place::new();
    let store = place.open();
    draft_three(&store).await;
    let asked = ["4b00", "4a00", "4900", "4c00"].map(str::to_owned);
    let found: Vec<_> = store.by_issuer(&asked).await.unwrap().into_iter().collect();
    let expected = [("ca-people", vec!["4b00", "4900"]), ("ca-people-g2", vec!["4a00"])];
    let expected = expected.map(|(issuer, serials)| {
        (issuer.to_owned(), serials.into_iter().map(str::to_owned).collect())
    });
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_authority_is_revoked_once_and_with_all_that_it_certified() {
    let place = Place::new();
    let store = place.open();
    draft_three(&store).await;
    // What was suspended is revoked, since when it was; what was revoked stays as it is.
    revoke(&store, "4b00", 6).await;
    let record = async || {
        let entry = act("authority.revoke");
        store.record_authority_revoked(("ca-root", "77"), "ca-people", NOW, entry).await
    };
    record().await.unwrap();
    assert!(matches!(record().await, Err(StoreError::Duplicate(Unique::Id))));
    assert_eq!(store.authority_revocations().await.unwrap(), [("ca-people".to_owned(), NOW)]);
    let of = |issuer: &str| ListPart { issuer: issuer.to_owned(), range: None };
    let found = store.revocations(&of("ca-people"), NOW).await.unwrap().revoked;
    let found: Vec<_> = found.iter().map(|it| (it.serial.as_str(), it.reason)).collect();
    assert_eq!(found, [("4900", 2), ("4b00", 2)]);
    assert_eq!(store.revocations(&of("ca-people-g2"), NOW).await.unwrap().revoked, []);
}

#[tokio::test]
async fn changes_are_told_since_the_oldest_list_that_somebody_may_hold() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let mut serials = Vec::new();
    for at in 0..3 {
        serials.push(certify(&store, hospital.doctor, at + 50, 30).await);
    }
    let since = async |range: Option<&str>, now| {
        let Revocations { since, .. } = store.revocations(&part(range), now).await.unwrap();
        since.map(|(base, mut changed)| {
            changed.sort_unstable();
            (base, changed)
        })
    };
    assert_eq!(since(None, NOW).await, None, "there is no list yet");
    revoke(&store, &serials[0], 1).await;
    record(&store, lists(None, 1), (NOW, Duration::days(7))).await.unwrap();
    assert_eq!(since(None, NOW).await, Some((1, vec![])));

    // Suspended and released in between: whoever holds the list of then has to hear of it.
    revoke(&store, &serials[1], HOLD).await;
    let day = NOW + Duration::days(1);
    record(&store, lists(None, 2), (day, Duration::days(7))).await.unwrap();
    let release = act("certificate.release");
    store.record_certificate_released(&serials[1], release).await.unwrap();
    revoke(&store, &serials[2], 4).await;
    let mut changed = serials[1..].to_vec();
    changed.sort_unstable();
    assert_eq!(since(None, day).await, Some((1, changed.clone())));
    assert_eq!(since(Some("00"), day).await, None, "of the part no list was made");

    // The first list is over; what changed before the second is forgotten with the next that is recorded.
    let over = NOW + Duration::days(7);
    assert_eq!(since(None, over).await, Some((2, changed.clone())));
    record(&store, lists(None, 3), (over, Duration::days(7))).await.unwrap();
    assert_eq!(since(None, over).await, Some((2, changed)));
    let all_over = over + Duration::days(7);
    assert_eq!(since(None, all_over).await, None);
    record(&store, lists(None, 4), (all_over, Duration::days(7))).await.unwrap();
    assert_eq!(since(None, all_over).await, Some((4, vec![])));
}

#[tokio::test]
async fn an_address_is_kept_once() {
    let place = Place::new();
    let store = place.open();
    for url in ["http://ca.example.invalid", "http://other.example.invalid"] {
        for _ in 0..2 {
            store.record_list_address(url, act("crl.issue")).await.unwrap();
        }
    }
    let addresses = store.list_addresses().await.unwrap();
    assert_eq!(addresses, ["http://ca.example.invalid", "http://other.example.invalid"]);
}
