//! The life of a version of a key: five states, and which leads to which.

use std::fmt;

/// What a version of a key still does (密钥状态; the states of GB/T 17901.1 and NIST SP 800-57).
///
/// Verification follows from [`verifies`](Self::verifies) alone: a signature by a version that is
/// destroyed or compromised is answered like one by a key that was never here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VersionState {
    /// Made ahead (预激活): its public key may be handed out, and it does nothing yet.
    PreActive,
    /// In use (激活): signs, seals, indexes, derives. A key has at most one such version.
    Active,
    /// Replaced (停用): what it signed is verified and what it sealed is opened, nothing more. Of a
    /// signing key the secret is wiped.
    Retired,
    /// Wiped (销毁): neither verifies nor opens. Public key or check value stay, to name it.
    Destroyed,
    /// Known, or thought to be known, to others (泄露): neither signs nor seals, and what it signed
    /// is not believed, whenever it says that it was signed. What it sealed is still opened: no
    /// other key reads it, and it has to be read to be sealed anew.
    Compromised,
}

/// What happens to a version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transition {
    /// It is taken into use.
    Activate,
    /// Its successor is taken into use, or its work is over.
    Retire,
    /// Its secret is wiped.
    Destroy,
    /// Somebody else has, or may have, its secret.
    Compromise,
}

impl VersionState {
    /// All states, in the order of a life.
    pub const ALL: [Self; 5] =
        [Self::PreActive, Self::Active, Self::Retired, Self::Destroyed, Self::Compromised];

    /// The state that follows; nothing where there is no way.
    ///
    /// An active version is retired before it is destroyed, so that no slip of a command wipes the
    /// key in use. What is retired, destroyed or compromised never comes back into use.
    #[must_use]
    pub fn after(self, transition: Transition) -> Option<Self> {
        use Transition::{Activate, Compromise, Destroy, Retire};
        match (self, transition) {
            (Self::PreActive, Activate) => Some(Self::Active),
            (Self::Active, Retire) => Some(Self::Retired),
            (Self::PreActive | Self::Retired | Self::Compromised, Destroy) => Some(Self::Destroyed),
            (Self::PreActive | Self::Active | Self::Retired | Self::Destroyed, Compromise) => {
                Some(Self::Compromised)
            }
            (Self::PreActive, Retire)
            | (Self::Active, Activate | Destroy)
            | (Self::Retired, Activate | Retire)
            | (Self::Destroyed, Activate | Retire | Destroy)
            | (Self::Compromised, Activate | Retire | Compromise) => None,
        }
    }

    /// Whether what it signed is believed. What was made ahead counts: its public key is handed out
    /// before it signs, so that whoever verifies has it in time.
    #[must_use]
    pub fn verifies(self) -> bool {
        matches!(self, Self::PreActive | Self::Active | Self::Retired)
    }

    /// The word for this state in output, as in `pre-active`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PreActive => "pre-active",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Destroyed => "destroyed",
            Self::Compromised => "compromised",
        }
    }
}

impl Transition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Activate, Self::Retire, Self::Destroy, Self::Compromise];

    /// The word for it in commands and in the log, as in `retire`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Retire => "retire",
            Self::Destroy => "destroy",
            Self::Compromise => "compromise",
        }
    }
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_state_and_transition() {
        use Transition::{Activate, Compromise, Destroy, Retire};
        use VersionState::{Active, Compromised, Destroyed, PreActive, Retired};
        let table = [
            (PreActive, Activate, Some(Active)),
            (PreActive, Retire, None),
            (PreActive, Destroy, Some(Destroyed)),
            (PreActive, Compromise, Some(Compromised)),
            (Active, Activate, None),
            (Active, Retire, Some(Retired)),
            (Active, Destroy, None),
            (Active, Compromise, Some(Compromised)),
            (Retired, Activate, None),
            (Retired, Retire, None),
            (Retired, Destroy, Some(Destroyed)),
            (Retired, Compromise, Some(Compromised)),
            (Destroyed, Activate, None),
            (Destroyed, Retire, None),
            (Destroyed, Destroy, None),
            (Destroyed, Compromise, Some(Compromised)),
            (Compromised, Activate, None),
            (Compromised, Retire, None),
            (Compromised, Destroy, Some(Destroyed)),
            (Compromised, Compromise, None),
        ];
        let pairs = VersionState::ALL
            .into_iter()
            .flat_map(|state| Transition::ALL.map(|transition| (state, transition)));
        assert!(pairs.eq(table.map(|(state, transition, _)| (state, transition))));
        for (state, transition, next) in table {
            assert_eq!(state.after(transition), next, "{state}, {transition}");
        }
    }

    #[test]
    fn nothing_that_ended_is_believed_or_comes_back() {
        let believed = VersionState::ALL.map(VersionState::verifies);
        assert_eq!(believed, [true, true, true, false, false]);
        for ended in [VersionState::Destroyed, VersionState::Compromised] {
            for next in Transition::ALL.into_iter().filter_map(|step| ended.after(step)) {
                assert!(!next.verifies(), "{ended} to {next}");
            }
        }
    }
}
