//! A revocation list.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = ca::crl::Crl::parse(data);
});
