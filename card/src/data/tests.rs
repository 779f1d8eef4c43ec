use super::*;
use crate::codes::{EthnicGroup, Payment, Sex};
use crate::layout::FILES;
use crate::layout::ddf1::{ef05, ef06, ef08};
use crate::value::BadText;
use hex_literal::hex;
use proptest::prelude::*;
use time::macros::date;

/// The record of `element` holding bytes, filled with `00`.
fn text_record(element: &Element, bytes: &[u8]) -> Vec<u8> {
    let mut field = bytes.to_vec();
    field.resize(usize::from(element.length), 0);
    tlv::wrap(element, &field)
}

fn issuer() -> IssuerData {
    IssuerData {
        class: CardClass(b'1'),
        version: "1.0".parse().unwrap(),
        name: "河南省卫生厅".to_owned(),
        code: "4101000000000000000001".parse().unwrap(),
        certificate: IssuerCertificate([0x31; 180]),
        issued_on: date!(2024 - 01 - 02),
        card_number: "11010519491231002X".parse().unwrap(),
        security_code: "123".parse().unwrap(),
        chip_serial: "0000000001".parse().unwrap(),
        city: "410100".parse().unwrap(),
    }
}

fn holder() -> HolderData {
    HolderData {
        name: "张三".parse().unwrap(),
        sex: Sex::Female,
        ethnic_group: EthnicGroup::from_code(1),
        birth_date: date!(1949 - 12 - 31),
        id_number: "11010519491231002X".parse().unwrap(),
    }
}

fn contact() -> ContactData {
    ContactData {
        valid_until: date!(2034 - 01 - 01),
        phones: ["13800138000".parse().ok(), None],
        payments: [Payment::from_code(1), None, Payment::from_code(8)],
    }
}

#[test]
fn files_read_as_they_are_written() {
    assert_eq!(IssuerData::decode(&issuer().encode().unwrap()), Ok(issuer()));
    assert_eq!(HolderData::decode(&holder().encode()), Ok(holder()));
    assert_eq!(ContactData::decode(&contact().encode()), Ok(contact()));
}

#[test]
fn records_have_the_bytes_of_the_table() {
    // health-card.md, 2.5 and 2.6; the phone's record is that of 4.5.
    let (holder, contact) = (holder().encode(), contact().encode());
    let cases: [(&str, &[u8], &[u8]); 6] = [
        ("name", &holder[0][..8], &hex!("0B1E D5C5C8FD 0000")),
        ("sex", &holder[1], &hex!("0C0102")),
        ("ethnic group", &holder[2], &hex!("0D0101")),
        ("birth date", &holder[3], &hex!("0E0419491231")),
        ("phone", &contact[1], &hex!("10143133383030313338303030000000000000000000")),
        ("no payment", &contact[4], &hex!("1301FF")),
    ];
    for (name, written, expected) in cases {
        assert_eq!(written, expected, "{name}");
    }
    assert_eq!(issuer().encode().unwrap()[9], hex!("3903410100"));
}

#[test]
fn a_wrong_record_is_named() {
    let value = Malformed::Value;
    let cases: [(&str, &Element, &[u8], Malformed); 10] = [
        ("bad GBK", &ef06::NAME, &[0x81; 1], value(BadValue::NotGbk)),
        ("no name", &ef06::NAME, &[], value(BadValue::Empty)),
        ("ideographic space for a name", &ef06::NAME, &hex!("A1A1"), value(BadValue::Empty)),
        ("sex 3", &ef06::SEX, &[3], value(BadValue::UnknownCode)),
        ("sex as a character", &ef06::SEX, b"1", value(BadValue::UnknownCode)),
        ("ethnic group 57", &ef06::ETHNIC_GROUP, &[0x57], value(BadValue::UnknownCode)),
        ("31 February", &ef06::BIRTH_DATE, &hex!("19490231"), value(BadValue::NoSuchDate)),
        ("no birth date", &ef06::BIRTH_DATE, &[0xFF; 4], value(BadValue::Empty)),
        ("check digit", &ef06::ID_NUMBER, b"110105194912310021", value(BadValue::Number)),
        ("half an ID", &ef06::ID_NUMBER, b"110105", value(BadValue::Number)),
    ];
    for (name, element, field, why) in cases {
        let mut records = holder().encode();
        records[usize::from(element.record()) - 1] = text_record(element, field);
        let expected = MalformedRecord { file: ef06::FILE.name, record: element.record(), why };
        assert_eq!(HolderData::decode(&records), Err(expected), "{name}");
    }
    let missing = MalformedRecord {
        file: ef06::FILE.name,
        record: 5,
        why: Malformed::Record(BadRecord::Truncated(0)),
    };
    assert_eq!(HolderData::decode(&holder().encode()[..4]), Err(missing));
}

