//! The certificates that vouch for all others, and the lists of what was revoked.

mod certifying;

use std::sync::{Arc, PoisonError, RwLock};

use ca::chain::{Anchors, Path, Purpose};
use ca::crl::{Changes, Crl, Edition, Reason, Revocation, Scope, SerialRange};
use ca::{Authority, BadName, Certificate, ChainError, IssueError, Issuer};
use hsm::{KeyError, Sm2Signer};

use super::{
    Error, SucceededRoot,
    list_names::{ListKind, ListName},
};
use crate::{clock::UtcTime, generation::Generation, keys::Keys};

pub(super) use certifying::{Founded, certify, draft_below, subject};

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
    members: Vec<Member>,
    plan: ListPlan,
    anchors: RwLock<Anchors>,
    succeeded: Vec<SucceededRoot>,
}

/// An authority with one of its keys.
pub(crate) struct Member {
    pub(crate) generation: Generation,
    pub(crate) issuer: Issuer,
    /// Since when its key may be in other hands.
    pub(crate) revoked: Option<UtcTime>,
}

impl Member {
    /// Signs what this one may still sign: all that it issues, or, once another key has taken its place,
    /// its lists and the certificates of its responders.
    pub(crate) fn signer(&self, keys: &Keys) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        match self.issuer.is_succeeded() {
            true => keys.succeeded_authority(self.generation),
            false => keys.authority(self.generation),
        }
    }

    pub(crate) fn certificate(&self) -> &Certificate {
        self.issuer.certificate()
    }
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
    OtherKey(Generation),
}

