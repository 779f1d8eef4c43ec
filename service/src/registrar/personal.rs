//! Personal data at rest: sealed under one key per resident, found through a blind index.
//!
//! A resident's key is itself sealed by the service's data key. To destroy it is to erase the
//! person; nothing else in the database or the log names them.

mod bound;

use std::sync::Arc;

use card::{ResidentIdNumber, code::ElectronicId};
use hsm::{DataSealer, IndexKey, KeyError, sm4::Sm4Key};
use zeroize::Zeroizing;

use super::{Error, NewResident, ResidentRecord, cards::Reading};
use crate::{
    clock::UtcTime,
    keys::Keys,
    store::{
        BatchId, ElectronicCard, ElectronicCardId, Identity, IdentityId, InstitutionId, PresenceId,
        Resident, ResidentId, WarningId,
    },
};

pub(super) use bound::Remark;

/// Domain of the blind index of ID numbers.
const ID_NUMBER: &str = "resident.id-number";
/// Domain of the blind index of the ids that codes of electronic cards show.
const CARD_ID: &str = "electronic-card.card-id";
/// Domain of the digests of ID numbers of staff.
const STAFF: &str = "identity.id-number";
/// Domain of the pseudonyms of holders of certificates.
const PSEUDONYM: &str = "identity.pseudonym";
/// Domain of the digests of rows of batches.
const BATCH_ROW: &str = "batch.row";
/// Names of the sealed fields of a resident: part of the place that each is bound to.
const NAME: &str = "name";
const ID_NUMBER_FIELD: &str = "id_number";
const PHONE: &str = "phone";
const ETHNIC_GROUP: &str = "ethnic_group";

/// Seals and opens personal data.
pub(super) struct Seals {
    data: Arc<dyn DataSealer>,
    index: Arc<dyn IndexKey>,
}

impl Seals {
    pub(super) fn new(keys: &Keys) -> Result<Self, KeyError> {
        Ok(Self { data: keys.data()?, index: keys.index()? })
    }

    /// By what a resident is found.
    pub(super) fn id_number_index(
        &self,
        id_number: &ResidentIdNumber,
    ) -> Result<[u8; 32], KeyError> {
        self.index.index(ID_NUMBER, id_number.as_str().as_bytes())
    }

    /// By what one member of staff with two identities is told. No resident is found by it.
    pub(super) fn person_index(&self, id_number: &ResidentIdNumber) -> Result<[u8; 32], KeyError> {
        self.index.index(STAFF, id_number.as_str().as_bytes())
    }

    /// By what a holder is named in certificates: of a person whose ID number was given, by its keyed digest, so that
    /// two identities have one name.
    pub(super) fn pseudonym(&self, holder: &Identity) -> Result<[u8; 32], KeyError> {
        let whom = match &holder.person {
            Some(person) => [b"person|", &person[..]].concat(),
            None => format!("number|{}|{}", holder.institution, holder.number).into_bytes(),
        };
        self.index.index(PSEUDONYM, &whom)
    }

    /// A fresh key for the rows of a batch, sealed.
    pub(super) fn new_batch_key(&self, id: BatchId) -> Result<Vec<u8>, KeyError> {
        self.data.seal_key(&place("batch", "key", id), &Sm4Key::generate())
    }

    /// The key of the rows of a batch.
    pub(super) fn open_batch_key(&self, id: BatchId, wrapped: &[u8]) -> Result<Sm4Key, KeyError> {
        self.data.open_key(&place("batch", "key", id), wrapped)
    }

    /// What a manifest names a row by: keyed, and another in every batch.
    pub(super) fn row_digest(
        &self,
        batch: BatchId,
        number: u32,
        canonical: &[u8],
    ) -> Result<[u8; 32], KeyError> {
        let place = format!("{batch}/{number}|");
        let value = Zeroizing::new([place.as_bytes(), canonical].concat());
        self.index.index(BATCH_ROW, &value)
    }

    /// A resident as the store keeps one: a fresh key, sealed, and each field sealed under it.
    pub(super) fn seal_resident(
        &self,
        id: ResidentId,
        institution: InstitutionId,
        order: &NewResident,
        registered_at: UtcTime,
    ) -> Result<Resident, KeyError> {
        let key = Sm4Key::generate();
        let seal = |field, text: &str| key.seal(&place("resident", field, id), text.as_bytes());
        Ok(Resident {
            id,
            institution,
            id_number_index: self.id_number_index(&order.id_number)?,
            wrapped_key: self.data.seal_key(&place("resident", "data_key", id), &key)?,
            sealed_name: seal(NAME, order.name.as_str()),
            sealed_id_number: seal(ID_NUMBER_FIELD, order.id_number.as_str()),
            sealed_phone: order.phone.as_ref().map(|phone| seal(PHONE, phone.as_str())),
            sealed_ethnic_group: order
                .ethnic_group
                .map(|group| seal(ETHNIC_GROUP, &group.code().to_string())),
            registered_at,
        })
    }

