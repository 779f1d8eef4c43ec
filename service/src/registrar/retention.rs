//! The log's term (保存期限): as it grows it is closed by segments, and what is older than is kept is removed, when two
//! persons say so. All that was signed stays provable.

use std::time::{Duration, Instant};

use audit::{Entry, Outcome, segment::Segment};

use super::{Caller, Error, Registrar, entry_by, service_actor, uncut, witnesses::CLOCKS};
use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    policy::Act,
    store::{
        Change, ClosedSegment, Obstacle, Receipt, Removal, RemovalId, RemovalReview, RemovalState,
        StoreError,
    },
};

/// For how long what a witness said of its clock holds.
const LATELY: Duration = Duration::from_secs(600);
/// How soon what failed, or had to wait, is tried again: much of the log is read for it.
const AGAIN: Duration = Duration::from_secs(600);

/// A segment, and how it stands.
pub struct SegmentInfo {
    /// As it was closed.
    pub closed: ClosedSegment,
    /// When its term is over; `None` where the log is kept for ever.
    pub over: Option<UtcTime>,
    /// How it stands.
    pub state: SegmentState,
}

/// How a segment stands.
pub enum SegmentState {
    /// Its term is not over.
    Kept,
    /// Its term is over, and no witness has signed the log with its closing yet.
    Unanchored,
    /// It may be removed.
    Removable,
    /// Somebody entered that it is to be removed.
    Entered(Removal),
    /// Its entries were removed.
    Removed,
}

/// What of that was tried, and failed or had to wait: not again before [`AGAIN`].
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// Closing what ends there.
    closing: Option<(u64, Instant)>,
    /// What it waits for.
    waits: Option<&'static str>,
    /// Letting entries go.
    cut: Option<Instant>,
}

impl Registrar {
    /// Lets entries go that were removed, and closes what of the log has come to the end of a segment. Whether more entries
    /// are to go at once.
    ///
    /// # Errors
    /// [`Error::Store`]; the same is to be done then as before.
    pub(crate) async fn keep_segments(
        &self,
        now: UtcTime,
        tried: &mut Tried,
    ) -> Result<bool, Error> {
        if self.tested().is_err() || !self.store.is_writable() {
            return Ok(false);
        }
        self.store.follow_removals().await?;
        let cut = match tried.cut {
            Some(at) if at.elapsed() < AGAIN => Ok(false),
            _ => self.store.cut().await.inspect_err(|_| tried.cut = Some(clock::count())),
        };
        let closed = match self.store.segment_end() {
            Some(end)
                if tried.closing.is_none_or(|(it, at)| it != end || at.elapsed() >= AGAIN) =>
            {
                self.close_segment(end, now, tried).await
            }
            _ => Ok(()),
        };
        let more = cut?;
        closed?;
        Ok(more)
    }

    async fn close_segment(&self, end: u64, now: UtcTime, tried: &mut Tried) -> Result<(), Error> {
        let mut wait = |why| {
            if tried.waits.replace(why) != Some(why) {
                tracing::warn!(why, end, "a segment of the log is not closed yet");
            }
            Ok(())
        };
        // A clock that is behind makes nothing old: it was not set in this run, and is not behind that of a witness that
        // was heard of lately; where there are none, not behind the entries themselves.
        if self.is_clock_in_doubt() {
            return wait("the clock was set");
        }
        let behind = |at: UtcTime| now + CLOCKS < at;
        let late = |at: UtcTime| at + LATELY < now;
        let heard = self.last_witnessed();
        if self.has_witnesses() && heard.is_none_or(|at| behind(at) || late(at)) {
            return wait(
                "no witness was heard of in the last ten minutes, or the clock is behind theirs",
            );
        }
        tried.waits = None;
        tried.closing = Some((end, clock::count()));
        let Some(draft) = self.store.segment_draft().await? else { return Ok(()) };
        if !self.has_witnesses() && now < draft.not_before {
            tracing::warn!(end, "a segment of the log is not closed: the clock is behind it");
            return Ok(());
        }
        let actor = service_actor(&self.name);
        let entry = entry_by(actor, Act::AuditSegmentClose, Outcome::Granted, now);
        let closed = self.store.record_segment_closed(draft, entry).await?;
        let Segment { first, until, .. } = draft.segment;
        match closed {
            Change::Recorded(Receipt { position, .. }) => {
                tracing::info!(first, until, position, "a segment of the log was closed");
            }
            Change::None => tracing::warn!(first, until, "a segment of the log was not closed"),
        }
        Ok(())
    }

