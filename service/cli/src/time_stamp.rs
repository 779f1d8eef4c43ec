//! Time stamps (RFC 3161, GM/T 0033) over SM3: queries made, replies read. Believed is only who an
//! authority certified to stamp times and nothing else.

use der::{
    Any, Decode as _, Encode as _, Sequence, Tag, Tagged as _, ValueOrd,
    asn1::{BitString, ObjectIdentifier, OctetString, SetOfVec, Uint},
    oid::AssociatedOid as _,
};
use sm3::{Digest as _, Sm3};
use time::{Duration, OffsetDateTime, PrimitiveDateTime, macros::format_description};
use x509_cert::{
    Certificate,
    attr::Attribute,
    ext::{
        Extension, Extensions,
        pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages},
    },
    name::Name,
    serial_number::SerialNumber,
    spki::AlgorithmIdentifierOwned,
};

use crate::{
    certificate_status::verify,
    text::{Problem, problems},
};

const SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.401");
/// signedData (RFC 5652, and GM/T 0010).
const SIGNED_DATA: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2"),
    ObjectIdentifier::new_unwrap("1.2.156.10197.6.1.4.2.2"),
];
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// Largest reply that is read, bytes.
pub(crate) const LIMIT: usize = 32 * 1024;
/// How far the clock of whoever reads a stamp may be behind the stamper's.
const TOLERANCE: Duration = Duration::minutes(5);

#[derive(Sequence)]
struct Query {
    version: u8,
    imprint: Imprint,
    nonce: Uint,
    with_certificate: bool,
}

#[derive(Clone, PartialEq, Eq, Sequence)]
struct Imprint {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

#[derive(Sequence)]
struct Reply {
    status: Status,
    #[asn1(optional = "true")]
    token: Option<Token>,
}

#[derive(Sequence)]
struct Status {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    failure: Option<BitString>,
}

#[derive(Sequence)]
struct Token {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: SignedData,
}

#[derive(Sequence)]
struct SignedData {
    version: u8,
    digests: SetOfVec<AlgorithmIdentifierOwned>,
    encapsulated: Encapsulated,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true")]
    certificates: SetOfVec<Any>,
    signers: SetOfVec<Any>,
}

#[derive(Sequence)]
struct Encapsulated {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: OctetString,
}

/// SignerInfo (RFC 5652, 5.3), with signed attributes and nothing unsigned.
#[derive(Clone, PartialEq, Eq, Sequence, ValueOrd)]
pub(crate) struct SignerInfo {
    pub(crate) version: u8,
    pub(crate) signer: IssuerAndSerial,
    pub(crate) digest: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true")]
    pub(crate) attributes: SetOfVec<Attribute>,
    pub(crate) algorithm: AlgorithmIdentifierOwned,
    pub(crate) signature: OctetString,
}

/// IssuerAndSerialNumber (RFC 5652, 10.2.4).
#[derive(Clone, PartialEq, Eq, Sequence, ValueOrd)]
pub(crate) struct IssuerAndSerial {
    pub(crate) issuer: Name,
    pub(crate) serial: SerialNumber,
}

/// SigningCertificateV2 (RFC 5035, 3): the certificate that the stamper means, so that no other one
/// for the same key takes its place.
#[derive(Sequence)]
struct SigningCertificate {
    ids: Vec<CertificateId>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

#[derive(Sequence)]
struct CertificateId {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
    #[asn1(optional = "true")]
    issuer: Option<Any>,
}

/// TSTInfo. Policy, number and time are read by hand: arcs may be UUIDs, times have fractions.
#[derive(Sequence)]
struct Statement {
    version: u8,
    policy: Any,
    imprint: Imprint,
    serial: Uint,
    time: Any,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordered: bool,
    #[asn1(optional = "true")]
    nonce: Option<Uint>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    stamper: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Sequence)]
struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u32>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

/// What was stamped when, by somebody who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: OffsetDateTime,
    /// How far it may be off either way; `None` when that is not said.
    pub(crate) accuracy: Option<Duration>,
    /// Number of the stamp, hexadecimal.
    pub(crate) serial: String,
    /// Serial number of the stamper's certificate, hexadecimal.
    pub(crate) stamper: String,
}

