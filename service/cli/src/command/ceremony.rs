//! `healthcard ceremony`: transcripts of key ceremonies, checked with the root certificate alone.

use std::path::{Path, PathBuf};

use audit::ceremony::{self, CeremonyKey, Compared, Transcript, TranscriptError};
use clap::Subcommand;
use serde_json::{Value, json};
use x509_cert::Certificate;

use crate::{
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files,
    page::{Cell, Page},
    text::{self, problems},
};

/// Largest root certificate, bytes.
const CERTIFICATE_LIMIT: u64 = 16 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    /// 离线核对密钥仪式记录，指出被改动的行 | Check the transcript of a key ceremony off line, and name the lines that were changed
    Verify {
        /// 记录文件 | The transcript
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// 根证书（PEM） | The root certificate, PEM
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
    },
}

impl CeremonyCommand {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let Self::Verify { file, root } = self;
        verify(context, &file, &root)
    }
}

fn verify(context: &Context, file: &Path, root: &Path) -> Outcome {
    let key = root_key(root)?;
    let bytes = files::read(file, ceremony::MAX_TRANSCRIPT as u64)?;
    let malformed = || Failure::of(problems::TRANSCRIPT_MALFORMED).about(file.display());
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
    match ceremony::check(text, &key) {
        Ok(transcript) => {
            context.screen.show(&valid_json(&transcript), &valid_page(&transcript));
            Ok(Exit::Done)
        }
        Err(TranscriptError::Altered { lines }) => {
            let named = |line: &usize| Cell::Filled(text::ALTERED_LINE, vec![line.to_string()]);
            let page = lines.iter().fold(Page::titled(text::TRANSCRIPT_ALTERED), |page, line| {
                page.row(text::FINDING, named(line))
            });
            context.screen.show(&json!({ "verdict": "tampered", "lines": lines }), &page);
            Ok(Exit::Tampered)
        }
        Err(TranscriptError::NotSigned) => {
            Err(Failure::of(problems::TRANSCRIPT_NOT_SIGNED).about(file.display()))
        }
        Err(error) => Err(malformed().about(error)),
    }
}

/// The public key of the one certificate in a file.
fn root_key(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = files::read(path, CERTIFICATE_LIMIT)?;
    let chain = Certificate::load_pem_chain(&bytes).ok();
    let [root] = chain.as_deref().unwrap_or_default() else {
        return Err(Failure::of(problems::ROOT_UNREADABLE).about(path.display()));
    };
    let key = &root.tbs_certificate().subject_public_key_info().subject_public_key;
    Ok(key.as_bytes().unwrap_or_default().to_vec())
}

fn compared(key: &CeremonyKey) -> (&'static str, &str) {
    match &key.compared {
        Compared::Thumbprint(value) => ("thumbprint", value),
        Compared::CheckValue(value) => ("check_value", value),
    }
}

fn valid_json(transcript: &Transcript) -> Value {
    let keys = transcript.keys.iter().map(|key| {
        let (kind, value) = compared(key);
        json!({
            "key": key.reference, "key_use": key.key_use, "version": key.version,
            "state": key.state, kind: value,
        })
    });
    json!({
        "verdict": "valid",
        "service": transcript.service,
        "program": transcript.program,
        "began_at": transcript.began,
        "ended_at": transcript.ended,
        "participants": transcript.participants,
        "keys": keys.collect::<Vec<_>>(),
    })
}

fn valid_page(transcript: &Transcript) -> Page {
    let page = Page::titled(text::TRANSCRIPT_VALID)
        .row(text::LABEL, transcript.service.as_str())
        .row(text::VERSION, transcript.program.as_str())
        .row(text::BEGAN_AT, transcript.began.as_str())
        .row(text::ENDED_AT, transcript.ended.as_str());
    let page = transcript
        .participants
        .iter()
        .fold(page, |page, role| page.row(text::PARTICIPANT, role.as_str()));
    transcript.keys.iter().fold(page, |page, key| {
        let CeremonyKey { reference, key_use, version, state, .. } = key;
        let (_, value) = compared(key);
        page.row(text::KEYS, format!("{reference}  {key_use}  v{version}  {state}  {value}"))
    })
}
