//! Builds OpenSSL 4 and Tongsuo from the sources that their crates bring, some minutes of work each, and tells the tests
//! where their headers and libraries are.

use std::env;
use std::path::PathBuf;

fn main() {
    // Nothing else makes them anew.
    println!("cargo::rerun-if-changed=build.rs");
    let place = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a place to build in"));
    openssl_src::Build::new().out_dir(place.join("openssl")).build();
    tongsuo_src::Build::new().out_dir(place.join("tongsuo")).build();
    println!("cargo::rustc-env=PEERS={}", place.display());
}
