//! Checking the log that a running service has: all of it, as it comes.

use std::io::{self, BufReader, Read};

use audit::{
    Entry, bundle,
    check::{Finding, Findings, Gap, Removed, Report, Verdict},
    checkpoint::{Checkpoint, VerifierKey},
    segment::{Instant, Segment, Step},
    tree::{Frontier, Hash},
};
use proto::v1::{
    ConsistencyRequest, LogSegment, ProveAuditEntryRequest, SegmentsRequest,
    audit_client::AuditClient, log_segment::State as SegmentState,
};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{bundle::unreadable, export::Range};
use crate::{context::Context, failure::Failure, proof, text::problems};

/// Pieces that may wait to be read.
const WAITING: usize = 8;
/// Most segments that a log has.
const MAX_SEGMENTS: u64 = 100_000;

/// Reads the whole log and checks it against the key, and against checkpoints that are held; what was found, and the
/// checkpoint that it was checked against.
pub(super) async fn check(
    context: &Context,
    key: &VerifierKey,
    held: &[String],
) -> Result<(Report, String), Failure> {
    let removed = removed(context, key).await?;
    let begin = removed.map_or(0, |(removed, _)| removed.until);
    let Part { mut report, note, before } = read(context, key, held, begin, 0).await?;
    report.removed = removed.map(|(removed, _)| removed);
    if let Verdict::Tampered(findings) = &mut report.verdict {
        if let [Finding::AlteredWithin { from, until }] = findings.listed[..]
            && from == begin
            && let Some(position) = altered(context, key, begin, until).await?
        {
            findings.listed = vec![Finding::Altered { position }];
        }
    } else if let Some((Removed { position, .. }, segment)) = removed
        && before != Some(segment.root)
    {
        report.verdict = tampered(vec![Finding::SegmentWrong { position }]);
    }
    earlier(context, key, held, begin, &mut report).await?;
    Ok((report, note))
}

/// Has the service prove that the log goes on from checkpoints of before the entries that it still has, which these lead
/// to none of.
async fn earlier(
    context: &Context,
    key: &VerifierKey,
    held: &[String],
    begin: u64,
    report: &mut Report,
) -> Result<(), Failure> {
    let (Verdict::Unverifiable(gaps), Some(root)) = (&report.verdict, report.root) else {
        return Ok(());
    };
    let (mut left, mut forked) = (Vec::new(), Vec::new());
    for gap in gaps.clone() {
        let note = match gap {
            Gap::HeldElsewhere(at) => held.get(at),
            _ => None,
        };
        let older = note.and_then(|note| Checkpoint::verify(note, key).ok());
        let Some(older) = older.filter(|it| it.size < begin) else {
            left.push(gap);
            continue;
        };
        if !goes_on(context, &older, report.size, &root).await? {
            forked.push(Finding::Forked { size: older.size });
        }
    }
    report.verdict = match (forked.is_empty(), left.is_empty()) {
        (false, _) => tampered(forked),
        (true, false) => Verdict::Unverifiable(left),
        (true, true) => Verdict::Valid,
    };
    Ok(())
}

/// Whether the log of this size and root begins with that of the older checkpoint.
async fn goes_on(
    context: &Context,
    older: &Checkpoint,
    size: u64,
    root: &Hash,
) -> Result<bool, Failure> {
    // Every log begins with the empty one, which has one root.
    if older.size == 0 {
        return Ok(older.root == Frontier::new().root());
    }
    let request = ConsistencyRequest { first_size: older.size, second_size: size };
    let ask = async |channel| AuditClient::new(channel).consistency(request).await;
    proof::begins_with(&context.service.ask(ask).await?, older, size, root)
}

/// Segments as they are listed: one after the other, to an end.
#[derive(Default)]
struct Listed {
    last: Option<u64>,
    count: u64,
}

impl Listed {
    /// Takes a page of them.
    fn take(&mut self, segments: &[LogSegment], is_last: bool) -> Result<(), Failure> {
        let mut follows = is_last || !segments.is_empty();
        for LogSegment { first, .. } in segments {
            follows &= self.last.is_none_or(|last| last < *first);
            (self.last, self.count) = (Some(*first), self.count + 1);
        }
        match follows && self.count <= MAX_SEGMENTS {
            true => Ok(()),
            false => Err(problems::SERVICE_ANSWER_MALFORMED.into()),
        }
    }
}

fn tampered(listed: Vec<Finding>) -> Verdict {
    Verdict::Tampered(Findings { listed, unlisted: 0 })
}

