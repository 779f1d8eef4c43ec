//! Revocation lists over HTTP: whole, of ranges of serial numbers, and of what has changed, as others put them together.

use ca::chain::{Anchors, ChainError, Purpose};
use ca::crl::{Crl, Scope, SerialRange};
use ca::{Certificate, Serial};
use service::clock;
use tests::hospital::{Hospital, text};
use tests::http::get;

const ADDRESS: &str = "http://ca.example.invalid";

/// A list as the service offers it; `None` when it offers none.
fn list(hospital: &Hospital, name: &str) -> Option<Crl> {
    let (head, body) = get(hospital, &format!("/crl/{name}.crl"));
    if head.starts_with("HTTP/1.1 404") {
        return None;
    }
    assert!(head.starts_with("HTTP/1.1 200"), "{name}: {head}");
    assert!(head.to_lowercase().contains("content-type: application/pkix-crl"), "{head}");
    Some(Crl::parse(&body).unwrap())
}

/// The certificate that somebody works with, renewed under the settings of now.
fn renewed(hospital: &Hospital, who: &str) -> Certificate {
    let shown = hospital.granted(who, &["key", "show"]);
    let serial = text(&shown["certificate"], "serial");
    let out = hospital.stage.path("records").join(format!("{who}-renewed"));
    let out = out.to_string_lossy().into_owned();
    hospital.granted("operator", &["identity", "renew", "--serial", &serial, "--out", &out]);
    let directory = std::path::Path::new(&out);
    Certificate::parse(&std::fs::read(directory.join("certificate.der")).unwrap()).unwrap()
}

/// What an outsider knows: the authorities, and the lists that were fetched.
fn outsider(hospital: &Hospital, lists: Vec<Crl>) -> Anchors {
    let certificate = |name: &str| {
        let (_, body) = get(hospital, &format!("/ca/{name}.cer"));
        Certificate::parse(&body).unwrap()
    };
    let mut anchors = Anchors::new(certificate("ca-root")).unwrap();
    anchors.add_issuer(certificate("ca-people")).unwrap();
    anchors.add_crl(list(hospital, "ca-root").unwrap()).unwrap();
    lists.into_iter().for_each(|list| anchors.add_crl(list).unwrap());
    anchors
}

fn is_revoked(anchors: &Anchors, certificate: &Certificate) -> bool {
    let now = clock::now();
    match anchors.verify(certificate, Purpose::Login, now) {
        Ok(_) => false,
        Err(ChainError::Revoked { serial, .. }) => serial == *certificate.serial(),
        Err(error) => panic!("{error}"),
    }
}

/// Suspends or releases whatever certifies the key of this certificate.
fn turn(hospital: &Hospital, order: &str, certificate: &Certificate) {
    hospital
        .granted("operator", &["identity", order, "--serial", &certificate.serial().to_string()]);
}

