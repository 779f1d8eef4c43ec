use std::sync::LazyLock;

use proptest::{
    prelude::*,
    sample::{select, subsequence},
};

use super::*;
use crate::vocabulary::Frame;

fn domain(institution: &str, region: &str) -> Domain {
    Domain { institution: institution.to_owned(), region: region.to_owned() }
}

fn standing() -> Standing {
    Standing {
        role: Role::Doctor,
        own: domain("one", "330106"),
        records: domain("one", "330106"),
        frame: Frame::Visit,
        here: true,
        visit_open: true,
        objected: false,
        relations: vec![Relation::Attending],
    }
}

/// What a clinician without a tie to the resident is told.
fn treating() -> Denial {
    Denial::NoRelation(vec![Relation::Attending, Relation::Department])
}

fn request(standing: &Standing) -> AccessRequest<'_> {
    AccessRequest {
        standing,
        purpose: Purpose::Treatment,
        grade: Grade::new(3).unwrap(),
        classes: &[DataClass::Health],
        lifetime: Duration::ZERO,
    }
}

#[test]
fn the_shipped_rules_decide_their_cases() {
    let tried = Policy::read(&SHIPPED).unwrap();
    assert_eq!(tried.digest(), Policy::shipped().unwrap().digest());
}

#[test]
fn a_treating_doctor_gets_access_and_its_ground() {
    let grant = Policy::shipped().unwrap().access(&request(&standing())).unwrap();
    assert_eq!(grant.rule.id, "doctor-treats");
    assert_eq!(grant.relations, [Relation::Attending]);
    assert_eq!(grant.lifetime, Duration::from_secs(900));
}

#[test]
fn each_missing_condition_is_named() {
    let policy = Policy::shipped().unwrap();
    let good = standing();
    let ask = request(&good);
    let auditor = Standing { role: Role::Auditor, ..standing() };
    let operator = Standing { role: Role::Operator, ..standing() };
    let nurse = Standing { role: Role::Nurse, ..standing() };
    let elsewhere = Standing { here: false, records: domain("other", "330106"), ..standing() };
    let keeps = Standing { records: domain("other", "330106"), ..standing() };
    let afterwards = Standing { visit_open: false, ..standing() };
    let stranger = Standing { relations: Vec::new(), ..standing() };
    #[rustfmt::skip]
    let cases = [
        ("an auditor gets no token", AccessRequest { standing: &auditor, ..ask }, Denial::Role),
        ("an operator gets no token", AccessRequest { standing: &operator, ..ask }, Denial::Role),
        ("another institution", AccessRequest { standing: &elsewhere, ..ask }, Denial::OtherInstitution),
        ("data of another institution", AccessRequest { standing: &keeps, ..ask }, Denial::NoRelation(vec![Relation::Referral, Relation::FamilyDoctor, Relation::Consent])),
        ("closed visit", AccessRequest { standing: &afterwards, ..ask }, Denial::VisitClosed),
        ("payment is not a doctor's purpose", AccessRequest { purpose: Purpose::Payment, ..ask }, Denial::Purpose),
        ("an emergency without one begun", AccessRequest { purpose: Purpose::Emergency, ..ask }, Denial::Frame(vec![Frame::Emergency])),
        ("a request that is not the resident's own", AccessRequest { purpose: Purpose::PatientRequest, ..ask }, Denial::NoRelation(vec![Relation::Resident, Relation::Guardian])),
        ("no relation", AccessRequest { standing: &stranger, ..ask }, treating()),
        ("class", AccessRequest { classes: &[DataClass::Health, DataClass::Payment], ..ask }, Denial::Class { classes: vec![DataClass::Payment], opened_by: Vec::new() }),
        ("no class at all", AccessRequest { classes: &[], ..ask }, Denial::Class { classes: Vec::new(), opened_by: Vec::new() }),
        ("grade", AccessRequest { grade: Grade::new(5).unwrap(), ..ask }, Denial::Grade { most: 4, opened_by: vec![Relation::Consent] }),
        ("a nurse's grade", AccessRequest { standing: &nurse, grade: Grade::new(4).unwrap(), ..ask }, Denial::Grade { most: 3, opened_by: Vec::new() }),
    ];
    for (what, request, denial) in cases {
        assert_eq!(policy.access(&request), Err(denial), "{what}");
    }
}

