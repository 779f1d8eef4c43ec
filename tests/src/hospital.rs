//! A hospital in a temporary directory: the service running, staff enrolled, a patient with a registered card.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};
use service::demo::people::{CLERK, HOSPITAL, PATIENT, STAFF};
use service::demo::programs::{Finished, Program, Programs};
use service::demo::stage::{Answer, CardKeys, Stage};
use tempfile::TempDir;

/// PIN of the SAMs that are made here.
pub const SAM_PIN: &str = "123456";

/// Everything that is there before a patient comes.
#[derive(Debug)]
pub struct Hospital {
    /// Its installation.
    pub stage: Stage,
    /// Id of the institution.
    pub institution_id: String,
    /// Ids of the staff, by key.
    pub staff: BTreeMap<&'static str, String>,
    /// Pseudonym of [`PATIENT`].
    pub resident_id: String,
    /// Id of the patient's card, whose image is `cards/patient.toml`.
    pub card_id: String,
    /// Dropped after the stage: the service ends before its directory goes.
    _directory: Option<TempDir>,
    /// What it was copied from, which is there as long as a copy is.
    _template: Option<Arc<Template>>,
}

/// A hospital that was closed, of which others are copies: to found one takes forty commands.
#[derive(Debug)]
struct Template {
    stage: PathBuf,
    institution_id: String,
    staff: BTreeMap<&'static str, String>,
    resident_id: String,
    card_id: String,
    _directory: Option<TempDir>,
}

/// There as long as a copy is.
static TEMPLATE: Mutex<Weak<Template>> = Mutex::new(Weak::new());

impl Hospital {
    /// Opens one. All of them have the same keys and the same people, apart from those [`founded`](Self::founded).
    ///
    /// # Panics
    /// When anything is not as it must be.
    #[must_use]
    pub fn open() -> Self {
        let (stage, directory) = empty_stage();
        Self { _directory: Some(directory), ..Self::copy(Self::template(), stage) }
    }

    /// Opens one in a directory that the test looks after.
    ///
    /// # Panics
    /// When anything is not as it must be.
    #[must_use]
    pub fn open_in(directory: &Path) -> Self {
        Self::copy(Self::template(), Stage::empty(directory, programs()).expect("a stage"))
    }

    /// Founds one, with keys and people of its own.
    ///
    /// # Panics
    /// When anything is not as it must be.
    #[must_use]
    pub fn founded() -> Self {
        let (stage, directory) = empty_stage();
        Self { _directory: Some(directory), ..Self::found(stage) }
    }

    fn template() -> Arc<Template> {
        let mut kept = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
        kept.upgrade().unwrap_or_else(|| {
            let mut founded = Self::founded();
            founded.stage.server().expect("it runs").end().expect("it ends");
            let Self { stage, institution_id, staff, resident_id, card_id, _directory, .. } =
                founded;
            let stage = stage.path("");
            let template = Arc::new(Template {
                stage,
                institution_id,
                staff,
                resident_id,
                card_id,
                _directory,
            });
            *kept = Arc::downgrade(&template);
            template
        })
    }

    fn copy(template: Arc<Template>, mut stage: Stage) -> Self {
        for part in ["data", "people", "cards", "passphrase"] {
            copy(&template.stage.join(part), &stage.path(part)).expect(part);
        }
        stage.serve().expect("serve");
        Self {
            stage,
            institution_id: template.institution_id.clone(),
            staff: template.staff.clone(),
            resident_id: template.resident_id.clone(),
            card_id: template.card_id.clone(),
            _directory: None,
            _template: Some(template),
        }
    }

