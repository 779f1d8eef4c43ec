use proto::v1::{CardFailure, CardReading};

use super::*;

fn reading(name: &str) -> Ended {
    let reading = CardReading { name: name.to_owned(), ..CardReading::default() };
    Ended { outcome: Outcome::Reading(Box::new(reading)), quarantine: None }
}

fn refused(reason: &str, quarantine: Option<Quarantine>) -> Ended {
    let failure = CardFailure { reason: reason.to_owned(), ..CardFailure::default() };
    Ended { outcome: Outcome::Refused(Box::new(failure)), quarantine }
}

/// A step in a few letters.
fn told(step: Option<Step>) -> String {
    match step {
        None => String::new(),
        Some(Step::Recognise { reader }) => format!("recognise {reader}"),
        Some(Step::Read { reader, .. }) => format!("read {reader}"),
        Some(Step::ReadOffline { reader }) => format!("offline {reader}"),
        Some(Step::Ask { readers }) => format!("ask {}", readers.join(" ")),
        Some(Step::Show { reader, outcome: Outcome::Reading(it), .. }) => {
            format!("show {reader} {}", it.name)
        }
        Some(Step::Show { reader, outcome: Outcome::Refused(it), .. }) => {
            format!("show {reader} {}", it.reason)
        }
    }
}

struct Play(Table);

impl Play {
    fn new(rule: Rule) -> Self {
        Self(Table::new(rule))
    }

    fn put_in(&mut self, reader: &str) {
        self.put_in_as(reader, 0);
    }

    fn put_in_as(&mut self, reader: &str, insertion: u8) {
        let reader = reader.to_owned();
        let place = Place { reader, card: Insertion([insertion; 8]), atr: vec![0x3b] };
        self.0.put_in(place, Instant::now());
    }

    /// The reader of the card that is meant.
    fn meant(&self, part: &str) -> Result<String, Unclear> {
        self.0.meant(part).map(|place| place.reader)
    }

    fn place(&self, insertion: u8) -> Result<String, Unclear> {
        self.0.place(Insertion([insertion; 8])).map(|place| place.reader)
    }

    #[track_caller]
    fn next(&mut self, expected: &str) {
        assert_eq!(told(self.0.next(Presence::Here)), expected);
    }

    #[track_caller]
    fn read(&mut self, reader: &str, ended: Ended, expected: &str) {
        assert_eq!(told(self.0.read(reader, ended)), expected);
    }
}

#[test]
fn one_card_is_read_at_once() {
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    play.next("read a");
    play.next("");
    play.read("a", reading("A"), "show a A");
    play.next("");
    let shown = ReaderStates { empty: 1, shown: 1, ..ReaderStates::default() };
    assert_eq!(play.0.states(2), shown);
}

#[test]
fn no_card_is_read_while_the_service_is_away() {
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    assert_eq!(told(play.0.next(Presence::Away)), "");
    play.next("read a");
}

#[test]
fn without_the_service_a_card_is_seen_and_read_later() {
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    assert_eq!(told(play.0.next(Presence::Offline)), "offline a");
    assert!(play.0.seen_offline("a").is_some());
    assert_eq!(told(play.0.next(Presence::Offline)), "");
    play.next("");
    play.0.service_back();
    play.next("read a");
    // Of two, none is shown without being asked for.
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    assert_eq!(told(play.0.next(Presence::Offline)), "offline a");
    play.put_in("b");
    assert_eq!(told(play.0.next(Presence::Offline)), "recognise b");
    play.0.recognised("b", None);
    assert!(play.0.seen_offline("a").is_none());
    assert_eq!(told(play.0.next(Presence::Offline)), "ask a b");
    play.0.choose("b");
    assert_eq!(told(play.0.next(Presence::Offline)), "offline b");
    assert!(play.0.seen_offline("b").is_some());
}

#[test]
fn of_two_cards_one_is_asked_for() {
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    play.put_in("b");
    play.next("recognise a");
    play.next("recognise b");
    play.next("");
    assert_eq!(told(play.0.recognised("a", None)), "");
    play.next("");
    assert_eq!(told(play.0.recognised("b", None)), "");
    play.next("ask a b");
    play.next("");
    assert_eq!(play.0.question(), Some(&["a".to_owned(), "b".to_owned()][..]));
    play.0.choose("b");
    assert_eq!(play.0.question(), None);
    play.next("read b");
    play.read("b", reading("B"), "show b B");
    play.next("");
    // The other one is read when it is alone.
    play.0.take_out("b");
    play.next("read a");
}

#[test]
fn a_card_that_joins_another_withholds_it() {
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    play.next("read a");
    play.put_in("b");
    play.next("recognise b");
    play.read("a", reading("A"), "");
    assert_eq!(told(play.0.recognised("b", None)), "");
    play.next("ask a b");
    play.0.take_out("b");
    play.next("show a A");
    // What was shown is shown again to whoever asks for it.
    play.put_in("b");
    play.next("recognise b");
    assert_eq!(told(play.0.recognised("b", None)), "");
    play.next("ask a b");
    play.0.choose("a");
    play.next("read a");
}