#[test]
fn one_digit_codes_stand_left_or_after_a_zero() {
    for byte in [0x01, 0x1F] {
        let mut records = contact().encode();
        records[3] = tlv::wrap(&ef08::PAYMENT_1, &[byte]);
        assert_eq!(ContactData::decode(&records), Ok(contact()), "{byte:02X}");
    }
}

#[test]
fn nothing_personal_is_printed() {
    let printed = format!("{:?} {:?} {:?}", issuer(), holder(), contact());
    for secret in ["张三", "11010519491231002X", "13800138000", "\"123\""] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[test]
fn photos_are_jpegs_that_fit() {
    let photo = Photo::new([&JPEG[..], &[7; 100]].concat()).unwrap();
    let file = PhotoFile::encode(Some(&photo));
    assert_eq!((file.len(), &file[..5]), (3074, &hex!("0068 FFD8FF")[..]));
    assert_eq!(PhotoFile::length([file[0], file[1]]), Ok(Some(104)));
    assert_eq!(PhotoFile::picture(file[2..106].to_vec()), Ok(photo));
    assert_eq!(PhotoFile::length([0, 0]), Ok(None));
    assert_eq!(PhotoFile::length([0xFF, 0xFF]), Ok(None));
    assert!(PhotoFile::length([0x0C, 0x00]).is_ok());
    assert!(PhotoFile::length([0x0C, 0x01]).is_err());
    assert_eq!(Photo::new(b"GIF89a".to_vec()), Err(BadValue::Picture));
    assert_eq!(Photo::new(JPEG.repeat(1000)), Err(BadValue::Picture));
}

const JPEG: [u8; 4] = hex!("FFD8FFE0");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_records_read_or_are_refused(
        fields in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..12),
        framed in any::<bool>(),
    ) {
        for file in FILES {
            let records: Vec<Vec<u8>> = match framed {
                false => fields.clone(),
                true => file.elements().iter().zip(&fields).map(|(element, field)| {
                    let length = usize::from(element.length);
                    text_record(element, &field[..field.len().min(length)])
                }).collect(),
            };
            let _ = IssuerData::decode(&records);
            let _ = HolderData::decode(&records);
            let _ = ContactData::decode(&records);
        }
    }

    #[test]
    fn every_holder_survives(
        name in "[一-龥]{1,15}", sex in prop::sample::select(vec![0u8, 1, 2, 9]), group in 0u8..=56,
        day in 0i64..60_000,
    ) {
        let holder = HolderData {
            name: name.parse().unwrap(),
            sex: Sex::from_code(sex).unwrap(),
            ethnic_group: EthnicGroup::from_code(group),
            birth_date: date!(1900 - 01 - 01) + time::Duration::days(day),
            ..holder()
        };
        prop_assert_eq!(HolderData::decode(&holder.encode()), Ok(holder));
    }

    #[test]
    fn any_changed_frame_is_refused(at in 0usize..2, to in any::<u8>()) {
        let mut records = issuer().encode().unwrap();
        let before = std::mem::replace(&mut records[9][at], to);
        let refused = IssuerData::decode(&records).is_err();
        prop_assert_eq!(refused, to != before);
    }
}

#[test]
fn the_issuer_name_must_fit() {
    let long = IssuerData { name: "厅".repeat(16), ..issuer() };
    assert_eq!(
        long.encode(),
        Err(BadText::TooLong { needed: 32, room: usize::from(ef05::ISSUER_NAME.length) })
    );
}
