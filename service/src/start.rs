//! From settings and what opens the keystore to a service that answers.

use std::{net::SocketAddr, sync::Arc};

use ca::{
    Certificate,
    crl::{Crl, Scope},
};
use hsm::{
    KeyError,
    random::SystemRandom,
    self_test::{self, SelfTestError},
    soft::{KeystoreError, SoftKeystore, Unseal},
};
use tokio::sync::watch;

mod upkeep;

use self::upkeep::Upkeep;
pub(crate) use self::upkeep::watch_log;
use crate::{
    api,
    card_issuer::{CardIssuer, CardIssuerError},
    clock,
    config::Config,
    devices::Devices,
    disk::Disk,
    generation::Generation,
    keys::{self, Keys},
    national::National,
    registrar::{
        Authorities, AuthorityError, Error, ListPlan, Parts, Registrar, SucceededRoot,
        certify_next, erase_again, hold_token_key_back, key_made, list_address, take_over,
    },
    rules::{self, RulesError},
    serve::{self, ListenError, Protection},
    store::{self, RootSuccession, Store, StoreError},
    telemetry,
};

/// Revocation lists are replaced when they are due within this time.
const LIST_AHEAD: time::Duration = time::Duration::days(3);

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The keystore does not open.
    #[error("opening the keystore")]
    Keystore(#[from] KeystoreError),
    /// A key is missing.
    #[error("looking for the service's keys")]
    Key(#[from] KeyError),
    /// The database does not open.
    #[error("opening the database")]
    Store(#[from] StoreError),
    /// The rules of access are not used.
    #[error("checking the rules of access")]
    Rules(#[from] RulesError),
    /// The authorities on record are not acceptable.
    #[error("checking the authorities")]
    Authorities(#[from] AuthorityError),
    /// The certificates of the card issuer could not be taken up.
    #[error("taking up the card issuer's certificates")]
    CardIssuer(#[from] CardIssuerError),
    /// The registrar could not be put together, or revocation lists not be renewed.
    #[error("preparing the service")]
    Prepare(#[from] Error),
    /// The router could not be made.
    #[error("preparing the interface")]
    Router(#[from] api::RouterError),
    /// The listener could not be set up.
    #[error("preparing the listener")]
    Listen(#[from] ListenError),
}

/// Tests the algorithms and the random generator, opens keystore and database, and puts the service
/// together. When the tests fail it is put together all the same: what was signed is verified, and
/// nothing is signed ([`Registrar::tested`]).
///
/// # Errors
/// [`StartError`]; nothing is then left running.
pub async fn open<'a>(
    config: Config,
    unseal: impl Into<Unseal<'a>>,
) -> Result<Registrar, StartError> {
    open_tested(config, unseal, self_test::run(&mut SystemRandom)).await
}

/// The same after self-tests that ended like this.
///
/// # Errors
/// See [`open`].
pub async fn open_tested<'a>(
    config: Config,
    unseal: impl Into<Unseal<'a>>,
    tested: Result<(), SelfTestError>,
) -> Result<Registrar, StartError> {
    assemble(unlock(config, unseal, tested).await?).await
}

/// A service whose keystore and database are open.
pub(crate) struct Unlocked {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) store: Store,
}

/// Opens keystore and database, and makes the keys that an earlier version did not need.
pub(crate) async fn unlock<'a>(
    mut config: Config,
    unseal: impl Into<Unseal<'a>>,
    tested: Result<(), SelfTestError>,
) -> Result<Unlocked, StartError> {
    let mut keystore = SoftKeystore::open(&config.keystore, unseal)?;
    let made = match tested {
        Ok(()) => keys::complete(&mut keystore)?,
        Err(failed) => {
            let cause = telemetry::chain(&failed);
            tracing::error!(cause, "the self-tests failed: nothing is signed or recorded");
            Vec::new()
        }
    };
    let devices = Devices::new(std::mem::take(&mut config.devices));
    let keys = Keys::with_devices(keystore, devices, tested);
    Disk::new(&config.database, config.disk).make_room();
    let store = Store::open(&config.database, keys.of_log()?, &config.name)?;
    for key in made {
        tracing::info!(%key, "a key that this version needs was made; back the keystore up");
        store.record_act(key_made(&config.name, &key, clock::now())).await?;
    }
    erase_again(&store, &config.name, keys.tested().is_ok(), clock::now()).await?;
    Ok(Unlocked { config, keys, store })
}

/// Puts together what was opened, if the rules that it would decide by may be used.
pub(crate) async fn assemble(
    Unlocked { config, keys, store }: Unlocked,
) -> Result<Registrar, StartError> {
    let on_record = store.rules().await?;
    rules::admit(&config.policy, config.bundle.as_ref(), &config.name, &keys, &on_record)?;
    for draft in store.unsigned_drafts().await? {
        // The service stopped between draft and signature: it may have been signed, and nobody has it.
        tracing::warn!(serial = draft.serial, "a certificate was drafted and never given out");
    }
    let plan = list_plan(&store, &keys, &config).await?;
    let authorities =
        authorities(&store, &keys, &config.name, config.public_url.as_deref(), plan).await?;
    registrar(config, keys, authorities, store).await
}

/// The registrar over its parts, with revocation lists that are good for a while.
pub(crate) async fn registrar(
    config: Config,
    keys: Keys,
    authorities: Authorities,
    store: Store,
) -> Result<Registrar, StartError> {
    let Config { name, policy, lifetimes, card_rules, card_keys, card_script, .. } = config;
    let Config { bundle, time_stamps, metrics, national, .. } = config;
    let Config { login_rules, enrolment_rules, certificate_rules, warnings, .. } = config;
    let Config { witnesses, scrub, retention, database, disk, pace, .. } = config;
    store.limit(pace);
    store.divide(retention.segment);
    let card_issuer = CardIssuer::open(&store, &keys, &name, clock::now()).await?;
    let parts = Parts {
        name,
        store,
        keys,
        authorities,
        policy,
        bundle,
        lifetimes,
        login_rules,
        card_rules,
        enrolment_rules,
        certificate_rules,
        card_keys,
        card_issuer,
        card_script,
        time_stamps,
        metrics,
        national: national.is_some(),
        warned_of: warnings,
        witnesses,
        scrub,
        retention,
        disk: Disk::new(&database, disk),
    };
    hold_token_key_back(&parts.store, &parts.keys).await?;
    let registrar = Registrar::new(parts)?;
    registrar.recall_witnesses().await?;
    registrar.recall_scrub().await?;
    if registrar.tested().is_err() {
        // The list of cards on record is taken up; that the next cannot be signed was said.
        drop(registrar.start_card_list(clock::now()).await);
        return Ok(registrar);
    }
    let renewed = registrar.renew_lists(clock::now(), LIST_AHEAD).await;
    or_later("renewing revocation lists", renewed)?;
    upkeep::keep_own(&registrar).await;
    registrar.tell_lone_operator().await;
    let filled = registrar.fill_likenesses(clock::now()).await?;
    if filled > 0 {
        tracing::info!(residents = filled, "residents of before are compared with new ones now");
    }
    or_later("issuing the list of cards", registrar.start_card_list(clock::now()).await)?;
    Ok(registrar)
}

/// What cannot be recorded at a start is told, and done later: what was published goes on, and whoever asks about it
/// has an answer. Whatever else fails keeps the service from starting.
fn or_later(what: &'static str, done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(Error::Store(error @ (StoreError::Unavailable(_) | StoreError::Unsettled(_)))) => {
            tracing::error!(cause = telemetry::chain(&error), "{what}");
            Ok(())
        }
        done => done,
    }
}

async fn authorities(
    store: &Store,
    keys: &Keys,
    name: &str,
    public_url: Option<&str>,
    plan: ListPlan,
) -> Result<Authorities, StartError> {
    let mut certificates = of_generations(store.authorities().await?)?;
    // The root first, and of each authority the oldest.
    certificates.sort_by_key(|(generation, _)| *generation);
    if Generation::first().any(|it| certificates.iter().all(|(known, _)| *known != it)) {
        return Err(AuthorityError::Record("certificate of an authority").into());
    }
    let now = clock::now();
    let certificates = take_over(store, keys, name, certificates, now).await?;
    let certificates = certify_next(store, keys, name, certificates, now).await?;
    let mut lists = Vec::new();
    for record in store.revocation_lists().await? {
        for der in [Some(record.complete), record.delta].into_iter().flatten() {
            let list = Crl::parse(&der).map_err(|_| AuthorityError::Record("revocation list"))?;
            lists.push(list);
        }
    }
    let mut succeeded = Vec::new();
    for root in store.root_successions().await? {
        let RootSuccession { before, new_with_old, last_list, old_with_new } = root;
        if let Some(old_with_new) = old_with_new {
            succeeded.push(SucceededRoot { before, new_with_old, old_with_new, last_list });
        }
    }
    let before = of_generations(store.authorities_before().await?)?.into_iter();
    let issuers = before.filter(|(of, _)| *of != Generation::ROOT).map(|(_, issuer)| issuer);
    let authorities = Authorities::load(keys, certificates, lists, public_url, plan)?;
    let revoked = store.authority_revocations().await?.into_iter();
    let revoked: Vec<_> = revoked.filter_map(|(name, at)| Some((name.parse().ok()?, at))).collect();
    Ok(authorities.with_succeeded(succeeded, issuers)?.with_revoked(&revoked))
}

/// The certificates of authorities among those of the service's own.
fn of_generations(
    records: Vec<store::Authority>,
) -> Result<Vec<(Generation, Certificate)>, AuthorityError> {
    let named = |record: store::Authority| Some((record.name.parse().ok()?, record.der));
    let parse = |(generation, der): (Generation, Vec<u8>)| {
        let certificate = Certificate::parse(&der);
        let certificate =
            certificate.map_err(|_| AuthorityError::Record("certificate of an authority"))?;
        Ok((generation, certificate))
    };
    records.into_iter().filter_map(named).map(parse).collect()
}

/// How lists are divided and where they are found; the address of today is on record from now on, since
/// certificates will name it. After a failed self-test none are issued, and nothing is recorded.
pub(crate) async fn list_plan(
    store: &Store,
    keys: &Keys,
    config: &Config,
) -> Result<ListPlan, StoreError> {
    let mut addresses = store.list_addresses().await?;
    if let Some(url) = &config.public_url {
        if !addresses.contains(url) && keys.tested().is_ok() {
            store.record_list_address(url, list_address(&config.name, url, clock::now())).await?;
        }
        // The newest last, whenever it was first used.
        addresses.retain(|address| address != url);
        addresses.push(url.clone());
    }
    // More than that a list cannot name; certificates of before are in that of all.
    let beyond = addresses.len().saturating_sub(Scope::MAX_POINTS);
    addresses.drain(..beyond);
    Ok(ListPlan { addresses, ranges_above: config.ranges_above })
}

/// Where the service is reached.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// By everybody.
    pub ordinary: SocketAddr,
    /// By national TLS, if there is such a listener.
    pub national: Option<SocketAddr>,
}

/// Serves until `stop` turns true. Calls `ready` with the addresses once connections are accepted.
///
/// # Errors
/// [`StartError`] when a listener cannot be set up.
pub async fn run(
    registrar: Registrar,
    listen: Addresses,
    protection: Protection,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(Addresses),
) -> Result<(), StartError> {
    registrar.take_rules(clock::now()).await?;
    let registrar = Arc::new(registrar);
    let router = api::router(Arc::clone(&registrar)).await?;
    let listener = serve::bind(listen.ordinary).await?;
    registrar.publish_next_token_key(clock::now()).await?;
    registrar.take_token_key(clock::now()).await?;
    let ordinary = listener.local_addr().unwrap_or(listen.ordinary);
    let national = match listen.national {
        Some(address) => {
            let protection = National::new(Arc::clone(&registrar)).map_err(ListenError::from)?;
            Some((serve::bind(address).await?, Protection::National(Arc::new(protection))))
        }
        None => None,
    };
    let bound = national.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
    let upkeep = Upkeep::begin(&registrar, &stop);
    ready(Addresses { ordinary, national: bound });
    let nationally = async {
        if let Some((listener, protection)) = national {
            serve::serve(listener, protection, router.clone(), stop.clone()).await;
        }
    };
    tokio::join!(serve::serve(listener, protection, router.clone(), stop.clone()), nationally);
    upkeep.end().await;
    Ok(())
}
