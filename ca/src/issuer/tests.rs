use time::macros::datetime;

use super::*;
use crate::{
    ExtendedKeyUsage,
    crl::{Edition, Scope},
    workshop::{
        DEVICES_KEY, DOCTOR, DOCTOR_KEY, Hospital, ISSUED, NOW, PEOPLE_KEY, ROOT_KEY, key, serial,
    },
};

fn order(profile: Profile) -> Order {
    let subject = Name::of_identity("县人民医院", "nurse", DOCTOR).expect("a good name");
    Order {
        profile,
        subject,
        public_key: key(60).public().clone(),
        days: None,
        identifiers: Vec::new(),
    }
}

#[test]
fn a_certificate_is_what_its_profile_says() {
    let hospital = Hospital::new();
    let now = datetime!(2026-11-24 08:00:00.987 UTC);
    let draft = hospital.people.draft(order(Profile::Person), serial(61), now).expect("a draft");
    let body = draft.body().to_vec();
    let nurse = draft.sign(&key(PEOPLE_KEY)).expect("signed");
    assert_eq!(nurse.body(), body);
    assert_eq!(*nurse.serial(), serial(61));
    assert_eq!(nurse.issuer(), hospital.people.certificate().subject());
    assert_eq!(nurse.not_before(), datetime!(2026-11-24 08:00:00 UTC));
    assert_eq!(nurse.not_after(), datetime!(2028-11-23 07:59:59 UTC));
    assert_eq!(nurse.public_key(), key(60).public());
    assert_eq!(nurse.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::CONTENT_COMMITMENT));
    assert_eq!(nurse.purposes(), [ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::DocumentSigning]);
    assert!(!nurse.is_ca());
    assert_eq!(nurse.crl_url(), Some("http://ca.example.invalid/crl"));
    assert_eq!(nurse.issuer_url(), None);
    let keys = (nurse.key_identifier(), nurse.authority_key_identifier());
    let expected =
        (KeyIdentifier::of(key(60).public()), KeyIdentifier::of(key(PEOPLE_KEY).public()));
    assert_eq!(keys, (Some(&expected.0), Some(&expected.1)));
}

#[test]
fn a_certificate_names_the_list_of_its_range() {
    let hospital = Hospital::new();
    let people = hospital.people.with_ranged_crl_url("http://ca.example.invalid/people-", ".crl");
    let people = people.expect("a good address");
    for (octet, url) in [
        (0x00, "http://ca.example.invalid/people-40.crl"),
        (0x2a, "http://ca.example.invalid/people-6a.crl"),
        (0xff, "http://ca.example.invalid/people-7f.crl"),
    ] {
        let serial = Serial::from_random([octet; 16]);
        let draft = people.draft(order(Profile::Person), serial, NOW).expect("a draft");
        let nurse = draft.sign(&key(PEOPLE_KEY)).expect("signed");
        assert_eq!(nurse.crl_url(), Some(url));
    }
    let refused = people.clone().with_ranged_crl_url("http://县/", ".crl");
    assert!(matches!(refused, Err(IssueError::BadUrl)));
    let refused = people.with_ranged_crl_url(&"a".repeat(250), ".crl ");
    assert!(matches!(refused, Err(IssueError::BadUrl)));
}

#[test]
fn an_order_that_does_not_fit_is_refused() {
    use IssueError as E;
    let hospital = Hospital::new();
    let people = &hospital.people;
    let end = people.certificate().not_after();
    let near_end = end - Duration::days(364);
    let authority_name = Name::of_authority("Test health region", "people").expect("a good name");
    let own_key = key(PEOPLE_KEY).public().clone();
    type Refused = fn(&IssueError) -> bool;
    #[rustfmt::skip]
    let cases: Vec<(&str, &Issuer, Order, OffsetDateTime, Refused)> = vec![
        ("device at the people's", people, order(Profile::Device), NOW, |e| matches!(e, E::WrongAuthority { profile: Profile::Device, by: Authority::Devices, asked: Authority::People })),
        ("authority at the people's", people, order(Profile::IssuingAuthority), NOW, |e| matches!(e, E::WrongAuthority { by: Authority::Root, .. })),
        ("person at the root", &hospital.root, order(Profile::Person), NOW, |e| matches!(e, E::WrongAuthority { by: Authority::People, .. })),
        ("root at the root", &hospital.root, order(Profile::Root), NOW, |e| matches!(e, E::WrongAuthority { .. })),
        ("the issuer's own key", people, Order { public_key: own_key, ..order(Profile::Person) }, NOW, |e| matches!(e, E::BadKey)),
        ("person with an authority's name", people, Order { subject: authority_name, ..order(Profile::Person) }, NOW, |e| matches!(e, E::BadSubject)),
        ("0 days", people, Order { days: Some(0), ..order(Profile::Person) }, NOW, |e| matches!(e, E::BadPeriod { asked: 0, most: 730 })),
        ("a day too long", people, Order { days: Some(731), ..order(Profile::Person) }, NOW, |e| matches!(e, E::BadPeriod { asked: 731, most: 730 })),
        ("before the issuer", people, order(Profile::Person), ISSUED - Duration::SECOND, |e| matches!(e, E::IssuerNotValid { .. })),
        ("after the issuer", people, order(Profile::Person), end + Duration::SECOND, |e| matches!(e, E::IssuerNotValid { .. })),
        ("outlives the issuer", people, order(Profile::Person), near_end, |e| matches!(e, E::OutlivesIssuer { .. })),
    ];
    for (what, issuer, order, now, refused) in cases {
        let error = issuer.draft(order, serial(61), now).expect_err(what);
        assert!(refused(&error), "{what}: {error:?}");
    }
    // To the very second of the issuer's end.
    let order = Order { days: Some(364), ..order(Profile::Person) };
    let last = people.draft(order, serial(61), near_end + Duration::SECOND).expect("a draft");
    assert_eq!(last.sign(&key(PEOPLE_KEY)).expect("signed").not_after(), end);
}

