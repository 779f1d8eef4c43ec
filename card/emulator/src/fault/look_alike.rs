//! Somebody else's data, for a card that is not theirs.

use ::card::data::{Value, write};
use ::card::layout::Element;
use ::card::layout::ddf1::{ef05, ef06};
use ::card::tlv;

/// The holder of the example of GB 11643-1999 with an odd number: sex, date of birth and card number
/// agree with the ID number, so that the card does not contradict itself.
const SOMEBODY: [(Element, &str); 5] = [
    (ef05::CARD_NUMBER, ID_NUMBER),
    (ef06::NAME, "赵似"),
    (ef06::SEX, "1"),
    (ef06::BIRTH_DATE, "1880-01-01"),
    (ef06::ID_NUMBER, ID_NUMBER),
];
const ID_NUMBER: &str = "440524188001010014";

/// Puts somebody else's data into a record that says who the holder is.
pub(super) fn disguise(record: &mut Vec<u8>) {
    let told = SOMEBODY.iter().find(|(element, _)| tlv::unwrap(element, record).is_ok());
    if let Some((element, text)) = told {
        let field = Value::parse(element, text).and_then(|value| write(element, &value));
        *record = tlv::wrap(element, &field.expect("the texts fit their elements"));
    }
}
