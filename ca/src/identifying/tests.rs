use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::{
    Order, Profile,
    extension::write,
    workshop::{Forgery, Hospital, ISSUED, PEOPLE_KEY, key, serial},
};

const ENTITY: &str = "1.2.86.21.1.1";
const IDENTIFY_CODE: &str = "1.2.156.10260.4.1.1";

fn oid(text: &str) -> IdentifierOid {
    text.parse().expect("a good identifier")
}

/// A doctor's certificate with these identifiers, issued as any other.
fn issued(identifiers: Vec<IdentifyingExtension>) -> Certificate {
    let hospital = Hospital::new();
    let order = Order {
        profile: Profile::Person,
        subject: hospital.doctor.subject().clone(),
        public_key: key(60).public().clone(),
        days: None,
        identifiers,
    };
    let draft = hospital.people.draft(order, serial(60), ISSUED).expect("a draft");
    draft.sign(&key(PEOPLE_KEY)).expect("signed")
}

/// A certificate of others with this value in an extension.
fn foreign(extension: &str, value: &[u8]) -> Certificate {
    let mut forgery = Forgery::of(&Hospital::new());
    forgery.more_extensions = write(&oid(extension).0, value);
    forgery.certificate()
}

#[test]
fn only_extensions_without_a_meaning_of_their_own_identify() {
    for (text, why) in [
        ("", BadIdentifier::Oid),
        ("1", BadIdentifier::Oid),
        ("1.2", BadIdentifier::Oid),
        ("3.1.1", BadIdentifier::Oid),
        ("1.40.1", BadIdentifier::Oid),
        ("1.2.086", BadIdentifier::Oid),
        ("1.2.86.", BadIdentifier::Oid),
        ("1.2.86.21.1.1 ", BadIdentifier::Oid),
        ("subjectAltName", BadIdentifier::Oid),
        ("2.5.29.15", BadIdentifier::Taken),
        ("2.5.29.17", BadIdentifier::Taken),
        ("1.3.6.1.5.5.7.1.1", BadIdentifier::Taken),
        ("1.3.6.1.5.5.7.48.1.5", BadIdentifier::Taken),
    ] {
        assert_eq!(text.parse::<IdentifierOid>(), Err(why), "{text}");
    }
    let long = format!("1.2{}", ".4294967295".repeat(7));
    assert_eq!(long.parse::<IdentifierOid>(), Err(BadIdentifier::Oid));
    assert_eq!(IdentifierOid::known().count(), KNOWN.len());
    assert_eq!(oid("2.5.290").to_string(), "2.5.290");
}

#[test]
fn text_that_says_too_much_or_is_not_of_its_type_is_refused() {
    let long = "1".repeat(IdentifyingExtension::MAX_LEN + 1);
    for (encoding, text, why) in [
        (Encoding::Utf8, "", BadIdentifier::Length),
        (Encoding::Utf8, &*long, BadIdentifier::Length),
        (Encoding::Utf8, "1\n", BadIdentifier::Character),
        // PrintableString has no at sign.
        (Encoding::Printable, "1@0000JM0A", BadIdentifier::Character),
        (Encoding::Ia5, "医", BadIdentifier::Character),
        (Encoding::IdentifyCode(Document::Passport), "E_1", BadIdentifier::Character),
        // The example printed in GB 11643-1999, A.1.
        (Encoding::Utf8, "1@5013SF011010519491231002X", BadIdentifier::IdNumber),
        (
            Encoding::IdentifyCode(Document::ResidentCard),
            "11010519491231002X",
            BadIdentifier::IdNumber,
        ),
    ] {
        assert_eq!(
            IdentifyingExtension::new(oid(ENTITY), encoding, text).err(),
            Some(why),
            "{text}"
        );
    }
}

