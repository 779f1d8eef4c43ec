//! Records of every file, and every transparent file whole; the first byte of each piece is its
//! length.
#![no_main]

use card::data::Contents;
use card::layout::{FILES, Profile};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut records = Vec::new();
    let mut rest = data;
    while let Some((&length, tail)) = rest.split_first() {
        let (record, tail) = tail.split_at(tail.len().min(length.into()));
        records.push(record.to_vec());
        rest = tail;
    }
    let _ = card::IssuerData::decode(&records);
    let _ = card::HolderData::decode(&records);
    let _ = card::ContactData::decode(&records);
    let whole = [data.to_vec()];
    for profile in [Profile::Full, Profile::Reduced] {
        for file in FILES {
            for records in [&records[..], &whole] {
                if let Ok(contents) = Contents::decode(file, 0, profile, records) {
                    let written = contents.encode().expect("what was read can be written");
                    assert_eq!(Contents::decode(file, 0, profile, &written), Ok(contents));
                }
            }
        }
    }
});
