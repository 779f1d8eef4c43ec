//! Every column by which a record refers to a resident, directly or through what is theirs, and every column that is
//! sealed or found by a keyed digest: what an erasure does to each. A test goes through the schema, so that no table
//! comes without its line here; ARCHITECTURE.md has the same table.

/// What becomes of the rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    /// They are deleted.
    Gone,
    /// They stay as pseudonymous facts; what was sealed in them, or tells of the person, is emptied.
    Emptied,
    /// They stay, and are no longer in force.
    Ended,
    /// They stay as they are: they never had more than a pseudonym, or are another person's.
    Stays,
}

/// A column, and what an erasure does to its rows.
pub(super) struct Place {
    pub(super) table: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the document is made by the tests"))]
    pub(super) column: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the document is made by the tests"))]
    pub(super) becomes: Becomes,
    /// Which rows an erasure of resident `?1` would not have left, where there are any.
    pub(super) left: &'static [&'static str],
    #[cfg_attr(not(test), expect(dead_code, reason = "the document is made by the tests"))]
    pub(super) why: &'static str,
}

macro_rules! places {
    ($($table:ident.$column:ident $becomes:ident $(left $left:literal)? $why:literal;)+) => {
        &[$(Place {
            table: stringify!($table),
            column: stringify!($column),
            becomes: Becomes::$becomes,
            left: &[$($left)?],
            why: $why,
        },)+]
    };
}

pub(super) const PLACES: &[Place] = places! {
    resident.id Emptied left "id = ?1 AND erased_at IS NULL"
        "key, sealed fields and the index of the ID number go; number, institution, time and entry stay";
    binding.resident Gone left "resident = ?1" "other numbers, with their digests and notes";
    likeness.resident Gone left "resident = ?1" "by what others were compared with the person";
    unlikened.resident Gone left "resident = ?1" "a list of work";
    decision.resident Gone left "resident = ?1" "its grounds are words about the person";
    candidate.resident Gone left "resident = ?1"
        "that another looks like the person tells the name of one by that of the other; the words why go, too";
    candidate.decision Gone "with the decision";
    presence.resident Gone left "resident = ?1" "a sealed copy of what a card said";
    presence.card Gone "as by its resident";
    presence.electronic_card Gone "as by its resident";
    card.resident Ended left "resident = ?1 AND status <> 'cancelled'"
        "cancelled, and on the next list; number, chip and end stay, as the plastic does";
    card.replaces Stays "which card took which one's place";
    card_history.card Stays "states by time";
    card_change.card Ended
        left "state = 'pending' AND card IN (SELECT id FROM card WHERE resident = ?1)" "what waits for a review is over";
    card_change.made Stays "which card came of it";
    batch_row.card Emptied
        left "id_number_index IS NOT NULL AND card IN (SELECT id FROM card WHERE resident = ?1)"
        "no row is found by the person; those that are not done are refused, and forget what was sealed. The keyed digest that a signed manifest has stays";
    offline_reading.card Stays "that a desk saw a card";
    electronic_card.resident Emptied
        left "resident = ?1 AND (status <> 'cancelled' OR sealed_card_id <> x'' OR card_id_index <> CAST(id AS BLOB))"
        "cancelled; the number that codes show goes, with its index";
    code.electronic_card Ended
        left "revoked_at IS NULL AND uses_left > 0 AND electronic_card IN (SELECT id FROM electronic_card WHERE resident = ?1)"
        "digests of random codes";
    visit.resident Stays left "resident = ?1 AND closed_at IS NULL"
        "where and when, for statistics and for what was signed; none is open";
    attending.visit Stays "who attended";
    signing.visit Stays "signatures over digests of records go on to be verified";
    referral.resident Ended
        left "resident = ?1 AND ended_at IS NULL AND ends_at > (SELECT erased_at FROM resident WHERE id = ?1)"
        "where to, and when";
    referral.visit Stays "as by its resident";
    consent.resident Ended
        left "resident = ?1 AND withdrawn_at IS NULL AND ends_at > (SELECT erased_at FROM resident WHERE id = ?1)"
        "withdrawn; that it was given is the proof of what was done by it";
    consent.guardian Stays "a consent for somebody else, who is not erased";
    guardianship.ward Emptied
        left "ward = ?1 AND (starts_on <> ends_on OR scan_digest IS NOT NULL OR coalesce(sealed_note, x'') <> x'')"
        "ended; days (the last is often a birthday), scan, note and scopes go";
    guardianship.guardian Ended
        left "guardian = ?1 AND ended_at IS NULL AND ends_on >= (SELECT date(erased_at / 1000000, 'unixepoch', '+8 hours') FROM resident WHERE id = ?1)"
        "ended; it is in the record of whom the person cared for";
    guardianship_scope.guardianship Gone
        left "guardianship IN (SELECT id FROM guardianship WHERE ward = ?1)" "with guardianships over the person";
    token.resident Ended "those that go on are revoked";
    token.visit Stays "as by its resident";
    token.consent Stays "as by its resident";
    token.referral Stays "as by its resident";
    token.emergency Stays "as by its resident";
    token.guardianship Stays "ended with the guardianship";
    token.subject Stays "as by its resident";
    emergency.resident Emptied
        left "resident = ?1 AND (sealed_note <> x'' OR coalesce(sealed_account, x'') <> x'' OR coalesce(sealed_finding, x'') <> x'')"
        "reason, account and finding in words go; who, when and which finding stay";
    emergency.visit Stays "as by its resident";
    warning.resident Emptied left "resident = ?1 AND coalesce(sealed_note, x'') <> x''"
        "what was found in words goes; rule, counts and verdict stay";
    erasure.resident Stays left "resident = ?1 AND state = 'pending'" "by whom, on what basis, and which order";
    leaf.resident Stays "the log has pseudonyms only";
};

#[cfg(test)]
mod tests;
