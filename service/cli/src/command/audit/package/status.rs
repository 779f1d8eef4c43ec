//! How certificates stood when a package was made: the revocation lists and the answer (OCSP) in it.

use der::{Decode as _, asn1::ObjectIdentifier, oid::AssociatedOid as _};
use time::OffsetDateTime;
use x509_cert::{Certificate, crl::CertificateList, ext::pkix::BaseCrlNumber};

use super::chain::{Issuer, Trusted};
use crate::{
    certificate_status::{Answer, Question},
    command::authority::trust::lists,
};

/// IssuingDistributionPoint (RFC 5280 5.2.5), for which `x509-cert` has another's identifier.
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

/// The revocation lists of the authorities.
pub(super) struct Lists(Vec<CertificateList>);

impl Lists {
    /// Reads those of trusted authorities; gives the names of those that nobody made who is enclosed, too.
    pub(super) fn read(found: &[(String, Vec<u8>)], trusted: &Trusted) -> (Self, Vec<String>) {
        let (mut known, mut forged) = (Vec::new(), Vec::new());
        for (name, der) in found {
            let made = |authority: &Certificate| lists(authority, der).is_some();
            let list =
                trusted.authorities().iter().any(made).then(|| CertificateList::from_der(der));
            match list {
                Some(Ok(list)) => known.push(list),
                _ if trusted.is_anyones(der) => {}
                _ => forged.push(name.clone()),
            }
        }
        (Self(known), forged)
    }

    /// Whether there is a list of all that whoever made this certificate revoked, as it stood at a time.
    pub(super) fn cover(&self, certificate: &Certificate, at: OffsetDateTime) -> bool {
        self.of(certificate).any(|it| is_whole(it) && was_current(it, at))
    }

    /// Since when a certificate was revoked, if it was.
    pub(super) fn revoked(&self, certificate: &Certificate) -> Option<OffsetDateTime> {
        let serial = certificate.tbs_certificate().serial_number();
        let entries = self.of(certificate).flat_map(|it| &it.tbs_cert_list.revoked_certificates);
        let entry = entries.flatten().find(|it| it.serial_number == *serial)?;
        Some(OffsetDateTime::UNIX_EPOCH + entry.revocation_date.to_unix_duration())
    }

    /// Whether any of them has this serial number, hexadecimal.
    pub(super) fn name(&self, serial: &str) -> bool {
        let entries = self.0.iter().flat_map(|it| &it.tbs_cert_list.revoked_certificates).flatten();
        entries.into_iter().any(|it| hex::encode(it.serial_number.as_bytes()) == serial)
    }

    fn of(&self, certificate: &Certificate) -> impl Iterator<Item = &CertificateList> {
        let issuer = certificate.tbs_certificate().issuer().clone();
        self.0.iter().filter(move |it| it.tbs_cert_list.issuer == issuer)
    }
}

/// Whether a list has all that its issuer revoked: not those of a range of serial numbers, or since another list.
fn is_whole(list: &CertificateList) -> bool {
    const PARTIAL: [ObjectIdentifier; 2] = [ISSUING_DISTRIBUTION_POINT, BaseCrlNumber::OID];
    let extensions = list.tbs_cert_list.crl_extensions.iter().flatten();
    !extensions.into_iter().any(|it| PARTIAL.contains(&it.extn_id))
}

fn was_current(list: &CertificateList, at: OffsetDateTime) -> bool {
    let time = |time: x509_cert::time::Time| OffsetDateTime::UNIX_EPOCH + time.to_unix_duration();
    let list = &list.tbs_cert_list;
    time(list.this_update) <= at && list.next_update.is_some_and(|next| at <= time(next))
}

/// What the answer about a certificate says, as it could be relied on then.
pub(super) fn answered(
    certificate: &Certificate,
    answer: &[u8],
    trusted: &Trusted,
    at: OffsetDateTime,
) -> Option<Answer> {
    let Issuer::Known(issuer) = trusted.issuer(certificate) else { return None };
    let question = Question::asked(issuer, certificate.tbs_certificate().serial_number())?;
    question.read(answer, at).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use der::{
        Encode as _,
        asn1::{BitString, UtcTime},
    };

    use super::*;
    use crate::identity::sample::{algorithm, name, tlv};

    /// crlExtensions with an empty IssuingDistributionPoint, and with a BaseCRLNumber.
    const PARTIAL: [&[u8]; 2] = [
        b"\x30\x0b\x30\x09\x06\x03\x55\x1d\x1c\x04\x02\x30\x00",
        b"\x30\x0c\x30\x0a\x06\x03\x55\x1d\x1b\x04\x03\x02\x01\x01",
    ];

    fn time(seconds: u64) -> Vec<u8> {
        UtcTime::from_unix_duration(Duration::from_secs(seconds)).unwrap().to_der().unwrap()
    }

    /// A list of second 1000 to second 2000 with number 7, and these extensions.
    fn list(extensions: &[u8]) -> CertificateList {
        let revoked = tlv(0x30, &tlv(0x30, &[tlv(2, &[7]), time(900)].concat()));
        let mut body = [tlv(2, &[1]), algorithm(), name("CN=ca"), time(1000), time(2000), revoked];
        let last = body.last_mut().unwrap();
        if !extensions.is_empty() {
            last.extend(tlv(0xa0, extensions));
        }
        let body = tlv(0x30, &body.concat());
        let signature = BitString::from_bytes(&[0]).unwrap().to_der().unwrap();
        CertificateList::from_der(&tlv(0x30, &[body, algorithm(), signature].concat())).unwrap()
    }

    #[test]
    fn a_list_says_that_somebody_is_not_on_it_where_it_is_whole_and_of_that_time() {
        let whole = list(b"");
        assert!(is_whole(&whole) && PARTIAL.iter().all(|it| !is_whole(&list(it))));
        let at = |seconds| {
            was_current(&whole, OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds))
        };
        assert_eq!([999, 1000, 2000, 2001].map(at), [false, true, true, false]);
        let lists = Lists(vec![whole]);
        assert!(lists.name("07") && !lists.name("08") && !lists.name(""));
    }
}
