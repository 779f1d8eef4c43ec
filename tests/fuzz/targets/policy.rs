//! Rules of access that an institution wrote. What is read decides every question, and never says yes to what no rule names.
#![no_main]

use std::{str, time::Duration};

#[expect(dead_code, unused_imports, reason = "of the service, here without the rest of it")]
#[path = "../../../service/src/policy/mod.rs"]
mod policy;
#[path = "../../../service/src/vocabulary.rs"]
mod vocabulary;

use policy::{AccessRequest, Domain, Policy, SHIPPED, Standing, Texts};
use vocabulary::{DataClass, Frame, Grade, Purpose, Relation, Role};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let texts = Texts { access: text.into(), cases: "".into(), ..SHIPPED };
    let Ok(policy) = Policy::read(&texts) else { return };
    let domain = || Domain { institution: "one".to_owned(), region: "330106".to_owned() };
    let standing = Standing {
        role: Role::Doctor,
        own: domain(),
        records: domain(),
        frame: Frame::Visit,
        here: true,
        visit_open: true,
        objected: false,
        relations: vec![Relation::Attending],
    };
    let request = AccessRequest {
        standing: &standing,
        purpose: Purpose::Treatment,
        grade: Grade::LOWEST,
        classes: &[DataClass::Health],
        lifetime: Duration::ZERO,
    };
    match policy.access(&request) {
        Ok(grant) => assert!(!grant.lifetime.is_zero()),
        Err(denial) => assert!(!denial.rule().is_empty() && !denial.explain().missing_en.is_empty()),
    }
});