impl Authorities {
    /// Takes the authorities on record, the root first and of each the oldest generation first, with their
    /// newest lists. Of each authority the newest issues. What it issues says that lists, certificates and
    /// status are found below `public_url`.
    ///
    /// # Errors
    /// [`AuthorityError`] when certificates, keys and lists do not belong together.
    pub fn load(
        keys: &Keys,
        certificates: Vec<(Generation, Certificate)>,
        lists: impl IntoIterator<Item = Crl>,
        public_url: Option<&str>,
        plan: ListPlan,
    ) -> Result<Self, AuthorityError> {
        let mut anchors: Option<Anchors> = None;
        let mut members = Vec::new();
        let known = keys.generations();
        for (generation, certificate) in certificates {
            if known.get(&generation) != Some(certificate.public_key()) {
                return Err(AuthorityError::OtherKey(generation));
            }
            match &mut anchors {
                None => anchors = Some(Anchors::new(certificate.clone())?),
                Some(anchors) => anchors.add_issuer(certificate.clone())?,
            }
            let mut issuer = Issuer::new(certificate, generation.authority())?;
            if let Some(url) = public_url {
                issuer = match generation {
                    // It certifies few.
                    Generation::ROOT => {
                        issuer.with_crl_url(&format!("{url}/crl/{generation}.crl"))?
                    }
                    _ => issuer.with_ranged_crl_url(&format!("{url}/crl/{generation}-"), ".crl")?,
                };
                issuer = issuer
                    .with_issuer_url(&format!("{url}/ca/{generation}.cer"))?
                    .with_status_url(&format!("{url}/ocsp"))?;
            }
            if generation.next().is_some_and(|next| known.contains_key(&next)) {
                issuer = issuer.succeeded();
            }
            let member = Member { generation, issuer, revoked: None };
            // Its key does what it has to do still, and nothing else.
            member.signer(keys)?;
            members.push(member);
        }
        let mut anchors = anchors.ok_or(AuthorityError::Record("root certificate"))?;
        for list in lists {
            anchors.add_crl(list)?;
        }
        Ok(Self { members, plan, anchors: RwLock::new(anchors), succeeded: Vec::new() })
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

    /// Believes these authorities no more, since then.
    #[must_use]
    pub fn with_revoked(mut self, revoked: &[(Generation, UtcTime)]) -> Self {
        for (generation, at) in revoked {
            let of = self.members.iter_mut().filter(|it| it.generation == *generation);
            of.for_each(|member| member.revoked = Some(*at));
        }
        self
    }

    /// The certificates below the root that are revoked, as its lists have them.
    pub(crate) fn revocations(&self) -> impl Iterator<Item = Revocation> {
        self.members.iter().filter_map(|member| {
            Some(Revocation {
                serial: member.certificate().serial().clone(),
                at: member.revoked?.truncate_to_second(),
                reason: Reason::AuthorityCompromise,
            })
        })
    }

    /// The roots that were succeeded, the oldest first.
    pub(crate) fn succeeded(&self) -> &[SucceededRoot] {
        &self.succeeded
    }

    /// The authority with the key that none has succeeded: the one that issues.
    pub(crate) fn current(&self, authority: Authority) -> Result<&Member, AuthorityError> {
        let mut newest = self.members.iter().rev();
        newest
            .find(|member| member.generation.authority() == authority)
            .ok_or(AuthorityError::Record("certificate of an authority"))
    }

    /// This generation of an authority.
    pub(crate) fn member(&self, generation: Generation) -> Result<&Member, AuthorityError> {
        self.members
            .iter()
            .find(|member| member.generation == generation)
            .ok_or(AuthorityError::Record("certificate of an authority"))
    }

    /// All generations of all authorities, the root first and of each the oldest first.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The complete lists that a generation makes when so many of its certificates are revoked: of all,
    /// for certificates that name no range, and of ranges. Once there are lists of ranges, they stay:
    /// certificates are looked for in them.
    pub(crate) fn parts(&self, of: Generation, revoked: usize) -> Vec<ListName> {
        let mut parts = vec![ListName::complete(of, None)];
        // Without an address there is no saying which list a certificate is in.
        let can_divide = !self.plan.addresses.is_empty() && of != Generation::ROOT;
        if can_divide && (revoked > self.plan.ranges_above || self.has_ranges(of)) {
            let ranges = SerialRange::all().map(Some);
            parts.extend(ranges.map(|range| ListName::complete(of, range)));
        }
        parts
    }

    fn has_ranges(&self, of: Generation) -> bool {
        self.with_anchors(|anchors| {
            let mut lists = anchors.crls().filter(|list| self.is_of(list, of));
            lists.any(|list| *list.scope() != Scope::All)
        })
    }

    fn is_of(&self, list: &Crl, generation: Generation) -> bool {
        // Roots of before had the same name.
        self.member(generation).is_ok_and(|member| list.names(member.certificate()))
    }

    /// Which certificates a list is about.
    fn scope(&self, name: ListName) -> Scope {
        let complete = ListName::complete(name.generation, name.range);
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
        let fits = |list: &&Arc<Crl>| self.is_of(list, name.generation) && *list.scope() == scope;
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
        let (member, scope) = (self.member(name.generation)?, self.scope(name));
        let delta_url = self.plan.addresses.last().map(|url| name.delta().url(url));
        let (issuer, key) = (&member.issuer, member.signer(keys)?);
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
        for of in self.members.iter().map(|member| member.generation) {
            let ranges = SerialRange::all().map(Some).filter(|_| self.has_ranges(of));
            for range in [None].into_iter().chain(ranges) {
                let name = ListName::complete(of, range);
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

#[cfg(test)]
mod tests {
    use ca::{Order, Profile};
    use hsm::{
        KeyUse,
        soft::{Iterations, Passphrase, SoftKeystore},
    };
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::{keys, registrar::new_serial};

    const NOW: UtcTime = datetime!(2026-11-26 08:00 UTC);
    const PSEUDONYM: &str = "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21";

    /// A keystore with the first keys of all authorities, after these changes; made anew each time.
    fn keystore(change: impl FnOnce(&mut SoftKeystore)) -> Keys {
        let place = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::from_string("right".to_owned().into()).unwrap();
        let path = place.path().join("keystore.hck");
        let mut keystore =
            SoftKeystore::create_with(&path, &passphrase, Iterations::MINIMUM).unwrap();
        for (key, key_use) in keys::required().filter(|(key, _)| key.name().starts_with("ca-")) {
            keystore.generate(&key, key_use).unwrap();
        }
        change(&mut keystore);
        keystore.save().unwrap();
        Keys::new(keystore, Ok(()))
    }

    #[test]
    fn of_an_authority_one_key_certifies_and_the_one_before_makes_its_lists() {
        let people: Generation = "ca-people".parse().unwrap();
        let next = people.next().unwrap();
        let made = |keystore: &mut SoftKeystore| {
            keystore.generate(&next.key(), KeyUse::SignCertificates).unwrap();
        };
        let load = |keys: &Keys| {
            let mut certificates = Authorities::found(keys, "county", new_serial, NOW).unwrap();
            let root = Issuer::new(certificates[0].1.clone(), Authority::Root).unwrap();
            let (subject, serial) = (subject("county", next).unwrap(), new_serial().unwrap());
            let order = Founded { generation: next, subject, serial, until: None };
            let draft = draft_below(&root, order, &keys.generations()[&next], NOW).unwrap();
            let root_key = keys.authority(Generation::ROOT).unwrap();
            certificates.insert(3, (next, draft.sign(&*root_key).unwrap()));
            Authorities::load(keys, certificates, [], None, ListPlan::default())
        };
        let keys = keystore(|keystore| {
            made(keystore);
            keystore.restrict(&people.key()).unwrap();
        });
        let authorities = load(&keys).unwrap();
        let current = authorities.current(Authority::People).unwrap();
        assert_eq!(current.generation, next);
        assert!(keys.authority(next).is_ok() && !current.issuer.is_succeeded());

        let before = authorities.member(people).unwrap();
        assert!(matches!(keys.authority(people), Err(KeyError::WrongUse { .. })));
        let order = Order {
            profile: Profile::Person,
            subject: ca::Name::of_identity("county", "nurse", PSEUDONYM).unwrap(),
            public_key: keys.generations()[&next].clone(),
            days: None,
            identifiers: Vec::new(),
        };
        let refused = before.issuer.draft(order, new_serial().unwrap(), NOW);
        assert!(matches!(refused, Err(IssueError::Succeeded { profile: Profile::Person })));
        for of in [people, next] {
            let name = ListName::complete(of, None);
            let (list, _) = authorities.next_lists(&keys, name, 1, &[], None, NOW).unwrap();
            assert_eq!(list.verify(authorities.member(of).unwrap().certificate()), Ok(()));
        }

        // With a key of before that certifies still, the authorities are not taken.
        let refused = load(&keystore(made)).err();
        let has = KeyUse::SignCertificates;
        assert!(
            matches!(refused, Some(AuthorityError::Key(KeyError::WrongUse { has: it, .. })) if it == has)
        );
    }

    #[test]
    fn lists_that_end_are_told_before_they_do() {
        let now = NOW;
        let keys = keystore(|_| ());
        let certificates = Authorities::found(&keys, "county", new_serial, now).unwrap();
        let plan = ListPlan::default();
        let authorities = Authorities::load(&keys, certificates, [], None, plan).unwrap();
        let whole: Vec<_> = Generation::first().map(|it| ListName::complete(it, None)).collect();
        let without: Vec<_> = whole.iter().map(|name| (*name, None)).collect();
        assert_eq!(authorities.lists_over_by(now), without);

        for name in whole.clone() {
            let lists = authorities.next_lists(&keys, name, 1, &[], None, now).unwrap();
            authorities.adopt(lists.0).unwrap();
        }
        let end = now - CLOCK_SKEW + LIST_LIFE;
        assert_eq!(authorities.lists_over_by(end - Duration::SECOND), []);
        let with: Vec<_> = whole.iter().map(|name| (*name, Some(end))).collect();
        assert_eq!(authorities.lists_over_by(end), with);
    }
}
