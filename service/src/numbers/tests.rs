use proptest::prelude::*;

use super::*;

const HOSPITAL: &str = "0193e5a0-0000-7000-8000-000000000001";

#[test]
fn each_kind_has_its_form() {
    use BadBoundNumber::{Issuer, Number};
    use NumberKind::*;
    #[rustfmt::skip]
    let cases = [
        (Passport, "CHN", "E12345678", Ok("E12345678")),
        (Passport, "CHN", "ej1234567", Ok("EJ1234567")),
        (Passport, "CHN", "ＥＪ１２３４５６７", Ok("EJ1234567")),
        (Passport, "CHN", "　G12345678 ", Ok("G12345678")),
        (Passport, "CHN", "D1234567", Ok("D1234567")),
        (Passport, "CHN", "SE1234567", Ok("SE1234567")),
        (Passport, "CHN", "141234567", Ok("141234567")),
        (Passport, "CHN", "KJ1234567", Ok("KJ1234567")),
        (Passport, "CHN", "EI1234567", Err(Number)),
        (Passport, "CHN", "E1234567", Err(Number)),
        (Passport, "CHN", "E123456789", Err(Number)),
        (Passport, "CHN", "X12345678", Err(Number)),
        (Passport, "CHN", "E1234 5678", Err(Number)),
        (Passport, "D", "C01X00T47", Ok("C01X00T47")),
        (Passport, "usa", "123456789", Ok("123456789")),
        (Passport, "USA", "ABCDEFG", Err(Number)),
        (Passport, "USA", "1234", Err(Number)),
        (Passport, "USA", "1234567890", Err(Number)),
        (Passport, "", "E12345678", Err(Issuer)),
        (Passport, "CN", "E12345678", Err(Issuer)),
        (Passport, "C1N", "E12345678", Err(Issuer)),
        (HkMacauPermit, "", "H12345678", Ok("H12345678")),
        (HkMacauPermit, "", "m1234567802", Ok("M12345678")),
        (HkMacauPermit, "", "C12345678", Err(Number)),
        (HkMacauPermit, "", "H123456789", Err(Number)),
        (HkMacauPermit, "HKG", "H12345678", Err(Issuer)),
        (TaiwanPermit, "", "12345678", Ok("12345678")),
        (TaiwanPermit, "", "1234567801", Err(Number)),
        (OfficerCard, "", "军字第2001988号", Ok("军字第2001988号")),
        (OfficerCard, "", "士字第p011816x", Ok("士字第P011816X号")),
        (OfficerCard, "", "军字第201号", Err(Number)),
        (OfficerCard, "", "军字第201988123号", Err(Number)),
        (OfficerCard, "", "A字第2001988号", Err(Number)),
        (OfficerCard, "", "2001988", Err(Number)),
        (BirthCertificate, "", "o330123456", Ok("O330123456")),
        (BirthCertificate, "", "O33012345", Err(Number)),
        (BirthCertificate, "", "3330123456", Err(Number)),
        (ForeignResidenceCard, "", "usa110012345678", Ok("USA110012345678")),
        (ForeignResidenceCard, "", "990000194906120015", Ok("990000194906120015")),
        (ForeignResidenceCard, "", "990000194906120016", Err(Number)),
        (ForeignResidenceCard, "", "11010519491231002X", Err(Number)),
        (HouseholdBook, "", "012345678", Ok("012345678")),
        (HouseholdBook, "", "12345", Err(Number)),
        (SocialSecurityCard, "990000", "a12345678", Ok("A12345678")),
        (SocialSecurityCard, "", "A12345678", Err(Issuer)),
        (SocialSecurityCard, "99000", "A12345678", Err(Issuer)),
        (SocialSecurityCard, "990000", "ABCDEFGH1", Err(Number)),
        (CityCard, "990000", "3105990000000000017", Ok("3105990000000000017")),
        (CityCard, "990000", "3105-9900", Err(Number)),
        (MedicalRecord, HOSPITAL, "00012345", Ok("00012345")),
        (MedicalRecord, HOSPITAL, "zy2026/001.1-2", Ok("ZY2026/001.1-2")),
        (MedicalRecord, HOSPITAL, "-1", Err(Number)),
        (MedicalRecord, HOSPITAL, "", Err(Number)),
        (MedicalRecord, HOSPITAL, "张三", Err(Number)),
        (MedicalRecord, "", "1", Err(Issuer)),
        (Patient, "0193E5A0-0000-7000-8000-000000000001", "1", Err(Issuer)),
        (Patient, HOSPITAL, "1", Ok("1")),
        (Other, "", "RE-4711", Ok("RE-4711")),
        (Other, "", "RE|4711", Err(Number)),
        (Other, "", "123", Err(Number)),
    ];
    for (kind, issuer, number, expected) in cases {
        let read = BoundNumber::parse(kind, issuer, number);
        assert_eq!(
            read.as_ref().map(BoundNumber::number),
            expected.as_ref().copied(),
            "{kind} {number}"
        );
    }
    for kind in NumberKind::ALL {
        let whole = cases.iter().find(|(of, .., expected)| of == kind && expected.is_ok());
        assert!(whole.is_some(), "{kind} has no case");
    }
}

#[test]
fn too_much_text_is_not_looked_at() {
    let long = "1".repeat(MOST_TYPED + 1);
    let parse = |issuer: &str, number: &str| {
        BoundNumber::parse(NumberKind::HouseholdBook, issuer, number).map(|_| ())
    };
    assert_eq!(parse(&long, "123456"), Err(BadBoundNumber::Issuer));
    assert_eq!(parse("", &long), Err(BadBoundNumber::Number));
}

#[test]
fn numbers_are_not_printed() {
    let number = BoundNumber::parse(NumberKind::TaiwanPermit, "", "12345678").unwrap();
    assert_eq!(format!("{number:?}"), "BoundNumber(taiwan-permit, ..)");
}

fn any_kind() -> impl Strategy<Value = NumberKind> {
    (0..NumberKind::ALL.len()).prop_map(|at| NumberKind::ALL[at])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is accepted has one spelling, which is read back as itself and fits one text.
    #[test]
    fn any_text_is_refused_or_has_one_spelling(
        kind in any_kind(),
        issuer in "(CHN|D|[A-Z]{0,4}|[0-9]{5,7}|[0-9a-f-]{36}|.{0,8})",
        number in "([A-Za-z0-9]{0,20}|[HM][0-9]{8,10}|\u{519b}字第[0-9]{3,9}号?|.{0,40})",
    ) {
        if let Ok(read) = BoundNumber::parse(kind, &issuer, &number) {
            prop_assert_eq!(
                BoundNumber::parse(kind, read.issuer(), read.number()), Ok(read.clone())
            );
            prop_assert_eq!(BoundNumber::from_joined(kind, &read.joined()), Ok(read));
        }
    }

    #[test]
    fn full_width_and_small_letters_say_the_same(number in "E[A-HJ-NP-Z][0-9]{7}") {
        let wide: String = number
            .to_ascii_lowercase()
            .chars()
            .map(|c| char::from_u32(u32::from(c) - u32::from('!') + 0xff01).unwrap())
            .collect();
        let kind = NumberKind::Passport;
        prop_assert_eq!(
            BoundNumber::parse(kind, "ＣＨＮ", &wide),
            BoundNumber::parse(kind, "CHN", &number)
        );
    }
}
