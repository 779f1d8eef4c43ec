//! A session that lasts as long as somebody is at the desk: while their card is in the reader, until the desk is locked,
//! and never longer than it is renewed. Whatever happens to this process, the service ends the session once its lease is
//! over, and the tokens that it asked for with it.

use std::time::Duration;

use proto::v1::{
    CloseSessionRequest, OpenSessionResponse, RenewSessionRequest, sessions_client::SessionsClient,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval, timeout},
};
use zeroize::Zeroizing;

use super::{
    interruption::Interruption,
    single::first_card,
    watch::{Sight, Watch},
};
use crate::{
    clock,
    context::{self, Context},
    exit::Exit,
    failure::Failure,
    identity::Home,
    json,
    page::Page,
    service::{Authorized, Held},
    show,
    text::{self, Text, problems},
};

/// How often it is looked whether the desk was locked.
const LOOK: Duration = Duration::from_secs(1);
/// How long the service may take to end the session. It ends by itself otherwise.
const FAREWELL: Duration = Duration::from_secs(5);
/// Renewals in the time of a lease: two may be lost.
const RENEWALS: u32 = 3;

/// How a session is held.
#[derive(Debug)]
pub(crate) struct HoldOptions {
    /// The reader of the card, by a part of its name; without one no card is needed.
    pub(crate) reader: Option<String>,
    /// How long the card is waited for.
    pub(crate) patience: Duration,
    /// How long the session goes on without a word of this process.
    pub(crate) lease: Duration,
    /// How long no command may have used it.
    pub(crate) idle: Option<Duration>,
}

/// Why it is held no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    CardOut,
    ReaderLost,
    Locked,
    Idle,
    Interrupted,
    /// The service ended it, or its lease was over.
    Over,
    /// The service could not be reached as long as the lease was good.
    Unreachable,
}

impl Why {
    /// The word in the event.
    fn word(self) -> &'static str {
        match self {
            Self::CardOut => "card-out",
            Self::ReaderLost => "reader-lost",
            Self::Locked => "locked",
            Self::Idle => "idle",
            Self::Interrupted => "interrupted",
            Self::Over => "over",
            Self::Unreachable => "unreachable",
        }
    }

    fn text(self) -> Text {
        match self {
            Self::CardOut => text::HOLD_CARD_OUT,
            Self::ReaderLost => text::HOLD_READER_LOST,
            Self::Locked => text::HOLD_LOCKED,
            Self::Idle => text::HOLD_IDLE,
            Self::Interrupted => text::HOLD_INTERRUPTED,
            Self::Over => text::HOLD_OVER,
            Self::Unreachable => text::HOLD_UNREACHABLE,
        }
    }

    fn exit(self) -> Exit {
        match self {
            Self::CardOut | Self::Locked | Self::Idle | Self::Interrupted => Exit::Done,
            Self::Over => Exit::Refused,
            Self::ReaderLost | Self::Unreachable => Exit::Unreachable,
        }
    }
}

/// The desk of whoever wants to log in, or is.
struct Desk<'a> {
    home: &'a Home,
    /// Is another once the desk was locked.
    since: Zeroizing<Vec<u8>>,
    /// With the name of its reader, once it is in.
    card: Option<(Watch, String)>,
    interrupted: Interruption,
    hung_up: Signal,
}

impl Desk<'_> {
    /// Waits until somebody leaves it.
    async fn left(&mut self) -> Why {
        tokio::select! {
            why = card_gone(self.card.as_mut()) => why,
            () = self.interrupted.came() => Why::Interrupted,
            // A terminal that is closed is a desk that was left.
            _ = self.hung_up.recv() => Why::Interrupted,
            () = locked(self.home, &self.since) => Why::Locked,
        }
    }
}

