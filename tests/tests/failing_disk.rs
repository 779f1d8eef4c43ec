//! A disk that fails at every write, flush, cut and renaming of one append, of the moving of the write-ahead log, of
//! closing and of opening, each followed by `kill -9` and another start. Whatever fails: the checker finds a valid log,
//! what was acknowledged is in it with its fact, and what was said not to be done is not.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use audit::{Actor, Entry, Outcome};
use hsm::Sm2Signer;
use hsm::sm2::SecretKey;
use rusqlite::Connection;
use service::demo::programs::Program;
use service::store::{
    Institution, InstitutionId, LogKeys, Receipt, ResidentIndexKey, Store, StoreError,
};
use tests::failing_disk::{Errno, FailingDisk, Fault, calls, files};
use tests::hospital::programs;

const ORIGIN: &str = "log.example/healthcard";
/// Set in a process on the failing disk: what it is to do.
const ORDER: &str = "FAILING_DISK_ORDER";
/// Facts that are on record before.
const BEFORE: u64 = 3;
/// Facts that are recorded at the most until a moving of the write-ahead log was met.
const MOST: u64 = 400;
/// Points that are tried at the same time: they wait more than they work.
const ABREAST: u64 = 4;
/// Databases that are checked by one command.
const TOGETHER: usize = 16;

/// What is done while the disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    /// One fact is recorded.
    Append,
    /// So many are that the write-ahead log is moved into the database, which other threads do.
    Move,
    /// The store is closed.
    Close,
    /// A store is opened that was killed.
    Open,
}

impl Scene {
    fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Move => "move",
            Self::Close => "close",
            Self::Open => "open",
        }
    }

    /// The calls that are failed.
    fn calls(self) -> (u64, u64) {
        match self {
            Self::Append | Self::Close | Self::Open => (files::ALL, calls::ALL),
            // Nothing else changes the database itself.
            Self::Move => (files::DATABASE, calls::ALL),
        }
    }
}

/// What a caller heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Acknowledged,
    NotDone,
    Unknown,
}

/// A fault at one point.
#[derive(Clone, Copy, Debug)]
struct Point {
    scene: Scene,
    number: u64,
    fault: Fault,
    error: Errno,
}

/// What came of it.
struct Played {
    kind: u64,
    said: BTreeMap<String, Said>,
}

fn open(database: &Path) -> Result<Store, StoreError> {
    let signer: Arc<dyn Sm2Signer> = Arc::new(SecretKey::from_be_bytes(&[1; 32]).unwrap());
    let resident_index = Arc::new(ResidentIndexKey::new(&[1; 32]));
    Store::open(database, LogKeys { signer, earlier: Vec::new(), resident_index }, ORIGIN)
}

/// A fact and its entry, both by this number. All of a number have one length, so that what is written is the same each
/// time.
async fn record(store: &Store, number: u64) -> Result<Receipt, StoreError> {
    let actor = Actor { identity: Some("actor-1".into()), ..Actor::default() };
    let at = "2026-11-27T08:00:00.000000Z".to_owned();
    let entry = Entry::new(entry_id(number), at, "institution.register", Outcome::Granted, actor);
    let id: InstitutionId = format!("01932f6a-7c1e-7d2a-9b55-1{number:011}").parse().unwrap();
    let institution = Institution {
        id,
        credit_code: credit_code(number),
        name: "第一医院".into(),
        region: "110101".into(),
        registered_at: service::clock::now(),
    };
    store.record_institution(institution, entry).await
}

fn entry_id(number: u64) -> String {
    format!("01932f6a-7c1e-7d2a-9b55-0{number:011}")
}

fn credit_code(number: u64) -> String {
    format!("{number:018}")
}

/// The process on the failing disk. It says what its callers hear, and then waits to be killed.
async fn on_the_failing_disk(order: &str, database: &Path) {
    let disk = FailingDisk::of_this_process();
    if order == Scene::Open.word() {
        say("ready");
        listen();
    }
    let store = match open(database) {
        Ok(store) => store,
        Err(error) => {
            say(&format!("closed {error}"));
            return listen();
        }
    };
    if order != Scene::Open.word() {
        if order == Scene::Close.word() {
            tell(&store, BEFORE).await;
        }
        say("ready");
        listen();
    }
    let mut number = BEFORE + 1 + u64::from(order == Scene::Open.word());
    match order {
        "close" => drop(store),
        "move" => {
            let mut after = 3;
            while after > 0 && number < MOST {
                tell(&store, number).await;
                number += 1;
                after -= u64::from(disk.failed() > 0);
            }
        }
        _ => tell(&store, number).await,
    }
    say("done");
    listen();
}

