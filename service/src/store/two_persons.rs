//! What all changes have in common that one person enters and another reviews (录入、复核).

use rusqlite::Connection;

use super::{IdentityId, Obstacle, StoreError, micros::Micros};
use crate::clock::UtcTime;

/// Within a review: that two identities are two persons. Two with one ID number are one.
pub(super) fn check_two_persons(
    db: &Connection,
    entered_by: IdentityId,
    reviewed_by: IdentityId,
) -> Result<(), StoreError> {
    match is_same_person(db, entered_by, reviewed_by)? {
        true => Err(StoreError::Conflict(Obstacle::SamePerson)),
        false => Ok(()),
    }
}

/// Whether two identities are one, or of one person.
pub(super) fn is_same_person(
    db: &Connection,
    one: IdentityId,
    other: IdentityId,
) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT ?1 = ?2 OR EXISTS (
             SELECT 1 FROM identity AS one JOIN identity AS other ON one.person = other.person
             WHERE one.id = ?1 AND other.id = ?2)",
    )?
    .query_row((one, other), |row| row.get(0))
}

/// Within an approval: that the certificate with which it was entered is in force. What somebody entered
/// whose certificate was revoked since is void.
pub(super) fn check_entry_stands(
    db: &Connection,
    entered_with: &str,
    at: UtcTime,
) -> Result<(), StoreError> {
    match is_in_force(db, entered_with, at)? {
        true => Ok(()),
        false => Err(StoreError::Conflict(Obstacle::EntryVoid)),
    }
}

/// Within a fact: that a certificate is signed, valid at this time and not revoked.
pub(super) fn check_in_force(db: &Connection, serial: &str, at: UtcTime) -> Result<(), StoreError> {
    match is_in_force(db, serial, at)? {
        true => Ok(()),
        false => Err(StoreError::Conflict(Obstacle::CertificateNotValid)),
    }
}

fn is_in_force(db: &Connection, serial: &str, at: UtcTime) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM certificate WHERE serial = ?1 AND der IS NOT NULL
         AND revoked_at IS NULL AND not_before <= ?2 AND not_after >= ?2)",
    )?
    .query_row((serial, Micros(at)), |row| row.get(0))
}
