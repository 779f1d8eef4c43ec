//! Every element of the card: the first two bytes choose one, the rest is its field, or its text.
#![no_main]

use card::data::{Value, read, write};
use card::layout::{FILES, Profile};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((chosen, rest)) = data.split_first_chunk::<2>() else { return };
    let items: Vec<_> = FILES.iter().flat_map(|file| file.items(Profile::Full)).collect();
    let element = &items[usize::from(u16::from_be_bytes(*chosen)) % items.len()].element;
    let mut field = rest.to_vec();
    field.resize(usize::from(element.length), 0xFF);
    if let Ok(value) = read(element, &field) {
        let written = write(element, &value).expect("what was read can be written");
        assert_eq!(read(element, &written), Ok(value.clone()));
        assert_eq!(Value::parse(element, &value.to_text()), Ok(value));
    }
    if let Ok(text) = std::str::from_utf8(rest)
        && let Ok(value) = Value::parse(element, text)
    {
        let written = write(element, &value).expect("what was spelled fits");
        assert_eq!(read(element, &written), Ok(value));
    }
});