/// A query for this SM3 digest. `nonce` is random.
pub(crate) fn query(digest: &[u8; 32], nonce: &[u8; 16]) -> Option<Vec<u8>> {
    let nonce = Uint::new(nonce).ok()?;
    Query { version: 1, imprint: imprint(digest)?, nonce, with_certificate: true }.to_der().ok()
}

fn imprint(digest: &[u8; 32]) -> Option<Imprint> {
    let algorithm = AlgorithmIdentifierOwned { oid: SM3, parameters: None };
    Some(Imprint { algorithm, digest: OctetString::new(*digest).ok()? })
}

/// Reads a reply: that somebody whom one of `issuers` certified stamped this digest. `nonce` where
/// the query is at hand.
pub(crate) fn read(
    reply: &[u8],
    digest: &[u8; 32],
    nonce: Option<&[u8; 16]>,
    issuers: &[Certificate],
    now: OffsetDateTime,
) -> Result<Stamp, Problem> {
    let malformed = problems::STAMP_MALFORMED;
    let read = (reply.len() <= LIMIT).then(|| Reply::from_der(reply).ok()).flatten();
    let read = read.ok_or(malformed)?;
    if read.to_der().map_err(|_| malformed)? != reply {
        return Err(malformed);
    }
    let token = match (read.status.status, read.token) {
        (0 | 1, Some(token)) => token,
        (2.., None) => return Err(problems::TIME_NOT_STAMPED),
        _ => return Err(malformed),
    };
    let SignedData { version, digests, encapsulated, certificates, signers } = token.content;
    let known = SIGNED_DATA.contains(&token.kind) && [1, 3].contains(&version);
    let by_sm3 = matches!(digests.as_slice(), [digest] if digest.oid == SM3);
    if !known || !by_sm3 || encapsulated.kind != TST_INFO {
        return Err(malformed);
    }
    let [signer] = signers.as_slice() else { return Err(malformed) };
    let signer: SignerInfo = signer.decode_as().map_err(|_| malformed)?;
    let [certificate] = certificates.as_slice() else { return Err(malformed) };
    let certificate: Certificate = certificate.decode_as().map_err(|_| malformed)?;
    let content = encapsulated.content.as_bytes();
    let statement = Statement::from_der(content).map_err(|_| malformed)?;
    let at = time_of(&statement.time).ok_or(malformed)?;
    if statement.version != 1 || statement.extensions.is_some() {
        return Err(malformed);
    }

    let asked = imprint(digest).ok_or(malformed)?;
    let same_digest = statement.imprint.digest == asked.digest;
    if statement.imprint.algorithm.oid != SM3 || !same_digest {
        return Err(problems::STAMP_OTHER_FILE);
    }
    if let Some(nonce) = nonce {
        let asked = Uint::new(nonce).map_err(|_| malformed)?;
        if statement.nonce.as_ref() != Some(&asked) {
            return Err(problems::STAMP_NOT_GENUINE);
        }
    }
    check_maker(&certificate, &signer, content, issuers, at)?;
    if at > now + TOLERANCE {
        return Err(problems::STAMP_NOT_GENUINE);
    }
    let accuracy = statement.accuracy.map(|parts| {
        Duration::seconds(parts.seconds.unwrap_or(0).into())
            + Duration::milliseconds(parts.millis.unwrap_or(0).into())
            + Duration::microseconds(parts.micros.unwrap_or(0).into())
    });
    let stamper = hex::encode(certificate.tbs_certificate().serial_number().as_bytes());
    Ok(Stamp { at, accuracy, serial: hex::encode(statement.serial.as_bytes()), stamper })
}

