//! Whether a certificate may be relied on (证书链验证): a path to the root, every certificate on it
//! valid, allowed to do what it does, and not revoked (RFC 5280, 6, without the parts that the
//! national profile does not use).
//!
//! [`Anchors`] checks the signature of an issuing certificate or a revocation list once, when it is
//! added, so that a login costs one SM2 verification for the certificate and one for the challenge.
//! What depends on time is looked at each time.

mod error;

use std::sync::Arc;

use hsm::sm2::PublicKey;
use time::OffsetDateTime;

use crate::{
    Certificate, Serial,
    crl::{Crl, CrlError, Edition, Reason, Revocation},
    extension::{ExtendedKeyUsage, KeyUsage},
};

pub use error::ChainError;

/// What a certificate is to be relied on for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Logging in: proving presence.
    Login,
    /// Signing a medical record: binding the signer.
    SignRecord,
    /// Answering as the service.
    Serve,
    /// Saying when something was there.
    StampTime,
}

impl Purpose {
    fn needs(self) -> (KeyUsage, ExtendedKeyUsage) {
        match self {
            Self::Login => (KeyUsage::DIGITAL_SIGNATURE, ExtendedKeyUsage::ClientAuth),
            Self::SignRecord => (KeyUsage::CONTENT_COMMITMENT, ExtendedKeyUsage::DocumentSigning),
            Self::Serve => (KeyUsage::DIGITAL_SIGNATURE, ExtendedKeyUsage::ServerAuth),
            Self::StampTime => (KeyUsage::DIGITAL_SIGNATURE, ExtendedKeyUsage::TimeStamping),
        }
    }
}

/// When something was signed that is looked at now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the signer says.
    pub claimed: OffsetDateTime,
    /// When somebody independent of the signer's key, such as an audit log or a time stamp, had
    /// seen the signature.
    pub witnessed: Option<OffsetDateTime>,
}

/// Who vouches for whom: a root and those it has succeeded, authorities below them, and their
/// revocation lists, each checked when it was added.
#[derive(Clone, Debug)]
pub struct Anchors {
    /// The newest root first; every other certificate has a smaller index above it.
    known: Vec<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    certificate: Arc<Certificate>,
    above: Option<usize>,
    lists: Vec<Held>,
}

/// The newest complete list of one scope, and the newest of what has changed since.
#[derive(Clone, Debug)]
struct Held {
    complete: Arc<Crl>,
    delta: Option<Arc<Crl>>,
}

/// The authorities above a certificate that was verified, nearest first, the root last.
#[derive(Clone, Debug)]
pub struct Path(Vec<Arc<Certificate>>);

impl Path {
    /// All authorities, nearest first.
    pub fn authorities(&self) -> &[Arc<Certificate>] {
        &self.0
    }

    /// The authorities that a certificate is sent along with: all but the root, which the receiver
    /// must have.
    pub fn without_root(&self) -> &[Arc<Certificate>] {
        self.0.split_last().map_or(&[], |(_, below)| below)
    }
}

impl Anchors {
    /// Most authorities between the root and a holder, besides the links between keys of one root.
    pub const MAX_DEPTH: usize = 3;
    /// Most links between keys of one root on a path (RFC 4210, 4.4): in its twenty years a root gets another
    /// key every three at most, and holder, authority and six links are the certificates that a record carries.
    /// A path is walked once, from the holder up, so that it costs one signature for each of its certificates.
    pub const MAX_LINKS: usize = 6;

    /// Begins with a root that is trusted because somebody put it there.
    ///
    /// # Errors
    /// [`ChainError::NotAnAuthority`], [`ChainError::WrongKeyUsage`], or
    /// [`ChainError::NotSelfSigned`].
    pub fn new(root: Certificate) -> Result<Self, ChainError> {
        may_issue(&root)?;
        if root.subject() != root.issuer() || !root.is_signed_by(root.public_key()) {
            return Err(ChainError::NotSelfSigned);
        }
        Ok(Self {
            known: vec![Known { certificate: Arc::new(root), above: None, lists: Vec::new() }],
        })
    }

