//! The signature over a manifest: detached CMS SignedData (RFC 5652) on SM2 and SM3, with the four signed attributes that
//! signatures over records have, and the signer's certificate. Made here, where the key is.

use der::{
    Decode as _, Encode as _, Sequence,
    asn1::{Any, ObjectIdentifier, OctetString, SetOfVec},
};
use sm3::{Digest as _, Sm3};
use time::OffsetDateTime;
use x509_cert::{Certificate, spki::AlgorithmIdentifierOwned};

use crate::{
    attributes,
    certificate_status::verify,
    identity::{self, ClientKey},
    text::{Problem, problems},
    time_stamp::{IssuerAndSerial, SignerInfo},
};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.401");
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

#[derive(Sequence)]
struct ContentInfo {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: SignedData,
}

#[derive(Sequence)]
struct SignedData {
    version: u8,
    digests: SetOfVec<AlgorithmIdentifierOwned>,
    encapsulated: Detached,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true")]
    certificates: SetOfVec<Any>,
    signers: SetOfVec<SignerInfo>,
}

/// EncapsulatedContentInfo without the content.
#[derive(Sequence)]
struct Detached {
    kind: ObjectIdentifier,
}

/// Signs these octets; DER.
pub(super) fn sign(
    octets: &[u8],
    key: &ClientKey,
    certificate: &identity::Certificate,
    now: OffsetDateTime,
) -> Result<Vec<u8>, Problem> {
    let made = || -> Option<Vec<u8>> {
        let digest = Sm3::digest(octets).into();
        let attributes = attributes::of(&digest, certificate, now)?;
        let signature = key.sign_der(&attributes.to_der().ok()?);
        let signer = Certificate::from_der(certificate.der()).ok()?;
        let body = signer.tbs_certificate();
        let sm3 = AlgorithmIdentifierOwned { oid: SM3, parameters: None };
        let info = SignerInfo {
            version: 1,
            signer: IssuerAndSerial {
                issuer: body.issuer().clone(),
                serial: body.serial_number().clone(),
            },
            digest: sm3.clone(),
            attributes,
            algorithm: AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None },
            signature: OctetString::new(signature).ok()?,
        };
        let content = SignedData {
            version: 1,
            digests: SetOfVec::try_from(vec![sm3]).ok()?,
            encapsulated: Detached { kind: DATA },
            certificates: SetOfVec::try_from(vec![Any::from_der(certificate.der()).ok()?]).ok()?,
            signers: SetOfVec::try_from(vec![info]).ok()?,
        };
        ContentInfo { kind: SIGNED_DATA, content }.to_der().ok()
    };
    made().ok_or(problems::CERTIFICATE_MALFORMED)
}

/// Whose signature over these octets it is, made about the time `at`; `None` where it is none.
pub(super) fn signer(signature: &[u8], octets: &[u8], at: OffsetDateTime) -> Option<Certificate> {
    let read = ContentInfo::from_der(signature).ok()?;
    // Nothing may stand there that is not looked at.
    (read.to_der().ok()? == signature).then_some(())?;
    let SignedData { version, digests, encapsulated, certificates, signers } = read.content;
    let [digest] = digests.as_slice() else { return None };
    let ([certificate], [info]) = (certificates.as_slice(), signers.as_slice()) else {
        return None;
    };
    let own = identity::Certificate::parse(certificate.to_der().ok()?).ok()?;
    let certificate: Certificate = certificate.decode_as().ok()?;
    let body = certificate.tbs_certificate();
    let right = read.kind == SIGNED_DATA
        && encapsulated.kind == DATA
        && (version, info.version) == (1, 1)
        && (digest.oid, info.digest.oid) == (SM3, SM3)
        && info.signer.issuer == *body.issuer()
        && info.signer.serial == *body.serial_number();
    right.then_some(())?;
    let attributes = info.attributes.to_der().ok()?;
    attributes::check(&attributes, &Sm3::digest(octets).into(), &own, at).ok()?;
    verify(&certificate, &attributes, info.signature.as_bytes(), &info.algorithm)?;
    Some(certificate)
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::{clock, identity::sample};

    #[test]
    fn what_was_signed_is_known_again() {
        let (key, now) = (ClientKey::generate().unwrap(), clock::now());
        let certificate = sample::certificate(&key, 7);
        let signature = sign(b"manifest", &key, &certificate, now).unwrap();
        let found = signer(&signature, b"manifest", now).unwrap();
        assert_eq!(found.to_der().unwrap(), certificate.der());
        assert!(signer(&signature, b"manifesT", now).is_none());
        assert!(signer(&signature, b"manifest", now + Duration::HOUR).is_none());
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(signer(&changed, b"manifest", now).is_none(), "octet {at}");
            assert!(signer(&signature[..at], b"manifest", now).is_none(), "{at} octets");
        }
        assert!(signer(&[signature, vec![0]].concat(), b"manifest", now).is_none());
        let other = ClientKey::generate().unwrap();
        let stranger = sign(b"manifest", &other, &certificate, now).unwrap();
        assert!(
            signer(&stranger, b"manifest", now).is_none(),
            "another key than the certificate's"
        );
    }
}
