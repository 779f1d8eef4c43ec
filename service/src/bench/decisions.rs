//! What a decision alone takes, by the shipped rules and by fifty, granted and refused.

use std::{
    fmt::Write as _,
    hint::black_box,
    time::{Duration, Instant},
};

use hsm::{Sm2Signer as _, sm2::SecretKey};
use serde_json::{Value, json};

use super::{
    BenchError,
    measure::{Measured, ratio},
};
use crate::{
    policy::{AccessRequest, Domain, Policy, SHIPPED, Standing, Texts},
    vocabulary::{DataClass, Frame, Grade, Purpose, Relation, Role},
};

pub(super) fn ask(seconds: u64) -> Result<Vec<(String, Value)>, BenchError> {
    // Five kinds of calls.
    let time = Duration::from_secs(seconds) / 5;
    let key = SecretKey::generate();
    let sign = || {
        black_box(key.sign(&[7; 32])?);
        Ok(())
    };
    let signed = measured(time, sign)?.percentile(50);
    let mut figures = Vec::new();
    let shipped = Policy::shipped()?;
    let fifty = fifty()?;
    for (rules, policy) in [("the shipped rules", &shipped), ("50 rules", &fifty)] {
        for (what, relations) in [("granted", Relation::ALL), ("refused", &[])] {
            let decided = measured(time, || decide(policy, relations))?;
            let [p50, p99] = [50, 99].map(|percent| decided.percentile(percent));
            let signatures = ratio(p50.as_secs_f64(), signed.as_secs_f64());
            figures.push((format!("{what} by {rules}, p50, us"), microseconds(p50)));
            figures.push((format!("{what} by {rules}, p99, us"), microseconds(p99)));
            figures.push((format!("{what} by {rules}, p50 in SM2 signatures"), signatures));
        }
    }
    Ok(figures)
}

fn measured(
    time: Duration,
    mut call: impl FnMut() -> Result<(), BenchError>,
) -> Result<Measured, BenchError> {
    let begin = Instant::now();
    let mut latencies = Vec::new();
    while begin.elapsed() < time {
        let start = Instant::now();
        call()?;
        latencies.push(start.elapsed());
    }
    Ok(Measured::of(latencies, begin.elapsed()))
}

fn decide(policy: &Policy, relations: &[Relation]) -> Result<(), BenchError> {
    let domain = || Domain { institution: "one".to_owned(), region: "330106".to_owned() };
    let standing = Standing {
        role: Role::Doctor,
        own: domain(),
        records: domain(),
        frame: Frame::Visit,
        here: true,
        visit_open: true,
        objected: false,
        relations: relations.to_vec(),
    };
    let decided = policy.access(&AccessRequest {
        standing: &standing,
        purpose: Purpose::Treatment,
        grade: Grade::new(3).ok_or("no grade")?,
        classes: &[DataClass::Health, DataClass::Care],
        lifetime: Duration::ZERO,
    });
    match (decided, relations) {
        (Ok(_), [_, ..]) | (Err(_), []) => Ok(()),
        _ => Err("decided otherwise".into()),
    }
}

/// The shipped rules after as many others, which do not fit, as make fifty.
fn fifty() -> Result<Policy, BenchError> {
    let mut access = String::new();
    for at in SHIPPED.access.matches("@id(").count()..50 {
        write!(
            access,
            "@id(\"other-{at}\") @zh(\"其他\") @en(\"another\") @lifetime(\"60\")
             permit (principal, action == Action::\"access\", resource)
             when {{ principal.role == Role::\"doctor\" && context.purpose == Purpose::\"operations\" &&
                    context.relations.contains(Relation::\"attending\") && context.grade <= 3 }};\n"
        )?;
    }
    access.push_str(&SHIPPED.access);
    Ok(Policy::read(&Texts { access: access.into(), cases: "".into(), ..SHIPPED })?)
}

fn microseconds(time: Duration) -> Value {
    json!((time.as_secs_f64() * 1e7).round() / 10.0)
}
