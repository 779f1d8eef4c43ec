//! The certificate request: PKCS#10 (RFC 2986), signed with SM2 and SM3.

use std::str::FromStr as _;

use der::{
    Decode as _, Encode as _,
    asn1::{BitString, ObjectIdentifier, SetOfVec},
};
use x509_cert::{
    name::Name,
    request::{CertReq, CertReqInfo, Version},
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};

use super::ClientKey;
use crate::{failure::Failure, text::problems};

/// SM2 signature with SM3 (GB/T 33560-2017, annex A); its parameters are absent.
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// A request that proves possession of the key. Its subject says nothing about the holder: the
/// service takes the subject from its own records.
pub(crate) fn certificate_request(key: &ClientKey) -> Result<Vec<u8>, Failure> {
    build(key).map_err(|error| Failure::of(problems::KEY_MALFORMED).about(error))
}

fn build(key: &ClientKey) -> der::Result<Vec<u8>> {
    let info = CertReqInfo {
        version: Version::V1,
        subject: Name::from_str("CN=healthcard")?,
        public_key: SubjectPublicKeyInfoOwned::from_der(&key.public_key_der())?,
        attributes: SetOfVec::new(),
    };
    let signature = BitString::from_bytes(&key.sign_der(&info.to_der()?))?;
    let algorithm = AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None };
    CertReq { info, algorithm, signature }.to_der()
}

#[cfg(test)]
mod tests {
    use sm2::{
        PublicKey,
        dsa::{Signature, VerifyingKey, signature::Verifier as _},
        pkcs8::DecodePublicKey as _,
    };

    use super::*;
    use crate::identity::key::DEFAULT_IDENTIFIER;

    #[test]
    fn request_proves_possession() {
        let key = ClientKey::generate().unwrap();
        let request = CertReq::from_der(&certificate_request(&key).unwrap()).unwrap();
        assert_eq!(request.algorithm.oid, SM2_WITH_SM3);
        let spki = request.info.public_key.to_der().unwrap();
        assert_eq!(spki, key.public_key_der());
        let public = PublicKey::from_public_key_der(&spki).unwrap();
        let signature = Signature::from_der(request.signature.raw_bytes()).unwrap();
        VerifyingKey::new(DEFAULT_IDENTIFIER, public)
            .unwrap()
            .verify(&request.info.to_der().unwrap(), &signature)
            .unwrap();
    }
}
