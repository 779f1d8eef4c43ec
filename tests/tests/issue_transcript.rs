//! The transcript of a card covers all sessions that it took: the one that was interrupted, and that one was cut off.

use hsm::sm3::Hasher;
use proto::v1::slot_step;
use service::demo::people::CLERK;
use tests::hospital::Hospital;
use tests::issuing::{Bench, Stack, row};

const BATCH: &str = "01936f00-0000-7000-8000-0000000000e1";

/// SM3 over all of these, each after its length.
fn digest(parts: &[Vec<u8>]) -> [u8; 32] {
    let mut digest = Hasher::new();
    for part in parts {
        digest.update(&(part.len() as u16).to_be_bytes());
        digest.update(part);
    }
    digest.finalize()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_goes_on_from_session_to_session() {
    let mut hospital = Hospital::open();
    let rows = [row(1, &[])];
    let mut bench = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.unwrap();
    bench.handed_in(1).await.unwrap();
    let mut card = Stack::new(&hospital).take();
    let atr = card.atr().bytes().to_vec();

    // The card is pulled out with a command unanswered.
    let mut first = vec![atr.clone()];
    bench.insert(0, &card).await;
    assert!(bench.answer(&mut card, 70, &mut first).await.unwrap().is_none());
    let slot_step::Step::Command(command) = bench.card_step().await.unwrap() else { panic!() };
    first.extend([command.command, Vec::new()]);
    bench.remove(0).await;
    let slot_step::Step::Failure(failure) = bench.card_step().await.unwrap() else { panic!() };
    assert_eq!(failure.reason, "CARD_REMOVED");
    let first = digest(&first);

    // The service is killed in the midst of the second session; what passed in it is lost.
    card.reset();
    bench.insert(0, &card).await;
    assert!(bench.answer(&mut card, 33, &mut Vec::new()).await.unwrap().is_none());
    hospital.stage.server().unwrap().kill();
    hospital.stage.serve().unwrap();

    // The third makes the card, and knows of both.
    let mut bench = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.unwrap();
    bench.handed_in(1).await.unwrap();
    let mut third = vec![2_u32.to_be_bytes().to_vec(), first.to_vec(), atr];
    card.reset();
    bench.insert(0, &card).await;
    let ended = bench.answer(&mut card, 1000, &mut third).await.unwrap();
    assert!(matches!(ended, Some(slot_step::Step::Made(1))), "{ended:?}");
    let transcript = digest(&third);
    assert_eq!(bench.verdicts[&1].transcript, transcript);
    assert!(bench.close().await.unwrap().contains(&hex::encode(transcript)), "in the manifest");

    // In the log: begun, interrupted, gone on with twice, made.
    let found = hospital.granted("auditor", &["audit", "search", "--action", "card.issue"]);
    let entries = found["entries"].as_array().unwrap().iter().rev();
    let told = entries.map(|found| {
        let detail = &found["entry"]["detail"];
        let word = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        (word("step"), word("session"), word("transcript"))
    });
    let (first, transcript) = (hex::encode(first), hex::encode(transcript));
    let expected = [
        ("begin", "", ""),
        ("interrupt", "1", first.as_str()),
        ("resume", "2", &first),
        ("resume", "3", &first),
        ("issue", "3", &transcript),
    ];
    let expected = expected
        .map(|(step, session, digest)| (step.to_owned(), session.to_owned(), digest.to_owned()));
    assert_eq!(told.collect::<Vec<_>>(), expected);
}
