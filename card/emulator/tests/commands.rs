//! Every command: each wrong P1, P2, Lc, Le, class and state, with the status word it gets
//! (health-card.md, 9, "Commands", and 3.5).

mod terminal;

use card::{Apdu, CardKey, KeyVersion, layout};
use card_emulator::sample;
use terminal::Terminal;

use CardKey::{Rk1Df02, Rk1Df03, Uk1Ddf1, Uk1Df03, Uk2Df03, Uk3Df02};

/// What is selected (`MF` is the master file), which keys were proven, the command, the answer.
/// `+` before a command takes a challenge first.
type Case = (&'static str, &'static [CardKey], &'static str, &'static str);

#[rustfmt::skip]
const CASES: [Case; 92] = [
    // SELECT
    ("MF",        &[], "00A40000023F00", "9000"),
    ("MF",        &[], "00A4000002DF01", "6A82"), // only from within the application
    ("DDF1/EF05", &[], "00A4000002DF03", "9000"),
    ("DF01/EF05", &[], "00A4000002DF03", "9000"), // a sister
    ("DF01/EF05", &[], "00A4000002DDF1", "9000"), // the one above
    ("DF01/EF05", &[], "00A4000002EE01", "6A82"), // another directory's file
    ("DF03/EE03", &[], "00A4000002EE04", "6A82"),
    ("DF03/EE03", &[], "00A40000", "6700"),
    ("DF03/EE03", &[], "00A4020002EE01", "6A86"),
    ("DF03/EE03", &[], "00A4000C02EE01", "6A86"),
    ("DF03/EE03", &[], "84A4000002EE01", "6E00"),
    ("DF03/EE03", &[], "A0A4000002EE01", "6E00"),
    // READ RECORD
    ("MF",        &[], "00B2010400", "6986"),
    ("DF02/EF07", &[], "00B2010400", "6982"),
    ("DF02/EF07", &[Rk1Df02], "00B2010400", "6A83"), // an empty ring
    ("DF02/EF07", &[Rk1Df02], "00B23A0000", "6A83"), // no tags in a ring
    ("DF02/EF05", &[Rk1Df02], "00B2290003", "2901FF 9000"),
    ("DF02/EF05", &[Rk1Df02], "00B2290002", "6C03"),
    ("DF02/EF05", &[Rk1Df02], "00B22900", "6700"),
    ("DF02/EF05", &[Rk1Df02], "00B2100400", "6A83"),
    ("DF02/EF05", &[Rk1Df02], "00B2000400", "6A86"),
    ("DF02/EF05", &[Rk1Df02], "00B2010300", "6A86"),
    ("DF02/EF05", &[Rk1Df02], "04B2010400", "6E00"),
    ("DF03/EF05", &[Rk1Df03], "00B2030401", "FF 9000"),
    ("DF03/EF05", &[Rk1Df03], "00B2030402", "6C01"),
    ("DF03/EF05", &[Rk1Df03], "00B2040401", "6A83"),
    ("DF03/EE01", &[Rk1Df03], "00B2010400", "6981"),
    // READ BINARY
    ("MF",        &[], "00B0000010", "6986"),
    ("DF03/EE01", &[], "00B0000010", "6982"),
    ("DF03/EF05", &[Rk1Df03], "00B0000001", "6981"),
    ("DF03/EE01", &[Rk1Df03], "00B00000", "6700"),
    ("DF03/EE01", &[Rk1Df03], "00B0076410", "6C01"),
    ("DF03/EE01", &[Rk1Df03], "00B0076510", "6B00"),
    ("DF03/EE01", &[Rk1Df03], "00B0800010", "6A86"),
    ("DF03/EE01", &[Rk1Df03], "00B00000020102", "6700"),
    ("DF03/EE01", &[Rk1Df03], "84B0000010", "6E00"),
    // UPDATE BINARY
    ("MF",        &[], "00D600000101", "6986"),
    ("DF03/EE01", &[], "00D600000101", "6982"),
    ("DF03/EE01", &[Rk1Df03], "00D600000101", "6982"),
    ("DF03/EE01", &[Uk1Df03], "00D600000101", "9000"),
    ("DF03/EE01", &[Uk1Df03], "00D60000", "6700"),
    ("DF03/EE01", &[Uk1Df03], "00D6076401 01", "9000"),
    ("DF03/EE01", &[Uk1Df03], "00D6076402 0102", "6A84"),
    ("DF03/EE01", &[Uk1Df03], "00D6076501 01", "6B00"),
    ("DF03/EE01", &[Uk1Df03], "00D6800001 01", "6A86"),
    ("DF03/EE01", &[Uk1Df03], "04D6000001 01", "6E00"),
    ("DF03/EF05", &[Uk1Df03], "00D6000001 00", "6981"),
    // UPDATE RECORD
    ("MF",        &[], "+04DC010405 0001020304", "6986"),
    ("DDF1/EF08", &[], "+04DC020405 0001020304", "6982"),
    ("DDF1/EF08", &[Uk1Ddf1], "04DC020405 0001020304", "6984"), // no challenge
    ("DDF1/EF08", &[Uk1Ddf1], "+04DC020405 0001020304", "6988"),
    ("DDF1/EF08", &[Uk1Ddf1], "+04DC020403 000102", "6987"),
    ("DDF1/EF08", &[Uk1Ddf1], "+04DC0204", "6700"),
    ("DDF1/EF08", &[Uk1Ddf1], "+04DC020005 0001020304", "6A86"),
    ("DDF1/EF08", &[Uk1Ddf1], "+04DC000405 0001020304", "6A86"),
    ("DDF1/EF08", &[Uk1Ddf1], "+04DC000305 0001020304", "6981"), // no ring
    ("DDF1/EF08", &[Uk1Ddf1], "+04DC070405 0001020304", "6A83"),
    ("DDF1/EF08", &[Uk1Ddf1], "00DC040403 120101", "6987"), // plain
    ("DDF1/EF08", &[Uk1Ddf1], "84DC020404 01020304", "6E00"),
    ("DDF1/EF05", &[Uk1Ddf1], "00DC010403 010132", "6982"), // issued
    ("DF02/EF07", &[Uk3Df02], "+04DC010405 0001020304", "6981"), // a ring grows only
    ("DF02/EF07", &[Uk3Df02], "+04DC000305 0001020304", "6988"),
    ("DF03/EF05", &[Uk1Df03], "+04DC010405 0001020304", "6981"), // an index has its own commands
    ("DDF1/EF07", &[Uk1Ddf1], "+04DC010405 0001020304", "6981"),
    // WRITE and ERASE RECORD
    ("MF",        &[], "+84D2010404 01020304", "6986"),
    ("DF03/EF05", &[], "+84D2010404 01020304", "6982"),
    ("DF03/EF05", &[Uk2Df03], "+84D2010404 01020304", "6982"),
    ("DF03/EF05", &[Uk1Df03], "84D2010404 01020304", "6984"),
    ("DF03/EF05", &[Uk1Df03], "+84D2010404 01020304", "6988"),
    ("DF03/EF05", &[Uk1Df03], "+84D20104", "6987"),
    ("DF03/EF05", &[Uk1Df03], "+84D2040404 01020304", "6A83"),
    ("DF03/EF05", &[Uk1Df03], "+84D2000404 01020304", "6A86"),
    ("DF03/EF05", &[Uk1Df03], "+84D2010304 01020304", "6A86"),
    ("DF03/EF05", &[Uk1Df03], "+00D2010404 01020304", "6E00"),
    ("DF03/EF05", &[Uk1Df03], "+840C010404 01020304", "6982"),
    ("DF03/EF05", &[Uk2Df03], "+840C010404 01020304", "6988"),
    ("DF03/EE01", &[Uk1Df03], "+84D2010404 01020304", "6981"),
    ("DDF1/EF08", &[Uk1Ddf1], "+840C010404 01020304", "6981"),
    // GET CHALLENGE, INTERNAL and EXTERNAL AUTHENTICATE
    ("MF",        &[], "00840000 04", "6C08"),
    ("MF",        &[], "00840100 08", "6A86"),
    ("MF",        &[], "00840000", "6700"),
    ("MF",        &[], "0088000011 0000000000000000 0000000000000000 01 08", "6A88"),
    ("DF01/EF05", &[], "+0082008410 0000000000000000 0000000000000000", "6700"),
    ("DF01/EF05", &[], "+0082018411 0000000000000000 0000000000000000 01", "6A86"),
    ("DF01/EF05", &[], "+0082008411 0000000000000000 0000000000000000 05", "6A88"),
    ("DF01/EF05", &[], "+0082000411 0000000000000000 0000000000000000 01", "6A88"), // DDF1's
    ("DF01/EF05", &[], "0082008411 0000000000000000 0000000000000000 01", "6984"),
    // blocking; personalisation, which is over
    ("DF01/EF05", &[], "+841E000004 01020304", "6988"),
    ("DF01/EF05", &[], "+841E010004 01020304", "6A86"),
    ("DDF1/EF05", &[], "+841E000004 01020304", "6A88"),
    ("MF",        &[], "+8416000003 010203", "6987"),
    ("MF",        &[], "80F00000", "6901"),
];

#[test]
fn wrong_commands_get_their_status_word() {
    let masters = sample::distinct_masters();
    for (place, keys, command, expected) in CASES {
        let mut terminal = Terminal::new(sample::image_of(&masters), &masters);
        if place != "MF" {
            terminal.open(layout::file(place.parse().unwrap()).unwrap());
        }
        for key in keys {
            terminal.prove(*key, KeyVersion::FIRST).unwrap();
        }
        if command.starts_with('+') {
            terminal.session(CardKey::StkDdf1); // takes a challenge
        }
        let bytes = hex::decode(command.trim_start_matches('+').replace(' ', "")).unwrap();
        let answer = terminal.send(&Apdu::parse(&bytes).unwrap());
        let answer = hex::encode_upper(answer.to_bytes());
        assert_eq!(answer, expected.replace(' ', ""), "{place} {keys:?} {command}");
    }
}