    /// Adds a root that this one has succeeded, as somebody put that there before: what was signed
    /// below it is verified as ever.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn add_root(&mut self, root: Certificate) -> Result<(), ChainError> {
        self.known.extend(Self::new(root)?.known);
        Ok(())
    }

    /// The root; the newest of them.
    pub fn root(&self) -> &Certificate {
        &self.known[0].certificate
    }

    /// The authorities below the roots.
    pub fn issuers(&self) -> impl Iterator<Item = &Certificate> {
        let below = self.known.iter().filter(|known| known.above.is_some());
        below.map(|known| known.certificate.as_ref())
    }

    /// Whether this is the certificate of one of them.
    pub(crate) fn knows(&self, certificate: &Certificate) -> bool {
        self.known.iter().any(|known| *known.certificate == *certificate)
    }

    /// The complete revocation lists held, one for each scope of each authority that has one.
    pub fn crls(&self) -> impl Iterator<Item = &Arc<Crl>> {
        self.known.iter().flat_map(|known| &known.lists).map(|held| &held.complete)
    }

    /// The lists of what has changed since those, where there are any.
    pub fn delta_crls(&self) -> impl Iterator<Item = &Arc<Crl>> {
        self.known.iter().flat_map(|known| &known.lists).filter_map(|held| held.delta.as_ref())
    }

    /// Adds an authority that one of the known ones vouches for. Adding it twice changes nothing.
    ///
    /// # Errors
    /// [`ChainError::UnknownIssuer`], [`ChainError::BadSignature`], [`ChainError::NotAnAuthority`],
    /// [`ChainError::WrongKeyUsage`], [`ChainError::PathTooLong`].
    pub fn add_issuer(&mut self, certificate: Certificate) -> Result<(), ChainError> {
        if self.knows(&certificate) {
            return Ok(());
        }
        may_issue(&certificate)?;
        let above = self.issuers_of(&certificate)?[0];
        let ancestors = self.upwards(above);
        // The root itself, which is last, is no link.
        let between = ancestors.split_last().map_or(&[][..], |(_, between)| between);
        let between = between.iter().map(|at| &*self.known[*at].certificate);
        let too_deep = is_too_deep(between.chain([&certificate]));
        // An authority that vouches for a key of its own is not one that follows it (6.1.4, l).
        let mut below = u8::from(!is_self_issued(&certificate));
        let beyond = ancestors.iter().map(|at| &self.known[*at].certificate).any(|above| {
            let beyond = above.path_length().is_some_and(|most| most < below);
            below += u8::from(!is_self_issued(above));
            beyond
        });
        if too_deep || beyond {
            return Err(ChainError::PathTooLong { serial: certificate.serial().clone() });
        }
        // A renewed authority has two certificates for one key, and its lists count for both.
        let same_key = self.known.iter().find(|known| {
            known.certificate.subject() == certificate.subject()
                && known.certificate.public_key() == certificate.public_key()
        });
        let lists = same_key.map(|known| known.lists.clone()).unwrap_or_default();
        self.known.push(Known { certificate: Arc::new(certificate), above: Some(above), lists });
        Ok(())
    }

    /// Adds or replaces a revocation list of a known authority. A delta list is added to the complete
    /// one of its scope, and says more than that until there is a newer one.
    ///
    /// # Errors
    /// [`ChainError::Crl`] when no known authority made it; [`ChainError::CrlOlder`] when a newer
    /// one is held, so that nobody can bring a revoked certificate back with an old list;
    /// [`ChainError::CrlBaseMissing`] for a delta list that builds on a list which is not held.
    pub fn add_crl(&mut self, crl: Crl) -> Result<(), ChainError> {
        let mut refused = CrlError::NameMismatch;
        let mut makers = Vec::new();
        for (at, known) in self.known.iter().enumerate() {
            match crl.verify(&known.certificate) {
                // A renewed authority has two certificates for one key, and one list for both.
                Ok(()) => makers.push(at),
                Err(CrlError::NameMismatch) => {}
                Err(error) => refused = error,
            }
        }
        if makers.is_empty() {
            return Err(refused.into());
        }
        for at in &makers {
            self.known[*at].takes(&crl)?;
        }
        let crl = Arc::new(crl);
        makers.into_iter().for_each(|at| self.known[at].take(&crl));
        Ok(())
    }

    /// Whether `leaf` may be relied on for `purpose` now. A certificate that is listed as revoked
    /// may not, whatever the date in the list.
    ///
    /// # Errors
    /// [`ChainError`], for the first thing found wrong: who vouches for it, when it is valid, what
    /// it is for, whether it was revoked.
    pub fn verify(
        &self,
        leaf: &Certificate,
        purpose: Purpose,
        now: OffsetDateTime,
    ) -> Result<Path, ChainError> {
        self.path(leaf, purpose, &[now], now, |_| true)
    }

    /// Whether what `leaf` signed at `moment` may be relied on, judged by what is known `now`.
    ///
    /// A certificate revoked after the moment does not void the signature (GM/T 0031-2014, 6.2.3).
    /// If it was revoked because the key may be in other hands, a time that only the signer claims
    /// counts for nothing: whoever has the key can claim any time.
    ///
    /// # Errors
    /// [`ChainError`], as for [`verify`](Self::verify).
    pub fn verify_past(
        &self,
        leaf: &Certificate,
        purpose: Purpose,
        moment: Moment,
        now: OffsetDateTime,
    ) -> Result<Path, ChainError> {
        let times: Vec<_> =
            [Some(moment.claimed), moment.witnessed].into_iter().flatten().collect();
        self.path(leaf, purpose, &times, now, |revocation| match moment.witnessed {
            Some(witnessed) => revocation.at <= witnessed,
            None => revocation.reason.is_compromise() || revocation.at <= moment.claimed,
        })
    }

    fn path(
        &self,
        leaf: &Certificate,
        purpose: Purpose,
        times: &[OffsetDateTime],
        now: OffsetDateTime,
        voids: impl Fn(&Revocation) -> bool,
    ) -> Result<Path, ChainError> {
        // Who vouches for it comes first: what an unknown hand wrote into a certificate is not
        // worth reporting.
        let mut issuers = self.issuers_of(leaf)?;
        fit_for(leaf, purpose, times)?;
        // A root certifies authorities and nobody else, so that who gets at the key of one that was
        // succeeded makes nobody.
        issuers.retain(|at| self.known[*at].above.is_some());
        if issuers.is_empty() {
            return Err(ChainError::UnknownIssuer { serial: leaf.serial().clone() });
        }
        let mut paths: Vec<_> = issuers
            .into_iter()
            .map(|issuer| self.ascend(leaf, issuer, times, now, &voids))
            .collect();
        // A key that may be in other hands is so under each certificate that its owner ever had.
        if let Some(lost) = paths.iter().position(is_compromise) {
            return paths.swap_remove(lost);
        }
        let good = paths.iter().position(Result::is_ok).unwrap_or(0);
        paths.swap_remove(good)
    }

    /// Looks at `leaf`'s authorities one above the other, beginning with the one at `issuer`.
    fn ascend(
        &self,
        leaf: &Certificate,
        issuer: usize,
        times: &[OffsetDateTime],
        now: OffsetDateTime,
        voids: impl Fn(&Revocation) -> bool,
    ) -> Result<Path, ChainError> {
        let authorities: Vec<_> =
            self.upwards(issuer).into_iter().map(|at| &self.known[at]).collect();
        // A key that may be in other hands comes before any time: whoever has it claims one that suits.
        let mut holder = leaf;
        for authority in &authorities {
            let revocation = authority.revocation(holder, now).ok().flatten();
            let lost = revocation.filter(|it| it.reason.is_compromise() && voids(it));
            if let Some(Revocation { serial, at, reason }) = lost {
                return Err(ChainError::Revoked { serial, at, reason });
            }
            holder = &authority.certificate;
        }
        let mut path = Vec::new();
        let mut holder = leaf;
        for authority in authorities {
            times.iter().try_for_each(|at| valid_at(&authority.certificate, *at))?;
            let revocation = authority.revocation(holder, now)?;
            if let Some(Revocation { serial, at, reason }) = revocation.filter(&voids) {
                return Err(ChainError::Revoked { serial, at, reason });
            }
            path.push(Arc::clone(&authority.certificate));
            holder = &authority.certificate;
        }
        Ok(Path(path))
    }

    /// The known authorities whose key signed `certificate`: one, or several certificates of one
    /// that was renewed; at least one.
    fn issuers_of(&self, certificate: &Certificate) -> Result<Vec<usize>, ChainError> {
        let serial = || certificate.serial().clone();
        let named = self.known.iter().enumerate();
        let mut named =
            named.filter(|(_, known)| names_as_issuer(certificate, &known.certificate)).peekable();
        if named.peek().is_none() {
            return Err(ChainError::UnknownIssuer { serial: serial() });
        }
        // The same key gives the same answer; asking once is enough.
        let mut asked: Option<(&PublicKey, bool)> = None;
        let mut signers = Vec::new();
        for (at, known) in named {
            let key = known.certificate.public_key();
            let signed = match asked {
                Some((same, signed)) if same == key => signed,
                _ => certificate.is_signed_by(key),
            };
            asked = Some((key, signed));
            if signed {
                signers.push(at);
            }
        }
        if signers.is_empty() {
            return Err(ChainError::BadSignature { serial: serial() });
        }
        Ok(signers)
    }

    /// The authority at `at` and all above it, up to the root.
    fn upwards(&self, at: usize) -> Vec<usize> {
        std::iter::successors(Some(at), |at| self.known[*at].above).collect()
    }
}