/// What was removed of the log, as entries say that are proved to be in it, and the last segment of that.
async fn removed(
    context: &Context,
    key: &VerifierKey,
) -> Result<Option<(Removed, Segment)>, Failure> {
    let (mut newest, mut page_token) = (None, String::new());
    let mut listed = Listed::default();
    loop {
        let request = SegmentsRequest { page_size: 0, page_token };
        let ask = async |channel| AuditClient::new(channel).segments(request.clone()).await;
        let page = context.service.ask(ask).await?;
        listed.take(&page.segments, page.next_page_token.is_empty())?;
        let gone = page.segments.iter().rfind(|it| it.state() == SegmentState::Removed);
        newest = gone.map(|it| it.removed_at).or(newest);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    // Where it stands is what the service says; what it says is proved.
    let Some(position) = newest else { return Ok(None) };
    let entry = proved(context, key, position).await?;
    let said = Segment::of(&entry, position);
    let Some(Ok((Step::Removed(right), segment))) = said else {
        return Err(problems::PROOF_INVALID.into());
    };
    let closing = proved(context, key, right.closed_at).await?;
    let since = match Segment::of(&closing, right.closed_at) {
        Some(Ok((Step::Closed { newest }, it))) if it == segment => {
            Instant::read(&closing.at).map(|at| at.max(newest))
        }
        _ => None,
    };
    // Another person said so before.
    let entered = proved(context, key, right.entered_at).await?;
    let is_of_it = Segment::of(&entered, right.entered_at) == Some(Ok((Step::Entered, segment)));
    let persons = entry.actor.identity.as_ref().zip(entered.actor.identity.as_ref());
    let by_another = persons.is_some_and(|(one, other)| one != other);
    match Removed::of(&entry, position) {
        Some(removed) if since == Some(right.since) && is_of_it && by_another => {
            Ok(Some((removed, segment)))
        }
        _ => Err(problems::PROOF_INVALID.into()),
    }
}

/// An entry that is proved to be in the log.
async fn proved(context: &Context, key: &VerifierKey, position: u64) -> Result<Entry, Failure> {
    let request = ProveAuditEntryRequest { position, tree_size: 0 };
    let ask = async |channel| AuditClient::new(channel).prove(request).await;
    let answer = context.service.ask(ask).await?;
    proof::inclusion(&answer, position, None, key)?;
    Ok(Entry::decode(&answer.entry).map_err(|_| problems::PROOF_INVALID)?)
}

/// The one entry that was altered, if it is one: a service gives it out with the hash that it has now, and parts of the
/// log tell which of them it is in.
async fn altered(
    context: &Context,
    key: &VerifierKey,
    begin: u64,
    end: u64,
) -> Result<Option<u64>, Failure> {
    let is_whole = async |from: u64, until: u64| -> Result<bool, Failure> {
        // Nothing is whole; and as an end, 0 stands for that of the log.
        Ok(from >= until
            || read(context, key, &[], from, until).await?.report.verdict == Verdict::Valid)
    };
    let (mut from, mut until) = (begin, end);
    while until - from > 1 {
        let middle = from + (until - from) / 2;
        if is_whole(from, middle).await? {
            from = middle;
        } else {
            until = middle;
        }
    }
    let alone = is_whole(begin, from).await? && is_whole(from + 1, end).await?;
    Ok(alone.then_some(from))
}

/// Entries that were read and checked.
struct Part {
    report: Report,
    /// The checkpoint that they were checked against.
    note: String,
    /// The root of the log before them, as it leads there.
    before: Option<Hash>,
}

/// Reads the entries of a range and checks them.
async fn read(
    context: &Context,
    key: &VerifierKey,
    held: &[String],
    from: u64,
    until: u64,
) -> Result<Part, Failure> {
    let mut stream = Range { from, until }.export(context).await?;
    let (pieces, taken) = mpsc::channel(WAITING);
    let (key, held) = (key.clone(), held.to_vec());
    let checking = spawn_blocking(move || {
        let pieces = Pieces { taken, piece: Vec::new(), at: 0 };
        let reader = bundle::Reader::new(BufReader::new(pieces)).map_err(unreadable)?;
        let bundle::Header { from, left, checkpoint: note, .. } = reader.header().clone();
        let before = Frontier::from_nodes(from, left).map(|before| before.root());
        let report = bundle::check(reader, &key, &held).map_err(unreadable)?;
        Ok::<_, Failure>(Part { report, note, before })
    });
    while let Some(piece) = stream.message().await.map_err(Failure::from)? {
        // Whoever reads stops at what is malformed, and says so.
        if pieces.send(piece.chunk).await.is_err() {
            break;
        }
    }
    drop(pieces);
    checking.await.map_err(|_| Failure::of(problems::SERVICE_ANSWER_MALFORMED))?
}

/// Pieces of a file as they come.
struct Pieces {
    taken: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Some(piece) = self.taken.blocking_recv() else { return Ok(0) };
            (self.piece, self.at) = (piece, 0);
        }
        let length = into.len().min(self.piece.len() - self.at);
        into[..length].copy_from_slice(&self.piece[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_segments_goes_on_and_ends() {
        let page = |firsts: std::ops::Range<u64>| -> Vec<LogSegment> {
            firsts.map(|first| LogSegment { first, ..LogSegment::default() }).collect()
        };
        let taken = |pages: &[(std::ops::Range<u64>, bool)]| {
            let mut listed = Listed::default();
            pages.iter().try_for_each(|(firsts, last)| listed.take(&page(firsts.clone()), *last))
        };
        for right in [
            &[(0..0, true)][..],
            &[(0..3, true)],
            &[(0..3, false), (3..5, false), (5..5, true)],
            &[(0..50_000, false), (60_000..110_000, true)],
        ] {
            taken(right).unwrap();
        }
        for wrong in [
            &[(0..0, false)][..],
            &[(0..3, false), (3..3, false)],
            &[(0..3, false), (0..3, true)],
            &[(0..3, false), (2..4, true)],
            &[(0..50_000, false), (60_000..110_001, true)],
        ] {
            assert_eq!(taken(wrong).unwrap_err().reason, "SERVICE_ANSWER_MALFORMED", "{wrong:?}");
        }
    }
}
