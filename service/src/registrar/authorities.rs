//! The certificates that vouch for all others, and the lists of what was revoked.

use std::sync::{Arc, PoisonError, RwLock};

use ca::chain::{Anchors, Path, Purpose};
use ca::crl::{Changes, Crl, Edition, Revocation, Scope, SerialRange};
use ca::{Authority, BadName, Certificate, ChainError, IssueError, Issuer, Order, Profile, Serial};
use hsm::KeyError;

use super::{
    Error, SucceededRoot,
    list_names::{ListKind, ListName},
};
use crate::{
    clock::UtcTime,
    keys::{AUTHORITIES, Keys, authority_name},
};

/// How long a revocation list is good for. It is replaced well before.
const LIST_LIFE: time::Duration = time::Duration::days(7);

/// How far a list is dated back, so that it is good at once for verifiers whose clock is behind.
pub(super) const CLOCK_SKEW: time::Duration = time::Duration::minutes(5);

/// How the lists of an authority are divided, and where they are found.
#[derive(Clone, Debug, Default)]
pub struct ListPlan {
    /// Addresses below which certificates say that their lists are; the newest last. Without one all
    /// certificates of an authority are in one list.
    pub addresses: Vec<String>,
    /// Revoked certificates of one authority above which each range of serial numbers has a list of
    /// its own.
    pub ranges_above: usize,
}

