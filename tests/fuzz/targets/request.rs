//! A certification request.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = ca::request::CertificateRequest::parse(data);
});
