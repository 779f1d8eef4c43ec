//! Room on the disk of records and log: how much there is, what is said when it gets little, and a reserve for when
//! there is none, so that the log goes on until somebody has made room.

mod reserve;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use rustix::fs::statvfs;

use crate::{
    clock::{self, UtcTime},
    store::Trouble,
    vocabulary::words,
};

const GIVEN_UP: &str = "磁盘已满，预留空间已用上，请立即清理 · the disk is full, the reserve was given up: make room at once";
/// Suffix of the reserve's file.
const RESERVE: &str = ".reserve";
/// A reserve that was given up, or for which there was no room after all, is not laid before, whatever room there seems
/// to be.
const PAUSE: Duration = Duration::from_secs(5);
/// Room that opening a database takes: the index of its write-ahead log, and what is written at a start.
const TO_OPEN: u64 = 4 * 1024 * 1024;
/// How often it is looked again at what stands in the reserve's place.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Room that has to be there, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Below this somebody should see to it.
    pub low: u64,
    /// Below this at once.
    pub critical: u64,
    /// Size of the reserve; 0 for none.
    pub reserve: u64,
}

words! {
    /// How much room there is.
    Level {
        /// Enough.
        Enough = "enough",
        /// Less than somebody should see to.
        Low = "low",
        /// So little that somebody has to see to it at once.
        Critical = "critical",
    }
}

words! {
    /// How the reserve stands.
    Reserve {
        /// There is to be none.
        Off = "off",
        /// It takes up its room.
        Laid = "laid",
        /// It was given up, or there was no room for it yet.
        Absent = "absent",
        /// Something else stands in its place, or it cannot be made.
        Obstructed = "obstructed",
    }
}

/// How the disk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskState {
    /// Octets that are free, on the volume that has the least; `None` when they are not told.
    pub free: Option<u64>,
    /// What that means.
    pub level: Level,
    /// How the reserve stands.
    pub reserve: Reserve,
    /// Its size.
    pub reserve_size: u64,
    /// When it was given up, if it was since the start.
    pub given_up: Option<UtcTime>,
}

/// Looks after the room.
pub struct Disk {
    budget: Budget,
    /// Of the database as it is named, and as it is found behind links.
    folders: Vec<PathBuf>,
    /// Whoever looks does so alone: what is given up is not laid back at the same time.
    keeper: Mutex<Keeper>,
    state: RwLock<DiskState>,
}

struct Keeper {
    place: reserve::Place,
    /// When it was given up, or there was no room for it.
    paused: Option<Instant>,
    /// When it was looked for.
    found: Option<Instant>,
}

impl Disk {
    /// The disk of this database. Nothing is looked at yet.
    #[must_use]
    pub fn new(database: &Path, budget: Budget) -> Self {
        let real = database.canonicalize().unwrap_or_else(|_| database.to_owned());
        let folder = |path: &Path| match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut folders = vec![folder(&real), folder(database)];
        folders.dedup();
        let mut path = real.into_os_string();
        path.push(RESERVE);
        let place = reserve::Place { path: path.into(), size: budget.reserve };
        let state = DiskState {
            free: None,
            level: Level::Enough,
            reserve: if budget.reserve == 0 { Reserve::Off } else { Reserve::Absent },
            reserve_size: budget.reserve,
            given_up: None,
        };
        let keeper = Keeper { place, paused: None, found: None };
        Self { budget, folders, keeper: Mutex::new(keeper), state: RwLock::new(state) }
    }

    /// Gives the reserve up where there is no room to open the database in. Before it is opened.
    pub fn make_room(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let full = self.free().is_some_and(|free| free < TO_OPEN);
        if full && keeper.find() == Reserve::Laid && keeper.give_up() == Reserve::Absent {
            tracing::error!("{GIVEN_UP}");
        }
    }

    /// How it stood when it was looked at last.
    #[must_use]
    pub fn state(&self) -> DiskState {
        *self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks how it stands, gives the reserve up when the disk is full, lays it back when there is room, and tells each
    /// change. It waits for the disk.
    pub fn look(&self, trouble: Option<Trouble>, now: UtcTime) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.state();
        let mut state = before;
        let again = state.reserve == Reserve::Obstructed
            && keeper.found.is_some_and(|at| at.elapsed() >= LOOK_AGAIN);
        if keeper.found.is_none() || again {
            keeper.found = Some(clock::count());
            state.reserve = keeper.find();
        }
        state.free = self.free();
        if trouble == Some(Trouble::Full) && state.reserve == Reserve::Laid {
            state.reserve = keeper.give_up();
            state.given_up = Some(now);
            state.free = self.free();
            if state.reserve == Reserve::Absent {
                tracing::error!("{GIVEN_UP}");
            }
        } else if trouble.is_none()
            && state.reserve == Reserve::Absent
            && keeper.paused.is_none_or(|at| at.elapsed() >= PAUSE)
            && state.free.is_some_and(|free| self.budget.has_room_for_reserve(free))
        {
            state.reserve = keeper.lay();
            state.free = self.free();
            if state.reserve == Reserve::Laid && before.given_up.is_some() {
                tracing::info!("磁盘预留空间已恢复 · the reserve is laid back");
            }
        }
        if let Some(free) = state.free {
            state.level = before.level.after(free, &self.budget);
        }
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        tell(&before, &state);
    }

    /// What is free for this process on the volume that has the least.
    fn free(&self) -> Option<u64> {
        let of = |folder: &PathBuf| {
            statvfs(folder).ok().map(|it| it.f_bavail.saturating_mul(it.f_frsize))
        };
        self.folders.iter().map(of).collect::<Option<Vec<_>>>()?.into_iter().min()
    }
}

impl Keeper {
    fn find(&self) -> Reserve {
        self.place.find().unwrap_or_else(|error| obstructed("looking for the reserve", &error))
    }

