//! Numbers for whoever watches the service: given to whom the settings name, and about nobody.

use service::demo::people::{DOCTOR, PATIENT, STAFF};
use service::demo::stage::OPERATOR;
use tests::hospital::Hospital;
use tests::http::{get, post};

const ID_NUMBER: &str = "11010519491231002X";

/// The number of a series.
fn number(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

#[test]
fn numbers_are_given_to_whom_the_settings_name_and_are_about_nobody() {
    let mut hospital = Hospital::open();
    let (head, _) = get(&hospital, "/metrics");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");

    hospital.reconfigure(|settings| {
        settings.replace("readers = \"nobody\"", "readers = \"this_machine\"")
    });
    hospital.granted(DOCTOR.key, &["session", "open"]);
    hospital.granted(OPERATOR, &["session", "open"]);
    hospital.register(PATIENT.name, ID_NUMBER, "");
    let get_own = ["identity", "get", &hospital.staff[DOCTOR.key]];
    hospital.refused(DOCTOR.key, &get_own, "ROLE_NOT_ALLOWED");
    // What callers write is no name of a series.
    let (head, _) = get(&hospital, &format!("/crl/{ID_NUMBER}.crl"));
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let _ = get(&hospital, &format!("/{ID_NUMBER}"));
    assert!(post(&hospital, "/token", &[], b"").0.starts_with("HTTP/1.1 401 "));
    let _ = get(&hospital, &format!("/healthcard.v1.Tokens/{ID_NUMBER}"));

    let (head, body) = get(&hospital, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let text = String::from_utf8(body).unwrap();
    let at_least = |series: &str, least: f64| {
        let found = number(&text, series);
        assert!(found.is_some_and(|found| found >= least), "{series}: {found:?}\n{text}");
    };
    at_least(
        "healthcard_rpc_requests_total{rpc=\"healthcard.v1.Sessions/Open\",outcome=\"OK\"}",
        2.0,
    );
    at_least("healthcard_rpc_duration_seconds_count{rpc=\"healthcard.v1.Sessions/Open\"}", 2.0);
    at_least("healthcard_http_requests_total{route=\"crl\",outcome=\"4xx\"}", 1.0);
    at_least("healthcard_http_requests_total{route=\"token\",outcome=\"4xx\"}", 1.0);
    at_least("healthcard_log_leaves", 10.0);
    at_least("healthcard_log_commits_total", 2.0);
    at_least("healthcard_log_writable", 1.0);
    at_least("healthcard_self_tests_passed", 1.0);
    at_least("healthcard_keystore_unlocked", 1.0);
    at_least("healthcard_devices{state=\"lost\"}", 0.0);
    at_least("healthcard_key_centre_spare_keys", 0.0);
    at_least("healthcard_open_sessions", 2.0);
    for of in ["revocation_list", "time_stamping_certificate", "responder_certificate"] {
        at_least(&format!("healthcard_seconds_to_end{{of=\"{of}\"}}"), 1.0);
    }
    assert!(text.contains(",outcome=\"PERMISSION_DENIED\"} "), "{text}");

    // Each line has the form, and there are only so many.
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(
            series.starts_with("healthcard_") || series == "process_start_time_seconds",
            "{line}"
        );
    }
    assert!(text.lines().count() < 2_000);
    // No name, no number, no identifier, no token.
    let mut never: Vec<String> = vec![ID_NUMBER.into(), PATIENT.name.into(), PATIENT.phone.into()];
    never.extend(STAFF.iter().map(|staff| staff.name.to_owned()));
    never.extend(hospital.staff.values().cloned());
    never.push(hospital.institution_id.clone());
    for who in [DOCTOR.key, OPERATOR] {
        let session = std::fs::read_to_string(hospital.stage.identity(who).join("session"));
        let session: serde_json::Value = serde_json::from_str(&session.unwrap()).unwrap();
        never.push(session["token"].as_str().unwrap().to_owned());
    }
    for secret in never {
        assert!(!text.contains(&secret), "{secret}");
    }
}