impl Known {
    /// Whether a list that this authority made is newer than what is held of its scope.
    fn takes(&self, crl: &Crl) -> Result<(), ChainError> {
        let offered = crl.edition().number;
        let held = self.lists.iter().find(|held| held.complete.scope() == crl.scope());
        match (held, crl.base()) {
            (Some(held), _) if held.number() > offered => {
                Err(ChainError::CrlOlder { offered, held: held.number() })
            }
            (Some(held), Some(base)) if held.complete.edition().number >= base => Ok(()),
            (_, Some(base)) => Err(ChainError::CrlBaseMissing { base }),
            (_, None) => Ok(()),
        }
    }

    /// Puts a list that [`takes`](Self::takes) lets pass into its place.
    fn take(&mut self, crl: &Arc<Crl>) {
        let at = self.lists.iter().position(|held| held.complete.scope() == crl.scope());
        match (at, crl.base()) {
            (Some(at), Some(_)) => self.lists[at].delta = Some(Arc::clone(crl)),
            (_, None) => {
                // One about the same addresses, or about more of them, says all that was said before.
                self.lists.retain(|held| !crl.scope().widens(held.complete.scope()));
                self.lists.push(Held { complete: Arc::clone(crl), delta: None });
            }
            (None, Some(_)) => {}
        }
    }

