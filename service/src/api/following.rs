//! Whoever follows what is new, as long as their session lasts and they read it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, metadata::MetadataMap};
use zeroize::Zeroizing;

use super::{Desk, bearer};
use crate::{
    catalogue::Reason,
    clock,
    registrar::{Caller, Error, Registrar},
    serve::{Share, Shares},
};

/// Streams of a kind that a session may have.
const MOST_STREAMS: usize = 2;
/// Longest that a follower may take to read what it is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who follows at the moment, by their sessions.
pub(super) type Followers = Shares<[u8; 32]>;

/// Somebody who follows, among the others of a kind.
pub(super) struct Seat {
    caller: Caller,
    token: Zeroizing<String>,
    share: Share<[u8; 32]>,
}

/// What a follower is told.
pub(super) type Told<T> = Result<T, Status>;

/// Somebody who follows, and is told what is new.
pub(super) struct Follower<T> {
    desk: Desk,
    caller: Caller,
    token: Zeroizing<String>,
    told: mpsc::Sender<Told<T>>,
    _share: Share<[u8; 32]>,
}

impl Seat {
    /// A place among those who follow.
    ///
    /// # Errors
    /// RATE_LIMITED for a session that has its streams already.
    pub(super) fn take(
        followers: &Arc<Followers>,
        caller: &Caller,
        metadata: &MetadataMap,
    ) -> Result<Self, Error> {
        let share = followers.take(caller.holder.session, MOST_STREAMS);
        let share = share.ok_or(Error::from(Reason::RATE_LIMITED))?;
        let token = Zeroizing::new(bearer(metadata)?.to_owned());
        Ok(Self { caller: caller.clone(), token, share })
    }

    /// The follower in it, and what it reads.
    pub(super) fn follow<T>(self, desk: &Desk) -> (Follower<T>, ReceiverStream<Told<T>>) {
        let Self { caller, token, share } = self;
        let (told, stream) = mpsc::channel(16);
        let follower = Follower { desk: desk.clone(), caller, token, told, _share: share };
        (follower, ReceiverStream::new(stream))
    }
}

impl<T> Follower<T> {
    pub(super) fn registrar(&self) -> &Arc<Registrar> {
        &self.desk.registrar
    }

    /// Whoever's session is over learns no more.
    ///
    /// # Errors
    /// SESSION_INVALID, PEER_MISMATCH.
    pub(super) async fn is_there(&self) -> Result<(), Error> {
        let origin = self.caller.origin.clone();
        self.registrar().caller(&self.token, origin, clock::now()).await.map(drop)
    }

    /// Waits until nobody reads any more.
    pub(super) async fn left(&self) {
        self.told.closed().await;
    }

    /// Whether the follower took it.
    pub(super) async fn tell(&self, told: Told<T>) -> bool {
        matches!(timeout(PATIENCE, self.told.send(told)).await, Ok(Ok(())))
    }
}
