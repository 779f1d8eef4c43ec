//! More than is good for a service: calls without a session, tokens that are guessed, connections that say nothing, and
//! desk agents that do not keep to the relay's rules.

use std::time::Duration;

use proto::v1::admin_client::AdminClient;
use proto::v1::audit_client::AuditClient;
use proto::v1::cards_client::CardsClient;
use proto::v1::desks_client::DesksClient;
use proto::v1::identities_client::IdentitiesClient;
use proto::v1::relay_request::Event;
use proto::v1::relay_response::Step;
use proto::v1::tokens_client::TokensClient;
use proto::v1::visits_client::VisitsClient;
use proto::v1::{
    AuthoritiesRequest, CardFailure, CardInserted, CardResponse, CheckpointRequest,
    ListVisitsRequest, ReconcileRequest, RelayRequest, RelayResponse, StatusRequest,
    TokenKeysRequest,
};
use service::demo::people::{DESK, DOCTOR, PATIENT};
use tests::grpc::{Caller, bearing, connect, log_in, reason};
use tests::hospital::Hospital;
use tests::relay::{self, Relay, card, present};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);

/// A relay below the rules: any message, in any order.
struct Raw {
    events: mpsc::Sender<RelayRequest>,
    steps: Streaming<RelayResponse>,
}

impl Raw {
    async fn open(caller: Caller) -> Result<Self, Status> {
        let (events, requests) = mpsc::channel(1024);
        let steps = CardsClient::new(caller).relay(ReceiverStream::new(requests)).await?;
        Ok(Self { events, steps: steps.into_inner() })
    }

    async fn say(&self, event: Option<Event>) {
        // A stream that has ended takes no more.
        let _ = self.events.send(RelayRequest { event }).await;
    }

    async fn hear(&mut self) -> Option<Step> {
        let heard = tokio::time::timeout(LONG, self.steps.message()).await.expect("in time");
        heard.expect("no status").map(|response| response.step.expect("a step"))
    }

    /// The failure that comes once the commands are through.
    async fn failure(&mut self) -> CardFailure {
        loop {
            match self.hear().await {
                Some(Step::Command(_)) => {}
                Some(Step::Failure(failure)) => return failure,
                other => panic!("no failure but {other:?}"),
            }
        }
    }
}

fn inserted(reader: &str, atr: &[u8]) -> Option<Event> {
    Some(Event::Inserted(CardInserted {
        reader: reader.to_owned(),
        atr: atr.to_vec(),
        ..CardInserted::default()
    }))
}

fn answered() -> Option<Event> {
    Some(Event::Response(CardResponse { response: vec![0x90, 0x00], card_microseconds: 1 }))
}

#[tokio::test]
async fn an_agent_that_breaks_the_rules_is_told_and_left() {
    let hospital = Hospital::open();
    let atr = card(&hospital.card_image()).atr().bytes().to_vec();
    let desk = log_in(&hospital.stage, DESK.key).await;
    let good = inserted("reader", &atr);
    let cases = [
        ("an answer to nothing", vec![answered()]),
        ("nothing", vec![None]),
        ("a card on top of a card", vec![good.clone(), good.clone()]),
        ("nothing while a card is driven", vec![good.clone(), None]),
        ("a name of 129 octets", vec![inserted(&"a".repeat(129), &atr)]),
        ("a name of 43 characters and 129 octets", vec![inserted(&"读".repeat(43), &atr)]),
        ("a name with a line end", vec![inserted("reader\n", &atr)]),
        ("a name with an escape", vec![inserted("\u{1b}[2Jreader", &atr)]),
    ];
    for (what, said) in cases {
        let mut relay = Raw::open(desk.clone()).await.expect(what);
        for event in said {
            relay.say(event).await;
        }
        let failure = relay.failure().await;
        assert_eq!(failure.reason, "RELAY_PROTOCOL", "{what}");
        assert!(failure.receipt.is_some(), "{what}: it is in the log");
        assert_eq!(relay.hear().await, None, "{what}: the stream has ended");
    }
    // A card that is none is no fault of the agent's.
    let mut relay = Raw::open(desk.clone()).await.unwrap();
    for atr in [&[][..], &[0x3B], &[0xFF; 40]] {
        relay.say(inserted("reader", atr)).await;
        let failure = relay.failure().await;
        assert_eq!((failure.reason.as_str(), failure.receipt.is_some()), ("NOT_HEALTH_CARD", true));
    }
    drop(relay);
    still_reads(&hospital, desk).await;
}

async fn still_reads(hospital: &Hospital, desk: Caller) {
    let mut relay = Relay::open(desk).await.expect("a relay");
    let outcome = present(&mut relay, &mut card(&hospital.card_image())).await;
    assert_eq!(outcome.reading().name, PATIENT.name);
}

#[tokio::test]
async fn cards_that_are_put_in_without_end_stop_nobody_else() {
    let hospital = Hospital::open();
    let atr = card(&hospital.card_image()).atr().bytes().to_vec();
    let mut greedy = Vec::new();
    for _ in 0..2 {
        let relay = Raw::open(log_in(&hospital.stage, DESK.key).await).await.unwrap();
        for _ in 0..700 {
            relay.say(inserted("reader", &atr)).await;
        }
        greedy.push(relay);
    }
    let mut visits = VisitsClient::new(log_in(&hospital.stage, DOCTOR.key).await);
    let listed = tokio::time::timeout(LONG, visits.list(ListVisitsRequest::default())).await;
    listed.expect("in time").expect("a list");
    still_reads(&hospital, log_in(&hospital.stage, DESK.key).await).await;
    for relay in &mut greedy {
        assert_eq!(relay.failure().await.reason, "RELAY_PROTOCOL");
        assert_eq!(relay.hear().await, None);
    }
}

