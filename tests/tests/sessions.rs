//! Sessions of one person at several workstations: seen, and ended from any of them.

use proto::v1::sessions_client::SessionsClient;
use proto::v1::visits_client::VisitsClient;
use proto::v1::{EndSessionRequest, ListVisitsRequest};
use service::demo::people::{COLLEAGUE, DOCTOR};
use tests::grpc::{log_in, reason};
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
