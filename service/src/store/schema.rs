//! The database file: how it is opened, and how its schema came to be.

use std::{path::Path, time::Duration};

use ca::Certificate;
use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// The step that reads certificates, beyond what SQL can.
const IDENTIFIERS: &str = "0030_identifiers_of_before";

/// The steps from an empty file to the schema of this version. Files are never edited afterwards.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_log", include_str!("migrations/0001_log.sql")),
    ("0002_records", include_str!("migrations/0002_records.sql")),
    ("0003_codes", include_str!("migrations/0003_codes.sql")),
    ("0004_card_life", include_str!("migrations/0004_card_life.sql")),
    ("0005_bindings", include_str!("migrations/0005_bindings.sql")),
    ("0006_desks", include_str!("migrations/0006_desks.sql")),
    ("0007_issuing", include_str!("migrations/0007_issuing.sql")),
    ("0008_card_kinds", include_str!("migrations/0008_card_kinds.sql")),
    ("0009_card_cancelled_from", include_str!("migrations/0009_card_cancelled_from.sql")),
    ("0010_held_rows", include_str!("migrations/0010_held_rows.sql")),
    ("0011_card_history", include_str!("migrations/0011_card_history.sql")),
    ("0012_lookups", include_str!("migrations/0012_lookups.sql")),
    ("0013_chips_listed", include_str!("migrations/0013_chips_listed.sql")),
    ("0014_time_stamps", include_str!("migrations/0014_time_stamps.sql")),
    ("0015_authorities_before", include_str!("migrations/0015_authorities_before.sql")),
    ("0016_key_centre", include_str!("migrations/0016_key_centre.sql")),
    ("0017_key_recovery", include_str!("migrations/0017_key_recovery.sql")),
    ("0018_certificate_ends", include_str!("migrations/0018_certificate_ends.sql")),
    ("0019_renewals", include_str!("migrations/0019_renewals.sql")),
    ("0020_certificates_of_a_key", include_str!("migrations/0020_certificates_of_a_key.sql")),
    ("0021_list_parts", include_str!("migrations/0021_list_parts.sql")),
    ("0022_enrolments", include_str!("migrations/0022_enrolments.sql")),
    ("0023_qualifications", include_str!("migrations/0023_qualifications.sql")),
    ("0024_certificate_positions", include_str!("migrations/0024_certificate_positions.sql")),
    ("0027_root_successions", include_str!("migrations/0027_root_successions.sql")),
    ("0028_certificate_reports", include_str!("migrations/0028_certificate_reports.sql")),
    ("0029_authority_revocations", include_str!("migrations/0029_authority_revocations.sql")),
    (IDENTIFIERS, include_str!("migrations/0030_identifiers_of_before.sql")),
    ("0032_rules", include_str!("migrations/0032_rules.sql")),
    ("0033_access", include_str!("migrations/0033_access.sql")),
    ("0033_token_ends", include_str!("migrations/0033_token_ends.sql")),
    ("0034_emergencies", include_str!("migrations/0034_emergencies.sql")),
    ("0036_session_places", include_str!("migrations/0036_session_places.sql")),
    ("0038_token_subjects", include_str!("migrations/0038_token_subjects.sql")),
    ("0039_session_leases", include_str!("migrations/0039_session_leases.sql")),
    ("0039_warnings", include_str!("migrations/0039_warnings.sql")),
    ("0040_token_indexes", include_str!("migrations/0040_token_indexes.sql")),
    ("0041_token_guardianships", include_str!("migrations/0041_token_guardianships.sql")),
    ("0043_cosignatures", include_str!("migrations/0043_cosignatures.sql")),
    ("0044_scrub", include_str!("migrations/0044_scrub.sql")),
    ("0045_erasures", include_str!("migrations/0045_erasures.sql")),
    ("0046_removed", include_str!("migrations/0046_removed.sql")),
];

/// How long a connection waits for another's lock before it gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Most of the database that a connection keeps in memory, KiB. An append changes a page of each index of the log, and in a
/// long log reads them all again unless they are kept.
const WRITERS_CACHE: i64 = 64 * 1024;
const READERS_CACHE: i64 = 8 * 1024;

/// The connection that writes.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    // An answer means that the change outlives a power cut; what is deleted is overwritten; the
    // file cannot bring functions of its own.
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    db.pragma_update(None, "cache_size", -WRITERS_CACHE)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// A connection that reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
    db.pragma_update(None, "cache_size", -READERS_CACHE)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Brings the schema to this version, each step in a transaction of its own.
pub(super) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
             name TEXT PRIMARY KEY, digest BLOB NOT NULL
         ) STRICT, WITHOUT ROWID;",
    )?;
    let mut select = db.prepare("SELECT name, digest FROM migration ORDER BY name")?;
    let done = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let done: Vec<(String, Vec<u8>)> = done.collect::<rusqlite::Result<_>>()?;
    drop(select);
    if done.len() > MIGRATIONS.len() {
        return Err(StoreError::Schema("it is of a later version".into()));
    }
    for (at, (name, sql)) in MIGRATIONS.iter().enumerate() {
        let digest = hsm::sm3::digest(sql.as_bytes());
        match done.get(at) {
            Some((known, known_digest)) if known == name && *known_digest == digest => {}
            Some((known, _)) => {
                return Err(StoreError::Schema(format!("step {known} differs from {name}")));
            }
            None => {
                let step = db.transaction()?;
                step.execute_batch(sql)?;
                if *name == IDENTIFIERS {
                    identify(&step)?;
                }
                step.execute("INSERT INTO migration VALUES (?1, ?2)", (name, digest))?;
                step.commit()?;
            }
        }
    }
    Ok(())
}

