//! The one group: curveSM2, plain Diffie-Hellman (RFC 8998, 3.2), with a key for each handshake.

use hsm::sm2::EphemeralKey;
use rustls::{
    Error, NamedGroup, PeerMisbehaved, ProtocolVersion,
    crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup},
    ffdhe_groups::FfdheGroup,
};

pub(crate) static CURVE_SM2: CurveSm2 = CurveSm2;

#[derive(Debug)]
pub(crate) struct CurveSm2;

const NAME: NamedGroup = NamedGroup::Unknown(41);

impl SupportedKxGroup for CurveSm2 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Exchange(EphemeralKey::generate())))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NAME
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

struct Exchange(EphemeralKey);

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, share: &[u8]) -> Result<SharedSecret, Error> {
        let secret = self.0.agree(share).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        // The copy is wiped by its own type.
        Ok(SharedSecret::from(&secret[..]))
    }

    fn pub_key(&self) -> &[u8] {
        self.0.public_key().as_sec1()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NAME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_have_the_same_secret() {
        let (one, other) = (CURVE_SM2.start().unwrap(), CURVE_SM2.start().unwrap());
        let (at_one, at_other) = (one.pub_key().to_vec(), other.pub_key().to_vec());
        assert_eq!((at_one.len(), at_one[0]), (65, 4));
        let secret = one.complete(&at_other).unwrap();
        assert_eq!(secret.secret_bytes(), other.complete(&at_one).unwrap().secret_bytes());
        assert_eq!(secret.secret_bytes().len(), 32);
    }

    #[test]
    fn a_share_that_is_no_point_is_the_peers_fault() {
        let mut off_curve = CURVE_SM2.start().unwrap().pub_key().to_vec();
        off_curve[64] ^= 1;
        for share in [&[][..], &[4], &[4; 65], &off_curve, &off_curve[..64]] {
            let refused = CURVE_SM2.start().unwrap().complete(share).map(drop);
            let expected = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
            assert_eq!(refused, Err(expected), "{} octets", share.len());
        }
    }
}
