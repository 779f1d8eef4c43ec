use proptest::collection::vec;
use proptest::prelude::*;

use super::form::VERSION;
use super::*;
use crate::data::Photo;
use crate::layout::FILES;

const VISIT: VisitId = VisitId([7; 16]);

fn spelled(item: u16, text: &str) -> Spelled {
    Spelled { item, text: Zeroizing::new(text.to_owned()) }
}

fn file(name: &str) -> FileName {
    name.parse().unwrap()
}

/// One of each.
fn requests() -> Vec<Request> {
    let card = Insertion([1, 2, 3, 4, 5, 6, 7, 8]);
    let change = |visit, change| Request::Card(card, Order::Change { visit, change });
    let items = vec![spelled(22, "虚构市花园路一号"), spelled(23, "")];
    vec![
        Request::PowerOn { reader: "Virtual PCD 00 00".to_owned() },
        Request::PowerOn { reader: String::new() },
        Request::Card(card, Order::Free),
        Request::Card(card, Order::Holder),
        Request::Card(
            card,
            Order::File { visit: VISIT, purpose: Purpose::PatientRequest, file: file("DF03/ED05") },
        ),
        change(None, Change::Items(items.clone())),
        change(Some(VISIT), Change::Record { file: file("DF02/EF07"), items: items.clone() }),
        change(Some(VISIT), Change::Visit { kind: VisitKind::Inpatient, items }),
    ]
}

fn answers() -> Vec<Answer> {
    let field = |item, record, bytes: &[u8]| Field { item, record, bytes: bytes.to_vec().into() };
    let mut answers = vec![
        Answer::Card { card: Insertion([9; 8]), atr: vec![0x3B; 33] },
        Answer::Fields(vec![field(11, 1, b"\xD5\xC5"), field(384, 0, b"")]),
        Answer::Photo(vec![0xFF; Photo::MAX].into()),
        Answer::Changed(vec![file("DF02/EF07"), file("DF03/EE01")]),
        Answer::Changed(Vec::new()),
    ];
    answers.extend(Refusal::ALL.map(Answer::Refused));
    answers
}

#[test]
fn what_is_sent_is_what_is_read() {
    for request in requests() {
        let sent = request.encode().unwrap();
        let (head, message) = sent.split_first_chunk().unwrap();
        assert_eq!(length(*head, MAX_REQUEST), Some(message.len()));
        assert_eq!(Request::decode(message), Some(request));
    }
    for answer in answers() {
        let sent = answer.encode().unwrap();
        let (head, message) = sent.split_first_chunk().unwrap();
        assert_eq!(length(*head, MAX_ANSWER), Some(message.len()));
        assert_eq!(Answer::decode(message), Some(answer));
    }
}

