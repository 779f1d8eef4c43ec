//! Sessions of one person at several workstations: seen, and ended from any of them. Logins that fail again and again.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hsm::sm2::SecretKey;
use proto::v1::sessions_client::SessionsClient;
use proto::v1::visits_client::VisitsClient;
use proto::v1::{EndSessionRequest, ListVisitsRequest};
use service::demo::people::{COLLEAGUE, DOCTOR};
use tests::grpc::{Holder, connect, connect_from, log_in, open_session, reason};
use tests::hospital::{Hospital, text};
use tests::relay::open_visit;

#[tokio::test]
async fn a_session_that_was_left_behind_is_ended_by_its_owner_with_its_tokens() {
    let hospital = Hospital::open();
    let visit = open_visit(&hospital).await;
    let order = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    let issued = hospital.granted(DOCTOR.key, &[&order[..], &["--audience", "emr"]].concat());
    let introspected = || {
        let file = hospital.stage.write("token", text(&issued, "token").as_bytes()).unwrap();
        let order = ["token", "introspect", "--token", file.to_str().unwrap()];
        hospital.ask("emr", &[&order[..], &["--audience", "emr"]].concat()).body
    };
    assert_eq!(introspected()["active"], true);

    // Another workstation, and the one that is left: the session of the command line, which asked for the token.
    let elsewhere = log_in(&hospital.stage, DOCTOR.key).await;
    let listed = hospital.granted(DOCTOR.key, &["session", "list"]);
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{listed}");
    let (left, other) = match sessions[0]["this_one"] == true {
        true => (&sessions[0], &sessions[1]),
        false => (&sessions[1], &sessions[0]),
    };
    assert_eq!(text(other, "address"), "127.0.0.1");
    let end = EndSessionRequest { session_id: text(left, "session_id") };
    let colleague = SessionsClient::new(log_in(&hospital.stage, COLLEAGUE.key).await)
        .end(end.clone())
        .await
        .unwrap_err();
    assert_eq!(reason(&colleague), "SESSION_NOT_FOUND");
    for unknown in ["", "00000000000000000000000000000000"] {
        let request = EndSessionRequest { session_id: unknown.to_owned() };
        let refused = SessionsClient::new(elsewhere.clone()).end(request).await.unwrap_err();
        assert_eq!(reason(&refused), "SESSION_NOT_FOUND");
    }
    SessionsClient::new(elsewhere.clone()).end(end.clone()).await.unwrap();
    assert_eq!(text(&introspected(), "inactive_reason"), "SESSION_CLOSED");
    let twice = SessionsClient::new(elsewhere.clone()).end(end).await.unwrap_err();
    assert_eq!(reason(&twice), "SESSION_NOT_FOUND");
    // The other one goes on; the command line logs in anew.
    VisitsClient::new(elsewhere).list(ListVisitsRequest::default()).await.unwrap();
    let listed = hospital.granted(DOCTOR.key, &["session", "list"]);
    let again = listed["sessions"].as_array().unwrap();
    assert!(again.iter().all(|it| it["session_id"] != left["session_id"]), "{listed}");
}

/// A certificate is public: whoever tries it with another key locks it out where they are, and nowhere else.
#[tokio::test]
async fn wrong_signatures_are_slowed_down_and_then_lock_the_place_they_come_from() {
    let mut hospital = Hospital::open();
    hospital.reconfigure(|settings| {
        settings.replace("refusals = 5", "refusals = 3").replace("locked = 900", "locked = 5")
    });
    let doctor = Holder::read(&hospital.stage.identity(DOCTOR.key));
    let stranger = Holder::new(doctor.certificate.clone(), Arc::new(SecretKey::generate()));
    let here = connect(&hospital.stage).await;
    let elsewhere = connect_from(&hospital.stage, Ipv4Addr::new(127, 0, 0, 2)).await;
    let mut beat = tokio::time::interval(Duration::from_millis(50));

    let mut heard = Vec::new();
    while heard.last().is_none_or(|it| it != "LOGIN_LOCKED") {
        beat.tick().await;
        heard.push(reason(&open_session(&here, &stranger).await.unwrap_err()));
    }
    assert_eq!(heard[..3], ["SIGNATURE_INVALID", "SIGNATURE_INVALID", "RATE_LIMITED"], "{heard:?}");
    assert!(heard[3..heard.len() - 1].iter().all(|it| it == "RATE_LIMITED"), "{heard:?}");

    // The right key does not help here, and is told until when; at another desk it does.
    let refused = open_session(&here, &doctor).await.unwrap_err();
    assert_eq!(reason(&refused), "LOGIN_LOCKED");
    assert!(refused.message().contains(", until 20"), "{refused}");
    open_session(&elsewhere, &doctor).await.unwrap();
    open_session(&here, &Holder::read(&hospital.stage.identity(COLLEAGUE.key))).await.unwrap();
    loop {
        beat.tick().await;
        match open_session(&here, &doctor).await {
            Ok(_) => break,
            Err(status) => assert_eq!(reason(&status), "LOGIN_LOCKED"),
        }
    }

    // Whoever was kept out has left a trace, and however often it was tried, the lock is in the log once.
    let search = ["audit", "search", "--action", "session.open", "--outcome", "refused"];
    let found = hospital.granted("auditor", &search);
    let kept_out = found["entries"].as_array().unwrap().iter().filter(|it| {
        let detail = &it["entry"]["detail"];
        detail["reason"] == "LOGIN_LOCKED" && detail["alert"].is_null()
    });
    assert_eq!(kept_out.count(), 1, "{found}");
    let search = ["audit", "search", "--action", "session.open", "--alerts"];
    let found = hospital.granted("auditor", &search);
    let entries = found["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{found}");
    assert_eq!(entries[0]["entry"]["detail"]["reason"], "LOGIN_LOCKED", "{found}");
    assert_eq!(entries[0]["entry"]["detail"]["alert"], "login-locked", "{found}");
}

#[tokio::test]
async fn an_operator_lets_a_certificate_in_again_where_it_was_locked() {
    let mut hospital = Hospital::open();
    hospital.reconfigure(|settings| settings.replace("refusals = 5", "refusals = 3"));
    let doctor = Holder::read(&hospital.stage.identity(DOCTOR.key));
    let stranger = Holder::new(doctor.certificate.clone(), Arc::new(SecretKey::generate()));
    let here = connect(&hospital.stage).await;
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    while reason(&open_session(&here, &stranger).await.unwrap_err()) != "LOGIN_LOCKED" {
        beat.tick().await;
    }

    let search = ["audit", "search", "--action", "session.open", "--alerts"];
    let alert = hospital.granted("auditor", &search)["entries"][0]["entry"].clone();
    let serial = text(&alert["actor"], "certificate");
    let unlock = ["session", "unlock", &serial];
    hospital.refused("clerk", &unlock, "ROLE_NOT_ALLOWED");
    hospital.refused("operator", &["session", "unlock", "ff"], "CERTIFICATE_NOT_FOUND");
    assert_eq!(reason(&open_session(&here, &doctor).await.unwrap_err()), "LOGIN_LOCKED");
    assert_eq!(hospital.granted("operator", &unlock)["addresses"], 1);
    open_session(&here, &doctor).await.unwrap();
    assert_eq!(hospital.granted("operator", &unlock)["addresses"], 0);
    let search = ["audit", "search", "--action", "session.unlock", "--outcome", "granted"];
    let found = hospital.granted("auditor", &search);
    assert_eq!(found["entries"].as_array().unwrap().len(), 2, "{found}");
}
