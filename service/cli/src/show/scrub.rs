//! What the service found as it went over its own log.

use audit::check::Finding;
use proto::v1;

use super::finding;
use crate::{
    page::{Cell, Page, timestamp},
    text,
};

pub(crate) fn scrub(page: Page, state: &v1::ScrubState) -> Page {
    let v1::ScrubState { position, done_at, done_size, findings, more_findings } = state;
    let done = match timestamp(done_at.as_ref()) {
        Some(at) => Cell::Filled(text::SCRUB_DONE, vec![done_size.to_string(), at]),
        None => Cell::Filled(text::SCRUB_BEGUN, vec![position.to_string()]),
    };
    let page = page.row(text::SCRUB, done);
    let page = findings.iter().fold(page, |page, found| {
        let v1::LogFinding { kind, numbers, message, .. } = found;
        let spoken = match Finding::from_parts(kind, numbers) {
            Some(known) => finding::spoken(&known),
            // Of a later version of the service.
            None => Cell::from(message.clone()),
        };
        page.row(text::FINDING, spoken)
    });
    match more_findings {
        0 => page,
        more => page.row(text::FINDING, Cell::Filled(text::FOUND_MORE, vec![more.to_string()])),
    }
}
