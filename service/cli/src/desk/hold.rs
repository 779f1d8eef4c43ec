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
    signal::unix::{SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

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

/// Logs in and holds the session until somebody leaves the desk.
pub(crate) async fn hold(context: &Context, options: HoldOptions) -> context::Outcome {
    let HoldOptions { reader, patience, lease, idle } = options;
    let (screen, home) = (context.screen, context.service.home());
    let mut interrupted = Interruption::new()?;
    let unavailable = |error| Failure::of(problems::SIGNALS_UNAVAILABLE).about(error);
    // A terminal that is closed is a desk that was left.
    let mut hung_up = signal(SignalKind::hangup()).map_err(unavailable)?;
    let mut card = None;
    if reader.is_some() {
        let mut watch = Watch::start(reader, None);
        let seen = tokio::select! {
            seen = timeout(patience, first_card(&mut watch, || screen.hint(text::HOLD_CARD))) => seen,
            () = interrupted.came() => return Err(problems::INTERRUPTED.into()),
        };
        let (name, _) = seen.map_err(|_| Failure::of(problems::CARD_TIMEOUT))??;
        card = Some((watch, name));
    }
    if !home.asks_for_passphrase()? {
        screen.hint(text::HOLD_KEY_OPEN);
    }
    // What was saved before goes on for as long as it lasts: nobody would have its secret any more.
    context.service.log_out().await?;
    let Held { channel, opened, token } = context.service.hold(lease).await?;
    let reader = card.as_ref().map(|(_, name)| name.clone());
    screen.show(&held(&opened, reader.as_deref()), &show::session(text::HOLD_BEGUN, &opened));
    let why = tokio::select! {
        why = card_gone(card.as_mut()) => why,
        () = interrupted.came() => Why::Interrupted,
        _ = hung_up.recv() => Why::Interrupted,
        why = left(home, &token, idle) => why,
        why = renewed(&channel, lease) => why,
    };
    if let Some((watch, _)) = &card {
        watch.stop();
    }
    // Nobody here uses it from now on, whether or not the service can be told.
    if is_ours(home, &token) {
        home.forget_session();
    }
    let closed = why == Why::Over || close(channel).await;
    let page = Page::titled(why.text()).maybe(text::WHY, (!closed).then_some(text::HOLD_NOT_TOLD));
    screen.show(&json!({ "event": "ended", "why": why.word(), "closed": closed }), &page);
    Ok(why.exit())
}

/// The token stays in the session file.
fn held(opened: &OpenSessionResponse, reader: Option<&str>) -> Value {
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

/// Waits until the session is no longer the one in its file, or was not used for too long.
async fn left(home: &Home, token: &str, idle: Option<Duration>) -> Why {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
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

fn is_ours(home: &Home, token: &str) -> bool {
    home.session().is_some_and(|session| *session.token == token)
}

/// Whether it was used too long ago; also when nobody can say.
fn is_idle(used: Option<OffsetDateTime>, now: OffsetDateTime, most: Duration) -> bool {
    used.is_none_or(|used| now - used >= most)
}

/// Renews the lease as long as the service says that it is good, or may be.
async fn renewed(channel: &Authorized, lease: Duration) -> Why {
    let every = lease / RENEWALS;
    let mut turn = interval(every);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turn.tick().await;
    let mut good_until = Instant::now() + lease;
    loop {
        turn.tick().await;
        let asked = Instant::now();
        let mut sessions = SessionsClient::new(channel.clone());
        match timeout(every, sessions.renew(RenewSessionRequest {})).await {
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
