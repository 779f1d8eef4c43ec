//! Joiners, movers and leavers from a staff file: compared, done, reviewed by another with a copy of the file.

use std::{collections::BTreeSet, fs, path::Path};

use hsm::sm2::SecretKey;
use rusqlite::Connection;
use serde_json::Value;
use service::demo::people::{CLERK, COLLEAGUE, DOCTOR};
use service::demo::stage::{OPERATOR, REVIEWER};
use tests::hospital::{Hospital, text};

const HEAD: &str = "工号,姓名,角色,科室,公民身份号码,执业资格到期日\n";
const CLERKS_ROW: &str = "C001,钱窗口,窗口人员,,,\n";

/// A staff file in the hospital; its path.
fn file(hospital: &Hospital, rows: &str) -> String {
    let path = hospital.stage.write("records/staff.csv", format!("{HEAD}{rows}").as_bytes());
    path.unwrap().to_string_lossy().into_owned()
}

/// A directory for requests; its path.
fn requests(hospital: &Hospital) -> String {
    let path = hospital.stage.path("records/requests");
    fs::create_dir_all(&path).unwrap();
    path.to_string_lossy().into_owned()
}

/// Lets somebody make a key, and leaves the request under their number.
fn hand_in(hospital: &Hospital, who: &str, number: &str) {
    hospital.granted(who, &["key", "new"]);
    let request = hospital.stage.identity(who).join("request.der");
    fs::copy(request, Path::new(&requests(hospital)).join(format!("{number}.der"))).unwrap();
}

/// Gives somebody what a review wrote for their number.
fn hand_out(hospital: &Hospital, who: &str, number: &str) {
    for file in ["certificate.der", "chain.pem"] {
        let from = hospital.stage.path("records/issued").join(number).join(file);
        fs::copy(from, hospital.stage.identity(who).join(file)).unwrap();
    }
}

/// A command about staff.
fn staff<'a>(
    hospital: &'a Hospital,
    verb: &'a str,
    file: &'a str,
    more: &[&'a str],
) -> Vec<&'a str> {
    let order = ["staff", verb, "--file", file, "--institution", &hospital.institution_id];
    [&order[..], more].concat()
}

fn counts(answer: &Value) -> [u64; 5] {
    ["joiners", "movers", "leavers", "unchanged", "enrolments"]
        .map(|name| answer[name].as_u64().unwrap())
}

/// Everybody on record, as a text to be compared.
fn on_record(hospital: &Hospital) -> Value {
    let order = ["identity", "list", "--institution", &hospital.institution_id];
    hospital.granted(OPERATOR, &[&order[..], &["--page-size", "500"]].concat())["identities"]
        .clone()
}

