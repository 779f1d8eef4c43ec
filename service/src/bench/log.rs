//! How search and proof fare as the log grows.

use std::{path::Path, time::Instant};

use audit::{Actor, Entry, Outcome};
use proto::v1::{self, audit_client::AuditClient};
use serde_json::Value;
use tonic::Request;
use uuid::Uuid;

use super::{
    BenchError,
    ground::Ground,
    measure::{Measured, milliseconds, rate},
};
use crate::{clock, clock::UtcTime};

/// Residents that the entries are about.
const RESIDENTS: u64 = 1000;
/// Entries that are on their way at once.
const AT_ONCE: u64 = 512;
/// Questions of each kind at each size.
const QUESTIONS: u64 = 300;

pub(super) async fn ask(directory: &Path, most: u64) -> Result<Vec<(String, Value)>, BenchError> {
    let ground = Ground::make(directory).await?;
    let channel = ground.connect().await?;
    let bearer = ground.log_in(&channel, &ground.auditor).await?;
    let residents: Vec<String> = (0..RESIDENTS).map(|_| Uuid::now_v7().to_string()).collect();
    let mut figures = Vec::new();
    let mut audit = AuditClient::new(channel);
    for size in [10_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|size| *size <= most) {
        let begin = Instant::now();
        let before = ground.store().log_size();
        fill(&ground, &residents, size).await?;
        let appended = (ground.store().log_size() - before) as f64;
        figures.push((
            format!("entries appended/s, up to {size}"),
            rate(appended / begin.elapsed().as_secs_f64()),
        ));

        let (mut searches, mut proofs) = (Vec::new(), Vec::new());
        let begin = Instant::now();
        for question in 0..QUESTIONS {
            let mut request = Request::new(v1::SearchAuditRequest {
                resident_id: residents[(question * 7 % RESIDENTS) as usize].clone(),
                ..v1::SearchAuditRequest::default()
            });
            request.metadata_mut().insert("authorization", bearer.clone());
            let start = Instant::now();
            let found = audit.search(request).await?.into_inner();
            searches.push(start.elapsed());
            if found.entries.is_empty() {
                return Err("a search found nothing".into());
            }
            let position = question * (size / QUESTIONS);
            let mut request = Request::new(v1::ProveAuditEntryRequest { position, tree_size: 0 });
            request.metadata_mut().insert("authorization", bearer.clone());
            let start = Instant::now();
            audit.prove(request).await?;
            proofs.push(start.elapsed());
        }
        let elapsed = begin.elapsed();
        for (what, seen) in [("search by resident", searches), ("proof", proofs)] {
            figures.extend(percentiles(what, size, Measured::of(seen, elapsed)));
        }
    }
    let stats = ground.store().stats();
    figures.push((
        "leaves for each commit".into(),
        super::measure::ratio(stats.committed_leaves as f64, stats.commits as f64),
    ));
    let bytes = std::fs::metadata(directory.join("healthcard.db"))?.len();
    let entries = ground.store().log_size();
    ground.end().await?;
    figures.push(("bytes on disk for each entry".into(), rate(bytes as f64 / entries as f64)));
    Ok(figures)
}

fn percentiles(what: &str, size: u64, seen: Measured) -> [(String, Value); 2] {
    [50, 95].map(|percent| {
        (
            format!("{what} at {size} entries, p{percent}, ms"),
            milliseconds(seen.percentile(percent)),
        )
    })
}

async fn fill(ground: &Ground, residents: &[String], size: u64) -> Result<(), BenchError> {
    let mut tasks = tokio::task::JoinSet::new();
    let mut next = ground.store().log_size();
    while next < size || !tasks.is_empty() {
        while next < size && (tasks.len() as u64) < AT_ONCE {
            let resident = &residents[(next.wrapping_mul(2_654_435_761) % RESIDENTS) as usize];
            let entry = entry(resident, "token.issue", clock::now());
            let store = ground.store().clone();
            tasks.spawn(async move { store.record_act(entry).await });
            next += 1;
        }
        if let Some(recorded) = tasks.join_next().await {
            recorded??;
        }
    }
    Ok(())
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
