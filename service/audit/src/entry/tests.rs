use proptest::prelude::*;

use super::*;

const ID: &str = "01936b1e-7c00-7000-8000-000000000001";
const AT: &str = "2026-11-23T08:00:00.000000Z";

fn full() -> Entry {
    let actor = Actor {
        identity: Some("doctor-1".into()),
        certificate: Some("5f01".into()),
        role: Some("doctor".into()),
        institution: Some("hospital-1".into()),
        address: Some("10.0.0.7".into()),
    };
    Entry::new(ID, AT, "token.issue", Outcome::Granted, actor)
        .about("resident-1")
        .in_visit("visit-1")
        .for_purpose("treatment")
        .under("9c", "attending")
        .on("token", "t-1")
        .with("grade", "3")
        .with("classes", "care")
}

#[test]
fn an_entry_has_one_form() {
    let expected = concat!(
        r#"{"v":1,"id":"01936b1e-7c00-7000-8000-000000000001","at":"2026-11-23T08:00:00.000000Z","#,
        r#""action":"token.issue","outcome":"granted","actor":{"identity":"doctor-1","certificate":"5f01","#,
        r#""role":"doctor","institution":"hospital-1","address":"10.0.0.7"},"resident":"resident-1","#,
        r#""visit":"visit-1","purpose":"treatment","policy":{"hash":"9c","rule":"attending"},"#,
        r#""object":{"kind":"token","id":"t-1"},"detail":{"classes":"care","grade":"3"}}"#,
    );
    assert_eq!(String::from_utf8(full().encode().unwrap()).unwrap(), expected);
    assert_eq!(Entry::decode(expected.as_bytes()).unwrap(), full());
    let least = Entry::new(ID, AT, "session.open", Outcome::Refused, Actor::default());
    assert_eq!(
        String::from_utf8(least.encode().unwrap()).unwrap(),
        format!(r#"{{"v":1,"id":"{ID}","at":"{AT}","action":"session.open","outcome":"refused"}}"#)
    );
}

#[test]
fn other_forms_are_refused() {
    let least = format!(r#"{{"v":1,"id":"{ID}","at":"{AT}","action":"a","outcome":"failed""#);
    let with = |rest: &str| format!("{least}{rest}");
    let not_canonical = [
        ("white space", with(" }")),
        ("a trailing newline", with("}\n")),
        ("an absent field written", with(r#","resident":null}"#)),
        ("an empty actor written", with(r#","actor":{}}"#)),
        ("an empty detail written", with(r#","detail":{}}"#)),
        ("detail out of order", with(r#","detail":{"b":"1","a":"1"}}"#)),
        ("a detail twice", with(r#","detail":{"a":"1","a":"1"}}"#)),
        ("a needless escape", with(r#","visit":"\u0061"}"#)),
        ("fields out of order", with(r#","visit":"v","resident":"r"}"#)),
    ];
    for (why, text) in not_canonical {
        let refused = Entry::decode(text.as_bytes()).unwrap_err();
        assert!(matches!(refused, EntryError::NotCanonical), "{why}: {refused:?}");
    }
    let malformed = [
        ("an unknown field", with(r#","name":"x"}"#)),
        ("a field twice", with(r#","visit":"v","visit":"v"}"#)),
        ("bytes after the end", with("}{}")),
        ("an unknown outcome", with("}").replace("failed", "maybe")),
        ("not an object", "[]".to_owned()),
        ("nothing", String::new()),
    ];
    for (why, text) in malformed {
        let refused = Entry::decode(text.as_bytes()).unwrap_err();
        assert!(matches!(refused, EntryError::Form(_)), "{why}: {refused:?}");
    }
    let invalid_utf8 = with(r#","visit":"?"}"#)
        .into_bytes()
        .iter()
        .map(|b| if *b == b'?' { 0xff } else { *b })
        .collect::<Vec<_>>();
    assert!(matches!(Entry::decode(&invalid_utf8), Err(EntryError::Form(_))));
    assert!(matches!(
        Entry::decode(with("}").replace("\"v\":1", "\"v\":2").as_bytes()),
        Err(EntryError::Version(2))
    ));
    assert!(matches!(Entry::decode(&vec![b'{'; MAX_ENTRY + 1]), Err(EntryError::TooLong(_))));
}

#[test]
fn malformed_fields_are_refused() {
    type Spoil = fn(&mut Entry);
    let cases: [(&str, Spoil); 16] = [
        ("id", |e| e.id = ID.to_uppercase()),
        ("id", |e| e.id = ID.replace('-', "")),
        ("at", |e| e.at = "2026-11-23T08:00:00Z".into()),
        ("at", |e| e.at = "2026-02-29T08:00:00.000000Z".into()),
        ("at", |e| e.at = "1900-02-29T08:00:00.000000Z".into()),
        ("at", |e| e.at = "2026-13-01T08:00:00.000000Z".into()),
        ("at", |e| e.at = "2026-11-31T08:00:00.000000Z".into()),
        ("at", |e| e.at = "2026-11-23T24:00:00.000000Z".into()),
        ("at", |e| e.at = "2026-11-23T08:00:60.000000Z".into()),
        ("action", |e| e.action = "Token Issue".into()),
        ("resident", |e| e.resident = Some(String::new())),
        ("visit", |e| e.visit = Some("a\u{1b}[2J".into())),
        ("purpose", |e| e.purpose = Some("x".repeat(MAX_TEXT + 1))),
        ("actor.address", |e| e.actor.address = Some("\n".into())),
        ("detail", |e| drop(e.detail.insert("k".into(), "\u{0}".into()))),
        ("detail", |e| e.detail.extend((0..=MAX_DETAIL).map(|n| (n.to_string(), "v".into())))),
    ];
    for (field, spoil) in cases {
        let mut entry = full();
        spoil(&mut entry);
        let refused = entry.encode().unwrap_err();
        assert!(
            matches!(refused, EntryError::Field(named) if named == field),
            "{field}: {refused:?}"
        );
    }
    let mut leap_day = full();
    leap_day.at = "2028-02-29T23:59:59.999999Z".into();
    assert!(leap_day.encode().is_ok());
    let long = (2..MAX_DETAIL).fold(full(), |e, n| e.with(n.to_string(), "v".repeat(MAX_TEXT)));
    assert!(matches!(long.encode(), Err(EntryError::TooLong(_))));
}

#[test]
fn instants_are_counted_from_1970() {
    // Computed with `date -u -d ... +%s`.
    let cases = [
        ("1970-01-01T00:00:00.000000Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2000-02-29T12:00:00.000001Z", 951_825_600_000_001),
        ("2026-11-23T08:00:00.000000Z", 1_795_420_800_000_000),
        ("2100-03-01T00:00:00.000000Z", 4_107_542_400_000_000),
    ];
    for (at, microseconds) in cases {
        let entry = Entry::new(ID, at, "a", Outcome::Granted, Actor::default());
        assert_eq!(entry.at_microseconds(), microseconds, "{at}");
    }
}

#[test]
fn the_quick_way_reads_what_needs_no_escape() {
    let least = Entry::new(ID, AT, "session.open", Outcome::Refused, Actor::default());
    let address = Actor { address: Some("10.0.0.7".into()), ..Actor::default() };
    let ends = Actor { identity: Some("医生".into()), ..address.clone() };
    let mut entries = vec![
        full(),
        least.clone().with("k", "v"),
        Entry { actor: address, ..full() },
        Entry { actor: ends, ..least.clone() },
    ];
    let parts: [fn(&Entry) -> Entry; 6] = [
        |e| Entry { resident: None, ..e.clone() },
        |e| Entry { visit: None, ..e.clone() },
        |e| Entry { purpose: None, ..e.clone() },
        |e| Entry { policy: None, ..e.clone() },
        |e| Entry { object: None, ..e.clone() },
        |e| Entry { detail: BTreeMap::new(), ..e.clone() },
    ];
    entries.extend(parts.iter().map(|without| without(&full())));
    entries.extend([least]);
    for entry in entries {
        let bytes = entry.encode().unwrap();
        assert_eq!(plain::decode(&bytes), Some(entry.clone()));
        assert_eq!(Entry::decode_any(&bytes).unwrap(), entry);
    }
    let escaped = full().in_visit("a\"b").encode().unwrap();
    assert_eq!(plain::decode(&escaped), None);
    assert_eq!(Entry::decode(&escaped).unwrap(), full().in_visit("a\"b"));
}

#[test]
fn the_quick_way_takes_nothing_that_the_other_does_not() {
    let text = String::from_utf8(full().encode().unwrap()).unwrap();
    let with = |at: usize, rest: usize, between: &str| {
        let (before, after) = (&text[..at], &text[rest..]);
        both_ways([before, between, after].concat().as_bytes());
    };
    // Every octet left out, doubled and in the place of another sign; every two parts in the place of each other.
    for at in 0..text.len() {
        with(at, at + 1, "");
        with(at, at, &text[at..=at]);
        [",", ":", "\"", "{", "}", "\\", "\n", "1"].iter().for_each(|sign| with(at, at + 1, sign));
    }
    let commas: Vec<_> = text.match_indices(',').map(|(at, _)| at).collect();
    for part in commas.windows(3) {
        let swapped = format!("{}{}", &text[part[1]..part[2]], &text[part[0]..part[1]]);
        with(part[0], part[2], &swapped);
        with(part[0], part[1], "");
    }
}

/// Both ways give the same entry, or are refused for the same.
fn both_ways(bytes: &[u8]) {
    let any = Entry::decode_any(bytes);
    if let Some(entry) = plain::decode(bytes).filter(|entry| entry.check().is_ok()) {
        assert_eq!(any.as_ref().ok(), Some(&entry), "{}", String::from_utf8_lossy(bytes));
    }
    let decided = Entry::decode(bytes);
    assert_eq!(format!("{decided:?}"), format!("{any:?}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn decode_undoes_encode(resident in "\\PC{1,40}", value in "\\PC{1,40}", key in "[a-z]{1,8}") {
        let entry = full().about(resident).with(key, value);
        let bytes = entry.encode().unwrap();
        prop_assert_eq!(Entry::decode(&bytes).unwrap(), entry);
    }

    #[test]
    fn a_changed_byte_is_refused_or_says_something_else(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = full().encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        if let Ok(read) = Entry::decode(&bytes) {
            prop_assert_ne!(read, full());
        }
    }

    #[test]
    fn both_ways_read_the_same(
        parts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..24, "[\\PC\"\\\\,:{}]{0,6}"), 0..4),
    ) {
        let text = String::from_utf8(full().encode().unwrap()).unwrap();
        let mut chars: Vec<char> = text.chars().collect();
        for (at, removed, inserted) in parts {
            let at = at.index(chars.len() + 1);
            let end = (at + removed).min(chars.len());
            chars.splice(at..end, inserted.chars());
        }
        let bytes = chars.into_iter().collect::<String>().into_bytes();
        both_ways(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Entry::decode(&bytes);
    }
}
