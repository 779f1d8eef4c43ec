//! A decision as its leaf in the log has it: lines `name=value` change one that is good. What is read is decided again.
#![no_main]

use std::{str, sync::LazyLock};

use audit::{Actor, Entry, Outcome};

#[expect(dead_code, unused_imports, reason = "of the service, here without the rest of it")]
#[path = "../../../service/src/policy/mod.rs"]
mod policy;
#[path = "../../../service/src/vocabulary.rs"]
mod vocabulary;

use policy::{Decided, Policy, Unclear};

static SHIPPED: LazyLock<Policy> = LazyLock::new(|| Policy::shipped().expect("they are tested"));

fn good() -> Entry {
    let actor = Actor {
        role: Some("doctor".to_owned()),
        institution: Some("one".to_owned()),
        ..Actor::default()
    };
    let (id, at) = ("0193a000-0000-7000-8000-000000000000", "2026-11-23T08:00:00.000000Z");
    let details = [
        ("grade", "3"),
        ("classes", "health,care"),
        ("relations", "attending"),
        ("within", "visit"),
        ("here", "yes"),
        ("visit-open", "yes"),
        ("objected", "no"),
        ("region", "330106"),
        ("records-region", "330106"),
        ("rests-on", "attending"),
        ("mask", "none"),
        ("decision", "allowed"),
    ];
    let entry = Entry::new(id, at, "token.explain", Outcome::Granted, actor)
        .for_purpose("treatment")
        .under("digest", "doctor-treats");
    details.into_iter().fold(entry, |entry, (name, value)| entry.with(name, value))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut entry = good();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let value = || value.to_owned();
        match name {
            "action" => entry.action = value(),
            "role" => entry.actor.role = Some(value()),
            "institution" => entry.actor.institution = Some(value()),
            "purpose" => entry.purpose = Some(value()),
            "rule" => entry = entry.under("digest", value()),
            "refused" => entry.outcome = Outcome::Refused,
            name => entry = entry.with(name, value()),
        }
    }
    let Ok(Some(decided)) = Decided::read(&entry) else { return };
    match SHIPPED.again(&decided) {
        Ok(ruling) => assert!(!ruling.rule().is_empty()),
        Err(why) => assert_eq!(why, Unclear::RoleAlone),
    }
});
