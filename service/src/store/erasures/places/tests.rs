//! No table of the schema is without its line.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::*;
use crate::store::{erasures::remains::left, schema};

/// What refers to a resident refers to one of these.
const THEIRS: [&str; 10] = [
    "resident",
    "card",
    "electronic_card",
    "visit",
    "consent",
    "referral",
    "emergency",
    "decision",
    "guardianship",
    "token",
];

fn migrated() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    schema::migrate(&mut db).unwrap();
    db
}

fn pairs(db: &Connection, query: &str) -> BTreeSet<(String, String)> {
    let mut select = db.prepare(query).unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn places() -> BTreeSet<(String, String)> {
    PLACES.iter().map(|it| (it.table.to_owned(), it.column.to_owned())).collect()
}

#[test]
fn whatever_refers_to_a_resident_is_in_the_list() {
    let db = migrated();
    let theirs = THEIRS.map(|table| format!("'{table}'")).join(", ");
    let mut refers = pairs(
        &db,
        &format!(
            r#"SELECT m.name, f."from" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
               WHERE m.type = 'table' AND f."table" IN ({theirs})"#
        ),
    );
    refers.extend(pairs(
        &db,
        "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.name IN ('resident', 'ward', 'guardian')",
    ));
    refers.insert(("resident".into(), "id".into()));
    assert_eq!(refers, places());
    // What has a resident of its own is what others refer to a resident through.
    let through: BTreeSet<_> = refers.iter().filter(|(_, column)| column == "resident").collect();
    let followed = pairs(
        &db,
        r#"SELECT m.name, f."table" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"#,
    );
    for (table, _) in through {
        let is_followed = followed.iter().any(|(_, whom)| whom == table);
        assert!(!is_followed || THEIRS.contains(&table.as_str()), "{table} is referred to");
    }
}

/// Sealed and keyed columns that hold something of residents: none of it outlives them (`store::tests::erasures`), but
/// for the digest of a row, which a signed manifest has.
const OF_RESIDENTS: [(&str, &str); 22] = [
    ("batch_likeness", "digest"),
    ("batch_row", "digest"),
    ("batch_row", "id_number_index"),
    ("batch_row", "sealed_row"),
    ("binding", "number_index"),
    ("binding", "scan_digest"),
    ("binding", "sealed_note"),
    ("binding", "sealed_number"),
    ("decision", "sealed_grounds"),
    ("electronic_card", "card_id_index"),
    ("electronic_card", "sealed_card_id"),
    ("emergency", "sealed_account"),
    ("emergency", "sealed_finding"),
    ("emergency", "sealed_note"),
    ("guardianship", "scan_digest"),
    ("guardianship", "sealed_note"),
    ("likeness", "digest"),
    ("presence", "sealed_reading"),
    ("resident", "id_number_index"),
    ("resident", "wrapped_key"),
    ("warning", "sealed_note"),
    ("code", "digest"),
];

/// The sealed fields of a resident themselves, and those of somebody or something else.
const OTHERS: [(&str, &str); 12] = [
    ("resident", "sealed_ethnic_group"),
    ("resident", "sealed_id_number"),
    ("resident", "sealed_name"),
    ("resident", "sealed_phone"),
    ("batch", "wrapped_key"),
    ("escrowed_key", "sealed"),
    ("identity", "person"),
    ("identity", "sealed_name"),
    ("migration", "digest"),
    ("rules", "digest"),
    ("session", "digest"),
    ("batch", "input_digest"),
];

#[test]
fn whatever_is_sealed_or_keyed_is_known() {
    let found = pairs(
        &migrated(),
        "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.type = 'BLOB'
           AND (c.name LIKE 'sealed%' OR c.name LIKE 'wrapped%' OR c.name LIKE '%\\_index' ESCAPE '\\'
                OR c.name IN ('digest', 'person', 'scan_digest', 'input_digest'))",
    );
    let known = OF_RESIDENTS.iter().chain(&OTHERS);
    let known = known.map(|(table, column)| ((*table).to_owned(), (*column).to_owned()));
    assert_eq!(found, known.collect());
}

/// Nothing comes on record of somebody who is erased: tables that residents are put into have their trigger.
#[test]
fn whoever_is_erased_is_put_into_no_table() {
    let db = migrated();
    let triggers = pairs(
        &db,
        "SELECT tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%\\_of\\_erased' ESCAPE '\\'",
    );
    for (table, column) in pairs(
        &db,
        r#"SELECT m.name, f."from" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
           WHERE m.type = 'table' AND f."table" = 'resident'"#,
    ) {
        // It is about what was done before, and has no word of the person.
        if table == "warning" {
            continue;
        }
        let guarded = triggers.iter().any(|(on, sql)| {
            *on == table && sql.contains("BEFORE INSERT") && sql.contains(&format!("new.{column}"))
        });
        assert!(guarded, "{table}.{column}");
    }
}

#[test]
fn what_is_left_can_be_asked_of_every_place() {
    assert_eq!(left(&migrated(), crate::store::ResidentId::generate()).unwrap(), []);
}

#[test]
fn the_document_has_this_table() {
    let mut table = "| record | what becomes of it | why |\n|---|---|---|\n".to_owned();
    for Place { table: of, column, becomes, why, .. } in PLACES {
        let becomes = match becomes {
            Becomes::Gone => "gone",
            Becomes::Emptied => "emptied",
            Becomes::Ended => "ended",
            Becomes::Stays => "stays",
        };
        table += &format!("| `{of}.{column}` | {becomes} | {why} |\n");
    }
    let document = include_str!("../../../../../ARCHITECTURE.md");
    assert!(document.contains(&table), "ARCHITECTURE.md has to have this:\n\n{table}");
}
