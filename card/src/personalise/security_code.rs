//! The security code on a card (安全码, item 9): three digits that vouch for its number and end
//! (health-card.md, 10, no. 14).

use hsm::sm4::Sm4Key;
use hsm::{CardMaster, KeyError};
use subtle::ConstantTimeEq;
use time::Date;

use crate::data::SecurityCode;
use crate::number::CardNumber;
use crate::security::profile::{div1, pad};
use crate::value::write_date;

/// What the key of security codes is diversified by: the same for all cards.
const LABEL: &[u8; 8] = b"CVK00001";

/// The key of security codes (CVK), below its master.
pub struct Cvk(Sm4Key);

impl Cvk {
    /// The key of this master.
    ///
    /// # Errors
    /// As for [`CardMaster::derive`].
    pub fn of(master: &dyn CardMaster) -> Result<Self, KeyError> {
        master.derive(&[div1(LABEL)]).map(Self)
    }

    /// Whether `code` is the one of this card; in constant time.
    pub fn vouches(&self, number: &CardNumber, valid_until: Date, code: &SecurityCode) -> bool {
        let right = security_code(self, number, valid_until);
        right.expose().as_bytes().ct_eq(code.expose().as_bytes()).into()
    }
}

/// SM4-CBC-MAC over card number (18 bytes, filled with `00`) ‖ last day (`cn`, YYYYMMDD), padded
/// as secure messaging pads; the first three decimal digits of its hexadecimal form. Should it have
/// fewer, the digits go on in its encryption.
pub fn security_code(cvk: &Cvk, number: &CardNumber, valid_until: Date) -> SecurityCode {
    let mut message = number.as_str().as_bytes().to_vec();
    message.resize(18, 0x00);
    message.extend(write_date(valid_until));
    let mut block = pad(&message).iter().fold([0; 16], |chain: [u8; 16], block| {
        let mut mixed = std::array::from_fn(|at| chain[at] ^ block[at]);
        cvk.0.encrypt_block(&mut mixed);
        mixed
    });
    let mut code = String::with_capacity(3);
    while code.len() < 3 {
        let nibbles = block.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
        let digits = nibbles.filter(|nibble| *nibble < 10).map(|digit| char::from(b'0' + digit));
        code.extend(digits.take(3 - code.len()));
        cvk.0.encrypt_block(&mut block);
    }
    code.parse().expect("three digits")
}