#[tokio::test]
async fn a_session_has_sixteen_relays() {
    let hospital = Hospital::open();
    let desk = log_in(&hospital.stage, DESK.key).await;
    let mut held = Vec::new();
    for number in 0..16 {
        held.push(Raw::open(desk.clone()).await.unwrap_or_else(|no| panic!("{number}: {no}")));
    }
    match Raw::open(desk).await {
        Ok(_) => panic!("one relay more"),
        Err(status) => assert_eq!(reason(&status), "RATE_LIMITED"),
    }
    still_reads(&hospital, log_in(&hospital.stage, DESK.key).await).await;
}

/// What each service says to somebody without a session, and to a token that is none.
#[tokio::test]
async fn strangers_get_what_anybody_may_know() {
    let hospital = Hospital::open();
    let channel = connect(&hospital.stage).await;
    IdentitiesClient::new(channel.clone()).authorities(AuthoritiesRequest {}).await.unwrap();
    TokensClient::new(channel.clone()).keys(TokenKeysRequest {}).await.unwrap();
    AuditClient::new(channel.clone()).checkpoint(CheckpointRequest {}).await.unwrap();

    let missing = AdminClient::new(channel.clone()).status(StatusRequest {}).await.unwrap_err();
    assert_eq!(
        (missing.code(), reason(&missing).as_str()),
        (Code::Unauthenticated, "SESSION_MISSING")
    );
    let (_events, requests) = mpsc::channel(1);
    let relay = CardsClient::new(channel.clone()).relay(ReceiverStream::new(requests)).await;
    assert_eq!(reason(&relay.unwrap_err()), "SESSION_MISSING");
    for token in ["x", &"A".repeat(43), &"+".repeat(43), &"A".repeat(4096)] {
        let mut visits = VisitsClient::new(bearing(channel.clone(), token));
        let refused = visits.list(ListVisitsRequest::default()).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::Unauthenticated, "SESSION_INVALID"),
            "{} characters",
            token.len()
        );
    }
}

#[tokio::test]
async fn guessed_tokens_are_limited_and_sessions_go_on() {
    let hospital = Hospital::open();
    let mut doctor = VisitsClient::new(log_in(&hospital.stage, DOCTOR.key).await);
    doctor.list(ListVisitsRequest::default()).await.unwrap();
    let channel = connect(&hospital.stage).await;
    let mut said = Vec::new();
    for guess in 0..20_000 {
        let mut visits = VisitsClient::new(bearing(channel.clone(), &format!("{guess:043}")));
        let refused = visits.list(ListVisitsRequest::default()).await.unwrap_err();
        said.push(reason(&refused));
        if said.last().is_some_and(|reason| reason == "RATE_LIMITED") {
            break;
        }
    }
    assert_eq!(said.first().map(String::as_str), Some("SESSION_INVALID"));
    assert_eq!(said.last().map(String::as_str), Some("RATE_LIMITED"), "{} guesses", said.len());
    doctor.list(ListVisitsRequest::default()).await.expect("a session that was seen before");
}

#[tokio::test]
async fn a_desk_tells_what_it_read_no_faster_than_it_can_have_read() {
    let hospital = Hospital::open();
    let mut desk = DesksClient::new(log_in(&hospital.stage, DESK.key).await);
    let nothing = ReconcileRequest { readings: Vec::new() };
    let mut calls = 0;
    let refused = loop {
        match desk.reconcile(nothing.clone()).await {
            Ok(_) => calls += 1,
            Err(refused) => break refused,
        }
        assert!(calls < 5_000, "there is no end to it");
    };
    assert!(calls >= 100, "{calls}: a busy day's readings are told in one go");
    assert_eq!(reason(&refused), "RATE_LIMITED");
}

/// One peer cannot have all connections. Those beyond its share are closed; when the others are given back, it is served.
#[tokio::test]
async fn silent_connections_of_one_peer_are_bounded() {
    let hospital = Hospital::open();
    let address = hospital.stage.url().replacen("https://", "", 1);
    let mut open = Vec::new();
    for _ in 0..512 {
        open.push(TcpStream::connect(&address).await.unwrap());
    }
    for _ in 0..4 {
        let mut beyond = TcpStream::connect(&address).await.unwrap();
        let read = tokio::time::timeout(LONG, beyond.read(&mut [0])).await.expect("in time");
        // A close, or a reset when the kernel thinks that something was lost.
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    drop(open);
    // The service notices each of them in its own time; whoever comes too early is closed again.
    let answered = async {
        while hospital.ask(DOCTOR.key, &["visit", "list"]).granted().is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, answered).await.expect("in time");
}

/// The relay that a test of good agents uses is not hurt by a removal that comes late.
#[tokio::test]
async fn a_removal_after_the_verdict_is_nothing_new() {
    let hospital = Hospital::open();
    let mut relay = Relay::open(log_in(&hospital.stage, DESK.key).await).await.unwrap();
    let mut image = card(&hospital.card_image());
    for _ in 0..2 {
        let outcome = present(&mut relay, &mut image).await;
        assert!(matches!(outcome, relay::Outcome::Reading(_)), "{outcome:?}");
        relay.send(Event::Removed(proto::v1::CardRemoved::default())).await;
    }
}
