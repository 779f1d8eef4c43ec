//! Guardians (监护人) of children and of adults who need one: for what, and until when.

use audit::Outcome;
use time::{Date, Duration};

use super::{Caller, Error, Registrar, personal::Remark};
use crate::{
    catalogue::{Needs, Reason},
    clock::{UtcTime, date_at_desk, years_after},
    policy::Act,
    store::{
        self, Guardianship, GuardianshipEnd, GuardianshipId, IdentityId, NewGuardianship, Receipt,
        ResidentId,
    },
    vocabulary::{Basis, GuardianScope, Kinship},
};

/// Coming of age (成年), years: Civil Code (民法典), article 17.
const OF_AGE: i32 = 18;
/// How far ahead a guardianship may begin.
const AHEAD: Duration = Duration::days(365);

/// A guardianship to be put on record.
pub struct GuardianshipOrder {
    /// Who is cared for.
    pub ward: ResidentId,
    /// Who cares.
    pub guardian: ResidentId,
    /// What the guardian is to the ward.
    pub kinship: Kinship,
    /// What the guardian may do, each once.
    pub scopes: Vec<GuardianScope>,
    /// What it rests on.
    pub basis: Basis,
    /// SM3 of a scanned document.
    pub scan_digest: Option<[u8; 32]>,
    /// First day; today when absent.
    pub starts_on: Option<Date>,
    /// Last day; for a minor the 18th birthday when absent.
    pub ends_on: Option<Date>,
}

/// A guardianship on record.
pub struct GuardianshipRecord {
    /// As it was made.
    pub made: NewGuardianship,
    /// When it was ended early, by whom and why; the note is empty where the ward's record is not
    /// open to the caller.
    pub ended: Option<(UtcTime, IdentityId, String)>,
    /// Whether it stands at the time of the call.
    pub stands: bool,
}

/// Who cares for a resident, and for whom the resident cares.
pub struct Guardianships {
    /// Guardians of the resident, the newest first.
    pub guardians: Vec<GuardianshipRecord>,
    /// Those in the resident's care, the newest first.
    pub wards: Vec<GuardianshipRecord>,
    /// Where the reading stands in the log.
    pub receipt: Receipt,
}

impl Registrar {
    /// Puts a guardian of a resident on record. The records of both must be open to the caller.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; REGISTERED_ELSEWHERE; GUARDIAN_CIRCLE; GUARDIAN_NOT_OF_AGE;
    /// ALREADY_REGISTERED when the two have one at the same time; PRESENCE_INVALID when
    /// the guardian is said to be here and is not; FIELD_INVALID for its days; ROLE_NOT_ALLOWED.
    pub async fn add_guardian(
        &self,
        caller: &Caller,
        order: GuardianshipOrder,
    ) -> Result<(GuardianshipRecord, Receipt), Error> {
        self.allow(caller, Act::GuardianAdd).await?;
        let ward = self.resident_open(caller, Act::GuardianAdd, order.ward).await?;
        let refused = || {
            self.entry(caller, Act::GuardianAdd, Outcome::Refused)
                .about(order.ward.to_string())
                .with("guardian", order.guardian.to_string())
        };
        if order.guardian == order.ward {
            return self.refuse(refused(), Reason::GUARDIAN_CIRCLE).await;
        }
        let guardian = self.resident_open(caller, Act::GuardianAdd, order.guardian).await?;
        let session = caller.holder.session;
        if order.basis == Basis::Presence
            && !self.store.has_presence(session, guardian.id, caller.now).await?
        {
            return self.refuse(refused(), Reason::PRESENCE_INVALID).await;
        }
        let today = date_at_desk(caller.now);
        if today < birthday(self.birth_date(&guardian)?, OF_AGE) {
            return self.refuse(refused(), Reason::GUARDIAN_NOT_OF_AGE).await;
        }
        let born = self.birth_date(&ward)?;
        let (starts_on, ends_on) = term(born, order.starts_on, order.ends_on, today)?;
        let made = NewGuardianship {
            id: GuardianshipId::generate(),
            ward: order.ward,
            guardian: order.guardian,
            kinship: order.kinship,
            scopes: order.scopes.clone(),
            basis: order.basis,
            scan_digest: order.scan_digest,
            starts_on,
            ends_on,
            institution: caller.holder.institution,
            identity: caller.holder.identity,
            recorded_at: caller.now,
        };
        let scopes: Vec<_> = made.scopes.iter().map(|scope| scope.as_str()).collect();
        let mut entry = self
            .entry(caller, Act::GuardianAdd, Outcome::Granted)
            .about(made.ward.to_string())
            .on("guardianship", made.id.to_string())
            .with("guardian", made.guardian.to_string())
            .with("kinship", made.kinship.as_str())
            .with("scopes", scopes.join(","))
            .with("basis", made.basis.as_str())
            .with("starts_on", made.starts_on.to_string());
        if starts_on >= birthday(born, OF_AGE) {
            // The last day of a minor's could tell the date of birth.
            entry = entry.with("ends_on", made.ends_on.to_string());
        }
        if let Some(digest) = made.scan_digest {
            entry = entry.with("scan_digest", hex::encode(digest));
        }
        let answer = self.store.record_guardianship(made.clone(), entry).await;
        let receipt = self.settle(refused(), answer).await?;
        let stands = made.starts_on <= today;
        Ok((GuardianshipRecord { made, ended: None, stands }, receipt))
    }

