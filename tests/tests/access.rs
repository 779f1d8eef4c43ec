//! Who sees which data: asked beforehand, explained, and by rules of the institution's own.

use std::fs;

use serde_json::Value;
use service::demo::people::{CLERK, COLLEAGUE, DOCTOR, PATIENT};
use service::demo::programs::Program;
use service::policy::{SHIPPED, Texts};
use tests::hospital::{Hospital, programs, text};
use tests::relay;

fn wanted<'a>(act: &'a str, visit: &'a str, grade: &'a str) -> Vec<&'a str> {
    vec!["token", act, "--visit", visit, "--classes", "health,care", "--grade", grade]
}

/// `healthcardd policy`, without a key: whether it ended well, and what it said.
fn policy(order: &[&str]) -> (bool, String, String) {
    let mut command = programs().command(Program::Healthcardd);
    let output = command.arg("policy").args(order).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    (output.status.success(), out, err)
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
        "the resident's consent to just this, or a rule that covers data above grade 4"
    );
    // For another purpose it is within something else, which they bring about themselves.
    let emergency = [wanted("explain", &visit, "3"), vec!["--purpose", "emergency"]].concat();
    let refused = hospital.granted(DOCTOR.key, &emergency);
    assert_eq!(text(&refused, "rule"), "frame-covered");
    assert!(text(&refused, "missing_zh").contains("healthcard emergency begin"), "{refused}");
    assert!(text(&refused, "grantor_en").starts_with("you"), "{refused}");
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
    let folder = rules.to_str().unwrap();
    assert!(policy(&["new", folder]).0);
    assert!(!policy(&["new", folder]).0, "written over");
    let (good, told, _) = policy(&["tell", folder, "--lang", "en"]);
    assert!(good && told.contains("Allowed by doctor-treats"), "{told}");
    assert!(policy(&["schema"]).1.contains("entity Relation enum"));

    let shipped = SHIPPED.access.into_owned();
    let [_, access, cases] = Texts::FILES.map(|name| rules.join(name));
    let care = "@id(\"no-care-data\") @zh(\"本院医疗应用数据须质控科同意\") @en(\"care data take the consent of quality control\")
        @missing_zh(\"质控科同意\") @missing_en(\"the consent of quality control\")
        @grantor_zh(\"质控科\") @grantor_en(\"quality control\")
        forbid (principal, action == Action::\"access\", resource)
        when { context.classes.contains(Class::\"care\") };\n";
    fs::write(&access, format!("{shipped}{care}")).unwrap();
    let (good, _, why) = policy(&["tell", folder]);
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

/// What was decided comes of the rules of then, also after others came into use; and what others would decide is seen
/// before they do.
#[tokio::test]
async fn decisions_are_made_again_by_the_rules_of_then_and_by_others() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let issue =
        |grade| [wanted("issue", &visit, grade), vec!["--audience", "emr.example"]].concat();
    hospital.granted(DOCTOR.key, &issue("4"));
    hospital.refused(DOCTOR.key, &issue("5"), "GRADE_TOO_HIGH");
    hospital.granted(DOCTOR.key, &wanted("explain", &visit, "4"));
    hospital.granted(DOCTOR.key, &wanted("explain", &visit, "5"));
    hospital.refused(COLLEAGUE.key, &issue("4"), "NO_RELATION");
    hospital.refused(CLERK.key, &issue("1"), "ROLE_NOT_ALLOWED");
    // Refused by the records, which is no decision by rules.
    let nowhere = "00000000-0000-7000-8000-000000000000";
    let nowhere = [wanted("issue", nowhere, "4"), vec!["--audience", "emr.example"]].concat();
    hospital.refused(DOCTOR.key, &nowhere, "VISIT_NOT_FOUND");

    let rules = hospital.stage.path("data/rules");
    let folder = rules.to_str().unwrap();
    let data = hospital.stage.path("data");
    let run = |order: &[&str]| policy(&[order, &["--data", data.to_str().unwrap()]].concat());
    let told = |order: &[&str]| -> Value {
        let (good, out, err) = run(&[order, &["--json"]].concat());
        assert!(good, "{order:?}: {out}{err}");
        serde_json::from_str(&out).unwrap()
    };
    let counts = |told: &Value| {
        assert_eq!(told["unclear"], serde_json::json!([]), "{told}");
        let count = |kind: &str| told[kind]["count"].as_u64().unwrap();
        let kinds = ["opened", "closed", "allowed_otherwise", "refused_otherwise"];
        (told["same"].as_u64().unwrap(), kinds.map(count))
    };
    assert_eq!(counts(&told(&["replay"])), (6, [0; 4]), "while the service runs");
    assert_eq!(counts(&told(&["replay", "--days", "1"])), (6, [0; 4]));

    fs::create_dir(&rules).unwrap();
    for (name, text) in SHIPPED.files() {
        fs::write(rules.join(name), text).unwrap();
    }
    assert_eq!(counts(&told(&["try", folder])), (6, [0; 4]), "they are the same rules");
    let access = rules.join("access.cedar");
    let [higher, renamed, lower] = [
        SHIPPED.access.replacen("context.grade <= 4", "context.grade <= 5", 1),
        SHIPPED.access.replace("@id(\"doctor-treats\")", "@id(\"treats\")"),
        SHIPPED.access.replace("context.grade <= 4", "context.grade <= 3"),
    ]
    .map(|text| {
        fs::write(&access, text).unwrap();
        told(&["try", folder])
    });
    assert_eq!(counts(&higher), (4, [2, 0, 0, 0]));
    let first = &higher["opened"]["first"][0];
    assert_eq!(text(first, "act"), "token.issue");
    assert_eq!(text(first, "identity"), hospital.staff[DOCTOR.key]);
    assert_eq!(text(first, "resident"), hospital.resident_id);
    assert_eq!(text(&first["then"], "rule"), "grade-covered");
    assert_eq!(
        (&first["now"]["allowed"], text(&first["now"], "rule")),
        (&true.into(), "doctor-treats".into())
    );
    assert_eq!(counts(&renamed), (4, [0, 0, 2, 0]));
    assert_eq!(counts(&lower), (4, [0, 2, 0, 0]));

    // For people, in both languages, and no more of them than was asked for.
    fs::write(&access, SHIPPED.access.replacen("context.grade <= 4", "context.grade <= 5", 1))
        .unwrap();
    let (good, zh, _) = run(&["try", folder]);
    assert!(good && zh.contains("原先拒绝，现在准许  2"), "{zh}");
    assert!(
        zh.contains("拒绝 grade-covered → 准许 doctor-treats（依据 attending；脱敏 none）"),
        "{zh}"
    );
    let (_, en, _) = run(&["try", folder, "--lang", "en", "--most", "1"]);
    assert!(en.contains("refused before, allowed now  2") && en.contains("and 1 more"), "{en}");
    for name in [PATIENT.name, DOCTOR.name] {
        assert!(!zh.contains(name) && !en.contains(name), "{zh}{en}");
    }
    fs::write(&access, "permit").unwrap();
    let (good, out, why) = run(&["try", folder]);
    assert!(!good && out.is_empty() && !why.is_empty(), "{out}{why}");

    // By rules of the institution's own, the decisions of before stay those of the shipped ones.
    fs::write(&access, SHIPPED.access.replacen("@id(\"doctor-treats\")", "@id(\"treats\")", 1))
        .unwrap();
    fs::write(rules.join("cases.toml"), "").unwrap();
    let settings = data.join("healthcard.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("policy = \"rules\"\n{before}")).unwrap();
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let signed = hospital.healthcardd(&["policy", "sign", folder]);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    hospital.stage.serve().unwrap();
    let again = hospital.granted(DOCTOR.key, &wanted("explain", &visit, "4"));
    assert_eq!(text(&again, "rule"), "treats");
    assert_eq!(counts(&told(&["replay"])), (7, [0; 4]));
}
