//! The file of a keystore.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use hsm::soft::{Passphrase, SoftKeystore};
    // In memory where the system has it; the key is derived at most once an input.
    let path = std::env::temp_dir().join(format!("fuzz-keystore-{}", std::process::id()));
    std::fs::write(&path, data).expect("a temporary file");
    let passphrase = Passphrase::from_string("passphrase".to_owned().into()).expect("a passphrase");
    assert!(SoftKeystore::open(&path, &passphrase).is_err(), "sealed under a random key");
});
