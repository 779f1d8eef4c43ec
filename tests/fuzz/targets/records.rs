//! Records of the files EF05, EF06 and EF08; the first byte of each piece is its length.
#![no_main]

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
});
