//! An auditor who has the checker page and the command judge the same files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::browser::{Browser, WINDOW};
use tests::hospital::Hospital;

/// Exit codes of `healthcard audit check`.
pub(super) const VALID: i32 = 0;
pub(super) const TAMPERED: i32 = 4;
pub(super) const UNVERIFIABLE: i32 = 5;

/// A verdict, what was found (kind, and position or size), and whether anything is said to stand in the way of a verdict.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) verdict: String,
    pub(super) found: BTreeSet<(String, String)>,
    pub(super) hindered: bool,
}

/// A hospital whose auditor has the page open in Chromium.
pub(super) struct Desk {
    pub(super) hospital: Hospital,
    pub(super) browser: Browser,
    pub(super) page: PathBuf,
}

impl Desk {
    pub(super) fn open() -> Self {
        let hospital = Hospital::open();
        let page = hospital.stage.path("log/checker.html");
        let out = page.to_string_lossy();
        hospital.granted("auditor", &["audit", "checker", "--out", &out]);
        let mut browser = Browser::open();
        browser.visit(&page);
        Self { hospital, browser, page }
    }

    pub(super) fn export(&self, name: &str, range: &[&str]) -> Vec<String> {
        let path = self.hospital.stage.path("log").join(name);
        let out = path.to_string_lossy();
        self.hospital.granted("auditor", &[&["audit", "export", "--out", &out], range].concat());
        fs::read_to_string(path).unwrap().lines().map(|line| format!("{line}\n")).collect()
    }

    pub(super) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        self.hospital.stage.write(&format!("log/{name}"), content).unwrap()
    }

    /// What the command says of a file.
    pub(super) fn command(&self, file: &Path, more: &[&str]) -> (i32, Answer) {
        let file = file.to_string_lossy();
        let order = [&["audit", "check", &file], more].concat();
        let answer = self.hospital.ask("auditor", &order);
        let verdict = match answer.code {
            VALID => "valid",
            TAMPERED => "tampered",
            UNVERIFIABLE => "unverifiable",
            other => panic!("{other}: {}", answer.body),
        };
        let place = |finding: &Value| match finding {
            _ if finding["position"].is_null() => finding["size"].to_string(),
            _ => finding["position"].to_string(),
        };
        let found = answer.body["findings"].as_array().into_iter().flatten();
        let found = found.map(|it| (it["kind"].as_str().unwrap().to_owned(), place(it))).collect();
        (
            answer.code,
            Answer { verdict: verdict.to_owned(), found, hindered: verdict == "unverifiable" },
        )
    }

    /// What the page says of a file that is chosen in it.
    pub(super) fn page(&mut self, file: &Path) -> Answer {
        self.browser.evaluate(
            "document.documentElement.dataset.state = 'waiting'; $('file').value = ''; 0",
        );
        self.browser.choose("#file", file);
        self.answer()
    }

    /// What the page says when it is done.
    pub(super) fn answer(&mut self) -> Answer {
        let mut answer = self.browser.evaluate(
            "new Promise((done) => {
               const look = () => document.documentElement.dataset.state === 'done' ? done({
                 verdict: document.documentElement.dataset.verdict,
                 found: Array.from(document.querySelectorAll('#findings li'), (it) => [it.dataset.kind, it.dataset.position]),
                 hindered: document.querySelector('#gaps li') !== null,
               }) : setTimeout(look, 5);
               look();
             })",
        );
        let found = serde_json::from_value(answer["found"].take()).unwrap();
        let verdict = answer["verdict"].as_str().unwrap_or_default().to_owned();
        Answer { verdict, found, hindered: answer["hindered"] == true }
    }

    /// Checks with a key and a checkpoint that were pasted.
    pub(super) fn given(&mut self, key: &str, held: &str) -> Answer {
        self.browser.evaluate(&format!(
            "$('key').value = {}; $('held').value = {};
             document.documentElement.dataset.state = 'waiting'; document.querySelector('#given button').click(); 0",
            json!(key),
            json!(held),
        ));
        self.answer()
    }

    #[track_caller]
    pub(super) fn agree(&mut self, what: &str, content: &[u8]) -> (i32, Answer) {
        let file = self.file("altered", content);
        let (code, command) = self.command(&file, &[]);
        assert_eq!(self.page(&file), command, "{what}");
        (code, command)
    }
}

/// The first line of the entries.
pub(super) fn first_entry(lines: &[String]) -> usize {
    lines.iter().position(|line| line == "entries\n").unwrap() + 1
}

/// Sets the last line right, as whoever tampers would.
pub(super) fn recount(lines: &mut [String]) {
    let count = lines.len() - first_entry(lines) - 1;
    *lines.last_mut().unwrap() = format!("end {count}\n");
}

pub(super) fn found(kinds: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    kinds.iter().map(|(kind, place)| ((*kind).to_owned(), (*place).to_owned())).collect()
}

/// The picture is kept in the target directory, and looks like one of the whole window.
pub(super) fn keep(name: &str, picture: &[u8]) {
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
    let (width, height) = (number(16), number(20));
    assert!(
        width == WINDOW.0 && height > WINDOW.1 / 2 && height <= WINDOW.1,
        "{name}: {width}×{height}"
    );
    // An empty page takes some 5 kB.
    assert!(picture.len() > 30_000, "{name}: {} bytes", picture.len());
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), picture).unwrap();
}
