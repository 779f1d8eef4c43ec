//! Certificates for tests, as far as their holder looks into them: nobody signed them.

use std::{str::FromStr as _, time::Duration};

use der::{
    Encode as _,
    asn1::{BitString, ObjectIdentifier, UtcTime},
};
use x509_cert::{name::Name, spki::AlgorithmIdentifierOwned, time::Time};

use super::{Certificate, ClientKey};

const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// A certificate for this key with this serial number.
pub(crate) fn certificate(key: &ClientKey, serial: u8) -> Certificate {
    certificate_of(key, serial, "CN=holder")
}

/// A certificate for this key with this serial number and subject.
pub(crate) fn certificate_of(key: &ClientKey, serial: u8, subject: &str) -> Certificate {
    let validity = tlv(0x30, &[day(1), day(2)].concat());
    let version = tlv(0xa0, &tlv(2, &[2]));
    let serial = tlv(2, &[serial]);
    let (issuer, subject) = (name("CN=issuer,O=county"), name(subject));
    let body = [version, serial, algorithm(), issuer, validity, subject, key.public_key_der()];
    Certificate::parse(signed(&body)).unwrap()
}

/// The part of a certificate that is signed, with extensions, valid for many years.
pub(crate) fn body_of(key: &ClientKey, serial: u8, subject: &str, extensions: &[u8]) -> Vec<u8> {
    let until = Time::from(UtcTime::from_unix_duration(Duration::from_secs(0x9000_0000)).unwrap());
    let validity = tlv(0x30, &[day(1), until.to_der().unwrap()].concat());
    let version = tlv(0xa0, &tlv(2, &[2]));
    let (issuer, subject) = (name("CN=issuer,O=county"), name(subject));
    let key = key.public_key_der();
    let extensions = tlv(0xa3, extensions);
    let parts =
        [version, tlv(2, &[serial]), algorithm(), issuer, validity, subject, key, extensions];
    tlv(0x30, &parts.concat())
}

/// A list of this issuer that revokes nothing.
pub(crate) fn revocation_list(issuer: &str) -> Vec<u8> {
    signed(&[tlv(2, &[1]), algorithm(), name(issuer), day(1)])
}

fn signed(body: &[Vec<u8>]) -> Vec<u8> {
    let signature = BitString::from_bytes(&[0; 8]).unwrap().to_der().unwrap();
    tlv(0x30, &[tlv(0x30, &body.concat()), algorithm(), signature].concat())
}

/// AlgorithmIdentifier of SM2 with SM3.
pub(crate) fn algorithm() -> Vec<u8> {
    AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None }.to_der().unwrap()
}

/// A name, DER.
pub(crate) fn name(text: &str) -> Vec<u8> {
    Name::from_str(text).unwrap().to_der().unwrap()
}

/// A day of January 1970.
fn day(after_the_first: u64) -> Vec<u8> {
    let at = Duration::from_secs(after_the_first * 86_400);
    Time::from(UtcTime::from_unix_duration(at).unwrap()).to_der().unwrap()
}

/// One element of DER.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..=127) => bytes.push(short),
        Ok(long) => bytes.extend([0x81, long]),
        Err(_) => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}
