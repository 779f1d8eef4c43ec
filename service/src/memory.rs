//! Keys in the memory of this process: kept from core dumps, debuggers and swap as far as the system allows.
//!
//! The locks of `mlock` count whole pages and the keys lie among everything else, so it is all of the
//! process that is locked, page by page as it is used. That is done only where there is no limit on it:
//! under a limit an allocation fails in the middle of work. `LimitMEMLOCK=infinity` in the unit of the
//! service manager lifts it.

use rustix::{
    io,
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, getrlimit, set_dumpable_behavior},
};

/// What became of the process's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// It is never written to swap.
    Locked,
    /// There is a limit on locked memory.
    Limited,
}

/// Forbids core dumps and being traced by others of the same user, and locks the memory where there is
/// no limit on that.
///
/// # Errors
/// What the system refused.
pub fn protect() -> io::Result<Memory> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if getrlimit(Resource::Memlock).current.is_some() {
        return Ok(Memory::Limited);
    }
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?;
    Ok(Memory::Locked)
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn nothing_of_this_process_is_dumped_and_the_limit_decides_what_is_locked() {
        let locked = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmLck:")).unwrap();
            !line.ends_with(" 0 kB")
        };
        let memory = protect().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(memory == Memory::Locked, getrlimit(Resource::Memlock).current.is_none());
        assert_eq!(memory == Memory::Locked, locked());
    }
}
