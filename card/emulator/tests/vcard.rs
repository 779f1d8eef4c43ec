//! The program `vcard`, run as a person runs it.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use card::command::GetChallenge;
use card::command::personalise::{Create, ProveTransport};
use card::layout::Directory;
use card::layout::ddf1::ef06;
use card::security::profile::div1;
use card::{CardKey, Instruction, KeyVersion, SoftSecurityModule, read_identity};
use card_emulator::fault::scene::SCENES;
use card_emulator::{Card, Image, InMemory, sample};
use hsm::sm4::Sm4Key;
use hsm::soft::{Iterations, Passphrase, SoftKeystore};
use hsm::{KeyUse, Keystore};
use tempfile::TempDir;
use time::macros::date;
use zeroize::Zeroizing;

fn vcard(folder: &Path, arguments: &[&str]) -> Output {
    vcard_told(folder, arguments, Stdio::null())
}

fn vcard_told(folder: &Path, arguments: &[&str], input: Stdio) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vcard"))
        .current_dir(folder)
        .args(arguments)
        .stdin(input)
        .output()
        .unwrap()
}

fn private(path: &Path, contents: &str) {
    std::fs::write(path, contents).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

const PERSON: &str = r#"
name = "张三"
id_number = "11010519491231002X"
ethnic_group = 1
phones = ["13800138000"]
payments = [1]
issued_on = "2024-01-02"
valid_until = "2034-01-01"
city = "410100"
chip_serial = "0000000001"
historical_bytes = "1101220100000001"
"#;

const ROOT: &str = "0123456789ABCDEFFEDCBA9876543210\n";

/// A folder with a person and a master in it.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("person.toml"), PERSON).unwrap();
    private(&folder.path().join("root.hex"), ROOT);
    folder
}

