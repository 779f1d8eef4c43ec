use std::time::Duration as Seconds;

use audit::{Actor, Entry, Outcome};
use proptest::prelude::*;
use time::{
    Duration,
    macros::{date, datetime},
};

use super::*;
use crate::{
    clock::{UtcTime, rfc3339},
    policy::Act,
    store::{IdentityId, InstitutionId},
    vocabulary::Role,
};

/// A working day's morning at the desk.
const MORNING: UtcTime = datetime!(2026-11-23 01:00 UTC);
/// Half past eleven in the evening there.
const NIGHT: UtcTime = datetime!(2026-11-23 15:30 UTC);

/// Somebody whose deeds are told one after the other.
struct Told {
    person: Person,
    settings: Settings,
    position: u64,
}

impl Told {
    fn new() -> Self {
        Self { person: Person::default(), settings: Settings::default(), position: 0 }
    }

    fn deed(&mut self, at: UtcTime, what: What, resident: Option<ResidentId>) -> Deed {
        self.position += 1;
        Deed {
            position: self.position,
            at,
            what,
            tie: false,
            address: "10.0.1.5".parse().ok(),
            resident,
            emergency: false,
            attending: false,
        }
    }

    fn take(&mut self, deed: Deed) -> Vec<Finding> {
        self.person.take(deed, None, &self.settings)
    }

    /// What is found when they do this about a resident nobody heard of.
    fn about_another(&mut self, at: UtcTime, what: What) -> Vec<Finding> {
        let deed = self.deed(at, what, Some(ResidentId::generate()));
        self.take(deed)
    }

    fn from(&mut self, at: UtcTime, address: &str) -> Vec<Finding> {
        let deed = self.deed(at, What::Other, None);
        self.take(Deed { address: address.parse().ok(), ..deed })
    }
}

fn rules(found: &[Finding]) -> Vec<WarningRule> {
    found.iter().map(|it| it.rule).collect()
}

fn minutes(minutes: i64) -> Duration {
    Duration::minutes(minutes)
}

#[test]
fn somebody_who_is_back_too_soon_was_at_two_places() {
    let mut told = Told::new();
    let (ward, desk) = ("10.0.1.5", "10.0.2.5");
    assert!(told.from(MORNING, ward).is_empty());
    assert!(told.from(MORNING + minutes(2), desk).is_empty(), "whoever goes elsewhere may");
    let found = told.from(MORNING + minutes(4), ward);
    assert_eq!(rules(&found), [WarningRule::TwoPlaces]);
    assert_eq!(found[0].evidence, [1, 2, 3]);
    assert_eq!(found[0].found["there"], desk);

    let mut told = Told::new();
    told.from(MORNING, ward);
    told.from(MORNING + minutes(2), desk);
    assert!(told.from(MORNING + minutes(16), ward).is_empty(), "there was time to walk");
    for same in ["10.0.1.77", "::ffff:10.0.1.9"] {
        let mut told = Told::new();
        told.from(MORNING, ward);
        told.from(MORNING, same);
        assert!(told.from(MORNING, ward).is_empty(), "{same} is the same place");
    }
    let mut told = Told::new();
    told.from(MORNING, ward);
    told.from(MORNING, "fd00:1::5");
    assert!(told.from(MORNING, ward).is_empty(), "a machine may have an address of each family");
    let mut told = Told::new();
    told.settings.two_places.servers.insert(desk.parse().unwrap());
    told.from(MORNING, ward);
    told.from(MORNING, desk);
    assert!(told.from(MORNING, ward).is_empty(), "a server is no place");
}

#[test]
fn whoever_does_not_work_at_night_and_reads_is_told_of() {
    let mut told = Told::new();
    for _ in 0..2 {
        assert!(told.about_another(NIGHT, What::Reading).is_empty());
    }
    let emergency = told.deed(NIGHT, What::Reading, Some(ResidentId::generate()));
    assert!(told.take(Deed { emergency: true, ..emergency }).is_empty());
    // After midnight it is the same night.
    let found = told.about_another(NIGHT + Duration::hours(2), What::Reading);
    assert_eq!(rules(&found), [WarningRule::NightReading]);
    assert_eq!(found[0].evidence, [1, 2, 4]);
    assert_eq!(found[0].found["nights"], "0");
    for _ in 0..5 {
        assert!(
            told.about_another(NIGHT + Duration::hours(7), What::Reading).is_empty(),
            "morning"
        );
    }
}