    /// Segments of the log, the oldest first, from one on. The reading is in the log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn log_segments(
        &self,
        caller: &Caller,
        from: u64,
        limit: u32,
    ) -> Result<Vec<SegmentInfo>, Error> {
        self.allow(caller, Act::AuditRead).await?;
        let entry = self.entry(caller, Act::AuditRead, Outcome::Granted).with("kind", "segments");
        self.record_act(entry).await?;
        let waiting = self.store.waiting_removals(caller.now).await?;
        let segments = self.store.segments(from, limit as usize).await?.into_iter();
        Ok(segments.map(|closed| self.segment_info(closed, &waiting, caller.now)).collect())
    }

    /// Enters that the oldest segment that is there is to be removed: the one with this root, so that nobody removes another
    /// than was looked at. Its entries stay until another person approves.
    ///
    /// # Errors
    /// SEGMENT_NOT_FOUND; SEGMENT_DIFFERS; SEGMENT_KEPT while its term is not over; SEGMENT_NOT_ANCHORED;
    /// SEGMENT_NOT_OLDEST; SEGMENT_REMOVAL_PENDING; ROLE_NOT_ALLOWED.
    pub async fn enter_removal(
        &self,
        caller: &Caller,
        first: u64,
        root: [u8; 32],
    ) -> Result<(Removal, Receipt), Error> {
        self.allow(caller, Act::AuditRemoveEnter).await?;
        let entry = |outcome| {
            let entry = self.entry(caller, Act::AuditRemoveEnter, outcome);
            entry.on("segment", first.to_string())
        };
        let segment = match self.removable(first, Some(root), caller.now).await? {
            Ok(segment) => segment,
            Err(reason) => return self.refuse_removal(entry(Outcome::Refused), reason).await,
        };
        let (id, segment) = (RemovalId::generate(), segment.segment);
        let granted = entry(Outcome::Granted);
        let recorded = self.store.record_removal(id, segment, caller.now, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), recorded).await?;
        let holder = &caller.holder;
        let removal = Removal {
            id,
            segment,
            entered_by: holder.identity,
            entered_with: holder.certificate.clone(),
            entered_at: caller.now,
            position: receipt.position,
            state: RemovalState::Pending,
        };
        Ok((removal, receipt))
    }

    /// Reviews a removal that another person entered. With an approval the entries are removed.
    ///
    /// # Errors
    /// CHANGE_NOT_FOUND; SECOND_PERSON_REQUIRED for the person who entered it; CHANGE_OVER when it was reviewed before or
    /// its time is over; ENTRY_VOID; as [`enter_removal`](Self::enter_removal) where the segment is not to be removed any
    /// more.
    pub async fn review_removal(
        &self,
        caller: &Caller,
        id: RemovalId,
        approve: bool,
    ) -> Result<(Removal, Receipt), Error> {
        self.allow(caller, Act::AuditRemoveReview).await?;
        let entry = |act, outcome| self.entry(caller, act, outcome);
        let refused =
            || entry(Act::AuditRemoveReview, Outcome::Refused).with("removal", id.to_string());
        let Some(removal) = self.store.removal(id).await? else {
            return self.refuse(refused(), Reason::CHANGE_NOT_FOUND).await;
        };
        let holder = &caller.holder;
        let (by, with) = (holder.identity, holder.certificate.clone());
        let review = RemovalReview { removal: id, by, with, at: caller.now };
        let first = removal.segment.first;
        let about = |act| {
            let entry = entry(act, Outcome::Granted).on("segment", first.to_string());
            entry.with("entered-by", removal.entered_by.to_string())
        };
        if !approve {
            let granted = about(Act::AuditRemoveReview).with("verdict", "rejected");
            let recorded = self.store.record_removal_rejected(review, &removal, granted).await;
            let receipt = self.settle(refused(), recorded).await?;
            return Ok((Removal { state: RemovalState::Rejected, ..removal }, receipt));
        }
        // What is quick to refuse is refused before a whole segment is read.
        let waits = self.store.removal_to_review(review.clone()).await;
        let waits = self.settle(refused(), waits).await?;
        let closed = match self.removable(first, Some(waits.segment.root), caller.now).await? {
            Ok(segment) => segment,
            Err(reason) => return self.refuse_removal(refused(), reason).await,
        };
        let months = self.retention.months().unwrap_or_default();
        let witness = if self.has_witnesses() { "signed" } else { "none" };
        let granted = about(Act::AuditSegmentRemove).with("witness", witness);
        let store = self.store.clone();
        // Reading all that takes as long as it takes, however long the caller waits.
        let removed = uncut(async move {
            let removed = async {
                let kept = store.kept_of(closed, waits, months).await?;
                store.keep(&kept).await?;
                store.record_removed(review, kept, granted).await
            };
            Ok(removed.await)
        });
        let receipt = match removed.await? {
            Err(StoreError::Damaged(what)) => {
                tracing::error!(first, what, "a segment of the log is not what was signed");
                return self.refuse_removal(refused(), Reason::LOG_IN_DOUBT).await;
            }
            Err(StoreError::Conflict(Obstacle::LogInDoubt)) => {
                return self.refuse_removal(refused(), Reason::LOG_IN_DOUBT).await;
            }
            removed => self.settle(refused(), removed).await?,
        };
        let until = closed.segment.until;
        let position = receipt.position;
        tracing::info!(first, until, position, "entries of the log were removed");
        Ok((Removal { state: RemovalState::Approved, ..removal }, receipt))
    }

    /// Refuses a removal; where the log is not what was signed whoever looks after it is alerted.
    async fn refuse_removal<T>(&self, entry: Entry, reason: Reason) -> Result<T, Error> {
        let entry = match reason {
            Reason::LOG_IN_DOUBT => entry.with("alert", "log-damaged"),
            _ => entry,
        };
        self.refuse(entry, reason).await
    }

    /// The segment that begins there, where it may be removed, or why it may not.
    async fn removable(
        &self,
        first: u64,
        root: Option<[u8; 32]>,
        now: UtcTime,
    ) -> Result<Result<ClosedSegment, Reason>, Error> {
        let segment = match self.store.segment(first).await {
            Err(StoreError::Damaged(what)) => {
                tracing::error!(first, what, "a segment of the log is not what was signed");
                return Ok(Err(Reason::LOG_IN_DOUBT));
            }
            found => found?,
        };
        let Some(segment) = segment else { return Ok(Err(Reason::SEGMENT_NOT_FOUND)) };
        if root.is_some_and(|root| root != segment.segment.root) {
            return Ok(Err(Reason::SEGMENT_DIFFERS));
        }
        // Whether it is the oldest that is there is decided when its turn comes.
        if segment.removed_at.is_some() {
            return Ok(Err(Reason::SEGMENT_NOT_OLDEST));
        }
        let over = self.retention.over(segment.since).filter(|over| *over <= now);
        let Some(over) = over else { return Ok(Err(Reason::SEGMENT_KEPT)) };
        // A clock that was set makes nothing older.
        if self.is_clock_in_doubt() {
            return Ok(Err(Reason::CLOCK_IN_DOUBT));
        }
        Ok(match self.is_anchored(&segment, over, now) {
            false => Err(Reason::SEGMENT_NOT_ANCHORED),
            true => Ok(segment),
        })
    }

    fn segment_info(
        &self,
        closed: ClosedSegment,
        waiting: &[Removal],
        now: UtcTime,
    ) -> SegmentInfo {
        let over = self.retention.over(closed.since);
        let anchored = match over {
            Some(over) if over <= now => Some(self.is_anchored(&closed, over, now)),
            _ => None,
        };
        let state = match anchored {
            _ if closed.removed_at.is_some() => SegmentState::Removed,
            None => SegmentState::Kept,
            Some(false) => SegmentState::Unanchored,
            Some(true) => match waiting.iter().rfind(|it| it.segment == closed.segment) {
                Some(removal) => SegmentState::Entered(removal.clone()),
                None => SegmentState::Removable,
            },
        };
        SegmentInfo { closed, over, state }
    }

    /// Whether others than the service hold that it was closed, and said lately that its term is over by their clocks: what
    /// a clock that is ahead removes would be later than what comes after it. Where there are none, whether that may be so.
    fn is_anchored(&self, segment: &ClosedSegment, over: UtcTime, now: UtcTime) -> bool {
        if !self.has_witnesses() {
            return self.retention.without_witness;
        }
        let signed = self.witnessed_beyond(segment.closed_at);
        signed.is_some_and(|at| at >= over && at + LATELY >= now)
    }
}