#[test]
fn joiners_log_in_movers_go_on_and_leavers_are_refused_from_then_on() {
    let hospital = Hospital::open();
    let directory = requests(&hospital);
    hand_in(&hospital, "newcomer", "N100");
    let everybody = format!(
        "{CLERKS_ROW}D001,孙医师,医师,外科,,2099-12-31\nN100,新护士,护士,内科,11010519491231002X,\n"
    );
    let path = file(&hospital, &everybody);
    let with = ["--requests", &directory];
    let results = hospital.stage.path("records/results.csv").to_string_lossy().into_owned();
    for who in [COLLEAGUE.key, DOCTOR.key] {
        hospital.granted(who, &["session", "open"]);
    }

    // What would be done, twice: nothing is.
    let before = on_record(&hospital);
    let planned = hospital.granted(OPERATOR, &staff(&hospital, "plan", &path, &with));
    assert_eq!(counts(&planned), [1, 1, 1, 1, 1], "{planned}");
    let moved = &planned["changes"][0];
    assert_eq!((text(moved, "change"), text(moved, "number")), ("mover".into(), "D001".into()));
    assert_eq!(moved["fields"][0]["from"], "内科");
    assert!(!planned.to_string().contains("11010519491231002X"));
    assert_eq!(hospital.granted(OPERATOR, &staff(&hospital, "plan", &path, &with)), planned);
    hospital.refused(CLERK.key, &staff(&hospital, "plan", &path, &[]), "ROLE_NOT_ALLOWED");

    // A wrong number of leavers changes nothing.
    for leavers in [&[][..], &["--leavers", "0"], &["--leavers", "2"]] {
        let order = staff(&hospital, "apply", &path, &[&with[..], leavers].concat());
        hospital.refused(OPERATOR, &order, "STAFF_LEAVERS_DIFFER");
    }
    assert_eq!(on_record(&hospital), before);
    hospital.granted(COLLEAGUE.key, &["visit", "list"]);

    let with = ["--requests", &directory, "--leavers", "1", "--results", &results];
    let applied = hospital.granted(OPERATOR, &staff(&hospital, "apply", &path, &with));
    assert_eq!((applied["done"].as_u64(), applied["refused"].as_u64()), (Some(3), Some(0)));
    let table = fs::read_to_string(&results).unwrap();
    let lines: Vec<_> = table.lines().map(|line| line.split(',').collect::<Vec<_>>()).collect();
    let told: Vec<_> = lines[1..].iter().map(|line| line[..4].join(",")).collect();
    let expected = ["3,D001,mover,done", "4,N100,joiner,done", ",D002,leaver,done"];
    assert_eq!(told, expected, "{table}");

    // The leaver's session ended with the certificate; the mover's did not, and the department is another.
    hospital.refused(COLLEAGUE.key, &["visit", "list"], "CERTIFICATE_REVOKED");
    hospital.granted(DOCTOR.key, &["visit", "list"]);
    let doctor = hospital.granted(OPERATOR, &["identity", "get", &hospital.staff[DOCTOR.key]]);
    let shown = (text(&doctor, "department"), text(&doctor, "qualified_until"));
    assert_eq!(shown, ("外科".into(), "2099-12-31".into()));

    // An institution that is not on record has no staff that could be compared.
    let elsewhere = "01a21b58-4295-70bb-998f-e60053fe57c7";
    let unknown = ["staff", "plan", "--file", &path, "--institution", elsewhere];
    hospital.refused(OPERATOR, &unknown, "INSTITUTION_NOT_FOUND");

    // Another operator approves what agrees with a copy of the file, and with the requests.
    let again = hospital.granted(OPERATOR, &staff(&hospital, "plan", &path, &[]));
    assert_eq!(counts(&again), [0, 0, 0, 3, 0], "{again}");
    let own = hospital.granted(OPERATOR, &staff(&hospital, "review", &path, &[]));
    assert_eq!((&own["count"], &own["left"][0]["reason"]), (&0.into(), &"own".into()));
    let other = file(&hospital, &everybody.replace("新护士,护士,内科", "新护士,护士,儿科"));
    let left = hospital.granted(REVIEWER, &staff(&hospital, "review", &other, &[]));
    assert_eq!((&left["count"], &left["left"][0]["reason"]), (&0.into(), &"department".into()));
    let path = file(&hospital, &everybody);
    let listed = hospital.granted(REVIEWER, &staff(&hospital, "review", &path, &[]));
    assert_eq!((&listed["count"], &listed["left"]), (&1.into(), &Value::Array(Vec::new())));
    let out = hospital.stage.path("records/issued").to_string_lossy().into_owned();
    let approve = |count: &'static str| {
        let more = ["--requests", &directory, "--approve", count, "--out", &out];
        staff(&hospital, "review", &path, &more)
    };
    hospital.refused(REVIEWER, &approve("2"), "STAFF_APPROVALS_DIFFER");
    hospital.granted(REVIEWER, &approve("1"));
    hand_out(&hospital, "newcomer", "N100");
    hospital.granted("newcomer", &["session", "open"]);

    // Another role ends the certificate; the next is of another key, entered and reviewed anew.
    let promoted = everybody.replace("新护士,护士", "新护士,医师");
    let promoted = file(&hospital, &promoted);
    let planned = hospital.granted(OPERATOR, &staff(&hospital, "plan", &promoted, &[]));
    assert_eq!(planned["changes"][0]["revoked"].as_array().unwrap().len(), 1, "{planned}");
    let with = ["--requests", &directory, "--results", &results];
    let order = staff(&hospital, "apply", &promoted, &with);
    let applied = hospital.ask(OPERATOR, &order);
    assert_eq!((applied.code, &applied.body["refused"]), (1, &1.into()), "{}", applied.body);
    let table = fs::read_to_string(&results).unwrap();
    assert!(table.contains("refused,enrolment:ALREADY_REGISTERED"), "{table}");
    hospital.refused("newcomer", &["visit", "list"], "CERTIFICATE_REVOKED");
    hand_in(&hospital, "newcomer-2", "N100");
    hospital.granted(OPERATOR, &order);
    hospital.granted(REVIEWER, &approve("1"));
    hand_out(&hospital, "newcomer-2", "N100");
    let opened = hospital.granted("newcomer-2", &["session", "open"]);
    assert_eq!(text(&opened, "role"), "ROLE_DOCTOR");
}

