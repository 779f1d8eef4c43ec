//! Who vouches for the certificates of a package: a root that is trusted, over the links of its later keys, and the
//! authorities below. Judged is how it was when the package was made.

use time::OffsetDateTime;
use x509_cert::Certificate;

use crate::command::authority::{
    is_made_by,
    trust::{begin, is_authority, is_link, lists, same_holder},
};

/// Most links of a path, the root's certificates among them.
const MAX_LINKS: usize = 6;

/// The authorities that follow from a root, at a time.
pub(super) struct Trusted {
    /// The root that all rests on.
    pub(super) root: Certificate,
    /// Those that it vouches for, itself included.
    authorities: Vec<Certificate>,
    /// All that are enclosed, whoever vouches for them.
    enclosed: Vec<Certificate>,
}

impl Trusted {
    /// What follows from `root` of the certificates that are enclosed.
    pub(super) fn from(
        root: Certificate,
        enclosed: &[Certificate],
        at: OffsetDateTime,
    ) -> Option<Self> {
        is_authority(&root, at)?;
        is_made_by(&root, &root)?;
        let mut roots = vec![root.clone()];
        // A key of the root vouches for its later keys, never for those of before.
        for _ in 1..MAX_LINKS {
            let next = enclosed.iter().filter(|it| !roots.contains(it));
            let next = next.filter(|link| {
                roots.iter().any(|root| {
                    is_link(root, link, at).is_some()
                        || same_holder(root, link)
                            && begin(root) <= begin(link)
                            && is_authority(link, at).is_some()
                })
            });
            let next: Vec<_> = next.cloned().collect();
            if next.is_empty() {
                break;
            }
            roots.extend(next);
        }
        let below = enclosed.iter().filter(|authority| {
            is_authority(authority, at).is_some()
                && roots
                    .iter()
                    .any(|root| named(root, authority) && is_made_by(root, authority).is_some())
        });
        let mut authorities = roots.clone();
        authorities.extend(below.filter(|it| !roots.contains(it)).cloned());
        Some(Self { root, authorities, enclosed: enclosed.to_vec() })
    }

    /// The root among those enclosed from which most follows: the latest that vouches for itself.
    pub(super) fn enclosed(enclosed: &[Certificate], at: OffsetDateTime) -> Option<Self> {
        let own = enclosed.iter().filter(|it| named(it, it) && is_made_by(it, it).is_some());
        let own = own.filter_map(|root| Self::from(root.clone(), enclosed, at));
        own.max_by_key(|it| (it.authorities.len(), std::cmp::Reverse(begin(&it.root))))
    }

    /// Without authorities of which this holds. The root stays: nobody else says of it that it is out.
    pub(super) fn without(mut self, is_out: impl Fn(&Certificate) -> bool) -> Self {
        let root = self.root.clone();
        self.authorities.retain(|authority| *authority == root || !is_out(authority));
        self
    }

    pub(super) fn authorities(&self) -> &[Certificate] {
        &self.authorities
    }

    /// The authority that made a certificate.
    pub(super) fn issuer(&self, certificate: &Certificate) -> Issuer<'_> {
        let made =
            |it: &&Certificate| named(it, certificate) && is_made_by(it, certificate).is_some();
        match self.authorities.iter().find(made) {
            Some(issuer) => Issuer::Known(issuer),
            None if self.enclosed.iter().any(|it| made(&it)) => Issuer::Unknown,
            None if self.enclosed.iter().any(|it| named(it, certificate)) => Issuer::Forged,
            None => Issuer::Unknown,
        }
    }

    /// Whether a list that nobody made who is trusted was made by anybody who is enclosed.
    pub(super) fn is_anyones(&self, list: &[u8]) -> bool {
        self.enclosed.iter().any(|authority| lists(authority, list).is_some())
    }
}

/// Who made a certificate.
pub(super) enum Issuer<'t> {
    /// This one did.
    Known(&'t Certificate),
    /// It names an authority that is enclosed, and that did not make it.
    Forged,
    /// Nobody who is trusted did.
    Unknown,
}

/// Whether one names the other as its issuer.
fn named(issuer: &Certificate, certificate: &Certificate) -> bool {
    issuer.tbs_certificate().subject() == certificate.tbs_certificate().issuer()
}

/// Whether a certificate was valid at a time.
pub(super) fn was_valid(certificate: &Certificate, at: OffsetDateTime) -> bool {
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    (begin(certificate)..=OffsetDateTime::UNIX_EPOCH + end).contains(&at)
}