    /// What the newest list that speaks of this certificate says of it.
    fn revocation(
        &self,
        certificate: &Certificate,
        now: OffsetDateTime,
    ) -> Result<Option<Revocation>, ChainError> {
        let issuer = || self.certificate.serial().clone();
        let speaking = self.lists.iter().filter(|held| held.complete.scope().covers(certificate));
        let held = speaking.max_by_key(|held| (held.edition().this_update, held.number()));
        let held = held.ok_or_else(|| ChainError::CrlMissing { issuer: issuer() })?;
        let edition = held.edition();
        if now < edition.this_update {
            return Err(ChainError::CrlNotYetValid {
                issuer: issuer(),
                this_update: edition.this_update,
            });
        }
        if now > edition.next_update {
            return Err(ChainError::CrlStale {
                issuer: issuer(),
                next_update: edition.next_update,
            });
        }
        Ok(held.revocation(certificate.serial()))
    }
}

impl Held {
    /// Number and period of the newest.
    fn edition(&self) -> Edition {
        self.delta.as_ref().unwrap_or(&self.complete).edition()
    }

    fn number(&self) -> u64 {
        self.edition().number
    }

    fn revocation(&self, serial: &Serial) -> Option<Revocation> {
        let changed = self.delta.as_ref();
        if let Some(revocation) = changed.and_then(|delta| delta.revocation(serial)) {
            return Some(revocation);
        }
        let released = changed.is_some_and(|delta| delta.releases(serial));
        let held = self.complete.revocation(serial)?;
        // What was revoked for good is not released by anybody.
        (!released || held.reason != Reason::Hold).then_some(held)
    }
}

