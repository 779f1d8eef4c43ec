//! Facts, and what is refused.

use super::*;

#[tokio::test]
async fn records_read_back_and_outlive_a_restart() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let receipt = store.record_token(token(&h), act("token.issue")).await.unwrap();
    let presence = presence(h.card, h.resident);
    store.record_presence(presence.clone(), act("card.read")).await.unwrap();
    drop(store);
    let store = place.open();
    assert_proven(&store, &receipt).await;
    assert_eq!(store.presence(presence.id).await.unwrap(), Some(presence));
    let found = store.resident_by_index([1; 32]).await.unwrap().unwrap();
    assert_eq!((found.id, found.sealed_phone), (h.resident, Some(vec![7; 39])));
    assert_eq!(store.resident(h.resident).await.unwrap().unwrap().registered_at, NOW);
    let card = store.card_by_chip("0000000001").await.unwrap().unwrap();
    assert_eq!(
        (card.id, card.status, card.chip),
        (h.card, CardStatus::Active, Some(chip("0000000001")))
    );
    assert_eq!(store.visit(h.visit).await.unwrap().unwrap().attending, [h.doctor]);
    assert_eq!(store.identity(h.doctor).await.unwrap().unwrap().number, "D1");
    assert_eq!(store.institution(h.institution).await.unwrap().unwrap().name, "第一医院");
    assert_eq!(store.session(&SESSION).await.unwrap().unwrap().closed_at, None);
    assert_eq!(store.open_sessions(NOW).await.unwrap(), 1);
    assert_eq!(store.open_sessions(NOW + Duration::hours(8)).await.unwrap(), 0);
    assert_eq!(store.log_size(), 11);
}

#[tokio::test]
async fn what_is_unique_is_recorded_once() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let size = store.log_size();
    let same_serial = CertificateDraft { key_digest: [1; 32], ..draft(SERIAL, h.doctor) };
    let same_key = CertificateDraft { serial: "78".into(), ..draft(SERIAL, h.doctor) };
    let refused = [
        store.record_institution(institution(), act("a")).await,
        store.record_identity(identity(h.institution, "D1"), act("a")).await,
        store.record_certificate_draft(same_serial, act("a")).await,
        store.record_certificate_draft(same_key, act("a")).await,
        store.record_resident(resident(h.institution, 1), Vec::new(), None, act("a")).await,
        store.record_card(card(h.institution, h.resident, "0000000002"), act("a")).await,
    ];
    let expected = [
        Unique::CreditCode,
        Unique::Number,
        Unique::Serial,
        Unique::PublicKey,
        Unique::IdNumber,
        Unique::ActiveCard,
    ];
    for (refused, expected) in refused.into_iter().zip(expected) {
        assert!(
            matches!(refused, Err(StoreError::Duplicate(found)) if found == expected),
            "{expected:?}"
        );
    }
    let other = resident(h.institution, 2);
    let id = other.id;
    store.record_resident(other, Vec::new(), None, act("a")).await.unwrap();
    let same_chip = Chip { factor: [3; 8], ..chip("0000000001") };
    let same_chip = NewCard { chip: same_chip, ..card(h.institution, id, "0000000001") };
    let refused = store.record_card(same_chip, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::ChipSerial))));
    let same_factor = Chip { factor: *b"00000001", ..chip("0000000003") };
    let same_factor = NewCard { chip: same_factor, ..card(h.institution, id, "0000000003") };
    let refused = store.record_card(same_factor.clone(), act("a")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::CardFactor))));
    let entry = act("a");
    store.record_act(entry.clone()).await.unwrap();
    let refused = store.record_act(entry).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::Id))));
    let stranger = card(h.institution, ResidentId::generate(), "0000000009");
    let refused = store.record_card(stranger, act("a")).await;
    assert!(matches!(refused, Err(StoreError::NotFound(Record::Reference))));
    let refused = store.record_act(act("Not an action")).await;
    assert!(matches!(refused, Err(StoreError::Entry(_))));
    assert_eq!(store.log_size(), size + 2, "a refused fact leaves no leaf");
    // The factor of a cancelled card is free again.
    store.record_card_act(h.card, CardAct::Cancel, NOW, act("card.cancel")).await.unwrap();
    store.record_card(same_factor, act("card.register")).await.unwrap();
}

#[tokio::test]
async fn a_certificate_stands_as_its_own_authority_left_it() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let standing = async |issuer, serial| store.certificate_standing(issuer, serial).await.unwrap();
    let issuer = store.certificate(SERIAL).await.unwrap().unwrap().issuer;
    assert_eq!(standing(&issuer, SERIAL).await, Some(None));
    assert_eq!(standing("ca-other", SERIAL).await, None);
    assert_eq!(standing(&issuer, "77").await, None);
    // A draft is no certificate before it is signed.
    store.record_certificate_draft(draft("77", h.doctor), act("certificate.draft")).await.unwrap();
    assert_eq!(standing(&issuer, "77").await, None);
    let revoke = act("certificate.revoke");
    store.record_certificate_revoked(SERIAL, 1, NOW, revoke).await.unwrap();
    let revoked = RevokedSerial { serial: SERIAL.into(), revoked_at: NOW, reason: 1 };
    assert_eq!(standing(&issuer, SERIAL).await, Some(Some(revoked)));
}