/// The authorities of a service.
pub struct Authorities {
    issuers: Vec<Issuer>,
    plan: ListPlan,
    anchors: RwLock<Anchors>,
    succeeded: Vec<SucceededRoot>,
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
        let mut orders = Vec::new();
        for authority in AUTHORITIES {
            let subject = ca::Name::of_authority(organization, authority_name(authority));
            let (subject, serial) =
                (subject.map_err(AuthorityError::Name)?, serial().map_err(Box::new)?);
            orders.push(Founded { authority, subject, serial });
        }
        certify(keys, orders, now)
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
        plan: ListPlan,
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
                issuer = match authority {
                    // It certifies four authorities.
                    Authority::Root => issuer.with_crl_url(&format!("{url}/crl/{name}.crl"))?,
                    _ => issuer.with_ranged_crl_url(&format!("{url}/crl/{name}-"), ".crl")?,
                };
                issuer = issuer
                    .with_issuer_url(&format!("{url}/ca/{name}.cer"))?
                    .with_status_url(&format!("{url}/ocsp"))?;
            }
            issuers.push(issuer);
        }
        let mut anchors = anchors.ok_or(AuthorityError::Record("root certificate"))?;
        for list in lists {
            anchors.add_crl(list)?;
        }
        Ok(Self { issuers, plan, anchors: RwLock::new(anchors), succeeded: Vec::new() })
    }

    /// Believes what was issued below roots that were succeeded, the oldest first, by these certificates of
    /// the authorities of before.
    ///
    /// # Errors
    /// [`AuthorityError`] when they do not belong together.
    pub fn with_succeeded(
        self,
        roots: Vec<SucceededRoot>,
        issuers: impl IntoIterator<Item = Certificate>,
    ) -> Result<Self, AuthorityError> {
        let mut anchors = self.with_anchors(Anchors::clone);
        let root = |der: &[u8]| {
            Certificate::parse(der)
                .map_err(|_| AuthorityError::Record("root certificate of before"))
        };
        for succeeded in &roots {
            anchors.add_root(root(&succeeded.before)?)?;
        }
        for issuer in issuers {
            anchors.add_issuer(issuer)?;
        }
        for succeeded in &roots {
            let list = Crl::parse(&succeeded.last_list);
            anchors.add_crl(list.map_err(|_| AuthorityError::Record("last list of a root"))?)?;
        }
        Ok(Self { anchors: RwLock::new(anchors), succeeded: roots, ..self })
    }

    /// The roots that were succeeded, the oldest first.
    pub(crate) fn succeeded(&self) -> &[SucceededRoot] {
        &self.succeeded
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

    /// The complete lists that an authority makes when so many of its certificates are revoked: of all,
    /// for certificates that name no range, and of ranges. Once there are lists of ranges, they stay:
    /// certificates are looked for in them.
    pub(crate) fn parts(&self, authority: Authority, revoked: usize) -> Vec<ListName> {
        let mut parts = vec![ListName::complete(authority, None)];
        // Without an address there is no saying which list a certificate is in.
        let can_divide = !self.plan.addresses.is_empty() && authority != Authority::Root;
        if can_divide && (revoked > self.plan.ranges_above || self.has_ranges(authority)) {
            let ranges = SerialRange::all().map(Some);
            parts.extend(ranges.map(|range| ListName::complete(authority, range)));
        }
        parts
    }

    fn has_ranges(&self, authority: Authority) -> bool {
        self.with_anchors(|anchors| {
            let mut of_authority = anchors.crls().filter(|list| self.is_of(list, authority));
            of_authority.any(|list| *list.scope() != Scope::All)
        })
    }

    fn is_of(&self, list: &Crl, authority: Authority) -> bool {
        let issuer = self.issuer(authority);
        // Roots of before had the same name.
        issuer.is_ok_and(|issuer| list.names(issuer.certificate()))
    }

    /// Which certificates a list is about.
    fn scope(&self, name: ListName) -> Scope {
        let complete = ListName::complete(name.authority, name.range);
        match name.range {
            None => Scope::All,
            Some(_) => {
                Scope::Points(self.plan.addresses.iter().map(|url| complete.url(url)).collect())
            }
        }
    }

    /// Lends the list of this name that is in use.
    pub(crate) fn with_list<T>(
        &self,
        name: ListName,
        look: impl FnOnce(&Arc<Crl>) -> T,
    ) -> Option<T> {
        let scope = self.scope(name);
        let fits = |list: &&Arc<Crl>| self.is_of(list, name.authority) && *list.scope() == scope;
        self.with_anchors(|anchors| {
            let list = match name.kind {
                ListKind::Complete => anchors.crls().find(fits),
                ListKind::Delta => anchors.delta_crls().find(fits),
            };
            list.map(look)
        })
    }

    /// Makes the next complete list of this name, and the one of what has changed `since` the list of
    /// that number. They are put into use by [`adopt`](Self::adopt).
    pub(crate) fn next_lists(
        &self,
        keys: &Keys,
        name: ListName,
        number: u64,
        revoked: &[Revocation],
        since: Option<(u64, Changes)>,
        now: UtcTime,
    ) -> Result<(Crl, Option<Crl>), AuthorityError> {
        let this_update = now.replace_nanosecond(0).unwrap_or(now) - CLOCK_SKEW;
        let edition = Edition { number, this_update, next_update: this_update + LIST_LIFE };
        let (issuer, scope) = (self.issuer(name.authority)?, self.scope(name));
        let delta_url = self.plan.addresses.last().map(|url| name.delta().url(url));
        let key = keys.authority(name.authority)?;
        let complete = issuer.draft_crl(edition, &scope, delta_url.as_deref(), revoked)?;
        let delta = since
            .map(|(base, changes)| issuer.draft_delta_crl(edition, &scope, base, &changes))
            .transpose()?;
        let delta = delta.map(|draft| draft.sign(&*key)).transpose()?;
        Ok((complete.sign(&*key)?, delta))
    }

    /// Puts a list into use; one of what has changed after the complete one.
    ///
    /// One at a time: nobody waits while the list is verified.
    pub(crate) fn adopt(&self, list: Crl) -> Result<(), AuthorityError> {
        let mut anchors = self.with_anchors(Anchors::clone);
        anchors.add_crl(list)?;
        *self.anchors.write().unwrap_or_else(PoisonError::into_inner) = anchors;
        Ok(())
    }

    /// Lists that are over by then, with their end; without one for authorities that have no list.
    pub(crate) fn lists_over_by(&self, at: UtcTime) -> Vec<(ListName, Option<UtcTime>)> {
        let mut over = Vec::new();
        for authority in self.issuers.iter().map(Issuer::authority) {
            let ranges = SerialRange::all().map(Some).filter(|_| self.has_ranges(authority));
            for range in [None].into_iter().chain(ranges) {
                let name = ListName::complete(authority, range);
                let end = self.with_list(name, |list| list.edition().next_update);
                if end.is_none_or(|end| end <= at) {
                    over.push((name, end));
                }
            }
        }
        over
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

/// An authority that is to be certified.
pub(super) struct Founded {
    pub(super) authority: Authority,
    pub(super) subject: ca::Name,
    pub(super) serial: Serial,
}

/// The certificates of authorities by their keys of today, the root first.
pub(super) fn certify(
    keys: &Keys,
    orders: Vec<Founded>,
    now: UtcTime,
) -> Result<Vec<(Authority, Certificate)>, AuthorityError> {
    let root_key = keys.authority(Authority::Root)?;
    let mut certificates = Vec::new();
    let mut above: Option<Issuer> = None;
    for Founded { authority, subject, serial } in orders {
        let public_key = keys.authority(authority)?.public_key().clone();
        let order =
            |profile| Order { profile, subject, public_key, days: None, identifiers: Vec::new() };
        let draft = match &above {
            None => Issuer::draft_root(order(Profile::Root), serial, now)?,
            Some(root) => root.draft(order(Profile::IssuingAuthority), serial, now)?,
        };
        let certificate = draft.sign(&*root_key)?;
        if above.is_none() {
            above = Some(Issuer::new(certificate.clone(), authority)?);
        }
        certificates.push((authority, certificate));
    }
    Ok(certificates)
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
        let plan = ListPlan::default();
        let authorities = Authorities::load(&keys, certificates, [], None, plan).unwrap();
        let whole = AUTHORITIES.map(|authority| ListName::complete(authority, None));
        assert_eq!(authorities.lists_over_by(now), whole.map(|name| (name, None)));

        for name in whole {
            let lists = authorities.next_lists(&keys, name, 1, &[], None, now).unwrap();
            authorities.adopt(lists.0).unwrap();
        }
        let end = now - CLOCK_SKEW + LIST_LIFE;
        assert_eq!(authorities.lists_over_by(end - Duration::SECOND), []);
        assert_eq!(authorities.lists_over_by(end), whole.map(|name| (name, Some(end))));
    }
}