#[test]
fn a_file_that_is_wrong_changes_nothing_and_is_not_quoted() {
    let hospital = Hospital::open();
    let before = on_record(&hospital);
    let directory = requests(&hospital);
    fs::write(Path::new(&directory).join("N9.der"), b"no request").unwrap();
    let good = "D001,孙医师,医师,内科,,\nD002,周医师,医师,骨科,,\n";
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (
            b"\xB9\xA4\xBA\xC5,\xD0\xD5\xC3\xFB,\xBD\xC7\xC9\xAB\n".to_vec(),
            "STAFF_FILE_NOT_UTF8",
            "",
        ),
        ("工号,薪酬,姓名,角色\n".into(), "STAFF_FILE_MALFORMED", ""),
        ("工号,姓名\n".into(), "STAFF_FILE_MALFORMED", ""),
        (HEAD.into(), "STAFF_FILE_EMPTY", ""),
        (
            format!("{HEAD}{good}N1,新来者,护士,内科,110105194912310021,\n").into(),
            "STAFF_ROWS_BAD",
            "id_number ID_NUMBER_CHECK",
        ),
        (format!("{HEAD}{good}N1,新来者,院长,内科,,\n").into(), "STAFF_ROWS_BAD", "role ROLE"),
        (
            format!("{HEAD}{good}N1,新来者,护士,内科,,2030-02-30\n").into(),
            "STAFF_ROWS_BAD",
            "qualified_until NO_SUCH_DATE",
        ),
        (format!("{HEAD}{good}D001,新来者,护士,内科,,\n").into(), "STAFF_ROWS_BAD", "number TWICE"),
        // Against the record: roles that do not become one another, and a number that was handed on.
        (format!("{HEAD}{good}K001,新来者,窗口,,,\n").into(), "STAFF_ROWS_BAD", "role ROLE_FIXED"),
        (
            format!("{HEAD}{good}C001,新来者,窗口,,,\n").into(),
            "STAFF_ROWS_BAD",
            "id_number NAME_NEEDS_ID",
        ),
        (
            format!("{HEAD}{good}C001,新来者,窗口,,11010519491231002X,\n").into(),
            "STAFF_ROWS_BAD",
            "id_number OTHER_PERSON",
        ),
        (
            format!("{HEAD}{good}N9,新来者,护士,内科,,\n").into(),
            "STAFF_ROWS_BAD",
            "request REQUEST",
        ),
    ];
    for (bytes, reason, fault) in cases {
        let path = hospital.stage.write("records/staff.csv", &bytes).unwrap();
        let path = path.to_string_lossy();
        for verb in ["plan", "apply"] {
            let order = staff(&hospital, verb, &path, &["--requests", &directory]);
            let refused = hospital.refused(OPERATOR, &order, reason);
            let said = refused.to_string();
            assert!(!said.contains("新来者") && !said.contains("1101051949"), "{said}");
            if !fault.is_empty() {
                let row = &refused["rows"][0];
                let told = format!("{} {}", text(row, "column"), text(row, "code"));
                assert_eq!((told.as_str(), row["row"].as_u64()), (fault, Some(4)), "{said}");
            }
        }
    }
    assert_eq!(on_record(&hospital), before);
}