    pub(super) fn open_resident(&self, row: &Resident) -> Result<ResidentRecord, Error> {
        let key = self.resident_key(row)?;
        let open =
            |field, sealed: &[u8]| open_text(&key, &place("resident", field, row.id), sealed);
        let id_number = Zeroizing::new(open(ID_NUMBER_FIELD, &row.sealed_id_number)?);
        let ethnic_group = match &row.sealed_ethnic_group {
            Some(sealed) => open(ETHNIC_GROUP, sealed)?.parse().map_err(|_| damaged())?,
            None => 0,
        };
        Ok(ResidentRecord {
            id: row.id,
            name: open(NAME, &row.sealed_name)?,
            id_number: id_number.parse().map_err(|_| damaged())?,
            phone: match &row.sealed_phone {
                Some(sealed) => open(PHONE, sealed)?,
                None => String::new(),
            },
            ethnic_group,
            registered_at: row.registered_at,
        })
    }

    /// What a card said, under its holder's key.
    pub(super) fn seal_reading(
        &self,
        resident: &Resident,
        presence: PresenceId,
        reading: &Reading,
    ) -> Result<Vec<u8>, Error> {
        let text = Zeroizing::new(
            serde_json::to_vec(reading).map_err(|e| Error::internal("writing a reading", e))?,
        );
        Ok(self.resident_key(resident)?.seal(&place("presence", "reading", presence), &text))
    }

    pub(super) fn open_reading(
        &self,
        resident: &Resident,
        presence: PresenceId,
        sealed: &[u8],
    ) -> Result<Reading, Error> {
        let text = self
            .resident_key(resident)?
            .open(&place("presence", "reading", presence), sealed)
            .map_err(|e| Error::internal("opening a reading", e))?;
        serde_json::from_slice(&text).map_err(|_| damaged())
    }

    /// By what an electronic card is found when a code shows its id.
    pub(super) fn card_id_index(&self, id: &ElectronicId) -> Result<[u8; 32], KeyError> {
        self.index.index(CARD_ID, &id.0)
    }

    /// The id that codes of an electronic card show, under its holder's key.
    pub(super) fn seal_card_id(
        &self,
        resident: &Resident,
        card: ElectronicCardId,
        id: &ElectronicId,
    ) -> Result<Vec<u8>, KeyError> {
        let place = place("electronic_card", "card_id", card);
        Ok(self.resident_key(resident)?.seal(&place, &id.0))
    }

    pub(super) fn open_card_id(
        &self,
        resident: &Resident,
        card: &ElectronicCard,
    ) -> Result<ElectronicId, Error> {
        let place = place("electronic_card", "card_id", card.id);
        let octets = self
            .resident_key(resident)?
            .open(&place, &card.sealed_card_id)
            .map_err(|e| Error::internal("opening an electronic card's id", e))?;
        octets.as_slice().try_into().map(ElectronicId).map_err(|_| damaged())
    }

    /// The name of a member of staff, desk or system.
    pub(super) fn seal_staff_name(&self, id: IdentityId, name: &str) -> Result<Vec<u8>, KeyError> {
        self.data.seal(&place("identity", "name", id), name.as_bytes())
    }

    pub(super) fn open_staff_name(&self, id: IdentityId, sealed: &[u8]) -> Result<String, Error> {
        let plain = self.data.open(&place("identity", "name", id), sealed)?;
        String::from_utf8(plain.to_vec()).map_err(|_| damaged())
    }

    /// What somebody wrote who looked into a warning.
    pub(super) fn seal_warning_note(&self, id: WarningId, note: &str) -> Result<Vec<u8>, KeyError> {
        self.data.seal(&place("warning", "note", id), note.as_bytes())
    }

    pub(super) fn open_warning_note(&self, id: WarningId, sealed: &[u8]) -> Result<String, Error> {
        // It was about a resident who was erased.
        if sealed.is_empty() {
            return Ok(String::new());
        }
        let plain = self.data.open(&place("warning", "note", id), sealed)?;
        String::from_utf8(plain.to_vec()).map_err(|_| damaged())
    }

    fn resident_key(&self, row: &Resident) -> Result<Sm4Key, KeyError> {
        self.data.open_key(&place("resident", "data_key", row.id), &row.wrapped_key)
    }
}

fn open_text(key: &Sm4Key, place: &[u8], sealed: &[u8]) -> Result<String, Error> {
    let plain =
        key.open(place, sealed).map_err(|e| Error::internal("opening a person's record", e))?;
    String::from_utf8(plain.to_vec()).map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::Internal { what: "a sealed record is not what was written", source: None }
}

/// Where a sealed value belongs: table, column, row and version of the form.
fn place(table: &str, column: &str, row: impl std::fmt::Display) -> Vec<u8> {
    format!("{table}|{column}|{row}|1").into_bytes()
}
