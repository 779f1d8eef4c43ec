//! Other numbers of residents, by what residents are compared, and remarks of staff: sealed and
//! indexed like all that is personal.

use card::ResidentIdNumber;
use hsm::KeyError;
use zeroize::Zeroizing;

use super::{Seals, damaged, open_text, place};
use crate::{
    likeness::{self, Rule},
    numbers::{BoundNumber, NumberKind},
    registrar::Error,
    store::{BindingId, DecisionId, EmergencyId, GuardianshipId, Likeness, Resident},
};

/// Domains of the blind indexes by which residents are compared.
const NAME_AND_BIRTH_DATE: &str = "resident.name-and-birth-date";
const NAME_AND_PHONE: &str = "resident.name-and-phone";
/// Domain of what names a set of candidates to staff.
const CASE: &str = "look-alike.case";

/// A remark of staff, by the record that it belongs to.
#[derive(Clone, Copy)]
pub(in crate::registrar) enum Remark {
    /// Why a binding ended.
    BindingEnd(BindingId),
    /// On what grounds staff decided about people who look alike.
    Decision(DecisionId),
    /// Why a guardianship ended early.
    GuardianshipEnd(GuardianshipId),
    /// Why an emergency access was begun.
    Emergency(EmergencyId),
    /// The account of whoever began it.
    EmergencyAccount(EmergencyId),
    /// On what a finding about it rests.
    EmergencyFinding(EmergencyId),
}

impl Remark {
    fn place(self) -> Vec<u8> {
        match self {
            Self::BindingEnd(id) => place("binding", "note", id),
            Self::Decision(id) => place("decision", "grounds", id),
            Self::GuardianshipEnd(id) => place("guardianship", "note", id),
            Self::Emergency(id) => place("emergency", "note", id),
            Self::EmergencyAccount(id) => place("emergency", "account", id),
            Self::EmergencyFinding(id) => place("emergency", "finding", id),
        }
    }
}

impl Seals {
    /// By what a bound number is found: its kind is part of the domain.
    pub(in crate::registrar) fn number_index(
        &self,
        number: &BoundNumber,
    ) -> Result<[u8; 32], KeyError> {
        let domain = format!("resident.number.{}", number.kind());
        self.index.index(&domain, number.joined().as_bytes())
    }

    /// By what a resident is compared with others.
    pub(in crate::registrar) fn likenesses(
        &self,
        name: &str,
        id_number: &ResidentIdNumber,
        phone: Option<&str>,
    ) -> Result<Vec<Likeness>, KeyError> {
        let born = Zeroizing::new(likeness::name_and_birth_date(name, id_number.birth_date()));
        let digest = self.index.index(NAME_AND_BIRTH_DATE, born.as_bytes())?;
        let mut likenesses = vec![Likeness { rule: Rule::NameAndBirthDate, digest }];
        if let Some(reached) = phone.and_then(|phone| likeness::name_and_phone(name, phone)) {
            let digest = self.index.index(NAME_AND_PHONE, Zeroizing::new(reached).as_bytes())?;
            likenesses.push(Likeness { rule: Rule::NameAndPhone, digest });
        }
        Ok(likenesses)
    }

    /// Names one set of candidates in one question, so that a decision about it is about no other.
    pub(in crate::registrar) fn case(&self, question: &[u8]) -> Result<[u8; 32], KeyError> {
        self.index.index(CASE, question)
    }

    /// A bound number, under its resident's key.
    pub(in crate::registrar) fn seal_number(
        &self,
        resident: &Resident,
        binding: BindingId,
        number: &BoundNumber,
    ) -> Result<Vec<u8>, KeyError> {
        let text = Zeroizing::new(number.joined());
        Ok(self.resident_key(resident)?.seal(&place("binding", "number", binding), text.as_bytes()))
    }

    pub(in crate::registrar) fn open_number(
        &self,
        resident: &Resident,
        binding: BindingId,
        kind: NumberKind,
        sealed: &[u8],
    ) -> Result<BoundNumber, Error> {
        let key = self.resident_key(resident)?;
        let text = Zeroizing::new(open_text(&key, &place("binding", "number", binding), sealed)?);
        BoundNumber::from_joined(kind, &text).map_err(|_| damaged())
    }

    /// A remark of staff about a resident, under the resident's key.
    pub(in crate::registrar) fn seal_remark(
        &self,
        resident: &Resident,
        remark: Remark,
        text: &str,
    ) -> Result<Vec<u8>, KeyError> {
        Ok(self.resident_key(resident)?.seal(&remark.place(), text.as_bytes()))
    }

    pub(in crate::registrar) fn open_remark(
        &self,
        resident: &Resident,
        remark: Remark,
        sealed: &[u8],
    ) -> Result<String, Error> {
        // Of the guardianship of somebody who was erased, or about whom they looked like.
        if sealed.is_empty() {
            return Ok(String::new());
        }
        open_text(&self.resident_key(resident)?, &remark.place(), sealed)
    }
}