#[test]
fn a_number_on_record_is_changed_by_name_only_for_the_same_person() {
    let hospital = Hospital::open();
    let new = format!("{CLERKS_ROW}D001,孙医师,医师,内科,,\nD002,周医师,医师,骨科,,\n");
    let joined = file(&hospital, &format!("{new}N1,王旧名,护士,内科,11010519491231002X,\n"));
    hospital.granted(OPERATOR, &staff(&hospital, "apply", &joined, &[]));
    let renamed = file(&hospital, &format!("{new}N1,王新名,护士,内科,11010519491231002X,\n"));
    let applied = hospital.granted(OPERATOR, &staff(&hospital, "apply", &renamed, &[]));
    assert_eq!(counts(&applied), [0, 1, 0, 3, 0]);
    // Another department with another ID number is somebody else as well: the service compares.
    let other = file(&hospital, &format!("{new}N1,王新名,护士,外科,440524188001010014,\n"));
    let refused = hospital.ask(OPERATOR, &staff(&hospital, "apply", &other, &[]));
    assert_eq!((refused.code, &refused.body["refused"]), (1, &1.into()), "{}", refused.body);
    let order = ["audit", "search", "--action", "identity.change", "--outcome", "refused"];
    let found = hospital.granted("auditor", &order).to_string();
    assert!(found.contains("IDENTITY_OF_ANOTHER"), "{found}");
}

#[test]
fn what_was_approved_and_not_signed_at_a_crash_is_signed_or_ends() {
    let mut hospital = Hospital::open();
    let directory = requests(&hospital);
    hand_in(&hospital, "stays", "N1");
    hand_in(&hospital, "leaves", "N2");
    let doctors = format!("{CLERKS_ROW}D001,孙医师,医师,内科,,\nD002,周医师,医师,骨科,,\n");
    let (stays, leaves) = ("N1,王护士,护士,内科,,\n", "N2,赵护士,护士,内科,,\n");
    let path = file(&hospital, &format!("{doctors}{stays}{leaves}"));
    let with = ["--requests", &directory];
    hospital.granted(OPERATOR, &staff(&hospital, "apply", &path, &with));
    let approve = ["--requests", &directory, "--approve", "2"];
    hospital.granted(REVIEWER, &staff(&hospital, "review", &path, &approve));
    // As after a crash between record and signature.
    hospital.stage.server().unwrap().end().unwrap();
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let undone = db.execute(
        "UPDATE certificate SET der = NULL, log_position = NULL
         WHERE identity IN (SELECT id FROM identity WHERE number IN ('N1', 'N2'))",
        (),
    );
    assert_eq!(undone.unwrap(), 2);
    drop(db);
    hospital.stage.serve().unwrap();
    let listed = hospital.granted("auditor", &["enrolment", "list", "--unsigned"]);
    assert_eq!(listed["enrolments"].as_array().unwrap().len(), 2);

    let path = file(&hospital, &format!("{doctors}{stays}"));
    let planned = hospital.granted(OPERATOR, &staff(&hospital, "plan", &path, &with));
    assert_eq!(counts(&planned), [0, 0, 1, 4, 0], "{planned}");
    assert_eq!(planned["unsigned"], 1, "{planned}");
    let with = ["--requests", &directory, "--leavers", "1"];
    let applied = hospital.granted(OPERATOR, &staff(&hospital, "apply", &path, &with));
    assert_eq!((&applied["done"], &applied["refused"]), (&2.into(), &0.into()), "{applied}");
    let listed = hospital.granted("auditor", &["enrolment", "list", "--unsigned"]);
    assert!(listed["enrolments"].as_array().is_none_or(Vec::is_empty), "{listed}");
    // One has a certificate, the other none, and nothing is left to do.
    let certified = |number: &str| {
        let at = ["--institution", &hospital.institution_id, "--number", number];
        let found = hospital.granted(OPERATOR, &[&["identity", "find"], &at[..]].concat());
        let certificates = found["identities"][0]["certificates"].as_array();
        certificates.is_some_and(|all| !all.is_empty())
    };
    assert!(certified("N1") && !certified("N2"));
    let with = ["--requests", &directory];
    let planned = hospital.granted(OPERATOR, &staff(&hospital, "plan", &path, &with));
    assert_eq!((counts(&planned), &planned["unsigned"]), ([0, 0, 0, 4, 0], &0.into()));
}

