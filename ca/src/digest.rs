use ring::digest;

use crate::{
    algorithm,
    der::{DerError, oid, sequence, tag},
    oid,
};

/// A digest that formats of others name by its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Digest {
    /// SM3 (GB/T 32905).
    Sm3,
    /// SHA-256.
    Sha256,
    /// SHA-1: names issuers and keys where RFC 6960 has it so, and protects nothing.
    Sha1,
}

impl Digest {
    const IDENTIFIERS: [(Self, const_oid::ObjectIdentifier); 3] =
        [(Self::Sm3, oid::SM3), (Self::Sha256, oid::SHA256), (Self::Sha1, oid::SHA1)];

    /// The digest of these octets.
    pub fn of(self, octets: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sm3 => return hsm::sm3::digest(octets).to_vec(),
            Self::Sha256 => &digest::SHA256,
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        };
        digest::digest(algorithm, octets).as_ref().to_vec()
    }

    /// How many octets such a digest has.
    pub fn length(self) -> usize {
        match self {
            Self::Sm3 | Self::Sha256 => 32,
            Self::Sha1 => 20,
        }
    }

    /// From an AlgorithmIdentifier; `None` for an algorithm that is not known here.
    pub(crate) fn read(element: &[u8]) -> Result<Option<Self>, DerError> {
        for (known, identifier) in Self::IDENTIFIERS {
            if algorithm::names(element, &identifier)? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// AlgorithmIdentifier, without parameters for SM3 and with NULL for the others, as their makers
    /// write them (RFC 5754, 2, takes both).
    pub(crate) fn write(self) -> Vec<u8> {
        let row = Self::IDENTIFIERS.iter().find(|(known, _)| *known == self);
        let (_, identifier) = row.expect("the table has a row for each digest");
        match self {
            Self::Sm3 => sequence(&[&oid(identifier)]),
            Self::Sha256 | Self::Sha1 => sequence(&[&oid(identifier), &[tag::NULL, 0]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    #[test]
    fn digests_match_their_standards() {
        for (source, digest, of_abc) in [
            ("FIPS 180-1, A", Digest::Sha1, &hex!("a9993e364706816aba3e25717850c26c9cd0d89d")[..]),
            (
                "FIPS 180-2, B.1",
                Digest::Sha256,
                &hex!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ),
            (
                "GB/T 32905-2016 A.1",
                Digest::Sm3,
                &hex!("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
            ),
        ] {
            assert_eq!(digest.of(b"abc"), of_abc, "{source}");
            assert_eq!(digest.length(), of_abc.len(), "{source}");
            assert_eq!(Digest::read(&digest.write()), Ok(Some(digest)), "{source}");
        }
        let md5 = const_oid::ObjectIdentifier::new_unwrap("1.2.840.113549.2.5");
        assert_eq!(Digest::read(&sequence(&[&oid(&md5), &[tag::NULL, 0]])), Ok(None));
    }
}
