//! A log that cannot be written: what goes on without it does, nothing that the log must have is answered without, and
//! all of it comes back by itself with the disk. The service runs on a disk that fails (`tests::failing_disk`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use prost::Message as _;
use prost_types::FileDescriptorSet;
use proto::v1::audit_client::AuditClient;
use proto::v1::sessions_client::SessionsClient;
use proto::v1::tokens_client::TokensClient;
use proto::v1::{
    CheckpointRequest, CloseSessionRequest, DataClass, IntrospectTokenRequest, IssueTokenRequest,
    Purpose, RevokeTokenRequest,
};
use service::demo::people::{AUDITOR, CLERK, DESK, DOCTOR, RECORDS};
use service::demo::stage::OPERATOR;
use service::demo::tamper;
use service::log_needs::{GO_ON, WRITE_WITHOUT_ENTRY};
use tests::failing_disk::{Errno, FailingDisk, Fault, calls, files};
use tests::grpc::{Caller, connect, fetch, log_in, reason};
use tests::hospital::Hospital;
use tests::http::{get, post, session};
use tests::relay;
use tests::resource_server::sample::{PERSON, PRESSURE};
use tests::resource_server::{Chart, ResourceServer, ask, now};
use tests::tokens::{self, Issued};
use tokio::time::timeout;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_prost::ProstCodec;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const FORM: &str = "content-type: application/x-www-form-urlencoded";

/// A hospital on a disk that fails when it is told to.
struct OnFailingDisk {
    hospital: Hospital,
    disk: FailingDisk,
    _directory: tempfile::TempDir,
}

impl OnFailingDisk {
    fn open() -> Self {
        let mut hospital = Hospital::open();
        let directory = tempfile::tempdir().unwrap();
        let disk = FailingDisk::new(directory.path());
        let settings = hospital.stage.path("data/healthcard.toml");
        let written = std::fs::read_to_string(&settings).unwrap();
        let changed = written
            .replace("readers = \"nobody\"", "readers = \"this_machine\"")
            .replace("slow_milliseconds = 1000", "slow_milliseconds = 200")
            .replace("patience_seconds = 10", "patience_seconds = 2");
        assert_ne!(written, changed);
        std::fs::write(&settings, changed).unwrap();
        hospital.stage.server().unwrap().end().unwrap();
        let database = hospital.database().canonicalize().unwrap();
        hospital.stage.serve_with(|command| disk.under(command, &database)).unwrap();
        Self { hospital, disk, _directory: directory }
    }

    /// Waits until the service says that it serves, or that it does not.
    async fn turns(&self, expected: ServingStatus) {
        let mut health = HealthClient::new(connect(&self.hospital.stage).await);
        let mut changes = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        let turned =
            async { while changes.message().await.unwrap().unwrap().status() != expected {} };
        timeout(PATIENCE, turned).await.unwrap();
    }

    fn health(&self) -> (String, String) {
        let (head, body) = get(&self.hospital, "/healthz");
        (head[9..12].to_owned(), String::from_utf8(body).unwrap())
    }

    async fn log_size(&self) -> u64 {
        let mut audit = AuditClient::new(connect(&self.hospital.stage).await);
        let newest = audit.checkpoint(CheckpointRequest {}).await.unwrap().into_inner();
        newest.checkpoint.lines().nth(1).unwrap().parse().unwrap()
    }

    fn check(&self) {
        let copy = self.hospital.stage.path("log/after.db");
        tamper::copy(&self.hospital.database(), &copy).unwrap();
        let verdict = self.hospital.check_log(&copy);
        assert_eq!(verdict.code, 0, "{}", verdict.body);
    }
}

fn order(visit: &str) -> IssueTokenRequest {
    IssueTokenRequest {
        visit_id: visit.to_owned(),
        purpose: Purpose::Treatment.into(),
        grade: 2,
        classes: vec![DataClass::Health.into()],
        audience: "emr.example".to_owned(),
        lifetime_seconds: 0,
        ..IssueTokenRequest::default()
    }
}

fn introspect_request(token: &str) -> IntrospectTokenRequest {
    let (token, audience) = (token.to_owned(), "emr.example".to_owned());
    IntrospectTokenRequest { token, audience, ..IntrospectTokenRequest::default() }
}

/// Every method of the interface.
fn methods() -> Vec<String> {
    let interface = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
    let mut methods = Vec::new();
    for file in &interface.file {
        for service in &file.service {
            let of = |method: &str| format!("{}.{}/{method}", file.package(), service.name());
            methods.extend(service.method.iter().map(|method| of(method.name())));
        }
    }
    methods
}

