//! The visit, end to end: the demo, its steps and refusals, over a real PC/SC daemon.

use std::process::Command;

use serde_json::Value;
use service::demo::programs::{Program, Programs};
use tests::private::{PcscDaemon, in_private_space};

/// What the demo has to show, in order.
const STEPS: [&str; 44] = [
    "init",
    "policy.sign",
    "serve",
    "institution.register",
    "identity.enroll",
    "identity.enroll",
    "identity.enroll",
    "identity.enroll",
    "identity.enroll",
    "identity.enroll",
    "resident.register",
    "card.make",
    "card.register",
    "card.read",
    "visit.open",
    "session.open",
    "token.issue",
    "token.introspect",
    "token.check",
    "sign",
    "verify",
    "audit.search",
    "audit.prove",
    "refusal.lost-card",
    "refusal.no-relation",
    "refusal.forged-card",
    "refusal.grade",
    "consent.grant",
    "consent.witness",
    "token.issue",
    "consent.withdraw",
    "resident.history",
    "emergency.begin",
    "emergency.over",
    "emergency.account",
    "emergency.review",
    "warning.list",
    "warning.replay",
    "warning.close",
    "audit.question",
    "audit.export",
    "audit.page",
    "audit.page-tamper",
    "audit.package",
];
const TAMPERING: [&str; 2] = ["audit.check", "audit.tamper"];

fn demo(adjust: impl FnOnce(&mut Command)) -> (i32, String) {
    let directory = tempfile::tempdir().unwrap();
    let _daemon = PcscDaemon::start(&directory.path().join("pcscd")).unwrap();
    let programs = Programs::beside_this_one().unwrap();
    let mut command = programs.command(Program::Healthcardd);
    command.args(["demo", "--once", "--dir"]).arg(directory.path().join("demo"));
    adjust(&mut command);
    let finished = programs.finish(Program::Healthcardd, command).unwrap();
    (finished.code, finished.stdout + &finished.stderr)
}

#[test]
fn every_step_and_every_refusal_of_the_demo_is_as_expected() {
    in_private_space(|| {
        let (code, said) = demo(|command| {
            command.arg("--json");
        });
        let steps: Vec<Value> = said
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect();
        let ids: Vec<&str> = steps.iter().map(|step| step["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [&STEPS[..], &TAMPERING[..]].concat(), "{said}");
        for (at, step) in steps.iter().enumerate() {
            assert_eq!(step["expected"], true, "{step}");
            assert_eq!(step["step"], at + 1);
            assert!(step["took_ms"].as_f64().unwrap() >= 0.0, "{step}");
        }
        assert_eq!(code, 0);
    });
}

#[test]
fn people_read_it_in_english_too() {
    in_private_space(|| {
        let (code, said) = demo(|command| {
            command.env("LANG_UI", "en");
        });
        assert_eq!(code, 0, "{said}");
        for expected in ["the card is put in a reader", "NO_RELATION", "was altered", "Summary"] {
            assert!(said.contains(expected), "no {expected:?} in:\n{said}");
        }
    });
}