    fn found(mut stage: Stage) -> Self {
        stage.init().expect("init");
        // Some dozen hospitals may be open at a time, and each lays its reserve.
        let settings = stage.path("data/healthcard.toml");
        let written = fs::read_to_string(&settings).expect("settings");
        let small = written.replace("reserve_mib = 64", "reserve_mib = 1");
        assert_ne!(written, small, "the reserve is set");
        fs::write(&settings, small).expect("settings");
        stage.serve().expect("serve");
        let institution_id = stage.register_institution(&HOSPITAL).expect("institution");
        let staff = STAFF
            .iter()
            .map(|staff| (staff.key, stage.engage(&institution_id, staff).expect(staff.key)))
            .collect();
        let resident_id = stage.register_resident(CLERK.key, &PATIENT).expect("resident");
        stage.make_card(&PATIENT, CardKeys::Genuine).expect("card image");
        let card_id = stage.register_card(CLERK.key, &resident_id, &PATIENT).expect("card");
        Self {
            stage,
            institution_id,
            staff,
            resident_id,
            card_id,
            _directory: None,
            _template: None,
        }
    }

    /// Restarts the service with other settings: what `change` makes of `healthcard.toml`.
    ///
    /// # Panics
    /// When it does not start, or nothing was changed.
    pub fn reconfigure(&mut self, change: impl FnOnce(&str) -> String) {
        let file = self.stage.path("data/healthcard.toml");
        let before = std::fs::read_to_string(&file).expect("settings");
        let after = change(&before);
        assert_ne!(before, after, "nothing was changed");
        std::fs::write(&file, after).expect("settings");
        self.restart();
    }

    /// Ends the service in order, and starts it again.
    ///
    /// # Panics
    /// When it does not end or start.
    pub fn restart(&mut self) {
        self.stage.server().expect("it runs").end().expect("it ends");
        self.stage.serve().expect("it serves again");
    }

    /// Leaves card keys to SAMs.
    ///
    /// # Panics
    /// As for [`reconfigure`](Self::reconfigure).
    pub fn use_sams(&mut self) {
        self.reconfigure(|text| {
            text.replace("card_security = \"keystore\"", "card_security = \"sam\"")
        });
    }

    /// Runs a command of `healthcard` that must be granted.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn granted(&self, who: &str, arguments: &[&str]) -> Value {
        self.ask(who, arguments).granted().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a command of `healthcard` that must be refused for this reason; the refusal.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn refused(&self, who: &str, arguments: &[&str], reason: &str) -> Value {
        self.ask(who, arguments).refused(reason).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a command of `healthcard`.
    ///
    /// # Panics
    /// When it cannot be run or does not answer in JSON.
    #[track_caller]
    pub fn ask(&self, who: &str, arguments: &[&str]) -> Answer {
        self.stage.ask(who, arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Image of the patient's card.
    #[must_use]
    pub fn card_image(&self) -> std::path::PathBuf {
        self.stage.path("cards").join(format!("{}.toml", PATIENT.key))
    }

    /// A command of `healthcardd` on the data directory of this hospital.
    #[must_use]
    pub fn healthcardd_command(&self, order: &[&str]) -> Command {
        let mut command = self.stage.programs().command(Program::Healthcardd);
        command.args(order).arg("--data").arg(self.stage.path("data"));
        command.arg("--passphrase-file").arg(self.stage.path("passphrase"));
        command
    }

    /// Runs one to its end.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn healthcardd(&self, order: &[&str]) -> Finished {
        let command = self.healthcardd_command(order);
        self.stage.programs().finish(Program::Healthcardd, command).expect("healthcardd runs")
    }

    /// How the decisions of this hospital's log come out with `healthcardd policy replay` or `try`.
    ///
    /// # Panics
    /// When it does not answer in JSON.
    #[must_use]
    pub fn decisions(&self, order: &[&str]) -> Value {
        let mut command = self.stage.programs().command(Program::Healthcardd);
        command.arg("policy").args(order).arg("--data").arg(self.stage.path("data"));
        let output = command.arg("--json").output().expect("healthcardd runs");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Makes a SAM that computes with the masters of the service's keystore, certified by its card
    /// issuer; its image. Its PIN is [`SAM_PIN`].
    ///
    /// # Panics
    /// When it is not made.
    #[must_use]
    pub fn make_sam(&self) -> PathBuf {
        let image = self.stage.path("cards/sam.toml");
        let mut command = self.stage.programs().command(Program::Vcard);
        command.arg("make-sam").arg("--out").arg(&image);
        command.arg("--keystore").arg(self.stage.path("data/keystore.hck"));
        command.arg("--passphrase-file").arg(self.stage.path("passphrase"));
        command.arg("--issuer-certificate").arg(self.stage.path("data/card-issuer.cer"));
        command.args(["--valid-from", "2024-01-01", "--valid-until", "2039-12-31"]);
        let made = self.stage.programs().finish(Program::Vcard, command).expect("vcard runs");
        assert_eq!(made.code, 0, "{}", made.stderr);
        image
    }

    /// Writes a PIN into a file that only its owner may read; its path.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn pin_file(&self, name: &str, pin: &str) -> String {
        let path = self.stage.write(&format!("records/{name}"), pin.as_bytes()).expect("a file");
        path.to_string_lossy().into_owned()
    }

    /// The database of the running service.
    #[must_use]
    pub fn database(&self) -> std::path::PathBuf {
        self.stage.path("data/healthcard.db")
    }

    /// Verifier key of the log, as the service publishes it.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        text(&self.granted("auditor", &["audit", "checkpoint"]), "verifier_key")
    }

    /// A JSON file for the command line.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn record(&self, name: &str, content: &Value) -> String {
        let path = format!("records/{name}");
        let path = self.stage.write(&path, content.to_string().as_bytes()).expect("a file");
        path.to_string_lossy().into_owned()
    }