fn image(path: &Path) -> Image {
    Image::from_toml(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_card_made_from_the_root_of_the_vectors_has_their_keys() {
    let folder = folder();
    let arguments =
        ["make", "--out", "a.toml", "--master-key-file", "root.hex", "--person", "person.toml"];
    let made = vcard(folder.path(), &arguments);
    assert!(made.status.success(), "{made:?}");
    let path = folder.path().join("a.toml");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let image = image(&path);
    // health-card.md, 4.5: K card.
    let expected = hex_literal::hex!("A403DDABD7ED14F3BBE534CC5613DE57");
    assert_eq!(image.key(CardKey::IrkDdf1, KeyVersion::FIRST), Some(&expected));
    let holder = |image: &Image| image.files.content(ef06::FILE.name).cloned();
    assert_eq!(holder(&image), holder(&sample::image()));

    let input = std::fs::File::open(folder.path().join("person.toml")).unwrap();
    let piped = ["make", "--out", "b.toml", "--master-key-file", "root.hex", "--person", "-"];
    let made = vcard_told(folder.path(), &piped, input.into());
    assert!(made.status.success(), "{made:?}");
    assert_eq!(self::image(&folder.path().join("b.toml")).files, image.files);

    let again = vcard(folder.path(), &arguments);
    assert!(!again.status.success(), "an image is never overwritten");
}

#[test]
fn a_card_made_from_a_keystore_opens_to_that_keystore() {
    let folder = folder();
    private(&folder.path().join("passphrase"), "correct horse\n");
    let passphrase = Passphrase::from_string(Zeroizing::new("correct horse".to_owned())).unwrap();
    let path = folder.path().join("keys");
    let mut keystore = SoftKeystore::create_with(&path, &passphrase, Iterations::MINIMUM).unwrap();
    for (key, version) in CardKey::all_versions() {
        let name = match (key, version) {
            (CardKey::Rk1Ddf1, KeyVersion::FIRST) => "reading".to_owned(),
            _ => key.master_name(version),
        };
        let name = format!("soft:{name}").parse().unwrap();
        keystore.generate(&name, KeyUse::CardMaster).unwrap();
    }
    keystore.generate(&"soft:token".parse().unwrap(), KeyUse::SignTokens).unwrap();
    keystore.save().unwrap();

    let base = [
        "make",
        "--person",
        "person.toml",
        "--keystore",
        "keys",
        "--passphrase-file",
        "passphrase",
    ];
    let made = vcard(folder.path(), &[&base[..], &["--out", "a.toml"]].concat());
    assert!(!made.status.success(), "one master is missing");
    let told = String::from_utf8(made.stderr).unwrap();
    assert!(told.contains("RK1_DDF1") && told.contains("card-rk1-ddf1"), "{told}");
    let wrong = ["--out", "a.toml", "--key", "RK1_DDF1=soft:token"];
    assert!(!vcard(folder.path(), &[&base[..], &wrong].concat()).status.success());

    let right = ["--out", "a.toml", "--key", "RK1_DDF1=soft:reading"];
    let made = vcard(folder.path(), &[&base[..], &right].concat());
    assert!(made.status.success(), "{made:?}");
    let module = [(CardKey::IrkDdf1, "soft:card-irk"), (CardKey::Rk1Ddf1, "soft:reading")]
        .into_iter()
        .fold(SoftSecurityModule::new(), |module, (key, name)| {
            let master: Arc<_> = keystore.card_master(&name.parse().unwrap()).unwrap();
            module.with(key, KeyVersion::FIRST, master)
        });
    let card = Card::new(image(&folder.path().join("a.toml")), Box::new(sample::counter(7)));
    let mut card = InMemory::new(card);
    let reading = read_identity(&mut card, &module, &mut sample::counter(9), date!(2026 - 03 - 01));
    assert_eq!(reading.unwrap().holder.id_number.as_str(), "11010519491231002X");
}

#[test]
fn what_is_wrong_is_said_without_saying_who() {
    let folder = folder();
    let persons = [
        ("odd.toml", format!("{PERSON}nickname = \"三\"")),
        ("nameless.toml", PERSON.replace("name = \"张三\"\n", "")),
        ("misspelt.toml", PERSON.replace("002X", "0021")),
        ("other.toml", PERSON.replace("ethnic_group = 1", "ethnic_group = 57")),
        ("phones.toml", PERSON.replace("[\"13800138000\"]", "[\"1\", \"2\", \"3\"]")),
    ];
    for (name, text) in persons {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::write(folder.path().join("open.hex"), ROOT).unwrap();
    std::fs::set_permissions(folder.path().join("open.hex"), PermissionsExt::from_mode(0o644))
        .unwrap();
    private(&folder.path().join("short.hex"), "0123");
    let root = ["--master-key-file", "root.hex"];
    let person = ["--person", "person.toml"];
    let cases: [(&[&str], &[&str], &str); 14] = [
        (&root, &["--person", "odd.toml"], "not a file of a person"),
        (&root, &["--person", "none.toml"], "reading none.toml"),
        (&root, &["--person", "nameless.toml"], "the person has no name"),
        (&root, &["--person", "misspelt.toml"], "check character"),
        (&root, &["--person", "other.toml"], "1 to 56"),
        (&root, &["--person", "phones.toml"], "at most two phones"),
        (&root, &[], "--person <FILE>"),
        (&root, &["--person", "person.toml", "--name", "张三"], "unexpected argument '--name'"),
        (
            &root,
            &["--person", "person.toml", "--id-number=11010519491231002X"],
            "unexpected argument '--id-number'",
        ),
        (&root, &["--person", "person.toml", "--phone", "310021"], "unexpected argument '--phone'"),
        (&root, &["--person", "-"], "the person has no name"),
        (&root, &["--person", "person.toml", "--valid-until", "2034-02-30"], "YYYY-MM-DD"),
        (&["--master-key-file", "open.hex"], &person, "chmod 600"),
        (&["--master-key-file", "short.hex"], &person, "32 hex digits"),
    ];
    for (key, form, expected) in cases {
        let made = vcard(folder.path(), &[&["make", "--out", "a.toml"], key, form].concat());
        let told = String::from_utf8(made.stderr).unwrap();
        assert!(!made.status.success() && told.contains(expected), "{expected}: {told}");
        for secret in ["张三", "002X", "310021", "13800138000", "0123456789ABCDEF"] {
            assert!(!told.contains(secret), "{told}");
        }
        assert!(!folder.path().join("a.toml").exists(), "{expected}");
    }
}

#[test]
fn a_program_can_put_cards_in_and_take_them_out() {
    let folder = folder();
    std::fs::write(folder.path().join("a.toml"), sample::image().to_toml().as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut program = Command::new(env!("CARGO_BIN_EXE_vcard"))
        .current_dir(folder.path())
        .args(["--control", "--port", &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut orders = program.stdin.take().unwrap();
    let mut told = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut order = |line: &str| writeln!(orders, "{line}").unwrap();
    // Events and answers come from two threads: look for a line, not for the next one.
    let mut expect = |line: &str| assert!(told.any(|told| told.starts_with(line)), "no {line}");

    order("remove 0");
    expect("error remove 0: the slot is empty");
    order("insert 0 none.toml");
    expect("error insert 0 none.toml: reading none.toml");
    order("insert 7 a.toml");
    expect("error insert 7 a.toml: slots are 0 and 1");
    order("dance 0");
    expect("error dance 0: commands are");
    order("insert 0 a.toml");
    let (_reader, _) = listener.accept().unwrap();
    expect("event 0 inserted");
    order("fault 0 gone");
    expect("error fault 0 gone: faults are");
    order("fault 0 forged");
    expect("ok fault 0 forged");
    order("behave 0");
    expect("ok behave 0");
    order("remove 0");
    expect("event 0 removed");
    order("quit");
    assert!(program.wait().unwrap().success());
}

/// One message to the card and its answer, as the virtual reader frames them.
fn exchange(reader: &mut std::net::TcpStream, command: &[u8]) -> Vec<u8> {
    reader.write_all(&[&(command.len() as u16).to_be_bytes()[..], command].concat()).unwrap();
    let mut length = [0; 2];
    reader.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    reader.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn a_blank_card_is_made_and_what_is_written_to_it_is_saved() {
    let folder = folder();
    let blank = ["blank", "--out", "b.toml", "--master-key-file", "root.hex"];
    let made = vcard(folder.path(), &[&blank[..], &["--historical-bytes", "11"]].concat());
    assert!(!made.status.success() && !folder.path().join("b.toml").exists());
    let historical = ["--historical-bytes", "1101220100000001", "--profile", "16K"];
    let made = vcard(folder.path(), &[&blank[..], &historical].concat());
    assert!(made.status.success(), "{made:?}");
    let path = folder.path().join("b.toml");
    assert!(image(&path).is_open());

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut program = Command::new(env!("CARGO_BIN_EXE_vcard"))
        .current_dir(folder.path())
        .args(["--image", "b.toml", "--save", "--control", "--port", &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (mut reader, _) = listener.accept().unwrap();
    reader.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut send = |command: card::Apdu| exchange(&mut reader, &command.to_bytes());
    let challenge = send(GetChallenge.encode());
    let master = Sm4Key::fill(|key| hex::decode_to_slice(ROOT.trim(), key)).unwrap();
    let factor = hex_literal::hex!("1101220100000001");
    let session = master.derive(&[div1(&factor), div1(challenge.first_chunk().unwrap())]);
    assert_eq!(send(ProveTransport::with(&session, [4; 8]).encode()), [0x90, 0x00]);
    assert_eq!(send(Create::Directory(Directory::Ddf1).encode()), [0x90, 0x00]);
    // At once: the answer comes after the file.
    assert!(image(&path).files.has(Directory::Ddf1));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    writeln!(program.stdin.take().unwrap(), "quit").unwrap();
    assert!(program.wait().unwrap().success());
}

#[test]
fn the_box_of_misbehaving_cards_is_listed_in_two_languages() {
    let folder = folder();
    for (lang, words) in
        [("zh", ["读卡", "卡不应答"]), ("en", ["read", "the card answers nothing"])]
    {
        let listed = vcard(folder.path(), &["faults", "--lang", lang]);
        assert!(listed.status.success(), "{listed:?}");
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(listed.lines().count(), SCENES.len());
        let mute = listed.lines().find(|line| line.split_whitespace().nth(1) == Some("mute"));
        let mute: Vec<&str> = mute.unwrap().split('\t').map(str::trim).collect();
        assert_eq!(mute, [words[0], "mute", "CARD_TIMEOUT", words[1]]);
    }
}
