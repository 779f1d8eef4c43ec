//! How a caller stands to a visit, and what that alone allows.

use super::Denial;
use crate::vocabulary::{Relation, Role};

/// How a caller stands to a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The caller's role.
    pub role: Role,
    /// Whether caller and visit belong to one institution.
    pub same_institution: bool,
    /// Whether the visit is still open.
    pub visit_open: bool,
    /// What ties the caller to the resident of the visit.
    pub relations: Vec<Relation>,
}

impl Standing {
    /// Whether the visit's own institution asks, while it is open.
    pub(super) fn in_open_visit(&self) -> Result<(), Denial> {
        match (self.same_institution, self.visit_open) {
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
        if !self.same_institution {
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
        if self.relations.is_empty() { Err(Denial::NoRelation) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeing_and_working_need_what_they_need() {
        let standing = |role, same_institution, visit_open, relations: &[Relation]| Standing {
            role,
            same_institution,
            visit_open,
            relations: relations.to_vec(),
        };
        let tied = [Relation::Attending];
        #[rustfmt::skip]
        let cases = [
            ("attending doctor", standing(Role::Doctor, true, true, &tied), Ok(()), Ok(())),
            ("the same, afterwards", standing(Role::Doctor, true, false, &tied), Ok(()), Err(Denial::VisitClosed)),
            ("a colleague", standing(Role::Doctor, true, true, &[]), Err(Denial::NoRelation), Err(Denial::NoRelation)),
            ("a nurse without relation", standing(Role::Nurse, true, true, &[]), Err(Denial::NoRelation), Err(Denial::NoRelation)),
            ("the desk", standing(Role::Desk, true, true, &[]), Ok(()), Err(Denial::NoRelation)),
            ("a desk elsewhere", standing(Role::Desk, false, true, &[]), Err(Denial::OtherInstitution), Err(Denial::OtherInstitution)),
            ("a doctor elsewhere", standing(Role::Doctor, false, true, &tied), Err(Denial::OtherInstitution), Err(Denial::OtherInstitution)),
        ];
        for (who, standing, see, work) in cases {
            assert_eq!(standing.may_see(), see, "{who} sees");
            assert_eq!(standing.may_work(), work, "{who} works");
        }
    }
}
