//! What this desk keeps for the time without the service: the key that it seals to, the last list of
//! cards, and what it saw, until the service has been told.

use std::{fs, path::PathBuf};

use card::{
    offline::{OfflineReading, SealingKey},
    status_list::{MAX_BYTES, StatusList},
};
use proto::v1::{
    PrepareDeskRequest, ReconcileRequest, Reconciled, TokenKeysRequest, desks_client::DesksClient,
    tokens_client::TokensClient,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    alone::{Said, Seen},
    spool::Spool,
};
use crate::{
    card_list,
    failure::Failure,
    files::{self, Audience},
    service::Service,
    text::problems,
};

/// Largest file of what was prepared, bytes.
const LIMIT: u64 = 4096;
/// Largest key set, bytes.
const MOST_KEYS: u64 = 64 * 1024;
/// Readings of one call.
const MOST_READINGS: usize = 64;

/// What the service gave this desk for the time without it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prepared {
    /// Address of that service.
    server: String,
    identity_id: String,
    /// In hexadecimal.
    sealing_key: String,
}

/// Everything that is kept for the time without the service.
pub(super) struct Offline {
    directory: PathBuf,
    server: String,
    prepared: Option<(Prepared, SealingKey)>,
    list: Option<StatusList>,
    spool: Option<Spool>,
}

impl Offline {
    /// Opens what is kept beside the identity. What is missing or of another service is made anew
    /// as soon as the service can be asked; why nothing can be kept at all, if so.
    pub(super) fn open(service: &Service) -> (Self, Option<Failure>) {
        let directory = service.home().dir().join("desk");
        let server = service.address().origin();
        let mut offline = Self { directory, server, prepared: None, list: None, spool: None };
        let opened = files::make_directory(&offline.directory)
            .and_then(|()| Spool::open(&offline.directory.join("spool")));
        let problem = match opened {
            Ok(spool) => {
                offline.spool = Some(spool);
                None
            }
            Err(failure) => Some(failure),
        };
        offline.prepared = offline.read_prepared();
        offline.list = offline.read_list();
        (offline, problem)
    }

    fn path(&self) -> PathBuf {
        self.directory.join("prepared.json")
    }

    fn read_prepared(&self) -> Option<(Prepared, SealingKey)> {
        let bytes = files::read(&self.path(), LIMIT).ok()?;
        let prepared: Prepared = serde_json::from_slice(&bytes).ok()?;
        let key = sealing_key(&hex::decode(&prepared.sealing_key).ok()?)?;
        (prepared.server == self.server).then_some((prepared, key))
    }

    fn keys_path(&self) -> PathBuf {
        self.directory.join("keys.json")
    }

    fn list_path(&self) -> PathBuf {
        self.directory.join("cards.list")
    }

    /// The list as last kept, if its signature holds.
    fn read_list(&self) -> Option<StatusList> {
        self.prepared.as_ref()?;
        let jwks = files::read(&self.keys_path(), MOST_KEYS).ok()?;
        let list = files::read(&self.list_path(), MAX_BYTES as u64).ok()?;
        card_list::open(&list, std::str::from_utf8(&jwks).ok()?).ok()
    }

    /// The list that is held, for the service to lead on from.
    pub(super) fn list(&self) -> Option<StatusList> {
        self.list.clone()
    }

    /// Whether cards can be seen without the service.
    pub(super) fn is_ready(&self) -> bool {
        self.prepared.is_some() && self.spool.is_some()
    }

    /// Takes what the service gave.
    pub(super) fn keep(&mut self, given: Given) -> Result<(), Failure> {
        let key = sealing_key(&given.sealing_key).ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
        let prepared = Prepared {
            server: self.server.clone(),
            identity_id: given.identity_id,
            sealing_key: hex::encode(&given.sealing_key),
        };
        let text = serde_json::to_vec(&prepared).expect("three texts have a JSON form");
        let known = fs::read(self.path()).is_ok_and(|known| known == text);
        if !known {
            files::write(&self.path(), &text, Audience::Owner)?;
        }
        self.prepared = Some((prepared, key));
        let list = given.list?;
        let newer = |held: &StatusList| held.number() < list.number();
        if self.list.as_ref().is_none_or(newer) {
            files::write(&self.keys_path(), given.jwks.as_bytes(), Audience::Owner)?;
            files::write(&self.list_path(), &list.to_bytes(), Audience::Owner)?;
            self.list = Some(list);
        }
        Ok(())
    }

