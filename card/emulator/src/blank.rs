//! `vcard blank`.

use std::path::PathBuf;

use card_emulator::personalise;
use clap::Args;

use super::Failure;
use super::make::{factor, profile, write_new};
use super::masters::Source;

#[derive(Args)]
pub(super) struct Blank {
    /// Where to write the image; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Historical bytes of the answer to reset, 16 hex digits.
    #[arg(long)]
    historical_bytes: String,
    /// 32K or 16K.
    #[arg(long, default_value = "32K")]
    profile: String,
}

pub(super) fn blank(blank: &Blank) -> Result<(), Failure> {
    let transport = blank.source.transport_master()?;
    let (factor, profile) = (factor(&blank.historical_bytes)?, profile(&blank.profile)?);
    write_new(&blank.out, &personalise::blank(factor, profile, &*transport)?)
}
