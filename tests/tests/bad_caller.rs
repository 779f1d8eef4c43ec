//! Callers with wrong certificates, used challenges, altered tokens and huge requests.

use std::sync::Arc;

use ca::{Authority, Issuer, Name, Order, Profile, Serial};
use hsm::sm2::SecretKey;
use hsm::soft::{Passphrase, SoftKeystore};
use hsm::{KeyUse, Keystore as _, Sm2Signer};
use proto::v1::sessions_client::SessionsClient;
use proto::v1::tokens_client::TokensClient;
use proto::v1::visits_client::VisitsClient;
use proto::v1::{
    ChallengeRequest, CloseVisitRequest, DataClass, IntrospectTokenRequest, IssueTokenRequest,
    ListVisitsRequest, Purpose, RevokeTokenRequest,
};
use service::demo::people::{COLLEAGUE, DOCTOR, RECORDS, Staff};
use tests::grpc::{Holder, bearing, connect, log_in, open_session, reason};
use tests::hospital::{Hospital, text};
use tests::relay;
use tonic::{Code, Status};

/// Where Debian puts it.
const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[track_caller]
fn refusal<T>(outcome: Result<T, Status>) -> String {
    match outcome {
        Ok(_) => panic!("granted where it had to be refused"),
        Err(status) => reason(&status),
    }
}

