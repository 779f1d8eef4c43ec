//! A leaf of the log; what is accepted has this one encoding. What it says of a segment is said again as it was.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(entry) = audit::Entry::decode(data) {
        assert_eq!(entry.encode().expect("what was read can be written"), data);
        let position = u64::from(data.len() as u32);
        if let Some(Ok((step, segment))) = audit::segment::Segment::of(&entry, position) {
            assert_eq!(segment.in_entry(step, entry.clone()).detail, entry.detail);
        }
    }
});
