//! The signer's identifier, which is part of every signature through Z.

/// The distinguishing identifier of a signer (可辨别标识), at most 8191 octets: its length in bits
/// is written in two octets (GB/T 32918.2-2016, 5.5).
///
/// Signer and verifier must agree on it; a missing identifier means the default one, never an
/// empty one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignerId(std::borrow::Cow<'static, [u8]>);

impl SignerId {
    /// "1234567812345678", used where nothing else is agreed (GM/T 0009-2012, 10).
    pub const DEFAULT: Self = Self(std::borrow::Cow::Borrowed(b"1234567812345678"));

    /// An identifier agreed with the other side. An empty one is allowed by the standard.
    ///
    /// # Errors
    /// [`IdTooLong`] above 8191 octets.
    pub fn new(id: &[u8]) -> Result<Self, IdTooLong> {
        if id.len() > 8191 {
            return Err(IdTooLong(id.len()));
        }
        Ok(Self(id.to_vec().into()))
    }

    /// ENTL: the length in bits.
    pub(super) fn bits(&self) -> [u8; 2] {
        // At most 8191 × 8 = 65528, so the cast keeps every bit.
        ((self.0.len() * 8) as u16).to_be_bytes()
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl Default for SignerId {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A signer identifier of more octets than its length field can say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a signer identifier has at most 8191 octets, not {0}")]
pub struct IdTooLong(
    /// The length that was given.
    pub usize,
);