#[tokio::test]
async fn a_login_challenge_is_good_once_and_for_one_certificate() {
    let hospital = Hospital::open();
    let channel = connect(&hospital.stage).await;
    let mut sessions = SessionsClient::new(channel.clone());
    let doctor = Holder::read(&hospital.stage.identity(DOCTOR.key));
    let colleague = Holder::read(&hospital.stage.identity(COLLEAGUE.key));
    let asked = SessionsClient::new(channel.clone());
    let challenge = async |holder: &Holder| {
        let certificate = holder.certificate.clone();
        asked.clone().challenge(ChallengeRequest { certificate }).await.unwrap().into_inner()
    };

    let fresh = challenge(&doctor).await;
    let answer = doctor.answer(&fresh);
    assert_ne!(fresh.challenge, challenge(&doctor).await.challenge);
    sessions.open(answer.clone()).await.unwrap();
    assert_eq!(refusal(sessions.open(answer).await), "CHALLENGE_INVALID", "replayed");
    // One that is refused costs nothing, and a login in between has it forgotten: what is tried on and on is locked.
    open_session(&channel, &doctor).await.unwrap();

    let of_doctor = challenge(&doctor).await;
    let stolen = colleague.answer(&of_doctor);
    assert_eq!(refusal(sessions.open(stolen).await), "CHALLENGE_INVALID", "somebody else's");

    let mut made_up = doctor.answer(&challenge(&doctor).await);
    made_up.challenge = vec![0; 32];
    assert_eq!(refusal(sessions.open(made_up).await), "CHALLENGE_INVALID", "made up");
    open_session(&channel, &doctor).await.unwrap();

    let mut signed_by_other = colleague.answer(&challenge(&doctor).await);
    signed_by_other.certificate = doctor.certificate.clone();
    assert_eq!(refusal(sessions.open(signed_by_other).await), "SIGNATURE_INVALID");

    for signature in [Vec::new(), vec![0; 64], vec![0xFF; 64], vec![1; 72]] {
        open_session(&channel, &doctor).await.unwrap();
        let mut answer = doctor.answer(&challenge(&doctor).await);
        answer.signature = signature;
        assert_eq!(refusal(sessions.open(answer).await), "SIGNATURE_INVALID");
    }
    open_session(&channel, &doctor).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn certificates_of_nobody_of_others_and_of_the_past() {
    let mut hospital = Hospital::open();
    let channel = connect(&hospital.stage).await;
    let doctor = hospital.stage.identity(DOCTOR.key);
    let key = || {
        SecretKey::from_pkcs8_pem(&std::fs::read_to_string(doctor.join("key.pem")).unwrap())
            .unwrap()
    };
    let genuine = Holder::read(&doctor);

    // Not certificates at all, and one with a byte after its end.
    let trailing = [&genuine.certificate[..], &[0]].concat();
    for certificate in [Vec::new(), vec![0x30, 0x00], vec![0x30; 4096], trailing] {
        let stranger = Holder::new(certificate, Arc::new(key()));
        assert_eq!(refusal(open_session(&channel, &stranger).await), "CERTIFICATE_MALFORMED");
    }

    // One that another hospital's root vouches for.
    let other = Hospital::founded();
    let stranger = Holder::read(&other.stage.identity(DOCTOR.key));
    assert_eq!(refusal(open_session(&channel, &stranger).await), "CERTIFICATE_UNTRUSTED");

    // A genuine one of an authority, whose key is not for logging in.
    let (authority, signer) = authority_for_people(&hospital);
    let stranger = Holder::new(authority.der().to_vec(), signer);
    assert_eq!(refusal(open_session(&channel, &stranger).await), "CERTIFICATE_WRONG_USE");

    // Revoked: its session ends at once, and it opens no other.
    let session = bearing(channel.clone(), &open_session(&channel, &genuine).await.unwrap());
    let mut visits = VisitsClient::new(session);
    visits.list(ListVisitsRequest::default()).await.unwrap();
    let serial = text(&hospital.granted(DOCTOR.key, &["key", "show"])["certificate"], "serial");
    hospital.granted(
        "operator",
        &["identity", "revoke", "--serial", &serial, "--reason", "key-compromise"],
    );
    assert_eq!(refusal(visits.list(ListVisitsRequest::default()).await), "SESSION_INVALID");
    assert_eq!(refusal(open_session(&channel, &genuine).await), "CERTIFICATE_REVOKED");

    // Expired: the service believes that it is four years later.
    // A service that ends waits for its callers a while; there shall be none.
    drop((visits, channel));
    serve_later(&mut hospital, "+1500d");
    let channel = connect(&hospital.stage).await;
    let late = Holder::read(&hospital.stage.identity(COLLEAGUE.key));
    assert_eq!(refusal(open_session(&channel, &late).await), "CERTIFICATE_EXPIRED");
}

/// Starts the service again, in the belief that this much time has passed.
fn serve_later(hospital: &mut Hospital, offset: &str) {
    assert!(std::path::Path::new(LIBFAKETIME).exists(), "no libfaketime: run scripts/setup");
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    hospital
        .stage
        .serve_with(|mut command| {
            command.env("LD_PRELOAD", LIBFAKETIME).env("FAKETIME", offset);
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            command
        })
        .unwrap();
}

/// Certificate and key of the authority for people, as somebody has them who stole keystore and passphrase.
fn authority_for_people(hospital: &Hospital) -> (ca::Certificate, Arc<dyn Sm2Signer>) {
    let stage = &hospital.stage;
    let passphrase = Passphrase::from_file(&stage.path("passphrase")).unwrap();
    let keystore = SoftKeystore::open(&stage.path("data/keystore.hck"), &passphrase).unwrap();
    let reference = "soft:ca-people".parse().unwrap();
    let signer = keystore.signer(&reference, KeyUse::SignCertificates).unwrap();
    let directory = stage.path("ca");
    hospital.granted("emr", &["authority", "export", "--out", &directory.to_string_lossy()]);
    let issuers = std::fs::read_to_string(directory.join("issuers.pem")).unwrap();
    let people = issuers
        .split_inclusive("-----END CERTIFICATE-----\n")
        .map(|pem| ca::Certificate::from_pem(pem).unwrap())
        .find(|certificate| certificate.public_key() == signer.public_key())
        .expect("the authority for people");
    (people, signer)
}

/// Signed by a genuine authority, but on no record: whoever has the key of an authority still cannot get in unseen.
#[tokio::test]
async fn a_certificate_that_is_on_no_record() {
    let hospital = Hospital::open();
    let (people, signer) = authority_for_people(&hospital);
    let key = SecretKey::generate();
    let doctor = &hospital.staff[DOCTOR.key];
    let order = Order {
        profile: Profile::Person,
        subject: Name::of_identity(&hospital.institution_id, "doctor", doctor).unwrap(),
        public_key: key.public().clone(),
        days: None,
        identifiers: Vec::new(),
    };
    let now = people.not_before() + time::Duration::SECOND;
    let issuer = Issuer::new(people, Authority::People).unwrap();
    let draft = issuer.draft(order, Serial::from_random([7; 16]), now).unwrap();
    let forged = draft.sign(&*signer).unwrap();
    let stranger = Holder::new(forged.der().to_vec(), Arc::new(key));
    let channel = connect(&hospital.stage).await;
    assert_eq!(refusal(open_session(&channel, &stranger).await), "CERTIFICATE_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_ends_by_itself() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let issued = hospital.granted(
        DOCTOR.key,
        &[
            "token",
            "issue",
            "--visit",
            &visit,
            "--grade",
            "2",
            "--classes",
            "health",
            "--audience",
            "emr.example",
        ],
    );
    let token =
        hospital.stage.write("records/token.jws", text(&issued, "token").as_bytes()).unwrap();
    let token = token.to_string_lossy().into_owned();
    let order = ["token", "introspect", "--token", &token, "--audience", "emr.example"];
    assert_eq!(hospital.granted(RECORDS.key, &order)["active"], true);
    // The rule gives a doctor 900 seconds.
    serve_later(&mut hospital, "+901s");
    let said = hospital.ask(RECORDS.key, &order).body;
    assert_eq!(
        (&said["active"], text(&said, "inactive_reason").as_str()),
        (&false.into(), "EXPIRED")
    );
}

#[tokio::test]
async fn tokens_that_are_altered_ended_or_for_others() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let mut doctor = TokensClient::new(log_in(&hospital.stage, DOCTOR.key).await);
    let mut records = TokensClient::new(log_in(&hospital.stage, RECORDS.key).await);
    let order = IssueTokenRequest {
        visit_id: visit.clone(),
        purpose: Purpose::Treatment.into(),
        grade: 3,
        classes: vec![DataClass::Health.into()],
        audience: "emr.example".to_owned(),
        lifetime_seconds: 0,
        ..IssueTokenRequest::default()
    };
    let issued = doctor.issue(order.clone()).await.unwrap().into_inner();
    let mut ask = async |token: &str, audience: &str| {
        let (token, audience) = (token.to_owned(), audience.to_owned());
        let request = IntrospectTokenRequest { token, audience, ..Default::default() };
        let said = records.introspect(request).await.unwrap().into_inner();
        assert_eq!(said.active, said.inactive_reason.is_empty());
        assert_eq!(said.active, !said.resident_id.is_empty(), "says nothing of a bad token");
        said.inactive_reason
    };
    let good = issued.token.as_str();
    assert_eq!(ask(good, "emr.example").await, "");
    assert_eq!(ask(good, "pharmacy.example").await, "OTHER_AUDIENCE");

    // Every kind of change to every part.
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let flip = |part: &str, at: usize| {
        let mut bytes = part.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let altered = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}."),
        format!(" {good}"),
        format!("{good}="),
        format!("{}.{payload}.{signature}", flip(header, 5)),
        format!("{header}.{}.{signature}", flip(payload, 20)),
        format!("{header}.{payload}.{}", flip(signature, 3)),
        format!("{header}.{payload}."),
        format!("{signature}.{payload}.{header}"),
        "A".repeat(4_096),
    ];
    for token in altered {
        let start: String = token.chars().take(30).collect();
        assert_eq!(ask(&token, "emr.example").await, "MALFORMED_OR_FORGED", "{start}…");
    }

    // Ended by its holder; asking twice is no error.
    let token_id = issued.token_id.clone();
    for receipt in [true, false] {
        let ended = doctor.revoke(RevokeTokenRequest { token_id: token_id.clone() }).await.unwrap();
        assert_eq!(ended.get_ref().receipt.is_some(), receipt);
    }
    assert_eq!(ask(good, "emr.example").await, "REVOKED");

    // Ended with its visit.
    let another = doctor.issue(order.clone()).await.unwrap().into_inner();
    VisitsClient::new(log_in(&hospital.stage, DOCTOR.key).await)
        .close(CloseVisitRequest { visit_id: visit })
        .await
        .unwrap();
    assert_eq!(ask(&another.token, "emr.example").await, "VISIT_CLOSED");
    assert_eq!(refusal(doctor.issue(order).await), "VISIT_CLOSED");
}