/// Verifies one certificate with everything at hand, and keeps nothing: authorities and lists that
/// do not lead from `leaf` to `anchor` are passed over. What verifies many certificates keeps
/// [`Anchors`] instead.
///
/// # Errors
/// [`ChainError`], for the first thing found wrong on the way.
pub fn verify(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchor: &Certificate,
    crls: &[Crl],
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<Path, ChainError> {
    // From the leaf up, the one that each names; so nothing off the path can fail it.
    let mut ascent: Vec<&Certificate> = Vec::new();
    let mut holder = leaf;
    while !names_as_issuer(holder, anchor) {
        let next = intermediates.iter().find(|above| names_as_issuer(holder, above));
        let next =
            next.ok_or_else(|| ChainError::UnknownIssuer { serial: holder.serial().clone() })?;
        ascent.push(next);
        if is_too_deep(ascent.iter().copied()) {
            return Err(ChainError::PathTooLong { serial: next.serial().clone() });
        }
        holder = next;
    }
    let mut anchors = Anchors::new(anchor.clone())?;
    for authority in ascent.into_iter().rev() {
        anchors.add_issuer(authority.clone())?;
    }
    let (deltas, complete): (Vec<&Crl>, Vec<&Crl>) =
        crls.iter().partition(|crl| crl.base().is_some());
    for crl in complete.into_iter().chain(deltas) {
        match anchors.add_crl(crl.clone()) {
            // Not of an authority on the path; or an older edition beside a newer one.
            Ok(()) | Err(ChainError::Crl(CrlError::NameMismatch) | ChainError::CrlOlder { .. }) => {
            }
            Err(error) => return Err(error),
        }
    }
    anchors.verify(leaf, purpose, now)
}

/// Whether `certificate` names `authority` as its issuer: by name, and by key identifier where both
/// have one.
fn names_as_issuer(certificate: &Certificate, authority: &Certificate) -> bool {
    let same_key = match (certificate.authority_key_identifier(), authority.key_identifier()) {
        (Some(named), Some(own)) => named == own,
        _ => true,
    };
    certificate.issuer() == authority.subject() && same_key
}

/// Whether there is more between a root and a holder than there may be.
fn is_too_deep<'a>(between: impl Iterator<Item = &'a Certificate>) -> bool {
    let (links, authorities): (Vec<_>, Vec<_>) = between.partition(|it| is_self_issued(it));
    links.len() > Anchors::MAX_LINKS || authorities.len() > Anchors::MAX_DEPTH
}

fn is_self_issued(certificate: &Certificate) -> bool {
    certificate.subject() == certificate.issuer()
}

fn may_issue(certificate: &Certificate) -> Result<(), ChainError> {
    let serial = || certificate.serial().clone();
    if !certificate.is_ca() {
        return Err(ChainError::NotAnAuthority { serial: serial() });
    }
    match certificate.key_usage() {
        Some(usage) if usage.contains(KeyUsage::CERTIFICATE_SIGNING) => Ok(()),
        _ => Err(ChainError::WrongKeyUsage { serial: serial() }),
    }
}

fn is_compromise(result: &Result<Path, ChainError>) -> bool {
    matches!(result, Err(ChainError::Revoked { reason, .. }) if reason.is_compromise())
}

/// Validity, key usage and purpose of a holder's certificate.
fn fit_for(
    leaf: &Certificate,
    purpose: Purpose,
    times: &[OffsetDateTime],
) -> Result<(), ChainError> {
    times.iter().try_for_each(|at| valid_at(leaf, *at))?;
    let (usage, named) = purpose.needs();
    if leaf.is_ca() || !leaf.key_usage().is_some_and(|has| has.contains(usage)) {
        return Err(ChainError::WrongKeyUsage { serial: leaf.serial().clone() });
    }
    let fits = |has: &ExtendedKeyUsage| *has == named || *has == ExtendedKeyUsage::Any;
    if !leaf.purposes().is_empty() && !leaf.purposes().iter().any(fits) {
        return Err(ChainError::WrongPurpose { serial: leaf.serial().clone() });
    }
    Ok(())
}

fn valid_at(certificate: &Certificate, at: OffsetDateTime) -> Result<(), ChainError> {
    let serial = || certificate.serial().clone();
    let (from, to) = (certificate.not_before(), certificate.not_after());
    if at < from {
        return Err(ChainError::NotYetValid { serial: serial(), from });
    }
    // The last second is valid to its end (4.1.2.5 counts whole seconds).
    if at >= to + time::Duration::SECOND {
        return Err(ChainError::Expired { serial: serial(), to });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
