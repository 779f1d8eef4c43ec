//! The national listener (RFC 8998): who is let in with which certificate, whose session it may be, and that it takes
//! nothing from the other one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hsm::sm2::SecretKey;
use national_tls::{SM4_CCM_SM3, SM4_GCM_SM3};
use proto::v1::visits_client::VisitsClient;
use proto::v1::{ChallengeRequest, ListVisitsRequest, sessions_client::SessionsClient};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CipherSuite, ClientConfig, HandshakeKind, SignatureScheme};
use serde_json::{Value, json};
use service::demo::people::{COLLEAGUE, DESK, DOCTOR, PATIENT};
use service::demo::programs::{Finished, Program};
use service::demo::readers::{Desk, VirtualReaders};
use tests::grpc::{Holder, bearing, log_in, open_session, reason};
use tests::hospital::{Hospital, text};
use tests::national::{address, client, command, dial, healthcard, open, over};
use tests::private::{PcscDaemon, in_private_space};
use tests::relay::{Relay, card, present};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);
/// Where Debian puts it.
const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

fn holder(hospital: &Hospital, who: &str) -> Holder {
    Holder::read(&hospital.stage.identity(who))
}

fn settings(hospital: &Hospital, who: &str) -> Arc<ClientConfig> {
    client(hospital, &holder(hospital, who), &[SM4_GCM_SM3, SM4_CCM_SM3])
}

async fn list(channel: Channel, token: &str) -> Result<(), Status> {
    let mut visits = VisitsClient::new(bearing(channel, token));
    visits.list(ListVisitsRequest::default()).await.map(drop)
}

fn serial(hospital: &Hospital, who: &str) -> String {
    text(&hospital.granted(who, &["key", "show"])["certificate"], "serial")
}

/// The alert that ended a connection, which the client had thought to stand.
async fn alert(config: &Arc<ClientConfig>, address: &str) -> AlertDescription {
    let error = match dial(config, address).await {
        Err(error) => error,
        Ok(mut stream) => tokio::time::timeout(LONG, stream.read_u8()).await.unwrap().unwrap_err(),
    };
    let told = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match told {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("no alert but {error}"),
    }
}

fn granted(finished: &Finished) -> Value {
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

fn refusal(finished: &Finished) -> String {
    let told: Value =
        serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stdout));
    text(&told["error"], "reason")
}

