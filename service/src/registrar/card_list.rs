//! The signed list of cards that are not to be served: issued as cards change, and at least every
//! [`REISSUE`], so that its age tells a desk how long ago it heard of the service.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use access_token::keys::{PublishedKey, thumbprint_octets};
use audit::Outcome;
use card::status_list::{BadSignature, Contents, Entry, Heading, SIGNER_ID, StatusList, Tag};
use hsm::{
    KeyError, Sm2Signer,
    sm2::{PublicKey, Signature, SignerId},
};
use time::Duration;

use super::{Error, Registrar, entry_by, service_actor, sessions::fill_random};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    keys::Keys,
    policy::Act,
    store::{ChangedChip, ListChange, ListIssue},
    telemetry,
};

/// A list is replaced when it is older, also when nothing changed.
const REISSUE: Duration = Duration::hours(1);
/// Most chips whose change one list tells.
const MOST_CHANGES: u32 = 4096;
/// Deltas to the newest list that are kept ready.
const MOST_DELTAS: usize = 64;

/// The keys of lists, and the newest one.
pub(super) struct CardLists {
    signer: Arc<dyn Sm2Signer>,
    /// Newest first; the first is the signer's.
    keys: Vec<([u8; 32], PublicKey)>,
    newest: RwLock<Option<Arc<Newest>>>,
    /// One list is made at a time, so that none is made from old changes.
    making: tokio::sync::Mutex<()>,
}

/// The newest list, as it is handed out.
struct Newest {
    list: StatusList,
    bytes: Arc<[u8]>,
    /// Deltas to it, by the number that they lead from.
    deltas: Mutex<BTreeMap<u64, Arc<[u8]>>>,
}

impl Newest {
    fn new(list: StatusList) -> Self {
        let bytes = list.to_bytes().into();
        Self { list, bytes, deltas: Mutex::default() }
    }
}

/// What one who holds a list is to be given.
pub struct ListUpdate {
    /// Number of the newest list.
    pub number: u64,
    /// When it was issued.
    pub issued_at: UtcTime,
    /// The number that the octets are a delta from; `None` for a snapshot.
    pub from: Option<u64>,
    /// A snapshot or a delta; `None` when the newest list is held.
    pub bytes: Option<Arc<[u8]>>,
}

impl CardLists {
    pub(super) fn new(keys: &Keys) -> Result<Self, KeyError> {
        let signer = keys.card_list()?;
        let keys = std::iter::once(signer.public_key().clone())
            .chain(keys.earlier_card_list_keys())
            .map(|key| (thumbprint_octets(&key), key))
            .collect();
        Ok(Self { signer, keys, newest: RwLock::default(), making: tokio::sync::Mutex::default() })
    }

    /// The published keys as JSON Web Keys (RFC 7517), newest first.
    pub(super) fn published(&self) -> Vec<PublishedKey> {
        self.keys.iter().map(|(_, key)| PublishedKey::new(key, SIGNER_ID)).collect()
    }

    fn newest(&self) -> Option<Arc<Newest>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn adopt(&self, list: StatusList) {
        let newest = Some(Arc::new(Newest::new(list)));
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = newest;
    }

    fn sign(&self, contents: Contents) -> Result<StatusList, KeyError> {
        let e = self.signer.public_key().digest(&signer_id(), &contents.signed_bytes());
        let signature = *self.signer.sign(&e)?.as_raw();
        Ok(contents.signed(signature))
    }

    /// Whether one of our keys signed it.
    fn check(
        &self,
        key_id: &[u8; 32],
        signed: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), BadSignature> {
        let (_, key) =
            self.keys.iter().find(|(id, _)| id == key_id).ok_or(BadSignature::UnknownKey)?;
        let signature = Signature::from_raw(signature).map_err(|_| BadSignature::Wrong)?;
        key.verify(&key.digest(&signer_id(), signed), &signature).map_err(|_| BadSignature::Wrong)
    }
}

