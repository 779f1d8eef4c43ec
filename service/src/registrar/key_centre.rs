//! The key management centre (密钥管理中心; GM/T 0038-2014): encryption key pairs that are made ahead and held for
//! their owners. Their secrets are sealed under a key of the centre's own, and are outside `hsm` only within an
//! envelope to a key of somebody who may have them. Signing keys are never here.

use std::{collections::VecDeque, sync::Arc};

use audit::{Entry, Outcome};
use hsm::{
    DataSealer, KeyError,
    sm2::{PublicKey, SecretKey},
    sm3,
};
use tokio::sync::Mutex;

use super::{Caller, Error, Registrar, entry_by, service_actor};
use crate::{
    clock::UtcTime,
    policy::Act,
    store::{EscrowedKeyId, KeyCounts, MAX_PAGE, NewEscrowedKey, Receipt, Store},
};

/// Most key pairs that are made at once.
pub const MOST_MADE: usize = 1_000;
/// Key pairs that are made when there is none left for a request.
const BATCH: usize = 64;
/// With fewer than this at hand, more are made ahead, until there are [`ENOUGH`].
const LEAST: usize = 64;
/// How many are made ahead.
const ENOUGH: usize = 256;

/// The centre: its own key, and the spare key pairs that are at hand.
pub(super) struct KeyCentre {
    key: Arc<dyn DataSealer>,
    /// Whoever holds it makes or takes key pairs; all others wait.
    spare: Mutex<Spare>,
}

#[derive(Default)]
struct Spare {
    at_hand: VecDeque<NewEscrowedKey>,
    /// The last one that was taken from the store. Key pairs are made one batch after the other, so that
    /// all that come are after it.
    last: Option<EscrowedKeyId>,
}

impl KeyCentre {
    pub(super) fn new(key: Arc<dyn DataSealer>) -> Self {
        Self { key, spare: Mutex::default() }
    }

    /// Opens a key pair that is held.
    pub(super) fn open(&self, pair: &NewEscrowedKey) -> Result<SecretKey, KeyError> {
        let secret = self.key.open_pair(&sealed_for(pair.id), &pair.sealed)?;
        // What was sealed goes with what certificates are made for.
        if secret.public().as_sec1()[..] == pair.public_key[..] {
            Ok(secret)
        } else {
            Err(KeyError::NotAuthentic)
        }
    }

    /// A spare key pair, which nobody else gets: to be put into use on record, or given back.
    pub(super) async fn take(
        &self,
        store: &Store,
        entry: impl FnOnce() -> Entry,
        now: UtcTime,
    ) -> Result<NewEscrowedKey, Error> {
        let mut spare = self.spare.lock().await;
        if spare.at_hand.is_empty() {
            self.fill(&mut spare, BATCH, store, entry, now).await?;
        }
        let taken = spare.at_hand.pop_front();
        taken.ok_or(Error::Internal { what: "taking a spare key pair", source: None })
    }

    /// Puts back what was taken and not used.
    pub(super) async fn give_back(&self, key: NewEscrowedKey) {
        self.spare.lock().await.at_hand.push_front(key);
    }

    /// Sees to it that there are enough for a while when few are left.
    pub(super) async fn refill(
        &self,
        store: &Store,
        entry: impl FnOnce() -> Entry,
        now: UtcTime,
    ) -> Result<(), Error> {
        let mut spare = self.spare.lock().await;
        if spare.at_hand.len() < LEAST {
            self.fill(&mut spare, ENOUGH, store, entry, now).await?;
        }
        Ok(())
    }

