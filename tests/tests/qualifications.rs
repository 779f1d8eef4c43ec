//! Qualifications of clinicians that end: no records are signed, and all else goes on.

use hsm::sm3;
use proto::v1::signing_client::SigningClient;
use proto::v1::{CompleteSignatureRequest, PrepareSignatureRequest};
use serde_json::Value;
use service::demo::people::{CLERK, DOCTOR};
use service::demo::stage::OPERATOR;
use tests::grpc::{Holder, log_in, reason};
use tests::hospital::{Hospital, text};
use tests::relay;

#[tokio::test]
async fn after_the_last_day_nothing_is_signed_and_reading_goes_on() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let id = hospital.staff[DOCTOR.key].clone();
    let note = hospital.stage.write("records/note.txt", b"stable").unwrap();
    let (note, out) = (note.to_string_lossy(), hospital.stage.path("records/note.p7s"));
    let out = out.to_string_lossy();
    let sign =
        ["sign", "--visit", &visit, "--file", &note, "--type", "progress-note", "--out", &out];
    let token = ["token", "issue", "--visit", &visit, "--audience", "emr.example"];
    let token = [&token[..], &["--classes", "health", "--grade", "2"]].concat();
    let until = |day: &str| {
        hospital.granted(OPERATOR, &["identity", "qualify", "--id", &id, "--until", day]);
    };
    hospital.granted(DOCTOR.key, &sign);

    // What was prepared before is not completed after.
    let mut signing = SigningClient::new(log_in(&hospital.stage, DOCTOR.key).await);
    let request = PrepareSignatureRequest {
        visit_id: visit.clone(),
        record_digest: sm3::digest(b"stable").to_vec(),
        record_type: "progress-note".to_owned(),
    };
    let prepared = signing.prepare(request.clone()).await.unwrap().into_inner();
    let holder = Holder::read(&hospital.stage.identity(DOCTOR.key));
    let completion = CompleteSignatureRequest {
        signing_id: prepared.signing_id,
        signature: holder.sign(&prepared.signed_attributes),
    };
    until("2026-01-31");
    let refused = signing.complete(completion.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "QUALIFICATION_ENDED");
    assert_eq!(reason(&signing.prepare(request).await.unwrap_err()), "QUALIFICATION_ENDED");
    let told = hospital.refused(DOCTOR.key, &sign, "QUALIFICATION_ENDED");
    assert!(text(&told, "message").contains("执业资格"), "{told}");

    // Logging in, access to data and signatures of before go on.
    hospital.granted(DOCTOR.key, &["session", "close"]);
    hospital.granted(DOCTOR.key, &["session", "open"]);
    hospital.granted(DOCTOR.key, &token);
    hospital.granted(DOCTOR.key, &["verify", "--file", &note, "--signature", &out]);
    let order = ["audit", "search", "--action", "record.sign", "--outcome", "refused"];
    let refused = hospital.granted("auditor", &order);
    assert_eq!(refused.to_string().matches("QUALIFICATION_ENDED").count(), 3, "{refused}");

    // It is listed until it is prolonged, and shown.
    let ending = ["identity", "ending", "--qualifications", "--within", "30"];
    let list = |who: &str| hospital.granted(who, &ending)["qualifications"].clone();
    let listed = list("auditor");
    assert_eq!(
        (text(&listed[0], "identity_id"), listed.as_array().unwrap().len()),
        (id.clone(), 1)
    );
    hospital.refused(CLERK.key, &ending, "ROLE_NOT_ALLOWED");
    until("2099-12-31");
    assert_eq!(list(OPERATOR), Value::Array(Vec::new()));
    let shown = hospital.granted(OPERATOR, &["identity", "get", &id]);
    assert_eq!(text(&shown, "qualified_until"), "2099-12-31");
    signing.complete(completion).await.unwrap();
    hospital.granted(DOCTOR.key, &sign);
    hospital.granted(OPERATOR, &["identity", "qualify", "--id", &id, "--unlimited"]);

    // Only of those who sign, only a day, and only by operators.
    let clerk = hospital.staff[CLERK.key].clone();
    for (who, id, day, refused) in [
        (OPERATOR, &clerk, "2026-01-31", "FIELD_INVALID"),
        (OPERATOR, &id, "2026-02-30", "FIELD_INVALID"),
        (OPERATOR, &hospital.institution_id, "2026-01-31", "IDENTITY_NOT_FOUND"),
        (DOCTOR.key, &id, "2099-01-01", "ROLE_NOT_ALLOWED"),
    ] {
        hospital.refused(who, &["identity", "qualify", "--id", id, "--until", day], refused);
    }
}
