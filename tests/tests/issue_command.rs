//! `healthcard card issue`: the same command goes on where it was killed.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use service::demo::people::CLERK;
use service::demo::programs::{Background, Program};
use service::demo::readers::VirtualReaders;
use service::demo::stage::PATIENCE;
use tests::hospital::{Hospital, text};
use tests::issuing::{alike, id_number, on_record};
use tests::private::{PcscDaemon, in_private_space};

/// `healthcard card issue` at work: it tells one event a line.
fn issue(hospital: &Hospital, batch: &Path, out: &Path) -> Background {
    let (batch, out) = (batch.to_string_lossy(), out.to_string_lossy());
    let command =
        hospital.stage.healthcard(CLERK.key, &["card", "issue", "--batch", &batch, "--out", &out]);
    Background::start("healthcard", command, &hospital.stage.path("log/issue")).unwrap()
}

/// Takes the card out, and waits until the daemon has noticed: it would take the next one for the same.
fn take_out(readers: &mut VirtualReaders, daemon: &mut PcscDaemon) {
    readers.remove(0).unwrap();
    daemon.saw_removal().unwrap();
}

/// A blank card (`vcard blank`).
fn make_blank(hospital: &Hospital, image: &Path, factor: &str) {
    let mut command = hospital.stage.programs().command(Program::Vcard);
    command.arg("blank").arg("--out").arg(image).args(["--historical-bytes", factor]);
    command.arg("--keystore").arg(hospital.stage.path("data/keystore.hck"));
    command.arg("--passphrase-file").arg(hospital.stage.path("passphrase"));
    let made = hospital.stage.programs().finish(Program::Vcard, command).unwrap();
    assert_eq!(made.code, 0, "{}{}", made.stdout, made.stderr);
}

fn event(client: &mut Background, expected: &str, is: impl Fn(&Value) -> bool) -> Value {
    let find = |line: &str| serde_json::from_str(line).ok().filter(&is);
    client.wait_for(expected, PATIENCE, find).unwrap_or_else(|error| panic!("{expected}: {error}"))
}

fn issued(row: u32) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "row" && event["row"] == row && event["verdict"] == "issued"
}

#[test]
fn the_same_command_goes_on_where_it_was_killed() {
    in_private_space(|| {
        let directory = tempfile::tempdir().unwrap();
        let mut daemon = PcscDaemon::start(&directory.path().join("pcscd")).unwrap();
        let mut hospital = Hospital::open();
        let mut readers = VirtualReaders::start_with(&hospital.stage, &["--save"]).unwrap();
        let mut table = String::from("\u{FEFF}姓名,身份证号,城市代码,有效期至,民族,地址1\n");
        for number in 1..=5 {
            let end = if number == 2 { "2046-13-01" } else { "2046-01-01" };
            writeln!(table, "测试,{},990000,{end},汉族,\"演示路 {number} 号\"", id_number(number))
                .unwrap();
        }
        // The name and birth date of row 1: staff are asked.
        let sixth = alike(1);
        writeln!(table, "测试,{sixth},990000,2046-01-01,汉族,").unwrap();
        let (batch, out) = (directory.path().join("people.csv"), directory.path().join("out"));
        std::fs::write(&batch, &table).unwrap();
        let blanks: Vec<_> = (1..=5)
            .map(|number| {
                let image = directory.path().join(format!("blank-{number}.toml"));
                make_blank(&hospital, &image, &format!("99020001{number:08}"));
                image
            })
            .collect();

        // Killed in the middle of a card: its chip comes back, and has the same row.
        let mut client = issue(&hospital, &batch, &out);
        event(&mut client, "row 2 refused", |event| {
            event["row"] == 2 && event["verdict"] == "refused"
        });
        readers.insert(0, &blanks[0]).unwrap();
        event(&mut client, "card 1", issued(1));
        take_out(&mut readers, &mut daemon);
        readers.insert(0, &blanks[1]).unwrap();
        readers.event(0, "powered").unwrap();
        client.kill();
        take_out(&mut readers, &mut daemon);

        // The service is killed while a card is in.
        let mut client = issue(&hospital, &batch, &out);
        event(&mut client, "row 5 waits", |event| event["row"] == 5);
        readers.insert(0, &blanks[1]).unwrap();
        event(&mut client, "card of row 3", issued(3));
        take_out(&mut readers, &mut daemon);
        hospital.stage.server().unwrap().kill();
        assert_ne!(client.ended(PATIENCE).unwrap(), 0);
        hospital.stage.serve().unwrap();

        let mut client = issue(&hospital, &batch, &out);
        event(&mut client, "row 5 waits", |event| event["row"] == 5);
        let mut card = String::new();
        for (row, blank) in [(4, &blanks[2]), (5, &blanks[3])] {
            readers.insert(0, blank).unwrap();
            card = text(&event(&mut client, "a card", issued(row)), "card_id");
            take_out(&mut readers, &mut daemon);
        }
        let held = event(&mut client, "held", |event| event["event"] == "held");
        assert_eq!((&held["issued"], &held["held"]), (&Value::from(4), &Value::from(1)), "{held}");
        assert_eq!(client.ended(PATIENCE).unwrap(), 1, "a row waits for staff");
        let report = std::fs::read_to_string(out.join("report.csv")).unwrap();
        assert!(report.contains("6,held,name:LOOK_ALIKE_BIRTH_DATE"), "{report}");

        // They decide, and the same command goes on.
        hospital.register("测试", &sixth, "different-people");
        let mut client = issue(&hospital, &batch, &out);
        event(&mut client, "row 6 waits", |event| event["row"] == 6);
        readers.insert(0, &blanks[4]).unwrap();
        event(&mut client, "a card", issued(6));
        take_out(&mut readers, &mut daemon);
        let done = event(&mut client, "done", |event| event["event"] == "done");
        assert_eq!(
            (&done["issued"], &done["refused"]),
            (&Value::from(5), &Value::from(1)),
            "{done}"
        );
        assert_eq!(client.ended(PATIENCE).unwrap(), 1, "a row was refused");

        let named: Value =
            serde_json::from_slice(&std::fs::read(out.join("batch.json")).unwrap()).unwrap();
        let (cards, _) = on_record(&hospital, named["batch_id"].as_str().unwrap());
        assert_eq!(cards.keys().copied().collect::<Vec<_>>(), [1, 3, 4, 5, 6]);
        let report = std::fs::read_to_string(out.join("report.csv")).unwrap();
        assert!(report.contains("2,refused,valid_until:NO_SUCH_DATE"), "{report}");
        assert!(!report.contains("测试") && !report.contains(&id_number(1)));
        let verifier = hospital.verifier_key();
        let manifest = out.join("manifest.txt").to_string_lossy().into_owned();
        let check = ["card", "manifest", "check", &manifest, "--verifier-key", &verifier];
        assert_eq!(hospital.granted(CLERK.key, &check)["verdict"], "valid");

        // The cards are cards: the holder of the last one takes it into use, and a desk reads it.
        let shown = directory.path().join("shown.json");
        std::fs::write(&shown, format!("{{\"id_number\": \"{}\"}}", id_number(5))).unwrap();
        let shown = shown.to_string_lossy();
        hospital.granted(CLERK.key, &["card", "activate", &card, "--file", &shown]);
        readers.insert(0, &blanks[3]).unwrap();
        let reading = hospital.granted(CLERK.key, &["card", "read"]);
        assert_eq!(reading["id_number"], id_number(5), "{reading}");
    });
}
