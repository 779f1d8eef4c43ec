//! Cards that are made by their maker's script, and the security codes on cards.

use card::layout::Profile;
use card::layout::ddf1::ef05;
use card_emulator::image::Content;
use card_emulator::{Card, sample};
use proto::v1::cards_client::CardsClient;
use proto::v1::{CheckSecurityCodeRequest, CheckSecurityCodeResponse, slot_step};
use serde_json::json;
use service::demo::people::{CLERK, DOCTOR};
use tests::card_list::KeptList;
use tests::grpc::{log_in, reason};
use tests::hospital::Hospital;
use tests::issuing::{Bench, Stack, row};
use tonic::Status;

const BATCH: &str = "01936f00-0000-7000-8000-0000000000f1";

/// Our own script, and one harmless command before it that nobody else would send.
fn script() -> String {
    format!("> 80CA0000 le=04\n< 9000 6D00 6E00\n{}", sample::making::script(Profile::Full, None))
}

fn use_script(hospital: &mut Hospital, script: &str) {
    hospital.stage.write("data/maker.txt", script.as_bytes()).unwrap();
    hospital.reconfigure(|text| format!("card_script = \"maker.txt\"\n{text}"));
}

/// The digits on a card: tag and length are before them.
fn security_code(card: &Card) -> String {
    let file = ef05::FILE.name;
    let Some(Content::Records(records)) = card.image().files.content(file) else {
        panic!("no {file}")
    };
    String::from_utf8(records[&8][2..].to_vec()).unwrap()
}

async fn check(
    hospital: &Hospital,
    who: &str,
    card_id: &str,
    code: &str,
) -> Result<CheckSecurityCodeResponse, Status> {
    let request =
        CheckSecurityCodeRequest { card_id: card_id.to_owned(), security_code: code.to_owned() };
    let mut cards = CardsClient::new(log_in(&hospital.stage, who).await);
    Ok(cards.check_security_code(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_makers_script_makes_the_cards_and_codes_on_them_are_checked() {
    let mut hospital = Hospital::open();
    use_script(&mut hospital, &script());
    let rows = [row(1, &[("phone_1", "13800138000")])];
    let mut bench = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.unwrap();
    bench.handed_in(1).await.unwrap();
    let (mut card, mut talk) = (Stack::new(&hospital).take(), Vec::new());
    bench.insert(0, &card).await;
    let ended = bench.answer(&mut card, 1000, &mut talk).await.unwrap();
    assert!(matches!(ended, Some(slot_step::Step::Made(1))), "{ended:?}");
    assert_eq!(talk[0][..4], [0x80, 0xCA, 0x00, 0x00], "the script was played");
    let card_id = bench.verdicts[&1].card_id.clone();
    bench.close().await.unwrap();

    // The code on the card is the one of its number and end; few tries.
    let code = security_code(&card);
    let wrong = if code == "123" { "321" } else { "123" };
    let unfit = check(&hospital, CLERK.key, &card_id, "12x").await.unwrap_err();
    assert_eq!(reason(&unfit), "FIELD_INVALID");
    let doctor = check(&hospital, DOCTOR.key, &card_id, &code).await.unwrap_err();
    assert_eq!(reason(&doctor), "ROLE_NOT_ALLOWED");
    for (code, right) in [(code.as_str(), true), (wrong, false), (&code, true)] {
        assert_eq!(check(&hospital, CLERK.key, &card_id, code).await.unwrap().right, right);
    }
    let fourth = check(&hospital, CLERK.key, &card_id, &code).await.unwrap_err();
    assert_eq!(reason(&fourth), "RATE_LIMITED");
    // Each try of somebody who may is in the log, without the code.
    let found = hospital.granted("auditor", &["audit", "search", "--action", "card.status"]);
    let entries = found["entries"].as_array().unwrap();
    let tries: Vec<_> = entries
        .iter()
        .rev()
        .filter(|found| found["entry"]["detail"]["step"] == "security-code")
        .map(|found| found["entry"]["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(tries, ["granted", "refused", "granted", "refused"]);
    // A card of the register that never was in a batch has the code of its number as well.
    let other = check(&hospital, CLERK.key, &hospital.card_id, "000").await.unwrap();
    assert!(other.receipt.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_does_not_fit_the_card_spoils_it_and_a_bad_one_is_refused_at_start() {
    let mut hospital = Hospital::open();
    // Without the keys the card does not end its making, whatever the script expects.
    let lines: Vec<String> = script().lines().map(str::to_owned).collect();
    let is_key = |line: &String| line.contains("{key:");
    let first = lines.iter().position(is_key).unwrap() - 2;
    let last = lines.iter().rposition(is_key).unwrap() + 2;
    let keyless = [&lines[..first], &lines[last..]].concat().join("\n");
    use_script(&mut hospital, &keyless);
    let rows = [row(1, &[])];
    let mut bench = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.unwrap();
    bench.handed_in(1).await.unwrap();
    let (mut card, mut talk) = (Stack::new(&hospital).take(), Vec::new());
    bench.insert(0, &card).await;
    let ended = bench.answer(&mut card, 1000, &mut talk).await.unwrap();
    let Some(slot_step::Step::Failure(failure)) = ended else { panic!("{ended:?}") };
    assert_eq!(failure.reason, "CARD_SPOILED");
    assert_eq!(bench.verdicts[&1].state(), proto::v1::RowState::Waiting);
    // Nobody may take what is on that chip for a card where the service cannot be asked.
    let kept = KeptList::new(&hospital);
    kept.fetch(&hospital);
    let (_, told) = kept.check(&hospital, &kept.list, "0000000001");
    assert_eq!(
        told["verdict"],
        json!({"listed": true, "level": "black", "reason": "cancelled"}),
        "{told}"
    );

    // What is no script is refused before anything is served, by its line.
    hospital.stage.write("data/maker.txt", b"> 00A40000 3F00\n> 00840000\n").unwrap();
    hospital.stage.server().unwrap().end().unwrap();
    let ended = hospital.healthcardd(&["check"]);
    assert_ne!(ended.code, 0);
    assert!(ended.stderr.contains("line 2 of the script"), "{}", ended.stderr);
}
