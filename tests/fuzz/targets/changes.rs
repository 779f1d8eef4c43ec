//! What is to be changed on a card: pieces of an order (item, set; file, append; kind of visit), each
//! with text. What is accepted reads back as it was spelled, and is no more than a card holds.
#![no_main]

use card::Changes;
use card::layout::FILES;
use card::write::{MOST_RECORDS, VisitKind};

/// Two bytes of item number, one of length, and so much text.
fn item<'d>(rest: &mut &'d [u8]) -> Option<(u16, &'d str)> {
    let (item, after) = rest.split_first_chunk::<2>()?;
    let (length, after) = after.split_first()?;
    let (text, after) = after.split_at(after.len().min(usize::from(*length)));
    *rest = after;
    Some((u16::from_be_bytes(*item) % 400, std::str::from_utf8(text).ok()?))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut changes, mut rest) = (Changes::new(), data);
    let mut records = 0;
    while let Some((order, after)) = rest.split_first() {
        rest = after;
        let count = usize::from(order >> 3) % 8;
        match order % 4 {
            0 | 1 => {
                let Some((item, text)) = item(&mut rest) else { return };
                if changes.set(item, text).is_ok() {
                    let value = changes.value(item).expect("it was just set").clone();
                    let mut again = Changes::new();
                    again.set(item, &value.to_text()).expect("what was spelled is accepted");
                    assert_eq!(again.value(item), Some(&value));
                    assert!(changes.set(item, text).is_err(), "an item is given once");
                }
            }
            2 => {
                let Some((file, after)) = rest.split_first() else { return };
                rest = after;
                let file = FILES[usize::from(*file) % FILES.len()].name;
                let items: Vec<_> = (0..count).map_while(|_| item(&mut rest)).collect();
                records += usize::from(changes.append(file, items).is_ok());
            }
            _ => {
                let kind = VisitKind::ALL[usize::from(*order >> 2) % 2];
                let items: Vec<_> = (0..count).map_while(|_| item(&mut rest)).collect();
                records += usize::from(changes.visit(kind, items).is_ok());
            }
        }
    }
    assert!(records <= MOST_RECORDS);
    let needs_signature = changes.need_signature();
    let files = changes.files();
    assert!(files.is_sorted());
    assert_eq!(changes.some().is_err(), files.is_empty());
    assert!(!needs_signature || !files.is_empty());
});
