//! The promises of the store, over a database in a temporary directory.

use std::{path::PathBuf, sync::Arc};

use audit::{Actor, Entry, Outcome, checkpoint::Checkpoint, tree::leaf_hash};
use hsm::{Sm2Signer, sm2::SecretKey};
use time::{Duration, macros::datetime};
use uuid::Uuid;

use super::*;
use crate::{
    card_life::{CardAct, CardStatus},
    clock::{self, UtcTime},
};

mod batches;
mod bindings;
mod card_changes;
mod card_life;
mod card_list;
mod certificate_reports;
mod certificates;
mod checker;
mod codes;
mod commits;
mod decisions;
mod emergencies;
mod enrolments;
mod erasures;
mod guardians;
pub(super) mod histories;
mod key_centre;
mod presences;
mod qualifications;
mod reads;
mod records;
mod retention;
mod revocation_lists;
mod rollback;
mod rules;
mod scrub;
mod search;
mod sessions;
mod staff;
mod succession;
mod time_stamps;
mod token_events;

pub(super) const NOW: UtcTime = datetime!(2026-11-23 08:00:00 UTC);
/// A session with a lease.
pub(super) const LEASED: [u8; 32] = [7; 32];
pub(super) const LEASE: std::time::Duration = std::time::Duration::from_secs(60);
pub(super) const ORIGIN: &str = "log.example/healthcard";

/// A directory with a database, and the means to open it.
pub(super) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("healthcard.db")
    }

    pub(super) fn try_open(&self) -> Result<Store, StoreError> {
        Store::open(&self.path(), log_keys(1), ORIGIN)
    }

    pub(super) fn open(&self) -> Store {
        self.try_open().unwrap()
    }
}

pub(super) fn signer(seed: u8) -> Arc<dyn Sm2Signer> {
    Arc::new(SecretKey::from_be_bytes(&[seed; 32]).unwrap())
}

pub(super) fn log_keys(seed: u8) -> LogKeys {
    let resident_index = Arc::new(ResidentIndexKey::new(&[0x5a; 32]));
    LogKeys { signer: signer(seed), earlier: Vec::new(), resident_index }
}

pub(super) fn act(action: &str) -> Entry {
    act_at(action, NOW)
}

pub(super) fn act_at(action: &str, at: UtcTime) -> Entry {
    let actor = Actor { identity: Some("actor-1".into()), ..Actor::default() };
    let id = Uuid::now_v7().to_string();
    Entry::new(id, clock::rfc3339(at), action, Outcome::Granted, actor)
}

/// An institution, a doctor with a certificate and a session, a resident with a card, a visit.
pub(super) struct Hospital {
    pub(super) institution: InstitutionId,
    pub(super) doctor: IdentityId,
    pub(super) resident: ResidentId,
    pub(super) card: CardId,
    pub(super) visit: VisitId,
}

pub(super) const SERIAL: &str = "5f01";
pub(super) const SESSION: [u8; 32] = [5; 32];

pub(super) fn institution() -> Institution {
    Institution {
        id: InstitutionId::generate(),
        credit_code: "12100000400000624X".into(),
        name: "第一医院".into(),
        region: "110101".into(),
        registered_at: NOW,
    }
}

pub(super) fn identity(institution: InstitutionId, number: &str) -> Identity {
    Identity {
        id: IdentityId::generate(),
        institution,
        role: "doctor".into(),
        sealed_name: vec![1, 2, 3],
        number: number.into(),
        department: "内科".into(),
        registered_at: NOW,
        person: None,
        qualified_until: None,
    }
}

pub(super) fn resident(institution: InstitutionId, index: u8) -> Resident {
    Resident {
        id: ResidentId::generate(),
        institution,
        id_number_index: [index; 32],
        wrapped_key: vec![4; 44],
        sealed_name: vec![5; 40],
        sealed_id_number: vec![6; 46],
        sealed_phone: Some(vec![7; 39]),
        sealed_ethnic_group: None,
        registered_at: NOW,
    }
}

/// A chip whose factor comes from its serial.
pub(super) fn chip(serial: &str) -> Chip {
    Chip {
        serial: serial.into(),
        factor: serial.as_bytes()[2..].try_into().unwrap(),
        valid_until: time::macros::date!(2036 - 11 - 22),
    }
}

/// A card whose factor comes from its chip's serial.
pub(super) fn card(institution: InstitutionId, resident: ResidentId, chip_serial: &str) -> NewCard {
    NewCard {
        id: CardId::generate(),
        resident,
        institution,
        chip: chip(chip_serial),
        activation: Activation::Done,
        registered_at: NOW,
    }
}

