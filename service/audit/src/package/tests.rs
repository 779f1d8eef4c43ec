use std::io::{Cursor, Read, Seek};

use proptest::prelude::*;
use sm2::dsa::{Signature, signature::Signer as _};

use super::{
    container::{Container, ContainerError, Writer},
    vouchers::{Voucher, WitnessVoucher},
    *,
};
use crate::{
    bundle::{Header, write_end, write_entry},
    cosignature::WitnessKey,
    entry::{Actor, Outcome},
    note::NoteError,
    testing::{NAME, key, other_key, sign, signing_key, verifier},
    tree::{Frontier, Hash, Node, NodeReader, consistency_proof, leaf_hash, subtree_hash},
};

const SIZE: u64 = 9;
const SERIAL: &str = "5a01";

/// Entries of a log, each by somebody with a certificate.
fn entries() -> Vec<Vec<u8>> {
    let entry = |n: u64| {
        let actor = Actor { certificate: Some(SERIAL.to_owned()), ..Actor::default() };
        let id = format!("0193e5a0-0000-7000-8000-{n:012}");
        let at = format!("2026-11-23T08:00:{n:02}.000000Z");
        Entry::new(id, at, "card.read", Outcome::Granted, actor).encode().unwrap()
    };
    (0..SIZE).map(entry).collect()
}

fn root(size: u64) -> Hash {
    let mut tree = Frontier::new();
    entries()[..size as usize].iter().for_each(|entry| tree.push(leaf_hash(entry)));
    tree.root()
}

fn proof(first: u64, second: u64) -> Vec<Hash> {
    let mut leaves = Leaves(entries().iter().map(|entry| leaf_hash(entry)).collect());
    consistency_proof(&mut leaves, first, second).unwrap()
}

struct Leaves(Vec<Hash>);

impl NodeReader for Leaves {
    type Error = std::convert::Infallible;

    fn node(&mut self, node: Node) -> Result<Hash, Self::Error> {
        let begin = (node.index << node.level) as usize;
        Ok(subtree_hash(&self.0[begin..begin + (1 << node.level)]).unwrap())
    }
}

fn note(size: u64, seed: u8) -> String {
    let checkpoint = Checkpoint { origin: NAME.to_owned(), size, root: root(size) };
    sign(&checkpoint, NAME, &signing_key(seed))
}

fn witness() -> WitnessKey {
    let public = signing_key(7).verifying_key().to_sec1_bytes();
    WitnessKey::new("witness.example", public.as_ref().try_into().unwrap()).unwrap()
}

/// What a witness signed.
fn cosigned(size: u64) -> String {
    let note = note(size, 1);
    let sign = |octets: &[u8]| -> Result<[u8; 64], NoteError> {
        let signature: Signature = signing_key(7).sign(octets);
        Ok(signature.to_bytes().into())
    };
    note.clone() + &witness().cosign(&note, 1_790_000_000, sign).unwrap()
}

/// Everything that a package has, by name; another key signed what came before.
fn members() -> Vec<(String, Vec<u8>)> {
    let mut text = Header {
        key: key(),
        from: 0,
        until: SIZE,
        size: SIZE,
        left: Vec::new(),
        right: Vec::new(),
        checkpoint: note(SIZE, 1),
    }
    .write()
    .into_bytes();
    entries().iter().enumerate().for_each(|(n, entry)| write_entry(&mut text, n as u64, entry));
    write_end(&mut text, SIZE);
    let logs = [
        Voucher { key: key(), note: Some(note(SIZE, 1)), proof: Vec::new() },
        Voucher { key: other_key(), note: Some(note(5, 2)), proof: proof(5, SIZE) },
        Voucher { key: verifier(NAME, &signing_key(3)), note: None, proof: Vec::new() },
    ];
    let witnesses: [WitnessVoucher; 1] =
        [Voucher { key: witness(), note: Some(cosigned(6)), proof: proof(6, SIZE) }];
    let texts = [
        (ENTRIES.to_owned(), text),
        (README.to_owned(), b"what it is".to_vec()),
        (README_ZH.to_owned(), "这是什么".into()),
        (certificate(SERIAL), b"a certificate".to_vec()),
        (AUTHORITIES.to_owned(), b"authorities".to_vec()),
        (PAGE.to_owned(), b"<!DOCTYPE html>".to_vec()),
        (CHECKPOINT.to_owned(), note(SIZE, 1).into_bytes()),
        (LOG_KEYS.to_owned(), vouchers::write(vouchers::LOG_KEYS, &logs).into_bytes()),
        (list("ca-people"), b"a list".to_vec()),
        (WITNESSES.to_owned(), vouchers::write(vouchers::WITNESSES, &witnesses).into_bytes()),
    ];
    texts.into_iter().collect()
}

