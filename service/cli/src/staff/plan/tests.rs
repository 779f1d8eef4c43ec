use proto::v1::{CertificateState, Enrolment, Identity, Role};
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-27 08:00 UTC);

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: NOW.unix_timestamp() + seconds, nanos: 0 })
}

fn valid() -> CertificateState {
    CertificateState { serial: "01".into(), not_after: at(1), ..CertificateState::default() }
}

fn on_record(number: &str, name: &str, role: Role, department: &str) -> Identity {
    Identity {
        identity_id: format!("id-{number}"),
        number: number.into(),
        name: name.into(),
        role: role.into(),
        department: department.into(),
        certificates: vec![valid()],
        ..Identity::default()
    }
}

fn plan(file: &str, identities: Vec<Identity>) -> Result<Plan, Vec<BadRow>> {
    plan_with(file, OnRecord { identities, ..OnRecord::default() })
}

fn plan_with(file: &str, record: OnRecord) -> Result<Plan, Vec<BadRow>> {
    let file = format!("工号,姓名,角色,科室,公民身份号码,执业资格到期日\n{file}");
    Plan::of(&StaffFile::read(file.as_bytes()).unwrap(), &record, &Requests::default(), NOW)
}

fn kinds(plan: &Plan) -> Vec<(Kind, &str)> {
    plan.steps.iter().map(|step| (step.kind, step.number())).collect()
}

#[test]
fn joiners_movers_and_leavers_are_told_apart() {
    let record = vec![
        on_record("D1", "王", Role::Doctor, "内科"),
        on_record("D2", "李", Role::Doctor, "内科"),
        on_record("N1", "赵", Role::Nurse, "内科"),
        on_record("C1", "钱", Role::Clerk, ""),
        on_record("O1", "孙", Role::Operator, ""),
        on_record("A1", "周", Role::Auditor, ""),
        on_record("K1", "一号窗口", Role::Desk, ""),
        on_record("S1", "系统", Role::System, ""),
    ];
    let file = "N9,新,护士,外科,,\nD1,王,医师,内科,,\nD2,李,医师,外科,,2030-12-31\n\
        C1,钱,护士,内科,,\n";
    let plan = plan(file, record).unwrap();
    // Operators, auditors, desks and systems do not leave unnamed.
    let expected = [
        (Kind::Joiner, "N9"),
        (Kind::Unchanged, "D1"),
        (Kind::Mover, "D2"),
        (Kind::Mover, "C1"),
        (Kind::Leaver, "N1"),
    ];
    assert_eq!(kinds(&plan), expected);
    let told = |at: usize| -> Vec<_> {
        let fields = plan.steps[at].fields.iter();
        fields.map(|it| (it.column.name(), it.from.as_str(), it.to.as_str())).collect()
    };
    assert_eq!(told(2), [("department", "内科", "外科"), ("qualified_until", "", "2030-12-31")]);
    assert_eq!(told(3), [("role", "clerk", "nurse"), ("department", "", "内科")]);
    assert_eq!((plan.count(Kind::Leaver), plan.enrolments()), (1, 0));
}

#[test]
fn whoever_has_nothing_in_force_does_not_leave_again() {
    let with = |state: CertificateState| {
        let mut identity = on_record("D1", "王", Role::Doctor, "内科");
        identity.certificates = vec![state];
        vec![identity]
    };
    let revoked = CertificateState { revoked_at: at(-1), ..valid() };
    let cases = [
        (valid(), 1),
        (CertificateState { not_after: at(-1), ..valid() }, 0),
        (revoked.clone(), 0),
        // It could be released.
        (CertificateState { suspended: true, ..revoked.clone() }, 1),
    ];
    for (state, leavers) in cases {
        let plan = plan("C9,新,窗口,,,\n", with(state.clone())).unwrap();
        assert_eq!(plan.count(Kind::Leaver), leavers, "{state:?}");
    }
    // What waits for a review would be in force tomorrow.
    let waiting = vec![Enrolment { identity_id: "id-D1".into(), ..Enrolment::default() }];
    let record = OnRecord { identities: with(revoked.clone()), waiting, ..OnRecord::default() };
    assert_eq!(plan_with("C9,新,窗口,,,\n", record).unwrap().count(Kind::Leaver), 1);
    // So would what was approved and is not signed.
    let record =
        OnRecord { identities: with(revoked), unsigned: approved(), ..OnRecord::default() };
    assert_eq!(plan_with("C9,新,窗口,,,\n", record).unwrap().count(Kind::Leaver), 1);
}

fn approved() -> Vec<Enrolment> {
    let of = |number: &str| Enrolment {
        enrolment_id: format!("e-{number}"),
        identity_id: format!("id-{number}"),
        ..Enrolment::default()
    };
    vec![of("D1"), of("N7")]
}

#[test]
fn what_was_approved_is_signed_and_not_entered_again_unless_the_role_changes() {
    for (file, kind, unsigned) in [
        ("D1,王,医师,内科,,\n", Kind::Unchanged, &["e-D1"][..]),
        ("D1,王,医师,外科,,\n", Kind::Mover, &["e-D1"]),
        ("D1,王,窗口,,,\n", Kind::Mover, &[]),
    ] {
        let mut identity = on_record("D1", "王", Role::Doctor, "内科");
        identity.certificates.clear();
        let record =
            OnRecord { identities: vec![identity], unsigned: approved(), ..OnRecord::default() };
        let plan = plan_with(file, record).unwrap();
        let step = &plan.steps[0];
        assert_eq!(
            (step.kind, &step.unsigned[..]),
            (kind, &unsigned.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]),
            "{file}"
        );
        assert!(step.is_due());
    }
}

#[test]
fn what_a_file_cannot_bring_about_is_refused_before_anything_is_done() {
    let record = || {
        vec![
            on_record("D1", "王", Role::Doctor, "内科"),
            on_record("O1", "孙", Role::Operator, ""),
            on_record("K1", "一号窗口", Role::Desk, ""),
        ]
    };
    let id = "11010519491231002X";
    let cases = [
        (format!("D1,王,管理员,,{id},\n"), ("role", "ROLE_FIXED")),
        ("D1,王,审计员,,,\n".to_owned(), ("role", "ROLE_FIXED")),
        ("O1,孙,医师,内科,,\n".to_owned(), ("role", "ROLE_FIXED")),
        ("K1,一号窗口,窗口,,,\n".to_owned(), ("role", "ROLE_FIXED")),
        // A number that was handed on to somebody else.
        ("D1,赵,医师,内科,,\n".to_owned(), ("id_number", "NAME_NEEDS_ID")),
    ];
    for (file, expected) in cases {
        let bad = plan(&file, record()).unwrap_err();
        assert_eq!((bad[0].column, bad[0].fault.code(), bad[0].line), (expected.0, expected.1, 2));
    }
    let plan = plan(&format!("D1,赵,医师,内科,{id},\n"), record()).unwrap();
    assert_eq!(plan.renamed().count(), 1);
}
