//! From one list to a later one.

use std::{cmp::Ordering, iter::Peekable, slice::Iter};

use super::{Contents, Entry, ListError, Listing, MAX_ENTRIES, StatusList, Tag, form};

/// What changed between two lists, and the signature of the later one.
pub(super) struct Delta {
    /// Number of the list it is applied to.
    pub(super) base: u64,
    /// The heading of the list it gives, without entries.
    pub(super) target: Contents,
    /// How many entries that list has.
    pub(super) count: usize,
    /// Ascending by tag: the new listing, or nothing for a card that is released.
    pub(super) changes: Vec<(Tag, Option<Listing>)>,
    /// r ‖ s of the list it gives.
    pub(super) signature: [u8; 64],
}

/// The octets of the delta from `base` to `list`.
pub(super) fn between(base: &Contents, list: &StatusList) -> Result<Vec<u8>, ListError> {
    if base.number >= list.number || base.salt != list.salt || base.origin != list.origin {
        return Err(ListError::OtherBase { held: base.number, needs: list.number });
    }
    let mut changes = Vec::new();
    let (mut before, mut after) = (base.entries.iter().peekable(), list.entries.iter().peekable());
    while let Some(change) = next_change(&mut before, &mut after) {
        changes.extend(change);
    }
    if changes.len() > MAX_ENTRIES {
        return Err(ListError::TooLarge);
    }
    let target = Contents { entries: Vec::new(), ..list.contents.clone() };
    let count = list.entries.len();
    Ok(form::delta(&Delta { base: base.number, target, count, changes, signature: list.signature }))
}

/// Takes the lowest tag from either side, and says what changed for it; nothing when both are over.
fn next_change(
    before: &mut Peekable<Iter<'_, Entry>>,
    after: &mut Peekable<Iter<'_, Entry>>,
) -> Option<Option<(Tag, Option<Listing>)>> {
    let order = match (before.peek(), after.peek()) {
        (None, None) => return None,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(old), Some(new)) => old.tag.cmp(&new.tag),
    };
    let old = if order.is_le() { before.next() } else { None };
    let new = if order.is_ge() { after.next() } else { None };
    Some(match (old, new) {
        (Some(old), None) => Some((old.tag, None)),
        (Some(old), Some(new)) if old.listing == new.listing => None,
        (_, new) => new.map(|new| (new.tag, Some(new.listing))),
    })
}

impl Delta {
    /// The list it gives; its signature is not checked yet.
    pub(super) fn applied(self, held: &Contents) -> Result<StatusList, ListError> {
        if self.base != held.number {
            return Err(ListError::OtherBase { held: held.number, needs: self.base });
        }
        if self.target.origin != held.origin {
            return Err(ListError::OtherService);
        }
        if self.target.salt != held.salt {
            return Err(ListError::DoesNotFit);
        }
        let mut entries = Vec::with_capacity(held.entries.len() + self.changes.len());
        let mut kept = held.entries.iter().copied().peekable();
        for (tag, listing) in self.changes {
            while let Some(entry) = kept.next_if(|entry| entry.tag < tag) {
                entries.push(entry);
            }
            let old = kept.next_if(|entry| entry.tag == tag).map(|entry| entry.listing);
            // What changes nothing is no change: a delta has one form as well.
            if old == listing {
                return Err(ListError::DoesNotFit);
            }
            entries.extend(listing.map(|listing| Entry { tag, listing }));
        }
        entries.extend(kept);
        if entries.len() != self.count {
            return Err(ListError::DoesNotFit);
        }
        Ok(StatusList { contents: Contents { entries, ..self.target }, signature: self.signature })
    }
}