/// Calls a method with a request that says nothing; whether anything was answered, or why not.
async fn call(caller: &Caller, method: &str) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(caller.clone());
    grpc.ready().await.unwrap();
    let path: PathAndQuery = format!("/{method}").parse().unwrap();
    let nothing = Request::new(tokio_stream::once(()));
    let answered = async {
        let mut answers =
            grpc.streaming(nothing, path, ProstCodec::<(), ()>::default()).await?.into_inner();
        answers.message().await.map(drop)
    };
    timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("{method} never answered"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_log_goes_on_and_nothing_else_is_answered() {
    let place = OnFailingDisk::open();
    let OnFailingDisk { hospital, disk, .. } = &place;
    let visit = relay::open_visit(hospital).await;
    let issued = tokens::issue(hospital, DOCTOR.key, &visit, "4", "personal,health");
    let Issued { token, file, .. } = &issued;
    let record = hospital.stage.write("records/note", "病程记录".as_bytes()).unwrap();
    let (record, signature) = (record.to_string_lossy(), hospital.stage.path("records/signature"));
    let signature = signature.to_string_lossy();
    let sign = ["sign", "--visit", &visit, "--type", "progress-note"];
    let sign = [&sign[..], &["--file", &record, "--out", &signature]].concat();
    hospital.granted(DOCTOR.key, &sign);
    let verify = ["verify", "--file", &record, "--signature", &signature];

    // A records system, which has fetched keys and verifies offline.
    let verifier = tokens::verifier(hospital).demand_snapshot(Duration::from_secs(120));
    let resident = hospital.resident_id.clone();
    let chart = Chart { person: PERSON, observations: vec![PRESSURE] };
    let charts = BTreeMap::from([(resident.clone(), chart)]);
    let (server, address) = ResourceServer::serve(verifier, &hospital.institution_id, charts).await;
    let path = format!("/fhir/Patient/{resident}");
    let uri = format!("http://{address}{path}");

    let mut callers = Vec::new();
    for who in [DOCTOR.key, CLERK.key, DESK.key, AUDITOR.key, RECORDS.key, OPERATOR] {
        callers.push((who, log_in(&hospital.stage, who).await));
    }
    let bearer = session(hospital, DOCTOR.key);
    let public = hospital.stage.path("log/after.db");
    let key = hospital.verifier_key();

    for (error, why) in [
        (Errno::Full, "the disk is full"),
        (Errno::ReadOnly, "the disk fails"),
        (Errno::Io, "the disk fails"),
    ] {
        let mut doctor = TokensClient::new(callers[0].1.clone());
        let before = place.log_size().await;
        disk.fail(files::ALL, calls::ALL, 1, Fault::On, error);
        let refused = doctor.issue(order(&visit)).await.unwrap_err();
        assert_eq!(reason(&refused), "UNAVAILABLE", "{error:?}");
        place.turns(ServingStatus::NotServing).await;
        let (status, said) = place.health();
        assert_eq!(status, "503");
        assert!(said.contains("the log cannot be written") && said.contains(why), "{said}");

        // Nothing that the log must have is answered, whoever asks; refusals are entries as well.
        let (mut refusals, mut answers) = (0, BTreeSet::new());
        for method in methods() {
            let free = GO_ON.contains(&method.as_str());
            for (who, caller) in &callers {
                if free {
                    continue;
                }
                match call(caller, &method).await {
                    Ok(()) => drop(answers.insert(format!("{who}: {method}"))),
                    Err(refused) => refusals += usize::from(refused.code() == Code::Unavailable),
                }
            }
        }
        // Of no readings nothing is told, and there is nothing to record.
        answers.retain(|answered| !answered.ends_with(": healthcard.v1.Desks/Reconcile"));
        assert!(answers.is_empty(), "{error:?}: {answers:?}");
        assert!(refusals > 100, "{error:?}: only {refusals} came as far as the log");
        assert!(WRITE_WITHOUT_ENTRY.iter().all(|call| methods().contains(&(*call).to_owned())));
        for (path, body) in [
            ("/revoke", format!("token={token}")),
            (
                "/token",
                format!(
                    "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={token}\
                     &subject_token_type=urn:ietf:params:oauth:token-type:access_token&grade=2"
                ),
            ),
        ] {
            let (head, said) = post(hospital, path, &[FORM, &bearer], body.as_bytes());
            assert!(
                head.starts_with("HTTP/1.1 503"),
                "{path}: {head} {}",
                String::from_utf8_lossy(&said)
            );
        }
        let (any, stamp) = (hospital.stage.tls_authority(), hospital.stage.path("records/stamp"));
        let stamped = ["--file", &any.to_string_lossy(), "--out", &stamp.to_string_lossy()];
        let stamped = [&["timestamp", "request"][..], &stamped].concat();
        hospital.refused(DOCTOR.key, &stamped, "TIME_NOT_STAMPED");
        assert!(!stamp.exists());

        // What was granted is used, and whatever is asked about it answered.
        server.verifier.take_snapshot(&tokens::snapshot(hospital), now()).unwrap();
        let proof = tokens::prove(hospital, DOCTOR.key, file, &["--uri", &uri]);
        assert_eq!(ask(address, &path, token, Some(&proof)).await.0, 200);
        let asked = introspect_request(token);
        assert!(doctor.introspect(asked).await.unwrap().into_inner().active);
        let form = format!("token={token}");
        let (head, said) = post(hospital, "/introspect", &[FORM, &bearer], form.as_bytes());
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(String::from_utf8(said).unwrap().contains("\"active\":true"));
        hospital.granted(DOCTOR.key, &verify);
        hospital.granted(DOCTOR.key, &["authority", "status"]);
        for path in [
            "/jwks.json",
            "/crl/ca-people.crl",
            "/ca/ca-people.cer",
            "/token-revocations",
            "/cards/status-list",
            "/metrics",
            "/.well-known/oauth-authorization-server",
        ] {
            let fetched = fetch(connect(&hospital.stage).await, path, &[]).await;
            assert_eq!(fetched.status, 200, "{error:?}: {path}");
        }
        let metrics = String::from_utf8(get(hospital, "/metrics").1).unwrap();
        assert!(metrics.contains("\nhealthcard_log_writable 0\n"), "{metrics}");
        for method in GO_ON.iter().filter(|it| it.starts_with("healthcard.")) {
            // Whom the rules refuse it hears that it cannot be recorded.
            let mut let_in = false;
            for (_, caller) in &callers {
                let answered = call(caller, method).await;
                let_in |= answered.map_or_else(|no| no.code() != Code::Unavailable, |()| true);
            }
            assert!(let_in, "{error:?}: nobody had an answer of {method}");
        }
        // Anybody may check what there is of the log.
        tamper::copy(&hospital.database(), &public).unwrap();
        let check = ["audit", "check", &public.to_string_lossy(), "--verifier-key", &key];
        assert_eq!(hospital.ask(AUDITOR.key, &check).code, 0);
        assert_eq!(place.log_size().await, before, "{error:?}: nothing was written");

        // It comes back by itself, before anybody writes.
        disk.mend();
        place.turns(ServingStatus::Serving).await;
        assert_eq!(place.log_size().await, before, "{error:?}: finding out changes nothing");
        doctor.issue(order(&visit)).await.unwrap();
        assert_eq!(place.log_size().await, before + 1, "{error:?}");
    }
    place.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_flush_that_does_not_come_back_everybody_has_an_answer_and_what_follows_follows() {
    let place = OnFailingDisk::open();
    let OnFailingDisk { hospital, disk, .. } = &place;
    let visit = relay::open_visit(hospital).await;
    let doctor = log_in(&hospital.stage, DOCTOR.key).await;
    let leaving = log_in(&hospital.stage, DOCTOR.key).await;
    let mut tokens = TokensClient::new(doctor.clone());
    let issued = tokens.issue(order(&visit)).await.unwrap().into_inner();
    let before = place.log_size().await;

    disk.fail(files::WAL, calls::FLUSH, 1, Fault::Stuck, Errno::Io);
    let began = Instant::now();
    let mut revoking = tokens.clone();
    let revoke = RevokeTokenRequest { token_id: issued.token_id.clone() };
    let revoked = tokio::spawn(async move { revoking.revoke(revoke).await });
    // The flush that is stuck is that one's.
    while disk.failed() == 0 {
        assert!(began.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    // These wait behind it: they are taken back.
    let mut behind = SessionsClient::new(leaving.clone());
    let closed = behind.close(CloseSessionRequest {}).await.unwrap_err();
    assert_eq!(reason(&closed), "UNAVAILABLE");
    let unknown = revoked.await.unwrap().unwrap_err();
    assert_eq!(
        (unknown.code(), reason(&unknown).as_str()),
        (Code::DeadlineExceeded, "OUTCOME_UNKNOWN")
    );
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    place.turns(ServingStatus::NotServing).await;
    let (status, said) = place.health();
    assert!(status == "503" && said.contains("the disk does not answer"), "{said}");
    // Whoever comes now does not wait, and what needs no log goes on.
    let asked = Instant::now();
    let refused = tokens.issue(order(&visit)).await.unwrap_err();
    assert_eq!(reason(&refused), "UNAVAILABLE");
    let introspect = introspect_request(&issued.token);
    assert!(tokens.introspect(introspect.clone()).await.unwrap().into_inner().active);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let metrics = String::from_utf8(get(hospital, "/metrics").1).unwrap();
    for line in ["healthcard_log_slow 1", "healthcard_log_writable 1"] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }

    disk.mend();
    place.turns(ServingStatus::Serving).await;
    // What was not known was done, once, and with all that follows; what was taken back was not.
    let said = tokens.introspect(introspect).await.unwrap().into_inner();
    assert_eq!(said.inactive_reason, "REVOKED");
    assert_eq!(place.log_size().await, before + 1);
    assert!(TokensClient::new(leaving).issue(order(&visit)).await.is_ok());
    let status = hospital.granted(OPERATOR, &["status"]);
    assert_eq!(status["disk"]["slow"], true, "{status}");
    let slowest = status["disk"]["slowest_commit_microseconds"].to_string();
    let slowest: u64 = slowest.trim_matches('"').parse().unwrap();
    assert!(slowest > 2_000_000, "{status}");
    place.check();
}