#[test]
fn one_person_moves_or_leaves_with_all_that_is_in_force_or_waits() {
    let hospital = Hospital::open();
    let doctor = hospital.staff[DOCTOR.key].clone();
    let colleague = hospital.staff[COLLEAGUE.key].clone();
    let as_is = serde_json::json!({
        "identity_id": doctor, "role": "ROLE_DOCTOR", "name": "孙医师", "department": "内科",
    });
    let change = |who: &str, field: &str, value: &str, refused: &str| {
        let mut order = as_is.clone();
        order[field] = value.into();
        let order = hospital.record("change.json", &order);
        let order = ["identity", "change", "--file", &order];
        match refused {
            "" => hospital.granted(who, &order),
            reason => hospital.refused(who, &order, reason),
        }
    };
    for (field, value, refused) in [
        ("role", "ROLE_OPERATOR", "FIELD_INVALID"),
        ("role", "ROLE_SYSTEM", "FIELD_INVALID"),
        ("department", "", "FIELD_INVALID"),
        ("name", "", "FIELD_INVALID"),
        ("qualified_until", "2030-02-30", "FIELD_INVALID"),
        ("identity_id", &hospital.institution_id, "IDENTITY_NOT_FOUND"),
    ] {
        change(OPERATOR, field, value, refused);
    }
    change(DOCTOR.key, "department", "外科", "ROLE_NOT_ALLOWED");
    let changed = change(OPERATOR, "department", "外科", "");
    assert_eq!(changed.get("revoked").map_or(0, |it| it.as_array().unwrap().len()), 0);
    hospital.granted(DOCTOR.key, &["visit", "list"]);
    let changed = change(OPERATOR, "role", "ROLE_NURSE", "");
    let serial = changed["revoked"][0].as_str().unwrap().to_owned();
    hospital.refused(DOCTOR.key, &["visit", "list"], "CERTIFICATE_REVOKED");
    // The log has which certificate ended with it, and nobody's name.
    let order = ["audit", "search", "--action", "identity.change", "--outcome", "granted"];
    let found = hospital.granted("auditor", &order).to_string();
    assert!(found.contains(&serial) && !found.contains("孙医师"), "{found}");

    // Suspended, and with another enrolment that waits: both are over when somebody leaves.
    let shown = hospital.granted(OPERATOR, &["identity", "get", &colleague]);
    let serial = text(&shown["certificates"][0], "serial");
    hospital.granted(OPERATOR, &["identity", "suspend", "--serial", &serial]);
    hospital.granted("other-key", &["key", "new"]);
    let request = hospital.stage.identity("other-key").join("request.der");
    let order = ["enrolment", "enter", "--id", &colleague, "--request", &request.to_string_lossy()];
    let enrolment = text(&hospital.granted(OPERATOR, &order), "enrolment_id");
    let depart = ["identity", "depart", "--id", &colleague];
    hospital.refused(CLERK.key, &depart, "ROLE_NOT_ALLOWED");
    let wrong = [&depart[..], &["--reason", "key-compromise"]].concat();
    hospital.refused(OPERATOR, &wrong, "FIELD_INVALID");
    let departed = hospital.granted(OPERATOR, &depart);
    assert_eq!(departed["revoked"][0], serial.as_str());
    hospital.refused(OPERATOR, &["identity", "release", "--serial", &serial], "STATE_CONFLICT");
    let approve = ["enrolment", "review", &enrolment, "--approve"];
    hospital.refused(REVIEWER, &approve, "CHANGE_OVER");
    let again = hospital.granted(OPERATOR, &depart);
    assert!(again.get("receipt").is_none_or(Value::is_null), "{again}");
    hospital.refused(COLLEAGUE.key, &["visit", "list"], "CERTIFICATE_REVOKED");
}

