//! The packed structures: integers in the machine's own order, as C has them, big numbers big-endian.

use crate::sm2::{Ciphertext, PublicKey, Signature};

/// How wide the fields of big numbers are (`ECCref_MAX_BITS`): 512 bits in the standard, 256 in the
/// headers of some vendors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Layout {
    /// Fields of 64 octets, as the standard has it.
    #[default]
    Bits512,
    /// Fields of 32 octets.
    Bits256,
}

/// The longest of the structures of fixed length in any layout: ECCrefPublicKey in 512 bits.
pub const MAX_STRUCTURE: usize = 4 + 64 + 64;
/// Octets of ECCCipher before C, in 512 bits.
pub const CIPHER_HEAD: usize = 64 + 64 + 32 + 4;
/// The longest C that is read. Devices encrypt keys, and buffers of theirs are small.
pub const MAX_CIPHER: usize = 4096;

/// The octets are no such structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a structure of GM/T 0018: {0}")]
pub struct BadLayout(
    /// What is wrong.
    pub &'static str,
);

/// Bits of an SM2 key.
const SM2_BITS: u32 = 256;

impl Layout {
    /// Octets of a big number's field.
    #[must_use]
    pub const fn field(self) -> usize {
        match self {
            Self::Bits512 => 64,
            Self::Bits256 => 32,
        }
    }

    /// Octets of ECCrefPublicKey.
    #[must_use]
    pub const fn public_key_length(self) -> usize {
        4 + 2 * self.field()
    }

    /// Octets of ECCSignature.
    #[must_use]
    pub const fn signature_length(self) -> usize {
        2 * self.field()
    }

    /// Octets of ECCCipher before C.
    #[must_use]
    pub const fn cipher_head(self) -> usize {
        2 * self.field() + 32 + 4
    }

    /// Reads ECCrefPublicKey; what follows it is not looked at.
    ///
    /// # Errors
    /// [`BadLayout`]: too short, not of 256 bits, or no point of the curve.
    pub fn read_public_key(self, octets: &[u8]) -> Result<PublicKey, BadLayout> {
        let (bits, rest) = octets.split_first_chunk().ok_or(BadLayout("too short"))?;
        if u32::from_ne_bytes(*bits) != SM2_BITS {
            return Err(BadLayout("the key is not of 256 bits"));
        }
        let (x, rest) = self.number(rest)?;
        let (y, _) = self.number(rest)?;
        PublicKey::from_sec1(&[&[4], &x[..], y].concat())
            .map_err(|_| BadLayout("the key is no point of the curve"))
    }

    /// ECCrefPublicKey of a key.
    #[must_use]
    pub fn public_key(self, key: &PublicKey) -> Vec<u8> {
        let mut octets = SM2_BITS.to_ne_bytes().to_vec();
        for number in key.as_sec1()[1..].as_chunks::<32>().0 {
            self.push(&mut octets, number);
        }
        octets
    }

    /// Reads ECCSignature; what follows it is not looked at.
    ///
    /// # Errors
    /// [`BadLayout`]: too short, or a number out of range.
    pub fn read_signature(self, octets: &[u8]) -> Result<Signature, BadLayout> {
        let (r, rest) = self.number(octets)?;
        let (s, _) = self.number(rest)?;
        Signature::from_raw(&[*r, *s].concat())
            .map_err(|_| BadLayout("a number of the signature is out of range"))
    }

