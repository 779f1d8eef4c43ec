//! How the log fares as it grows: appending, searching, proving, checking and starting, at each power of ten.

use std::{
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use audit::{Actor, Entry, Outcome, tree::leaf_hash};
use ca::Certificate;
use proto::v1::{self, AuditQuestion, audit_client::AuditClient};
use rusqlite::Connection;
use serde_json::Value;
use tokio::task::JoinSet;
use tonic::{Request, metadata::AsciiMetadataValue, transport::Channel};
use uuid::Uuid;

use super::{
    BenchError,
    ground::{Ground, Opened},
    measure::{Measured, milliseconds, rate, ratio},
    population::{Population, busiest},
    tokens::CALLERS,
};
use crate::{
    clock,
    clock::UtcTime,
    demo::programs::{Program, Programs},
    store::{
        HistoryDraft, NewSession, NewToken, Receipt, ResidentId, SearchFilter, Stats, Store,
        StoreError, TokenId,
    },
};

/// Sizes at which it is looked at how the log fares.
const SIZES: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// Entries that are on their way at once while the log is filled: several groups of the writer.
const AT_ONCE: usize = 1024;
/// Entries after which it is said how far filling is.
const TOLD: u64 = 100_000;
/// Questions of each kind at each size.
const QUESTIONS: u64 = 300;
/// Entries of the resident whose history is given out, and how often it is.
const HISTORY: u64 = 1000;
const HISTORIES: u32 = 50;
/// Times that each of the questions that auditors ask again and again is asked.
const TEMPLATES: usize = 5;
/// Turns in which appending and single commits are measured, one after the other.
const TURNS: u32 = 4;
/// Entries whose bytes are hashed alone, for comparison.
const HASHED: u64 = 20_000;

pub(super) async fn ask(
    directory: &Path,
    most: u64,
    seconds: u64,
) -> Result<Vec<(String, Value)>, BenchError> {
    let mut ground = Ground::make(directory).await?;
    let mut population = Population::new(most, clock::now());
    let mut figures = Vec::new();
    let mut first = None;
    for size in SIZES.into_iter().filter(|size| *size <= most) {
        let mut filled = 0.0;
        let opened;
        (ground, opened) = ground
            .reopen(directory, async |store| {
                filled = fill(store, &mut population, size).await?;
                Ok(())
            })
            .await?;
        let mut told = |what: &str, value| figures.push((format!("{size}: {what}"), value));
        if filled > 0.0 {
            told("entries filled in a second", rate(filled));
        }
        let Opened { bytes, entries, database, service } = opened;
        told("bytes on disk for each entry", rate(bytes as f64 / entries as f64));
        told("opening the database, ms", milliseconds(database));
        told("start of the service, ms", milliseconds(service));

        let before = ground.store().stats();
        let (appends, commits) = append(&ground, directory, &mut population, seconds).await?;
        let shared = leaves_a_commit(ground.store().stats(), before);
        let first = *first.get_or_insert(appends.per_second());
        told("appends with their facts a second, 64 callers", rate(appends.per_second()));
        told("  leaves a commit", shared);
        told("  : one row a commit", ratio(appends.per_second(), commits.per_second()));
        told("  : at the first size", ratio(appends.per_second(), first));
        told("  p50, ms", milliseconds(appends.percentile(50)));
        told("  p99, ms", milliseconds(appends.percentile(99)));
        told("  p50 : p50 of one commit", ratio(seconds_at(&appends), seconds_at(&commits)));
        told("one row a commit (FULL) a second", rate(commits.per_second()));
        told("  p50, ms (one row)", milliseconds(commits.percentile(50)));

        let auditor = Auditor::new(&ground).await?;
        for (what, seen) in auditor.ask(&mut population, entries).await? {
            told(&format!("{what}, p50, ms"), milliseconds(seen.percentile(50)));
            told(&format!("{what}, p95, ms"), milliseconds(seen.percentile(95)));
        }
        for (what, longest) in auditor.ask_templates().await? {
            told(&format!("first page, {what}, longest, ms"), milliseconds(longest));
        }
        let (histories, proof) = histories(&ground, &mut population).await?;
        told("history of 1,000 entries, p50, ms", milliseconds(histories.percentile(50)));
        told("  p95, ms", milliseconds(histories.percentile(95)));
        told("  octets beside the entries themselves", proof.into());
        let checked = check(&ground, directory)?;
        let hashed = hash(ground.store()).await?;
        told("entries checked a second, one core", rate(checked));
        told("  : SM3 alone over the same bytes", ratio(checked, hashed));
    }
    ground.end().await?;
    Ok(figures)
}

fn leaves_a_commit(now: Stats, before: Stats) -> Value {
    let leaves = now.committed_leaves - before.committed_leaves;
    ratio(leaves as f64, (now.commits - before.commits) as f64)
}

fn seconds_at(seen: &Measured) -> f64 {
    seen.percentile(50).as_secs_f64()
}

/// Fills the log up to a size; entries a second.
async fn fill(store: &Store, population: &mut Population, size: u64) -> Result<f64, BenchError> {
    let (begin, before) = (Instant::now(), store.log_size());
    let mut tasks: JoinSet<Result<Receipt, StoreError>> = JoinSet::new();
    let mut next = before;
    let mut told = before / TOLD;
    while next < size || !tasks.is_empty() {
        while next < size && tasks.len() < AT_ONCE {
            let (store, entry) = (store.clone(), population.act());
            tasks.spawn(async move { store.record_act(entry).await });
            next += 1;
        }
        if let Some(recorded) = tasks.join_next().await {
            recorded??;
        }
        let size_now = store.log_size();
        if size_now / TOLD > told {
            told = size_now / TOLD;
            let speed = (size_now - before) as f64 / begin.elapsed().as_secs_f64();
            // Nobody may be there to be told.
            let _ =
                writeln!(std::io::stderr(), "{size_now} of {size} entries, {speed:.0} a second");
        }
    }
    Ok((store.log_size() - before) as f64 / begin.elapsed().as_secs_f64())
}

/// Tokens that are put on record by 64 callers, and rows that are committed alone by one, in turns on the same disk.
async fn append(
    ground: &Ground,
    directory: &Path,
    population: &mut Population,
    seconds: u64,
) -> Result<(Measured, Measured), BenchError> {
    let turn = Duration::from_secs(seconds) / TURNS;
    let token = token(ground).await?;
    let (mut appends, mut commits) = (Measured::default(), Measured::default());
    let row = population.entry(clock::now()).encode()?;
    for _ in 0..TURNS {
        let (path, row) = (directory.join("one-row.db"), row.clone());
        let alone = tokio::task::spawn_blocking(move || one_row_a_commit(&path, &row, turn));
        commits = commits.and(alone.await??);
        let callers = (0..CALLERS).map(|caller| {
            let (store, token) = (ground.store().clone(), token.clone());
            let mut acts = population.another(caller as u64);
            move || {
                let now = clock::now();
                let token = NewToken { id: TokenId::generate(), issued_at: now, ..token.clone() };
                let (store, entry) = (store.clone(), acts.entry(now));
                async move {
                    store.record_token(token, entry).await?;
                    Ok(())
                }
            }
        });
        appends = appends.and(Measured::during(turn, callers.collect()).await?);
    }
    Ok((appends, commits))
}

/// A token of the doctor in a session of their own.
async fn token(ground: &Ground) -> Result<NewToken, BenchError> {
    let now = clock::now();
    let certificate = Certificate::parse(&ground.doctor.certificate)?.serial().to_string();
    let mut session = [0; 32];
    getrandom::fill(&mut session)?;
    let opened = NewSession {
        digest: session,
        identity: ground.doctor_id,
        certificate: certificate.clone(),
        opened_at: now,
        expires_at: now + time::Duration::DAY,
        address: "127.0.0.1".to_owned(),
        lease: None,
    };
    let opening = entry("bench", "session.open", now);
    ground.store().record_session_opened(opened, opening).await?;
    let visit = ground.store().visit(ground.visit).await?.ok_or("the visit is gone")?;
    Ok(NewToken {
        id: TokenId::generate(),
        identity: ground.doctor_id,
        certificate,
        session,
        resident: visit.resident,
        visit: Some(visit.id),
        consent: None,
        referral: None,
        guardianship: None,
        emergency: None,
        subject: None,
        issued_at: now,
        expires_at: now + time::Duration::HOUR,
    })
}

/// What a database does that is given one row at a time, each to be on disk before the next.
fn one_row_a_commit(path: &Path, row: &[u8], time: Duration) -> Result<Measured, BenchError> {
    let db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS row (position INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;",
    )?;
    let mut insert = db.prepare("INSERT INTO row (entry) VALUES (?1)")?;
    let begin = Instant::now();
    let mut seen = Vec::new();
    while begin.elapsed() < time {
        let start = Instant::now();
        insert.execute([row])?;
        seen.push(start.elapsed());
    }
    Ok(Measured::of(seen, begin.elapsed()))
}

/// An auditor who asks the service.
struct Auditor {
    audit: AuditClient<Channel>,
    bearer: AsciiMetadataValue,
}

impl Auditor {
    async fn new(ground: &Ground) -> Result<Self, BenchError> {
        let channel = ground.connect().await?;
        let bearer = ground.log_in(&channel, &ground.auditor).await?;
        Ok(Self { audit: AuditClient::new(channel), bearer })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }

    async fn search(
        &self,
        search: v1::SearchAuditRequest,
    ) -> Result<(Duration, usize), BenchError> {
        let request = self.request(search);
        let start = Instant::now();
        let found = self.audit.clone().search(request).await?.into_inner();
        Ok((start.elapsed(), found.entries.len()))
    }

    /// Searches and proofs in a log of so many entries.
    async fn ask(
        &self,
        population: &mut Population,
        size: u64,
    ) -> Result<[(&'static str, Measured); 4], BenchError> {
        let begin = Instant::now();
        let [mut residents, mut persons] = [Vec::new(), Vec::new()];
        let [mut inclusions, mut consistencies] = [Vec::new(), Vec::new()];
        for question in 0..QUESTIONS {
            let (resident_id, actor_id) = population.somebody().ok_or("nobody did anything")?;
            let by_resident =
                v1::SearchAuditRequest { resident_id, ..v1::SearchAuditRequest::default() };
            let by_person =
                v1::SearchAuditRequest { actor_id, ..v1::SearchAuditRequest::default() };
            for (search, seen) in [(by_resident, &mut residents), (by_person, &mut persons)] {
                let (took, found) = self.search(search).await?;
                seen.push(took);
                if found == 0 {
                    return Err("a search found nothing".into());
                }
            }
            let position = question * (size / QUESTIONS);
            let request = self.request(v1::ProveAuditEntryRequest { position, tree_size: 0 });
            let start = Instant::now();
            self.audit.clone().prove(request).await?;
            inclusions.push(start.elapsed());
            let sizes = v1::ConsistencyRequest { first_size: position + 1, second_size: size };
            let request = self.request(sizes);
            let start = Instant::now();
            self.audit.clone().consistency(request).await?;
            consistencies.push(start.elapsed());
        }
        let seen = |seen| Measured::of(seen, begin.elapsed());
        Ok([
            ("search by resident", seen(residents)),
            ("search by person", seen(persons)),
            ("inclusion proof", seen(inclusions)),
            ("consistency proof", seen(consistencies)),
        ])
    }

    /// The first page of each question that is asked again and again, and where nothing answers it.
    async fn ask_templates(&self) -> Result<Vec<(String, Duration)>, BenchError> {
        let mut longest = Vec::new();
        let nobody = Uuid::now_v7().to_string();
        for (word, question) in [
            ("who-opened", AuditQuestion::WhoOpened),
            ("at-night", AuditQuestion::AtNight),
            ("emergencies", AuditQuestion::Emergencies),
            ("without-visit", AuditQuestion::WithoutVisit),
            ("refusals", AuditQuestion::Refusals),
        ] {
            let about = match question {
                AuditQuestion::WhoOpened => busiest(),
                _ => String::new(),
            };
            for (what, institution_id) in [("", ""), (" of nobody", &*nobody)] {
                let mut took = Duration::ZERO;
                for _ in 0..TEMPLATES {
                    let search = v1::SearchAuditRequest {
                        resident_id: about.clone(),
                        institution_id: institution_id.to_owned(),
                        question: question.into(),
                        ..v1::SearchAuditRequest::default()
                    };
                    took = took.max(self.search(search).await?.0);
                }
                longest.push((format!("{word}{what}"), took));
            }
        }
        Ok(longest)
    }
}

/// Histories of a resident with a thousand entries, as they are given out; and what proves them, in octets.
async fn histories(
    ground: &Ground,
    population: &mut Population,
) -> Result<(Measured, usize), BenchError> {
    let (store, resident) = (ground.store(), ResidentId::generate());
    let mut tasks: JoinSet<Result<Receipt, StoreError>> = JoinSet::new();
    for _ in 0..HISTORY {
        let (store, act) = (store.clone(), population.act().about(resident.to_string()));
        tasks.spawn(async move { store.record_act(act).await });
    }
    while let Some(recorded) = tasks.join_next().await {
        recorded??;
    }
    let (begin, mut seen, mut proof) = (Instant::now(), Vec::new(), 0);
    for _ in 0..HISTORIES {
        let start = Instant::now();
        let HistoryDraft { index, found } = store.history(resident).await?;
        let found = found.ok_or("a history has nothing")?;
        let act = entry("bench", "resident.history", clock::now()).about(resident.to_string());
        let act = index.in_entry(act);
        let recorded = store.record_history(act.clone(), resident, index).await?;
        let position = recorded.ok_or("somebody else wrote")?.position;
        let entries: usize = found.entries.iter().map(|it| it.entry.len()).sum();
        let file = store.history_file(resident, index, found, &act, position).await?;
        seen.push(start.elapsed());
        proof = file.len() - entries;
    }
    Ok((Measured::of(seen, begin.elapsed()), proof))
}

/// Has the whole log checked by the program that auditors use; entries a second.
fn check(ground: &Ground, directory: &Path) -> Result<f64, BenchError> {
    let programs = Programs::beside_this_one()?;
    let mut command = programs.command(Program::Healthcard);
    let key = ground.store().verifier_key().to_string();
    let database = directory.join("healthcard.db");
    command.args(["--json", "audit", "check", "--verifier-key", &key]).arg(database);
    let finished = programs.finish(Program::Healthcard, command)?;
    let report = finished.json()?;
    match report["entries_checked"].as_u64().filter(|_| report["verdict"] == "valid") {
        Some(entries) => Ok(entries as f64 / finished.took.as_secs_f64()),
        None => Err(format!("the log is not said to be valid: {report}").into()),
    }
}

/// SM3 alone over the first entries, as the tree takes them; entries a second.
async fn hash(store: &Store) -> Result<f64, BenchError> {
    let entries = store.matching(SearchFilter::default(), 0, HASHED).await?;
    let begin = Instant::now();
    for entry in &entries {
        std::hint::black_box(leaf_hash(&entry.entry));
    }
    Ok(entries.len() as f64 / begin.elapsed().as_secs_f64())
}

/// An entry as large as those of everyday work.
pub(super) fn entry(resident: &str, action: &str, now: UtcTime) -> Entry {
    let id = || Uuid::now_v7().to_string();
    let actor = Actor {
        identity: Some(id()),
        certificate: Some("4b".repeat(16)),
        role: Some("doctor".to_owned()),
        institution: Some(id()),
        address: Some("127.0.0.1".to_owned()),
    };
    Entry::new(id(), clock::rfc3339(now), action, Outcome::Granted, actor)
        .about(resident)
        .in_visit(id())
        .for_purpose("treatment")
        .under("9c".repeat(32), "doctor-treats")
        .on("token", id())
        .with("grade", "3")
}