#[test]
fn a_command_that_is_killed_goes_on_with_the_same_file_and_does_nothing_twice() {
    const PEOPLE: usize = 200;
    let hospital = Hospital::open();
    let directory = requests(&hospital);
    let mut rows = format!("{CLERKS_ROW}D001,孙医师,医师,内科,,\nD002,周医师,医师,骨科,,\n");
    for number in 0..PEOPLE {
        rows += &format!("N{number},护士某,护士,内科,,\n");
        let name = ca::Name::of_authority("test", "holder").unwrap();
        let request = ca::request::request(&name, &SecretKey::generate()).unwrap();
        fs::write(Path::new(&directory).join(format!("N{number}.der")), request).unwrap();
    }
    let path = file(&hospital, &rows);
    let order = staff(&hospital, "apply", &path, &["--requests", &directory]);
    // Counted where they are kept: an order that asks the service takes as long as some of the work.
    let database = Connection::open(hospital.database()).unwrap();
    let joined = || -> usize {
        let count = "SELECT count(*) FROM identity WHERE number LIKE 'N%' AND department = '内科'";
        database.query_row(count, (), |row| row.get(0)).unwrap()
    };
    let mut kills = 0;
    for wanted in [PEOPLE / 5, PEOPLE / 2] {
        let mut command = hospital.stage.healthcard(OPERATOR, &order);
        let mut running = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        while joined() < wanted && running.try_wait().unwrap().is_none() {}
        kills += usize::from(running.try_wait().unwrap().is_none());
        running.kill().unwrap();
        running.wait().unwrap();
    }
    assert!(kills > 0 && joined() < PEOPLE, "it was done before it was killed");
    let applied = hospital.granted(OPERATOR, &order);
    assert_eq!((joined(), &applied["refused"]), (PEOPLE, &0.into()), "{applied}");
    let again = hospital.granted(OPERATOR, &order);
    assert_eq!((counts(&again), &again["done"]), ([0, 0, 0, 203, 0], &0.into()));

    // Each of them waits once, and is approved with all the others.
    let list = ["enrolment", "list", "--institution", &hospital.institution_id];
    let waiting = hospital.granted(OPERATOR, &[&list[..], &["--page-size", "500"]].concat());
    let waiting = waiting["enrolments"].as_array().unwrap();
    let people: BTreeSet<_> = waiting.iter().map(|it| text(it, "identity_id")).collect();
    assert_eq!((waiting.len(), people.len()), (PEOPLE, PEOPLE));
    let count = PEOPLE.to_string();
    let approve =
        staff(&hospital, "review", &path, &["--requests", &directory, "--approve", &count]);
    let reviewed = hospital.granted(REVIEWER, &approve);
    assert_eq!(
        (&reviewed["done"], &reviewed["refused"]),
        (&count.parse::<u64>().unwrap().into(), &0.into())
    );
    let order = ["audit", "search", "--action", "certificate.enter", "--outcome", "refused"];
    let refused = hospital.granted("auditor", &order);
    assert_eq!(refused["entries"].as_array().map_or(0, Vec::len), 0, "{refused}");
}
