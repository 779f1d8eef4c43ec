//! From settings and what opens the keystore to a service that answers.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

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
        Authorities, AuthorityError, Error, ListPlan, LogWatch, Parts, Registrar, SucceededRoot,
        certify_next, hold_token_key_back, key_made, list_address, take_over,
    },
    rules::{self, RulesError},
    serve::{self, ListenError, Protection},
    store::{self, Pace, RootSuccession, Store, StoreError},
    telemetry,
};

/// Revocation lists are replaced when they are due within this time.
const LIST_AHEAD: time::Duration = time::Duration::days(3);
/// How often that, and the certificates of responders, are looked at.
const LIST_CHECK: Duration = Duration::from_secs(3600);
/// How often it is looked at whether the list of cards is due. A change of a card tells it at once;
/// this is for what was cut off, and for its age.
const CARD_LIST_CHECK: Duration = Duration::from_secs(60);
/// How often the log is told of sessions that are over because their lease was not renewed.
const LEASE_CHECK: Duration = Duration::from_secs(5);
/// How often what came into the log is looked at for what is to be warned of.
const WARNING_CHECK: Duration = Duration::from_secs(1);
/// How soon the log is gone over again after that failed.
const SCRUB_AGAIN: Duration = Duration::from_secs(60);
/// How often emergency accesses are looked at that ended by themselves, or for which something is late.
const EMERGENCY_CHECK: Duration = Duration::from_secs(10);

/// How often it is looked at how much room the disk has, and how fast it is; that a commit failed is known at once.
const DISK_CHECK: Duration = Duration::from_secs(1);
/// How often devices are looked at: how soon one that is back is found when nobody asks for it.
const DEVICE_CHECK: Duration = Duration::from_secs(2);
/// How often it is looked at whether a key in a device may sign tokens.
const TOKEN_KEY_CHECK: Duration = Duration::from_secs(2);
/// How often the clock is looked at.
const CLOCK_CHECK: Duration = Duration::from_secs(60);

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
    let Config { witnesses, scrub, database, disk, pace, .. } = config;
    store.limit(pace);
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
    keep_own(&registrar).await;
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
    let renewal = tokio::spawn(keep_status_fresh(Arc::clone(&registrar), stop.clone()));
    let card_list = tokio::spawn(keep_card_list_fresh(Arc::clone(&registrar), stop.clone()));
    let emergencies = tokio::spawn(keep_emergencies(Arc::clone(&registrar), stop.clone()));
    let sessions = tokio::spawn(keep_sessions(Arc::clone(&registrar), stop.clone()));
    let warnings = tokio::spawn(watch_log(Arc::clone(&registrar), stop.clone()));
    let scrub = tokio::spawn(scrub_log(Arc::clone(&registrar), stop.clone()));
    let disk = tokio::spawn(watch_disk(Arc::clone(&registrar), stop.clone()));
    let devices = tokio::spawn(watch_devices(registrar.devices().clone(), stop.clone()));
    let token_key = tokio::spawn(await_token_key(Arc::clone(&registrar), stop.clone()));
    let watch = tokio::spawn(watch_clock(registrar, stop.clone()));
    ready(Addresses { ordinary, national: bound });
    let nationally = async {
        if let Some((listener, protection)) = national {
            serve::serve(listener, protection, router.clone(), stop.clone()).await;
        }
    };
    tokio::join!(serve::serve(listener, protection, router.clone(), stop.clone()), nationally);
    renewal.abort();
    card_list.abort();
    emergencies.abort();
    sessions.abort();
    warnings.abort();
    disk.abort();
    // It keeps where it is.
    drop(scrub.await);
    devices.abort();
    token_key.abort();
    watch.abort();
    Ok(())
}

/// Renews revocation lists, and the certificates of who answers about others and who stamps times, well
/// before they end. A failure is tried again at the next turn.
async fn keep_status_fresh(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    while tokio::time::timeout(LIST_CHECK, stop.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = registrar.renew_lists(clock::now(), LIST_AHEAD).await {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "renewing revocation lists");
        }
        for (list, end) in registrar.ending_lists(clock::now()) {
            let (list, end) = (list.to_string(), end.map(clock::rfc3339));
            tracing::error!(list, end, "a revocation list ends soon and was not renewed");
        }
        keep_own(&registrar).await;
    }
}