fn signer_id() -> SignerId {
    SignerId::new(SIGNER_ID.as_bytes()).expect("a short literal")
}

impl Registrar {
    /// Takes up the newest list on record, and issues the next. It is issued however new the one on
    /// record is: after a start from an older copy of the records desks hold a later one, and would
    /// take none until its number is passed.
    ///
    /// # Errors
    /// [`Error::Internal`] when the list on record is not one that our keys signed.
    pub async fn start_card_list(&self, now: UtcTime) -> Result<(), Error> {
        if let Some((issue, entries)) = self.store.card_list().await? {
            let ListIssue { number, issued_at, salt, key_id, signature } = issue;
            let heading = Heading { origin: self.name.clone(), number, issued_at, salt, key_id };
            let wrong = |error| Error::internal("taking up the list of cards on record", error);
            let list = Contents::new(heading, entries).map_err(wrong)?.signed(signature);
            let check =
                |id: &_, signed: &_, signature: &_| self.card_lists.check(id, signed, signature);
            let list = StatusList::open(&list.to_bytes(), &check).map_err(wrong)?;
            self.card_lists.adopt(list);
        }
        let making = self.card_lists.making.lock().await;
        let changed = self.store.changed_chips(MOST_CHANGES).await?;
        self.issue_card_list(self.card_lists.newest().as_deref(), changed, now).await?;
        drop(making);
        self.keep_card_list(now).await
    }

    /// Issues the next list when cards changed, or the newest is old.
    ///
    /// # Errors
    /// [`Error`] when it could not be made or recorded; the one before stays in use, and its age
    /// tells.
    pub async fn keep_card_list(&self, now: UtcTime) -> Result<(), Error> {
        let _one_at_a_time = self.card_lists.making.lock().await;
        loop {
            let changed = self.store.changed_chips(MOST_CHANGES).await?;
            let newest = self.card_lists.newest();
            let fresh = newest.as_ref().is_some_and(|it| now < it.list.issued_at() + REISSUE);
            if changed.is_empty() && fresh {
                return Ok(());
            }
            self.issue_card_list(newest.as_deref(), changed, now).await?;
        }
    }