/// Whether the statement was signed with the key of a certificate that an issuer made for stamping
/// times and nothing else, and that was valid then.
fn check_maker(
    certificate: &Certificate,
    signer: &SignerInfo,
    content: &[u8],
    issuers: &[Certificate],
    at: OffsetDateTime,
) -> Result<(), Problem> {
    let body = certificate.tbs_certificate();
    let issuer = issuers.iter().find(|issuer| issuer.tbs_certificate().subject() == body.issuer());
    let issuer = issuer.ok_or(problems::STAMP_ISSUER_UNKNOWN)?;
    let genuine = || -> Option<()> {
        let value = |kind: ObjectIdentifier| -> Option<&Any> {
            let attribute = signer.attributes.iter().find(|attribute| attribute.oid == kind)?;
            let [value] = attribute.values.as_slice() else { return None };
            Some(value)
        };
        let content_type: ObjectIdentifier = value(CONTENT_TYPE)?.decode_as().ok()?;
        let digest: OctetString = value(MESSAGE_DIGEST)?.decode_as().ok()?;
        let meant: SigningCertificate = value(SIGNING_CERTIFICATE)?.decode_as().ok()?;
        let meant = meant.ids.first()?;
        let validity = body.validity();
        let [from, to] = [validity.not_before, validity.not_after]
            .map(|time| OffsetDateTime::UNIX_EPOCH + time.to_unix_duration());
        let right = content_type == TST_INFO
            && digest.as_bytes() == Sm3::digest(content).as_slice()
            && signer.version == 1
            && signer.digest.oid == SM3
            && signer.signer.issuer == *body.issuer()
            && signer.signer.serial == *body.serial_number()
            && meant.algorithm.oid == SM3
            && meant.digest.as_bytes() == Sm3::digest(certificate.to_der().ok()?).as_slice()
            && is_for_stamps(certificate)?
            && from <= at
            && at < to + Duration::SECOND;
        right.then_some(())?;
        let (signature, algorithm) = (certificate.signature(), certificate.signature_algorithm());
        verify(issuer, &body.to_der().ok()?, signature.as_bytes()?, algorithm)?;
        let signed = signer.attributes.to_der().ok()?;
        verify(certificate, &signed, signer.signature.as_bytes(), &signer.algorithm)
    };
    genuine().ok_or(problems::STAMP_NOT_GENUINE)
}

/// Whether a certificate is for stamping times and nothing else, and says nothing critical that is not
/// understood here (RFC 3161, 2.3). Nothing when it cannot be read.
fn is_for_stamps(certificate: &Certificate) -> Option<bool> {
    let body = certificate.tbs_certificate();
    let (critical, purposes) = body.get_extension::<ExtendedKeyUsage>().ok()??;
    let signs_alone = match body.get_extension::<KeyUsage>().ok()? {
        Some((_, usage)) => {
            let signs = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
            !usage.0.is_empty() && signs.contains(usage.0)
        }
        None => true,
    };
    let is_authority = match body.get_extension::<BasicConstraints>().ok()? {
        Some((_, constraints)) => constraints.ca,
        None => false,
    };
    let understood = [ExtendedKeyUsage::OID, KeyUsage::OID, BasicConstraints::OID];
    let unknown =
        |extension: &Extension| extension.critical && !understood.contains(&extension.extn_id);
    let unknown = body.extensions().is_some_and(|list| list.iter().any(unknown));
    let alone = critical && purposes.0 == [TIME_STAMPING];
    Some(alone && signs_alone && !is_authority && !unknown)
}

/// GeneralizedTime in UTC, with or without a fraction.
fn time_of(value: &Any) -> Option<OffsetDateTime> {
    let text = (value.tag() == Tag::GeneralizedTime).then(|| value.value())?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let form = format_description!("[year][month][day][hour][minute][second]");
    let whole = PrimitiveDateTime::parse(whole, form).ok()?.assume_utc();
    if fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    whole.replace_nanosecond(format!("{fraction:0<9}").parse().ok()?).ok()
}

#[cfg(test)]
mod tests;
