//! What is to be done so that the record is as the file says. Pure: a file and a record give steps.

use std::collections::{BTreeMap, BTreeSet};

use proto::v1;
use time::OffsetDateTime;

use super::{
    file::{BadRow, Column, Fault, Qualification, StaffFile, StaffRole, StaffRow},
    requests::Requests,
};
use crate::text::name_of;

/// What is on record of an institution.
#[derive(Debug, Default)]
pub(crate) struct OnRecord {
    pub(crate) identities: Vec<v1::Identity>,
    /// Enrolments that wait for a review.
    pub(crate) waiting: Vec<v1::Enrolment>,
    /// Those that were approved, and whose certificate is not signed yet.
    pub(crate) unsigned: Vec<v1::Enrolment>,
}

/// What is to be done, in the order in which it is: leavers last.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

/// What is to be done about one person.
pub(crate) struct Step {
    pub(crate) kind: Kind,
    /// The row of the file; leavers have none.
    pub(crate) row: Option<StaffRow>,
    /// As on record; joiners are not.
    pub(crate) identity: Option<v1::Identity>,
    /// What differs, of a mover.
    pub(crate) fields: Vec<Field>,
    /// A request to be entered (PKCS#10, DER).
    pub(crate) request: Option<Vec<u8>>,
    /// Enrolments that were approved and are to be signed.
    pub(crate) unsigned: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Not on record yet (入职).
    Joiner,
    /// On record as something else (调岗).
    Mover,
    /// As on record.
    Unchanged,
    /// In force, and not in the file (离职).
    Leaver,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) column: Column,
    /// As on record; of a role its name on the command line.
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Plan {
    /// Compares. Everything is compared before anything is told.
    pub(crate) fn of(
        file: &StaffFile,
        record: &OnRecord,
        requests: &Requests,
        now: OffsetDateTime,
    ) -> Result<Self, Vec<BadRow>> {
        let known: BTreeMap<&str, &v1::Identity> =
            record.identities.iter().map(|it| (it.number.as_str(), it)).collect();
        // Who has a certificate tomorrow, unless something else becomes of it.
        let waits: BTreeSet<&str> = record
            .waiting
            .iter()
            .chain(&record.unsigned)
            .map(|it| it.identity_id.as_str())
            .collect();
        let (mut steps, mut bad) = (Vec::new(), Vec::new());
        for row in &file.rows {
            let identity = known.get(row.number.as_str()).copied();
            let fields = match identity.map_or(Ok(Vec::new()), |it| differing(row, it)) {
                Ok(fields) => fields,
                Err((column, fault)) => {
                    bad.push(BadRow::of(row.line, column, fault));
                    continue;
                }
            };
            let kind = match (identity, fields.is_empty()) {
                (None, _) => Kind::Joiner,
                (Some(_), false) => Kind::Mover,
                (Some(_), true) => Kind::Unchanged,
            };
            // Certificates of another role end with the change.
            let certified = identity.is_some_and(|it| {
                !changes_role(&fields)
                    && (in_force(it, now).next().is_some()
                        || waits.contains(it.identity_id.as_str()))
            });
            let request = requests.of(&row.number).filter(|_| !certified).cloned();
            let approved = |it: &&v1::Enrolment| {
                identity.is_some_and(|identity| identity.identity_id == it.identity_id)
                    && !changes_role(&fields)
            };
            let unsigned = record.unsigned.iter().filter(approved);
            let unsigned = unsigned.map(|it| it.enrolment_id.clone()).collect();
            let (row, identity) = (Some(row.clone()), identity.cloned());
            steps.push(Step { kind, row, identity, fields, request, unsigned });
        }
        if !bad.is_empty() {
            return Err(bad);
        }
        let named: BTreeSet<&str> = file.rows.iter().map(|row| row.number.as_str()).collect();
        let leavers = record.identities.iter().filter(|it| {
            may_leave(it.role())
                && !named.contains(it.number.as_str())
                && (in_force(it, now).next().is_some() || waits.contains(it.identity_id.as_str()))
        });
        steps.extend(leavers.map(|it| Step {
            kind: Kind::Leaver,
            row: None,
            identity: Some(it.clone()),
            fields: Vec::new(),
            request: None,
            unsigned: Vec::new(),
        }));
        // Whoever leaves, leaves after all else: an interrupted run goes on with the same command.
        steps.sort_by_key(|step| step.kind == Kind::Leaver);
        Ok(Self { steps })
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.steps.iter().filter(|step| step.kind == kind).count()
    }

    /// How many requests are to be entered.
    pub(crate) fn enrolments(&self) -> usize {
        self.steps.iter().filter(|step| step.request.is_some()).count()
    }

    /// How many certificates are to be signed that were approved.
    pub(crate) fn unsigned(&self) -> usize {
        self.steps.iter().map(|step| step.unsigned.len()).sum()
    }

    /// Movers whose name is another: that they are the same person has to be found out.
    pub(crate) fn renamed(&self) -> impl Iterator<Item = &Step> {
        let other = |step: &&Step| step.fields.iter().any(|it| it.column == Column::Name);
        self.steps.iter().filter(other)
    }
}

