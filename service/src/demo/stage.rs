//! A whole installation in one directory: the service, the people and what they hold, all of it made and used
//! with the programs that everyone has. The demo plays on it, and so do the tests.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use card::layout::Profile;
use hsm::soft::Iterations;
use serde_json::{Value, json};

use super::card_contents::every_item;
use super::people::{HOSPITAL, Institution, Resident, Staff};
use super::programs::{Background, Finished, Program, ProgramError, Programs};
use super::{DemoError, Language};
use crate::{init, policy::SHIPPED};

/// Longest wait for a thing that takes milliseconds when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// After how many refusals for want of a relation somebody is warned of, in the settings as they are shipped.
const FIVE_TIMES: &str = "[warnings.without_relation]\non = true\nresidents = 5";

/// An installation: its directory, its programs, and the service while it runs.
#[derive(Debug)]
pub struct Stage {
    directory: PathBuf,
    programs: Programs,
    language: Language,
    server: Option<Background>,
    address: String,
}

/// What a command of `healthcard` came to.
#[derive(Debug)]
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// What it printed.
    pub body: Value,
    /// From start to end of the program.
    pub took: Duration,
    about: String,
}

impl Answer {
    fn of(finished: &Finished, about: &[&str]) -> Result<Self, ProgramError> {
        Ok(Self {
            code: finished.code,
            body: finished.json()?,
            took: finished.took,
            about: about.join(" "),
        })
    }

    /// What was granted.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was refused.
    pub fn granted(self) -> Result<Value, DemoError> {
        if self.code == 0 {
            return Ok(self.body);
        }
        Err(DemoError::unexpected(
            format!("{}: granted", self.about),
            self.body["error"].to_string(),
        ))
    }

    /// The refusal, when it is the expected one.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was granted, or refused for another reason.
    pub fn refused(self, reason: &str) -> Result<Value, DemoError> {
        if self.code != 0 && self.body["error"]["reason"] == reason {
            return Ok(self.body["error"].clone());
        }
        Err(DemoError::unexpected(format!("{}: {reason}", self.about), self.body.to_string()))
    }
}

