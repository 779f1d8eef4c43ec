//! What the service asks to sign, read before it is signed.
//!
//! The signed attributes of a CMS SignedData (RFC 5652, 5.3) as a DER SET OF. A signature is made
//! only when they are exactly four: the content is data, the digest is that of the record in hand,
//! the certificate is the signer's own, and the time is now.

use der::{
    Decode as _, Encode as _, Sequence,
    asn1::{Any, AnyRef, ObjectIdentifier, OctetString, SetOfVec, UtcTime},
};
use time::{Duration, OffsetDateTime};
use x509_cert::{
    attr::Attribute,
    ext::pkix::name::{GeneralName, GeneralNames},
    serial_number::SerialNumber,
    spki::AlgorithmIdentifierOwned,
    time::Time,
};

use crate::{
    identity::Certificate,
    text::{Problem, problems},
};

const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.401");

/// Largest value that is read, bytes.
const LIMIT: usize = 4096;
/// How far the clocks of service and signer may be apart.
const TOLERANCE: Duration = Duration::minutes(10);

/// SigningCertificateV2 (RFC 5035, 3).
#[derive(Sequence)]
struct SigningCertificate {
    certificates: Vec<CertificateReference>,
}

/// ESSCertIDv2 (RFC 5035, 4). The default of `hash_algorithm`, SHA-256, is not ours.
#[derive(Sequence)]
struct CertificateReference {
    hash_algorithm: AlgorithmIdentifierOwned,
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<IssuerSerial>,
}

#[derive(Sequence)]
struct IssuerSerial {
    issuer: GeneralNames,
    serial: SerialNumber,
}

/// The attributes of a signature over what has this digest, by this signer, now; to be signed as DER. `None` where the
/// time cannot be written.
pub(crate) fn of(
    digest: &[u8; 32],
    signer: &Certificate,
    now: OffsetDateTime,
) -> Option<SetOfVec<Attribute>> {
    let seconds = Duration::seconds(now.unix_timestamp()).unsigned_abs();
    let time = Time::from(UtcTime::from_unix_duration(seconds).ok()?);
    let certificate = SigningCertificate {
        certificates: vec![CertificateReference {
            hash_algorithm: AlgorithmIdentifierOwned { oid: SM3, parameters: None },
            hash: OctetString::new(signer.digest()).ok()?,
            issuer_serial: None,
        }],
    };
    let value = |der: Vec<u8>| Any::from_der(&der).ok();
    let attributes = [
        (CONTENT_TYPE, value(DATA.to_der().ok()?)?),
        (SIGNING_TIME, value(time.to_der().ok()?)?),
        (MESSAGE_DIGEST, value(OctetString::new(*digest).ok()?.to_der().ok()?)?),
        (SIGNING_CERTIFICATE_V2, value(certificate.to_der().ok()?)?),
    ];
    let attribute =
        |(oid, value)| Some(Attribute { oid, values: SetOfVec::try_from(vec![value]).ok()? });
    let attributes: Option<Vec<_>> = attributes.into_iter().map(attribute).collect();
    SetOfVec::try_from(attributes?).ok()
}

/// Finds the attributes to be those of this record, this signer and this moment.
pub(crate) fn check(
    attributes: &[u8],
    record_digest: &[u8; 32],
    signer: &Certificate,
    now: OffsetDateTime,
) -> Result<(), Problem> {
    let values = Values::parse(attributes).ok_or(problems::ATTRIBUTES_MALFORMED)?;
    if values.content_type != DATA {
        return Err(problems::ATTRIBUTES_OTHER_CONTENT);
    }
    if values.digest.as_bytes() != record_digest {
        return Err(problems::ATTRIBUTES_OTHER_RECORD);
    }
    if !names(&values.certificate, signer) {
        return Err(problems::ATTRIBUTES_OTHER_SIGNER);
    }
    if (values.signing_time - now).abs() > TOLERANCE {
        return Err(problems::ATTRIBUTES_OTHER_TIME);
    }
    Ok(())
}

/// The values of the four attributes.
struct Values {
    content_type: ObjectIdentifier,
    digest: OctetString,
    signing_time: OffsetDateTime,
    certificate: SigningCertificate,
}

impl Values {
    /// Reads DER with each attribute once and with one value, and nothing else.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let set = (bytes.len() <= LIMIT).then_some(bytes)?;
        let set = SetOfVec::<Attribute>::from_der(set).ok()?;
        // What is signed are these octets, so there must be one way to read them.
        (set.to_der().ok()? == bytes && set.len() == 4).then_some(())?;
        let value = |kind: ObjectIdentifier| -> Option<&Any> {
            let attribute = set.iter().find(|attribute| attribute.oid == kind)?;
            let [value] = attribute.values.as_slice() else { return None };
            Some(value)
        };
        let signing_time = Time::from_der(&value(SIGNING_TIME)?.to_der().ok()?).ok()?;
        Some(Self {
            content_type: value(CONTENT_TYPE)?.decode_as().ok()?,
            digest: value(MESSAGE_DIGEST)?.decode_as().ok()?,
            signing_time: OffsetDateTime::UNIX_EPOCH + signing_time.to_unix_duration(),
            certificate: value(SIGNING_CERTIFICATE_V2)?.decode_as().ok()?,
        })
    }
}

/// Whether the one certificate referred to is the signer's.
fn names(reference: &SigningCertificate, signer: &Certificate) -> bool {
    let [reference] = reference.certificates.as_slice() else { return false };
    let algorithm = &reference.hash_algorithm;
    let plain = algorithm.parameters.as_ref().is_none_or(|given| *given == Any::from(AnyRef::NULL));
    if algorithm.oid != SM3 || !plain || reference.hash.as_bytes() != signer.digest() {
        return false;
    }
    reference.issuer_serial.as_ref().is_none_or(|named| {
        let [GeneralName::DirectoryName(issuer)] = named.issuer.as_slice() else { return false };
        let found = issuer.to_der().ok().zip(named.serial.to_der().ok());
        found.is_some() && found == signer.issuer_and_serial_der()
    })
}

#[cfg(test)]
mod tests;