/// Sees to the certificates of who answers about others and who stamps times, and to the keys that are held for
/// others. A failure is told, and does not keep the service from the rest: what is in use goes on to its end.
async fn keep_own(registrar: &Registrar) {
    let kept = [
        ("renewing the certificates of responders", registrar.keep_responders(clock::now()).await),
        ("renewing the certificate for time stamps", registrar.keep_stamper(clock::now()).await),
        (
            "renewing the certificate of the national listener",
            registrar.keep_shown(clock::now()).await,
        ),
        ("ending the use of key pairs", registrar.end_escrowed_keys(clock::now()).await),
    ];
    for (what, kept) in kept {
        if let Err(error) = kept {
            tracing::error!(cause = telemetry::chain(&error), "{what}");
        }
    }
}

/// Looks after the room on the disk and how fast it is, on a thread that may wait for it.
async fn watch_disk(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    let (mut writability, mut slow) = (registrar.store().writability(), false);
    loop {
        let looking = Arc::clone(&registrar);
        let look = move || looking.look_at_disk(clock::now());
        if tokio::task::spawn_blocking(look).await.is_err() {
            return;
        }
        slow = tell_pace(slow, &registrar);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            changed = tokio::time::timeout(DISK_CHECK, writability.changed()) => {
                if let Ok(Err(_)) = changed {
                    return;
                }
            }
        }
    }
}

/// Tells when commits begin to be slow, and when they are not any more.
fn tell_pace(before: bool, registrar: &Registrar) -> bool {
    let Pace { slow, slowest, waits, .. } = registrar.store().pace();
    match (before, slow) {
        (false, true) => {
            tracing::warn!(
                ?slowest,
                ?waits,
                "磁盘写入缓慢 · the disk is slow: a commit takes long"
            );
        }
        (true, false) => tracing::info!("磁盘写入恢复正常 · the disk is not slow any more"),
        _ => {}
    }
    slow
}

/// Looks after the devices, on a thread that may wait for them.
async fn watch_devices(devices: Devices, mut stop: watch::Receiver<bool>) {
    if devices.is_empty() {
        return;
    }
    let mut lost = BTreeSet::new();
    while tokio::time::timeout(DEVICE_CHECK, stop.wait_for(|stop| *stop)).await.is_err() {
        let devices = devices.clone();
        let looked = tokio::task::spawn_blocking(move || {
            devices.look_after(&mut lost);
            lost
        });
        let Ok(now) = looked.await else { return };
        lost = now;
    }
}

/// Has a key in a device sign tokens once whoever verifies could fetch it. A failure is tried again at the next turn.
async fn await_token_key(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    while registrar.token_key_waits() {
        if tokio::time::timeout(TOKEN_KEY_CHECK, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
        if let Err(error) = registrar.take_token_key(clock::now()).await {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "having the key in the device sign tokens");
        }
    }
}

/// Looks whether the clock goes as time does: a jump stops time stamps, and is told.
async fn watch_clock(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    while tokio::time::timeout(CLOCK_CHECK, stop.wait_for(|stop| *stop)).await.is_err() {
        // What is wrong was told already.
        let _ = registrar.watch_clock(clock::now());
    }
}

/// Tells which emergency accesses ended by themselves, and what is late. A failure is tried again at the next turn.
async fn keep_emergencies(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = registrar.keep_emergencies(clock::now()).await {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "looking after emergency accesses");
        }
        if tokio::time::timeout(EMERGENCY_CHECK, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// Tells which sessions are over because nobody renewed their lease. A failure is tried again at the next turn.
async fn keep_sessions(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    while tokio::time::timeout(LEASE_CHECK, stop.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = registrar.keep_sessions(clock::now()).await {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "ending sessions whose lease is over");
        }
    }
}

/// Looks at what the log says of people and cards. A failure is tried again at the next turn.
pub(crate) async fn watch_log(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    let mut watch = LogWatch::default();
    loop {
        if let Err(error) = registrar.watch_log(&mut watch, clock::now()).await {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "looking for what is to be warned of");
        }
        if tokio::time::timeout(WARNING_CHECK, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// Goes over the log, round after round, to see whether it still is what was signed. A failure is tried again later.
async fn scrub_log(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    loop {
        let pause = match registrar.scrub_on(clock::now()).await {
            Ok(pause) => pause,
            Err(error) => {
                let cause = telemetry::chain(&error);
                tracing::error!(cause, "going over the log");
                SCRUB_AGAIN
            }
        };
        if tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok() {
            break;
        }
    }
    // The end of the service waits for it, however the disk is.
    if let Err(error) = store::bounded(registrar.keep_scrub()).await {
        let cause = telemetry::chain(&error);
        tracing::warn!(cause, "keeping how far the log was gone over");
    }
}

/// Issues the list of cards when it is due. A failure is tried again at the next turn.
async fn keep_card_list_fresh(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    while tokio::time::timeout(CARD_LIST_CHECK, stop.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = registrar.keep_card_list(clock::now()).await {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "issuing the list of cards");
        }
    }
}