    /// Ends a guardianship before its last day. It may be done where ward or guardian is known or
    /// present, and by the institution that recorded it.
    ///
    /// # Errors
    /// GUARDIANSHIP_NOT_FOUND; STATE_CONFLICT when it ended before; REGISTERED_ELSEWHERE;
    /// ROLE_NOT_ALLOWED.
    pub async fn end_guardian(
        &self,
        caller: &Caller,
        id: GuardianshipId,
        note: &str,
    ) -> Result<(GuardianshipRecord, Receipt), Error> {
        self.allow(caller, Act::GuardianEnd).await?;
        let refused = || {
            let entry = self.entry(caller, Act::GuardianEnd, Outcome::Refused);
            entry.on("guardianship", id.to_string())
        };
        let Some(Guardianship { made, .. }) = self.store.guardianship(id).await? else {
            return self.refuse(refused(), Reason::GUARDIANSHIP_NOT_FOUND).await;
        };
        let refused = || refused().about(made.ward.to_string());
        let ward = self.known_resident(made.ward).await?;
        let guardian = self.known_resident(made.guardian).await?;
        if made.institution != caller.holder.institution
            && !self.is_open_to(caller, guardian.institution, guardian.id).await?
        {
            self.here_or_present(caller, ward.institution, ward.id, refused).await?;
        }
        let ended = GuardianshipEnd {
            at: caller.now,
            by: caller.holder.identity,
            sealed_note: self.personal.seal_remark(&ward, Remark::GuardianshipEnd(id), note)?,
        };
        let entry = self
            .entry(caller, Act::GuardianEnd, Outcome::Granted)
            .about(made.ward.to_string())
            .on("guardianship", id.to_string())
            .with("guardian", made.guardian.to_string());
        let answer = self.store.record_guardianship_ended(id, ended.clone(), entry).await;
        let receipt = self.settle(refused(), answer).await?;
        let ended = Some((ended.at, ended.by, note.to_owned()));
        Ok((GuardianshipRecord { made, ended, stands: false }, receipt))
    }

    /// Who cares for a resident, and for whom the resident cares; those that ended included. The
    /// reading is in the log before the answer.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn guardians(
        &self,
        caller: &Caller,
        resident: ResidentId,
    ) -> Result<Guardianships, Error> {
        self.allow(caller, Act::GuardianRead).await?;
        let resident = self.resident_open(caller, Act::GuardianRead, resident).await?;
        let told = |record: Guardianship| self.guardianship_told(caller, &resident, record);
        let guardians = self.store.guardians_of(resident.id).await?;
        let guardians: Vec<_> = guardians.into_iter().map(told).collect::<Result<_, _>>()?;
        let wards = self.store.wards_of(resident.id).await?;
        let wards: Vec<_> = wards.into_iter().map(told).collect::<Result<_, _>>()?;
        let entry = self
            .entry(caller, Act::GuardianRead, Outcome::Granted)
            .about(resident.id.to_string())
            .on("resident", resident.id.to_string())
            .with("guardians", guardians.len().to_string())
            .with("wards", wards.len().to_string());
        let receipt = self.record_act(entry).await?;
        Ok(Guardianships { guardians, wards, receipt })
    }

    fn guardianship_told(
        &self,
        caller: &Caller,
        resident: &store::Resident,
        record: Guardianship,
    ) -> Result<GuardianshipRecord, Error> {
        let stands = record.stands(caller.now);
        let Guardianship { made, ended } = record;
        let ended = match ended {
            None => None,
            Some(ended) if made.ward == resident.id => {
                let remark = Remark::GuardianshipEnd(made.id);
                let note = self.personal.open_remark(resident, remark, &ended.sealed_note)?;
                Some((ended.at, ended.by, note))
            }
            Some(ended) => Some((ended.at, ended.by, String::new())),
        };
        Ok(GuardianshipRecord { made, ended, stands })
    }

    fn birth_date(&self, resident: &store::Resident) -> Result<Date, Error> {
        Ok(self.personal.open_resident(resident)?.birth_date())
    }
}