/// Logs in and holds the session until somebody leaves the desk.
pub(crate) async fn hold(context: &Context, options: HoldOptions) -> context::Outcome {
    let HoldOptions { reader, patience, lease, idle } = options;
    let (screen, home) = (context.screen, context.service.home());
    let unavailable = |error| Failure::of(problems::SIGNALS_UNAVAILABLE).about(error);
    let mut desk = Desk {
        home,
        since: home.hold()?,
        card: None,
        interrupted: Interruption::new()?,
        hung_up: signal(SignalKind::hangup()).map_err(unavailable)?,
    };
    if reader.is_some() {
        let mut watch = Watch::start(reader, None);
        let seen = tokio::select! {
            biased;
            why = desk.left() => return never_held(context, why),
            seen = timeout(patience, first_card(&mut watch, || screen.hint(text::HOLD_CARD))) => seen,
        };
        let (name, _) = seen.map_err(|_| Failure::of(problems::CARD_TIMEOUT))??;
        desk.card = Some((watch, name));
    }
    if !home.asks_for_passphrase()? {
        screen.hint(text::HOLD_KEY_OPEN);
    }
    let log_in = async {
        // What was saved before goes on for as long as it lasts: nobody would have its secret any more.
        context.service.log_out().await?;
        context.service.hold(lease).await
    };
    // Who left while a passphrase was asked for is not logged in: that is looked for first, each time.
    let held = tokio::select! {
        biased;
        why = desk.left() => return never_held(context, why),
        held = log_in => held?,
    };
    let Held { channel, opened, token } = held;
    let reader = desk.card.as_ref().map(|(_, name)| name.clone());
    let why = if home.holds(&desk.since) {
        screen
            .show(&held_by(&opened, reader.as_deref()), &show::session(text::HOLD_BEGUN, &opened));
        tokio::select! {
            why = desk.left() => why,
            why = unused(home, &token, idle) => why,
            why = renewed(&channel, lease) => why,
        }
    } else {
        Why::Locked
    };
    if let Some((watch, _)) = &desk.card {
        watch.stop();
    }
    // Nobody here uses it from now on, whether or not the service can be told.
    let forgotten = if is_ours(home, &token) { home.forget_session() } else { Ok(()) };
    let closed = why == Why::Over || close(channel).await;
    end(context, why, closed);
    forgotten?;
    Ok(why.exit())
}

/// Somebody left before there was a session. One that was opened meanwhile has a lease, and nobody has its secret.
fn never_held(context: &Context, why: Why) -> context::Outcome {
    if why == Why::Interrupted {
        return Err(problems::INTERRUPTED.into());
    }
    end(context, why, true);
    Ok(why.exit())
}

fn end(context: &Context, why: Why, closed: bool) {
    let page = Page::titled(why.text()).maybe(text::WHY, (!closed).then_some(text::HOLD_NOT_TOLD));
    context.screen.show(&json!({ "event": "ended", "why": why.word(), "closed": closed }), &page);
}

/// The token stays in the session file.
fn held_by(opened: &OpenSessionResponse, reader: Option<&str>) -> Value {
    let mut session = json::of("OpenSessionResponse", opened);
    if let Value::Object(fields) = &mut session {
        fields.remove("token");
    }
    json!({ "event": "held", "reader": reader, "session": session })
}

/// Waits until the card is out, or nobody can say that it is in; for ever where none is needed.
async fn card_gone(card: Option<&mut (Watch, String)>) -> Why {
    let Some((watch, name)) = card else { return std::future::pending().await };
    while let Some((_, sight)) = watch.next().await {
        if let Some(why) = gone(&sight, name) {
            return why;
        }
    }
    Why::ReaderLost
}

/// Whether this means that the card in this reader is not there any more.
fn gone(sight: &Sight, reader: &str) -> Option<Why> {
    match sight {
        Sight::ServiceLost => Some(Why::ReaderLost),
        Sight::Readers(readers) => {
            (!readers.iter().any(|it| it == reader)).then_some(Why::ReaderLost)
        }
        // Another card, or the same one again: in between it was out.
        Sight::Removed { .. } | Sight::Card { .. } | Sight::Unreadable { .. } => {
            (sight.reader() == Some(reader)).then_some(Why::CardOut)
        }
        Sight::SamIn | Sight::SamOut => None,
    }
}

