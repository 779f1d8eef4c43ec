//! Staff who move or leave: what names the role of before ends in the same fact, and nothing else does.

use super::*;
use crate::store::{Ending, IdentityChange};

const LEFT: u32 = 5;

fn ending(serials: &[&str]) -> Ending {
    let serials = serials.iter().map(|serial| (*serial).to_owned()).collect();
    Ending { serials, reason: LEFT, at: NOW }
}

fn change(id: IdentityId, role: &str) -> IdentityChange {
    IdentityChange {
        id,
        role: role.into(),
        sealed_name: vec![7],
        of_another_name: false,
        department: "外科".into(),
        qualified_until: None,
        person: None,
    }
}

#[tokio::test]
async fn another_department_ends_nothing_and_another_role_ends_what_was_seen() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let doctor = hospital.doctor;
    let set = async |change, ending| {
        store.record_identity_changed(change, ending, act("identity.change")).await
    };
    let revoked = async || store.certificate(SERIAL).await.unwrap().unwrap().revoked_at.is_some();
    let changed = |answer: &Result<Receipt, StoreError>| {
        matches!(answer, Err(StoreError::Conflict(Obstacle::StaffChanged)))
    };
    set(change(doctor, "doctor"), None).await.unwrap();
    let row = store.identity(doctor).await.unwrap().unwrap();
    assert_eq!((row.department.as_str(), row.sealed_name), ("外科", vec![7]));
    assert!(!revoked().await);

    // Nobody saw what is to end, or somebody saw something else.
    assert!(changed(&set(change(doctor, "nurse"), None).await));
    assert!(changed(&set(change(doctor, "nurse"), Some(ending(&[]))).await));
    assert!(changed(&set(change(doctor, "nurse"), Some(ending(&[SERIAL, "02"]))).await));
    assert!(!revoked().await);
    assert_eq!(store.certificates_to_end(doctor, NOW).await.unwrap(), [SERIAL]);
    set(change(doctor, "nurse"), Some(ending(&[SERIAL]))).await.unwrap();
    assert!(revoked().await);
    assert_eq!(store.identity(doctor).await.unwrap().unwrap().role, "nurse");
    let nobody = set(change(IdentityId::generate(), "nurse"), None).await;
    assert!(matches!(nobody, Err(StoreError::NotFound(Record::Reference))));
}

#[tokio::test]
async fn an_id_number_is_compared_and_neither_kept_nor_exchanged() {
    let place = Place::new();
    let store = place.open();
    let hospital = hospital(&store).await;
    let known = Identity { person: Some([1; 32]), ..identity(hospital.institution, "N1") };
    store.record_identity(known.clone(), act("identity.register")).await.unwrap();
    let set = async |id, person| {
        let change = IdentityChange { person, ..change(id, "doctor") };
        store.record_identity_changed(change, None, act("identity.change")).await
    };
    set(known.id, Some([1; 32])).await.unwrap();
    set(known.id, None).await.unwrap();
    let other = set(known.id, Some([2; 32])).await;
    assert!(matches!(other, Err(StoreError::Conflict(Obstacle::OtherPerson))));
    set(hospital.doctor, Some([2; 32])).await.unwrap();
    // Another name takes the ID number, which has to be on record.
    let renamed = async |id, person| {
        let change = IdentityChange { person, of_another_name: true, ..change(id, "doctor") };
        store.record_identity_changed(change, None, act("identity.change")).await
    };
    renamed(known.id, Some([1; 32])).await.unwrap();
    for (id, person) in
        [(known.id, None), (hospital.doctor, Some([2; 32])), (hospital.doctor, None)]
    {
        let other = renamed(id, person).await;
        assert!(matches!(other, Err(StoreError::Conflict(Obstacle::OtherPerson))), "{person:?}");
    }
    for (id, person) in [(known.id, Some([1; 32])), (hospital.doctor, None)] {
        assert_eq!(store.identity(id).await.unwrap().unwrap().person, person);
    }
}

#[tokio::test]
async fn whoever_left_has_nothing_left_to_end() {
    let place = Place::new();
    let store = place.open();
    let doctor = hospital(&store).await.doctor;
    let depart =
        async |ending| store.record_identity_departed(doctor, ending, act("identity.depart")).await;
    // What is suspended could be released.
    store.record_certificate_revoked(SERIAL, HOLD, NOW, act("certificate.suspend")).await.unwrap();
    assert_eq!(store.certificates_to_end(doctor, NOW).await.unwrap(), [SERIAL]);
    assert!(depart(ending(&[SERIAL])).await.unwrap().is_some());
    let record = store.certificate(SERIAL).await.unwrap().unwrap();
    assert_eq!(record.revocation_reason, Some(LEFT));
    assert!(store.certificates_to_end(doctor, NOW).await.unwrap().is_empty());
    assert!(depart(ending(&[])).await.unwrap().is_none());
}
