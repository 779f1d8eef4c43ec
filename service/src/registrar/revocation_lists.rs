//! What vouches for all certificates, and the lists of those that were revoked.

use std::sync::Arc;

use audit::Outcome;
use ca::crl::{Changes, Crl, Revocation, SerialRange};
use ca::{Certificate, Serial};

use super::{
    Error, Registrar,
    authorities::{AuthorityError, Member},
    entry_by,
    list_names::ListName,
    service_actor,
};
use crate::{
    aside::aside,
    clock::{self, UtcTime},
    generation::Generation,
    policy::Act,
    store::{RevocationLists, Revocations, RevokedSerial},
};

/// A list that ends within this time should have been replaced long ago.
const LIST_ALARM: time::Duration = time::Duration::days(2);

/// The certificates that vouch for all others, DER.
pub struct Published {
    /// The root.
    pub root: Vec<u8>,
    /// The authorities below it, with each of their keys.
    pub issuers: Vec<Vec<u8>>,
    /// Their newest lists of all certificates.
    pub lists: Vec<Vec<u8>>,
}

impl Registrar {
    /// The certificates that vouch for all others, and their newest lists. Public.
    #[must_use]
    pub fn published(&self) -> Published {
        let members = self.authorities.members().iter();
        let mut certificates = members.clone().map(|it| it.certificate().der().to_vec());
        let lists = members.filter_map(|member| {
            let name = ListName::complete(member.generation, None);
            self.authorities.with_list(name, |list| list.der().to_vec())
        });
        Published {
            root: certificates.next().unwrap_or_default(),
            issuers: certificates.collect(),
            lists: lists.collect(),
        }
    }

    /// The newest list of this name, DER. Public. While an authority's lists are not divided, the one
    /// of all its certificates stands for each range.
    #[must_use]
    pub fn newest_list(&self, name: ListName) -> Option<Arc<Crl>> {
        let of = |name| self.authorities.with_list(name, Arc::clone);
        let complete = ListName::complete(name.generation, name.range);
        match self.authorities.with_list(complete, |_| ()) {
            Some(()) => of(name),
            None => of(name.of_all()),
        }
    }

    /// The certificate of an authority. Public.
    #[must_use]
    pub fn authority_certificate(&self, of: Generation) -> Option<&Certificate> {
        self.authorities.member(of).ok().map(Member::certificate)
    }

    /// Replaces the lists that are due within `ahead`, dated after `now`, or say of a certificate
    /// something else than the record does.
    ///
    /// # Errors
    /// [`Error`] when a list could not be made or recorded; the old ones stay in use.
    pub async fn renew_lists(&self, now: UtcTime, ahead: time::Duration) -> Result<(), Error> {
        let mut made = Ok(());
        for member in self.authorities.members() {
            // What cannot be made keeps nothing else from being made.
            match self.parts(member.generation).await {
                Ok(parts) => {
                    for name in parts {
                        made = made.and(self.renew_when_due(name, now, ahead).await);
                    }
                }
                Err(error) => made = made.and(Err(error)),
            }
        }
        made
    }

    /// Makes a list anew that says something else than the record, or ends soon.
    async fn renew_when_due(
        &self,
        name: ListName,
        now: UtcTime,
        ahead: time::Duration,
    ) -> Result<(), Error> {
        let (revoked, _) = self.revocations(name, now).await?;
        let good = self.authorities.with_list(name, |list| {
            let edition = list.edition();
            list.len() == revoked.len()
                && revoked.iter().all(|it| list.revocation(&it.serial).as_ref() == Some(it))
                && edition.this_update <= now
                && edition.next_update > now + ahead
        });
        if good == Some(true) { Ok(()) } else { self.renew_list(name, now).await }
    }

    /// Makes the lists anew that tell of these certificates, whose status has changed: of each generation
    /// that issued one of them.
    pub(super) async fn renew_lists_of(
        &self,
        changed: &[String],
        now: UtcTime,
    ) -> Result<(), Error> {
        let mut made = Ok(());
        for (issuer, changed) in self.store.by_issuer(changed).await? {
            let Ok(generation) = issuer.parse() else { continue };
            let ranges: Vec<SerialRange> = changed
                .iter()
                .filter_map(|serial| Some(SerialRange::of(&serial.parse().ok()?)))
                .collect();
            for name in self.parts(generation).await? {
                let concerned = name.range.is_none_or(|range| ranges.contains(&range));
                if concerned || self.authorities.with_list(name, |_| ()).is_none() {
                    made = made.and(self.renew_list(name, now).await);
                }
            }
        }
        made
    }

