use ::card::certificate::{CardCertificate, Holder, Stored};
use ::card::command::CardError;
use ::card::sam::{SamError, SamSecurityModule};
use ::card::transport::{Link, LinkError};
use ::card::{
    CardFactor, CardFactors, CardKey, KeyVersion, ProvinceFactor, RecordSigner as _,
    Sam as Conversation, SecurityError, SecurityModule as _, SignError,
};
use hex_literal::hex;
use hsm::sm3;
use time::macros::date;

use super::*;
use crate::sample;
use crate::transport::InMemory;

fn pin(digits: &str) -> Pin {
    Pin::from_digits(digits).unwrap()
}

fn powered() -> InMemory<Sam> {
    InMemory::new(sample::sam())
}

fn talk(sam: &mut Sam, command: &str) -> String {
    let command = hex::decode(command.replace(' ', "")).unwrap();
    match sam.exchange(&command) {
        Outcome::Answer(answer) => hex::encode_upper(answer),
        _ => "gone".to_owned(),
    }
}

const TWO_STEPS: &str = "80DE473118 1101220100000001 3431303030303030 1122334455667788";
const DF01: &str = "00A4000002DF01";

#[test]
fn wrong_commands_get_their_status_word() {
    let unsigned = "80FE000020".to_owned() + &"00".repeat(32);
    let cases: [(&[&str], &str, &str); 27] = [
        (&[], "00A4000002DF02", "6A82"),
        (&[], "00A40000021234", "6A82"),
        (&[], "00A400000100", "6700"),
        (&[], "00A4040002DF01", "6A86"),
        (&[], "00A40000020015", "9000"),
        (&[], "00A4000002001B", "6A82"), // belongs to DF01
        (&[], "00B000000E", "6986"),
        (&["00A40000020015"], "00B000000F", "6C0E"),
        (&["00A40000020015"], "00B0000E01", "6B00"),
        (&[], "002000000112", "63C9"),
        (&[], "00200000", "63CA"),
        (&[], "0020000003111111", "63C9"),
        (&[], "0020000003123456", "9000"),
        (&[], "0020008103123456", "6A86"),
        (&[], "805E0100 02 1234", "6A80"), // no separator
        (&[], "805E0100 06 123456FF 12AF", "6A80"),
        (&[], "80DE272A10 1101220100000001 1122334455667788", "6A88"), // DF01 is not selected
        (&[DF01], "80DE273110 1101220100000001 1122334455667788", "6A88"), // usage
        (&[DF01], "80DE473110 1101220100000001 1122334455667788", "6700"),
        (&[DF01], TWO_STEPS, "9000"),
        (&[DF01], "80FA000010 00000000000000000000000000000000", "6985"),
        (&[DF01, TWO_STEPS], "80FA000008 0000000000000000", "6700"),
        (&[DF01, TWO_STEPS], "80FA010010 00000000000000000000000000000000", "6A86"),
        (&[DF01, TWO_STEPS], "80FA000010 88776655443322110000000000000000", "6110"),
        (&[], &unsigned, "6982"),
        (&[], "80120000", "6D00"),
        (&[], "0412000000", "6E00"),
    ];
    for (before, command, expected) in cases {
        let mut sam = sample::sam();
        for command in before {
            assert_eq!(talk(&mut sam, command), "9000", "{command}");
        }
        assert_eq!(talk(&mut sam, command), expected, "{before:?} {command}");
    }
}

#[test]
fn the_temporary_key_serves_once() {
    let mut sam = sample::sam();
    let encrypt = "80FA000010 88776655443322110000000000000000";
    for command in [DF01, TWO_STEPS] {
        assert_eq!(talk(&mut sam, command), "9000");
    }
    assert_eq!(talk(&mut sam, encrypt), "6110");
    // health-card.md, 4.5
    assert_eq!(talk(&mut sam, "00C0000010"), "9C2DDFAB903F4F8A105D4A7D63D0E4D99000");
    assert_eq!(talk(&mut sam, encrypt), "6985");
    assert_eq!(talk(&mut sam, "00C0000010"), "6985");
}

#[test]
fn a_pin_has_ten_tries_and_asking_costs_none() {
    let mut sam = Conversation::open(powered()).unwrap();
    for left in (1..10).rev() {
        assert_eq!(sam.tries_left().unwrap(), left + 1);
        let refused = sam.verify(&pin("0000")).unwrap_err();
        assert_eq!(refused.wrong_pin(), Some(left));
    }
    // The last try is a good one: all are back.
    sam.verify(&pin("123456")).unwrap();
    assert_eq!(sam.tries_left().unwrap(), PinTries::ALL);

    let refused = sam.change_pin(&pin("111111"), &pin("98765")).unwrap_err();
    assert_eq!(refused.wrong_pin(), Some(9));
    sam.change_pin(&pin("123456"), &pin("98765")).unwrap();
    sam.verify(&pin("98765")).unwrap();
    for _ in 0..10 {
        sam.verify(&pin("123456")).unwrap_err();
    }
    let blocked = sam.verify(&pin("98765")).unwrap_err();
    assert!(matches!(blocked, SamError::Link(LinkError::Card(CardError::PinBlocked))));
    assert_eq!(blocked.wrong_pin(), Some(0));
    assert_eq!(sam.tries_left().unwrap(), 0);
}