impl Step {
    /// Number within the institution.
    pub(crate) fn number(&self) -> &str {
        let on_record = || self.identity.as_ref().map(|it| it.number.as_str());
        self.row.as_ref().map(|row| row.number.as_str()).or_else(on_record).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        let on_record = || self.identity.as_ref().map(|it| it.name.as_str());
        self.row.as_ref().map(|row| row.name.as_str()).or_else(on_record).unwrap_or_default()
    }

    /// Whether there is anything to do.
    pub(crate) fn is_due(&self) -> bool {
        self.kind != Kind::Unchanged || self.request.is_some() || !self.unsigned.is_empty()
    }
}

/// What a row says otherwise than the record.
fn differing(row: &StaffRow, identity: &v1::Identity) -> Result<Vec<Field>, (Column, Fault)> {
    let role = name_of::<v1::Role>(identity.role).unwrap_or_default();
    let until = match row.qualification {
        Qualification::Unsaid => identity.qualified_until.clone(),
        Qualification::Open => String::new(),
        Qualification::Until(day) => day.to_string(),
    };
    // Whoever becomes a clerk has no qualification any more.
    let until = if row.role.treats() { until } else { String::new() };
    let fields = [
        (Column::Role, role, row.role.word()),
        (Column::Name, identity.name.as_str(), row.name.as_str()),
        (Column::Department, identity.department.as_str(), row.department.as_str()),
        (Column::QualifiedUntil, identity.qualified_until.as_str(), until.as_str()),
    ];
    let fields: Vec<Field> = fields
        .into_iter()
        .filter(|(_, from, to)| from != to)
        .map(|(column, from, to)| Field { column, from: from.to_owned(), to: to.to_owned() })
        .collect();
    let becomes = matches!(row.role, StaffRole::Doctor | StaffRole::Nurse | StaffRole::Clerk);
    if changes_role(&fields) && !(becomes && may_leave(identity.role())) {
        return Err((Column::Role, Fault::RoleFixed));
    }
    let renamed = fields.iter().any(|it| it.column == Column::Name);
    if renamed && row.id_number.is_none() {
        return Err((Column::IdNumber, Fault::NameNeedsId));
    }
    Ok(fields)
}

fn changes_role(fields: &[Field]) -> bool {
    fields.iter().any(|it| it.column == Column::Role)
}

/// Roles of those who are leavers when the file does not name them. Operators and auditors are not: they do this.
fn may_leave(role: v1::Role) -> bool {
    matches!(role, v1::Role::Doctor | v1::Role::Nurse | v1::Role::Clerk)
}

/// Certificates that are not over and not revoked for good: what is suspended can be released.
pub(crate) fn in_force(
    identity: &v1::Identity,
    now: OffsetDateTime,
) -> impl Iterator<Item = &v1::CertificateState> {
    identity.certificates.iter().filter(move |it| {
        let ends = it.not_after.as_ref().map_or(i64::MIN, |at| at.seconds);
        (it.revoked_at.is_none() || it.suspended) && ends >= now.unix_timestamp()
    })
}

/// Names a person.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Step({:?}, {:?})", self.kind, self.row)
    }
}

#[cfg(test)]
mod tests;