/// Refusals at the door that the log has of a certificate.
fn refusals(hospital: &Hospital, serial: &str) -> Vec<Value> {
    let search = ["audit", "search", "--action", "session.open", "--outcome", "refused"];
    let found = hospital.granted("auditor", &search);
    let entries = found["entries"].as_array().unwrap().iter().map(|it| it["entry"].clone());
    entries.filter(|entry| entry.to_string().contains(serial)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn calls_over_both_suites_and_the_other_listener_beside_them() {
    let mut hospital = Hospital::open();
    let address = open(&mut hospital);
    let doctor = holder(&hospital, DOCTOR.key);
    for (suite, number) in [(SM4_GCM_SM3, 0x00C6), (SM4_CCM_SM3, 0x00C7)] {
        let stream = dial(&client(&hospital, &doctor, &[suite]), &address).await.unwrap();
        let chosen = stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(chosen, CipherSuite::Unknown(number));
        let channel = over(stream).await;
        let token = open_session(&channel, &doctor).await.unwrap();
        list(channel, &token).await.unwrap();
    }
    // A desk drives a card over it; the ordinary listener serves as before.
    let desk = holder(&hospital, DESK.key);
    let channel = over(dial(&settings(&hospital, DESK.key), &address).await.unwrap()).await;
    let token = open_session(&channel, &desk).await.unwrap();
    let mut relay = Relay::open(bearing(channel, &token)).await.unwrap();
    let outcome = present(&mut relay, &mut card(&hospital.card_image())).await;
    assert_eq!(outcome.reading().name, PATIENT.name);
    let mut visits = VisitsClient::new(log_in(&hospital.stage, DOCTOR.key).await);
    visits.list(ListVisitsRequest::default()).await.unwrap();
    // The service's own certificate is none of those on record, and good.
    let made = ["audit", "search", "--action", "certificate.issue"];
    let made = hospital.granted("auditor", &made).to_string();
    assert_eq!(made.matches("\"authority\":\"national\"").count(), 2, "draft and signed: {made}");
    // It is kept at the next start.
    hospital.restart();
    let again = hospital.granted("auditor", &["audit", "search", "--action", "certificate.issue"]);
    assert_eq!(again.to_string().matches("\"authority\":\"national\"").count(), 2);
}

#[test]
fn the_command_line_speaks_it_and_says_who_is_not_believed() {
    let mut hospital = Hospital::open();
    let address = open(&mut hospital);
    let run = |who: &str, arguments: &[&str]| healthcard(&hospital, &address, who, arguments, &[]);
    granted(&run(DOCTOR.key, &["visit", "list"]));
    // No reader is here, which `doctor` says as well.
    let told = run(DOCTOR.key, &["doctor"]).stdout;
    assert!(told.contains("national TLS"), "{told}");

    // The root beside the identity is enough; another is not believed; without one nobody is.
    let identity = hospital.stage.identity(DOCTOR.key);
    let server = format!("national://{address}");
    let with = |root: Option<&str>| {
        let programs = hospital.stage.programs();
        let mut command = programs.command(Program::Healthcard);
        command.args(["--json", "--server", &server, "--as"]).arg(&identity);
        command.args(root.into_iter().flat_map(|root| ["--national-root", root]));
        command.args(["visit", "list"]);
        programs.finish(Program::Healthcard, command).unwrap()
    };
    assert_eq!(refusal(&with(None)), "NATIONAL_ROOT_MISSING");
    std::fs::copy(hospital.stage.path("data/root.pem"), identity.join("root.pem")).unwrap();
    granted(&with(None));
    let other = Hospital::founded();
    let foreign = other.stage.path("data/root.pem").to_string_lossy().into_owned();
    assert_eq!(refusal(&with(Some(&foreign))), "SERVICE_UNTRUSTED");
    let not_one = hospital.stage.write("records/none.pem", b"no certificate").unwrap();
    assert_eq!(refusal(&with(Some(&not_one.to_string_lossy()))), "NATIONAL_ROOT_MALFORMED");

    // Somebody of another county, who believes this service.
    let stranger = other.stage.identity(DOCTOR.key);
    std::fs::copy(hospital.stage.path("data/root.pem"), stranger.join("root.pem")).unwrap();
    let programs = hospital.stage.programs();
    let mut command = programs.command(Program::Healthcard);
    command.args(["--json", "--server", &server, "--as"]).arg(&stranger).args(["visit", "list"]);
    let finished = programs.finish(Program::Healthcard, command).unwrap();
    assert_eq!(refusal(&finished), "CERTIFICATE_NOT_ACCEPTED");

    // Suspended and released, then revoked; the log has it once a minute for each certificate.
    let number = serial(&hospital, DOCTOR.key);
    hospital.granted("operator", &["identity", "suspend", "--serial", &number]);
    assert_eq!(refusal(&run(DOCTOR.key, &["visit", "list"])), "CERTIFICATE_REVOKED");
    assert_eq!(refusal(&run(DOCTOR.key, &["visit", "list"])), "CERTIFICATE_REVOKED");
    let left = refusals(&hospital, &number);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].to_string().contains("CERTIFICATE_SUSPENDED"), "{left:?}");
    hospital.granted("operator", &["identity", "release", "--serial", &number]);
    granted(&run(DOCTOR.key, &["visit", "list"]));
    let number = serial(&hospital, COLLEAGUE.key);
    hospital.granted(
        "operator",
        &["identity", "revoke", "--serial", &number, "--reason", "key-compromise"],
    );
    assert_eq!(refusal(&run(COLLEAGUE.key, &["visit", "list"])), "CERTIFICATE_REVOKED");
    assert_eq!(refusals(&hospital, &number).len(), 1);
}