#[test]
fn lists_are_divided_when_they_grow_and_changes_are_told_apart() {
    let mut hospital = Hospital::open();
    let numbers = |hospital: &Hospital, name: &str| {
        list(hospital, name).map(|list| (list.edition().number, list.base()))
    };
    // Without an address there is one list, and it is offered for each range as well.
    assert_eq!(list(&hospital, "ca-people").unwrap().scope(), &Scope::All);
    hospital.reconfigure(|text| {
        let divided = text.replace("ranges_above = 20000", "ranges_above = 2");
        assert_ne!(divided, text);
        format!("public_url = \"{ADDRESS}\"\n{divided}")
    });
    let doctor = renewed(&hospital, "doctor");
    let colleague = renewed(&hospital, "colleague");
    let range = |certificate: &Certificate| SerialRange::of(certificate.serial());
    let name = |certificate: &Certificate| format!("ca-people-{}", range(certificate));
    for certificate in [&doctor, &colleague] {
        let expected = format!("{ADDRESS}/crl/{}.crl", name(certificate));
        assert_eq!(certificate.crl_url(), Some(expected.as_str()));
        assert_eq!(list(&hospital, &name(certificate)).unwrap().scope(), &Scope::All);
    }

    // One renewed and one before are suspended: what has changed suits whoever holds the list of before.
    let held = list(&hospital, &name(&colleague)).unwrap();
    turn(&hospital, "suspend", &colleague);
    let delta = list(&hospital, &format!("{}-delta", name(&colleague))).unwrap();
    assert_eq!(delta.len(), 2);
    assert!(delta.base().unwrap() <= held.edition().number);
    let number = delta.edition().number;
    assert_eq!(numbers(&hospital, "ca-people"), Some((number, None)), "both say the same");
    let mut anchors = outsider(&hospital, vec![held.clone()]);
    assert!(!is_revoked(&anchors, &colleague));
    anchors.add_crl(delta).unwrap();
    assert!(is_revoked(&anchors, &colleague) && !is_revoked(&anchors, &doctor));
    // Released, for whoever holds any of the lists.
    let between = list(&hospital, "ca-people").unwrap();
    turn(&hospital, "release", &colleague);
    let released = list(&hospital, "ca-people-delta").unwrap();
    assert!(released.releases(colleague.serial()));
    for held in [held, between] {
        let anchors = outsider(&hospital, vec![held, released.clone()]);
        assert!(!is_revoked(&anchors, &colleague));
    }

    // More than two are revoked: each range has a list of its own, and the whole one goes on.
    turn(&hospital, "suspend", &colleague);
    turn(&hospital, "suspend", &doctor);
    let whole = list(&hospital, "ca-people").unwrap();
    assert_eq!((whole.len(), whole.scope()), (4, &Scope::All));
    let mut found = 0;
    for range in SerialRange::all() {
        let part = list(&hospital, &format!("ca-people-{range}")).unwrap();
        let address = format!("{ADDRESS}/crl/ca-people-{range}.crl");
        assert_eq!(part.scope(), &Scope::Points(vec![address]));
        assert_eq!(
            part.verify(&Certificate::parse(&get(&hospital, "/ca/ca-people.cer").1).unwrap()),
            Ok(())
        );
        found += part.len();
    }
    assert_eq!(found, 4);
    let part = list(&hospital, &name(&colleague)).unwrap();
    let anchors = outsider(&hospital, vec![part.clone()]);
    assert!(is_revoked(&anchors, &colleague));
    // The list of one range says nothing of another.
    let other = SerialRange::all().find(|it| *it != range(&colleague)).unwrap();
    let other = list(&hospital, &format!("ca-people-{other}")).unwrap();
    let now = clock::now();
    let unknown = outsider(&hospital, vec![other]).verify(&colleague, Purpose::Login, now);
    assert!(matches!(unknown, Err(ChainError::CrlMissing { .. })), "{unknown:?}");

    // A change is told in the list of its range, and in no other; after a start all is as it was.
    hospital.restart();
    let others: Vec<_> = SerialRange::all().filter(|it| *it != range(&colleague)).collect();
    let before: Vec<_> =
        others.iter().map(|it| numbers(&hospital, &format!("ca-people-{it}"))).collect();
    turn(&hospital, "release", &colleague);
    let delta = list(&hospital, &format!("{}-delta", name(&colleague))).unwrap();
    assert_eq!(delta.scope(), part.scope());
    assert!(delta.releases(colleague.serial()));
    let anchors = outsider(&hospital, vec![part, delta]);
    assert!(!is_revoked(&anchors, &colleague));
    // The certificate of before the renewal may be in another range, and is released with it.
    let changed = others
        .iter()
        .zip(before)
        .filter(|(it, before)| numbers(&hospital, &format!("ca-people-{it}")) != *before)
        .count();
    assert!(changed <= 1, "{changed}");
    // Its holder gets in again: the service itself looks at the newest.
    hospital.granted("colleague", &["session", "open"]);

    for unknown in ["ca-people-3f", "ca-people-4a-delta-delta", "tsa-40", "..%2Fca-people"] {
        assert!(list(&hospital, unknown).is_none(), "{unknown}");
    }
    let unknown: Serial = "ff".parse().unwrap();
    assert!(whole.revocation(&unknown).is_none());
}
