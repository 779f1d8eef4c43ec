use proptest::prelude::*;

use super::*;
use crate::Actor;

/// The time of all entries here.
const NOW: &str = "2026-11-23T08:00:00.000000Z";

fn blank(action: &str, outcome: Outcome) -> Entry {
    let id = "01936b1e-7c00-7000-8000-000000000001";
    Entry::new(id, NOW, action, outcome, Actor::default())
}

fn instant(text: &str) -> Instant {
    Instant::read(text).unwrap()
}

const SEGMENT: Segment = Segment { first: 256, until: 512, root: [0xab; 32], index_root: [7; 32] };

fn removal() -> Removal {
    let since = instant("2026-05-23T08:00:00.000000Z");
    Removal { since, months: 6, kept: 3, closed_at: 600, entered_at: 650 }
}

#[test]
fn a_segment_is_read_as_it_was_written() {
    let closed = Step::Closed { newest: instant(NOW) };
    let closing = SEGMENT.in_entry(closed, blank(CLOSE, Outcome::Granted));
    assert_eq!(Segment::of(&closing, 512), Some(Ok((closed, SEGMENT))));
    assert_eq!(Segment::of(&closing, 512 + MAX_LAG), Some(Ok((closed, SEGMENT))));
    let entering = SEGMENT.in_entry(Step::Entered, blank(ENTER, Outcome::Granted));
    assert_eq!(Segment::of(&entering, 1 << 40), Some(Ok((Step::Entered, SEGMENT))));
    let rejected = Step::Rejected { entered_at: 650 };
    let rejecting = SEGMENT.in_entry(rejected, blank(REJECT, Outcome::Granted));
    assert_eq!(Segment::of(&rejecting, 651), Some(Ok((rejected, SEGMENT))));
    let step = Step::Removed(removal());
    let removing = SEGMENT.in_entry(step, blank(REMOVE, Outcome::Granted));
    assert_eq!(Segment::of(&removing, 1 << 40), Some(Ok((step, SEGMENT))));
    // What was not done says nothing, and neither does another act.
    for (action, outcome) in [
        (CLOSE, Outcome::Failed),
        (ENTER, Outcome::Refused),
        (REJECT, Outcome::Refused),
        (REMOVE, Outcome::Refused),
        ("audit.read", Outcome::Granted),
    ] {
        assert_eq!(Segment::of(&SEGMENT.in_entry(step, blank(action, outcome)), 700), None);
    }
}

#[test]
fn what_can_be_held_against_nothing_is_told() {
    let closed = Step::Closed { newest: instant(NOW) };
    let closing = SEGMENT.in_entry(closed, blank(CLOSE, Outcome::Granted));
    let entering = SEGMENT.in_entry(Step::Entered, blank(ENTER, Outcome::Granted));
    let rejecting = Step::Rejected { entered_at: 650 };
    let rejecting = SEGMENT.in_entry(rejecting, blank(REJECT, Outcome::Granted));
    let removing = SEGMENT.in_entry(Step::Removed(removal()), blank(REMOVE, Outcome::Granted));
    let with = |name: &str, value: &str| removing.clone().with(name, value);
    let upper = hex::encode_upper(SEGMENT.root);
    #[rustfmt::skip]
    let cases = [
        ("before its end", closing.clone(), 511),
        ("much later", closing.clone(), 513 + MAX_LAG),
        ("of nothing", closing.clone().with(FIRST, "512"), 600),
        ("with no time", closing.with(NEWEST, "2026-02-30T08:00:00.000000Z"), 600),
        ("entered before its end", entering.clone(), 511),
        ("entered of nothing", entering.with(FIRST, "512"), 600),
        ("rejected nowhere", blank(REJECT, Outcome::Granted), 700),
        ("rejected before it was entered", rejecting.clone(), 650),
        ("rejected where nothing was entered", rejecting.with(ENTERED_AT, "511"), 700),
        ("no number", with(FIRST, "0256"), 700),
        ("a root too short", with(ROOT, "ab"), 700),
        ("another form of a root", with(ROOT, &upper), 700),
        ("no index", with(INDEX_ROOT, "-"), 700),
        ("closed before its end", with(CLOSED_AT, "511"), 700),
        ("closed after it was entered", with(CLOSED_AT, "650"), 700),
        ("entered after it was removed", removing.clone(), 650),
        ("entered nowhere", blank(REMOVE, Outcome::Granted), 700),
        ("before its term", with(SINCE, "2026-05-23T08:00:00.000001Z"), 700),
        ("before a longer term", with(MONTHS, "7"), 700),
        ("after a term that no log has", with(MONTHS, "5").with(SINCE, "2020-05-23T08:00:00.000000Z"), 700),
        ("with more kept than there was", with(KEPT_ENTRIES, "513"), 700),
        ("with less than none kept", with(KEPT_ENTRIES, "-1"), 700),
        ("after no term", with(MONTHS, "0"), 700),
        ("after a term without end", with(MONTHS, "4294967295"), 700),
    ];
    for (why, entry, position) in cases {
        assert_eq!(Segment::of(&entry, position), Some(Err(BadSegment)), "{why}");
    }
}

#[test]
fn a_term_is_over_on_the_day_of_its_month() {
    for (months, from, until) in [
        (6, "2026-05-28T10:00:00.000000Z", "2026-11-28T10:00:00.000000Z"),
        (6, "2026-08-31T23:59:59.999999Z", "2027-03-01T23:59:59.999999Z"),
        (7, "2026-12-31T00:00:00.000000Z", "2027-07-31T00:00:00.000000Z"),
        (10, "2026-01-31T00:00:00.000000Z", "2026-12-01T00:00:00.000000Z"),
        (360, "2024-02-29T01:00:00.000000Z", "2054-03-01T01:00:00.000000Z"),
        (1200, "8899-12-31T00:00:00.000000Z", "8999-12-31T00:00:00.000000Z"),
    ] {
        assert_eq!(instant(from).months_later(months), Some(instant(until)), "{from}");
    }
    for (months, from) in [(1, "9999-12-01T00:00:00.000000Z"), (u32::MAX, NOW)] {
        assert_eq!(instant(from).months_later(months), None);
    }
    for text in ["", "2026-05-28", "2026-05-28T10:00:00Z", "2026-13-28T10:00:00.000000Z"] {
        assert_eq!(Instant::read(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn any_segment_reads_back(first in 0_u64..1 << 50, length in 1_u64..1 << 20, lag in 2..MAX_LAG, root: [u8; 32]) {
        let until = first + length;
        let segment = Segment { first, until, root, index_root: root };
        let removal = Removal { closed_at: until, entered_at: until + 1, ..removal() };
        for (step, action) in [
            (Step::Closed { newest: instant(NOW) }, CLOSE),
            (Step::Entered, ENTER),
            (Step::Rejected { entered_at: until + 1 }, REJECT),
            (Step::Removed(removal), REMOVE),
        ] {
            let entry = segment.in_entry(step, blank(action, Outcome::Granted));
            prop_assert_eq!(Segment::of(&entry, until + lag), Some(Ok((step, segment))));
        }
    }

    #[test]
    fn a_longer_term_is_not_over_sooner(year in 1_u32..9000, month in 1_u32..13, day in 1_u32..29, months in 0_u32..1200) {
        let from = instant(&format!("{year:04}-{month:02}-{day:02}T08:00:00.000000Z"));
        let [until, later] = [months, months + 1].map(|months| from.months_later(months).unwrap());
        prop_assert!(from <= until && until < later);
    }
}
