//! The SM4 profile: rules of our own where the standard's are not published. Cards of our own and
//! the emulator follow them; real cards do what their SAM does. A true rule replaces one function.

use hsm::sm4::Sm4Key;

/// How keys are diversified (密钥分散). The standard's own rule is not published; when it becomes
/// known, it is another variant here, and one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Diversification {
    /// The rule of the SM4 profile: see [`div1`].
    #[default]
    Div1,
}

impl Diversification {
    /// Every rule there is.
    pub const ALL: [Self; 1] = [Self::Div1];

    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Div1 => "div-1",
        }
    }

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The block that a factor becomes.
    pub fn block(self, factor: &[u8; 8]) -> [u8; 16] {
        match self {
            Self::Div1 => div1(factor),
        }
    }
}

/// DIV-1: the block that a factor becomes, `factor ‖ NOT factor`; the key below is the encryption
/// of that block under the key above. The same rule for province, card and session.
pub fn div1(factor: &[u8; 8]) -> [u8; 16] {
    std::array::from_fn(|at| if at < 8 { factor[at] } else { !factor[at - 8] })
}

/// The cryptogram of random bytes: E(`data` ‖ zeros), left half XOR right half.
pub fn cryptogram(session: &Sm4Key, data: &[u8; 8]) -> [u8; 8] {
    let mut block = [0; 16];
    block[..8].copy_from_slice(data);
    session.encrypt_block(&mut block);
    std::array::from_fn(|at| block[at] ^ block[at + 8])
}

/// Pads as secure messaging does: `80`, then zeros to whole blocks; always, even after a full one.
pub fn pad(data: &[u8]) -> Vec<[u8; 16]> {
    let mut padded = data.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(16), 0);
    padded.as_chunks::<16>().0.to_vec()
}

/// The MAC over whole blocks: the first four bytes of the last block of CBC from zero.
pub fn mac(session: &Sm4Key, blocks: &[[u8; 16]]) -> [u8; 4] {
    let last = blocks.iter().fold([0; 16], |chain: [u8; 16], block| {
        let mut mixed = std::array::from_fn(|at| chain[at] ^ block[at]);
        session.encrypt_block(&mut mixed);
        mixed
    });
    let [a, b, c, d, ..] = last;
    [a, b, c, d]
}
