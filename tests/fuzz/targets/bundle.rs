//! A bundle of the log, checked under whatever key it names.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(bundle) = audit::bundle::Reader::new(data) else { return };
    let key = bundle.header().key.clone();
    let _ = audit::bundle::check(bundle, &key, &[]);
});