/// Has certificates of people and devices found by what their extensions say of them. What is no certificate is passed
/// over: whoever checks the records says so.
fn identify(db: &Connection) -> rusqlite::Result<()> {
    let mut select = db.prepare(
        "SELECT serial, der FROM certificate WHERE der IS NOT NULL AND identity IS NOT NULL",
    )?;
    let mut insert = db.prepare("INSERT OR IGNORE INTO certificate_identifier VALUES (?1, ?2)")?;
    let mut rows = select.query(())?;
    while let Some(row) = rows.next()? {
        let (serial, der): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let Ok(certificate) = Certificate::parse(&der) else { continue };
        for text in certificate.identifier_texts() {
            insert.execute((text, &serial))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema after this many steps, with the foreign keys that the writer has on.
    fn after(steps: usize) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE migration (name TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;",
        )
        .unwrap();
        for (name, sql) in &MIGRATIONS[..steps] {
            let digest = hsm::sm3::digest(sql.as_bytes());
            db.execute_batch(&format!("BEGIN; {sql}; COMMIT;")).unwrap();
            db.execute("INSERT INTO migration VALUES (?1, ?2)", (name, digest)).unwrap();
        }
        db
    }

    #[test]
    fn certificates_of_before_are_found_by_their_identifiers() {
        use ca::{Authority, Encoding, IdentifyingExtension, Issuer, Order, Profile};
        use hsm::{Sm2Signer as _, sm2::SecretKey};
        let now = crate::clock::now().replace_nanosecond(0).unwrap();
        let (root_key, key) = (SecretKey::generate(), SecretKey::generate());
        let serial = || ca::Serial::from_random([7; 16]);
        let authority = |profile, name, key: &SecretKey| Order {
            profile,
            subject: ca::Name::of_authority("county", name).unwrap(),
            public_key: key.public_key().clone(),
            days: None,
            identifiers: Vec::new(),
        };
        let root =
            Issuer::draft_root(authority(Profile::Root, "root", &root_key), serial(), now).unwrap();
        let root = Issuer::new(root.sign(&root_key).unwrap(), Authority::Root).unwrap();
        let people =
            root.draft(authority(Profile::IssuingAuthority, "people", &key), serial(), now);
        let people = people.unwrap().sign(&root_key).unwrap();
        let issuer = Issuer::new(people, Authority::People).unwrap();
        let oid = "1.2.86.21.1.1".parse().unwrap();
        let entity = IdentifyingExtension::new(oid, Encoding::Utf8, "1@0000JM0ABC").unwrap();
        let id = "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21";
        let order = Order {
            profile: Profile::Person,
            subject: ca::Name::of_identity(id, "nurse", id).unwrap(),
            public_key: SecretKey::generate().public_key().clone(),
            days: None,
            identifiers: vec![entity],
        };
        let draft = issuer.draft(order, serial(), now).unwrap();
        let der = draft.sign(&key).unwrap().der().to_vec();
        let before = MIGRATIONS.iter().position(|(name, _)| *name == IDENTIFIERS).unwrap();
        let mut db = after(before);
        db.execute_batch(
            "INSERT INTO institution VALUES ('i', 'c', 'n', 'r', 1);
             INSERT INTO identity (id, institution, role, sealed_name, number, department, registered_at)
             VALUES ('p', 'i', 'nurse', x'00', '1', 'd', 1);",
        )
        .unwrap();
        let insert =
            "INSERT INTO certificate (serial, identity, issuer, key_digest, body, der, not_before,
                         not_after, drafted_at) VALUES (?1, 'p', 'ca', ?2, x'0b', ?3, 1, 2, 1)";
        db.execute(insert, ("a1", [1], &der)).unwrap();
        db.execute(insert, ("a2", [2], [0x0D])).unwrap();
        migrate(&mut db).unwrap();
        let select = "SELECT text, serial FROM certificate_identifier";
        let found = db.query_row(select, (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(found, ("1@0000JM0ABC".to_owned(), "a1".to_owned()));
    }

    #[test]
    fn certificates_and_what_refers_to_them_outlive_the_table_that_is_made_anew() {
        let renewals = MIGRATIONS.iter().position(|(name, _)| *name == "0019_renewals").unwrap();
        let mut db = after(renewals);
        db.execute_batch(
            "INSERT INTO institution VALUES ('i', 'c', 'n', 'r', 1);
             INSERT INTO identity VALUES ('p', 'i', 'doctor', x'00', '1', 'd', 1);
             INSERT INTO certificate (serial, identity, issuer, key_digest, body, der, not_before, not_after,
                                      drafted_at, pair_of)
             VALUES ('a2', 'p', 'ca', x'02', x'0b', x'0d', 1, 2, 1, NULL),
                    ('a1', 'p', 'ca', x'01', x'0b', x'0d', 1, 2, 1, 'a2');
             INSERT INTO session VALUES (x'01', 'p', 'a2', 1, 2, NULL);",
        )
        .unwrap();
        migrate(&mut db).unwrap();
        let count = |query: &str| db.query_row(query, [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM certificate WHERE der = x'0d'"), 2);
        assert_eq!(count("SELECT count(*) FROM certificate WHERE pair_of = 'a2'"), 1);
        assert_eq!(
            count("SELECT count(*) FROM session JOIN certificate ON serial = certificate"),
            1
        );
        assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
        // Sessions still rest on certificates that are there.
        let nobody = "INSERT INTO session VALUES (x'02', 'p', 'ff', 1, 2, NULL)";
        assert!(db.execute(nobody, []).is_err());
    }
}
