//! A command as the relay carries it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(command) = card::Apdu::parse(data) {
        let again = card::Apdu::parse(&command.to_bytes()).expect("what was read can be written");
        assert_eq!(
            (again.header(), again.data(), again.expected()),
            (command.header(), command.data(), command.expected())
        );
    }
});
