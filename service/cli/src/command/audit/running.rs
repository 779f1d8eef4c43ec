//! Checking the log that a running service has: all of it, as it comes.

use std::io::{self, BufReader, Read};

use audit::{
    bundle,
    check::{Finding, Report, Verdict},
    checkpoint::VerifierKey,
};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{bundle::unreadable, export::Range};
use crate::{context::Context, failure::Failure, text::problems};

/// Pieces that may wait to be read.
const WAITING: usize = 8;

/// Reads the whole log and checks it against the key, and against checkpoints that are held; what was found, and the
/// checkpoint that it was checked against.
pub(super) async fn check(
    context: &Context,
    key: &VerifierKey,
    held: &[String],
) -> Result<(Report, String), Failure> {
    let (mut report, note) = read(context, key, held, 0, 0).await?;
    if let Verdict::Tampered(findings) = &mut report.verdict
        && let [Finding::AlteredWithin { from: 0, until }] = findings.listed[..]
        && let Some(position) = altered(context, key, until).await?
    {
        findings.listed = vec![Finding::Altered { position }];
    }
    Ok((report, note))
}

/// The one entry that was altered, if it is one: a service gives it out with the hash that it has now, and parts of the
/// log tell which of them it is in.
async fn altered(context: &Context, key: &VerifierKey, end: u64) -> Result<Option<u64>, Failure> {
    let is_whole = async |from: u64, until: u64| -> Result<bool, Failure> {
        // As an end, 0 stands for that of the log.
        Ok(until == 0 || read(context, key, &[], from, until).await?.0.verdict == Verdict::Valid)
    };
    let (mut from, mut until) = (0, end);
    while until - from > 1 {
        let middle = from + (until - from) / 2;
        if is_whole(from, middle).await? {
            from = middle;
        } else {
            until = middle;
        }
    }
    let alone = is_whole(0, from).await? && is_whole(from + 1, end).await?;
    Ok(alone.then_some(from))
}

/// Reads the entries of a range and checks them.
async fn read(
    context: &Context,
    key: &VerifierKey,
    held: &[String],
    from: u64,
    until: u64,
) -> Result<(Report, String), Failure> {
    let mut stream = Range { from, until }.export(context).await?;
    let (pieces, taken) = mpsc::channel(WAITING);
    let (key, held) = (key.clone(), held.to_vec());
    let checking = spawn_blocking(move || {
        let pieces = Pieces { taken, piece: Vec::new(), at: 0 };
        let reader = bundle::Reader::new(BufReader::new(pieces)).map_err(unreadable)?;
        let note = reader.header().checkpoint.clone();
        Ok::<_, Failure>((bundle::check(reader, &key, &held).map_err(unreadable)?, note))
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