/// A package of these members, in their order, whose manifest has them all.
fn packed(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    packed_as(members, manifest().selection)
}

fn packed_as(members: &[(String, Vec<u8>)], selection: Selection) -> Vec<u8> {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    let mut listed: Vec<_> = members
        .iter()
        .map(|(name, octets)| (name.clone(), writer.add(name, octets).unwrap()))
        .collect();
    listed.sort_by(|one, other| one.0.cmp(&other.0));
    let manifest = Manifest { members: listed, selection, ..manifest() };
    writer.add(MANIFEST, manifest.to_string().as_bytes()).unwrap();
    writer.add(SIGNATURE, b"a signature").unwrap();
    writer.add(TIME_STAMP, b"a stamp").unwrap();
    writer.finish().unwrap().into_inner()
}

fn manifest() -> Manifest {
    Manifest {
        log: NAME.to_owned(),
        made: "2026-11-28T01:00:00.000000Z".to_owned(),
        by: "0193".to_owned(),
        certificate: SERIAL.to_owned(),
        selection: Selection::Range { from: 0, until: SIZE, size: SIZE },
        reason: Some("卫健委投诉 2026-118".to_owned()),
        members: Vec::new(),
    }
}

fn check_with(package: &[u8], given: Option<&VerifierKey>) -> Checked {
    let mut container = Container::open(Cursor::new(package)).unwrap();
    check(&mut container, given, &[]).unwrap()
}