#[tokio::test]
async fn a_revocation_ends_what_rests_on_the_certificate() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let issued = token(&h);
    let receipt = store.record_token(issued.clone(), act("token.issue")).await.unwrap();
    let on_record = store.token(issued.id).await.unwrap().unwrap();
    assert!(on_record.ended(NOW).is_none());
    assert_eq!(on_record.log_position, receipt.position);
    let later = NOW + Duration::minutes(1);
    let revoke = || store.record_certificate_revoked(SERIAL, 1, later, act("certificate.revoke"));
    assert!(matches!(revoke().await.unwrap(), Change::Recorded(_)));
    assert_eq!(revoke().await.unwrap(), Change::None);
    let ended = store.token(issued.id).await.unwrap().unwrap();
    assert!(ended.ended(later).is_some());
    assert_eq!((ended.revoked_at, ended.certificate_revoked_at), (Some(later), Some(later)));
    assert_eq!(store.session(&SESSION).await.unwrap().unwrap().closed_at, Some(later));
    let refused = store.record_token(token(&h), act("token.issue")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::CertificateNotValid))));
    let revoked = async |issuer: &str| {
        let part = ListPart { issuer: issuer.into(), range: None };
        store.revocations(&part, NOW).await.unwrap().revoked
    };
    let expected = [RevokedSerial { serial: SERIAL.into(), revoked_at: later, reason: 1 }];
    assert_eq!(
        (revoked("person").await, store.count_revoked("person").await.unwrap()),
        (expected.into(), 1)
    );
    assert_eq!(
        (revoked("device").await, store.count_revoked("device").await.unwrap()),
        (vec![], 0)
    );
}

#[tokio::test]
async fn a_closed_visit_ends_its_tokens() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let issued = token(&h);
    store.record_token(issued.clone(), act("token.issue")).await.unwrap();
    let filter = |clinician| VisitFilter { institution: h.institution, clinician };
    let open = store.open_visits(filter(Some((h.doctor, "外科".into()))), None, 10).await.unwrap();
    assert_eq!(open.iter().map(|visit| visit.id).collect::<Vec<_>>(), [h.visit]);
    let other = Some((IdentityId::generate(), "内科".into()));
    assert_eq!(store.open_visits(filter(other), None, 10).await.unwrap().len(), 1);
    let stranger = Some((IdentityId::generate(), "外科".into()));
    assert_eq!(store.open_visits(filter(stranger), None, 10).await.unwrap(), []);
    assert_eq!(store.open_visits(filter(None), Some(h.visit), 10).await.unwrap(), []);
    let close = || store.record_visit_closed(h.visit, NOW, act("visit.close"));
    assert!(matches!(close().await.unwrap(), Change::Recorded(_)));
    assert_eq!(close().await.unwrap(), Change::None);
    assert_eq!(store.token(issued.id).await.unwrap().unwrap().ended(NOW), Some(Ended::VisitClosed));
    assert_eq!(store.open_visits(filter(None), None, 10).await.unwrap(), []);
    let refused = store.record_token(token(&h), act("token.issue")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::VisitClosed))));
    let revoked = store.record_token_revoked(issued.id, NOW, act("token.revoke")).await.unwrap();
    assert_eq!(revoked, Change::None, "it has ended already");
}

#[tokio::test]
async fn a_token_is_revoked_once_and_a_session_closed_once() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let issued = token(&h);
    store.record_token(issued.clone(), act("token.issue")).await.unwrap();
    let revoke = || store.record_token_revoked(issued.id, NOW, act("token.revoke"));
    assert!(matches!(revoke().await.unwrap(), Change::Recorded(_)));
    assert_eq!(revoke().await.unwrap(), Change::None);
    let unknown = store.record_token_revoked(TokenId::generate(), NOW, act("token.revoke")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::Token))));
    let close = |digest| store.record_session_closed(digest, NOW, act("session.close"));
    close(&SESSION).await.unwrap();
    let again = close(&SESSION).await;
    assert!(matches!(again, Err(StoreError::Conflict(Obstacle::SessionClosed))));
    assert!(matches!(close(&[0; 32]).await, Err(StoreError::NotFound(Record::Session))));
    let refused = store.record_token(token(&h), act("token.issue")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::SessionClosed))));
}

