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
    let name = |text: &str| Name::from_str(text).unwrap().to_der().unwrap();
    let algorithm = AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None };
    let algorithm = algorithm.to_der().unwrap();
    let time = |at| Time::from(UtcTime::from_unix_duration(at).unwrap()).to_der().unwrap();
    let day = Duration::from_secs(86_400);
    let validity = tlv(0x30, &[time(day), time(2 * day)].concat());
    let body = [
        tlv(0xa0, &tlv(2, &[2])),
        tlv(2, &[serial]),
        algorithm.clone(),
        name("CN=issuer"),
        validity,
        name("CN=holder"),
        key.public_key_der(),
    ];
    let body = tlv(0x30, &body.concat());
    let signature = BitString::from_bytes(&[0; 8]).unwrap().to_der().unwrap();
    Certificate::parse(tlv(0x30, &[body, algorithm, signature].concat())).unwrap()
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
