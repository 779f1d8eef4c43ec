//! The list as it is written, cut short, and spoilt.

use proptest::prelude::*;

use super::*;

fn somebody() -> Listed {
    Listed {
        resident: ResidentId::generate(),
        erasure: ErasureId::generate(),
        by: IdentityId::generate(),
        entry: ErasureId::generate().to_string(),
    }
}

#[test]
fn what_is_appended_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let list = List::beside(&folder.path().join("db"));
    assert_eq!(list.read().unwrap(), []);
    list.append(&[]).unwrap();
    assert!(!list.path.exists());
    let all: Vec<_> = (0..3).map(|_| somebody()).collect();
    list.append(&all[..1]).unwrap();
    list.append(&all[1..]).unwrap();
    assert_eq!(list.read().unwrap(), all);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&list.path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_stop_at_any_octet_loses_the_last_line_alone() {
    let folder = tempfile::tempdir().unwrap();
    let list = List::beside(&folder.path().join("db"));
    let (first, second, third) = (somebody(), somebody(), somebody());
    let before = format!("{TITLE}{}", first.line());
    let whole = format!("{before}{}", second.line());
    for end in 0..=whole.len() {
        std::fs::write(&list.path, &whole.as_bytes()[..end]).unwrap();
        let known = match end {
            _ if end == whole.len() => vec![first.clone(), second.clone()],
            _ if end >= before.len() => vec![first.clone()],
            _ => vec![],
        };
        assert_eq!(list.read().unwrap(), known, "{end}");
        list.append(std::slice::from_ref(&third)).unwrap();
        let after = [known, vec![third.clone()]].concat();
        assert_eq!(list.read().unwrap(), after, "{end}");
    }
}

#[test]
fn what_is_no_list_is_refused() {
    let line = somebody().line();
    let upper = line.to_uppercase();
    for (what, text) in [
        ("no title", line.clone()),
        ("another title", format!("healthcard erasures v2\n{line}")),
        ("an empty line", format!("{TITLE}\n{line}")),
        ("a word too few", format!("{TITLE}{}\n", &line[..line.len() - 38])),
        ("a word too many", format!("{TITLE}{} x\n", line.trim_end())),
        ("two spaces", format!("{TITLE}{}", line.replacen(' ', "  ", 1))),
        ("another form", format!("{TITLE}{upper}")),
        ("a carriage return", format!("{TITLE}{}\r\n", line.trim_end())),
        ("nothing known", "\n".to_owned()),
    ] {
        assert!(matches!(parse(text.as_bytes()), Err(StoreError::Damaged(_))), "{what}");
    }
    let latin = [TITLE.as_bytes(), b"\xff\n"].concat();
    assert!(matches!(parse(&latin), Err(StoreError::Damaged(_))));
}

proptest! {
    #[test]
    fn whatever_stands_in_the_file_is_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        for octets in [octets.clone(), [TITLE.as_bytes(), &octets].concat()] {
            if let Ok((listed, whole)) = parse(&octets) {
                let again: String = listed.iter().map(Listed::line).collect();
                let text = if whole == 0 { String::new() } else { format!("{TITLE}{again}") };
                prop_assert_eq!(text.as_bytes(), &octets[..whole]);
            }
        }
    }

    #[test]
    fn one_octet_changed_is_another_list_or_none(at in 0_usize..170, to in any::<u8>()) {
        let (one, text) = { let one = somebody(); let text = format!("{TITLE}{}", one.line()); (one, text) };
        let mut octets = text.into_bytes();
        prop_assume!(at < octets.len() && octets[at] != to);
        octets[at] = to;
        if let Ok((listed, _)) = parse(&octets) {
            prop_assert_ne!(listed, vec![one]);
        }
    }
}