/// Waits until the desk was locked, or somebody logged in by hand.
async fn locked(home: &Home, since: &[u8]) {
    let mut look = every(LOOK);
    while home.holds(since) {
        look.tick().await;
    }
}

/// Waits until the session is no longer the one in its file, or was not used for too long.
async fn unused(home: &Home, token: &str, idle: Option<Duration>) -> Why {
    let mut look = every(LOOK);
    loop {
        look.tick().await;
        if !is_ours(home, token) {
            return Why::Locked;
        }
        if let Some(idle) = idle
            && is_idle(home.session_used(), clock::now(), idle)
        {
            return Why::Idle;
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut every = interval(period);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

fn is_ours(home: &Home, token: &str) -> bool {
    home.session().is_some_and(|session| *session.token == token)
}

/// Whether it was used too long ago; also when nobody can say.
fn is_idle(used: Option<OffsetDateTime>, now: OffsetDateTime, most: Duration) -> bool {
    used.is_none_or(|used| now - used >= most)
}

/// Renews the lease as long as the service says that it is good, or may be.
async fn renewed(channel: &Authorized, lease: Duration) -> Why {
    let each = lease / RENEWALS;
    let mut turn = every(each);
    turn.tick().await;
    let mut good_until = Instant::now() + lease;
    loop {
        turn.tick().await;
        let asked = Instant::now();
        let mut sessions = SessionsClient::new(channel.clone());
        match timeout(each, sessions.renew(RenewSessionRequest {})).await {
            Ok(Ok(_)) => good_until = asked + lease,
            Ok(Err(status)) if Failure::from(status.clone()).session_over => return Why::Over,
            // Out of reach, or out of breath: it is asked again while there is something to renew.
            Ok(Err(_)) | Err(_) if Instant::now() < good_until => {}
            Ok(Err(_)) | Err(_) => return Why::Unreachable,
        }
    }
}

/// Whether the service ended it now, or had before.
async fn close(channel: Authorized) -> bool {
    let mut sessions = SessionsClient::new(channel);
    match timeout(FAREWELL, sessions.close(CloseSessionRequest {})).await {
        Ok(Ok(_)) => true,
        Ok(Err(status)) => Failure::from(status).session_over,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_card_that_is_not_surely_there_is_gone() {
        let desk = || "Desk 1".to_owned();
        let other = || "Desk 2".to_owned();
        let cases = [
            (Sight::Removed { reader: desk() }, Some(Why::CardOut)),
            (Sight::Removed { reader: other() }, None),
            (Sight::Card { reader: desk(), atr: vec![0x3b] }, Some(Why::CardOut)),
            (Sight::Card { reader: other(), atr: vec![0x3b] }, None),
            (Sight::Unreadable { reader: desk() }, Some(Why::CardOut)),
            (Sight::Readers(vec![other()]), Some(Why::ReaderLost)),
            (Sight::Readers(vec![other(), desk()]), None),
            (Sight::ServiceLost, Some(Why::ReaderLost)),
        ];
        for (sight, expected) in cases {
            assert_eq!(gone(&sight, "Desk 1"), expected, "{sight:?}");
        }
    }

    #[test]
    fn what_nobody_used_or_nobody_knows_of_is_idle() {
        let now = datetime!(2026-11-23 08:00 UTC);
        let most = Duration::from_secs(60);
        let cases = [(Some(0), false), (Some(59), false), (Some(60), true), (None, true)];
        for (seconds, idle) in cases {
            let used = seconds.map(|seconds| now - Duration::from_secs(seconds));
            assert_eq!(is_idle(used, now, most), idle, "{seconds:?}");
        }
        // Used by a clock that is ahead.
        assert!(!is_idle(Some(now + most), now, most));
    }
}