    /// Registers somebody; when that is refused as looking alike, with this decision.
    ///
    /// # Panics
    /// When it is refused for another reason.
    pub fn register(&self, name: &str, id_number: &str, decision: &str) {
        let person = json!({ "name": name, "id_number": id_number });
        let person = self.record("person.json", &person);
        let order = ["resident", "register", "--file", &person];
        let answer = self.ask(CLERK.key, &order);
        if answer.body["error"]["reason"] == "LOOK_ALIKE" {
            self.decide(&order, &answer.body["error"], decision);
        } else {
            answer.granted().unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Gives a command again that was refused as looking alike, with this decision.
    ///
    /// # Panics
    /// When it is not granted.
    pub fn decide(&self, order: &[&str], asked: &Value, decision: &str) {
        let grounds = "两人证件均已核对".as_bytes();
        let grounds = self.stage.write("records/grounds.txt", grounds).expect("a file");
        let (case, grounds) = (text(asked, "case"), grounds.to_string_lossy().into_owned());
        let decided = ["--case", &case, "--decide", decision, "--grounds", &grounds];
        self.granted(CLERK.key, &[order, &decided[..]].concat());
    }

    /// `healthcard audit check` of a file.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn check_log(&self, file: &Path) -> Answer {
        let verifier = self.verifier_key();
        self.ask(
            "auditor",
            &["audit", "check", &file.to_string_lossy(), "--verifier-key", &verifier],
        )
    }
}

/// Copies a file, or a folder with all that is in it, with the permissions of files.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_file() {
        return fs::copy(from, to).map(drop);
    }
    DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// An installation in a temporary directory, with nothing in it yet.
///
/// # Panics
/// When the programs are not built.
#[must_use]
pub fn empty_stage() -> (Stage, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let stage = Stage::empty(&directory.path().join("stage"), programs()).expect("a stage");
    (stage, directory)
}

/// The programs that were built beside this test.
///
/// # Panics
/// When they are not built.
#[must_use]
pub fn programs() -> Programs {
    Programs::beside_this_one().unwrap_or_else(|error| panic!("{error}"))
}

/// A text of an answer.
///
/// # Panics
/// When it is missing.
#[must_use]
#[track_caller]
pub fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {answer}")).to_owned()
}
