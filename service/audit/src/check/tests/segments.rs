//! What the service itself should not have said of segments, and signed.

use super::{
    removed::{CLOSED, REMOVED, SEGMENTS, act, by, entries, found, log_of, newest, said, timed},
    *,
};
use crate::{
    history::{ACTION, Statement},
    segment::{CLOSE, ENTER, REJECT, REMOVE, Segment, Step},
};

const WRONG: fn(u64) -> Finding = |position| Finding::SegmentWrong { position };

/// A log of two removals in which one entry says something else of its segment.
fn altered(position: u64, change: fn(&mut Segment)) -> Vec<Entry> {
    let alter = move |said: &mut Segment, n| {
        if n == position {
            change(said)
        }
    };
    said(2, alter, |_, _| {})
}

/// One in which entries were changed.
fn retold(removed: usize, retell: impl Fn(&mut Entry, u64)) -> Memory {
    let gone = removed.checked_sub(1).map_or(0, |nth| SEGMENTS[nth].1);
    log_of(said(removed, |_, _| {}, retell), removed, gone)
}

fn with(entry: &mut Entry, name: &str, value: &str) {
    *entry = entry.clone().with(name, value);
}

#[test]
fn a_removal_that_does_not_follow_is_named() {
    use Finding::RemovedAltered;
    type Case = (&'static str, u64, fn(&mut Segment), Vec<Finding>);
    #[rustfmt::skip]
    let cases: [Case; 9] = [
        ("another root", 1200, |it| it.root[0] ^= 1, vec![WRONG(1200)]),
        ("another root when it was closed", 700, |it| it.root[0] ^= 1, vec![WRONG(700), WRONG(1200)]),
        ("another root when it was entered", 1180, |it| it.root[0] ^= 1, vec![WRONG(1180), WRONG(1200)]),
        ("another index when it was closed", 700, |it| it.index_root[0] ^= 1, vec![WRONG(1200)]),
        ("another index", 1200, |it| it.index_root[0] ^= 1, vec![WRONG(1200), RemovedAltered]),
        ("another beginning", 1200, |it| it.first = 255, vec![WRONG(1200)]),
        ("a gap between closings", 700, |it| it.first = 257, vec![WRONG(700), WRONG(1200)]),
        ("closed again", 700, |it| it.first = 0, vec![WRONG(700), WRONG(1200)]),
        ("nothing", 1200, |it| it.first = 512, vec![Finding::Missing { from: 256, until: 512 }, RemovedAltered]),
    ];
    for (what, position, change, wrong) in cases {
        for gone in [256, 512] {
            let mut log = log_of(altered(position, change), 2, gone);
            if what == "nothing" {
                log.leaves.retain(|leaf| leaf.position >= 512);
            }
            assert_eq!(found(&log), wrong, "{what} {gone}");
        }
    }
}

/// What stands in the log of a segment that is there is held against its entries, too.
#[test]
fn a_closing_that_is_not_so_is_named() {
    let index = said(0, |said, n| said.index_root[0] ^= u8::from(n == 700), |_, _| {});
    assert_eq!(log_of(index, 0, 0).findings(), [Finding::IndexWrong { position: 700 }]);
    // So is the latest of their times.
    for other in ["2026-11-23T07:59:59.999999Z", "2026-11-23T08:00:00.000001Z"] {
        let times = |entry: &mut Entry, n| {
            if n == 300 {
                with(entry, "newest", other)
            }
        };
        assert_eq!(retold(0, times).findings(), [WRONG(300)]);
    }
    let mut nothing = entries(0);
    nothing[700] = act(700, CLOSE);
    assert_eq!(log_of(nothing, 0, 0).findings(), [WRONG(700)]);
    // The first begins with the log, and none is closed twice.
    let mut again = entries(0);
    (again[720], again[701]) = (again[700].clone(), again[300].clone());
    again[720].id = act(720, CLOSE).id;
    again[701].id = act(701, CLOSE).id;
    assert_eq!(log_of(again, 0, 0).findings(), [WRONG(701), WRONG(720)]);
    let mut late = entries(0);
    late[300] = entry(300);
    assert_eq!(log_of(late, 0, 0).findings(), [WRONG(700)]);
}

/// Whoever has the log's key and no second person, or no patience, removes nothing by right.
#[test]
fn entries_go_after_their_term_and_by_two_persons() {
    type Case = (&'static str, fn(&mut Entry, u64), bool);
    #[rustfmt::skip]
    let cases: [Case; 12] = [
        ("before the term", |it, n| if n == 1200 { it.at = "2027-05-23T07:59:59.999999Z".into() }, true),
        ("after a longer term", |it, n| if n == 1200 { with(it, "months", "7") }, true),
        ("after a term too short", |it, n| if n == 1200 { with(it, "months", "5") }, true),
        ("as if they were older", |it, n| if n == 1200 { with(it, "since", "2026-11-23T07:59:59.999999Z") }, false),
        ("by one person", |it, n| if n == 1200 { *it = by(it.clone(), 0) }, false),
        ("by nobody", |it, n| if n == 1200 { it.actor.identity = None }, false),
        ("entered by nobody", |it, n| if n == 1180 { it.actor.identity = None }, false),
        ("not entered", |it, n| if n == 1180 { it.action = "audit.read".into() }, false),
        ("entered in vain", |it, n| if n == 1180 { it.outcome = Outcome::Refused }, false),
        ("entered elsewhere", |it, n| if n == 1200 { with(it, "entered-at", "1179") }, false),
        ("closed elsewhere", |it, n| if n == 1200 { with(it, "closed-at", "701") }, false),
        ("another was entered", |it, n| if n == 1180 { with(it, "index-root", &"00".repeat(32)) }, false),
    ];
    for (what, retell, unsaid) in cases {
        let found = found(&retold(2, retell));
        // Of what is not said as it has to be nothing was removed.
        let missing = Finding::Missing { from: SEGMENTS[0].1, until: SEGMENTS[1].1 };
        let expected =
            if unsaid { vec![missing, Finding::RemovedAltered] } else { vec![WRONG(1200)] };
        assert_eq!(found, expected, "{what}");
    }
}

/// Where the first segment was entered before and that was rejected; both are kept.
const EARLIER: u64 = 400;
const REJECTED: u64 = 420;

/// What one person enters there and another rejects, of which the removal may go on.
fn rejected(go_on: bool, retell: impl Fn(&mut Entry, u64)) -> Vec<Entry> {
    let Some(Ok((_, segment))) = Segment::of(&entries(0)[300], 300) else { panic!() };
    said(
        2,
        |_, _| {},
        move |it, n| {
            let rejected = Step::Rejected { entered_at: EARLIER };
            match n {
                EARLIER => *it = segment.in_entry(Step::Entered, by(act(n, ENTER), 0)),
                REJECTED => *it = segment.in_entry(rejected, by(act(n, REJECT), 1)),
                900 if go_on => with(it, "entered-at", &EARLIER.to_string()),
                _ => {}
            }
            retell(it, n)
        },
    )
}

/// What one rejected another does not approve, whether the rejection is there still or kept.
#[test]
fn what_was_rejected_is_not_removed() {
    type Case = (&'static str, fn(&mut Entry, u64), Vec<u64>, Vec<u64>);
    #[rustfmt::skip]
    let cases: [Case; 8] = [
        ("as it has to be", |_, _| {}, vec![], vec![900]),
        ("no rejection", |it, n| if n == REJECTED { *it = act(n, "audit.read") }, vec![], vec![]),
        ("in vain", |it, n| if n == REJECTED { it.outcome = Outcome::Refused }, vec![], vec![]),
        ("by the same person", |it, n| if n == REJECTED { *it = by(it.clone(), 0) }, vec![REJECTED], vec![REJECTED]),
        ("by nobody", |it, n| if n == REJECTED { it.actor.identity = None }, vec![REJECTED], vec![REJECTED]),
        ("what was entered elsewhere", |it, n| if n == REJECTED { with(it, "entered-at", "399") }, vec![REJECTED], vec![REJECTED]),
        ("of another segment", |it, n| if n == REJECTED { with(it, "first", "1") }, vec![REJECTED], vec![REJECTED]),
        ("of none", |it, n| if n == REJECTED { with(it, "entered-at", "420") }, vec![REJECTED], vec![REJECTED]),
    ];
    for (what, retell, alone, gone_on) in cases {
        for (go_on, wrong) in [(false, alone), (true, gone_on)] {
            for gone in [0, 256, 410, 512] {
                let log = log_of(rejected(go_on, retell), 2, gone);
                let wrong: Vec<Finding> = wrong.iter().copied().map(WRONG).collect();
                match wrong[..] {
                    [] => assert_eq!(log.check(&[]).verdict, Verdict::Valid, "{what} {gone}"),
                    _ => assert_eq!(log.findings(), wrong, "{what} {go_on} {gone}"),
                }
            }
        }
    }
    // After it was removed a rejection changes nothing.
    let Some(Ok((_, segment))) = Segment::of(&entries(0)[300], 300) else { panic!() };
    let late = retold(2, |it, n| {
        if n == 950 {
            let rejected = Step::Rejected { entered_at: 880 };
            *it = timed(segment.in_entry(rejected, by(act(n, REJECT), 1)), n)
        }
    });
    assert_eq!(late.check(&[]).verdict, Verdict::Valid);
}

/// What does not say what it has to is told after it was removed as before.
#[test]
fn what_is_kept_says_what_it_has_to() {
    for action in [CLOSE, ENTER, REJECT, REMOVE] {
        for gone in [0, 256, 512] {
            let retell = |it: &mut Entry, n| {
                if n == REJECTED {
                    *it = act(n, action)
                }
            };
            let log = log_of(said(2, |_, _| {}, retell), 2, gone);
            assert_eq!(log.findings(), [WRONG(REJECTED)], "{action} {gone}");
        }
    }
}

/// A clock that was behind for a while after a removal takes no right from it.
#[test]
fn entries_after_a_removal_may_be_before_it() {
    for (from, until) in [(1201, 1300), (1250, 1251), (910, 911)] {
        let back = retold(2, |it, n| {
            if (from..until).contains(&n) {
                it.at = "2026-11-23T08:00:00.000000Z".into()
            }
        });
        assert_eq!(back.check(&[]).verdict, Verdict::Valid, "{from}");
    }
}

/// How many are kept is said and signed.
#[test]
fn as_many_are_kept_as_the_removal_says() {
    for kept in ["1", "3"] {
        let found = retold(2, |it, n| {
            if n == 1200 {
                with(it, "kept", kept)
            }
        })
        .findings();
        assert_eq!(found, [Finding::RemovedAltered], "{kept}");
    }
}

/// A removal by one person is found after another that was right, and after both went on.
#[test]
fn an_earlier_removal_by_one_person_is_named_for_ever() {
    let alone: fn(&mut Entry, u64) = |it, n| {
        if n == REMOVED[0] {
            *it = by(it.clone(), 0)
        }
    };
    assert_eq!(retold(1, alone).findings(), [WRONG(900)]);
    assert_eq!(retold(2, alone).findings(), [WRONG(900)]);
    let unsaid: fn(&mut Entry, u64) = |it, n| {
        if n == REMOVED[0] {
            it.outcome = Outcome::Failed
        }
    };
    // One that takes more than the oldest, too.
    assert_eq!(retold(2, unsaid).findings(), [WRONG(1200)]);
    // What closed and entered it is kept, and still has to be right.
    let entered: fn(&mut Entry, u64) = |it, n| {
        if n == CLOSED[0] {
            with(it, "newest", "2026-11-23T08:00:00.000001Z")
        }
    };
    assert_eq!(retold(2, entered).findings(), [WRONG(900)]);
}

/// A clock that was wrong when a segment was closed makes its entries no older, and none younger than what it said.
#[test]
fn a_term_counts_from_the_later_of_two_times() {
    let since = |closed: &'static str, since: Option<&'static str>| {
        let retell = move |it: &mut Entry, n: u64| match n {
            700 => it.at = closed.into(),
            1180.. => {
                it.at = "2027-08-01T08:00:00.000000Z".into();
                if let (1200, Some(since)) = (n, since) {
                    with(it, "since", since)
                }
            }
            _ => {}
        };
        retold(2, retell)
    };
    let honest = "2026-11-23T08:00:00.000000Z";
    let (behind, ahead) = ("2026-04-01T00:00:00.000000Z", "2027-01-15T08:00:00.000000Z");
    for closed in [behind, honest, ahead] {
        let report = since(closed, None).check(&[]);
        assert_eq!(report.verdict, Verdict::Valid, "{closed}");
        let own = closed.max(honest);
        assert_eq!(report.removed.unwrap().since.to_string(), own);
        for other in [behind, honest, ahead].into_iter().filter(|other| *other != own) {
            assert_eq!(since(closed, Some(other)).findings(), [WRONG(1200)], "{closed} {other}");
        }
    }
    // Nor is a term over that began with a clock ahead.
    let early = |it: &mut Entry, n: u64| {
        if n == 700 {
            it.at = ahead.into()
        }
    };
    let Verdict::Tampered(found) = retold(2, early).check(&[]).verdict else { panic!() };
    assert!(found.listed.contains(&Finding::RemovedAltered));
}

/// Of what is gone nobody can have stated anything after it went.
#[test]
fn a_statement_of_what_was_removed_before_it_is_named() {
    let stated = Statement { size: 200, root: [9; 32] };
    let stated_at = |position: u64| {
        retold(1, move |entry, n| {
            if n == position {
                *entry = timed(stated.in_entry(act(n, ACTION).about("resident-y")), n);
            }
        })
    };
    assert_eq!(stated_at(1000).findings(), [Finding::IndexWrong { position: 1000 }]);
    // Before it went it could, and cannot be held against anything any more.
    assert_eq!(stated_at(600).check(&[]).verdict, Verdict::Valid);
}

#[test]
fn a_removal_tells_what_it_rests_on() {
    let log = retold(2, |it, n| {
        if n == 1200 {
            with(it, "witness", "signed")
        }
    });
    let removed = log.check(&[]).removed.unwrap();
    assert!(removed.witnessed);
    assert_eq!((removed.since, removed.months), (newest(&[act(0, ENTER)]), 6));
    for other in ["none", "Signed"] {
        let log = retold(2, |it, n| {
            if n == 1200 {
                with(it, "witness", other)
            }
        });
        assert!(!log.check(&[]).removed.unwrap().witnessed);
    }
}
