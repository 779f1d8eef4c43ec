//! What a root that somebody trusts says of all that a service publishes: a root that gets another key certifies it
//! with the one before (link certificates, RFC 4210, 4.4), and each root certifies its authorities.

use der::{Decode as _, Encode as _};
use proto::v1::AuthoritiesResponse;
use time::OffsetDateTime;
use x509_cert::{Certificate, crl::CertificateList, ext::pkix::BasicConstraints};

use super::{decoded, is_made_by};
use crate::certificate_status::verify;

/// Whether `known` is the root in force, or vouches for it over the links, and everything that is published follows
/// from that root and from those before it.
pub(super) fn follows(
    known: &Certificate,
    found: &AuthoritiesResponse,
    now: OffsetDateTime,
) -> Option<()> {
    let root = decoded(&found.root)?;
    let mut roots = Vec::new();
    let mut at = known.clone();
    for succeeded in &found.succeeded {
        let link = decoded(&succeeded.new_with_old)?;
        // The roots before the one that is known are passed over.
        if is_link(&at, &link, now).is_some() {
            at = link;
        }
        roots.push(decoded(&succeeded.root)?);
    }
    is_authority(&root, now)?;
    (same_holder(&at, &root) && begin(&at) <= begin(&root)).then_some(())?;
    roots.push(root);
    for (pair, succeeded) in roots.windows(2).zip(&found.succeeded) {
        let [before, next] = pair else { return None };
        is_made_by(before, before)?;
        let [forth, back] =
            [&succeeded.new_with_old, &succeeded.old_with_new].map(|it| decoded(it));
        let (forth, back) = (forth?, back?);
        is_made_by(before, &forth)?;
        is_made_by(next, &back)?;
        (same_holder(&forth, next) && same_holder(&back, before)).then_some(())?;
        lists(before, &succeeded.last_list)?;
    }
    let root = roots.last()?;
    let mut authorities = vec![root.clone()];
    for der in &found.issuers {
        let issuer = decoded(der)?;
        is_made_by(root, &issuer)?;
        is_authority(&issuer, now)?;
        authorities.push(issuer);
    }
    let by_one =
        |der: &Vec<u8>| authorities.iter().any(|authority| lists(authority, der).is_some());
    found.revocation_lists.iter().all(by_one).then_some(())
}

/// Whether `from` made this link, to a key that it got later and never back to one that it had before.
pub(in crate::command) fn is_link(
    from: &Certificate,
    link: &Certificate,
    now: OffsetDateTime,
) -> Option<()> {
    is_authority(link, now)?;
    let body = link.tbs_certificate();
    (body.issuer() == body.subject()).then_some(())?;
    (body.subject() == from.tbs_certificate().subject()).then_some(())?;
    (begin(from) <= begin(link)).then_some(())?;
    is_made_by(from, link)
}

/// Whether the certificate is an authority's, and valid.
pub(in crate::command) fn is_authority(
    certificate: &Certificate,
    now: OffsetDateTime,
) -> Option<()> {
    let body = certificate.tbs_certificate();
    let (_, constraints) = body.get_extension::<BasicConstraints>().ok()??;
    let end = OffsetDateTime::UNIX_EPOCH + body.validity().not_after.to_unix_duration();
    (constraints.ca && (begin(certificate)..=end).contains(&now)).then_some(())
}

/// Whether the authority made this revocation list.
pub(in crate::command) fn lists(authority: &Certificate, der: &[u8]) -> Option<()> {
    let list: CertificateList = CertificateList::from_der(der).ok()?;
    let body = list.tbs_cert_list.to_der().ok()?;
    (list.tbs_cert_list.issuer == *authority.tbs_certificate().subject()).then_some(())?;
    verify(authority, &body, list.signature.as_bytes()?, &list.signature_algorithm)
}

pub(in crate::command) fn begin(certificate: &Certificate) -> OffsetDateTime {
    let validity = certificate.tbs_certificate().validity();
    OffsetDateTime::UNIX_EPOCH + validity.not_before.to_unix_duration()
}