/// A chip that the list is to name as it does a card of this state.
pub(super) fn changed_chip(serial: &str, as_if: Option<CardStatus>) -> ChangedChip {
    ChangedChip { serial: serial.to_owned(), listing: as_if.and_then(CardStatus::listing) }
}

pub(super) fn presence(card: CardId, resident: ResidentId) -> Presence {
    Presence {
        id: PresenceId::generate(),
        evidence: Evidence::Card(card),
        resident,
        session: SESSION,
        sealed_reading: vec![9; 60],
        read_at: NOW,
        expires_at: NOW + Duration::minutes(2),
    }
}

pub(super) fn draft(serial: &str, identity: IdentityId) -> CertificateDraft {
    CertificateDraft {
        serial: serial.into(),
        identity: Some(identity),
        issuer: "person".into(),
        key_digest: hsm::sm3::digest(serial.as_bytes()),
        body: vec![0x30, 0],
        not_before: NOW,
        not_after: NOW + Duration::days(365),
        drafted_at: NOW,
        identifiers: Vec::new(),
    }
}

pub(super) fn token(hospital: &Hospital) -> NewToken {
    NewToken {
        id: TokenId::generate(),
        identity: hospital.doctor,
        certificate: SERIAL.into(),
        session: SESSION,
        resident: hospital.resident,
        visit: Some(hospital.visit),
        consent: None,
        referral: None,
        guardianship: None,
        emergency: None,
        subject: None,
        issued_at: NOW,
        expires_at: NOW + Duration::minutes(10),
    }
}

/// A session of the doctor that has to be renewed.
pub(super) fn leased(h: &Hospital) -> NewSession {
    NewSession {
        digest: LEASED,
        identity: h.doctor,
        certificate: SERIAL.into(),
        opened_at: NOW,
        expires_at: NOW + Duration::hours(8),
        address: "192.0.2.7".into(),
        lease: Some(LEASE),
    }
}

pub(super) async fn hospital(store: &Store) -> Hospital {
    let institution = institution();
    let doctor = identity(institution.id, "D1");
    let resident = resident(institution.id, 1);
    let card = card(institution.id, resident.id, "0000000001");
    let presence = presence(card.id, resident.id);
    let visit = NewVisit {
        id: VisitId::generate(),
        presence: presence.id,
        evidence: Evidence::Card(card.id),
        session: SESSION,
        resident: resident.id,
        institution: institution.id,
        department: "内科".into(),
        reason: "fever".into(),
        attending: vec![doctor.id, doctor.id],
        opened_at: NOW,
    };
    let session = NewSession {
        digest: SESSION,
        identity: doctor.id,
        certificate: SERIAL.into(),
        opened_at: NOW,
        expires_at: NOW + Duration::hours(8),
        address: "192.0.2.7".into(),
        lease: None,
    };
    let built = Hospital {
        institution: institution.id,
        doctor: doctor.id,
        resident: resident.id,
        card: card.id,
        visit: visit.id,
    };
    store.record_institution(institution, act("institution.register")).await.unwrap();
    store.record_identity(doctor, act("identity.register")).await.unwrap();
    let drafted = draft(SERIAL, built.doctor);
    store.record_certificate_draft(drafted, act("certificate.draft")).await.unwrap();
    store
        .record_certificate_signed(SERIAL, vec![0x30, 1, 0], act("certificate.issue"))
        .await
        .unwrap();
    store.record_session_opened(session, act("session.open")).await.unwrap();
    store.record_resident(resident, Vec::new(), None, act("resident.register")).await.unwrap();
    store.record_card(card, act("card.register")).await.unwrap();
    store.record_presence(presence, act("card.read")).await.unwrap();
    store.record_visit_opened(visit, act("visit.open")).await.unwrap();
    built
}

/// The receipt's entry is in the log of the newest checkpoint, which the log's key signed.
pub(super) async fn assert_proven(store: &Store, receipt: &Receipt) {
    let entry = store.entry(receipt.position).await.unwrap().unwrap().entry;
    assert_eq!(Entry::decode(&entry).unwrap().id, receipt.entry_id);
    let (size, note) = store.checkpoint();
    let checkpoint = Checkpoint::verify(&note, store.verifier_key()).unwrap();
    assert_eq!(checkpoint.size, size);
    let path = store.prove(receipt.position, size).await.unwrap();
    let leaf = leaf_hash(&entry);
    audit::tree::verify_inclusion(&leaf, receipt.position, size, &path, &checkpoint.root).unwrap();
}
