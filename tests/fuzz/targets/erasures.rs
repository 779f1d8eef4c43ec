//! The list of erasures beside a database: whatever stands in the file is read or refused, and what is read is what stands
//! there.
#![no_main]

#[path = "../../../service/src/store/erasures/list/lines.rs"]
mod lines;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    for octets in [octets.to_vec(), [lines::TITLE.as_bytes(), octets].concat()] {
        if let Some((read, whole)) = lines::parse(&octets) {
            let title = if whole == 0 { "" } else { lines::TITLE };
            let written: String = read.iter().map(lines::Line::written).collect();
            assert_eq!((title.to_owned() + &written).as_bytes(), &octets[..whole]);
            for line in &read {
                let said = [line.resident, line.erasure, line.by, line.entry];
                assert!(said.iter().all(|word| word.len() == 36));
            }
        }
    }
});