#[test]
fn there_is_one_form() {
    for request in requests() {
        let message = &request.encode().unwrap()[4..];
        for end in 0..message.len() {
            assert_eq!(Request::decode(&message[..end]), None, "{request:?} ends at {end}");
        }
        assert_eq!(Request::decode(&[message, &[0]].concat()), None, "{request:?} and more");
        for version in [0, 2, 255] {
            let other = [&[version], &message[1..]].concat();
            assert_eq!(Request::decode(&other), None, "version {version}");
        }
    }
    for answer in answers() {
        let message = &answer.encode().unwrap()[4..];
        for end in 0..message.len() {
            assert_eq!(Answer::decode(&message[..end]), None, "{answer:?} ends at {end}");
        }
        assert_eq!(Answer::decode(&[message, &[0]].concat()), None, "{answer:?} and more");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let card = [0; 8];
    let change = |tail: &[u8]| [&[1, 5][..], &card, &[0], tail].concat();
    let cases: [(&str, Vec<u8>); 16] = [
        ("no request", vec![1, 0]),
        ("a later request", vec![1, 6]),
        ("a name that is not UTF-8", vec![1, 1, 1, 0xFF]),
        ("a name too long", [&[1, 1, 129][..], &[b'a'; 129]].concat()),
        ("a purpose of tokens", [&[1, 4][..], &card, &[7; 16], &[3, 0xDF, 0x01, 0xEF, 5]].concat()),
        ("no such file", [&[1, 4][..], &card, &[7; 16], &[1, 0xDF, 0x01, 0xEF, 9]].concat()),
        ("no such directory", [&[1, 4][..], &card, &[7; 16], &[1, 0xDF, 9, 0xEF, 5]].concat()),
        ("half a visit", [&[1, 5][..], &card, &[2]].concat()),
        ("no change", change(&[0])),
        ("a mark", change(&[4, 0, 1, 0, 66, 0, 0])),
        ("nothing spelled", change(&[1, 0, 0])),
        ("too much spelled", [change(&[1, 0, 201]), [0, 22, 0, 0].repeat(201)].concat()),
        ("item 0", change(&[1, 0, 1, 0, 0, 0, 0])),
        ("item 385", change(&[1, 0, 1, 0x01, 0x81, 0, 0])),
        ("text that is not UTF-8", change(&[1, 0, 1, 0, 22, 0, 1, 0xFF])),
        ("a visit of no kind", change(&[3, 3, 0, 1, 0, 66, 0, 0])),
    ];
    for (what, message) in cases {
        assert_eq!(Request::decode(&message), None, "{what}");
    }
    let long = [&[1, 5][..], &card, &[0, 1, 0, 1, 0, 22]].concat();
    let long = [&long[..], &0x4000_u16.to_be_bytes(), &[b'a'; 0x4000]].concat();
    assert_eq!(Request::decode(&long), None, "longer than any");

    let cases: [(&str, Vec<u8>); 8] = [
        ("no answer", vec![1, 0]),
        ("another version", vec![2, 5, 1]),
        ("a long answer to reset", [&[1, 1][..], &card, &[34], &[0x3B; 34]].concat()),
        ("item 385", vec![1, 2, 0, 1, 0x01, 0x81, 0, 0, 0]),
        ("too many fields", [&[1, 2, 0, 201][..], &[0, 22, 0, 0, 0].repeat(201)].concat()),
        ("a large picture", [&[1, 3, 0x0C, 0x01][..], &[0xFF; 3073]].concat()),
        ("no reason", vec![1, 5, 0]),
        ("another reason", vec![1, 5, 11]),
    ];
    for (what, message) in cases {
        assert_eq!(Answer::decode(&message), None, "{what}");
    }
    for (octets, expected) in [(0_u32, None), (1, None), (2, Some(2)), (9, Some(9)), (10, None)] {
        assert_eq!(length(octets.to_be_bytes(), 9), expected, "{octets}");
    }
    assert_eq!(length([0xFF; 4], MAX_REQUEST), None);
}

#[test]
fn what_nobody_would_read_is_not_written() {
    let text = "a".repeat(MAX_REQUEST);
    let change = Change::Items(vec![spelled(22, &text)]);
    let card = Insertion([0; 8]);
    let order = Order::Change { visit: None, change };
    assert!(Request::Card(card, order).encode().is_none());
    assert!(Request::PowerOn { reader: "a".repeat(256) }.encode().is_none());
    let field = || Field { item: 1, record: 0, bytes: vec![0; 4096].into() };
    assert!(Answer::Fields(vec![field(), field()]).encode().is_none());
}

#[test]
fn a_visit_is_named_as_the_service_names_it() {
    let text = "01939d5e-7a00-7000-8000-0000000000ff";
    let visit: VisitId = text.parse().unwrap();
    assert_eq!((visit.0[0], visit.0[15]), (0x01, 0xFF));
    assert_eq!(visit.to_string(), text);
    let cases = [
        "",
        "01939d5e7a0070008000000000000ff0",
        "01939d5e-7a00-7000-8000-0000000000f",
        "01939d5e-7a00-7000-8000-0000000000ff-",
        "01939d5e-7a00-7000-80000-000000000ff",
        "01939d5e-7a00-7000-8000-0000000000fg",
        "01939d5e-7a00-7000-8000-00000000+0ff",
        "{1939d5e-7a00-7000-8000-0000000000ff",
    ];
    for text in cases {
        assert_eq!(text.parse::<VisitId>(), Err(BadVisitId), "{text}");
    }
}

#[test]
fn nothing_personal_is_printed() {
    for request in requests() {
        assert!(!format!("{request:?}").contains("花园路"));
    }
    for answer in answers() {
        let printed = format!("{answer:?}");
        assert!(!printed.contains("213") && !printed.contains("D5"), "{printed}");
    }
}

fn any_file() -> impl Strategy<Value = FileName> {
    (0..FILES.len()).prop_map(|at| FILES[at].name)
}

fn any_spelled() -> impl Strategy<Value = Vec<Spelled>> {
    vec((1..=384_u16, ".{0,20}").prop_map(|(item, text)| spelled(item, &text)), 1..20)
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any_spelled().prop_map(Change::Items),
        (any_file(), any_spelled()).prop_map(|(file, items)| Change::Record { file, items }),
        (0..2_usize, any_spelled())
            .prop_map(|(kind, items)| Change::Visit { kind: VisitKind::ALL[kind], items }),
    ]
}

proptest! {
    #[test]
    fn any_change_comes_back(
        card: [u8; 8],
        visit in proptest::option::of(any::<[u8; 16]>()),
        change in any_change(),
    ) {
        let visit = visit.map(VisitId);
        let request = Request::Card(Insertion(card), Order::Change { visit, change });
        let sent = request.encode().unwrap();
        prop_assert_eq!(Request::decode(&sent[4..]), Some(request));
    }

    #[test]
    fn any_fields_come_back(
        fields in vec((1..=384_u16, any::<u8>(), vec(any::<u8>(), 0..60)), 0..60),
    ) {
        let fields = fields.into_iter();
        let fields = fields.map(|(item, record, bytes)| Field { item, record, bytes: bytes.into() });
        let answer = Answer::Fields(fields.collect());
        let sent = answer.encode().unwrap();
        prop_assert_eq!(Answer::decode(&sent[4..]), Some(answer));
    }

    #[test]
    fn what_is_read_is_written_again(octets in vec(any::<u8>(), 0..80), kind in 1..=5_u8) {
        let message = [&[VERSION, kind], &octets[..]].concat();
        if let Some(request) = Request::decode(&message) {
            prop_assert_eq!(&request.encode().unwrap()[4..], &message[..]);
        }
        if let Some(answer) = Answer::decode(&message) {
            prop_assert_eq!(&answer.encode().unwrap()[4..], &message[..]);
        }
    }

    #[test]
    fn one_octet_changed_is_another_request(at in 0..400_usize, to: u8) {
        for request in requests() {
            let mut message = request.encode().unwrap()[4..].to_vec();
            let at = at % message.len();
            if message[at] != to {
                message[at] = to;
                prop_assert_ne!(Request::decode(&message), Some(request));
            }
        }
    }
}