/// First and last day of a guardianship. It begins today or later, as what was not on record did
/// not hold; that of a minor ends with the 18th birthday at the latest; that of an adult has a last
/// day.
fn term(
    born: Date,
    starts_on: Option<Date>,
    ends_on: Option<Date>,
    today: Date,
) -> Result<(Date, Date), Error> {
    let first = starts_on.unwrap_or(today);
    if first < today || first - today > AHEAD {
        return Err(Error::Field { field: "starts_on", needs: Needs::GuardianshipStart });
    }
    let of_age = birthday(born, OF_AGE);
    let last = match ends_on {
        Some(day) if first < of_age && day > of_age => {
            return Err(Error::Field { field: "ends_on", needs: Needs::MinorsEnd });
        }
        None if first < of_age => Some(of_age),
        given => given,
    };
    match last {
        Some(last) if last >= first => Ok((first, last)),
        _ => Err(Error::Field { field: "ends_on", needs: Needs::GuardianshipEnd }),
    }
}

/// The day on which somebody turns `age`.
pub(super) fn birthday(born: Date, age: i32) -> Date {
    years_after(born, age)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 26);

    #[test]
    fn birthdays_exist() {
        for (born, expected) in [
            (date!(2010 - 03 - 07), date!(2028 - 03 - 07)),
            (date!(2008 - 02 - 29), date!(2026 - 02 - 28)),
            (date!(2018 - 12 - 31), date!(2036 - 12 - 31)),
        ] {
            assert_eq!(birthday(born, OF_AGE), expected);
        }
        assert_eq!(birthday(date!(2008 - 02 - 29), 20), date!(2028 - 02 - 29));
        assert_eq!(birthday(date!(9990 - 01 - 01), OF_AGE), Date::MAX);
    }

    #[test]
    fn terms_are_bounded() {
        let child = date!(2016 - 05 - 04);
        let elder = date!(1940 - 05 - 04);
        let until = date!(2027 - 11 - 26);
        let of_age = date!(2034 - 05 - 04);
        #[rustfmt::skip]
        let cases = [
            ("a child's ends by itself", child, None, None, Ok((TODAY, of_age))),
            ("or earlier", child, None, Some(until), Ok((TODAY, until))),
            ("on the birthday", child, None, Some(of_age), Ok((TODAY, of_age))),
            ("not after it", child, None, Some(date!(2034 - 05 - 05)), Err(("ends_on", Needs::MinorsEnd))),
            ("an adult's has an end", elder, None, None, Err(("ends_on", Needs::GuardianshipEnd))),
            ("an adult's", elder, None, Some(until), Ok((TODAY, until))),
            ("one day", elder, None, Some(TODAY), Ok((TODAY, TODAY))),
            ("over before it began", elder, Some(until), Some(TODAY), Err(("ends_on", Needs::GuardianshipEnd))),
            ("in the past", elder, Some(date!(2026 - 11 - 25)), Some(until), Err(("starts_on", Needs::GuardianshipStart))),
            ("far ahead", elder, Some(date!(2027 - 11 - 27)), Some(date!(2030 - 01 - 01)), Err(("starts_on", Needs::GuardianshipStart))),
            ("of age today", date!(2008 - 11 - 26), None, None, Err(("ends_on", Needs::GuardianshipEnd))),
            ("of age tomorrow", date!(2008 - 11 - 27), None, None, Ok((TODAY, date!(2026 - 11 - 27)))),
        ];
        for (case, born, first, last, expected) in cases {
            let found = match term(born, first, last, TODAY) {
                Ok(days) => Ok(days),
                Err(Error::Field { field, needs }) => Err((field, needs)),
                Err(other) => panic!("{case}: {other}"),
            };
            assert_eq!(found, expected, "{case}");
        }
    }
}
