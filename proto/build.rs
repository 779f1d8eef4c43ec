//! Compiles `healthcard/v1/*.proto` without `protoc`, and keeps the descriptors for reflection.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 20] = [
    "admin",
    "audit",
    "card_data",
    "card_writes",
    "cards",
    "codes",
    "common",
    "consents",
    "desks",
    "emergencies",
    "warnings",
    "enrolments",
    "identities",
    "key_centre",
    "referrals",
    "residents",
    "sessions",
    "signing",
    "tokens",
    "visits",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=healthcard");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is set by cargo")?);
    let files = FILES.iter().map(|name| format!("healthcard/v1/{name}.proto"));
    let descriptors = protox::compile(files, ["."])?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
