//! Signed data and the attributes in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = ca::cms::SignedData::parse(data);
    let _ = ca::cms::SignedAttributes::parse(data);
});
