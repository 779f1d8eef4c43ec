use proto::v1::{Sex, WrittenRecord};

use super::*;

fn reading() -> CardReading {
    CardReading {
        name: "王秀英".to_owned(),
        sex: Sex::Female.into(),
        ethnic_group: 1,
        birth_date: "1949-12-31".to_owned(),
        id_number: "11010119491231002X".to_owned(),
        ..CardReading::default()
    }
}

fn said(item: u32, record: u32, raw: &[u8]) -> CardField {
    CardField { item, record, raw: raw.to_vec(), ..CardField::default() }
}

fn read(name: &str, fields: Vec<CardField>) -> CardDump {
    let state = CardFileState::Read.into();
    let file = CardFile { name: name.to_owned(), state, fields, ..CardFile::default() };
    CardDump { files: vec![file], ..CardDump::default() }
}

fn fields(answer: Answer) -> Vec<(u16, u8, Vec<u8>)> {
    let Answer::Fields(fields) = answer else { panic!("{answer:?}") };
    fields.into_iter().map(|it| (it.item, it.record, it.bytes.to_vec())).collect()
}

#[test]
fn the_holder_is_told_as_the_card_says_it() {
    let told = fields(holder(&reading()));
    assert_eq!(told.len(), 5);
    assert_eq!((told[0].0, told[0].1, told[0].2.len()), (11, 1, 30));
    assert_eq!(told[0].2[..6], *b"\xCD\xF5\xD0\xE3\xD3\xA2");
    assert_eq!(told[3], (14, 4, vec![0x19, 0x49, 0x12, 0x31]));
    assert_eq!(told[4].2, b"11010119491231002X");
    // A group that the card leaves open, and what no card can hold.
    let open = fields(holder(&CardReading { ethnic_group: 0, ..reading() }));
    assert_ne!(open[2].2, told[2].2);
    for broken in [
        CardReading { birth_date: "1949-02-30".to_owned(), ..reading() },
        CardReading { name: "王".repeat(40), ..reading() },
        CardReading { id_number: "\u{1F600}".to_owned(), ..reading() },
    ] {
        assert_eq!(holder(&broken), Answer::Refused(Refusal::Failed));
    }
}

#[test]
fn fields_come_without_tag_and_length() {
    // DDF1/EF08: the first phone, item 16, is record 2, tag 10, of 20 bytes.
    let record = [&[0x10, 20][..], b"037166880000", &[0; 8]].concat();
    let phone = read("DDF1/EF08", vec![said(16, 2, &record)]);
    assert_eq!(fields(file(phone)), [(16, 2, record[2..].to_vec())]);
    let ring = read("DF02/EF07", vec![said(58, 1, &[1; 20]), said(58, 2, &[2; 20])]);
    assert_eq!(fields(file(ring)), [(58, 1, vec![1; 20]), (58, 2, vec![2; 20])]);
    let other_tag = [&[0x11, 20][..], &[0; 20]].concat();
    let failed = Answer::Refused(Refusal::Failed);
    assert_eq!(file(read("DDF1/EF08", vec![said(16, 2, &other_tag)])), failed);
    assert_eq!(file(read("DDF1/EF08", vec![said(58, 2, &record)])), failed, "of another file");
    let problem = |problem: CardFieldProblem| {
        let field = CardField { problem: problem.into(), ..said(16, 2, &record) };
        file(read("DDF1/EF08", vec![field]))
    };
    assert_eq!(problem(CardFieldProblem::Withheld), failed);
    assert_eq!(problem(CardFieldProblem::Record), failed);
    assert_eq!(problem(CardFieldProblem::Missing), Answer::Fields(Vec::new()));
    assert!(matches!(problem(CardFieldProblem::Value), Answer::Fields(_)));
}

#[test]
fn a_file_that_was_not_read_has_its_reason() {
    let cases = [
        (CardFileState::NotOnCard, Refusal::NoFile),
        (CardFileState::MarkedInvalid, Refusal::MarkedInvalid),
        (CardFileState::NotAllowed, Refusal::NotGenuine),
        (CardFileState::Failed, Refusal::Failed),
        (CardFileState::Unspecified, Refusal::Failed),
    ];
    for (state, why) in cases {
        let mut dump = read("DF03/ED01", Vec::new());
        dump.files[0].state = state.into();
        assert_eq!(file(dump), Answer::Refused(why));
    }
    assert_eq!(file(CardDump::default()), Answer::Refused(Refusal::NoFile));
    let mut photo = read("DDF1/EF07", Vec::new());
    photo.files[0].photo = vec![0xFF, 0xD8];
    assert_eq!(file(photo), Answer::Photo(Zeroizing::new(vec![0xFF, 0xD8])));
}

#[test]
fn reasons_become_refusals() {
    let cases = [
        ("CARD_REMOVED", Refusal::NoCard),
        ("CARD_TIMEOUT", Refusal::CardFailed),
        ("CARD_NOT_GENUINE", Refusal::NotGenuine),
        ("FIELD_INVALID", Refusal::Request),
        ("CARD_HAS_NO_PLACE", Refusal::NoFile),
        ("SAM_PIN_NEEDED", Refusal::Away),
        ("NO_RELATION", Refusal::NotPermitted),
        ("CARD_LOST", Refusal::NotPermitted),
        ("WHAT_COMES_LATER", Refusal::NotPermitted),
    ];
    for (reason, why) in cases {
        assert_eq!(refusal(reason), why, "{reason}");
    }
}

#[test]
fn changes_are_passed_on_as_they_were_asked_for() {
    let spelled = |item, text: &str| Spelled { item, text: Zeroizing::new(text.to_owned()) };
    let visit: VisitId = "01939d5e-7a00-7000-8000-000000000001".parse().unwrap();
    let items = changes(None, Change::Items(vec![spelled(22, "北京"), spelled(24, "")]));
    let given: Vec<_> = items.items.iter().map(|it| (it.item, it.value.as_str())).collect();
    assert_eq!((given, items.visit_id.as_str()), (vec![(22, "北京"), (24, "")], ""));
    let ring = "DF02/EF07".parse().unwrap();
    let record = Change::Record { file: ring, items: vec![spelled(58, "pollen")] };
    let record = changes(Some(visit), record);
    assert_eq!(
        (record.records[0].file.as_str(), record.visit_id),
        ("DF02/EF07", visit.to_string())
    );
    let stay = Change::Visit { kind: VisitKind::Inpatient, items: vec![spelled(66, "20261126")] };
    assert_eq!(changes(Some(visit), stay).visits[0].kind(), VisitRecordKind::Inpatient);
    let written = |name: &str| CardWritten {
        records: vec![WrittenRecord { file: name.to_owned(), record: 1, changed: true }],
        ..CardWritten::default()
    };
    assert_eq!(changed(&written("DF02/EF07")), Answer::Changed(vec![ring]));
    assert_eq!(changed(&written("DF09/EF07")), Answer::Refused(Refusal::Failed));
}
