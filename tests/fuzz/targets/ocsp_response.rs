//! An answer about the status of certificates.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = ca::ocsp::Response::parse(data);
});
