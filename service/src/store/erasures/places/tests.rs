//! No table of the schema is without its line.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::*;
use crate::store::{erasures::left, schema};

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

#[test]
fn whatever_is_sealed_or_keyed_is_somebodys() {
    let db = migrated();
    let found = pairs(
        &db,
        "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT IN (SELECT name FROM sqlite_schema WHERE type = 'index')
           AND c.type = 'BLOB'
           AND (c.name LIKE 'sealed%' OR c.name LIKE 'wrapped%' OR c.name LIKE '%\\_index' ESCAPE '\\'
                OR c.name IN ('digest', 'person', 'scan_digest'))",
    );
    let listed: BTreeSet<_> = PLACES.iter().map(|it| it.table).collect();
    let others = OF_OTHERS.map(|(table, column, _)| (table.to_owned(), column.to_owned()));
    for (table, column) in &found {
        let other = others.contains(&(table.clone(), column.clone()));
        assert!(other || listed.contains(table.as_str()), "{table}.{column}");
    }
    for other in &others {
        assert!(found.contains(other), "{other:?} is not in the schema");
    }
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
