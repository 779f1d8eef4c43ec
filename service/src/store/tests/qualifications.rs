//! Qualifications that end: nothing is signed after the last day.

use time::macros::date;

use super::*;

fn signing(hospital: &Hospital, at: UtcTime) -> NewSigning {
    NewSigning {
        id: SigningId::generate(),
        identity: hospital.doctor,
        certificate: SERIAL.into(),
        visit: hospital.visit,
        record_digest: [1; 32],
        record_type: "progress-note".into(),
        attributes: vec![0x31, 0],
        prepared_at: at,
        expires_at: at + Duration::days(2),
    }
}

#[tokio::test]
async fn nothing_is_prepared_or_completed_after_the_last_day() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let set = async |until| {
        let entry = act("identity.qualify");
        store.record_qualification(hospital.doctor, until, entry).await.unwrap();
    };
    let prepare = async |at| {
        let signing = signing(&hospital, at);
        let entry = act("record.sign");
        (signing.id, store.record_signing_prepared(signing, entry).await)
    };
    let complete = async |id, at| {
        store.record_signing_completed(id, vec![0x30, 0], at, act("record.sign")).await
    };
    let ended = |answer: &Result<Receipt, StoreError>| {
        matches!(answer, Err(StoreError::Conflict(Obstacle::QualificationEnded)))
    };
    prepare(NOW).await.1.unwrap();
    // The day is that of the desks, whose midnight is 16:00 in UTC.
    set(Some(date!(2026 - 11 - 23))).await;
    let (last_second, midnight) =
        (datetime!(2026-11-23 15:59:59 UTC), datetime!(2026-11-23 16:00 UTC));
    let (first, answer) = prepare(last_second).await;
    answer.unwrap();
    let (second, answer) = prepare(last_second).await;
    answer.unwrap();
    complete(first, last_second).await.unwrap();
    assert!(ended(&prepare(midnight).await.1));
    assert!(ended(&complete(second, midnight).await));
    set(Some(date!(2026 - 11 - 24))).await;
    complete(second, midnight).await.unwrap();
    set(None).await;
    prepare(midnight + Duration::days(400)).await.1.unwrap();
    let nobody = IdentityId::generate();
    let unknown = store.record_qualification(nobody, None, act("identity.qualify")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::Reference))));
}

#[tokio::test]
async fn qualifications_that_end_are_listed_page_by_page() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let days = [
        Some(date!(2026 - 12 - 01)),
        Some(date!(2026 - 11 - 01)),
        None,
        Some(date!(2027 - 01 - 01)),
    ];
    for (number, qualified_until) in days.into_iter().enumerate() {
        let doctor =
            Identity { qualified_until, ..identity(hospital.institution, &format!("Q{number}")) };
        store.record_identity(doctor, act("identity.register")).await.unwrap();
    }
    let by = date!(2026 - 12 - 31);
    let list = async |after| {
        let institution = Some(hospital.institution);
        let found = store.ending_qualifications(by, institution, after, 1).await.unwrap();
        found
            .first()
            .map(|it| QualificationCursor { until: it.qualified_until.unwrap(), identity: it.id })
    };
    let first = list(None).await.unwrap();
    let second = list(Some(first)).await.unwrap();
    assert_eq!((first.until, second.until), (date!(2026 - 11 - 01), date!(2026 - 12 - 01)));
    assert_eq!(list(Some(second)).await, None);
    assert_eq!(second.to_string().parse(), Ok(second));
    let elsewhere = Some(InstitutionId::generate());
    assert_eq!(store.ending_qualifications(by, elsewhere, None, 9).await.unwrap(), []);
    for wrong in ["", "2026-11-01", "2026-11-01.", "2026-13-01.x"] {
        assert_eq!(wrong.parse::<QualificationCursor>(), Err(BadId), "{wrong}");
    }
}
