//! How long it takes at a shared workstation until the next person works: one logs out, the other logs in and has a
//! first token, by the real programs, each of which starts for it.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{
    BenchError,
    measure::{Measured, milliseconds, ratio},
};
use crate::demo::{
    people::{CLERK, COLLEAGUE, DOCTOR, PATIENT, Staff},
    stage::{Stage, field},
};

/// How often somebody takes over.
const TIMES: usize = 40;
/// What a change of persons may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Somebody who works there.
struct Person {
    key: &'static str,
    emergency: String,
}

/// What changes of persons took, and of that the login.
#[derive(Default)]
struct Seen {
    whole: Vec<Duration>,
    out: Vec<Duration>,
    login: Vec<Duration>,
    token: Vec<Duration>,
}

pub(super) fn ask(directory: &Path) -> Result<Vec<(String, Value)>, BenchError> {
    let (stage, hospital) = super::with_a_clerk(directory)?;
    let resident = stage.register_resident(CLERK.key, &PATIENT)?;
    let passphrase = stage.write("passphrase-of-keys", b"a passphrase of four words")?;
    let passphrase = passphrase.to_string_lossy().into_owned();
    let protected = ["--passphrase-file", &passphrase];

    let mut figures = vec![("times".into(), TIMES.into())];
    let mut logins = Vec::new();
    // Whom the key files belong to, and how they are opened.
    let kinds: [(&str, &[&str], [Staff; 2]); 2] = [
        ("key with passphrase", &protected, [DOCTOR, COLLEAGUE]),
        (
            "key without",
            &[],
            [
                Staff { key: "doctor-3", number: "D003", ..DOCTOR },
                Staff { key: "doctor-4", number: "D004", ..COLLEAGUE },
            ],
        ),
    ];
    for (kind, options, staff) in kinds {
        let people = staff.map(|staff| person(&stage, &hospital, &resident, &staff, options));
        let [one, other] = people;
        let seen = change(&stage, [&one?, &other?], options)?;
        logins.push(Measured::of(seen.login.clone(), seen.login.iter().sum()).percentile(50));
        tell(&mut figures, kind, seen);
    }
    let derivation = logins[0].saturating_sub(logins[1]);
    figures.push(("passphrase to key (PBKDF2), p50, ms".into(), milliseconds(derivation)));
    Ok(figures)
}

/// Puts somebody on record who has an emergency access to work in.
fn person(
    stage: &Stage,
    hospital: &str,
    resident: &str,
    staff: &Staff,
    options: &[&str],
) -> Result<Person, BenchError> {
    stage.ask(staff.key, &[options, &["key", "new"]].concat())?.granted()?;
    stage.enrol(hospital, staff)?;
    let why = stage.write("records/why.txt", "抢救".as_bytes())?;
    let why = why.to_string_lossy();
    let begin = ["emergency", "begin", "--resident", resident, "--reason", "unconscious"];
    let begin = [options, &begin[..], &["--note", &why]].concat();
    let begun = stage.ask(staff.key, &begin)?.granted()?;
    Ok(Person { key: staff.key, emergency: field(&begun, "emergency_id")?.to_owned() })
}

/// Has two persons take over from each other.
fn change(stage: &Stage, people: [&Person; 2], options: &[&str]) -> Result<Seen, BenchError> {
    let mut seen = Seen::default();
    for turn in 0..TIMES {
        let (leaving, coming) = (people[turn % 2], people[(turn + 1) % 2]);
        let out = stage.ask(leaving.key, &["session", "lock"])?;
        let login = stage.ask(coming.key, &[options, &["session", "open"]].concat())?;
        let issue = ["token", "issue", "--emergency", &coming.emergency, "--purpose", "emergency"];
        let issue = [&issue[..], &["--classes", "health", "--grade", "3", "--audience", "emr"]];
        let token = stage.ask(coming.key, &issue.concat())?;
        seen.whole.push(out.took + login.took + token.took);
        seen.out.push(out.took);
        seen.login.push(login.took);
        seen.token.push(token.took);
        for answer in [out, login, token] {
            answer.granted()?;
        }
    }
    Ok(seen)
}

fn tell(figures: &mut Vec<(String, Value)>, kind: &str, seen: Seen) {
    let measured = |times: Vec<Duration>| {
        let sum = times.iter().sum();
        Measured::of(times, sum)
    };
    let whole = measured(seen.whole);
    let part = whole.percentile(99).as_secs_f64();
    figures.extend([
        (
            format!("{kind}: logout, login, first token: p50, ms"),
            milliseconds(whole.percentile(50)),
        ),
        (format!("{kind}: p99, ms"), milliseconds(whole.percentile(99))),
        (format!("{kind}: p99, to the 3 s that it may take"), ratio(part, LIMIT.as_secs_f64())),
    ]);
    for (step, times) in [("logout", seen.out), ("login", seen.login), ("token", seen.token)] {
        let p50 = measured(times).percentile(50);
        figures.push((format!("{kind}: {step}, p50, ms"), milliseconds(p50)));
    }
}