    /// Takes spare key pairs from the store, and makes those that `enough` asks for beyond them.
    async fn fill(
        &self,
        spare: &mut Spare,
        enough: usize,
        store: &Store,
        entry: impl FnOnce() -> Entry,
        now: UtcTime,
    ) -> Result<(), Error> {
        let held = store.spare_keys(spare.last, MAX_PAGE).await?;
        spare.last = held.last().map(|key| key.pair.id).or(spare.last);
        spare.at_hand.extend(held.into_iter().map(|key| key.pair));
        if let missing @ 1.. = enough.saturating_sub(spare.at_hand.len()) {
            let (made, _) = self.make(spare, store, missing, entry(), now).await?;
            spare.last = made.last().map(|key| key.id).or(spare.last);
            spare.at_hand.extend(made);
        }
        Ok(())
    }

    /// Makes key pairs and puts them on record as spare ones. Whoever has the spare ones locked does so.
    async fn make(
        &self,
        _one_at_a_time: &mut Spare,
        store: &Store,
        count: usize,
        entry: Entry,
        now: UtcTime,
    ) -> Result<(Vec<NewEscrowedKey>, Receipt), Error> {
        let key = Arc::clone(&self.key);
        let made = move || (0..count).map(|_| make_one(&*key)).collect::<Result<Vec<_>, _>>();
        let made = tokio::task::spawn_blocking(made)
            .await
            .map_err(|e| Error::internal("making key pairs", e))??;
        let digests: Vec<u8> = made.iter().flat_map(|key| key.key_digest).collect();
        let entry = entry
            .on("key-centre", "spare")
            .with("keys", count.to_string())
            .with("digest", hex::encode(sm3::digest(&digests)));
        let receipt = store.record_spare_keys(made.clone(), now, entry).await?;
        Ok((made, receipt))
    }
}

fn make_one(key: &dyn DataSealer) -> Result<NewEscrowedKey, KeyError> {
    let (id, secret) = (EscrowedKeyId::generate(), SecretKey::generate());
    let sealed = key.seal_pair(&sealed_for(id), &secret)?;
    let public_key = secret.public().as_sec1().to_vec();
    Ok(NewEscrowedKey { id, key_digest: digest(secret.public()), public_key, sealed })
}

/// By what a public key is found, in certificates and among the keys that are held.
pub(super) fn digest(key: &PublicKey) -> [u8; 32] {
    sm3::digest(key.as_sec1())
}

/// The place that a key pair is sealed for: another row does not open it.
fn sealed_for(id: EscrowedKeyId) -> Vec<u8> {
    [b"escrowed-key:", &id.octets()[..]].concat()
}

impl Registrar {
    /// Makes key pairs ahead, at most [`MOST_MADE`].
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn make_spare_keys(
        &self,
        caller: &Caller,
        count: usize,
    ) -> Result<(KeyCounts, Receipt), Error> {
        self.allow(caller, Act::KeyCentreMake).await?;
        let entry = self.entry(caller, Act::KeyCentreMake, Outcome::Granted);
        let mut spare = self.key_centre.spare.lock().await;
        let made = self.key_centre.make(&mut spare, &self.store, count, entry, caller.now).await?;
        drop(spare);
        Ok((self.store.key_counts().await?, made.1))
    }

    /// How many key pairs each store of the centre has. The reading is in the log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn key_counts(&self, caller: &Caller) -> Result<KeyCounts, Error> {
        self.allow(caller, Act::KeyCentreRead).await?;
        self.record_act(self.entry(caller, Act::KeyCentreRead, Outcome::Granted)).await?;
        Ok(self.store.key_counts().await?)
    }

    /// The entry for what the centre does by itself.
    pub(super) fn centre_entry(&self, act: Act, now: UtcTime) -> Entry {
        entry_by(service_actor(&self.name), act, Outcome::Granted, now)
    }

    /// Puts key pairs into the history whose certificates are over.
    ///
    /// # Errors
    /// [`Error`] when that could not be recorded; it is tried again at the next turn.
    pub async fn end_escrowed_keys(&self, now: UtcTime) -> Result<(), Error> {
        let entry = self.centre_entry(Act::KeyCentreEnd, now).on("key-centre", "history");
        self.store.record_keys_past(now, entry).await?;
        Ok(())
    }
}