#[test]
fn a_life_can_be_shortened_but_not_stretched() {
    let (policy, standing) = (Policy::shipped().unwrap(), standing());
    for (asked, given) in [(60, 60), (900, 900), (901, 900), (u64::MAX, 900)] {
        let lifetime = Duration::from_secs(asked);
        let request = AccessRequest { lifetime, ..request(&standing) };
        assert_eq!(policy.access(&request).unwrap().lifetime, Duration::from_secs(given));
    }
}

#[test]
fn acts_that_cannot_be_meant_are_refused() {
    for rules in [
        "[acts]\n'token.forge'=['doctor']",
        "[acts]\n'token.issue'=['god']",
        "extra=1\n[acts]",
        "[acts]\n[[access]]\nid='a'",
        "",
    ] {
        assert!(matches!(with(rules, ""), Err(PolicyError::Malformed(_))), "{rules:?}");
    }
}

/// A rule of access, with `when` as its condition.
fn rule(id: &str, when: &str) -> String {
    format!(
        "@id(\"{id}\") @zh(\"规则\") @en(\"a rule\") @lifetime(\"60\")
         permit (principal, action == Action::\"access\", resource) when {{ {when} }};"
    )
}

#[test]
fn rules_of_access_that_cannot_be_meant_are_refused() {
    let good = rule("good", "context.grade <= 3");
    with("[acts]", &good).unwrap();
    #[rustfmt::skip]
    let cases = [
        ("not Cedar", "permit principal".to_owned(), "Malformed"),
        ("cut off", good[..good.len() - 3].to_owned(), "Malformed"),
        ("an attribute that does not exist", good.replace("context.grade", "context.level"), "Malformed"),
        ("a word of another kind", rule("a", "context.purpose == Role::\"doctor\""), "Malformed"),
        ("a word that does not exist", rule("a", "principal.role == Role::\"docter\""), "Malformed"),
        ("an action that does not exist", good.replace("\"access\"", "\"delete\""), "Malformed"),
        ("no truth value", rule("a", "context.grade"), "Malformed"),
        ("an attribute of the other action", good.replace("\"access\"", "\"dump\""), "Malformed"),
        ("a rule that never applies", rule("a", "principal.role == Role::\"doctor\" && principal.role != principal.role && false"), "Malformed"),
        ("a template", good.replace("(principal,", "(principal == ?principal,"), "Malformed"),
        ("no name", good.replace("@id(\"good\")", ""), "OutOfRange"),
        ("an odd name", good.replace("\"good\"", "\"Good one\""), "OutOfRange"),
        ("no words in Chinese", good.replace("@zh(\"规则\")", ""), "OutOfRange"),
        ("no words in English", good.replace("@en(\"a rule\")", "@en(\"\")"), "OutOfRange"),
        ("no life", good.replace("@lifetime(\"60\")", ""), "OutOfRange"),
        ("a life of nothing", good.replace("\"60\"", "\"0\""), "OutOfRange"),
        ("a life beyond a day", good.replace("\"60\"", "\"86401\""), "OutOfRange"),
        ("a masking that there is not", good.replace("@lifetime", "@mask(\"half\") @lifetime"), "OutOfRange"),
        ("a missing step that nobody grants", good.replace("@lifetime", "@missing_zh(\"夜间\") @lifetime"), "OutOfRange"),
        ("the same name twice", format!("{good}{good}"), "DuplicateRule"),
        ("too many", (0..201).map(|at| rule(&format!("r{at}"), "context.grade <= 3")).collect(), "TooMany"),
    ];
    for (what, access, variant) in cases {
        let error = with("[acts]", &access).map(drop).unwrap_err();
        assert!(format!("{error:?}").starts_with(variant), "{what}: {error:?}, not {variant}");
    }
}

#[test]
fn a_rule_is_as_long_and_as_deep_as_can_be_read_and_no_more() {
    let acts = "[acts]\n'token.issue'=['doctor']";
    let deep = |depth| rule("deep", &format!("{}true{}", "(".repeat(depth), ")".repeat(depth)));
    let chain = |length, link: &str| rule("long", &vec![link; length].join(" || "));
    let ladder = |length| {
        rule("if", &format!("{}true", "if context.visit_open then true else ".repeat(length)))
    };
    let not = |length| {
        rule("not", &format!("{}context.visit_open", "!(".repeat(length) + &")".repeat(length)))
    };
    // What is within the bounds is read and comes back; refused where it takes more stack than there is, as in a
    // build that is not optimised.
    let largest =
        [deep(14), chain(25, "context.grade <= 3"), chain(40, "context.visit_open"), ladder(25)];
    for access in largest {
        let decided = with(acts, &access).unwrap().access(&request(&standing())).map(drop);
        assert!(matches!(decided, Ok(()) | Err(Denial::Role)), "{decided:?}");
    }
    for access in [deep(5_000), chain(2_000, "context.grade <= 3"), ladder(5_000), not(5_000)] {
        assert!(matches!(with(acts, &access), Err(PolicyError::TooLarge { rule: 1 })));
    }
}

#[test]
fn of_equal_rules_the_first_is_named_and_a_rule_that_forbids_says_why() {
    let (first, second) = (rule("first", "context.grade <= 3"), rule("second", "true"));
    let acts = "[acts]\n'token.issue'=['doctor']";
    let (good, ask_of) = (standing(), request);
    let named = |policy: Policy, request: &AccessRequest<'_>| {
        policy.access(request).map(|grant| grant.rule.id.clone())
    };
    let both = || with(acts, &format!("{first}{second}")).unwrap();
    assert_eq!(named(both(), &ask_of(&good)).unwrap(), "first");
    let high = AccessRequest { grade: Grade::new(5).unwrap(), ..ask_of(&good) };
    assert_eq!(named(both(), &high).unwrap(), "second");
    // It rests on what the service itself asks for, as it takes none; or on both, where it takes two.
    assert_eq!(both().access(&ask_of(&good)).unwrap().relations, [Relation::Attending]);
    let two = rule(
        "two",
        "context.relations.containsAll([Relation::\"attending\", Relation::\"department\"])",
    );
    let tied = Standing { relations: Relation::ALL.to_vec(), ..standing() };
    let grant = with(acts, &two).unwrap().access(&ask_of(&tied)).unwrap();
    assert_eq!(grant.relations, [Relation::Attending, Relation::Department]);

    let night = "@id(\"no-such-region\") @zh(\"本县不查\") @en(\"not from this county\")
         @missing_zh(\"县卫健局批准\") @missing_en(\"the county's approval\")
         @grantor_zh(\"县卫健局\") @grantor_en(\"the county health bureau\")
         forbid (principal, action, resource) when { principal.institution in Domain::\"3301\" };";
    let policy = with(acts, &format!("{night}{second}")).unwrap();
    let denial = policy.access(&ask_of(&good)).unwrap_err();
    assert_eq!(denial.rule(), "no-such-region");
    assert_eq!(denial.explain().missing_en, "the county's approval");
    let elsewhere =
        Standing { own: domain("one", "510107"), records: domain("one", "510107"), ..standing() };
    assert_eq!(named(policy, &ask_of(&elsewhere)).unwrap(), "second");
}

#[test]
fn of_rules_that_allow_it_the_one_that_gives_most_is_taken() {
    let acts = "[acts]\n'token.issue'=['doctor']";
    let is = |word: &str| format!("context.relations.contains(Relation::\"{word}\")");
    let said = |id, mask: &str, seconds: &str, when: &str| {
        let annotations = format!("@mask(\"{mask}\") @lifetime(\"{seconds}\")");
        rule(id, when).replace("@lifetime(\"60\")", &annotations)
    };
    let rules = [
        said("masked", "full", "900", "true"),
        said("partly", "partial", "900", &is("attending")),
        said("short", "none", "60", &is("consent")),
        said("long", "none", "600", &format!("{} && {}", is("consent"), is("attending"))),
        said("as-long", "none", "600", "context.grade == 2"),
        said("longest", "none", "900", "context.grade == 1"),
    ];
    let (attends, agreed) = (Relation::Attending, Relation::Consent);
    #[rustfmt::skip]
    let cases: [(&[Relation], u32, &str, &[Relation]); 5] = [
        (&[Relation::Department], 3, "masked", &[Relation::Department]),
        (&[attends], 3, "partly", &[attends]),
        (&[attends, agreed], 3, "long", &[attends, agreed]),
        (&[attends, agreed], 2, "long", &[attends, agreed]),
        (&[attends, agreed], 1, "longest", &[attends, agreed]),
    ];
    let [forwards, backwards] = [rules.concat(), rules.iter().rev().cloned().collect()];
    for (relations, grade, named, rests_on) in cases {
        let standing = Standing { relations: relations.to_vec(), ..standing() };
        let request = AccessRequest { grade: Grade::new(grade).unwrap(), ..request(&standing) };
        let grant = with(acts, &forwards).unwrap().access(&request).unwrap();
        assert_eq!((grant.rule.id.as_str(), &*grant.relations), (named, rests_on));
        // Where they stand in the text matters only among equals.
        let named = if named == "long" && grade == 2 { "as-long" } else { named };
        let grant = with(acts, &backwards).unwrap().access(&request).unwrap();
        assert_eq!(grant.rule.id, named);
    }
}

/// What lifted a `forbid`, and what the service itself asks for, is among what a grant rests on: it ends with it.
#[test]
fn a_grant_rests_on_whatever_let_it_through() {
    let acts = "[acts]\n'token.issue'=['doctor', 'researcher']";
    let elsewhere = "@id(\"elsewhere\") @zh(\"外机构\") @en(\"elsewhere\") forbid (principal, action, resource)
         unless { resource in principal.institution || context.relations.contains(Relation::\"consent\") };";
    let county = rule("county", "context.relations.contains(Relation::\"attending\")");
    let policy = with(acts, &format!("{elsewhere}{county}")).unwrap();
    let relations = vec![Relation::Attending, Relation::Consent];
    let kept = domain("other", "330106");
    let asks = Standing { records: kept.clone(), relations: relations.clone(), ..standing() };
    assert_eq!(policy.access(&request(&asks)).unwrap().relations, relations);
    // The rule asks for nothing; the service does.
    let policy = with(acts, &rule("all", "true")).unwrap();
    let consent = Standing { frame: Frame::Consent, relations: vec![Relation::Consent], ..asks };
    assert_eq!(policy.access(&request(&consent)).unwrap().relations, [Relation::Consent]);
}

#[test]
fn a_rule_that_forbids_something_else_is_not_named() {
    let acts = "[acts]\n'token.issue'=['doctor']";
    let department = "@id(\"no-department\") @zh(\"不因科室\") @en(\"not for the department\")
         @missing_zh(\"接诊\") @missing_en(\"attending\") @grantor_zh(\"窗口\") @grantor_en(\"the desk\")
         forbid (principal, action, resource)
         when { context.relations.contains(Relation::\"department\") };";
    let policy = with(acts, &format!("{department}{}", rule("low", "context.grade <= 4"))).unwrap();
    let good = standing();
    let high = AccessRequest { grade: Grade::new(5).unwrap(), ..request(&good) };
    assert_ne!(policy.access(&high).unwrap_err().rule(), "no-department");
    let tied = Standing { relations: vec![Relation::Department], ..standing() };
    assert_eq!(policy.access(&request(&tied)).unwrap_err().rule(), "no-department");
    // What takes more than the least is found, too.
    let pair = rule(
        "pair",
        "context.grade >= 2 && context.classes.containsAll([Class::\"health\", Class::\"care\"])",
    );
    let policy = with(acts, &pair).unwrap();
    let afterwards = Standing { visit_open: false, ..standing() };
    let both =
        AccessRequest { classes: &[DataClass::Health, DataClass::Care], ..request(&afterwards) };
    assert_eq!(policy.access(&both).map(drop), Err(Denial::VisitClosed));
}

/// Rules that forget to say where and when: the service does not.
#[test]
fn whatever_the_rules_say_data_is_seen_in_an_open_visit_at_ones_own_institution() {
    let dump = "@id(\"all\") @zh(\"全部\") @en(\"all\") permit (principal, action == Action::\"dump\", resource);";
    let acts = "[acts]\n'token.issue'=['doctor']\n'card.dump'=['doctor', 'clerk']";
    let policy =
        with(acts, &format!("{dump}{}", rule("all", "true").replace("\"all\"", "\"any\"")))
            .unwrap();
    let none = || treating();
    #[rustfmt::skip]
    let cases = [
        (standing(), Ok(()), Ok(())),
        (Standing { here: false, records: domain("other", "330106"), ..standing() }, Err(Denial::OtherInstitution), Err(Denial::OtherInstitution)),
        (Standing { visit_open: false, ..standing() }, Err(Denial::VisitClosed), Err(Denial::VisitClosed)),
        (Standing { relations: Vec::new(), ..standing() }, Err(none()), Err(none())),
        (Standing { objected: true, ..standing() }, Err(Denial::Objected), Ok(())),
    ];
    for (standing, access, dump) in cases {
        assert_eq!(policy.access(&request(&standing)).map(drop), access, "{standing:?}");
        assert_eq!(policy.dump(&standing, Purpose::Treatment).map(drop), dump, "{standing:?}");
    }
}

#[test]
fn a_domain_lies_in_those_above_it_and_in_no_other() {
    let acts = "[acts]\n'token.issue'=['doctor']";
    #[rustfmt::skip]
    let cases = [
        ("330106", "one", [true, true, true, true]),
        ("330106", "other", [false, true, true, true]),
        ("330108", "other", [false, false, true, true]),
        ("330206", "other", [false, false, false, true]),
        ("510107", "other", [false, false, false, false]),
    ];
    for (region, institution, lies_in) in cases {
        let standing = Standing { records: domain(institution, region), ..standing() };
        for (above, expected) in ["one", "330106", "3301", "33"].into_iter().zip(lies_in) {
            let rule = rule("a", &format!("resource in Domain::\"{above}\""));
            let policy = with(acts, &rule).unwrap();
            let decided = policy.access.access(&request(&standing)).is_ok();
            assert_eq!(decided, expected, "{region} {institution} in {above}");
        }
    }
}

/// What a privacy officer reads. `UPDATE_GOLDEN=1 cargo test -p service policy` writes it anew.
#[test]
fn the_cases_are_told_in_both_languages() {
    let policy = Policy::shipped().unwrap();
    let cases = Case::read(&SHIPPED).unwrap();
    assert!(cases.len() >= 60);
    let told: Vec<[String; 2]> = cases.iter().map(|case| policy.told(case)).collect();
    for (at, file) in ["cases.zh-CN.txt", "cases.en.txt"].into_iter().enumerate() {
        let path = format!("{}/src/policy/county-hospital/{file}", env!("CARGO_MANIFEST_DIR"));
        let text: Vec<_> =
            told.iter().enumerate().map(|(n, told)| format!("{}. {}\n", n + 1, told[at])).collect();
        let text = text.join("\n");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{file}");
    }
}

#[test]
fn rules_that_decide_a_case_otherwise_are_not_used() {
    let case = "[[cases]]\nzh='例'\nen='a case'\nrole='doctor'\nrelations=['attending']\npurpose='treatment'\nclasses=['health']\ngrade=3\n";
    let read = |cases: String| Policy::read(&Texts { cases: cases.into(), ..SHIPPED }).map(drop);
    assert!(read(format!("{case}allowed_by='doctor-treats'")).is_ok());
    for wrong in
        ["allowed_by='nurse-cares'", "refused_by='doctor-treats'", "refused_by='visit-open'"]
    {
        let refused = read(format!("{case}{wrong}"));
        assert!(matches!(refused, Err(PolicyError::Case(_))), "{wrong}: {refused:?}");
    }
    for malformed in
        ["", "allowed_by='a'\nrefused_by='b'", "card=true\nallowed_by='a'", "allowed_by='a'\nx=1"]
    {
        let refused = read(format!("{case}{malformed}"));
        assert!(matches!(refused, Err(PolicyError::Malformed(_))), "{malformed}: {refused:?}");
    }
}

proptest! {
    /// What is granted is never more than the shipped rules say, whatever is asked for in whatever standing; and what
    /// is refused says what is missing.
    #[test]
    fn no_rule_grants_more_than_its_label(
        role in select(Role::ALL),
        relations in subsequence(Relation::ALL.to_vec(), 0..=Relation::ALL.len()),
        purpose in select(Purpose::ALL),
        frame in select(Frame::ALL),
        classes in subsequence(DataClass::ALL.to_vec(), 0..=DataClass::ALL.len()),
        grade in 1_u32..=5,
        here in any::<bool>(),
        visit_open in any::<bool>(),
        objected in any::<bool>(),
        kept_at in 0_usize..5,
    ) {
        let kept = ["330106", "330106", "330108", "330206", "510107"];
        let records = domain(if kept_at == 0 { "one" } else { "other" }, kept[kept_at]);
        let standing = Standing { role, records, frame, here, visit_open, objected, relations, ..standing() };
        let grade = Grade::new(grade).unwrap();
        let request = AccessRequest { purpose, grade, classes: &classes, ..request(&standing) };
        match SHIPPED_RULES.access(&request) {
            Ok(grant) => {
                prop_assert!(here && visit_open && !classes.is_empty());
                prop_assert!(!objected || frame == Frame::Emergency);
                prop_assert!(grant.relations.iter().all(|it| standing.relations.contains(it)));
                let rests_on = |relation| grant.relations.contains(&relation);
                let label = label_of(&grant.rule.id, standing.role, purpose, frame);
                prop_assert!(label.is_some(), "{} by {role} for {purpose}", grant.rule.id);
                let mut label = label.unwrap();
                // Who it is, is not needed as closely as what they have.
                if grant.rule.id == "doctor-in-emergency" && classes.contains(&DataClass::Personal) {
                    label.grade = 3;
                }
                prop_assert!(grade.level() <= label.grade && kept_at <= label.reach, "{}", grant.rule.id);
                prop_assert!(classes.iter().all(|class| label.classes.contains(class)));
                prop_assert_eq!(grant.mask, label.mask);
                prop_assert!(label.ties.iter().all(|any| any.iter().any(|it| rests_on(*it))));
            }
            Err(denial) => {
                let explained = denial.explain();
                prop_assert!(!denial.rule().is_empty());
                prop_assert!(!explained.missing_zh.is_empty() && !explained.grantor_en.is_empty());
            }
        }
    }

    /// No text of rules does more than be refused or read.
    #[test]
    fn any_text_is_refused_or_read(text in "(permit|forbid|when|unless|principal|action|resource|context|==|in|@id|[(){};\"a.,]|\\PC){0,60}") {
        let _ = with("[acts]", &text).map(drop);
    }
}

/// What a shipped rule may grant, written down a second time.
struct Label {
    grade: u8,
    /// How far away the data may be kept: 0 is the own institution, 4 another province.
    reach: usize,
    mask: Mask,
    classes: &'static [DataClass],
    /// One of each of these is needed.
    ties: &'static [&'static [Relation]],
}

/// The label of a rule, if it grants anything to this role, for this purpose, within this.
fn label_of(rule: &str, role: Role, purpose: Purpose, frame: Frame) -> Option<Label> {
    use {DataClass as C, Frame as F, Purpose as P, Relation as R, Role as W};
    const TREATED: &[DataClass] = &[C::Personal, C::Health, C::Care];
    const STUDIED: &[DataClass] = &[C::Health, C::Care, C::PublicHealth];
    const TREATS: &[Relation] = &[R::Attending, R::Department];
    let label = |grade, reach, mask, ties| Label { grade, reach, mask, classes: TREATED, ties };
    #[rustfmt::skip]
    let label = match (rule, role, purpose, frame) {
        ("doctor-treats", W::Doctor, P::Treatment, F::Visit) => label(4, 0, Mask::None, &[&[R::Attending]]),
        ("department-doctor-treats", W::Doctor, P::Treatment, F::Visit) => label(4, 0, Mask::Partial, &[&[R::Department]]),
        ("nurse-cares", W::Nurse, P::Treatment, F::Visit) => label(3, 0, Mask::None, &[TREATS]),
        ("doctor-treats-referred", W::Doctor, P::Treatment, F::Visit) => label(3, 3, Mask::Partial, &[TREATS, &[R::Referral]]),
        ("family-doctor-follows", W::Doctor, P::Treatment, F::Visit) => label(3, 2, Mask::None, &[TREATS, &[R::FamilyDoctor]]),
        ("doctor-treats-with-consent", W::Doctor, P::Treatment, F::Visit) => label(5, 4, Mask::None, &[TREATS, &[R::Consent]]),
        ("doctor-in-emergency", W::Doctor, P::Emergency, F::Emergency) => label(4, 4, Mask::None, &[&[R::Emergency]]),
        ("nurse-in-emergency", W::Nurse, P::Emergency, F::Emergency) => label(3, 4, Mask::None, &[&[R::Emergency]]),
        ("resident-or-guardian-sees", W::Doctor | W::Nurse | W::Researcher, P::PatientRequest, F::Visit) => label(3, 0, Mask::None, &[&[R::Resident, R::Guardian]]),
        ("researcher-studies", W::Researcher, P::Research, F::Consent) => Label { classes: STUDIED, ..label(3, 4, Mask::Full, &[&[R::Consent]]) },
        _ => return None,
    };
    Some(label)
}

static SHIPPED_RULES: LazyLock<Policy> = LazyLock::new(|| Policy::shipped().unwrap());

/// Rules with these acts and rules of access, and no cases.
fn with(rules: &str, access: &str) -> Result<Policy, PolicyError> {
    Policy::read(&Texts { rules: rules.into(), access: access.into(), cases: "".into() })
}

/// Who somebody is takes unsealing records: it is asked only where it may matter.
#[test]
fn a_person_is_looked_for_where_a_rule_looks_at_who_they_are() {
    let both = [Relation::Resident, Relation::Guardian];
    let (wishes, treats) = (Purpose::PatientRequest, Purpose::Treatment);
    for (act, purpose, sought) in [
        (Act::TokenIssue, wishes, &both[..]),
        (Act::TokenExplain, wishes, &both),
        (Act::TokenIssue, treats, &[]),
        (Act::CardDump, wishes, &[]),
    ] {
        assert_eq!(SHIPPED_RULES.looks_for(act, Role::Nurse, purpose), sought, "{act} {purpose}");
    }
    // Where a rule looks at all relations it is known, and opens nothing by a rule that does not ask for it.
    let wish =
        rule("wish", "context.purpose == Purpose::\"patient-request\" && context.grade <= 3");
    let any =
        wish.replace("wish", "any").replace("context.grade <= 3", "context.relations.isEmpty()");
    let policy = with("[acts]\n'token.issue'=['doctor']", &format!("{any}{wish}")).unwrap();
    assert_eq!(policy.looks_for(Act::TokenIssue, Role::Doctor, wishes), both);
    let oneself = Standing { relations: vec![Relation::Resident], ..standing() };
    let asked = AccessRequest { purpose: wishes, ..request(&oneself) };
    assert!(matches!(policy.access(&asked), Err(Denial::NoRelation(_))));
    let treating =
        Standing { relations: vec![Relation::Attending, Relation::Resident], ..standing() };
    let grant = policy.access(&AccessRequest { standing: &treating, ..asked }).unwrap();
    assert_eq!(grant.relations, [Relation::Attending]);
    // Nor does anybody get by a rule that forbids.
    let never = "@id(\"never\") @zh(\"不为己治\") @en(\"nobody treats themselves\")
         forbid (principal, action, resource) when {
           principal.role == Role::\"doctor\" && context.relations.contains(Relation::\"resident\") };";
    let policy =
        with("[acts]\n'token.issue'=['doctor']", &format!("{never}{}", rule("a", "true"))).unwrap();
    for act in [Act::TokenIssue, Act::CardDump] {
        assert_eq!(policy.looks_for(act, Role::Doctor, treats), [Relation::Resident]);
        assert_eq!(policy.looks_for(act, Role::Nurse, treats), []);
    }
    let oneself = vec![Relation::Attending, Relation::Resident];
    let asks = Standing { relations: oneself, ..standing() };
    assert!(policy.access(&request(&asks)).is_err());
    assert!(policy.access(&request(&standing())).is_ok());
}

#[test]
fn a_whole_card_is_read_within_a_visit_for_a_purpose() {
    let policy = Policy::shipped().unwrap();
    let doctor = standing();
    let clerk = Standing { role: Role::Clerk, relations: Vec::new(), ..standing() };
    let (treats, asked) = (Purpose::Treatment, Purpose::PatientRequest);
    #[rustfmt::skip]
    let cases = [
        ("a treating doctor", doctor.clone(), treats, Ok(())),
        ("a nurse of the department", Standing { role: Role::Nurse, relations: vec![Relation::Department], ..standing() }, treats, Ok(())),
        ("a clerk, asked by the resident", clerk.clone(), asked, Ok(())),
        ("a clerk does not treat", clerk.clone(), treats, Err(Denial::Purpose)),
        ("a plain desk", Standing { role: Role::Desk, ..standing() }, asked, Err(Denial::Role)),
        ("an auditor", Standing { role: Role::Auditor, ..standing() }, treats, Err(Denial::Role)),
        ("a stranger", Standing { relations: Vec::new(), ..standing() }, treats, Err(treating())),
        ("afterwards", Standing { visit_open: false, ..standing() }, treats, Err(Denial::VisitClosed)),
        ("a clerk elsewhere", Standing { here: false, records: domain("other", "330106"), ..clerk }, asked, Err(Denial::OtherInstitution)),
        ("for payment", doctor, Purpose::Payment, Err(Denial::Purpose)),
    ];
    for (who, standing, purpose, decision) in cases {
        assert_eq!(policy.dump(&standing, purpose).map(drop), decision, "{who}");
    }
    // What no rule allows is refused.
    let silent = with("[acts]\n'card.dump'=['doctor']", "").unwrap();
    assert_eq!(silent.dump(&standing(), treats).map(drop), Err(Denial::Role));
}

#[test]
fn static_codes_are_accepted_only_for_steps_that_are_named() {
    let shipped = Policy::shipped().unwrap();
    assert!(!shipped.makes_static_codes());
    assert!(MedicalStep::ALL.iter().all(|step| !shipped.accepts_static_code(*step)));
    assert_eq!(shipped.code_uses(), 1);
    let codes = |codes: &str| with(&format!("[acts]\n[codes]\n{codes}"), "");
    let policy = codes("static=['010101']\nuses=3").unwrap();
    assert_eq!(policy.code_uses(), 3);
    for step in MedicalStep::ALL {
        let named = *step == MedicalStep::Registration;
        assert_eq!(policy.accepts_static_code(*step), named, "{step}");
    }
    for wrong in ["uses=0", "uses=100", "static=['010108']"] {
        assert!(matches!(codes(wrong), Err(PolicyError::Codes(_))), "{wrong}");
    }
    assert!(matches!(codes("statik=[]"), Err(PolicyError::Malformed(_))));
    // Rules written before there were codes stay readable, and allow nothing more.
    assert!(!with("[acts]", "").unwrap().makes_static_codes());
}

#[test]
fn every_act_of_a_caller_has_a_rule() {
    let policy = Policy::shipped().unwrap();
    for act in Act::ALL {
        // Opening a session comes before any role is known: the certificate decides. The others
        // are done by the service itself.
        let without_rule = [
            Act::SessionOpen,
            Act::ListIssue,
            Act::CardListIssue,
            Act::KeyCentreEnd,
            Act::KeyMake,
            Act::KeyPrepare,
            Act::KeyPublish,
            Act::KeyRotate,
            Act::RootLink,
            Act::RootSucceed,
            Act::AuthoritySucceed,
            Act::AuthorityRevoke,
            Act::KeyRetire,
            Act::KeyDestroy,
            Act::KeyCompromise,
            Act::KeystoreShare,
            Act::KeystorePassphrase,
            Act::KeyLabel,
            Act::KeyCeremony,
            Act::RulesSign,
            Act::RulesTake,
            Act::RulesShipped,
            Act::CertificateIssue,
            Act::LikenessFill,
            Act::ResidentErase,
            Act::EmergencyRemind,
            Act::WarningRaise,
            Act::AuditWitness,
            Act::AuditScrub,
            Act::AuditSegmentClose,
            Act::AuditSegmentRemove,
            Act::OperatorFound,
            Act::ServiceInit,
        ];
        assert_eq!(policy.acts.contains_key(act), !without_rule.contains(act), "{act}");
    }
}

#[test]
fn whoever_could_make_or_be_a_second_person_takes_two() {
    let policy = Policy::shipped().unwrap();
    let alone: Vec<Role> =
        Role::ALL.iter().copied().filter(|role| !policy.takes_two_persons(*role)).collect();
    assert_eq!(alone, [Role::Doctor, Role::Nurse, Role::Researcher]);
    let reviewing = "[acts]\n'card.review'=['nurse']";
    assert!(with(reviewing, "").unwrap().takes_two_persons(Role::Nurse));
}