/// The package with other members, packed as whoever tampers would: only the manifest stays.
fn repacked(package: &[u8], change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Vec<u8> {
    let mut container = Container::open(Cursor::new(package)).unwrap();
    let names: Vec<_> = container.members().iter().map(|it| it.name.clone()).collect();
    let mut members: Vec<_> = names
        .into_iter()
        .map(|name| (name.clone(), container.read(&name, MAX_PACKAGE).unwrap().unwrap()))
        .collect();
    change(&mut members);
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    for (name, octets) in &members {
        writer.add(name, octets).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_package_says_who_vouches_for_it() {
    let package = packed(&members());
    let checked = check_with(&package, None);
    assert_eq!((&checked.findings, &checked.gaps), (&Vec::new(), &Vec::new()));
    assert!(!checked.is_tampered());
    assert_eq!(checked.report.as_ref().unwrap().verdict, Verdict::Valid);
    assert_eq!(checked.serials.iter().collect::<Vec<_>>(), [SERIAL]);
    let own = checked.signed_checkpoint().unwrap();
    let vouched: Vec<_> = checked.log_keys.iter().map(|it| it.vouches(&own)).collect();
    assert_eq!(vouched, [Some(SIZE), Some(5), Some(0)]);
    let signed = checked.witnesses[0].witnessed(&own).unwrap().unwrap();
    assert_eq!((signed.0.size, signed.1), (6, 1_790_000_000));
    // An earlier key vouches for what it signed, and says so.
    let strange = verifier(NAME, &signing_key(9));
    let cases = [
        (key(), vec![]),
        (other_key(), vec![Gap::KeyStops { size: 5 }]),
        (strange, vec![Gap::KeyUnknown]),
    ];
    for (given, gaps) in cases {
        assert_eq!(check_with(&package, Some(&given)).gaps, gaps, "{given}");
    }
}

/// A history of a resident of whom entries were removed, as `tests/vectors/history` has it.
#[test]
fn a_history_of_removed_entries_is_packed_as_any_other() {
    let folder =
        std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/history"));
    let text = std::fs::read(folder.join("history-removed.txt")).unwrap();
    assert!(text.starts_with(history::FORMAT_2.as_bytes()));
    let reader = history::Reader::new(&text[..]).unwrap();
    let history::Header { key, resident, standing, checkpoint: note, .. } = reader.header().clone();
    let size = Checkpoint::verify(&note, &key).unwrap().size;
    let logs = [Voucher { key, note: Some(note.clone()), proof: Vec::new() }];
    let witnesses: [WitnessVoucher; 0] = [];
    let members: Vec<_> = members()
        .into_iter()
        .map(|(name, octets)| match &*name {
            ENTRIES => (HISTORY.to_owned(), text.clone()),
            CHECKPOINT => (name, note.clone().into_bytes()),
            LOG_KEYS => (name, vouchers::write(vouchers::LOG_KEYS, &logs).into_bytes()),
            WITNESSES => (name, vouchers::write(vouchers::WITNESSES, &witnesses).into_bytes()),
            _ => (name, octets),
        })
        .collect();
    let package =
        packed_as(&members, Selection::History { resident, entries: standing.count, size });
    let checked = check_with(&package, None);
    assert_eq!((&checked.findings, &checked.gaps), (&Vec::new(), &Vec::new()));
    assert_eq!(checked.report.as_ref().unwrap().verdict, Verdict::Valid);
    assert!(checked.history.as_ref().unwrap().before.is_some());
    let file = folder.join("package-removed.zip");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &package).unwrap();
    }
    assert!(std::fs::read(&file).unwrap() == package);
}

#[test]
fn whatever_is_done_to_a_member_is_found() {
    let package = packed(&members());
    let names: Vec<String> = members().into_iter().map(|(name, _)| name).collect();
    for (at, name) in names.iter().enumerate() {
        type Change<'a> = Box<dyn Fn(&mut Vec<(String, Vec<u8>)>) + 'a>;
        let other = if at == 1 { 2 } else { 1 };
        let cases: [(&str, Finding, Change<'_>); 5] = [
            ("an octet", Finding::Altered(name.clone()), Box::new(|it| it[at].1[3] ^= 1)),
            (
                "cut off",
                Finding::Altered(name.clone()),
                Box::new(|it| {
                    it[at].1.pop();
                }),
            ),
            ("longer", Finding::Altered(name.clone()), Box::new(|it| it[at].1.push(b'\n'))),
            ("removed", Finding::Missing(name.clone()), Box::new(|it| drop(it.remove(at)))),
            (
                "another's",
                Finding::Altered(name.clone()),
                Box::new(|it| it[at].1 = it[other].1.clone()),
            ),
        ];
        for (what, expected, change) in cases {
            let checked = check_with(&repacked(&package, change), None);
            assert!(checked.findings.contains(&expected), "{what} {name}: {:?}", checked.findings);
            assert!(checked.is_tampered());
        }
    }
    let added = repacked(&package, |it| it.insert(3, ("status/zz.crl".to_owned(), Vec::new())));
    let found = check_with(&added, None).findings;
    assert!(found.contains(&Finding::Added("status/zz.crl".to_owned())), "{found:?}");
    let swapped = repacked(&package, |it| it.swap(2, 3));
    assert_eq!(check_with(&swapped, None).findings, [Finding::Misplaced(certificate(SERIAL))]);
}

/// Whoever can sign a manifest anew, and nothing else of the log.
#[test]
fn what_does_not_fit_together_is_found_however_it_is_signed() {
    let find = |name: &str| members().iter().position(|(it, _)| it == name).unwrap();
    let with = |name: &str, octets: Vec<u8>| {
        let mut changed = members();
        changed[find(name)].1 = octets;
        check_with(&packed(&changed), None).findings
    };
    let disagrees = |name: &str| vec![Finding::Disagrees(name.to_owned())];
    let malformed = |name: &str| vec![Finding::Malformed(name.to_owned())];
    assert_eq!(with(CHECKPOINT, note(5, 1).into_bytes()), disagrees(CHECKPOINT));
    assert_eq!(with(CHECKPOINT, note(SIZE, 2).into_bytes()), disagrees(CHECKPOINT));
    assert_eq!(with(LOG_KEYS, b"healthcard-log-keys v1\nend 1\n".to_vec()), malformed(LOG_KEYS));
    assert_eq!(with(LOG_KEYS, b"healthcard-log-keys v1\nend 0\n".to_vec()), disagrees(LOG_KEYS));
    assert_eq!(with(WITNESSES, b"healthcard-witnesses v2\nend 0\n".to_vec()), malformed(WITNESSES));
    assert_eq!(with(ENTRIES, b"nothing\n".to_vec()), malformed(ENTRIES));
    let wrong = |proof: Vec<Hash>, size: u64| {
        let voucher: WitnessVoucher = Voucher { key: witness(), note: Some(cosigned(size)), proof };
        with(WITNESSES, vouchers::write(vouchers::WITNESSES, &[voucher]).into_bytes())
    };
    assert_eq!(wrong(proof(6, SIZE), 6), []);
    assert_eq!(wrong(proof(5, SIZE), 6), disagrees(WITNESSES));
    assert_eq!(wrong(Vec::new(), 6), disagrees(WITNESSES));
    assert_eq!(wrong(Vec::new(), 0), []);
    let left_out: Vec<_> = members().into_iter().filter(|(name, _)| name != WITNESSES).collect();
    assert_eq!(
        check_with(&packed(&left_out), None).findings[0],
        Finding::Missing(WITNESSES.to_owned())
    );
    let mut strange = members();
    strange.push(("zz.exe".to_owned(), Vec::new()));
    assert_eq!(check_with(&packed(&strange), None).findings, [Finding::Added("zz.exe".to_owned())]);
}

#[test]
fn a_manifest_has_one_form() {
    let text =
        Manifest { members: vec![(README.to_owned(), contents(b"x"))], ..manifest() }.to_string();
    assert_eq!(Manifest::read(&text).unwrap().to_string(), text);
    let cases: [(&str, String, usize); 10] = [
        ("another format", text.replace("v1", "v2"), 1),
        ("no log", text.replace("log log", "logs log"), 2),
        ("a range that ends first", text.replace("range 0 9 9", "range 9 0 9"), 6),
        ("no entries", text.replace("range 0 9 9", "range 9 9 9"), 6),
        ("a number twice written", text.replace("range 0 9 9", "range 0 09 9"), 6),
        ("a reason with a tab", text.replace("卫健委", "卫\t委"), 7),
        ("too many members", text.replace("members 1", "members 5000"), 8),
        ("a member that leads elsewhere", text.replace("README.md", "../README.md"), 9),
        ("a digest in capitals", text.replace("README.md 1 ", "README.md 1 A"), 9),
        ("something after the end", format!("{text}\n"), 10),
    ];
    for (what, text, line) in cases {
        assert_eq!(Manifest::read(&text).map(drop), Err(BadManifest(line)), "{what}");
    }
}

fn contents(octets: &[u8]) -> Contents {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    writer.add("x", octets).unwrap()
}

/// Every octet beside those of the members has one value.
#[test]
fn a_container_has_one_form() {
    let package = packed(&members());
    let members = Container::open(Cursor::new(&package)).unwrap().members().to_vec();
    let mut within = vec![false; package.len()];
    let mut container = Container::open(Cursor::new(&package)).unwrap();
    for member in &members {
        let octets = container.read(&member.name, MAX_PACKAGE).unwrap().unwrap();
        let begin = container.start_of(&member.name);
        within[begin..begin + octets.len()].iter_mut().for_each(|it| *it = true);
    }
    for at in 0..package.len() {
        for value in [package[at] ^ 1, package[at] ^ 0x80] {
            let mut changed = package.clone();
            changed[at] = value;
            let opened = Container::open(Cursor::new(&changed));
            assert_eq!(opened.is_ok(), within[at], "octet {at}");
        }
        assert!(Container::open(Cursor::new(&package[..at])).is_err(), "{at} octets");
    }
    for more in [&b"\0"[..], b"PK", &package] {
        assert!(Container::open(Cursor::new([&package, more].concat())).is_err(), "after the end");
        assert!(
            Container::open(Cursor::new([more, &package].concat())).is_err(),
            "before the beginning"
        );
    }
}

#[test]
fn what_no_package_has_is_not_written() {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    writer.add("a/b.txt", b"").unwrap();
    for name in [
        "",
        "/a",
        "a/",
        "../a",
        "a/../b",
        "a/b/c",
        ".a",
        "a\\b",
        "é",
        "a b",
        "A/B.TXT",
        &"a".repeat(65),
    ] {
        assert!(matches!(writer.begin(name), Err(ContainerError::Name)), "{name:?}");
    }
    assert!(matches!(writer.end(), Err(ContainerError::Name)), "nothing was begun");
    for n in 1..MAX_MEMBERS {
        writer.add(&format!("{n}"), b"").unwrap();
    }
    assert!(matches!(writer.begin("one-more"), Err(ContainerError::TooLarge)));
}

#[test]
fn a_package_ends_before_offsets_do() {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    writer.begin(ENTRIES).unwrap();
    writer.skip_to(MAX_PACKAGE - 3);
    writer.append(b"abc").unwrap();
    assert!(matches!(writer.append(b"d"), Err(ContainerError::TooLarge)));
}

/// An input that is longer than anybody wants to read, and counts what is.
struct Endless {
    end: Vec<u8>,
    length: u64,
    at: u64,
    read: u64,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let begin = self.length - self.end.len() as u64;
        for octet in into.iter_mut() {
            *octet = self.at.checked_sub(begin).map_or(0, |at| self.end[at as usize]);
            self.at += 1;
        }
        self.read += into.len() as u64;
        Ok(into.len())
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            std::io::SeekFrom::Start(at) => at,
            std::io::SeekFrom::End(by) => self.length.strict_add_signed(by),
            std::io::SeekFrom::Current(by) => self.at.strict_add_signed(by),
        };
        Ok(self.at)
    }
}