#[test]
fn whoever_works_at_night_may_read_at_night() {
    let mut told = Told::new();
    for day in (1..=3).rev() {
        told.about_another(NIGHT - Duration::days(day), What::Other);
    }
    for _ in 0..5 {
        assert!(told.about_another(NIGHT, What::Reading).is_empty());
    }
}

#[test]
fn a_night_is_one_though_it_has_two_dates() {
    let mut told = Told::new();
    let midnight = Duration::hours(2);
    for day in (1..=2).rev() {
        for within in [Duration::ZERO, midnight] {
            told.about_another(NIGHT - Duration::days(day) + within, What::Other);
        }
    }
    let found: Vec<_> = (0..3).flat_map(|_| told.about_another(NIGHT, What::Reading)).collect();
    assert_eq!(found[0].found["nights"], "2", "{found:?}");
    // What was said of it before midnight is not said again after it, until it has doubled.
    let said: Vec<_> = (0..5)
        .flat_map(|_| told.about_another(NIGHT + midnight, What::Reading))
        .map(|it| (it.rule, it.day, it.step, it.evidence.len()))
        .collect();
    assert_eq!(said, [(WarningRule::NightReading, date!(2026 - 11 - 23), 1, 6)]);
    assert_eq!(found[0].day, date!(2026 - 11 - 23));
    // Whoever works after midnight works at night.
    let mut told = Told::new();
    for day in (1..=3).rev() {
        told.about_another(NIGHT - Duration::days(day) + midnight, What::Other);
    }
    for _ in 0..5 {
        assert!(told.about_another(NIGHT + midnight, What::Reading).is_empty());
    }
}

#[test]
fn looking_for_people_one_has_nothing_to_do_with_is_told_of() {
    let mut told = Told::new();
    for _ in 0..3 {
        assert!(told.about_another(MORNING, What::Refused).is_empty());
    }
    assert!(told.about_another(MORNING, What::LookUp).is_empty());
    // Who has shown their card is no stranger.
    let known = Some(ResidentId::generate());
    for (what, tie) in [(What::Other, true), (What::LookUp, false), (What::Refused, false)] {
        let deed = told.deed(MORNING, what, known);
        assert!(told.take(Deed { tie, ..deed }).is_empty());
    }
    let found = told.about_another(MORNING + minutes(60), What::LookUp);
    assert_eq!(rules(&found), [WarningRule::WithoutRelation]);
    assert_eq!((&*found[0].found["refused"], &*found[0].found["looked-up"]), ("3", "2"));
    assert_eq!(found[0].evidence, [1, 2, 3, 4, 8]);
    assert!(told.about_another(MORNING + minutes(61), What::LookUp).is_empty(), "an hour is over");
    // The same one again and again is one.
    let mut told = Told::new();
    for _ in 0..20 {
        let deed = told.deed(MORNING, What::Refused, known);
        assert!(told.take(deed).is_empty());
    }
}

