//! Institutions, staff and devices on record.

use audit::Outcome;
use ca::IdentifyingExtension;
use card::{CityCode, CreditCode, ResidentIdNumber};
use time::Date;
use zeroize::Zeroizing;

use super::{Caller, Error, Registrar, sessions::stored_role};
use crate::{
    catalogue::{Needs, Reason},
    clock,
    policy::Act,
    store::{
        Certificate as CertificateRecord, Identity as IdentityRow, IdentityId, IdentityKey,
        Institution, InstitutionId, QualificationCursor, Receipt,
    },
    vocabulary::Role,
};

/// An institution to be put on record.
pub struct NewInstitution {
    /// Unified social credit code (统一社会信用代码).
    pub credit_code: CreditCode,
    /// Name.
    pub name: String,
    /// Domain: region code.
    pub region: CityCode,
}

/// A person, desk or system to be put on record.
pub struct NewIdentity {
    /// Where it works.
    pub institution: InstitutionId,
    /// Its one role.
    pub role: Role,
    /// Name of the person, or label.
    pub name: Zeroizing<String>,
    /// Number within the institution.
    pub number: String,
    /// Department of a doctor or nurse.
    pub department: String,
    /// ID number of the person: kept as a keyed digest alone, to tell one person with two identities.
    pub id_number: Option<ResidentIdNumber>,
    /// Last day of the qualification of a clinician, where it has one.
    pub qualified_until: Option<Date>,
}

/// By what identities are looked for.
pub enum SoughtIdentity {
    /// Number within an institution.
    Number(InstitutionId, String),
    /// All identities of one person.
    Person(ResidentIdNumber),
    /// All identities of the person that this one is of.
    SamePerson(IdentityId),
    /// Serial number of a certificate of theirs.
    Serial(String),
}

/// An identity on record with its certificates.
pub struct IdentityRecord {
    /// The record.
    pub row: IdentityRow,
    /// Its role.
    pub role: Role,
    /// Its name.
    pub name: String,
    /// Its certificates.
    pub certificates: Vec<CertificateRecord>,
    /// What another certificate would say of it besides the name.
    pub identifying: Vec<IdentifyingExtension>,
}

impl Registrar {
    /// Puts an institution on record.
    ///
    /// # Errors
    /// ALREADY_REGISTERED; ROLE_NOT_ALLOWED.
    pub async fn register_institution(
        &self,
        caller: &Caller,
        order: NewInstitution,
    ) -> Result<(InstitutionId, Receipt), Error> {
        self.allow(caller, Act::InstitutionRegister).await?;
        let id = InstitutionId::generate();
        let institution = Institution {
            id,
            credit_code: order.credit_code.as_str().to_owned(),
            name: order.name,
            region: order.region.as_str().to_owned(),
            registered_at: caller.now,
        };
        let entry = self
            .entry(caller, Act::InstitutionRegister, Outcome::Granted)
            .on("institution", id.to_string());
        let answer = self.store.record_institution(institution, entry).await;
        let refused = self.entry(caller, Act::InstitutionRegister, Outcome::Refused);
        Ok((id, self.settle(refused, answer).await?))
    }

    /// Puts a person, desk or system on record.
    ///
    /// # Errors
    /// INSTITUTION_NOT_FOUND; ALREADY_REGISTERED for a number that is taken; ROLE_NOT_ALLOWED.
    pub async fn register_identity(
        &self,
        caller: &Caller,
        order: NewIdentity,
    ) -> Result<(IdentityId, Receipt), Error> {
        self.allow(caller, Act::IdentityRegister).await?;
        self.check_clinician(order.role, &order.department, order.qualified_until)?;
        let is_person = !matches!(order.role, Role::Desk | Role::System);
        let named = order.id_number.is_some();
        if (named && !is_person) || (!named && order.role == Role::Operator) {
            return Err(Error::Field { field: "id_number", needs: Needs::StaffIdNumber });
        }
        let institution = self.store.institution(order.institution).await?;
        institution.ok_or(Reason::INSTITUTION_NOT_FOUND)?;
        let id = IdentityId::generate();
        let identity = IdentityRow {
            id,
            institution: order.institution,
            role: order.role.as_str().to_owned(),
            sealed_name: self.personal.seal_staff_name(id, &order.name)?,
            number: order.number,
            department: order.department,
            registered_at: caller.now,
            person: order.id_number.map(|it| self.personal.person_index(&it)).transpose()?,
            qualified_until: order.qualified_until,
        };
        let entry = self
            .entry(caller, Act::IdentityRegister, Outcome::Granted)
            .on("identity", id.to_string())
            .with("role", order.role.as_str())
            .with("institution", order.institution.to_string());
        let answer = self.store.record_identity(identity, entry).await;
        let refused = self.entry(caller, Act::IdentityRegister, Outcome::Refused);
        Ok((id, self.settle(refused, answer).await?))
    }

    /// Sets the last day on which somebody signs records, or that no end is known.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND; FIELD_INVALID for a role that signs none; ROLE_NOT_ALLOWED.
    pub async fn qualify(
        &self,
        caller: &Caller,
        id: IdentityId,
        until: Option<Date>,
    ) -> Result<Receipt, Error> {
        self.allow(caller, Act::IdentityQualify).await?;
        let entry = |outcome| {
            let entry =
                self.entry(caller, Act::IdentityQualify, outcome).on("identity", id.to_string());
            match until {
                Some(until) => entry.with("until", until.to_string()),
                None => entry,
            }
        };
        let Some(row) = self.store.identity(id).await? else {
            return self.refuse(entry(Outcome::Refused), Reason::IDENTITY_NOT_FOUND).await;
        };
        if let Err(error) = self.check_qualification(stored_role(&row.role)?, until) {
            return self.refuse(entry(Outcome::Refused), error).await;
        }
        Ok(self.store.record_qualification(id, until, entry(Outcome::Granted)).await?)
    }

