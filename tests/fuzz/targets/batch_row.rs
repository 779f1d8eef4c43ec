//! A table of people: the first byte says whether it has a head of ours or brings its own. What is
//! left of a row after its cells is tried as a photo.
#![no_main]

use card::batch::csv::Table;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let head = if first % 2 == 0 { "姓名,身份证号,城市代码,有效期至,地址1,支付方式1,照片\n" } else { "" };
    let table = [head.as_bytes(), rest].concat();
    let Ok(table) = Table::open(&table[..]) else { return };
    let today = time::macros::date!(2026 - 11 - 26);
    for row in table {
        let Ok(row) = row.map(|row| row.row) else { return };
        let Ok(row) = row else { continue };
        for profile in card::layout::Profile::ALL {
            let _ = row.check(today, profile);
        }
        let _ = row.canonical();
    }
    let _ = card::picture::check(rest);
});
