//! Who sees which data: asked beforehand, explained, and by rules of the institution's own.

use std::fs;

use serde_json::Value;
use service::demo::people::{CLERK, COLLEAGUE, DOCTOR};
use service::policy::{SHIPPED, Texts};
use tests::hospital::{Hospital, programs, text};
use tests::relay;

fn wanted<'a>(act: &'a str, visit: &'a str, grade: &'a str) -> Vec<&'a str> {
    vec!["token", act, "--visit", visit, "--classes", "health,care", "--grade", grade]
}

#[tokio::test]
async fn a_decision_is_explained_before_it_is_asked_for() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let explained = |who: &str, grade: &str| -> Value {
        hospital.granted(who, &wanted("explain", &visit, grade))
    };
    let allowed = explained(DOCTOR.key, "4");
    assert_eq!(allowed["allowed"], true);
    assert_eq!(text(&allowed, "rule"), "doctor-treats");
    assert_eq!(allowed["relations"], serde_json::json!(["attending"]));
    assert!(text(&allowed, "rule_zh").contains("接诊医师"), "{allowed}");
    let refused = explained(DOCTOR.key, "5");
    assert_eq!(refused["allowed"], false);
    assert_eq!(
        text(&refused, "missing_en"),
        "a tie to this resident: the resident's consent, or a rule that covers data above grade 4"
    );
    let refused = explained(COLLEAGUE.key, "5");
    assert_eq!(text(&refused, "rule"), "relation-to-resident");
    assert!(text(&refused, "grantor_zh").contains("窗口"), "{refused}");
    // What is explained is what is then decided.
    let issue =
        |grade| [wanted("issue", &visit, grade), vec!["--audience", "emr.example"]].concat();
    hospital.granted(DOCTOR.key, &issue("4"));
    hospital.refused(DOCTOR.key, &issue("5"), "GRADE_TOO_HIGH");
    hospital.refused(COLLEAGUE.key, &issue("5"), "NO_RELATION");
    hospital.refused(CLERK.key, &wanted("explain", &visit, "1"), "ROLE_NOT_ALLOWED");
    hospital.granted(CLERK.key, &["visit", "close", &visit]);
    assert_eq!(text(&explained(DOCTOR.key, "4"), "rule"), "visit-open");

    // The log has what each was decided on, and for what reason.
    let order = ["audit", "search", "--action", "token.explain", "--page-size", "100"];
    let told = hospital.granted("auditor", &order).to_string();
    for said in ["doctor-treats", "grade-covered", "relation-to-resident", "visit-open"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let order = ["audit", "search", "--action", "token.issue", "--outcome", "refused"];
    let told = hospital.granted("auditor", &order).to_string();
    for said in ["health,care", "records-region", "\"grade\"", "relations"] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

/// Rules of an institution's own are looked at before they are used, and used as they are.
#[tokio::test]
async fn an_institution_writes_rules_of_its_own() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let rules = hospital.stage.path("data/rules");
    let run = |arguments: &[&str]| {
        let mut command = programs().command(service::demo::programs::Program::Healthcardd);
        let output = command.arg("policy").args(arguments).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        (output.status.success(), out, err)
    };
    let folder = rules.to_str().unwrap();
    assert!(run(&["new", folder]).0);
    assert!(!run(&["new", folder]).0, "written over");
    let (good, told, _) = run(&["tell", folder, "--lang", "en"]);
    assert!(good && told.contains("Allowed by doctor-treats"), "{told}");
    assert!(run(&["schema"]).1.contains("entity Relation enum"));

    let shipped = SHIPPED.access.into_owned();
    let [_, access, cases] = Texts::FILES.map(|name| rules.join(name));
    let care = "@id(\"no-care-data\") @zh(\"本院医疗应用数据须质控科同意\") @en(\"care data take the consent of quality control\")
        @missing_zh(\"质控科同意\") @missing_en(\"the consent of quality control\")
        @grantor_zh(\"质控科\") @grantor_en(\"quality control\")
        forbid (principal, action == Action::\"access\", resource)
        when { context.classes.contains(Class::\"care\") };\n";
    fs::write(&access, format!("{shipped}{care}")).unwrap();
    let (good, _, why) = run(&["tell", folder]);
    assert!(!good && why.contains("no-care-data"), "{why}");
    let settings = hospital.stage.path("data/healthcard.toml");
    let before = fs::read_to_string(&settings).unwrap();
    // Rules that decide a case otherwise, or speak of what there is not, are not signed, and what is not signed keeps
    // the service from starting.
    fs::write(&settings, format!("policy = \"rules\"\n{before}")).unwrap();
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let sign = ["policy", "sign", folder];
    assert!(hospital.healthcardd(&sign).stderr.contains("no-care-data"));
    assert!(hospital.stage.serve().is_err());
    fs::write(&cases, "").unwrap();
    fs::write(&access, format!("{shipped}{}", care.replace("context.classes", "context.kinds")))
        .unwrap();
    assert_eq!(hospital.healthcardd(&sign).code, 1);
    fs::write(&access, format!("{shipped}{care}")).unwrap();
    assert!(hospital.stage.serve().is_err());
    let signed = hospital.healthcardd(&sign);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    assert!(signed.stdout.contains("+ @id(\"no-care-data\")"), "{}", signed.stdout);
    hospital.stage.serve().unwrap();

    let order = [wanted("issue", &visit, "3"), vec!["--audience", "emr.example"]].concat();
    let refused = hospital.refused(DOCTOR.key, &order, "FORBIDDEN_BY_RULE");
    assert!(refused.to_string().contains("质控科同意"), "{refused}");
    let health = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    hospital.granted(DOCTOR.key, &[&health[..], &["--audience", "emr.example"]].concat());
}
