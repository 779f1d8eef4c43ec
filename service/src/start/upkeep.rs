//! What a service does by itself beside its calls: what has to be renewed is, what is over is told, and the log, the disk,
//! devices and the clock are looked after.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle};

use super::LIST_AHEAD;
use crate::{
    clock,
    devices::Devices,
    registrar::{LogWatch, Registrar, Tried},
    store::{self, Pace},
    telemetry,
};

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
/// How often it is looked at whether a segment of the log is full.
const SEGMENT_CHECK: Duration = Duration::from_secs(2);
/// How soon the next entries of a segment go that was removed: others come in between.
const CUT_PACE: Duration = Duration::from_millis(50);
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

/// All of it, under way.
pub(super) struct Upkeep {
    tasks: Vec<JoinHandle<()>>,
    /// It keeps where it is when the service ends.
    scrub: JoinHandle<()>,
}

impl Upkeep {
    /// Begins, until `stop` turns true.
    pub(super) fn begin(registrar: &Arc<Registrar>, stop: &watch::Receiver<bool>) -> Self {
        let its = || Arc::clone(registrar);
        let tasks = vec![
            tokio::spawn(keep_status_fresh(its(), stop.clone())),
            tokio::spawn(keep_card_list_fresh(its(), stop.clone())),
            tokio::spawn(keep_emergencies(its(), stop.clone())),
            tokio::spawn(keep_sessions(its(), stop.clone())),
            tokio::spawn(watch_log(its(), stop.clone())),
            tokio::spawn(watch_disk(its(), stop.clone())),
            tokio::spawn(watch_devices(registrar.devices().clone(), stop.clone())),
            tokio::spawn(await_token_key(its(), stop.clone())),
            tokio::spawn(watch_clock(its(), stop.clone())),
            tokio::spawn(keep_segments(its(), stop.clone())),
        ];
        Self { tasks, scrub: tokio::spawn(scrub_log(its(), stop.clone())) }
    }

    /// Ends what is under way.
    pub(super) async fn end(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        drop(self.scrub.await);
    }
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
pub(super) async fn keep_own(registrar: &Registrar) {
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

/// Closes segments of the log, and lets go what was removed of it. A failure is told once, and tried again.
async fn keep_segments(registrar: Arc<Registrar>, mut stop: watch::Receiver<bool>) {
    let (mut failing, mut tried) = (false, Tried::default());
    loop {
        let pause = match registrar.keep_segments(clock::now(), &mut tried).await {
            Ok(more) => {
                failing = false;
                if more { CUT_PACE } else { SEGMENT_CHECK }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    let cause = telemetry::chain(&error);
                    tracing::error!(cause, "looking after the segments of the log");
                }
                SEGMENT_CHECK
            }
        };
        if tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
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
