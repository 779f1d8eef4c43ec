//! Which certificates were refused a login a moment ago. A certificate is public: whoever has seen a
//! signed record can try it with signatures made up, and must not be able to fill the log with that.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::clock::UtcTime;

/// One refusal in this time is recorded for each certificate.
const PERIOD: Duration = Duration::from_secs(60);
/// Certificates that are remembered; more than can be refused in the period are not recorded.
const MOST: usize = 4096;

/// When each certificate's last recorded refusal was.
#[derive(Default)]
pub(super) struct RefusedLogins(Mutex<HashMap<String, UtcTime>>);

impl RefusedLogins {
    /// Whether a refusal of this certificate is to be recorded now.
    pub(super) fn admit(&self, serial: &str, now: UtcTime) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(serial).is_some_and(|at| now < *at + PERIOD) {
            return false;
        }
        if last.len() >= MOST {
            last.retain(|_, at| now < *at + PERIOD);
            if last.len() >= MOST {
                return false;
            }
        }
        last.insert(serial.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn one_refusal_a_minute_is_recorded_for_each_certificate() {
        let refused = RefusedLogins::default();
        let now = datetime!(2026-11-23 08:00 UTC);
        for (serial, later, recorded) in
            [("a", 0, true), ("a", 1, false), ("b", 1, true), ("a", 59, false), ("a", 60, true)]
        {
            let at = now + Duration::from_secs(later);
            assert_eq!(refused.admit(serial, at), recorded, "{serial} {later}");
        }
    }

    #[test]
    fn remembered_certificates_are_bounded() {
        let refused = RefusedLogins::default();
        let now = datetime!(2026-11-23 08:00 UTC);
        assert!((0..MOST).all(|n| refused.admit(&n.to_string(), now)));
        assert!(!refused.admit("one more", now));
        assert!(refused.admit("one more", now + PERIOD));
    }
}