/// What an access rule does not give is refused with its own reason, and the refusal says who can help.
#[tokio::test]
async fn access_beyond_the_rules() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let order = IssueTokenRequest {
        visit_id: visit,
        purpose: Purpose::Treatment.into(),
        grade: 3,
        classes: vec![DataClass::Health.into()],
        audience: "emr.example".to_owned(),
        lifetime_seconds: 0,
        ..IssueTokenRequest::default()
    };
    let with = |change: &dyn Fn(&mut IssueTokenRequest)| {
        let mut order = order.clone();
        change(&mut order);
        order
    };
    let nowhere = "0190163d-8694-739b-aea5-966c26f8ad91";
    let cases: [(&Staff, IssueTokenRequest, &str); 9] = [
        (&COLLEAGUE, order.clone(), "NO_RELATION"),
        (&RECORDS, order.clone(), "ROLE_NOT_ALLOWED"),
        (&DOCTOR, with(&|o| o.grade = 5), "GRADE_TOO_HIGH"),
        (&DOCTOR, with(&|o| o.grade = 6), "FIELD_INVALID"),
        (&DOCTOR, with(&|o| o.purpose = Purpose::Payment.into()), "PURPOSE_NOT_ALLOWED"),
        (&DOCTOR, with(&|o| o.classes = vec![DataClass::Payment.into()]), "CLASS_NOT_ALLOWED"),
        (&DOCTOR, with(&|o| o.classes.clear()), "FIELD_INVALID"),
        (&DOCTOR, with(&|o| o.audience = "x".repeat(129)), "FIELD_INVALID"),
        (&DOCTOR, with(&|o| o.visit_id = nowhere.to_owned()), "VISIT_NOT_FOUND"),
    ];
    for (staff, order, expected) in cases {
        let mut tokens = TokensClient::new(log_in(&hospital.stage, staff.key).await);
        assert_eq!(refusal(tokens.issue(order).await), expected, "{}", staff.en);
    }
    // Each refusal that concerned the resident is in the log.
    let order = ["audit", "search", "--resident", &hospital.resident_id, "--outcome", "refused"];
    let found = hospital.granted("auditor", &order);
    assert_eq!(found["entries"].as_array().unwrap().len(), 4, "{found}");
}

#[tokio::test]
async fn requests_of_four_megabytes_and_sessions_that_are_none() {
    let hospital = Hospital::open();
    let channel = connect(&hospital.stage).await;
    let mut sessions = SessionsClient::new(channel.clone());
    let huge = ChallengeRequest { certificate: vec![0x30; 4 << 20] };
    let status = sessions.challenge(huge).await.unwrap_err();
    assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{status}");

    for (token, expected) in [("x", "SESSION_INVALID"), ("", "SESSION_INVALID")] {
        let mut visits = VisitsClient::new(bearing(channel.clone(), token));
        assert_eq!(refusal(visits.list(ListVisitsRequest::default()).await), expected);
    }
    let mut visits = VisitsClient::new(channel.clone());
    assert_eq!(refusal(visits.list(ListVisitsRequest::default()).await), "SESSION_MISSING");

    let doctor = Holder::read(&hospital.stage.identity(DOCTOR.key));
    open_session(&channel, &doctor).await.unwrap();
}
