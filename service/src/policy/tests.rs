use super::*;

fn standing() -> Standing {
    Standing {
        role: Role::Doctor,
        same_institution: true,
        visit_open: true,
        relations: vec![Relation::Attending],
    }
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
fn the_shipped_rules_are_well_formed() {
    Policy::shipped().unwrap();
}

#[test]
fn a_treating_doctor_gets_access_and_its_ground() {
    let grant = Policy::shipped().unwrap().access(&request(&standing())).unwrap();
    assert_eq!(grant.rule, "doctor-treats");
    assert_eq!(grant.relation, Relation::Attending);
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
    let elsewhere = Standing { same_institution: false, ..standing() };
    let afterwards = Standing { visit_open: false, ..standing() };
    let stranger = Standing { relations: Vec::new(), ..standing() };
    #[rustfmt::skip]
    let cases = [
        ("an auditor gets no token", AccessRequest { standing: &auditor, ..ask }, Denial::Role),
        ("an operator gets no token", AccessRequest { standing: &operator, ..ask }, Denial::Role),
        ("another institution", AccessRequest { standing: &elsewhere, ..ask }, Denial::OtherInstitution),
        ("closed visit", AccessRequest { standing: &afterwards, ..ask }, Denial::VisitClosed),
        ("payment is not a doctor's purpose", AccessRequest { purpose: Purpose::Payment, ..ask }, Denial::Purpose),
        ("no relation", AccessRequest { standing: &stranger, ..ask }, Denial::NoRelation),
        ("class", AccessRequest { classes: &[DataClass::Health, DataClass::Payment], ..ask }, Denial::Class),
        ("no class at all", AccessRequest { classes: &[], ..ask }, Denial::Class),
        ("grade", AccessRequest { grade: Grade::new(5).unwrap(), ..ask }, Denial::Grade { most: 4 }),
        ("a nurse's grade", AccessRequest { standing: &nurse, grade: Grade::new(4).unwrap(), ..ask }, Denial::Grade { most: 3 }),
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
fn rules_that_cannot_be_meant_are_refused() {
    let rule = "[[access]]\nid='a'\nroles=['doctor']\npurposes=['treatment']\nrelations=['attending']\nclasses=['health']\n";
    let cases = [
        ("[acts]\n'token.forge'=['doctor']\n[[access]]".to_owned(), "Malformed"),
        ("access=[]\n[acts]\n'token.forge'=['doctor']".to_owned(), "Malformed"),
        ("access=[]\n[acts]\n'token.issue'=['god']".to_owned(), "Malformed"),
        ("access=[]\nextra=1\n[acts]".to_owned(), "Malformed"),
        (format!("[acts]\n{rule}grade=6\nlifetime=1"), "OutOfRange"),
        (format!("[acts]\n{rule}grade=1\nlifetime=0"), "OutOfRange"),
        (format!("[acts]\n{rule}grade=1\nlifetime=1\n{rule}grade=1\nlifetime=1"), "DuplicateRule"),
        (format!("[acts]\n{rule}grade=1\nlifetime=1").replace("id='a'", "id='A b'"), "OutOfRange"),
        (format!("[acts]\n{rule}grade=1\nlifetime=1").replace("['attending']", "[]"), "OutOfRange"),
    ];
    for (text, variant) in cases {
        let error = Policy::parse(&text).unwrap_err();
        assert!(format!("{error:?}").starts_with(variant), "{error:?} for {variant}");
    }
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
        ("a stranger", Standing { relations: Vec::new(), ..standing() }, treats, Err(Denial::NoRelation)),
        ("afterwards", Standing { visit_open: false, ..standing() }, treats, Err(Denial::VisitClosed)),
        ("a clerk elsewhere", Standing { same_institution: false, ..clerk }, asked, Err(Denial::OtherInstitution)),
        ("for payment", doctor, Purpose::Payment, Err(Denial::Purpose)),
    ];
    for (who, standing, purpose, decision) in cases {
        assert_eq!(policy.dump(&standing, purpose), decision, "{who}");
    }
    // Rules written before there were dumps allow none.
    let before = Policy::parse("access=[]\n[acts]\n'card.dump'=['doctor']").unwrap();
    assert_eq!(before.dump(&standing(), treats), Err(Denial::Purpose));
}

#[test]
fn static_codes_are_accepted_only_for_steps_that_are_named() {
    let shipped = Policy::shipped().unwrap();
    assert!(!shipped.makes_static_codes());
    assert!(MedicalStep::ALL.iter().all(|step| !shipped.accepts_static_code(*step)));
    assert_eq!(shipped.code_uses(), 1);
    let with = |codes: &str| Policy::parse(&format!("access=[]\n[acts]\n[codes]\n{codes}"));
    let policy = with("static=['010101']\nuses=3").unwrap();
    assert_eq!(policy.code_uses(), 3);
    for step in MedicalStep::ALL {
        let named = *step == MedicalStep::Registration;
        assert_eq!(policy.accepts_static_code(*step), named, "{step}");
    }
    for wrong in ["uses=0", "uses=100", "static=['010108']"] {
        assert!(matches!(with(wrong), Err(PolicyError::Codes(_))), "{wrong}");
    }
    assert!(matches!(with("statik=[]"), Err(PolicyError::Malformed(_))));
    // Rules written before there were codes stay readable, and allow nothing more.
    assert!(!Policy::parse("access=[]\n[acts]").unwrap().makes_static_codes());
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
            Act::CertificateIssue,
            Act::LikenessFill,
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
    assert_eq!(alone, [Role::Doctor, Role::Nurse]);
    let reviewing = "access=[]\n[acts]\n'card.review'=['nurse']";
    assert!(Policy::parse(reviewing).unwrap().takes_two_persons(Role::Nurse));
}