/// The desk agent, with a real PC/SC daemon.
#[test]
fn the_desk_agent_reads_cards_over_it() {
    in_private_space(|| {
        let mut hospital = Hospital::open();
        let address = open(&mut hospital);
        let stage = &hospital.stage;
        let _daemon = PcscDaemon::start(&stage.path("log/pcscd")).unwrap();
        let mut readers = VirtualReaders::start(stage).unwrap();
        let agent = command(&hospital, &address, DESK.key, &["desk"]);
        let mut desk = Desk::started(agent, &stage.path("log/desk")).unwrap();
        readers.insert(0, &hospital.card_image()).unwrap();
        let event = desk.outcome().unwrap();
        assert_eq!(event["reading"]["name"], PATIENT.name, "{event}");
    });
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn strangers_and_what_is_not_for_logging_in_are_refused_at_the_handshake() {
    let mut hospital = Hospital::open();
    let address = open(&mut hospital);
    let mut nobody = Arc::unwrap_or_clone(settings(&hospital, DOCTOR.key));
    nobody.client_auth_cert_resolver = Arc::new(NoCertificate);
    let nobody = Arc::new(nobody);
    assert_eq!(alert(&nobody, &address).await, AlertDescription::CertificateRequired);
    let other = Hospital::founded();
    let stranger = client(&hospital, &holder(&other, DOCTOR.key), &[SM4_GCM_SM3]);
    assert_eq!(alert(&stranger, &address).await, AlertDescription::UnknownCA);
    // Somebody's certificate, and not the key to it.
    let doctor = holder(&hospital, DOCTOR.key);
    let genuine = ca::Certificate::parse(&doctor.certificate).unwrap();
    let thief = thief(&hospital, &genuine);
    assert_eq!(alert(&thief, &address).await, AlertDescription::DecryptError);
    // An ordinary client, and one that speaks no TLS at all.
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let ordinary = ClientConfig::builder_with_provider(ring)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let told = alert(&Arc::new(ordinary), &address).await;
    assert_eq!(told, AlertDescription::HandshakeFailure);
    let mut plain = TcpStream::connect(&address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(LONG, plain.read_to_end(&mut heard)).await.unwrap();
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    // None of them is in the log, and the others come in.
    let search = ["audit", "search", "--action", "session.open", "--outcome", "refused"];
    assert_eq!(hospital.granted("auditor", &search)["entries"], json!([]));
    granted(&healthcard(&hospital, &address, DOCTOR.key, &["visit", "list"], &[]));
}

/// Who shows somebody's certificate, and signs with a key of their own.
fn thief(hospital: &Hospital, certificate: &ca::Certificate) -> Arc<ClientConfig> {
    struct Other(Arc<dyn hsm::Sm2Signer>, Vec<u8>);
    impl national_tls::HandshakeKey for Other {
        fn public_key(&self) -> Vec<u8> {
            self.1.clone()
        }

        fn sign(
            &self,
            identifier: &str,
            message: &[u8],
        ) -> Result<Vec<u8>, national_tls::CannotSign> {
            national_tls::HandshakeKey::sign(&self.0, identifier, message)
        }
    }
    let key = Other(Arc::new(SecretKey::generate()), certificate.public_key().to_spki_der());
    let chain = vec![certificate.der().to_vec().into()];
    let own = national_tls::certified(chain, key).unwrap();
    let mut config = Arc::unwrap_or_clone(settings(hospital, DOCTOR.key));
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(own));
    Arc::new(config)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_belongs_to_whoever_opened_the_connection() {
    let mut hospital = Hospital::open();
    let address = open(&mut hospital);
    let doctor = holder(&hospital, DOCTOR.key);
    let connect =
        async |who: &str| over(dial(&settings(&hospital, who), &address).await.unwrap()).await;
    let of_doctor = connect(DOCTOR.key).await;
    let of_colleague = connect(COLLEAGUE.key).await;
    let token = open_session(&of_doctor, &doctor).await.unwrap();
    list(of_doctor.clone(), &token).await.unwrap();

    // The doctor's session in the colleague's hands, as often as they like: one alert a minute.
    for _ in 0..3 {
        let refused = list(of_colleague.clone(), &token).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused)),
            (Code::PermissionDenied, "PEER_MISMATCH".to_owned())
        );
    }
    let search = ["audit", "search", "--action", "session.open", "--alerts"];
    let alerts = hospital.granted("auditor", &search);
    assert_eq!(alerts["entries"].as_array().unwrap().len(), 1, "{alerts}");
    let told = alerts.to_string();
    assert!(
        told.contains("session-of-another") && told.contains(&serial(&hospital, COLLEAGUE.key))
    );
    list(of_doctor.clone(), &token).await.expect("it goes on where it belongs");

    // The doctor's key and certificate, over the colleague's connection.
    let refused = open_session(&of_colleague, &doctor).await.unwrap_err();
    assert_eq!(reason(&refused), "PEER_MISMATCH");
    let colleague = holder(&hospital, COLLEAGUE.key);
    let own = open_session(&of_colleague, &colleague).await.unwrap();
    list(of_colleague, &own).await.unwrap();
    // What needs no session is open here as well, and a session is not one of the other listener's fault.
    let certificate = doctor.certificate.clone();
    let mut sessions = SessionsClient::new(of_doctor);
    sessions.challenge(ChallengeRequest { certificate }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_of_tls_is_resumed_and_not_by_who_was_revoked_meanwhile() {
    let mut hospital = Hospital::open();
    let address = open(&mut hospital);
    let doctor = holder(&hospital, DOCTOR.key);
    let config = settings(&hospital, DOCTOR.key);
    // The ticket comes with the first answer.
    let mut kinds = Vec::new();
    let mut last = None;
    for _ in 0..3 {
        let stream = dial(&config, &address).await.unwrap();
        kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        let channel = over(stream).await;
        let token = open_session(&channel, &doctor).await.unwrap();
        list(channel.clone(), &token).await.unwrap();
        last = Some((channel, token));
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed]);

    let number = serial(&hospital, DOCTOR.key);
    let revoke = ["identity", "revoke", "--serial", &number, "--reason", "key-compromise"];
    hospital.granted("operator", &revoke);
    // The connection that stands: its session ended, and another does not begin.
    let (channel, token) = last.unwrap();
    assert_eq!(reason(&list(channel.clone(), &token).await.unwrap_err()), "SESSION_INVALID");
    let refused = open_session(&channel, &doctor).await.unwrap_err();
    assert_eq!(reason(&refused), "CERTIFICATE_REVOKED");
    // One that is resumed: every call is told why, even such as strangers may make.
    let stream = dial(&config, &address).await.unwrap();
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
    let channel = over(stream).await;
    let certificate = doctor.certificate.clone();
    let mut sessions = SessionsClient::new(channel);
    let refused = sessions.challenge(ChallengeRequest { certificate }).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused)),
        (Code::Unauthenticated, "CERTIFICATE_REVOKED".to_owned())
    );
    // And a new one is none.
    let fresh = settings(&hospital, DOCTOR.key);
    assert_eq!(alert(&fresh, &address).await, AlertDescription::CertificateRevoked);
    assert!(!refusals(&hospital, &number).is_empty());
}

