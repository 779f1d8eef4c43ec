//! A hospital whose auditor makes packages of evidence, and the three programs that check them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use audit::package::{Container, MAX_PACKAGE, Writer};
use serde_json::Value;
use tests::browser::Browser;
use tests::hospital::{Hospital, text};
use tests::python::audit_check;

pub(super) type Members = Vec<(String, Vec<u8>)>;

/// A hospital whose auditor makes packages.
pub(super) struct Court {
    pub(super) hospital: Hospital,
    pub(super) log_key: String,
}

impl Court {
    pub(super) fn of(hospital: Hospital) -> Self {
        let log_key = hospital.verifier_key();
        Self { hospital, log_key }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.hospital.stage.path("log").join(name)
    }

    /// A package, and what was said when it was made.
    pub(super) fn package(&self, name: &str, more: &[&str]) -> (PathBuf, Value) {
        let path = self.path(name);
        let out = path.to_string_lossy();
        let order = [&["audit", "package", "--out", &out], more].concat();
        let made = self.hospital.granted("auditor", &order);
        (path, made)
    }

    pub(super) fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        self.hospital.stage.write(&format!("log/{name}"), octets).unwrap()
    }

    pub(super) fn check(&self, file: &Path, more: &[&str]) -> (i32, Value) {
        let file = file.to_string_lossy();
        let answer = self.hospital.ask("auditor", &[&["audit", "check", &file], more].concat());
        (answer.code, answer.body)
    }

    /// The root certificate, as the authority publishes it.
    pub(super) fn root(&self, name: &str) -> String {
        let out = self.hospital.stage.path(name);
        self.hospital.granted("auditor", &["authority", "export", "--out", &out.to_string_lossy()]);
        out.join("root.pem").to_string_lossy().into_owned()
    }

    pub(super) fn stop(&mut self) {
        self.hospital.stage.server().unwrap().end().unwrap();
    }
}

/// What a program says: verdict, and what it found of which member.
pub(super) type Said = (String, BTreeSet<(String, String)>);

pub(super) fn said(report: &Value) -> Said {
    let findings = report["findings"].as_array().into_iter().flatten();
    let found = findings.map(|it| {
        let member = it["member"].as_str().unwrap_or_default();
        (text(it, "kind"), member.to_owned())
    });
    (report["verdict"].as_str().unwrap_or("unverifiable").to_owned(), found.collect())
}

/// The checker in Python.
pub(super) fn python(file: &Path) -> Value {
    let output = audit_check().arg(file).output().unwrap();
    let answer = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&answer).unwrap_or_else(|error| {
        panic!("{error}: {answer} {}", String::from_utf8_lossy(&output.stderr))
    })
}

/// The page in a browser.
pub(super) struct Page(pub(super) Browser);

impl Page {
    pub(super) fn open(page: &Path) -> Self {
        let mut browser = Browser::open();
        browser.visit(page);
        Self(browser)
    }

    pub(super) fn says(&mut self, file: &Path) -> Said {
        self.0.evaluate(
            "document.documentElement.dataset.state = 'waiting'; $('file').value = ''; 0",
        );
        self.0.choose("#file", file);
        let answer = self.0.evaluate(
            "new Promise((done) => {
               const look = () => document.documentElement.dataset.state === 'done' ? done({
                 verdict: document.documentElement.dataset.verdict,
                 found: Array.from(document.querySelectorAll('#findings li'), (it) => [it.dataset.kind, it.dataset.member ?? '']),
               }) : setTimeout(look, 5);
               look();
             })",
        );
        (text(&answer, "verdict"), serde_json::from_value(answer["found"].clone()).unwrap())
    }

    pub(super) fn text(&mut self) -> String {
        self.0.evaluate("document.body.innerText").as_str().unwrap().to_owned()
    }
}

/// The members of a package.
pub(super) fn members(file: &Path) -> Members {
    let mut container = Container::open(File::open(file).unwrap()).unwrap();
    let names: Vec<_> = container.members().iter().map(|it| it.name.clone()).collect();
    let read = |name: String| {
        let octets = container.read(&name, MAX_PACKAGE).unwrap().unwrap();
        (name, octets)
    };
    names.into_iter().map(read).collect()
}

/// A package of these members, in their order, as whoever tampers would make it.
pub(super) fn packed(members: &Members) -> Vec<u8> {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    for (name, octets) in members {
        writer.add(name, octets).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(super) fn find(members: &Members, name: &str) -> usize {
    members.iter().position(|(it, _)| it == name).unwrap_or_else(|| panic!("{name}"))
}

/// A witness whom the service knows, and who has signed; its key.
pub(super) fn witnessed(hospital: &mut Hospital) -> String {
    let log_key = hospital.verifier_key();
    hospital.granted("patients", &["key", "new"]);
    let begin = ["witness", "begin", "--label", "patients.example", "--verifier-key", &log_key];
    let key = text(&hospital.granted("patients", &begin), "witness_key");
    let known = format!("[witnesses]\nkeys = [\"{key}\"]");
    hospital.reconfigure(|it| it.replace("[witnesses]\nkeys = []", &known));
    hospital.granted("patients", &["witness", "run", "--once"]);
    key
}