/// Whether both are certificates of one name and key.
pub(in crate::command) fn same_holder(one: &Certificate, other: &Certificate) -> bool {
    let [one, other] = [one, other].map(Certificate::tbs_certificate);
    one.subject() == other.subject()
        && one.subject_public_key_info() == other.subject_public_key_info()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use der::asn1::{BitString, UtcTime};
    use proto::v1::SucceededRoot;
    use x509_cert::time::Time;

    use super::*;
    use crate::identity::{
        ClientKey,
        sample::{algorithm, name, tlv},
    };

    const ROOT: &str = "CN=ca-root,O=county";
    /// basicConstraints of an authority.
    const AUTHORITY: [u8; 19] =
        *b"\x30\x11\x30\x0f\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff";

    fn new_year(after_1970: u64) -> Duration {
        Duration::from_secs(after_1970 * 365 * 86_400)
    }

    fn now(after_1970: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + new_year(after_1970)
    }

    fn time(year: u64) -> Vec<u8> {
        Time::from(UtcTime::from_unix_duration(new_year(year)).unwrap()).to_der().unwrap()
    }

    fn signed(by: &ClientKey, body: &[Vec<u8>]) -> Vec<u8> {
        let body = tlv(0x30, &body.concat());
        let signature = BitString::from_bytes(&by.sign_der(&body)).unwrap().to_der().unwrap();
        tlv(0x30, &[body, algorithm(), signature].concat())
    }

    /// An authority's certificate by the root, for twenty years.
    fn certified(holder: &ClientKey, subject: &str, by: &ClientKey, begin: u64) -> Vec<u8> {
        let validity = tlv(0x30, &[time(begin), time(begin + 20)].concat());
        let (version, serial) = (tlv(0xa0, &tlv(2, &[2])), tlv(2, &[7]));
        let (key, extensions) = (holder.public_key_der(), tlv(0xa3, &AUTHORITY));
        let names = (name(ROOT), name(subject));
        signed(by, &[version, serial, algorithm(), names.0, validity, names.1, key, extensions])
    }

    fn list(by: &ClientKey) -> Vec<u8> {
        signed(by, &[tlv(2, &[1]), algorithm(), name(ROOT), time(1)])
    }

    /// What a service publishes whose root got another key each year.
    fn published(keys: &[ClientKey]) -> AuthoritiesResponse {
        let root = |at: usize| certified(&keys[at], ROOT, &keys[at], at as u64);
        let succeeded = |at: usize| SucceededRoot {
            root: root(at),
            new_with_old: certified(&keys[at + 1], ROOT, &keys[at], at as u64 + 1),
            old_with_new: certified(&keys[at], ROOT, &keys[at + 1], at as u64),
            last_list: list(&keys[at]),
        };
        let last = keys.len() - 1;
        let people = ClientKey::generate().unwrap();
        AuthoritiesResponse {
            root: root(last),
            issuers: vec![certified(&people, "CN=ca-people,O=county", &keys[last], last as u64)],
            revocation_lists: vec![list(&keys[last])],
            succeeded: (0..last).map(succeeded).collect(),
            identifiers: Vec::new(),
        }
    }

    fn keys<const N: usize>() -> [ClientKey; N] {
        [(); N].map(|()| ClientKey::generate().unwrap())
    }

    #[test]
    fn every_root_that_there_was_leads_to_the_one_in_force() {
        let found = published(&keys::<3>());
        let known: Vec<_> =
            found.succeeded.iter().map(|it| &it.root).chain([&found.root]).collect();
        for root in &known {
            assert!(follows(&decoded(root).unwrap(), &found, now(3)).is_some());
        }
        let first = decoded(known[0]).unwrap();
        assert!(follows(&first, &found, now(23)).is_none(), "after its end");
        let stranger = decoded(&published(&keys::<1>()).root).unwrap();
        assert!(follows(&stranger, &found, now(3)).is_none());
    }

    #[test]
    fn what_the_known_root_does_not_vouch_for_is_refused() {
        let (good, foreign) = (published(&keys::<2>()), published(&keys::<2>()));
        let [old, new] = [&good.succeeded[0].root, &good.root].map(|der| decoded(der).unwrap());
        type Change = fn(&mut AuthoritiesResponse, &AuthoritiesResponse);
        #[rustfmt::skip]
        let cases: [(&str, Change); 8] = [
            ("another's root", |it, other| it.root.clone_from(&other.root)),
            ("another's authority", |it, other| it.issuers.clone_from(&other.issuers)),
            ("another's list", |it, other| it.revocation_lists.clone_from(&other.revocation_lists)),
            ("another's last list", |it, other| it.succeeded[0].last_list.clone_from(&other.succeeded[0].last_list)),
            ("another's root of before", |it, other| it.succeeded[0].root.clone_from(&other.succeeded[0].root)),
            ("another's link", |it, other| it.succeeded[0].new_with_old.clone_from(&other.succeeded[0].new_with_old)),
            ("another's link back", |it, other| it.succeeded[0].old_with_new.clone_from(&other.succeeded[0].old_with_new)),
            ("no certificate", |it, _| it.root.truncate(9)),
        ];
        for (what, change) in cases {
            let mut found = good.clone();
            change(&mut found, &foreign);
            for known in [&old, &new] {
                assert!(follows(known, &found, now(2)).is_none(), "{what}");
            }
        }
    }

    /// Whoever trusts the new root is not led back to the one before, whose key may be lost since.
    #[test]
    fn no_link_leads_back() {
        let [first, second] = keys();
        let good = published(&[first, second]);
        let [old, new] = [&good.succeeded[0].root, &good.root].map(|der| decoded(der).unwrap());
        let link = good.succeeded[0].old_with_new.clone();
        let back = SucceededRoot { new_with_old: link, ..good.succeeded[0].clone() };
        let mut found = AuthoritiesResponse {
            root: good.succeeded[0].root.clone(),
            ..AuthoritiesResponse::default()
        };
        assert!(follows(&old, &found, now(2)).is_some() && follows(&new, &found, now(2)).is_none());
        found.succeeded.push(back);
        assert!(follows(&new, &found, now(2)).is_none());
    }
}
