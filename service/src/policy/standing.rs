//! How a caller stands to a visit, and what that alone allows.

use super::Denial;
use crate::vocabulary::{Relation, Role};

/// Whose data it is (分域): an institution, which lies in a county, a city and a province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The institution.
    pub institution: String,
    /// Region code of GB/T 2260, six digits: province, city, county.
    pub region: String,
}

/// How a caller stands to a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The caller's role.
    pub role: Role,
    /// Where the caller works.
    pub own: Domain,
    /// Where the visit is.
    pub records: Domain,
    /// Whether the visit is still open.
    pub visit_open: bool,
    /// What ties the caller to the resident of the visit.
    pub relations: Vec<Relation>,
}

impl Standing {
    /// Whether the visit's own institution asks.
    fn same_institution(&self) -> bool {
        self.own.institution == self.records.institution
    }

    /// Whether the visit's own institution asks, while it is open.
    pub(super) fn in_open_visit(&self) -> Result<(), Denial> {
        match (self.same_institution(), self.visit_open) {
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
        if !self.same_institution() {
            return Err(Denial::OtherInstitution);
        }
        match self.role {
            Role::Doctor | Role::Nurse => self.related(),
            _ => Ok(()),
        }
    }

    /// Working on the resident's records: only within the open visit, and with a relation.
    ///
    /// # Errors
    /// [`Denial::OtherInstitution`], [`Denial::VisitClosed`], [`Denial::NoRelation`].
    pub fn may_work(&self) -> Result<(), Denial> {
        self.in_open_visit()?;
        self.related()
    }

    fn related(&self) -> Result<(), Denial> {
        match self.relations.is_empty() {
            true => Err(Denial::NoRelation(vec![Relation::Attending, Relation::Department])),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeing_and_working_need_what_they_need() {
        let domain = |institution: &str| Domain {
            institution: institution.to_owned(),
            region: "330106".to_owned(),
        };
        let standing = |role, same_institution, visit_open, relations: &[Relation]| Standing {
            role,
            own: domain("one"),
            records: domain(if same_institution { "one" } else { "other" }),
            visit_open,
            relations: relations.to_vec(),
        };
        let tied = [Relation::Attending];
        #[rustfmt::skip]
        let cases = [
            ("attending doctor", standing(Role::Doctor, true, true, &tied), Ok(()), Ok(())),
            ("the same, afterwards", standing(Role::Doctor, true, false, &tied), Ok(()), Err(Denial::VisitClosed)),
            ("a colleague", standing(Role::Doctor, true, true, &[]), Err(Denial::NoRelation(Relation::ALL.to_vec())), Err(Denial::NoRelation(Relation::ALL.to_vec()))),
            ("a nurse without relation", standing(Role::Nurse, true, true, &[]), Err(Denial::NoRelation(Relation::ALL.to_vec())), Err(Denial::NoRelation(Relation::ALL.to_vec()))),
            ("the desk", standing(Role::Desk, true, true, &[]), Ok(()), Err(Denial::NoRelation(Relation::ALL.to_vec()))),
            ("a desk elsewhere", standing(Role::Desk, false, true, &[]), Err(Denial::OtherInstitution), Err(Denial::OtherInstitution)),
            ("a doctor elsewhere", standing(Role::Doctor, false, true, &tied), Err(Denial::OtherInstitution), Err(Denial::OtherInstitution)),
        ];
        for (who, standing, see, work) in cases {
            assert_eq!(standing.may_see(), see, "{who} sees");
            assert_eq!(standing.may_work(), work, "{who} works");
        }
    }
}