    /// Identities whose qualification ends within so many days or has ended, the first to end first, with where
    /// to go on.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn ending_qualifications(
        &self,
        caller: &Caller,
        days: u32,
        institution: Option<InstitutionId>,
        after: Option<QualificationCursor>,
        limit: u32,
    ) -> Result<(Vec<(IdentityId, Date)>, Option<QualificationCursor>), Error> {
        self.allow(caller, Act::CertificateList).await?;
        let entry = self.entry(caller, Act::CertificateList, Outcome::Granted);
        let entry = match institution {
            Some(institution) => entry.on("institution", institution.to_string()),
            None => entry,
        };
        self.record_act(entry.with("qualifications", days.to_string())).await?;
        let by = clock::date_at_desk(caller.now) + time::Duration::days(days.into());
        let found = self.store.ending_qualifications(by, institution, after, limit).await?;
        let full = found.len() == limit as usize;
        let ends = found.iter().filter_map(|it| Some((it.id, it.qualified_until?)));
        let ends: Vec<_> = ends.collect();
        let next = ends.last().filter(|_| full);
        let next = next.map(|&(identity, until)| QualificationCursor { until, identity });
        Ok((ends, next))
    }

    /// A department and a qualification go with the role.
    pub(super) fn check_clinician(
        &self,
        role: Role,
        department: &str,
        qualified_until: Option<Date>,
    ) -> Result<(), Error> {
        let treats = matches!(role, Role::Doctor | Role::Nurse);
        if treats == department.is_empty() {
            return Err(Error::Field { field: "department", needs: Needs::Department });
        }
        self.check_qualification(role, qualified_until)
    }

    fn check_qualification(&self, role: Role, until: Option<Date>) -> Result<(), Error> {
        if until.is_some() && self.policy.may(role, Act::RecordSign).is_err() {
            return Err(Error::Field { field: "qualified_until", needs: Needs::Qualification });
        }
        Ok(())
    }

    /// An identity with its certificates.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn identity(&self, caller: &Caller, id: IdentityId) -> Result<IdentityRecord, Error> {
        self.allow(caller, Act::IdentityRead).await?;
        let row = self.known_identity(id).await?;
        let entry =
            self.entry(caller, Act::IdentityRead, Outcome::Granted).on("identity", id.to_string());
        self.record_act(entry).await?;
        self.open_identity(row).await
    }

    /// Identities by what is known of them. The log has how many were found, and of an ID number nothing.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND where another of its person is sought; ROLE_NOT_ALLOWED.
    pub async fn find_identities(
        &self,
        caller: &Caller,
        sought: SoughtIdentity,
    ) -> Result<Vec<IdentityRecord>, Error> {
        self.allow(caller, Act::IdentityRead).await?;
        let entry = self.entry(caller, Act::IdentityRead, Outcome::Granted);
        let (entry, key) = match sought {
            SoughtIdentity::Number(institution, number) => (
                entry.on("institution", institution.to_string()),
                IdentityKey::Number(institution, number),
            ),
            SoughtIdentity::Person(id_number) => {
                (entry, IdentityKey::Person(self.personal.person_index(&id_number)?))
            }
            SoughtIdentity::SamePerson(id) => {
                let one = self.known_identity(id).await?;
                let number = || IdentityKey::Number(one.institution, one.number.clone());
                let key = one.person.map_or_else(number, IdentityKey::Person);
                (entry.on("identity", id.to_string()), key)
            }
            SoughtIdentity::Serial(serial) => {
                (entry.on("certificate", serial.as_str()), IdentityKey::Serial(serial))
            }
        };
        let rows = self.store.find_identities(key).await?;
        self.record_act(entry.with("identities", rows.len().to_string())).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            records.push(self.open_identity(row).await?);
        }
        Ok(records)
    }

    /// Identities, all or those of an institution.
    ///
    /// # Errors
    /// INSTITUTION_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn identities(
        &self,
        caller: &Caller,
        institution: Option<InstitutionId>,
        after: Option<IdentityId>,
        limit: u32,
    ) -> Result<Vec<IdentityRecord>, Error> {
        self.allow(caller, Act::IdentityRead).await?;
        let entry = |outcome| {
            let entry = self.entry(caller, Act::IdentityRead, outcome);
            match institution {
                Some(institution) => entry.on("institution", institution.to_string()),
                None => entry,
            }
        };
        // Nobody there is another answer than nobody there yet.
        if let Some(id) = institution
            && self.store.institution(id).await?.is_none()
        {
            return self.refuse(entry(Outcome::Refused), Reason::INSTITUTION_NOT_FOUND).await;
        }
        self.record_act(entry(Outcome::Granted)).await?;
        let rows = self.store.list_identities(institution, after, limit).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            records.push(self.open_identity(row).await?);
        }
        Ok(records)
    }

    pub(super) async fn known_identity(&self, id: IdentityId) -> Result<IdentityRow, Error> {
        let row = self.store.identity(id).await?;
        row.ok_or(Reason::IDENTITY_NOT_FOUND.into())
    }

    async fn open_identity(&self, row: IdentityRow) -> Result<IdentityRecord, Error> {
        Ok(IdentityRecord {
            role: stored_role(&row.role)?,
            name: self.personal.open_staff_name(row.id, &row.sealed_name)?,
            certificates: self.store.certificates_of(row.id).await?,
            identifying: self.identifying_now(&row).await?,
            row,
        })
    }
}
