//! A service whose random generator is not one: what was signed is verified, and nothing is signed.

use hsm::random::{NoRandomness, RandomSource};
use hsm::self_test::{self, SelfTestError};
use hsm::soft::Passphrase;
use proto::v1::tokens_client::TokensClient;
use proto::v1::{DataClass, IntrospectTokenRequest, IssueTokenRequest, Purpose, TokenKeysRequest};
use service::config::Config;
use service::demo::people::{DOCTOR, RECORDS};
use service::serve;
use service::start::{self, Addresses};
use tests::grpc::{connect, log_in};
use tests::hospital::Hospital;
use tests::relay;
use tokio::sync::{oneshot, watch};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// A generator that counts.
struct Counter(u8);

impl RandomSource for Counter {
    fn fill(&mut self, octets: &mut [u8]) -> Result<(), NoRandomness> {
        for octet in octets {
            *octet = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_generator_stops_signing_and_nothing_else() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let mut doctor = TokensClient::new(log_in(&hospital.stage, DOCTOR.key).await);
    let mut records = TokensClient::new(log_in(&hospital.stage, RECORDS.key).await);
    let order = IssueTokenRequest {
        visit_id: visit,
        purpose: Purpose::Treatment.into(),
        grade: 2,
        classes: vec![DataClass::Health.into()],
        audience: "emr.example".to_owned(),
        lifetime_seconds: 0,
        ..IssueTokenRequest::default()
    };
    let token = doctor.issue(order.clone()).await.unwrap().into_inner().token;
    let keys = records.keys(TokenKeysRequest {}).await.unwrap().into_inner();
    hospital.stage.server().unwrap().end().unwrap();

    // The same service on the same address, in this process, with the generator that counts.
    let tested = self_test::run(&mut Counter(0));
    assert!(matches!(tested, Err(SelfTestError::NotRandom { .. })), "{tested:?}");
    let config = Config::load(&hospital.stage.path("data")).unwrap();
    let protection = serve::tls(&config.tls_certificate, &config.tls_key).unwrap();
    let passphrase = Passphrase::from_file(&hospital.stage.path("passphrase")).unwrap();
    let registrar = start::open_tested(config, &passphrase, tested).await.unwrap();
    let ordinary = hospital.stage.url().replacen("https://", "", 1).parse().unwrap();
    let listen = Addresses { ordinary, national: None };
    let ((ready, listening), (stop, stopped)) = (oneshot::channel(), watch::channel(false));
    let service = tokio::spawn(start::run(registrar, listen, protection, stopped, |_| {
        ready.send(()).unwrap();
    }));
    listening.await.unwrap();

    // Open sessions go on, and tokens are told good from bad.
    let mut said_of = async |token: &str| {
        let (token, audience) = (token.to_owned(), "emr.example".to_owned());
        let request = IntrospectTokenRequest { token, audience, ..Default::default() };
        records.introspect(request).await.unwrap().into_inner().inactive_reason
    };
    assert_eq!(said_of(&token).await, "");
    assert_eq!(said_of(&token.replace('.', "..")).await, "MALFORMED_OR_FORGED");
    let published =
        TokensClient::new(connect(&hospital.stage).await).keys(TokenKeysRequest {}).await;
    assert_eq!(published.unwrap().into_inner(), keys);
    // Nothing is granted any more, and health says so.
    let refused = doctor.issue(order).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
    let mut health = HealthClient::new(connect(&hospital.stage).await);
    let status = health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
    assert_eq!(status.into_inner().status(), ServingStatus::NotServing);
    stop.send(true).unwrap();
    service.await.unwrap().unwrap();

    // After a start at which the tests pass it goes on where it was.
    hospital.stage.serve().unwrap();
    let mut health = HealthClient::new(connect(&hospital.stage).await);
    let status = health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
    assert_eq!(status.into_inner().status(), ServingStatus::Serving);
    let copy = hospital.stage.path("log/after.db");
    service::demo::tamper::copy(&hospital.database(), &copy).unwrap();
    assert_eq!(hospital.check_log(&copy).code, 0);
}