#[test]
fn a_new_card_is_a_new_question() {
    let mut play = Play::new(Rule::Ask);
    for reader in ["a", "b"] {
        play.put_in(reader);
    }
    play.next("recognise a");
    play.next("recognise b");
    play.0.recognised("a", None);
    play.0.recognised("b", None);
    play.next("ask a b");
    play.0.choose("a");
    play.put_in("c");
    play.next("recognise c");
    play.0.recognised("c", None);
    play.next("ask a b c");
}

#[test]
fn what_is_none_of_ours_asks_nothing() {
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    play.next("read a");
    play.put_in("b");
    play.next("recognise b");
    let shown = play.0.recognised("b", Some(refused(NOT_OURS, None)));
    assert_eq!(told(shown), "show b NOT_HEALTH_CARD");
    play.read("a", reading("A"), "show a A");
    play.next("");
}

#[test]
fn a_card_in_quarantine_keeps_nobody_waiting() {
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    play.next("read a");
    play.put_in("b");
    play.next("recognise b");
    play.0.recognised("b", None);
    play.next("ask a b");
    let hung = refused("CARD_TIMEOUT", Some(Quarantine::Hung));
    play.read("a", hung, "show a CARD_TIMEOUT");
    play.next("read b");
    play.read("b", reading("B"), "show b B");
    // It is left alone until it is taken out.
    play.next("");
    play.0.take_out("a");
    play.put_in("a");
    play.next("recognise a");
}

#[test]
fn readers_that_are_desks_of_their_own_ask_nothing() {
    let mut play = Play::new(Rule::Each);
    play.put_in("a");
    play.put_in("b");
    play.next("read a");
    play.next("read b");
    play.next("");
    play.read("b", reading("B"), "show b B");
    play.read("a", reading("A"), "show a A");
}

#[test]
fn software_gets_the_card_that_it_named() {
    let mut play = Play::new(Rule::Ask);
    assert_eq!(play.meant(""), Err(Unclear::NoCard));
    play.put_in_as("a", 1);
    assert_eq!((play.meant(""), play.meant("x")), (Ok("a".into()), Err(Unclear::NoCard)));
    play.next("read a");
    assert_eq!(play.place(1), Err(Unclear::NotYet), "the desk reads it");
    play.read("a", reading("A"), "show a A");
    assert_eq!((play.place(1), play.place(2)), (Ok("a".into()), Err(Unclear::NoCard)));
    play.0.serve("a");
    assert!(play.0.is_busy("a") && play.place(1) == Err(Unclear::NotYet));
    play.next("");
    play.0.served("a", None);
    assert_eq!(play.place(1), Ok("a".into()));
    // The same card, put in again, is another insertion.
    play.0.take_out("a");
    play.put_in_as("a", 2);
    assert_eq!(play.place(1), Err(Unclear::NoCard));
    play.0.serve("a");
    play.0.served("a", Some(Quarantine::Hung));
    assert_eq!((play.place(2), play.meant("")), (Err(Unclear::Aside), Err(Unclear::Aside)));
}

#[test]
fn software_gets_none_of_two_cards_before_one_is_chosen() {
    let mut play = Play::new(Rule::Ask);
    play.put_in_as("a", 1);
    play.next("read a");
    play.read("a", reading("A"), "show a A");
    play.put_in_as("b", 2);
    assert_eq!((play.meant("a"), play.place(1)), (Err(Unclear::NotYet), Err(Unclear::NotYet)));
    play.next("recognise b");
    play.0.recognised("b", None);
    play.next("ask a b");
    for part in ["", "a", "b"] {
        assert_eq!(play.meant(part), Err(Unclear::Several), "{part}");
    }
    assert_eq!((play.place(1), play.place(2)), (Err(Unclear::Several), Err(Unclear::Several)));
    play.0.choose("b");
    assert_eq!((play.meant(""), play.meant("a")), (Ok("b".into()), Err(Unclear::NoCard)));
    assert_eq!((play.place(1), play.place(2)), (Err(Unclear::Several), Ok("b".into())));
    // A card of another kind is no second one.
    let mut play = Play::new(Rule::Ask);
    play.put_in_as("a", 1);
    play.next("read a");
    play.read("a", reading("A"), "show a A");
    play.put_in_as("b", 2);
    play.next("recognise b");
    play.0.recognised("b", Some(refused(NOT_OURS, None)));
    assert_eq!((play.meant(""), play.place(1)), (Ok("a".into()), Ok("a".into())));
}

#[test]
fn software_names_the_reader_where_each_is_a_desk() {
    let mut play = Play::new(Rule::Each);
    play.put_in_as("desk 1", 1);
    play.put_in_as("desk 2", 2);
    for reader in ["desk 1", "desk 2"] {
        play.next(&format!("read {reader}"));
        play.read(reader, reading("A"), &format!("show {reader} A"));
    }
    assert_eq!((play.meant("2"), play.meant("")), (Ok("desk 2".into()), Err(Unclear::Several)));
    assert_eq!((play.place(1), play.place(2)), (Ok("desk 1".into()), Ok("desk 2".into())));
}

#[test]
fn a_card_is_read_once_more_when_the_service_was_lost() {
    let mut play = Play::new(Rule::Ask);
    play.put_in("a");
    play.next("read a");
    assert!(play.0.unread("a"));
    play.next("read a");
    assert!(!play.0.unread("a"));
    play.next("");
}
