//! `kill -9` under load, again and again: nothing that was acknowledged is ever missing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proto::v1::tokens_client::TokensClient;
use proto::v1::{DataClass, IssueTokenRequest, IssueTokenResponse, Purpose};
use rusqlite::{Connection, OpenFlags};
use service::demo::tamper;
use tests::grpc::{Caller, log_in};
use tests::hospital::Hospital;
use tests::relay;
use tokio::sync::watch;
use tokio::task::JoinSet;

const ROUNDS: usize = 20;
const CALLERS: usize = 16;

/// Acknowledged tokens: entry id by position.
type Acknowledged = Arc<Mutex<BTreeMap<u64, String>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_token_is_in_the_log() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let acknowledged = Acknowledged::default();
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let doctor = log_in(&hospital.stage, "doctor").await;
        let (count, mut counted) = watch::channel(0_usize);
        let count = Arc::new(count);
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let load = load(doctor.clone(), visit.clone(), acknowledged.clone(), count.clone());
            callers.spawn(load);
        }
        // Each round is cut at another point: after the first answer, or in the midst of many.
        let enough = 1 + round * 17;
        counted.wait_for(|count| *count >= enough).await.expect("callers are at work");
        hospital.stage.server().expect("it runs").kill();
        while callers.join_next().await.is_some() {}

        let started = Instant::now();
        hospital.stage.serve().unwrap_or_else(|error| panic!("round {round}: {error}"));
        slowest = slowest.max(started.elapsed());
        let missing = missing(&hospital, &acknowledged);
        assert!(missing.is_empty(), "round {round}: acknowledged, but not in the log: {missing:?}");
    }
    let total = acknowledged.lock().unwrap().len();
    println!("{ROUNDS} kills, {total} acknowledged tokens, slowest restart {slowest:?}");
    assert!(total >= (0..ROUNDS).map(|round| 1 + round * 17).sum(), "only {total}");
    // The promise is two seconds; a busy machine gets more before this fails.
    assert!(slowest < Duration::from_secs(20), "restart took {slowest:?}");

    let copy = hospital.stage.path("log/after.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    let verdict = hospital.check_log(&copy);
    assert_eq!(verdict.code, 0, "{}", verdict.body);
}

/// Asks for tokens until the service is gone.
async fn load(
    doctor: Caller,
    visit: String,
    acknowledged: Acknowledged,
    count: Arc<watch::Sender<usize>>,
) {
    let mut tokens = TokensClient::new(doctor);
    let request = IssueTokenRequest {
        visit_id: visit,
        purpose: Purpose::Treatment.into(),
        grade: 2,
        classes: vec![DataClass::Health.into()],
        audience: "emr.example".to_owned(),
        lifetime_seconds: 60,
        ..IssueTokenRequest::default()
    };
    while let Ok(issued) = tokens.issue(request.clone()).await {
        let IssueTokenResponse { receipt, .. } = issued.into_inner();
        let receipt = receipt.expect("an acknowledged act has a receipt");
        let twice = acknowledged.lock().unwrap().insert(receipt.position, receipt.entry_id);
        assert_eq!(twice, None, "two acts at position {}", receipt.position);
        count.send_modify(|count| *count += 1);
    }
}

/// Acknowledged tokens that the database does not have where they were said to be.
fn missing(hospital: &Hospital, acknowledged: &Acknowledged) -> Vec<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let log = Connection::open_with_flags(hospital.database(), flags).unwrap();
    let mut rows = log.prepare("SELECT entry_id FROM leaf WHERE position = ?1").unwrap();
    let acknowledged = acknowledged.lock().unwrap();
    let stands = |position: u64, entry_id: &str| {
        let found = rows.query_row([position], |row| row.get::<_, String>(0));
        found.is_ok_and(|found| found == entry_id)
    };
    let mut stands = stands;
    acknowledged.iter().filter(|(at, id)| !stands(**at, id)).map(|(at, _)| *at).collect()
}
