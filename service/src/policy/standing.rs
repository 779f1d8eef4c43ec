//! How a caller stands to what is asked for, and what that alone allows.

use super::Denial;
use crate::vocabulary::{Frame, Purpose, Relation, Role};

/// Ties to the resident of a visit that are a treatment.
const TREATING: [Relation; 2] = [Relation::Attending, Relation::Department];
/// Ties of whoever asks for what is theirs, or their ward's: as the person they are.
pub(super) const IN_PERSON: [Relation; 2] = [Relation::Resident, Relation::Guardian];
/// Ties by one of which somebody asks within a visit as the resident wishes.
const REQUESTING: [Relation; 4] =
    [Relation::Attending, Relation::Department, Relation::Resident, Relation::Guardian];
/// Ties that reach data which another institution keeps.
const REACHING: [Relation; 4] =
    [Relation::Referral, Relation::FamilyDoctor, Relation::Consent, Relation::Emergency];

/// Whose data it is (分域): an institution, which lies in a county, a city and a province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The institution.
    pub institution: String,
    /// Region code of GB/T 2260, six digits: province, city, county.
    pub region: String,
}

/// How a caller stands to what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The caller's role.
    pub role: Role,
    /// Where the caller works.
    pub own: Domain,
    /// Who keeps the data.
    pub records: Domain,
    /// What it is within.
    pub frame: Frame,
    /// Whether that is the caller's own institution's.
    pub here: bool,
    /// Whether the visit is still open; whoever asks within something else is asked only while that lasts.
    pub visit_open: bool,
    /// Whether the resident objects to any of what is asked for.
    pub objected: bool,
    /// What ties the caller to the resident.
    pub relations: Vec<Relation>,
}

impl Standing {
    /// Whether the frame is one's own institution's, while it lasts.
    pub(super) fn in_open_visit(&self) -> Result<(), Denial> {
        match (self.here, self.visit_open) {
            (false, _) => Err(Denial::OtherInstitution),
            (true, false) => Err(Denial::VisitClosed),
            (true, true) => Ok(()),
        }
    }

    /// Seeing the visit, or closing it: the desk of its institution may, and a clinician who has a
    /// relation to the resident.
    ///
    /// # Errors
    /// [`Denial::OtherInstitution`], [`Denial::NoRelation`].
    pub fn may_see(&self) -> Result<(), Denial> {
        if !self.here {
            return Err(Denial::OtherInstitution);
        }
        match self.role {
            Role::Doctor | Role::Nurse => self.tied(&TREATING),
            _ => Ok(()),
        }
    }

    /// Working on the resident's records: only within the open visit, and with a relation.
    ///
    /// # Errors
    /// [`Denial::OtherInstitution`], [`Denial::VisitClosed`], [`Denial::NoRelation`].
    pub fn may_work(&self) -> Result<(), Denial> {
        self.in_open_visit()?;
        self.tied(&TREATING)
    }

    /// Seeing data at all: within one's own visit, consent or emergency, tied to the resident by just that, and of
    /// another institution only with what reaches it; never what the resident objects to, emergencies aside. Within a visit
    /// it takes somebody who treats, or, for what the resident wishes of one's own institution's data, the resident or a
    /// guardian.
    pub(super) fn may_ask(&self, purpose: Purpose) -> Result<(), Denial> {
        self.in_open_visit()?;
        let elsewhere = self.own.institution != self.records.institution;
        match self.frame {
            Frame::Visit if purpose == Purpose::PatientRequest && !elsewhere => {
                self.tied(&REQUESTING)?;
            }
            Frame::Visit => self.tied(&TREATING)?,
            Frame::Consent => self.tied(&[Relation::Consent])?,
            Frame::Emergency => self.tied(&[Relation::Emergency])?,
        }
        if elsewhere {
            self.tied(&REACHING)?;
        }
        match self.objected && self.frame != Frame::Emergency {
            true => Err(Denial::Objected),
            false => Ok(()),
        }
    }