/// Certificates in PEM.
pub(super) fn read(pem: &[u8]) -> Option<Vec<Certificate>> {
    Certificate::load_pem_chain(pem).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use der::{
        Decode as _, Encode as _,
        asn1::{BitString, UtcTime},
    };
    use x509_cert::time::Time;

    use super::*;
    use crate::identity::{
        ClientKey,
        sample::{algorithm, name, tlv},
    };

    const ROOT: &str = "CN=ca-root,O=county";
    const PEOPLE: &str = "CN=ca-people,O=county";
    /// basicConstraints of an authority, and of nobody.
    const CONSTRAINTS: [&[u8]; 2] = [
        b"\x30\x0c\x30\x0a\x06\x03\x55\x1d\x13\x04\x03\x30\x01\x00",
        b"\x30\x11\x30\x0f\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff",
    ];

    fn new_year(after_1970: u64) -> Duration {
        Duration::from_secs(after_1970 * 365 * 86_400)
    }

    fn now(after_1970: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + new_year(after_1970)
    }

    /// A certificate for twenty years, of an authority where `authority` is 1.
    fn certified(
        (subject, key): (&str, &ClientKey),
        (issuer, by): (&str, &ClientKey),
        begin: u64,
        authority: usize,
    ) -> Certificate {
        let time = |year| {
            Time::from(UtcTime::from_unix_duration(new_year(year)).unwrap()).to_der().unwrap()
        };
        let validity = tlv(0x30, &[time(begin), time(begin + 20)].concat());
        let (version, serial) = (tlv(0xa0, &tlv(2, &[2])), tlv(2, &[7]));
        let extensions = tlv(0xa3, CONSTRAINTS[authority]);
        let body = [
            version,
            serial,
            algorithm(),
            name(issuer),
            validity,
            name(subject),
            key.public_key_der(),
            extensions,
        ];
        let body = tlv(0x30, &body.concat());
        let signature = BitString::from_bytes(&by.sign_der(&body)).unwrap().to_der().unwrap();
        let der = tlv(0x30, &[body, algorithm(), signature].concat());
        Certificate::from_der(&der).unwrap()
    }

    fn is_known(trusted: &Trusted, certificate: &Certificate) -> bool {
        matches!(trusted.issuer(certificate), Issuer::Known(_))
    }

    #[test]
    fn a_root_vouches_for_its_later_keys_and_never_for_those_of_before() {
        let keys: [ClientKey; 4] = std::array::from_fn(|_| ClientKey::generate().unwrap());
        let [first, second, people, person] = &keys;
        let roots = [(first, 1), (second, 2)]
            .map(|(key, begin)| certified((ROOT, key), (ROOT, key), begin, 1));
        let link = certified((ROOT, second), (ROOT, first), 2, 1);
        let back = certified((ROOT, first), (ROOT, second), 1, 1);
        let below = [first, second].map(|root| certified((PEOPLE, people), (ROOT, root), 3, 1));
        let holder = certified(("CN=holder", person), (PEOPLE, people), 4, 0);
        let [old, new] = &roots;
        let all = [old.clone(), new.clone(), link, back, below[0].clone(), below[1].clone()];
        for root in &roots {
            assert!(is_known(&Trusted::from(root.clone(), &all, now(5)).unwrap(), &holder));
        }
        // What only the root of before made is nothing to the later one.
        let before = [old.clone(), new.clone(), all[2].clone(), all[3].clone(), below[0].clone()];
        assert!(is_known(&Trusted::from(old.clone(), &before, now(5)).unwrap(), &holder));
        let later = Trusted::from(new.clone(), &before, now(5)).unwrap();
        assert!(matches!(later.issuer(&holder), Issuer::Unknown));
        // Enclosed, that root is taken from which most follows.
        assert_eq!(Trusted::enclosed(&before, now(5)).unwrap().root, *old);
        for (what, at) in [("before its beginning", 0), ("after its end", 22)] {
            assert!(Trusted::from(old.clone(), &all, now(at)).is_none(), "{what}");
        }
        // Nobody who is no authority vouches for anybody, nor does a root that did not sign itself.
        let clerk = certified((PEOPLE, people), (ROOT, first), 3, 0);
        let trusted = Trusted::from(old.clone(), &[old.clone(), clerk], now(5)).unwrap();
        assert!(!is_known(&trusted, &holder));
        assert!(
            Trusted::from(certified((ROOT, first), (ROOT, second), 1, 1), &all, now(5)).is_none()
        );
        // A certificate that its authority did not make is forged, whoever else did.
        let forged = certified(("CN=holder", person), (PEOPLE, second), 4, 0);
        let trusted = Trusted::from(old.clone(), &all, now(5)).unwrap();
        assert!(matches!(trusted.issuer(&forged), Issuer::Forged));
    }
}
