//! The answer to a request for a certificate pair, as its holder's program reads it.
#![no_main]

#[path = "../../../service/cli/src/csr_response.rs"]
mod csr_response;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(read) = csr_response::CsrResponse::parse(data) {
        let within = |part: &[u8]| data.windows(part.len()).any(|window| window == part);
        assert!(within(read.signing) && within(read.encryption) && within(&read.envelope.wrapped));
        assert!(within(read.envelope.public) && within(read.envelope.encrypted));
    }
});