#[test]
fn identify_codes_are_read_in_each_way_that_authorities_write_them() {
    let number = "11010519491231002X";
    let printable = [&hex!("1312")[..], number.as_bytes()].concat();
    let explicit = [&hex!("a014")[..], &printable].concat();
    let implicit = [&hex!("8012")[..], number.as_bytes()].concat();
    let officer = "军字第2001988号";
    let utf8 = [&[0x0c, officer.len() as u8][..], officer.as_bytes()].concat();
    let explicit_officer = [&[0xa1, utf8.len() as u8][..], &utf8].concat();
    let implicit_officer = [&[0x81, officer.len() as u8][..], officer.as_bytes()].concat();
    for (value, text, document) in [
        (&explicit, number, Some(Document::ResidentCard)),
        (&implicit, number, Some(Document::ResidentCard)),
        (&printable, number, None),
        (&explicit_officer, officer, Some(Document::OfficerCard)),
        (&implicit_officer, officer, Some(Document::OfficerCard)),
        (
            &hex!("a2 0b 13 09 45 31 32 33 34 35 36 37 38").to_vec(),
            "E12345678",
            Some(Document::Passport),
        ),
    ] {
        let found = foreign(IDENTIFY_CODE, value).identifiers(&[oid(IDENTIFY_CODE)]);
        let [identifier] = &found[..] else { panic!("{} identifiers", found.len()) };
        assert_eq!(identifier.text.as_deref(), Some(text));
        assert_eq!(identifier.document, document);
        assert_eq!(&identifier.raw, value);
        assert!(!format!("{identifier:?}").contains(text));
    }
}

#[test]
fn what_is_no_text_is_kept_as_it_is() {
    for value in [
        &hex!("")[..],
        &hex!("0500"),
        &hex!("1301"),
        &hex!("130141 00"),
        &hex!("1300"),
        &hex!("13 01 40"),
        &hex!("0c 01 ff"),
        &hex!("a0 03 0c 01 41"),
        &hex!("a0 06 13 01 41 13 01 41"),
        &hex!("a3 03 13 01 41"),
        &hex!("1e 02 00 41"),
    ] {
        let found = foreign(ENTITY, value).identifiers(&[oid(ENTITY)]);
        assert_eq!((found[0].text.as_deref(), found[0].raw.as_slice()), (None, value));
    }
    let absent = foreign("1.2.86.21.1.2", &hex!("130141"));
    assert_eq!(absent.identifiers(&IdentifierOid::known().collect::<Vec<_>>()), []);
}

#[test]
fn the_identifiers_of_a_table_are_found_in_its_order() {
    let entity = IdentifyingExtension::new(oid(ENTITY), Encoding::Utf8, "1@0000JM0A").unwrap();
    let code = Encoding::IdentifyCode(Document::Passport);
    let code = IdentifyingExtension::new(oid(IDENTIFY_CODE), code, "E1").unwrap();
    let certificate = issued(vec![entity, code]);
    let texts = |table: &[&str]| -> Vec<String> {
        let table: Vec<_> = table.iter().map(|text| oid(text)).collect();
        let found = certificate.identifiers(&table);
        found.into_iter().filter_map(|it| it.text).collect()
    };
    assert_eq!(texts(&[ENTITY, IDENTIFY_CODE]), ["1@0000JM0A", "E1"]);
    assert_eq!(texts(&[IDENTIFY_CODE, ENTITY]), ["E1", "1@0000JM0A"]);
    assert_eq!(texts(&["1.2.86.21.1.3"]), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is written is read, whatever the encoding.
    #[test]
    fn what_is_written_is_read(text in "[A-Za-z0-9 ():./?-]{1,128}", at in 0_usize..6) {
        let encoding = [
            Encoding::Utf8,
            Encoding::Printable,
            Encoding::Ia5,
            Encoding::IdentifyCode(Document::ResidentCard),
            Encoding::IdentifyCode(Document::OfficerCard),
            Encoding::IdentifyCode(Document::Passport),
        ][at];
        prop_assume!(!holds_id_number(&text));
        let extension = IdentifyingExtension::new(oid(ENTITY), encoding, &text).unwrap();
        prop_assert!(is_plain(extension.value()));
        let read = Identifier::read(oid(ENTITY), extension.value());
        prop_assert_eq!(read.text, Some(text));
        let document = match encoding {
            Encoding::IdentifyCode(document) => Some(document),
            _ => None,
        };
        prop_assert_eq!(read.document, document);
    }
}