#[test]
fn expired_certificates_are_refused_and_the_services_own_is_renewed() {
    assert!(std::path::Path::new(LIBFAKETIME).exists(), "no libfaketime: run scripts/setup");
    let mut hospital = Hospital::open();
    open(&mut hospital);
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let later = [
        ("LD_PRELOAD", LIBFAKETIME),
        ("FAKETIME", "+1000d"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    hospital
        .stage
        .serve_with(|mut command| {
            command.envs(later);
            command
        })
        .unwrap();
    let address = address(&mut hospital);
    // The service's certificate was good for a year; the doctor's for two.
    let finished = healthcard(&hospital, &address, DOCTOR.key, &["visit", "list"], &later);
    assert_eq!(refusal(&finished), "CERTIFICATE_EXPIRED");
    // Whose clock is right does not believe a certificate of the future.
    let finished = healthcard(&hospital, &address, DOCTOR.key, &["visit", "list"], &[]);
    assert_eq!(refusal(&finished), "SERVICE_UNTRUSTED");
}

/// Handshakes that are begun and never ended: they hold no more than their connections, which are bounded, and neither
/// this listener nor the other waits for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stalled_handshakes_are_bounded_and_hold_nobody_up() {
    let mut hospital = Hospital::open();
    let address = open(&mut hospital);
    let config = settings(&hospital, DOCTOR.key);
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut hello = Vec::new();
    let mut stalled = rustls::ClientConnection::new(config, name).unwrap();
    stalled.write_tls(&mut hello).unwrap();
    let begin = async |octets: &[u8]| -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_all(octets).await?;
        Ok(stream)
    };
    // Nothing, half a hello, a whole one whose answer is never read.
    let mut open = Vec::new();
    for number in 0..300 {
        let said = [&hello[..0], &hello[..hello.len() / 2], &hello[..]][number % 3];
        open.push(begin(said).await.unwrap());
    }
    granted(&healthcard(&hospital, &address, DOCTOR.key, &["visit", "list"], &[]));
    hospital.granted(DOCTOR.key, &["visit", "list"]);
    for _ in 300..512 {
        open.push(begin(&hello).await.unwrap());
    }
    // Beyond its share a peer is closed at once; the ordinary listener counts for itself.
    let mut beyond = TcpStream::connect(&address).await.unwrap();
    let read = tokio::time::timeout(LONG, beyond.read(&mut [0])).await.expect("in time");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    hospital.granted(DOCTOR.key, &["visit", "list"]);
    // The service itself ends them after ten seconds.
    let mut first = open.swap_remove(0);
    let read = tokio::time::timeout(LONG, first.read_to_end(&mut Vec::new())).await;
    read.expect("it is closed").ok();
    drop(open);
    let answered = async {
        let run = || healthcard(&hospital, &address, DOCTOR.key, &["visit", "list"], &[]);
        while run().code != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, answered).await.expect("in time");
}
