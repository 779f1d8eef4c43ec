//! A receipt for an entry of the log, checked under whatever key it names: what is read is written as it was.
#![no_main]

use audit::receipt::Receipt;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(receipt) = Receipt::read(data) else { return };
    assert_eq!(Receipt::read(receipt.write().as_bytes()).unwrap(), receipt);
    let _ = receipt.check(&receipt.key, &[]);
});
