//! The certificates that vouch for all others, and the lists of what was revoked.

use std::sync::{PoisonError, RwLock};

use ca::chain::{Anchors, Path, Purpose};
use ca::crl::{Crl, Edition, Revocation};
use ca::{Authority, BadName, Certificate, ChainError, IssueError, Issuer, Order, Profile, Serial};
use hsm::{KeyError, Sm2Signer};

use super::Error;
use crate::{
    clock::UtcTime,
    keys::{AUTHORITIES, Keys, authority_name},
};

/// How long a revocation list is good for. It is replaced well before.
const LIST_LIFE: time::Duration = time::Duration::days(7);

/// How far a list is dated back, so that it is good at once for verifiers whose clock is behind.
const CLOCK_SKEW: time::Duration = time::Duration::minutes(5);

/// The authorities of a service.
pub struct Authorities {
    issuers: Vec<Issuer>,
    anchors: RwLock<Anchors>,
}

/// Why the authorities could not be made or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A certificate could not be issued.
    #[error("issuing the certificate of an authority")]
    Issue(#[from] IssueError),
    /// The certificates on record do not fit together.
    #[error("checking the certificates of the authorities")]
    Chain(#[from] ChainError),
    /// A certificate or list on record cannot be read.
    #[error("reading the {0} on record")]
    Record(&'static str),
    /// The service's name does not fit into a certificate.
    #[error("naming an authority")]
    Name(#[source] BadName),
    /// A key of an authority is not in the keystore.
    #[error("using the key of an authority")]
    Key(#[from] KeyError),
    /// There is no randomness for a serial number.
    #[error("making a serial number")]
    Serial(#[from] Box<Error>),
    /// The certificate on record is for another key than the keystore's.
    #[error("the certificate of {0} is for another key than the keystore's")]
    OtherKey(&'static str),
}

impl Authorities {
    /// Makes the certificates of the root and of the authorities below it, root first.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn found(
        keys: &Keys,
        organization: &str,
        serial: impl Fn() -> Result<Serial, Error>,
        now: UtcTime,
    ) -> Result<Vec<(Authority, Certificate)>, AuthorityError> {
        let root_key = keys.authority(Authority::Root)?;
        let order = |authority, key: &dyn Sm2Signer| {
            let profile = match authority {
                Authority::Root => Profile::Root,
                _ => Profile::IssuingAuthority,
            };
            let subject = ca::Name::of_authority(organization, authority_name(authority))
                .map_err(AuthorityError::Name)?;
            Ok::<_, AuthorityError>(Order {
                profile,
                subject,
                public_key: key.public_key().clone(),
                days: None,
            })
        };
        let root = Issuer::draft_root(
            order(Authority::Root, &*root_key)?,
            serial().map_err(Box::new)?,
            now,
        )?
        .sign(&*root_key)?;
        let above = Issuer::new(root.clone(), Authority::Root)?;
        let mut certificates = vec![(Authority::Root, root)];
        for authority in AUTHORITIES.into_iter().skip(1) {
            let key = keys.authority(authority)?;
            let draft = above.draft(order(authority, &*key)?, serial().map_err(Box::new)?, now)?;
            certificates.push((authority, draft.sign(&*root_key)?));
        }
        Ok(certificates)
    }

    /// Takes the authorities on record, root first, with their newest lists. What they issue says
    /// that lists, certificates and status are found below `public_url`.
    ///
    /// # Errors
    /// [`AuthorityError`] when certificates, keys and lists do not belong together.
    pub fn load(
        keys: &Keys,
        certificates: Vec<(Authority, Certificate)>,
        lists: impl IntoIterator<Item = Crl>,
        public_url: Option<&str>,
    ) -> Result<Self, AuthorityError> {
        let mut anchors: Option<Anchors> = None;
        let mut issuers = Vec::new();
        for (authority, certificate) in certificates {
            if keys.authority(authority)?.public_key() != certificate.public_key() {
                return Err(AuthorityError::OtherKey(authority_name(authority)));
            }
            match &mut anchors {
                None => anchors = Some(Anchors::new(certificate.clone())?),
                Some(anchors) => anchors.add_issuer(certificate.clone())?,
            }
            let mut issuer = Issuer::new(certificate, authority)?;
            if let Some(url) = public_url {
                let name = authority_name(authority);
                issuer = issuer
                    .with_crl_url(&format!("{url}/crl/{name}.crl"))?
                    .with_issuer_url(&format!("{url}/ca/{name}.cer"))?
                    .with_status_url(&format!("{url}/ocsp"))?;
            }
            issuers.push(issuer);
        }
        let mut anchors = anchors.ok_or(AuthorityError::Record("root certificate"))?;
        for list in lists {
            anchors.add_crl(list)?;
        }
        Ok(Self { issuers, anchors: RwLock::new(anchors) })
    }

    /// The authority as an issuer.
    pub(crate) fn issuer(&self, authority: Authority) -> Result<&Issuer, AuthorityError> {
        self.issuers
            .iter()
            .find(|issuer| issuer.authority() == authority)
            .ok_or(AuthorityError::Record("certificate of an authority"))
    }

    /// All authorities, the root first.
    pub(crate) fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// Makes the next list of an authority. It is put into use by [`adopt`](Self::adopt).
    pub(crate) fn next_list(
        &self,
        keys: &Keys,
        authority: Authority,
        number: u64,
        revoked: &[Revocation],
        now: UtcTime,
    ) -> Result<Crl, AuthorityError> {
        let this_update = now.replace_nanosecond(0).unwrap_or(now) - CLOCK_SKEW;
        let edition = Edition { number, this_update, next_update: this_update + LIST_LIFE };
        let draft = self.issuer(authority)?.draft_crl(edition, revoked)?;
        Ok(draft.sign(&*keys.authority(authority)?)?)
    }

    /// Puts a list into use.
    pub(crate) fn adopt(&self, list: Crl) -> Result<(), AuthorityError> {
        Ok(self.anchors.write().unwrap_or_else(PoisonError::into_inner).add_crl(list)?)
    }

    /// Authorities whose list is over by then, with its end; without one for those that have no list.
    pub(crate) fn lists_over_by(&self, at: UtcTime) -> Vec<(Authority, Option<UtcTime>)> {
        self.with_anchors(|anchors| {
            let end = |issuer: &Issuer| {
                let subject = issuer.certificate().subject();
                let list = anchors.crls().find(|list| list.issuer() == subject)?;
                Some(list.edition().next_update)
            };
            let ends = self.issuers.iter().map(|issuer| (issuer.authority(), end(issuer)));
            ends.filter(|(_, end)| end.is_none_or(|end| end <= at)).collect()
        })
    }

    /// Whether a certificate may be relied on now.
    pub(crate) fn verify(
        &self,
        leaf: &Certificate,
        purpose: Purpose,
        now: UtcTime,
    ) -> Result<Path, ChainError> {
        self.with_anchors(|anchors| anchors.verify(leaf, purpose, now))
    }

    /// Lends the anchors.
    pub(crate) fn with_anchors<T>(&self, look: impl FnOnce(&Anchors) -> T) -> T {
        look(&self.anchors.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use hsm::soft::{Iterations, Passphrase, SoftKeystore};
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::{keys, registrar::new_serial};

    #[test]
    fn lists_that_end_are_told_before_they_do() {
        let now = datetime!(2026-11-26 08:00 UTC);
        let place = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::from_string("right".to_owned().into()).unwrap();
        let path = place.path().join("keystore.hck");
        let mut keystore =
            SoftKeystore::create_with(&path, &passphrase, Iterations::MINIMUM).unwrap();
        for (key, key_use) in keys::required().filter(|(key, _)| key.name().starts_with("ca-")) {
            keystore.generate(&key, key_use).unwrap();
        }
        keystore.save().unwrap();
        let keys = Keys::new(keystore, Ok(()));
        let certificates = Authorities::found(&keys, "county", new_serial, now).unwrap();
        let authorities = Authorities::load(&keys, certificates, [], None).unwrap();
        let none: Vec<_> = AUTHORITIES.map(|authority| (authority, None)).into();
        assert_eq!(authorities.lists_over_by(now), none);

        for authority in AUTHORITIES {
            let list = authorities.next_list(&keys, authority, 1, &[], now).unwrap();
            authorities.adopt(list).unwrap();
        }
        let end = now - CLOCK_SKEW + LIST_LIFE;
        assert_eq!(authorities.lists_over_by(end - Duration::SECOND), []);
        let all: Vec<_> = AUTHORITIES.map(|authority| (authority, Some(end))).into();
        assert_eq!(authorities.lists_over_by(end), all);
    }
}