#[test]
fn what_doubles_is_said_again() {
    let mut told = Told::new();
    let steps: Vec<_> = (1..=40)
        .flat_map(|count| {
            let found = told.about_another(MORNING, What::Refused);
            found.into_iter().map(move |it| (count, it.step))
        })
        .collect();
    assert_eq!(steps, [(5, 0), (10, 1), (20, 2), (40, 3)]);
    // The next day it is said anew.
    let days = Duration::days(1);
    let found: Vec<_> =
        (0..5).flat_map(|_| told.about_another(MORNING + days, What::Refused)).collect();
    assert_eq!(found.iter().map(|it| it.step).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_clock_that_was_ahead_does_not_make_a_month_into_a_day() {
    let mut told = Told::new();
    told.about_another(MORNING + Duration::days(30), What::Reading);
    for day in 0..14 {
        for _ in 0..60 {
            let found = told.about_another(MORNING + Duration::days(day), What::Reading);
            assert!(found.is_empty(), "day {day}: {found:?}");
        }
    }
}

#[test]
fn a_day_is_measured_by_the_days_before() {
    let read = |told: &mut Told, day: i64, residents: usize| {
        let found: Vec<_> = (0..residents)
            .flat_map(|_| told.about_another(MORNING + Duration::days(day), What::Reading))
            .collect();
        found.first().map(|first| (first.rule, first.found.clone(), found.len()))
    };
    let mut told = Told::new();
    assert_eq!(read(&mut told, 0, 60), None);
    let (rule, found, often) = read(&mut told, 0, 1).unwrap();
    assert_eq!((rule, &*found["residents"], often), (WarningRule::UnusualVolume, "61", 1));
    // Whoever sees fifty a day is unusual with more than three times that.
    let mut told = Told::new();
    for day in 0..4 {
        assert_eq!(read(&mut told, day, 50), None);
    }
    assert_eq!(read(&mut told, 5, 150), None);
    let (_, found, _) = read(&mut told, 5, 1).unwrap();
    assert_eq!((&*found["usual"], &*found["days"]), ("50", "4"));
    // After a fortnight those days are forgotten.
    assert_eq!(read(&mut told, 25, 60), None);
    assert_eq!(read(&mut told, 25, 1).unwrap().1["days"], "0");
}

#[test]
fn what_stands_for_a_warning_is_bounded() {
    let mut told = Told::new();
    let mut last = Vec::new();
    for _ in 0..500 {
        let found = told.about_another(MORNING, What::Reading);
        last = if found.is_empty() { last } else { found };
    }
    let evidence = &last[0].evidence;
    // Eight times sixty-one.
    assert_eq!((evidence.len(), evidence.first(), evidence.last()), (100, Some(&1), Some(&488)));
}

#[test]
fn a_colleague_is_nobody_to_be_curious_about() {
    let someone = Some(ResidentId::generate());
    let mut told = Told::new();
    let settings = Settings::default();
    let colleague = Some(Familiarity::Colleague);
    let reading = told.deed(MORNING, What::Reading, someone);
    for innocent in [
        Deed { attending: true, ..reading.clone() },
        Deed { tie: true, resident: Some(ResidentId::generate()), ..reading.clone() },
        Deed { what: What::Refused, ..reading.clone() },
    ] {
        assert!(!told.person.may_be_familiar(&innocent, &settings));
        assert!(told.person.take(innocent, colleague, &settings).is_empty());
    }
    let found = told.person.take(reading.clone(), colleague, &settings);
    assert_eq!(rules(&found), [WarningRule::FamiliarResident]);
    assert_eq!((found[0].resident, &*found[0].evidence), (someone, &[1][..]));
    assert_eq!(found[0].told()[1], "saw data of a colleague");
    assert!(told.person.take(reading.clone(), colleague, &settings).is_empty(), "it was said");
    let other = Some(ResidentId::generate());
    let tie = told.deed(MORNING, What::Other, other);
    told.take(Deed { tie: true, ..tie });
    let look_up = told.deed(MORNING, What::LookUp, other);
    assert!(told.person.take(look_up, colleague, &settings).is_empty(), "they came to the desk");
}

#[test]
fn cards_are_told_of_that_travel_too_fast_or_wake() {
    let settings = Settings::default();
    let resident = ResidentId::generate();
    let used = |position, at, at_desk, institution: &str| CardUse {
        position,
        at,
        card: "card".to_owned(),
        at_desk,
        institution: institution.to_owned(),
        resident,
    };
    let here = used(9, MORNING, true, "here");
    let said = |used: &CardUse, before: &[CardUse]| {
        let mut known = CardBefore::default();
        for happened in before {
            known.take(happened.clone());
        }
        used.findings(&known, &settings)
    };
    let (hour, days) = (minutes(60), Duration::days(730));
    for (before, expected) in [
        (used(3, MORNING - minutes(59), true, "there"), Some(WarningRule::CardAtTwoDesks)),
        (used(3, MORNING + minutes(59), true, "there"), Some(WarningRule::CardAtTwoDesks)),
        (used(3, MORNING - hour, true, "there"), None),
        (used(3, MORNING - minutes(1), true, "here"), None),
        (used(3, MORNING - minutes(1), false, "there"), None),
        (used(3, MORNING - days, true, "here"), Some(WarningRule::DormantCard)),
        (used(3, MORNING - days, false, "there"), Some(WarningRule::DormantCard)),
        (used(3, MORNING - days + minutes(1), true, "here"), None),
    ] {
        let found = said(&here, std::slice::from_ref(&before));
        assert_eq!(found.first().map(|it| it.rule), expected, "{before:?}");
        assert!(found.iter().all(|it| it.evidence == [3, 9] && it.resident == Some(resident)));
    }
    assert!(said(&here, &[]).is_empty());
    let made = used(9, MORNING, false, "here");
    assert!(said(&made, &[used(3, MORNING - days, true, "here")]).is_empty(), "it was not used");
    // What was done to it since hides no use at another desk.
    let since = used(5, MORNING - minutes(1), false, "here");
    let found = said(&here, &[since, used(3, MORNING - minutes(5), true, "there")]);
    assert_eq!(rules(&found), [WarningRule::CardAtTwoDesks]);
}

#[test]
fn rules_that_are_off_say_nothing() {
    let off = r#"
        two_places.on = false
        night_reading.on = false
        without_relation.on = false
        unusual_volume.on = false
        familiar_resident.on = false
        card_at_two_desks.on = false
        dormant_card.on = false"#;
    let off: Settings = toml::from_str(off).unwrap();
    assert!(WarningRule::ALL.iter().all(|rule| !off.is_on(*rule)));
    assert!(WarningRule::ALL.iter().all(|rule| Settings::default().is_on(*rule)));
    let mut told = Told { settings: off, ..Told::new() };
    for _ in 0..100 {
        assert!(told.about_another(NIGHT, What::Reading).is_empty());
        assert!(told.about_another(NIGHT, What::Refused).is_empty());
    }
}

#[test]
fn settings_out_of_their_range_are_refused() {
    for (text, setting) in [
        ("two_places.minutes = 0", "warnings.two_places.minutes"),
        ("two_places.minutes = 241", "warnings.two_places.minutes"),
        ("two_places.ipv4_bits = 33", "warnings.two_places.ipv4_bits"),
        ("two_places.ipv6_bits = 129", "warnings.two_places.ipv6_bits"),
        ("night_reading.from = 24", "warnings.night_reading"),
        ("night_reading = { from = 5, until = 5 }", "warnings.night_reading"),
        ("night_reading.residents = 0", "warnings.night_reading.residents"),
        ("night_reading.usual_nights = 16", "warnings.night_reading.usual_nights"),
        ("without_relation.residents = 0", "warnings.without_relation.residents"),
        ("without_relation.minutes = 1441", "warnings.without_relation.minutes"),
        ("unusual_volume.times = 1", "warnings.unusual_volume.times"),
        ("unusual_volume.residents = 10001", "warnings.unusual_volume.residents"),
        ("card_at_two_desks.minutes = 0", "warnings.card_at_two_desks.minutes"),
        ("dormant_card.days = 6", "warnings.dormant_card.days"),
    ] {
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!(settings.checked().map_err(|bad| bad.setting), Err(setting), "{text}");
    }
    assert!(Settings::default().checked().is_ok());
    for text in ["sleepy.on = true", "two_places.hours = 1", "two_places.servers = [\"ward\"]"] {
        assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
    }
}

#[test]
fn every_rule_says_what_it_looks_for_and_what_it_found() {
    let settings = Settings::default();
    for rule in WarningRule::ALL {
        let [zh, en] = settings.told(*rule);
        assert!(!zh.is_ascii() && en.is_ascii() && en.len() > 40, "{rule}: {zh} {en}");
        let [zh, en] = found_in_words(*rule, &BTreeMap::new());
        assert!(zh.contains('?') && en.contains('?'), "{rule}: what is not on record is left open");
    }
}

#[test]
fn the_log_says_what_somebody_did() {
    let (identity, resident) = (IdentityId::generate(), ResidentId::generate());
    let actor = |role: Role| Actor {
        identity: Some(identity.to_string()),
        role: Some(role.to_string()),
        institution: Some(InstitutionId::generate().to_string()),
        address: Some("10.0.1.5".to_owned()),
        ..Actor::default()
    };
    let entry = |act: Act, outcome| {
        Entry::new("id", rfc3339(MORNING), act.as_str(), outcome, actor(Role::Doctor))
            .about(resident.to_string())
    };
    let refused = |act, reason| entry(act, Outcome::Refused).with("reason", reason);
    let explained = |rule| {
        let entry = entry(Act::TokenExplain, Outcome::Granted);
        entry.under("hash", rule).with("decision", "refused")
    };
    let (granted, failed) = (Outcome::Granted, Outcome::Failed);
    for (entry, expected, tie) in [
        (entry(Act::TokenIssue, granted), What::Reading, false),
        (entry(Act::CardDump, granted), What::Reading, true),
        (entry(Act::ResidentRead, granted), What::LookUp, false),
        (entry(Act::ResidentRead, Outcome::Refused), What::Other, false),
        (refused(Act::ResidentRead, "REGISTERED_ELSEWHERE"), What::Refused, false),
        (entry(Act::CardRead, granted), What::Other, true),
        (entry(Act::CardRead, failed), What::Other, false),
        (refused(Act::TokenIssue, "NO_RELATION"), What::Refused, false),
        (refused(Act::TokenIssue, "OTHER_INSTITUTION"), What::Refused, false),
        (refused(Act::CardDump, "NO_RELATION"), What::Refused, false),
        (refused(Act::TokenIssue, "GRADE_TOO_HIGH"), What::Other, false),
        (explained("relation-to-resident"), What::Refused, false),
        (explained("grade-covered"), What::Other, false),
        (entry(Act::SessionOpen, granted), What::Other, false),
    ] {
        let (who, deed) = Deed::read(7, MORNING, &entry).unwrap();
        assert_eq!((who, deed.what, deed.tie), (identity, expected, tie), "{entry:?}");
        assert_eq!((deed.position, deed.resident), (7, Some(resident)));
        assert_eq!(deed.address, "10.0.1.5".parse().ok());
    }
    let reading = entry(Act::TokenIssue, granted);
    for ties in ["department,attending", "resident", "guardian"] {
        let with_ties = reading.clone().with("relations", ties);
        let (_, deed) = Deed::read(7, MORNING, &with_ties).unwrap();
        assert!(deed.attending && !deed.emergency, "{ties}");
    }
    let (_, deed) =
        Deed::read(7, MORNING, &reading.clone().with("relations", "department")).unwrap();
    assert!(!deed.attending);
    let (_, deed) = Deed::read(7, MORNING, &reading.with("emergency", "x")).unwrap();
    assert!(deed.emergency && !deed.attending);
    // What the service does by itself is nobody's, and programs and devices are nobody; other acts are not looked at.
    let itself = Actor { identity: Some("hospital.example".to_owned()), ..Actor::default() };
    let by = |act: Act, actor| Entry::new("id", rfc3339(MORNING), act.as_str(), granted, actor);
    for entry in [
        by(Act::TokenIssue, itself),
        by(Act::SessionOpen, actor(Role::System)),
        by(Act::CardRead, actor(Role::Desk)),
        by(Act::SessionClose, actor(Role::Doctor)),
    ] {
        assert!(Deed::read(7, MORNING, &entry).is_none(), "{entry:?}");
    }
}

proptest! {
    /// Whoever was seen from the beginning and whoever is looked up later are seen the same: so a warning is found again.
    #[test]
    fn what_is_long_past_makes_no_difference(
        past in prop::collection::vec((0_u64..86_400 * 3, 0_u8..4, 0_u8..4, 0_u8..3, any::<bool>()), 0..60),
        recent in prop::collection::vec((0_u64..86_400 * 16, 0_u8..4, 0_u8..80, 0_u8..3, any::<bool>()), 1..200),
    ) {
        let residents: Vec<_> = (0..80).map(|_| ResidentId::generate()).collect();
        let began = MORNING + Duration::days(20);
        let deed = |position: usize, from: UtcTime, (after, what, whom, place, tie): (u64, u8, u8, u8, bool)| {
            let whats = [What::Reading, What::LookUp, What::Refused, What::Other];
            Deed {
                position: position as u64,
                at: from + Seconds::from_secs(after),
                what: whats[usize::from(what)],
                tie,
                address: format!("10.0.{place}.1").parse().ok(),
                resident: Some(residents[usize::from(whom)]),
                emergency: false,
                attending: false,
            }
        };
        let mut past: Vec<_> = past.into_iter().collect();
        past.sort_unstable();
        let mut recent: Vec<_> = recent.into_iter().collect();
        recent.sort_unstable();
        let settings: Settings = toml::from_str(
            "unusual_volume.residents = 5\nwithout_relation.residents = 2\nnight_reading.residents = 2",
        ).unwrap();
        let (mut always, mut later) = (Person::default(), Person::default());
        for (position, past) in past.iter().enumerate() {
            always.remember(deed(position, MORNING, *past), &settings);
        }
        for (position, recent) in recent.iter().enumerate() {
            let deed = deed(1000 + position, began, *recent);
            prop_assert_eq!(
                always.take(deed.clone(), None, &settings),
                later.take(deed, None, &settings)
            );
        }
    }
}
