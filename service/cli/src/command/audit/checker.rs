//! The checker page: one HTML file that checks exports in a browser.

use std::{borrow::Cow, path::PathBuf};

use audit::{
    bundle::Reader,
    page::{MAX_ENCLOSED, PAGE, enclosing},
};
use clap::Args;
use serde_json::json;

use super::bundle::unreadable;
use crate::{
    context::{Context, Outcome},
    exit::Exit,
    files::{self, Audience},
    page::Page,
    text,
};

#[derive(Debug, Args)]
pub(crate) struct Checker {
    /// 网页文件 | File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// 一并放入网页的导出文件，最大 32 MiB | Export to put into the page, of at most 32 MiB
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

impl Checker {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let (html, title) = match &self.bundle {
            None => (Cow::Borrowed(PAGE), text::AUDIT_PAGE),
            Some(path) => {
                let bundle = files::read(path, MAX_ENCLOSED)?;
                // Whether it was tampered with is for the page to say; that it is an export is for this command.
                Reader::new(&bundle[..])
                    .map_err(|error| unreadable(error).about(path.display()))?;
                (Cow::Owned(enclosing(&bundle)), text::AUDIT_PAGE_ENCLOSES)
            }
        };
        files::write(&self.out, html.as_bytes(), Audience::Everyone)?;
        let (file, bytes) = (self.out.display().to_string(), html.len() as u64);
        let page = Page::titled(title)
            .row(text::FILE, &file)
            .row(text::BYTES, bytes)
            .note(text::PAGE_OPEN);
        context.screen.show(&json!({ "file": file, "bytes": bytes }), &page);
        Ok(Exit::Done)
    }
}