async fn tell(store: &Store, number: u64) {
    let said = match record(store, number).await {
        Ok(_) => "acknowledged",
        Err(StoreError::Unavailable(_)) => "not-done",
        Err(StoreError::Unsettled(_)) => "unknown",
        Err(other) => panic!("{other}"),
    };
    say(&format!("{said} {}", entry_id(number)));
}

fn say(line: &str) {
    println!("> {line}");
}

fn listen() {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
}

/// A place with the means to play a point in it.
struct Place {
    directory: tempfile::TempDir,
    disk: FailingDisk,
    /// Databases that are to be checked, and what befell them.
    kept: Vec<(PathBuf, Point)>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = FailingDisk::new(directory.path());
        Self { directory, disk, kept: Vec::new() }
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("data/healthcard.db")
    }

    fn start(&self, scene: Scene, test: &str) -> Child {
        let command = Command::new(env::current_exe().unwrap());
        let mut command = self.disk.under(command, &self.database());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        command.env(ORDER, scene.word()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null()).spawn().unwrap()
    }

    /// Plays a point on a copy of `template`, up to the kill.
    fn play(&self, template: &Path, point: Point, test: &str) -> Played {
        let Point { scene, number, fault, error } = point;
        let data = self.directory.path().join("data");
        let _ = fs::remove_dir_all(&data);
        copy(template, &data);
        self.disk.mend();
        let mut child = self.start(scene, test);
        let mut said = BTreeMap::new();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            // The harness has begun a line of its own before the first.
            let Some((_, line)) = line.split_once("> ") else { continue };
            match line.split_once(' ').unwrap_or((line, "")) {
                ("ready", _) => {
                    let (files, calls) = scene.calls();
                    self.disk.fail(files, calls, number, fault, error);
                    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
                }
                ("done" | "closed", _) => break,
                (word, id) => {
                    let heard = match word {
                        "acknowledged" => Said::Acknowledged,
                        "not-done" => Said::NotDone,
                        "unknown" => Said::Unknown,
                        other => panic!("{other} {id}"),
                    };
                    said.insert(id.to_owned(), heard);
                }
            }
        }
        let seen = self.disk.failed();
        child.kill().unwrap();
        child.wait().unwrap();
        self.disk.mend();
        Played { kind: if seen > 0 { self.disk.kind() } else { 0 }, said }
    }

    /// Starts again after the kill, and holds what is there against what was said; how much of what nobody knew is
    /// there.
    fn judge(&mut self, point: Point, said: &BTreeMap<String, Said>) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = open(&self.database()).unwrap_or_else(|error| panic!("{point:?}: {error}"));
            // It goes on.
            record(&store, MOST + 1).await.unwrap_or_else(|error| panic!("{point:?}: {error}"));
        });
        let db = Connection::open(self.database()).unwrap();
        let count = |query: &str, key: &str| -> u64 {
            db.query_row(query, [key], |row| row.get(0)).unwrap()
        };
        let mut came_back = 0;
        for (id, heard) in said {
            let leaves = count("SELECT count(*) FROM leaf WHERE entry_id = ?1", id);
            let number: u64 = id[id.len() - 11..].parse().unwrap();
            let code = credit_code(number);
            let facts = count("SELECT count(*) FROM institution WHERE credit_code = ?1", &code);
            assert_eq!(leaves, facts, "{point:?}: a fact and its entry are one, {id}");
            match heard {
                Said::Acknowledged => assert_eq!(leaves, 1, "{point:?}: {id} was acknowledged"),
                Said::NotDone => assert_eq!(leaves, 0, "{point:?}: {id} was said not to be done"),
                Said::Unknown => came_back += leaves,
            }
        }
        let before = BEFORE + u64::from(point.scene == Scene::Open);
        for id in (1..=before).map(entry_id) {
            let leaves = count("SELECT count(*) FROM leaf WHERE entry_id = ?1", &id);
            assert_eq!(leaves, 1, "{point:?}: {id} was there before");
        }
        drop(db);
        let kept = self.directory.path().join(format!("{}.db", self.kept.len()));
        fs::rename(self.database(), &kept).unwrap();
        self.kept.push((kept, point));
        if self.kept.len() == TOGETHER {
            self.check();
        }
        came_back
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Place {
    /// `healthcard audit check` of what was kept.
    fn check(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let key = SecretKey::from_be_bytes(&[1; 32]).unwrap();
        let key = audit::checkpoint::VerifierKey::new(ORIGIN, key.public_key().as_sec1()).unwrap();
        let programs = programs();
        let mut command = programs.command(Program::Healthcard);
        command.args(["--json", "audit", "check", "--verifier-key", &key.to_string()]);
        command.args(self.kept.iter().map(|(file, _)| file));
        let verdict = programs.finish(Program::Healthcard, command).unwrap();
        assert_eq!(verdict.code, 0, "{:?}: {}{}", self.kept, verdict.stdout, verdict.stderr);
        let said = verdict.stdout.matches("\"entries_checked\"").count();
        assert_eq!(said, self.kept.len(), "a verdict of each: {}", verdict.stdout);
        for (file, _) in self.kept.drain(..) {
            fs::remove_file(file).unwrap();
        }
    }
}

