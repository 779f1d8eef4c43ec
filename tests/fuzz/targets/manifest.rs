//! The manifest of a batch, and that of a report about certificates, under some key.
#![no_main]

use audit::checkpoint::VerifierKey;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The generator of the curve (GB/T 32918.5-2017): a point that every library has at hand.
    let point = "0432c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7\
        bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0";
    let bytes: Vec<u8> = (0..65)
        .map(|at| u8::from_str_radix(&point[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect();
    let key = VerifierKey::new("log", bytes.as_slice().try_into().expect("65 bytes"));
    let key = key.expect("a point of the curve");
    let _ = audit::manifest::check(text, &key);
    let _ = audit::report::check(text, &key);
});