#[tokio::test]
async fn tokens_that_ended_early_are_told_until_their_time_is_over() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let [revoked, other] = [token(&h), token(&h)];
    for token in [&revoked, &other] {
        store.record_token(token.clone(), act("token.issue")).await.unwrap();
    }
    let told = async |at: UtcTime| {
        let ended = store.tokens_ended_early(at, at).await.unwrap();
        let mut ids: Vec<_> = ended.into_iter().map(|token| token.id).collect();
        ids.sort();
        ids
    };
    assert!(told(NOW).await.is_empty());
    store.record_token_revoked(revoked.id, NOW, act("token.revoke")).await.unwrap();
    assert_eq!(told(NOW).await, [revoked.id.to_string()]);
    store.record_visit_closed(h.visit, NOW, act("visit.close")).await.unwrap();
    let mut both = [revoked.id.to_string(), other.id.to_string()];
    both.sort();
    assert_eq!(told(NOW).await, both);
    assert!(told(revoked.expires_at).await.is_empty());
}

#[tokio::test]
async fn a_signature_is_completed_once_and_in_time() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let prepared = |id| NewSigning {
        id,
        identity: h.doctor,
        certificate: SERIAL.into(),
        visit: h.visit,
        record_digest: [3; 32],
        record_type: "progress-note".into(),
        attributes: vec![0x31, 0],
        prepared_at: NOW,
        expires_at: NOW + Duration::minutes(5),
    };
    let (id, late) = (SigningId::generate(), SigningId::generate());
    for id in [id, late] {
        store.record_signing_prepared(prepared(id), act("signing.prepare")).await.unwrap();
    }
    let complete =
        |id, at| store.record_signing_completed(id, vec![0x30, 2], at, act("signing.complete"));
    complete(id, NOW).await.unwrap();
    let again = complete(id, NOW).await;
    assert!(matches!(again, Err(StoreError::Conflict(Obstacle::SigningCompleted))));
    let late = complete(late, NOW + Duration::minutes(5)).await;
    assert!(matches!(late, Err(StoreError::Conflict(Obstacle::Expired))));
    let unknown = complete(SigningId::generate(), NOW).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::Signing))));
    let closed = SigningId::generate();
    store.record_signing_prepared(prepared(closed), act("signing.prepare")).await.unwrap();
    store.record_visit_closed(h.visit, NOW, act("visit.close")).await.unwrap();
    let refused = complete(closed, NOW).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::VisitClosed))));
    let signing = store.signing(id).await.unwrap().unwrap();
    assert_eq!((signing.signed_data, signing.completed_at), (Some(vec![0x30, 2]), Some(NOW)));
    for (digest, signed_data, at) in [
        ([3; 32], vec![0x30, 2], Some(NOW)),
        ([4; 32], vec![0x30, 2], None),
        ([3; 32], vec![0x30, 3], None),
    ] {
        assert_eq!(store.signed_at(digest, signed_data).await.unwrap(), at);
    }
}

#[tokio::test]
async fn a_draft_without_a_signature_is_found_again() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    store.record_certificate_draft(draft("77", h.doctor), act("certificate.draft")).await.unwrap();
    drop(store);
    let store = place.open();
    let drafts = store.unsigned_drafts().await.unwrap();
    assert_eq!(drafts.iter().map(|draft| draft.serial.as_str()).collect::<Vec<_>>(), ["77"]);
    let sign = |serial| store.record_certificate_signed(serial, vec![1], act("certificate.issue"));
    sign("77").await.unwrap();
    assert!(matches!(sign("77").await, Err(StoreError::Conflict(Obstacle::CertificateSigned))));
    assert!(matches!(sign("78").await, Err(StoreError::NotFound(Record::Certificate))));
    let serials = store.certificates_of(h.doctor).await.unwrap();
    assert_eq!(serials.iter().map(|c| c.serial.as_str()).collect::<Vec<_>>(), [SERIAL, "77"]);
}

#[tokio::test]
async fn an_authority_that_is_replaced_is_kept() {
    let place = Place::new();
    let store = place.open();
    let authority = Authority { name: "root".into(), der: vec![1] };
    store.record_authority(authority.clone(), act("authority.create")).await.unwrap();
    assert_eq!(store.authorities().await.unwrap(), std::slice::from_ref(&authority));
    // One that is replaced is kept, once.
    let next = Authority { der: vec![2], ..authority.clone() };
    for _ in 0..2 {
        store.record_authority(next.clone(), act("authority.create")).await.unwrap();
    }
    assert_eq!(store.authorities().await.unwrap(), [next]);
    assert_eq!(store.authorities_before().await.unwrap(), [authority]);
}

#[tokio::test]
async fn identities_are_listed_page_by_page() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let mut ids = vec![h.doctor];
    for number in ["D2", "D3", "D4"] {
        let next = identity(h.institution, number);
        ids.push(next.id);
        store.record_identity(next, act("identity.register")).await.unwrap();
    }
    let mut listed = Vec::new();
    loop {
        let page =
            store.list_identities(Some(h.institution), listed.last().copied(), 3).await.unwrap();
        let Some(_) = page.last() else { break };
        listed.extend(page.iter().map(|identity| identity.id));
    }
    assert_eq!(listed, ids);
    let elsewhere = store.list_identities(Some(InstitutionId::generate()), None, 3).await.unwrap();
    assert_eq!(elsewhere, []);
}