    /// Does so after a change, whose own answer does not depend on it: what could not be told now
    /// is told by the next look.
    pub(super) async fn tell_card_list(&self, now: UtcTime) {
        if let Err(error) = self.keep_card_list(now).await {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "issuing the list of cards");
        }
    }

    async fn issue_card_list(
        &self,
        newest: Option<&Newest>,
        changed: Vec<ChangedChip>,
        now: UtcTime,
    ) -> Result<(), Error> {
        let before = newest.map(|newest| &newest.list);
        let salt = match before {
            Some(list) => *list.salt(),
            None => {
                let mut salt = [0; 16];
                fill_random(&mut salt)?;
                salt
            }
        };
        // A clock that was put back must not make a later list look older.
        let issued_at = before.map_or(now, |list| now.max(list.issued_at()));
        let heading = Heading {
            origin: self.name.clone(),
            number: number_after(before.map(|list| list.number()), now),
            issued_at,
            salt,
            key_id: thumbprint_octets(self.card_lists.signer.public_key()),
        };
        let mut changes: Vec<ListChange> = Vec::with_capacity(changed.len());
        for chip in &changed {
            let serial = chip
                .serial
                .parse()
                .map_err(|error| Error::internal("a chip's serial on record", error))?;
            if before.and_then(|list| list.listing(&serial)) != chip.listing {
                changes.push((Tag::of(&salt, &serial), chip.listing));
            }
        }
        let contents = match before {
            Some(list) => list.changed(heading, changes.iter().copied()),
            None => {
                let listed = |(tag, listing): &ListChange| {
                    listing.map(|listing| Entry { tag: *tag, listing })
                };
                Contents::new(heading, changes.iter().filter_map(listed).collect())
            }
        };
        let contents =
            contents.map_err(|error| Error::internal("making the list of cards", error))?;
        let list = self.card_lists.sign(contents)?;
        let issue = ListIssue {
            number: list.number(),
            issued_at: list.issued_at(),
            salt,
            key_id: *list.key_id(),
            signature: *list.signature(),
        };
        let entry = entry_by(service_actor(&self.name), Act::CardListIssue, Outcome::Granted, now)
            .on("card-list", issue.number.to_string())
            .with("changes", changes.len().to_string())
            .with("cards", list.entries().len().to_string());
        let before = before.map(|list| list.number());
        self.store.record_card_list(before, issue, changes, changed, entry).await?;
        self.card_lists.adopt(list);
        Ok(())
    }

    /// The newest list for one who holds list `held`, 0 for nobody's: a delta where there is one
    /// and it is the shorter way. Public.
    ///
    /// # Errors
    /// UNAVAILABLE when there is no list yet.
    pub async fn card_list(&self, held: u64) -> Result<ListUpdate, Error> {
        let newest = self.card_lists.newest().ok_or(Reason::UNAVAILABLE)?;
        let number = newest.list.number();
        let answer =
            |from, bytes| ListUpdate { number, issued_at: newest.list.issued_at(), from, bytes };
        if held == number {
            return Ok(answer(None, None));
        }
        // A holder of a later list holds one that this service does not know; they will see.
        let delta = match held {
            0 => None,
            held if held > number => None,
            held => self.delta_from(&newest, held).await?,
        };
        Ok(match delta.filter(|delta| delta.len() < newest.bytes.len()) {
            Some(delta) => answer(Some(held), Some(delta)),
            None => answer(None, Some(Arc::clone(&newest.bytes))),
        })
    }

    async fn delta_from(&self, newest: &Newest, held: u64) -> Result<Option<Arc<[u8]>>, Error> {
        let ready = || newest.deltas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(delta) = ready().get(&held) {
            return Ok(Some(Arc::clone(delta)));
        }
        let list = &newest.list;
        let Some(before) = self.store.card_list_before(held, list.number()).await? else {
            return Ok(None);
        };
        let heading = Heading {
            origin: self.name.clone(),
            number: held,
            issued_at: list.issued_at(),
            salt: *list.salt(),
            key_id: *list.key_id(),
        };
        let wrong = |error| Error::internal("making a delta of the list of cards", error);
        let base = list.changed(heading, before).map_err(wrong)?;
        let delta: Arc<[u8]> = list.delta_from(&base).map_err(wrong)?.into();
        let mut ready = ready();
        if ready.len() >= MOST_DELTAS {
            ready.clear();
        }
        ready.insert(held, Arc::clone(&delta));
        Ok(Some(delta))
    }
}

/// The number of a list: the time in milliseconds, unless that is not later than the list before. No
/// list is made in less, so the numbers keep to the clock, and those that are issued from an older copy
/// of the records are greater than all that were issued before it was taken up.
fn number_after(before: Option<u64>, now: UtcTime) -> u64 {
    let milliseconds = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    milliseconds.max(before.unwrap_or_default() + 1)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn numbers_grow_whatever_the_clock_or_the_records_say() {
        let now = datetime!(2026-11-26 08:00:00.123_456 UTC);
        let at = 1_795_680_000_123;
        #[rustfmt::skip]
        let cases = [
            ("the first", None, now, at),
            ("of a service that counted from 1", Some(41), now, at),
            ("the next", Some(at - 60_000), now, at),
            ("in the same millisecond", Some(at), now, at + 1),
            ("with a clock that was put back", Some(at + 9000), now, at + 9001),
            ("with a clock that was never set", None, datetime!(1970-01-01 0:00 UTC), 1),
        ];
        for (what, before, now, number) in cases {
            assert_eq!(number_after(before, now), number, "{what}");
        }
    }
}
