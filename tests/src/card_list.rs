//! The list of cards that are not to be served, kept in files as a desk keeps it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use service::demo::people::DESK;

use crate::hospital::Hospital;

/// Keys in a file, and the newest list of cards in another, as a desk keeps them.
#[derive(Debug)]
pub struct KeptList {
    keys: PathBuf,
    /// The list.
    pub list: PathBuf,
}

impl KeptList {
    /// Fetches the keys.
    ///
    /// # Panics
    /// When they cannot be had.
    #[must_use]
    pub fn new(hospital: &Hospital) -> Self {
        let keys = hospital.granted(DESK.key, &["token", "keys"]);
        let keys = hospital.stage.write("records/keys.json", keys.to_string().as_bytes());
        let keys = keys.expect("the keys are kept");
        Self { keys, list: hospital.stage.path("records/cards.list") }
    }

    /// Brings the list up to date; what is told of it.
    ///
    /// # Panics
    /// When it cannot be had.
    pub fn fetch(&self, hospital: &Hospital) -> Value {
        let [list, keys] = [&self.list, &self.keys].map(|path| path.to_string_lossy());
        hospital.granted(DESK.key, &["card", "list", "fetch", "--out", &list, "--keys", &keys])
    }

    /// Checks a chip against a list, without the service; how it ended, and what was told.
    ///
    /// # Panics
    /// When nothing is told.
    #[must_use]
    pub fn check(&self, hospital: &Hospital, list: &Path, serial: &str) -> (i32, Value) {
        let [list, keys] = [list, &self.keys].map(Path::to_string_lossy);
        let order = ["card", "check", "--list", &list, "--keys", &keys, "--chip-serial", serial];
        let answer = hospital.ask(DESK.key, &order);
        (answer.code, answer.body)
    }
}