    /// Looks a card up and keeps that it was seen, and whether it is refused, on disk before anybody
    /// is told.
    pub(super) fn note(&mut self, said: Said, now: OffsetDateTime) -> Result<Seen, Failure> {
        let (Some((prepared, key)), Some(spool)) = (&self.prepared, &mut self.spool) else {
            return Err(problems::SERVICE_UNREACHABLE.into());
        };
        // A list from the future says that a clock is wrong: it is not relied on.
        let list = self.list.as_ref().and_then(|list| Some((list, list.age(now).ok()?)));
        let listing = list.and_then(|(list, _)| list.listing(&said.issuer.chip_serial));
        let list = list.map(|(list, age)| (list.number(), age));
        let seen = Seen::new(said, list, listing);
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
        let kept = OfflineReading {
            id,
            desk: prepared.identity_id.clone(),
            at: now.truncate_to_second(),
            factor: seen.said.factor,
            chip_serial: seen.said.issuer.chip_serial.clone(),
            card_number: seen.said.issuer.card_number.clone(),
            list: list.map_or(0, |(number, _)| number),
            standing: seen.standing(),
            proof: seen.said.proof,
            refusal: seen.refusal(),
        };
        spool.append(kept.seal(key))?;
        Ok(seen)
    }

    /// When the list that cards are looked up in was issued.
    pub(super) fn list_issued_at(&self) -> Option<OffsetDateTime> {
        self.list.as_ref().map(|list| list.issued_at())
    }

    /// How many readings wait for the service.
    pub(super) fn waiting(&self) -> usize {
        self.spool.as_ref().map_or(0, Spool::len)
    }

    /// Octets of the spool that were found damaged.
    pub(super) fn damaged(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::damaged)
    }

    /// The first readings that wait.
    pub(super) fn first(&self) -> Vec<Vec<u8>> {
        self.spool.as_ref().map(|spool| spool.first(MOST_READINGS)).unwrap_or_default()
    }

    /// Forgets readings that the service has.
    pub(super) fn settle(&mut self, count: usize) -> Result<(), Failure> {
        self.spool.as_mut().map_or(Ok(()), |spool| spool.settle(count))
    }
}

fn sealing_key(octets: &[u8]) -> Option<SealingKey> {
    SealingKey::from_sec1(octets).ok()
}

/// What the service gives a desk.
pub(super) struct Given {
    identity_id: String,
    sealing_key: Vec<u8>,
    jwks: String,
    /// Why there is none that may be relied on, if so.
    list: Result<StatusList, Failure>,
}

/// Asks for what is needed without the service; `held` is the list that this desk has.
pub(super) async fn prepare(service: &Service, held: Option<StatusList>) -> Result<Given, Failure> {
    let given = service
        .ask(async |channel| DesksClient::new(channel).prepare(PrepareDeskRequest {}).await)
        .await?;
    let jwks = service
        .ask_openly(async |channel| TokensClient::new(channel).keys(TokenKeysRequest {}).await)
        .await?
        .jwks;
    let list = card_list::fetch(service, held, &jwks).await;
    let (identity_id, sealing_key) = (given.identity_id, given.sealing_key);
    Ok(Given { identity_id, sealing_key, jwks, list })
}

/// Tells the service what was seen without it; what it made of each.
pub(super) async fn reconcile(
    service: &Service,
    readings: Vec<Vec<u8>>,
) -> Result<Vec<Reconciled>, Failure> {
    let count = readings.len();
    let request = ReconcileRequest { readings };
    let told = service
        .ask(async |channel| DesksClient::new(channel).reconcile(request.clone()).await)
        .await?;
    if told.readings.len() != count {
        return Err(problems::SERVICE_ANSWER_MALFORMED.into());
    }
    Ok(told.readings)
}