    /// ECCSignature of a signature.
    #[must_use]
    pub fn signature(self, signature: &Signature) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.signature_length());
        for number in signature.as_raw().as_chunks::<32>().0 {
            self.push(&mut octets, number);
        }
        octets
    }

    /// The length of C, from the part of ECCCipher before it.
    ///
    /// # Errors
    /// [`BadLayout`]: too short, or C is empty or longer than [`MAX_CIPHER`].
    pub fn cipher_length(self, head: &[u8]) -> Result<usize, BadLayout> {
        let head = head.get(..self.cipher_head()).ok_or(BadLayout("too short"))?;
        let length = head.last_chunk().ok_or(BadLayout("too short"))?;
        let length = usize::try_from(u32::from_ne_bytes(*length));
        length
            .ok()
            .filter(|length| (1..=MAX_CIPHER).contains(length))
            .ok_or(BadLayout("the length of the ciphertext is out of range"))
    }

    /// Reads ECCCipher; what follows it is not looked at.
    ///
    /// # Errors
    /// [`BadLayout`]: as for [`cipher_length`](Self::cipher_length), or C1 is no point of the curve.
    pub fn read_cipher(self, octets: &[u8]) -> Result<Ciphertext, BadLayout> {
        let length = self.cipher_length(octets)?;
        let (x, rest) = self.number(octets)?;
        let (y, rest) = self.number(rest)?;
        let (c3, rest) = rest.split_at_checked(32).ok_or(BadLayout("too short"))?;
        let c2 = rest.get(4..4 + length).ok_or(BadLayout("too short"))?;
        Ciphertext::from_c1c3c2(&[&[4], &x[..], y, c3, c2].concat())
            .map_err(|_| BadLayout("C1 is no point of the curve"))
    }

    /// ECCCipher of a ciphertext.
    ///
    /// # Errors
    /// [`BadLayout`] when its C2 is longer than [`MAX_CIPHER`].
    pub fn cipher(self, ciphertext: &Ciphertext) -> Result<Vec<u8>, BadLayout> {
        let raw = ciphertext.to_c1c3c2();
        let (c1, rest) = raw.split_at(65);
        let (c3, c2) = rest.split_at(32);
        if c2.len() > MAX_CIPHER {
            return Err(BadLayout("the ciphertext is too long"));
        }
        let mut octets = Vec::with_capacity(self.cipher_head() + c2.len());
        for number in c1[1..].as_chunks::<32>().0 {
            self.push(&mut octets, number);
        }
        octets.extend_from_slice(c3);
        octets.extend_from_slice(&(c2.len() as u32).to_ne_bytes());
        octets.extend_from_slice(c2);
        Ok(octets)
    }

    /// A number of 256 bits at the right of its field, and what follows the field.
    fn number(self, octets: &[u8]) -> Result<(&[u8; 32], &[u8]), BadLayout> {
        let (field, rest) = octets.split_at_checked(self.field()).ok_or(BadLayout("too short"))?;
        let (zeros, number) = field.split_last_chunk().ok_or(BadLayout("too short"))?;
        if zeros.iter().any(|octet| *octet != 0) {
            return Err(BadLayout("a number is longer than 256 bits"));
        }
        Ok((number, rest))
    }

    fn push(self, octets: &mut Vec<u8>, number: &[u8; 32]) {
        octets.resize(octets.len() + self.field() - number.len(), 0);
        octets.extend_from_slice(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sm2Signer;
    use crate::sm2::SecretKey;
    use proptest::prelude::*;

    const LAYOUTS: [Layout; 2] = [Layout::Bits512, Layout::Bits256];

    #[test]
    fn lengths_are_those_of_the_standard() {
        let lengths = |layout: Layout| {
            (layout.public_key_length(), layout.signature_length(), layout.cipher_head())
        };
        assert_eq!(lengths(Layout::Bits512), (132, 128, 164));
        assert_eq!(lengths(Layout::Bits256), (68, 64, 100));
        assert_eq!((MAX_STRUCTURE, CIPHER_HEAD), (132, 164));
    }

    #[test]
    fn what_was_written_is_read() {
        let secret = SecretKey::generate();
        let signature = secret.sign(&[1; 32]).unwrap();
        let der = secret.public().encrypt(b"sixteen octets..").unwrap();
        let ciphertext = Ciphertext::from_der(&der).unwrap();
        for layout in LAYOUTS {
            let key = layout.public_key(secret.public());
            assert_eq!(layout.read_public_key(&key).as_ref(), Ok(secret.public()));
            assert_eq!(layout.read_signature(&layout.signature(&signature)), Ok(signature));
            let cipher = layout.cipher(&ciphertext).unwrap();
            assert_eq!(layout.cipher_length(&cipher), Ok(16));
            assert_eq!(layout.read_cipher(&cipher).unwrap().to_der(), der);
            for (what, octets) in [("key", &key), ("cipher", &cipher)] {
                for length in 0..octets.len() {
                    let cut = &octets[..length];
                    let refused = match what {
                        "key" => layout.read_public_key(cut).is_err(),
                        _ => layout.read_cipher(cut).is_err(),
                    };
                    assert!(refused, "{what} of {length} octets");
                }
            }
        }
    }

    #[test]
    fn numbers_stand_at_the_right_and_are_in_range() {
        let secret = SecretKey::generate();
        let layout = Layout::Bits512;
        let key = layout.public_key(secret.public());
        let changed = |at: usize, octet: u8| {
            let mut key = key.clone();
            key[at] = octet;
            layout.read_public_key(&key).unwrap_err().0
        };
        assert_eq!(changed(4, 1), "a number is longer than 256 bits");
        assert_eq!(changed(0, 1), "the key is not of 256 bits");
        assert_eq!(changed(131, key[131] ^ 1), "the key is no point of the curve");
        // Numbers at the left, as a device of another opinion has them.
        let left = [&key[..4], &key[36..68], &[0; 32], &key[100..], &[0; 32]].concat();
        assert!(layout.read_public_key(&left).is_err());
        assert!(layout.read_public_key(&[&key[..4], &[0; 128]].concat()).is_err());
        assert!(layout.read_signature(&[0; 128]).is_err());
        assert!(layout.read_signature(&[0xFF; 128]).is_err());
        for (length, taken) in
            [(0, false), (1, true), (4096, true), (4097, false), (u32::MAX, false)]
        {
            let head = [&[0; 160][..], &length.to_ne_bytes()].concat();
            assert_eq!(layout.cipher_length(&head).is_ok(), taken, "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_read_is_what_would_be_written(
            octets in prop::collection::vec(any::<u8>(), 0..300), zeros in any::<bool>(),
        ) {
            for layout in LAYOUTS {
                let mut octets = octets.clone();
                if zeros && octets.len() >= 64 {
                    octets[..32].fill(0);
                }
                if let Ok(key) = layout.read_public_key(&octets) {
                    prop_assert!(octets.starts_with(&layout.public_key(&key)));
                }
                if let Ok(signature) = layout.read_signature(&octets) {
                    prop_assert!(octets.starts_with(&layout.signature(&signature)));
                }
                if let Ok(cipher) = layout.read_cipher(&octets) {
                    prop_assert!(octets.starts_with(&layout.cipher(&cipher).unwrap()));
                }
            }
        }
    }
}
