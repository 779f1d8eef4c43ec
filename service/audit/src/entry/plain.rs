//! The quick way to read an entry: as [`Entry::encode`] writes one of which no text needs an escape. Nearly all are.

use std::collections::BTreeMap;

use super::{Actor, Entry, Object, Outcome, Policy, VERSION};

/// What is still to be read.
struct Plain<'a>(&'a str);

/// The entry that these bytes are the one form of; its fields are not checked. `None` says nothing of the bytes: they are
/// to be read in the other way.
pub(super) fn decode(bytes: &[u8]) -> Option<Entry> {
    let mut text = Plain(std::str::from_utf8(bytes).ok()?);
    text.token("{\"v\":1,\"id\":")?;
    let id = text.string()?;
    let at = text.member(",\"at\":")?;
    let action = text.member(",\"action\":")?;
    let outcome = text.member(",\"outcome\":")?;
    let outcome = Outcome::ALL.into_iter().find(|it| it.as_str() == outcome)?;
    let actor = match text.token(",\"actor\":") {
        Some(()) => text.actor()?,
        None => Actor::default(),
    };
    let mut entry = Entry {
        v: VERSION,
        id,
        at,
        action,
        outcome,
        actor,
        resident: text.optional(",\"resident\":")?,
        visit: text.optional(",\"visit\":")?,
        purpose: text.optional(",\"purpose\":")?,
        policy: None,
        object: None,
        detail: BTreeMap::new(),
    };
    if text.token(",\"policy\":{\"hash\":").is_some() {
        let policy = Policy { hash: text.string()?, rule: text.member(",\"rule\":")? };
        text.token("}")?;
        entry.policy = Some(policy);
    }
    if text.token(",\"object\":{\"kind\":").is_some() {
        let object = Object { kind: text.string()?, id: text.member(",\"id\":")? };
        text.token("}")?;
        entry.object = Some(object);
    }
    if text.token(",\"detail\":{").is_some() {
        loop {
            let key = text.string()?;
            text.token(":")?;
            let value = text.string()?;
            // Each key once, in the order of their bytes.
            if entry.detail.last_key_value().is_some_and(|(before, _)| *before >= key) {
                return None;
            }
            entry.detail.insert(key, value);
            if text.token(",").is_none() {
                break;
            }
        }
        text.token("}")?;
    }
    text.token("}")?;
    text.0.is_empty().then_some(entry)
}

impl Plain<'_> {
    /// Goes on if this comes next.
    fn token(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(token)?;
        Some(())
    }

    /// A string that is written as it is.
    fn string(&mut self) -> Option<String> {
        let text = self.0.strip_prefix('"')?;
        let (text, rest) = text.split_at(text.bytes().position(|b| b == b'"')?);
        // Whole blocks are looked at at once.
        let as_it_is = text.bytes().fold(true, |plain, b| plain & (b >= 0x20) & (b != b'\\'));
        self.0 = &rest[1..];
        as_it_is.then(|| text.to_owned())
    }

    /// A string after this.
    fn member(&mut self, name: &str) -> Option<String> {
        self.token(name)?;
        self.string()
    }

    /// A string if this comes next.
    fn optional(&mut self, name: &str) -> Option<Option<String>> {
        match self.token(name) {
            Some(()) => self.string().map(Some),
            None => Some(None),
        }
    }

    /// Whatever is known of the caller, which is something.
    fn actor(&mut self) -> Option<Actor> {
        self.token("{")?;
        let mut read = Actor::default();
        let fields = [
            ("\"identity\":", &mut read.identity),
            ("\"certificate\":", &mut read.certificate),
            ("\"role\":", &mut read.role),
            ("\"institution\":", &mut read.institution),
            ("\"address\":", &mut read.address),
        ];
        let mut any = false;
        for (name, field) in fields {
            let before = self.0;
            let next = !any || self.token(",").is_some();
            match self.optional(name)?.filter(|_| next) {
                Some(text) => (*field, any) = (Some(text), true),
                None => self.0 = before,
            }
        }
        self.token("}")?;
        any.then_some(read)
    }
}