/// A database with some facts, closed.
fn template(directory: &Path, facts: u64) -> PathBuf {
    let data = directory.join("template");
    fs::create_dir(&data).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&data.join("healthcard.db")).unwrap();
        for number in 1..=facts {
            record(&store, number).await.unwrap();
        }
    });
    data
}

/// Plays a scene with every fault at every point, and tells how many points of each kind there were.
fn play(scene: Scene, test: &'static str) {
    if let Some(order) = env::var_os(ORDER) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let database = PathBuf::from(env::var_os("FAILING_DISK_DATABASE").unwrap());
        return runtime.block_on(on_the_failing_disk(order.to_str().unwrap(), &database));
    }
    let directory = tempfile::tempdir().unwrap();
    let facts = if scene == Scene::Close { BEFORE - 1 } else { BEFORE };
    let mut template = template(directory.path(), facts);
    let mut place = Place::new();
    if scene == Scene::Open {
        // What is opened was killed: its write-ahead log was not moved.
        let point = Point { scene: Scene::Append, number: 0, fault: Fault::Once, error: Errno::Io };
        assert!(
            place.play(&template, point, test).said.values().all(|it| *it == Said::Acknowledged)
        );
        template = directory.path().join("killed");
        copy(&place.directory.path().join("data"), &template);
        assert!(fs::metadata(template.join("healthcard.db-wal")).unwrap().len() > 0);
    }

    // Every point is met by an error that passes, which tells how many there are.
    let (mut kinds, mut came_back) = (Vec::new(), 0);
    loop {
        let number = kinds.len() as u64 + 1;
        let point = Point { scene, number, fault: Fault::Once, error: Errno::Io };
        let played = place.play(&template, point, test);
        if played.kind == 0 {
            break;
        }
        came_back += place.judge(point, &played.said);
        kinds.push(played.kind);
        // One moving ends with a flush; the next is the same again.
        if scene == Scene::Move && played.kind == calls::FLUSH {
            break;
        }
    }
    place.check();
    let of = |kind| kinds.iter().filter(|it| **it == kind).count();
    let counts = [calls::WRITE, calls::FLUSH, calls::CUT, calls::NAME, calls::OPEN].map(of);
    println!("{scene:?}: writes, flushes, cuts, names, openings: {counts:?}");
    assert!(counts[0] > 0 && counts[1] > 0, "writes and flushes: {counts:?}");

    let mut points = Vec::new();
    for (number, kind) in (1..).zip(&kinds) {
        let mut add = |fault, error| points.push(Point { scene, number, fault, error });
        for error in Errno::ALL {
            if scene == Scene::Append && error != Errno::Io {
                add(Fault::Once, error);
            }
            add(Fault::On, error);
        }
        if *kind == calls::WRITE {
            add(Fault::Short, Errno::Full);
        }
        add(Fault::Killed, Errno::Io);
    }
    let next = AtomicU64::new(0);
    let (points, hit) = (&points, &AtomicU64::new(0));
    std::thread::scope(|threads| {
        for _ in 0..ABREAST {
            threads.spawn(|| {
                let mut place = Place::new();
                let take =
                    || points.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap());
                while let Some(point) = take() {
                    let played = place.play(&template, *point, test);
                    assert_ne!(played.kind, 0, "{point:?} was not met");
                    place.judge(*point, &played.said);
                    hit.fetch_add(1, Ordering::Relaxed);
                }
                place.check();
            });
        }
    });
    let hit = hit.load(Ordering::Relaxed);
    println!(
        "{scene:?}: {} points, {hit} faults besides, {came_back} of unknown outcome came back",
        kinds.len()
    );
    assert_eq!(hit, points.len() as u64);
    if scene == Scene::Append {
        assert!(came_back > 0, "a commit that was written and failed to be flushed is found whole");
    }
}

#[test]
fn every_write_and_flush_of_an_append() {
    play(Scene::Append, "failing_disk::every_write_and_flush_of_an_append");
}

#[test]
fn every_write_and_flush_of_moving_the_write_ahead_log() {
    play(Scene::Move, "failing_disk::every_write_and_flush_of_moving_the_write_ahead_log");
}

#[test]
fn every_write_and_flush_of_closing() {
    play(Scene::Close, "failing_disk::every_write_and_flush_of_closing");
}

#[test]
fn every_write_and_flush_of_opening_after_a_kill() {
    play(Scene::Open, "failing_disk::every_write_and_flush_of_opening_after_a_kill");
}