/// Lists that name more than there is, or as much as can be named, are refused for what they say.
#[test]
fn what_is_hostile_costs_nothing() {
    let end = |count: u16, length: u32, at: u32| {
        let [count, length, at] =
            [&count.to_le_bytes()[..], &length.to_le_bytes(), &at.to_le_bytes()];
        [b"PK\x05\x06\0\0\0\0", count, count, length, at, b"\0\0"].concat()
    };
    let cases = [
        ("ten thousand members", end(10_000, 460_000, 0), 460_022),
        ("a list of all there is", end(4096, 2_000_000_000, 0), 2_000_000_022),
        ("lengths of 64 bits", end(u16::MAX, u32::MAX, u32::MAX), 8_000_000_000),
        ("a list behind the end", end(1, 46, 1_000_000), 100),
        ("a list that is none", end(1, 46, 0), 68),
        ("no members, and something else", end(0, 0, 1000), 1022),
    ];
    for (what, end, length) in cases {
        let mut input = Endless { end, length, at: 0, read: 0 };
        let opened = Container::open(&mut input);
        assert!(opened.is_err(), "{what}");
        drop(opened);
        assert!(input.read < 1_000_000, "{what}: {}", input.read);
    }
    // A member may say that it is longer than the file, or begin within another.
    let package = packed(&members());
    let list = package.len() - 22;
    let at = u32::from_le_bytes(package[list + 16..list + 20].try_into().unwrap()) as usize;
    for (what, offset, value) in [
        ("longer than the file", 24, u32::MAX.to_le_bytes()),
        ("two lengths", 20, 5_u32.to_le_bytes()),
        ("begins elsewhere", 42, 7_u32.to_le_bytes()),
        ("compressed", 10, [8, 0, 0, 0]),
        ("encrypted", 8, [1, 0, 0, 0]),
        ("an extra field", 30, [4, 0, 0, 0]),
        ("a comment", 32, [4, 0, 0, 0]),
    ] {
        let mut changed = package.clone();
        changed[at + offset..at + offset + 4].copy_from_slice(&value);
        assert!(Container::open(Cursor::new(&changed)).is_err(), "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_members_are_read_as_they_were_written(
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..12),
    ) {
        let mut writer = Writer::new(Cursor::new(Vec::new()));
        let mut written = Vec::new();
        for (at, octets) in contents.iter().enumerate() {
            written.push(writer.add(&format!("status/{at}.crl"), octets).unwrap());
        }
        let package = writer.finish().unwrap().into_inner();
        let mut container = Container::open(Cursor::new(&package)).unwrap();
        let members = container.members().to_vec();
        prop_assert_eq!(members.len(), contents.len());
        for ((member, octets), written) in members.iter().zip(&contents).zip(written) {
            let read = container.read(&member.name, 200).unwrap();
            prop_assert_eq!(read.as_ref(), Some(octets));
            prop_assert_eq!(container.contents(member).unwrap(), Some(written));
        }
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..400), text in "[ -~\n]{0,300}") {
        if let Ok(mut container) = Container::open(Cursor::new(&octets)) {
            drop(check(&mut container, None, &[]));
        }
        drop(Manifest::read(&text));
        drop(Manifest::read(&format!("{}\n{text}", manifest::FORMAT)));
        drop(vouchers::read::<crate::note::OfLog>(vouchers::LOG_KEYS, format!("{}\n{text}", vouchers::LOG_KEYS).as_bytes()));
    }

    #[test]
    fn no_octet_of_a_package_is_free(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut package = packed(&members());
        let at = at.index(package.len());
        package[at] ^= 1 << bit;
        let found = Container::open(Cursor::new(&package)).map(|mut container| check(&mut container, None, &[]));
        let sound = found.is_ok_and(|found| found.is_ok_and(|found| !found.is_tampered()));
        prop_assert!(!sound, "octet {} bit {}", at, bit);
    }
}