#[test]
fn files_say_whose_sam_it_is() {
    let mut sam = Conversation::open(powered()).unwrap();
    let certificate = sam.certificate().unwrap();
    let public = sam.public().unwrap();
    let Stored::Known(issuer) = sam.issuer_certificate().unwrap() else {
        panic!("a sample has certificates of our layout");
    };
    let own = CardCertificate::parse(&certificate).unwrap();
    own.verify(&issuer, date!(2026 - 11 - 26)).unwrap();
    assert_eq!(own.body().holder, Holder::Sam(public.serial));
    assert_eq!(sam.terminal().unwrap().to_string(), "410101000001");
    assert_eq!(sam.application().unwrap().key_index, 1);
}

#[test]
fn it_signs_after_its_pin_what_it_digested() {
    let module = SamSecurityModule::new(Conversation::open(powered()).unwrap());
    let record = [5; 1639];
    let refused = module.sign(&record).unwrap_err();
    assert!(matches!(refused, SignError::Sam(SamError::PinNeeded)));
    module.with_sam(|sam| sam.verify(&pin("123456"))).unwrap();
    for length in [1, 240, 241, 480, 1639] {
        let signature = module.sign(&record[..length]).unwrap();
        let certificate = CardCertificate::parse(&module.certificate().unwrap()).unwrap();
        let digest = sm3::digest(&record[..length]);
        certificate.body().key.verify(&digest, &signature).unwrap();
    }
}

#[test]
fn a_reset_forgets_the_pin() {
    let mut transport = powered();
    Link::new(&mut transport).run(&VerifyPin(&pin("123456"))).unwrap();
    transport.reinsert();
    let mut sam = Conversation::open(transport).unwrap();
    assert!(matches!(sam.sign(&[1]), Err(SamError::PinNeeded)));
}

#[test]
fn a_sam_that_is_gone_says_so() {
    let factors = CardFactors {
        province: ProvinceFactor(*b"41000000"),
        card: CardFactor(hex!("1101220100000001")),
    };
    let mut transport = powered();
    transport.card().leave_at(4); // the CIPHER after two SELECTs and DELIVERY
    let module = SamSecurityModule::new(Conversation::open(transport).unwrap());
    let mut session =
        module.session(CardKey::IrkDdf1, KeyVersion::FIRST, &factors, &[1; 8]).unwrap();
    let gone = session.cryptogram(&[2; 8]).unwrap_err();
    assert!(matches!(gone, SecurityError::Unavailable(SamError::Link(LinkError::Transport(_)))));
}

#[test]
fn masters_show_their_check_values() {
    // GB/T 32907 has no vector for a block of zeros; OpenSSL's SM4 made this one of the root key.
    let mut sam = Conversation::open(powered()).unwrap();
    let root = hex!("2677F4");
    assert_eq!(sam.check_value(CardKey::BkMf, KeyVersion::FIRST).unwrap(), Some(root));
    let second = KeyVersion::new(2).unwrap();
    assert_eq!(sam.check_value(CardKey::BkMf, second).unwrap(), None, "it has one version");
    let mut without = Conversation::open(InMemory::new(sample::sam_of(|_, _| None))).unwrap();
    assert_eq!(without.check_value(CardKey::BkMf, KeyVersion::FIRST).unwrap(), None);
}

#[test]
fn an_image_reads_as_it_is_written() {
    let image = sample::sam_image();
    let text = image.to_toml("123456", MasterPlace::Single(&[0xAB; 16]));
    let (read, held) = SamImage::from_toml(&text).unwrap();
    assert_eq!(read.public, image.public);
    assert_eq!(read.certificate, image.certificate);
    assert!(held.master(CardKey::BkMf, KeyVersion::FIRST).is_some());
    let broken = [
        ("masters", text.replace("master =", "masters =")),
        ("master", text.replace("ABABAB", "ABABAX")),
        ("PIN", text.replace("\"123456\"", "\"12\"")),
        ("terminal", text.replace("\"410101000001\"", "\"4101\"")),
        ("both", format!("{}\n[keystore]\nfile = 'a'\npassphrase_file = 'b'\n", *text)),
    ];
    for (what, text) in broken {
        assert!(SamImage::from_toml(&text).is_err(), "{what}");
    }
}