impl Stage {
    /// An empty directory for everything. One that holds something else is left alone.
    ///
    /// # Errors
    /// [`DemoError::NotOurs`] when the directory is in use for something else; [`DemoError::File`].
    pub fn empty(directory: &Path, programs: Programs) -> Result<Self, DemoError> {
        const MARK: &str = "MADE-BY-HEALTHCARDD-DEMO";
        let failed = |source| DemoError::File { path: directory.to_owned(), source };
        if directory.exists() && fs::read_dir(directory).map_err(failed)?.next().is_some() {
            if !directory.join(MARK).is_file() {
                return Err(DemoError::NotOurs { path: directory.to_owned() });
            }
            fs::remove_dir_all(directory).map_err(failed)?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let directory = fs::canonicalize(directory).map_err(failed)?;
        File::create(directory.join(MARK)).map_err(failed)?;
        for part in ["people", "cards", "records", "log"] {
            DirBuilder::new().mode(0o700).create(directory.join(part)).map_err(failed)?;
        }
        Ok(Self {
            directory,
            programs,
            language: Language::default(),
            server: None,
            address: String::new(),
        })
    }

    /// The same, with what `healthcard` says to people in this language.
    #[must_use]
    pub fn speaking(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// A path below the directory.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.join(below)
    }

    /// The programs.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Where the service listens, as the command line wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Authority of the service's TLS certificate, PEM.
    #[must_use]
    pub fn tls_authority(&self) -> PathBuf {
        self.path("data/tls/ca.pem")
    }

    /// Directory with key and certificate of somebody.
    #[must_use]
    pub fn identity(&self, key: &str) -> PathBuf {
        match key {
            OPERATOR | REVIEWER => self.path("data").join(key),
            _ => self.path("people").join(key),
        }
    }

    /// Writes a file that only its owner reads.
    ///
    /// # Errors
    /// [`DemoError::File`].
    pub fn write(&self, below: &str, content: &[u8]) -> Result<PathBuf, DemoError> {
        let path = self.path(below);
        let write = || -> std::io::Result<()> {
            let mut file =
                File::options().create(true).truncate(true).write(true).mode(0o600).open(&path)?;
            file.write_all(content)
        };
        write().map_err(|source| DemoError::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// Makes keys, certificate authorities, database and the first two operators (`healthcardd init`).
    ///
    /// # Errors
    /// [`DemoError`] when it cannot be done.
    pub fn init(&self) -> Result<Finished, DemoError> {
        let mut passphrase = [0; 24];
        getrandom::fill(&mut passphrase).map_err(DemoError::Randomness)?;
        self.write("passphrase", hex::encode(passphrase).as_bytes())?;
        let mut command = self.programs.command(Program::Healthcardd);
        command.arg("init").args(self.installation()).args(["--name", "demo.healthcard"]);
        // Nobody guesses such a passphrase, however cheap a guess is.
        command.args(["--iterations", &Iterations::MINIMUM.to_string()]);
        let finished = self.programs.finish(Program::Healthcardd, command)?;
        if finished.code != 0 {
            return Err(finished.unreadable().into());
        }
        Ok(finished)
    }

    /// Signs rules of the stage's own and has the service use them: the shipped ones, under which an emergency access
    /// lasts so many seconds. Who is refused for want of a relation is warned of the first time.
    ///
    /// # Errors
    /// [`DemoError`] when they are not taken.
    pub fn exercise(&self, seconds: u32) -> Result<(), DemoError> {
        let lasts = format!("\nseconds = {seconds}\n");
        let folder = self.path("data/rules");
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|source| DemoError::File { path: folder.clone(), source })?;
        for (name, shipped) in SHIPPED.files() {
            let changed = shipped.replace("\nminutes = 60\n", &lasts);
            self.write(&format!("data/rules/{name}"), changed.as_bytes())?;
        }
        let mut command = self.programs.command(Program::Healthcardd);
        command.args(["policy", "sign"]).arg(folder).args(self.installation());
        let finished = self.programs.finish(Program::Healthcardd, command)?;
        if finished.code != 0 {
            return Err(finished.unreadable().into());
        }
        let file = self.path("data/healthcard.toml");
        let before = fs::read_to_string(&file)
            .map_err(|source| DemoError::File { path: file.clone(), source })?;
        let once = before.replace(FIVE_TIMES, &FIVE_TIMES.replace('5', "1"));
        if once == before {
            return Err(DemoError::unexpected(FIVE_TIMES, before));
        }
        self.write("data/healthcard.toml", format!("policy = \"rules\"\n{once}").as_bytes())?;
        Ok(())
    }

    /// Starts the service on a port of the stage's own and waits until it listens.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not.
    pub fn serve(&mut self) -> Result<(), ProgramError> {
        self.serve_with(|command| command)
    }

    /// The same, with a say in how the program is started.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not listen.
    pub fn serve_with(
        &mut self,
        adjust: impl FnOnce(Command) -> Command,
    ) -> Result<(), ProgramError> {
        let mut command = self.programs.command(Program::Healthcardd);
        // The port stays when the service comes back, as it does at a hospital.
        let listen = match self.address.as_str() {
            "" => format!("127.0.0.1:{}", own_port()),
            address => address.to_owned(),
        };
        command.arg("serve").args(self.installation()).args(["--listen", &listen]);
        let log = self.path("log/healthcardd");
        let mut server = Background::start(Program::Healthcardd.name(), adjust(command), &log)?;
        self.address = server.wait_for("where it listens", PATIENCE, |line| {
            line.strip_prefix("listening on ").map(str::to_owned)
        })?;
        self.server = Some(server);
        Ok(())
    }

    /// The running service.
    pub fn server(&mut self) -> Option<&mut Background> {
        self.server.as_mut()
    }

    fn installation(&self) -> [std::ffi::OsString; 4] {
        [
            "--data".into(),
            self.path("data").into(),
            "--passphrase-file".into(),
            self.path("passphrase").into(),
        ]
    }

    /// `healthcard` in somebody's name.
    #[must_use]
    pub fn healthcard(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = self.programs.command(Program::Healthcard);
        command.arg("--json").arg("--server").arg(self.url());
        command.arg("--lang").arg(self.language.tag());
        command.arg("--tls-ca").arg(self.tls_authority());
        command.arg("--as").arg(self.identity(who)).args(arguments);
        command
    }

    /// Runs `healthcard` in somebody's name.
    ///
    /// # Errors
    /// [`ProgramError`] when it cannot be run or its answer is not JSON.
    pub fn ask(&self, who: &str, arguments: &[&str]) -> Result<Answer, ProgramError> {
        let finished =
            self.programs.finish(Program::Healthcard, self.healthcard(who, arguments))?;
        Answer::of(&finished, arguments)
    }

    /// Puts an institution on record; its id.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was refused.
    pub fn register_institution(&self, institution: &Institution) -> Result<String, DemoError> {
        let record = json!({
            "credit_code": institution.credit_code, "name": institution.name,
            "region": institution.region,
        });
        let file = self.write("records/institution.json", record.to_string().as_bytes())?;
        let file = file.to_string_lossy();
        let answer = self.ask(OPERATOR, &["institution", "register", "--file", &file])?;
        Ok(field(&answer.granted()?, "institution_id")?.to_owned())
    }

    /// Makes somebody's key, puts them on record and has their certificate issued: one operator enters it, the
    /// other reviews it; their identity's id.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was refused.
    pub fn engage(&self, institution: &str, staff: &Staff) -> Result<String, DemoError> {
        self.ask(staff.key, &["key", "new"])?.granted()?;
        self.enrol(institution, staff)
    }

    /// [`engage`](Self::engage) of somebody whose key was made before.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was refused.
    pub fn enrol(&self, institution: &str, staff: &Staff) -> Result<String, DemoError> {
        let record = json!({
            "institution_id": institution, "name": staff.name, "number": staff.number,
            "department": staff.department,
        });
        let file = self.write("records/identity.json", record.to_string().as_bytes())?;
        let file = file.to_string_lossy();
        let order = ["identity", "register", "--role", staff.role, "--file", &file];
        let registered = self.ask(OPERATOR, &order)?;
        let id = field(&registered.granted()?, "identity_id")?.to_owned();
        self.certify(staff.key, &id, &[])?;
        Ok(id)
    }

    /// Has a certificate issued on somebody's request by two operators, into their directory; what the review
    /// answered. `more` for the one who enters it, such as `--pair`.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was refused.
    pub fn certify(&self, key: &str, id: &str, more: &[&str]) -> Result<Value, DemoError> {
        self.certified(key, id, more, &[])
    }

    /// [`certify`](Self::certify) of somebody whose ID number is on record, which the reviewer has as well.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was refused.
    pub fn certify_known(&self, key: &str, id: &str, id_number: &str) -> Result<Value, DemoError> {
        let own = json!({ "id_number": id_number }).to_string();
        let file = self.write("records/id-number.json", own.as_bytes())?;
        self.certified(key, id, &[], &["--id-number-file", &file.to_string_lossy()])
    }

    fn certified(
        &self,
        key: &str,
        id: &str,
        entering: &[&str],
        reviewing: &[&str],
    ) -> Result<Value, DemoError> {
        let directory = self.identity(key);
        let request = directory.join("request.der").to_string_lossy().into_owned();
        let order = ["enrolment", "enter", "--id", id, "--request", &request];
        let entered = self.ask(OPERATOR, &[&order, entering].concat())?.granted()?;
        let enrolment = field(&entered, "enrolment_id")?;
        let out = directory.to_string_lossy();
        let order = ["enrolment", "review", enrolment, "--approve", "--out", &out];
        self.ask(REVIEWER, &[&order, reviewing].concat())?.granted()
    }

    /// Puts a resident on record; their pseudonym.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was refused.
    pub fn register_resident(&self, who: &str, resident: &Resident) -> Result<String, DemoError> {
        let record = json!({
            "name": resident.name, "id_number": resident.id_number, "phone": resident.phone,
            "ethnic_group": resident.ethnic_group,
        });
        let file = self.write("records/resident.json", record.to_string().as_bytes())?;
        let answer = self.ask(who, &["resident", "register", "--file", &file.to_string_lossy()])?;
        Ok(field(&answer.granted()?, "resident_id")?.to_owned())
    }

    /// Puts a resident's card on record; its id.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was refused.
    pub fn register_card(
        &self,
        who: &str,
        resident_id: &str,
        resident: &Resident,
    ) -> Result<String, DemoError> {
        let answer = self.ask(
            who,
            &[
                "card",
                "register",
                "--resident",
                resident_id,
                "--chip-serial",
                resident.chip_serial,
                "--card-factor",
                resident.card_factor,
                "--valid-until",
                VALID_UNTIL,
            ],
        )?;
        Ok(field(&answer.granted()?, "card_id")?.to_owned())
    }

    /// Personalises a card for a resident (`vcard make`); the image's path.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was not made.
    pub fn make_card(&self, resident: &Resident, keys: CardKeys) -> Result<PathBuf, DemoError> {
        self.make(resident, keys, "", "")
    }

    /// Makes the image of a genuine card on which every item says something, with a photo of the
    /// largest size where the card has room for one; its path.
    ///
    /// # Errors
    /// [`DemoError::Unexpected`] when it was not made.
    pub fn make_full_card(
        &self,
        resident: &Resident,
        profile: Profile,
    ) -> Result<PathBuf, DemoError> {
        let name = match profile {
            Profile::Full => "32K",
            Profile::Reduced => "16K",
        };
        let mut more = format!("profile = \"{name}\"\npayments = [1, 7]\n");
        if profile == Profile::Full {
            let jpeg: Vec<u8> = [0xFF, 0xD8, 0xFF, 0xE0].into_iter().cycle().take(3072).collect();
            let photo = self.write("records/photo.jpeg", &jpeg)?;
            more += &format!("photo = \"{}\"\n", photo.display());
        }
        more += &every_item(profile);
        self.make(resident, CardKeys::Genuine, &format!("-{name}"), &more)
    }

    fn make(
        &self,
        resident: &Resident,
        keys: CardKeys,
        name: &str,
        more: &str,
    ) -> Result<PathBuf, DemoError> {
        // The file holds what names the person, so that no process list shows it.
        let person = format!(
            "name = \"{}\"\nid_number = \"{}\"\nethnic_group = {}\nphones = [\"{}\"]\n{more}",
            resident.name, resident.id_number, resident.ethnic_group, resident.phone,
        );
        let person = self.write("records/person.toml", person.as_bytes())?;
        let mut command = self.programs.command(Program::Vcard);
        command.arg("make").arg("--person").arg(person);
        command.args(["--chip-serial", resident.chip_serial]);
        command.args(["--historical-bytes", resident.card_factor]);
        command.args(["--city", HOSPITAL.region, "--issued-on", ISSUED_ON]);
        command.args(["--valid-until", VALID_UNTIL]);
        let image = match keys {
            CardKeys::Genuine => {
                command.arg("--keystore").arg(self.path("data/keystore.hck"));
                command.arg("--passphrase-file").arg(self.path("passphrase"));
                command.arg("--issuer-certificate").arg(self.path("data/card-issuer.cer"));
                self.path("cards").join(format!("{}{name}.toml", resident.key))
            }
            CardKeys::Forged => {
                let mut master = [0; 16];
                getrandom::fill(&mut master).map_err(DemoError::Randomness)?;
                let file = self.write("records/forged-master", hex::encode(master).as_bytes())?;
                command.arg("--master-key-file").arg(file);
                self.path("cards").join(format!("{}-forged.toml", resident.key))
            }
        };
        command.arg("--out").arg(&image);
        let made = self.programs.finish(Program::Vcard, command)?;
        if made.code != 0 {
            return Err(made.unreadable().into());
        }
        Ok(image)
    }
}

/// Whose keys a card gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardKeys {
    /// Derived from the masters in the keystore.
    Genuine,
    /// Derived from somebody else's master: the card cannot prove itself.
    Forged,
}

/// The first identity that `init` makes.
pub const OPERATOR: &str = init::OPERATOR;

/// The second one, which reviews what the first enters.
pub const REVIEWER: &str = init::REVIEWER;

/// First day of validity of all cards of the demo.
const ISSUED_ON: &str = "2024-01-01";

/// Last day of validity of all cards of the demo.
pub const VALID_UNTIL: &str = "2039-12-31";

/// A text in an answer.
///
/// # Errors
/// [`DemoError::Unexpected`] when it is missing.
pub fn field<'a>(answer: &'a Value, name: &str) -> Result<&'a str, DemoError> {
    answer[name]
        .as_str()
        .ok_or_else(|| DemoError::unexpected(format!("a text `{name}`"), answer.to_string()))
}

/// A free port for one stage of this process, below those that the system lends to whoever connects somewhere: nobody
/// else has it when the service comes back. 0, any, when there is none.
fn own_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Stages of other processes begin elsewhere.
    let begin = (process::id() % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap_or_default()
}