    fn tied(&self, by: &[Relation]) -> Result<(), Denial> {
        match self.relations.iter().any(|relation| by.contains(relation)) {
            true => Ok(()),
            false => Err(Denial::NoRelation(by.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(institution: &str) -> Domain {
        Domain { institution: institution.to_owned(), region: "330106".to_owned() }
    }

    #[test]
    fn seeing_and_working_need_what_they_need() {
        let standing = |role, here, visit_open, relations: &[Relation]| Standing {
            role,
            own: domain("one"),
            records: domain(if here { "one" } else { "other" }),
            frame: Frame::Visit,
            here,
            visit_open,
            objected: false,
            relations: relations.to_vec(),
        };
        let tied = [Relation::Attending];
        let reaching = [Relation::Referral];
        let untied = || Err(Denial::NoRelation(TREATING.to_vec()));
        #[rustfmt::skip]
        let cases = [
            ("attending doctor", standing(Role::Doctor, true, true, &tied), Ok(()), Ok(())),
            ("the same, afterwards", standing(Role::Doctor, true, false, &tied), Ok(()), Err(Denial::VisitClosed)),
            ("a colleague", standing(Role::Doctor, true, true, &[]), untied(), untied()),
            ("one to whom the resident was referred, who does not treat", standing(Role::Doctor, true, true, &reaching), untied(), untied()),
            ("a nurse without relation", standing(Role::Nurse, true, true, &[]), untied(), untied()),
            ("the desk", standing(Role::Desk, true, true, &[]), Ok(()), untied()),
            ("a desk elsewhere", standing(Role::Desk, false, true, &[]), Err(Denial::OtherInstitution), Err(Denial::OtherInstitution)),
            ("a doctor elsewhere", standing(Role::Doctor, false, true, &tied), Err(Denial::OtherInstitution), Err(Denial::OtherInstitution)),
        ];
        for (who, standing, see, work) in cases {
            assert_eq!(standing.may_see(), see, "{who} sees");
            assert_eq!(standing.may_work(), work, "{who} works");
        }
    }

    #[test]
    fn data_is_asked_for_by_the_tie_of_its_frame_and_elsewhere_by_one_that_reaches_it() {
        let (visit, consent, emergency) = (Frame::Visit, Frame::Consent, Frame::Emergency);
        let (treats, wishes) = (Purpose::Treatment, Purpose::PatientRequest);
        #[rustfmt::skip]
        let cases: [(Frame, Purpose, &str, &[Relation], bool); 22] = [
            (visit, treats, "one", &[Relation::Department], true),
            (visit, treats, "one", &[Relation::Consent], false),
            (visit, treats, "one", &[Relation::Resident], false),
            (visit, treats, "one", &[Relation::Guardian, Relation::Consent], false),
            (visit, treats, "other", &[Relation::Attending], false),
            (visit, treats, "other", &[Relation::Referral], false),
            (visit, treats, "other", &[Relation::Attending, Relation::Referral], true),
            (visit, treats, "other", &[Relation::Department, Relation::FamilyDoctor], true),
            (visit, wishes, "one", &[Relation::Attending], true),
            (visit, wishes, "one", &[Relation::Resident], true),
            (visit, wishes, "one", &[Relation::Guardian], true),
            (visit, wishes, "one", &[Relation::Consent], false),
            (visit, wishes, "other", &[Relation::Resident], false),
            (visit, wishes, "other", &[Relation::Guardian, Relation::Consent], false),
            (visit, wishes, "other", &[Relation::Attending, Relation::Consent], true),
            (consent, treats, "one", &[Relation::Attending], false),
            (consent, treats, "other", &[Relation::Consent], true),
            (consent, wishes, "one", &[Relation::Resident], false),
            (emergency, treats, "other", &[Relation::Emergency], true),
            (emergency, treats, "one", &[Relation::Consent], false),
            (emergency, wishes, "one", &[Relation::Guardian], false),
            (emergency, treats, "one", &[], false),
        ];
        for (frame, purpose, records, relations, may) in cases {
            let standing = Standing {
                role: Role::Doctor,
                own: domain("one"),
                records: domain(records),
                frame,
                here: true,
                visit_open: true,
                objected: false,
                relations: relations.to_vec(),
            };
            let asked = standing.may_ask(purpose);
            assert_eq!(asked.is_ok(), may, "{frame} {purpose} {records} {relations:?}");
        }
    }
}