#[test]
fn only_the_root_is_drafted_without_an_issuer() {
    let refused = Issuer::draft_root(order(Profile::Person), serial(61), NOW);
    assert!(matches!(refused, Err(IssueError::WrongAuthority { profile: Profile::Person, .. })));
}

#[test]
fn only_an_authority_issues() {
    let hospital = Hospital::new();
    for (certificate, authority) in [
        (hospital.doctor.clone(), Authority::People),
        // With path length 0 nothing can stand below what it would issue.
        (hospital.people.certificate().clone(), Authority::Root),
    ] {
        assert!(matches!(Issuer::new(certificate, authority), Err(IssueError::NotAnAuthority)));
    }
}

#[test]
fn addresses_are_plain_text() {
    let hospital = Hospital::new();
    for url in ["", "http://a b/", "http://医院/", "http://a/\n", &"a".repeat(257)] {
        assert!(
            matches!(hospital.people.clone().with_crl_url(url), Err(IssueError::BadUrl)),
            "{url:?}"
        );
    }
    let issuer = hospital
        .people
        .with_issuer_url("http://ca.example.invalid/people.cer")
        .expect("a good one");
    let draft = issuer.draft(order(Profile::Person), serial(61), NOW).expect("a draft");
    let nurse = draft.sign(&key(PEOPLE_KEY)).expect("signed");
    assert_eq!(nurse.issuer_url(), Some("http://ca.example.invalid/people.cer"));
}

/// A device that says it is one key and signs with another, or signs something else.
struct Broken {
    public: hsm::sm2::SecretKey,
    inside: hsm::sm2::SecretKey,
}

impl Sm2Signer for Broken {
    fn public_key(&self) -> &PublicKey {
        self.public.public()
    }

    fn sign(&self, e: &[u8; 32]) -> Result<hsm::sm2::Signature, KeyError> {
        self.inside.sign(e)
    }
}

#[test]
fn what_another_key_signs_leaves_no_certificate() {
    let hospital = Hospital::new();
    let draft = || hospital.people.draft(order(Profile::Person), serial(61), NOW).expect("a draft");
    assert!(matches!(draft().sign(&key(DEVICES_KEY)), Err(IssueError::WrongKey)));
    assert!(matches!(draft().sign(&key(ROOT_KEY)), Err(IssueError::WrongKey)));
    let broken = Broken { public: key(PEOPLE_KEY), inside: key(DOCTOR_KEY) };
    assert!(matches!(draft().sign(&broken), Err(IssueError::FalseSignature)));
}

#[test]
fn only_a_root_links_its_keys_and_for_no_longer_than_it_lives() {
    let hospital = Hospital::new();
    let (next, root) = (key(60), &hospital.root);
    let end = root.certificate().not_after();
    let link = root.draft_link(next.public(), serial(61), (NOW, end)).expect("a draft");
    let link = link.sign(&key(ROOT_KEY)).expect("signed");
    assert_eq!((link.subject(), link.issuer()), (link.issuer(), root.certificate().subject()));
    assert!(link.is_ca() && link.is_signed_by(root.certificate().public_key()));
    assert_eq!(link.path_length(), Some(LINK_LENGTH));
    assert_eq!((link.not_before(), link.not_after()), (NOW, end));

    let refused = hospital.people.draft_link(next.public(), serial(61), (NOW, NOW + Duration::DAY));
    assert!(matches!(refused, Err(IssueError::WrongAuthority { .. })));
    let refused = root.draft_link(key(ROOT_KEY).public(), serial(61), (NOW, end));
    assert!(matches!(refused, Err(IssueError::BadKey)));
    let refused = root.draft_link(next.public(), serial(61), (NOW, end + Duration::SECOND));
    assert!(matches!(refused, Err(IssueError::OutlivesIssuer { .. })));
    let refused = root.draft_link(next.public(), serial(61), (end, NOW));
    assert!(matches!(refused, Err(IssueError::Lint(_))));
}

#[test]
fn an_authority_that_was_succeeded_tells_how_stands_what_it_issued_and_issues_nothing_else() {
    let hospital = Hospital::new();
    let (people, root) = (hospital.people.succeeded(), hospital.root.succeeded());
    for profile in [Profile::Person, Profile::PersonEncryption] {
        let refused = people.draft(order(profile), serial(61), NOW);
        assert!(matches!(refused, Err(IssueError::Succeeded { profile: of }) if of == profile));
    }
    let named = |profile| Order {
        subject: Name::of_authority("Test health region", "other").expect("a good name"),
        ..order(profile)
    };
    let refused = root.draft(named(Profile::IssuingAuthority), serial(61), NOW);
    assert!(matches!(refused, Err(IssueError::Succeeded { .. })));
    let end = root.certificate().not_after();
    let refused = root.draft_link(key(60).public(), serial(61), (NOW, end));
    assert!(matches!(refused, Err(IssueError::Succeeded { .. })));

    let responder = people.draft(named(Profile::StatusResponder), serial(61), NOW);
    responder.expect("a draft").sign(&key(PEOPLE_KEY)).expect("signed");
    let edition = Edition { number: 9, this_update: NOW, next_update: NOW + Duration::DAY };
    let list = people.draft_crl(edition, &Scope::All, None, &[]).expect("a draft");
    list.sign(&key(PEOPLE_KEY)).expect("signed");
}