    /// Which lists end soon, because renewing them fails, and when: once one is over, nobody whom its
    /// authority certified gets in.
    #[must_use]
    pub fn ending_lists(&self, now: UtcTime) -> Vec<(ListName, Option<UtcTime>)> {
        self.authorities.lists_over_by(now + LIST_ALARM)
    }

    /// The complete lists that a generation makes as things stand.
    async fn parts(&self, of: Generation) -> Result<Vec<ListName>, Error> {
        let revoked = self.store.count_revoked(&of.to_string()).await?;
        Ok(self.authorities.parts(of, revoked))
    }

    /// What the lists of a part say, in the order of serial numbers.
    pub(super) async fn revocations(
        &self,
        name: ListName,
        now: UtcTime,
    ) -> Result<(Vec<Revocation>, Revocations), Error> {
        let found = self.store.revocations(&name.part(), now).await?;
        let mut revoked = parsed(&found.revoked)?;
        if name.generation == Generation::ROOT {
            revoked.extend(self.authorities.revocations());
            revoked.sort_by(|one, other| one.serial.cmp(&other.serial));
        }
        Ok((revoked, found))
    }

    async fn renew_list(&self, name: ListName, now: UtcTime) -> Result<(), Error> {
        let _one_at_a_time = self.lists.lock().await;
        // Whoever waited makes a later one than the last.
        let now = now.max(clock::now());
        let part = name.part();
        // Records from an older copy count on from where others have heard of more.
        let last = self.store.last_list_number(&part.issuer).await?.unwrap_or_default();
        let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
        let number = seconds.max(last + 1);
        let (revoked, found) = self.revocations(name, now).await?;
        let since = found.since.map(|(base, changed)| changes(&revoked, &changed, base));
        let since = since.transpose()?;
        let make = || self.authorities.next_lists(&self.keys, name, number, &revoked, since, now);
        let (complete, delta) = aside(make).map_err(fault)?;
        let mut entry = entry_by(service_actor(&self.name), Act::ListIssue, Outcome::Granted, now)
            .on("revocation-list", name.to_string())
            .with("number", number.to_string());
        if let Some(base) = delta.as_ref().and_then(Crl::base) {
            entry = entry.with("delta-since", base.to_string());
        }
        let record = RevocationLists {
            part,
            number,
            complete: complete.der().to_vec(),
            delta: delta.as_ref().map(|delta| delta.der().to_vec()),
        };
        let times = (now, complete.edition().next_update);
        self.store.record_revocation_lists(record, found.changes, times, entry).await?;
        let lists = [Some(complete), delta].into_iter().flatten();
        aside(|| lists.into_iter().try_for_each(|list| self.authorities.adopt(list))).map_err(fault)
    }
}

/// What is on record, as lists have it.
fn parsed(rows: &[RevokedSerial]) -> Result<Vec<Revocation>, Error> {
    rows.iter()
        .map(|row| {
            Ok(Revocation {
                serial: serial(&row.serial)?,
                at: row.revoked_at.truncate_to_second(),
                reason: u8::try_from(row.reason)
                    .ok()
                    .and_then(ca::crl::Reason::from_code)
                    .ok_or(Error::Internal { what: "an unknown reason", source: None })?,
            })
        })
        .collect()
}

/// How certificates stand whose status has changed since list `base`; `revoked` is in the order of
/// serial numbers.
fn changes(revoked: &[Revocation], changed: &[String], base: u64) -> Result<(u64, Changes), Error> {
    let mut changes = Changes::default();
    for text in changed {
        let serial = serial(text)?;
        match revoked.binary_search_by(|it| it.serial.cmp(&serial)) {
            Ok(at) => changes.revoked.push(revoked[at].clone()),
            Err(_) => changes.released.push(serial),
        }
    }
    Ok((base, changes))
}

fn serial(text: &str) -> Result<Serial, Error> {
    text.parse().map_err(|e| Error::internal("a serial number", e))
}

pub(super) fn fault(error: AuthorityError) -> Error {
    match error {
        AuthorityError::Key(error) => Error::Key(error),
        error => Error::internal("working as an authority", error),
    }
}
