//! How certificates stood when a package was made: the revocation lists and the answer (OCSP) in it.

use der::{Decode as _, asn1::ObjectIdentifier, oid::AssociatedOid as _};
use time::OffsetDateTime;
use x509_cert::{
    Certificate,
    crl::CertificateList,
    ext::pkix::{BaseCrlNumber, IssuingDistributionPoint},
};

use super::chain::{Issuer, Trusted};
use crate::{
    certificate_status::{Answer, Question},
    command::authority::trust::lists,
};

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

    fn of(&self, certificate: &Certificate) -> impl Iterator<Item = &CertificateList> {
        let issuer = certificate.tbs_certificate().issuer().clone();
        self.0.iter().filter(move |it| it.tbs_cert_list.issuer == issuer)
    }
}

/// Whether a list has all that its issuer revoked: not those of a range of serial numbers, or since another list.
fn is_whole(list: &CertificateList) -> bool {
    const PARTIAL: [ObjectIdentifier; 2] = [IssuingDistributionPoint::OID, BaseCrlNumber::OID];
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