    fn lay(&mut self) -> Reserve {
        match self.place.lay() {
            Ok(()) => Reserve::Laid,
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                self.paused = Some(clock::count());
                Reserve::Absent
            }
            Err(error) => obstructed("laying the reserve", &error),
        }
    }

    fn give_up(&mut self) -> Reserve {
        self.paused = Some(clock::count());
        match self.place.give_up() {
            Ok(()) => Reserve::Absent,
            Err(error) => obstructed("giving up the reserve", &error),
        }
    }
}

fn obstructed(what: &'static str, error: &io::Error) -> Reserve {
    tracing::warn!(%error, "{what}");
    Reserve::Obstructed
}

fn tell(before: &DiskState, state: &DiskState) {
    if state.free.is_none() && before.free.is_some() {
        tracing::warn!("无法得知磁盘剩余空间 · how much room the disk has is not told");
    }
    if state.reserve == Reserve::Obstructed && before.reserve != Reserve::Obstructed {
        tracing::warn!(
            "磁盘预留空间无法建立 · the reserve cannot be laid: see the file named after the database, `.reserve`"
        );
    }
    if state.level != before.level {
        let (level, free) = (state.level.as_str(), state.free);
        match state.level {
            Level::Enough => {
                tracing::info!(level, free, "磁盘空间恢复充足 · the disk has enough room again")
            }
            Level::Low => {
                tracing::warn!(level, free, "磁盘空间偏低，请清理 · the disk has little room left")
            }
            Level::Critical => {
                tracing::error!(
                    level,
                    free,
                    "磁盘空间严重不足，请立即清理 · the disk has hardly any room left: make room at once"
                );
            }
        }
    }
}

impl Budget {
    fn level(&self, free: u64) -> Level {
        match free {
            free if free < self.critical => Level::Critical,
            free if free < self.low => Level::Low,
            _ => Level::Enough,
        }
    }

    /// Whether there is more than enough left beside it not to be critical: what is given up does not make room to lay
    /// it back.
    fn has_room_for_reserve(&self, free: u64) -> bool {
        free >= self.reserve.saturating_add(self.critical).saturating_add(self.critical / 10)
    }
}

impl Level {
    /// The level with so much free. It gets better only with a tenth more than the limit, so that it does not flicker.
    fn after(self, free: u64, budget: &Budget) -> Self {
        let now = budget.level(free);
        match now >= self {
            true => now,
            false => budget.level(free - free / 11).min(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MIB: u64 = 1024 * 1024;
    const BUDGET: Budget = Budget { low: 1100, critical: 220, reserve: 64 };

    #[test]
    fn a_level_gets_worse_at_once_and_better_with_a_tenth_more() {
        let mut level = Level::Enough;
        for (free, expected) in [
            (1100, Level::Enough),
            (1099, Level::Low),
            (1101, Level::Low),
            (1208, Level::Low),
            (1210, Level::Enough),
            (219, Level::Critical),
            (221, Level::Critical),
            (242, Level::Low),
            (0, Level::Critical),
            (u64::MAX, Level::Enough),
        ] {
            level = level.after(free, &BUDGET);
            assert_eq!(level, expected, "{free}");
        }
    }

    #[test]
    fn room_that_the_reserve_left_is_not_room_for_it() {
        assert!(!BUDGET.has_room_for_reserve(64));
        assert!(!BUDGET.has_room_for_reserve(64 + 220 + 21));
        assert!(BUDGET.has_room_for_reserve(64 + 220 + 22));
        assert!(!Budget { reserve: u64::MAX, ..BUDGET }.has_room_for_reserve(u64::MAX - 1));
    }

    #[test]
    fn the_reserve_is_given_up_once_and_for_a_full_disk_alone() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("healthcard.db");
        fs::write(&database, "").unwrap();
        let budget = Budget { low: 2, critical: 1, reserve: MIB };
        let disk = Disk::new(&database, budget);
        let reserve = directory.path().join("healthcard.db.reserve");
        let now = clock::now();
        disk.look(None, now);
        assert_eq!((disk.state().reserve, disk.state().level), (Reserve::Laid, Level::Enough));
        assert!(disk.state().free.is_some() && reserve.exists());
        for trouble in [Trouble::Disk, Trouble::ReadOnly, Trouble::Other] {
            disk.look(Some(trouble), now);
            assert_eq!(disk.state().reserve, Reserve::Laid, "{trouble:?}");
        }
        disk.look(Some(Trouble::Full), now);
        assert_eq!((disk.state().reserve, disk.state().given_up), (Reserve::Absent, Some(now)));
        assert!(!reserve.exists());
        // Neither while it is full nor a moment later.
        disk.look(Some(Trouble::Full), now);
        disk.look(None, now);
        assert_eq!(disk.state().reserve, Reserve::Absent);
        disk.keeper.lock().unwrap().paused = None;
        disk.look(None, now);
        assert_eq!(disk.state().reserve, Reserve::Laid);
        assert!(reserve.exists());
    }

    #[test]
    fn there_is_no_reserve_where_none_is_wanted_or_none_fits() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("healthcard.db");
        for (budget, reserve, level) in [
            (Budget { low: 2, critical: 1, reserve: 0 }, Reserve::Off, Level::Enough),
            (
                Budget { low: u64::MAX, critical: u64::MAX - 1, reserve: 1 },
                Reserve::Absent,
                Level::Critical,
            ),
        ] {
            let disk = Disk::new(&database, budget);
            disk.look(None, clock::now());
            assert_eq!((disk.state().reserve, disk.state().level), (reserve, level));
            disk.look(Some(Trouble::Full), clock::now());
            assert_eq!((disk.state().reserve, disk.state().given_up), (reserve, None));
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
