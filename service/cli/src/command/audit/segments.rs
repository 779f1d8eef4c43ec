//! `healthcard audit segments`, and what removes one whose term is over.

use clap::Args;
use proto::v1::{
    EnterRemovalRequest, LogSegment, ReviewRemovalRequest, SegmentRemoval, SegmentsRequest,
    SegmentsResponse, audit_client::AuditClient, review_removal_request::Verdict,
};

use serde_json::Value;

use crate::{
    command::Pages,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    json,
    page::{Cell, Page, timestamp},
    show::{self, listed},
    text::{self, Text, problems, word_of},
};

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// 分段，以其首条记录的位置为名 | The segment, by the position of its first entry
    #[arg(value_name = "SEGMENT")]
    segment: u64,
    /// 分段的根值，以免误删 | Root of the segment, so that no other one is removed
    #[arg(long, value_name = "HEX")]
    root: String,
}

#[derive(Debug, Args)]
pub(crate) struct Review {
    /// 移除申请编号 | Number of the removal
    #[arg(value_name = "REMOVAL")]
    id: String,
    /// 同意：记录内容即予移除，不可恢复 | Approve: the contents of the entries are removed for good
    #[arg(long, conflicts_with = "reject", required_unless_present = "reject")]
    approve: bool,
    /// 驳回 | Reject
    #[arg(long)]
    reject: bool,
}

pub(super) async fn segments(context: &Context, pages: Pages) -> Outcome {
    let request = SegmentsRequest { page_size: pages.page_size, page_token: pages.page_token };
    let found = context
        .service
        .ask(async |channel| AuditClient::new(channel).segments(request.clone()).await)
        .await?;
    let mut answer = json::of("SegmentsResponse", &found);
    if let Some(Value::Array(segments)) = answer.get_mut("segments") {
        for (value, segment) in segments.iter_mut().zip(&found.segments) {
            // As the other commands give and take them.
            value["root"] = hex::encode(&segment.root).into();
            value["index_root"] = hex::encode(&segment.index_root).into();
        }
    }
    context.screen.show(&answer, &list(&found));
    Ok(Exit::Done)
}

impl Remove {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let malformed = |_| Failure::of(problems::ROOT_MALFORMED);
        let mut root = [0; 32];
        hex::decode_to_slice(self.root.trim(), &mut root).map_err(malformed)?;
        let request = EnterRemovalRequest { first: self.segment, root: root.to_vec() };
        let entered = context
            .service
            .ask(async |channel| AuditClient::new(channel).enter_removal(request.clone()).await)
            .await?;
        let removal = entered.removal.clone().unwrap_or_default();
        let page = show::receipt(page(text::REMOVAL_ENTERED, &removal), entered.receipt.as_ref());
        context.answer("EnterRemovalResponse", &entered, &page)
    }
}

impl Review {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let verdict = if self.approve { Verdict::Approve } else { Verdict::Reject };
        let request = ReviewRemovalRequest { removal_id: self.id, verdict: verdict.into() };
        let reviewed = context
            .service
            .ask(async |channel| AuditClient::new(channel).review_removal(request.clone()).await)
            .await?;
        let removal = reviewed.removal.clone().unwrap_or_default();
        let page = show::receipt(page(text::REMOVAL_REVIEWED, &removal), reviewed.receipt.as_ref());
        context.answer("ReviewRemovalResponse", &reviewed, &page)
    }
}

fn page(title: Text, removal: &SegmentRemoval) -> Page {
    Page::titled(title)
        .row(text::REMOVAL_ID, &removal.removal_id)
        .row(text::SEGMENT, removal.first)
        .maybe(text::STATE, word_of::<proto::v1::segment_removal::State>(removal.state))
        .row(text::ENTERED_BY, &removal.entered_by)
        .maybe(text::EXPIRES_AT, timestamp(removal.expires_at.as_ref()))
}

fn list(found: &SegmentsResponse) -> Page {
    let line = |segment: &LogSegment| {
        let state = word_of::<proto::v1::log_segment::State>(segment.state);
        let time = |at| timestamp(at).map_or_else(|| Cell::from(""), Cell::from);
        vec![
            Cell::from(segment.first),
            Cell::from(segment.until),
            time(segment.newest.as_ref()),
            time(segment.over.as_ref()),
            state.map_or_else(|| Cell::from(""), Cell::from),
            Cell::from(hex::encode(&segment.root)),
        ]
    };
    let lines = found.segments.iter().map(line).collect();
    let headings = [
        text::SEGMENT,
        text::SEGMENT_UNTIL,
        text::NEWEST_ENTRY,
        text::TERM_OVER,
        text::STATE,
        text::ROOT,
    ];
    listed(text::SEGMENTS, &headings, lines, &found.next_page_token)
}
