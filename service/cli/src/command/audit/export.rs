//! Exporting the log into a file.

use std::path::PathBuf;

use clap::Args;
use proto::v1::{ExportAuditRequest, ExportAuditResponse, audit_client::AuditClient};
use serde_json::json;
use tonic::Streaming;

use crate::{
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{Audience, NewFile},
    page::Page,
    text,
};

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// 导出文件 | File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    range: Range,
}

/// A part of the log.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Range {
    /// 起始位置（含） | First position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(super) from: u64,
    /// 截止位置（不含）；0 为全部 | Position after the last; 0 for all
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(super) until: u64,
}

impl Range {
    /// Its entries as the service gives them: a bundle, piece by piece.
    pub(super) async fn export(
        self,
        context: &Context,
    ) -> Result<Streaming<ExportAuditResponse>, Failure> {
        let request = ExportAuditRequest { from: self.from, until: self.until };
        let export = async |channel| AuditClient::new(channel).export(request).await;
        context.service.ask(export).await
    }
}

impl Export {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let mut stream = self.range.export(context).await?;
        // The file appears under its name only when the stream ended well.
        let mut file = NewFile::create(&self.out, Audience::Everyone)?;
        let mut bytes = 0_u64;
        while let Some(piece) = stream.message().await.map_err(Failure::from)? {
            bytes += piece.chunk.len() as u64;
            file.append(&piece.chunk)?;
        }
        file.finish()?;
        let path = self.out.display().to_string();
        let page =
            Page::titled(text::AUDIT_EXPORTED).row(text::FILE, &path).row(text::BYTES, bytes);
        context.screen.show(&json!({ "file": path, "bytes": bytes }), &page);
        Ok(Exit::Done)
    }
}
