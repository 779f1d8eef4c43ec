//! Segments of the log, as `Audit` shows them.

use proto::v1::{self, log_segment::State, segment_removal::State as RemovalState};

use super::convert::timestamp;
use crate::{
    registrar::{SegmentInfo, SegmentState},
    store::{self, ClosedSegment, Removal},
};

pub(super) fn rendered(info: SegmentInfo) -> v1::LogSegment {
    let SegmentInfo { closed, over, state } = info;
    let ClosedSegment { segment, oldest, newest, since, closed_at, removed_at } = closed;
    let (state, entered) = match state {
        SegmentState::Kept => (State::Kept, None),
        SegmentState::Unanchored => (State::Unanchored, None),
        SegmentState::Removable => (State::Removable, None),
        SegmentState::Entered(entered) => (State::Entered, Some(entered)),
        SegmentState::Removed => (State::Removed, None),
    };
    v1::LogSegment {
        first: segment.first,
        until: segment.until,
        root: segment.root.to_vec(),
        index_root: segment.index_root.to_vec(),
        oldest: oldest.map(timestamp),
        newest: Some(timestamp(newest)),
        closed_at,
        since: Some(timestamp(since)),
        over: over.map(timestamp),
        state: state.into(),
        removed_at: removed_at.unwrap_or_default(),
        removal: entered.map(removal),
    }
}

pub(super) fn removal(removal: Removal) -> v1::SegmentRemoval {
    let state = match removal.state {
        store::RemovalState::Pending => RemovalState::Pending,
        store::RemovalState::Approved => RemovalState::Approved,
        store::RemovalState::Rejected => RemovalState::Rejected,
    };
    v1::SegmentRemoval {
        removal_id: removal.id.to_string(),
        first: removal.segment.first,
        entered_by: removal.entered_by.to_string(),
        expires_at: Some(timestamp(removal.expires_at())),
        state: state.into(),
    }
}
