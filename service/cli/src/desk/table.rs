//! The cards that lie before one desk, and what to do about them next. Pure: sights, outcomes and
//! answers go in, steps come out.
//!
//! With one health card at the desk it is read. With two the desk asks which one is meant, and
//! nothing of either is shown before it is told, or before only one is left: of two people it must
//! never be the wrong one. A card that is none of ours, or is quarantined, counts for nothing.

use std::{collections::BTreeMap, time::Instant};

use card::agent::Insertion;

use super::{
    metrics::ReaderStates,
    reader::Quarantine,
    relay::{Ended, Outcome},
};

/// Reasons that say something of the place of a card rather than of its holder.
const NOT_OURS: &str = "NOT_HEALTH_CARD";
const REMOVED: &str = "CARD_REMOVED";

/// Whose readers these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// One desk: of two cards only one can be meant.
    Ask,
    /// Each reader is a desk of its own.
    Each,
}

/// What to do next. A card that is worked on gets no other step until it is done.
#[derive(Debug)]
pub(super) enum Step {
    /// Find out whether it is a health card at all.
    Recognise { reader: String },
    /// Have it read.
    Read { reader: String, atr: Vec<u8> },
    /// Read what anyone may read of it: the service is away.
    ReadOffline { reader: String },
    /// Show what came of it.
    Show { reader: String, since: Instant, outcome: Outcome },
    /// Ask which one is meant.
    Ask { readers: Vec<String> },
}

/// Whether the service can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    Away,
    /// Away, and cards can be seen without it.
    Offline,
}

/// A card whose reading came to nothing with the service is read once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Last,
}

/// Where the card is that software on this machine means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) reader: String,
    pub(super) card: Insertion,
    pub(super) atr: Vec<u8>,
}

/// Why there is none to be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// There is no card, or the one that was named is out.
    NoCard,
    /// There are several, and nobody said which one is meant.
    Several,
    /// It counts for nothing until it is out.
    Aside,
    /// Something is being done with it, or found out.
    NotYet,
}

#[derive(Debug)]
struct Card {
    insertion: Insertion,
    atr: Vec<u8>,
    since: Instant,
    attempt: Attempt,
    stage: Stage,
    work: Work,
}

/// The step that is under way for a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    None,
    Recognising,
    Reading,
    /// What software on this machine asked for.
    Serving,
}

#[derive(Debug)]
enum Stage {
    /// Nothing is known of it.
    Fresh,
    /// A health card that is still to be read.
    Ours,
    /// Read, and not shown: there is another one.
    Withheld(Outcome),
    Shown,
    /// Shown without the service, to be read when that is back.
    Unproven,
    /// Counts for nothing until it is out.
    Aside,
}

/// All cards at one desk.
#[derive(Debug)]
pub(super) struct Table {
    rule: Rule,
    cards: BTreeMap<String, Card>,
    /// The readers that were asked about, while they are those with a card that counts.
    asked: Option<Vec<String>>,
    chosen: Option<String>,
}

impl Table {
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, cards: BTreeMap::new(), asked: None, chosen: None }
    }

    pub(super) fn put_in(&mut self, place: Place, since: Instant) {
        let Place { reader, card: insertion, atr } = place;
        let (attempt, stage, work) = (Attempt::First, Stage::Fresh, Work::None);
        self.cards.insert(reader, Card { insertion, atr, since, attempt, stage, work });
    }

    pub(super) fn take_out(&mut self, reader: &str) {
        self.cards.remove(reader);
    }

    pub(super) fn is_busy(&self, reader: &str) -> bool {
        self.cards.get(reader).is_some_and(|card| card.work != Work::None)
    }

    /// In which state the cards are, and how many readers have none.
    pub(super) fn states(&self, readers: usize) -> ReaderStates {
        let mut states = ReaderStates {
            empty: readers.saturating_sub(self.cards.len()),
            ..ReaderStates::default()
        };
        for card in self.cards.values() {
            let count = match (card.work, &card.stage) {
                (Work::Recognising | Work::Reading | Work::Serving, _) => &mut states.busy,
                (Work::None, Stage::Fresh | Stage::Ours | Stage::Withheld(_)) => {
                    &mut states.waiting
                }
                (Work::None, Stage::Shown | Stage::Unproven) => &mut states.shown,
                (Work::None, Stage::Aside) => &mut states.aside,
            };
            *count += 1;
        }
        states
    }

    /// Readers whose card is a health card, or may be one.
    fn in_play(&self) -> Vec<String> {
        let counts = |card: &Card| !matches!(card.stage, Stage::Aside);
        self.cards.iter().filter(|(_, card)| counts(card)).map(|(name, _)| name.clone()).collect()
    }

    /// The question that waits for an answer.
    pub(super) fn question(&self) -> Option<&[String]> {
        self.asked.as_deref().filter(|_| self.chosen.is_none())
    }

    /// Takes the answer: a reader that was asked about.
    pub(super) fn choose(&mut self, reader: &str) {
        if let Some(card) = self.cards.get_mut(reader) {
            // Whoever asks for a card that was shown wants to see it again.
            if matches!(card.stage, Stage::Shown | Stage::Unproven) {
                card.stage = Stage::Ours;
            }
            self.chosen = Some(reader.to_owned());
        }
    }

    /// The card that is meant by whoever names no insertion, in a reader whose name contains `part`.
    /// At a desk with two cards it is the one that was chosen, whatever the name.
    pub(super) fn meant(&self, part: &str) -> Result<Place, Unclear> {
        let mut in_play = self.in_play();
        if self.rule == Rule::Each {
            in_play.retain(|reader| reader.contains(part));
        }
        let reader = match (&in_play[..], &self.chosen) {
            ([], _) if self.cards.keys().any(|reader| reader.contains(part)) => {
                return Err(Unclear::Aside);
            }
            ([], _) => return Err(Unclear::NoCard),
            ([one], _) => one,
            (several, Some(chosen)) if several.contains(chosen) => chosen,
            (several, _) if several.iter().any(|reader| self.is_unknown(reader)) => {
                return Err(Unclear::NotYet);
            }
            _ => return Err(Unclear::Several),
        };
        match self.cards.get(reader).filter(|_| reader.contains(part)) {
            Some(Card { insertion, atr, .. }) => {
                Ok(Place { reader: reader.clone(), card: *insertion, atr: atr.clone() })
            }
            None => Err(Unclear::NoCard),
        }
    }

    /// Where the card of this insertion is, when something can be done with it now.
    pub(super) fn place(&self, insertion: Insertion) -> Result<Place, Unclear> {
        let found = self.cards.iter().find(|(_, card)| card.insertion == insertion);
        let (reader, card) = found.ok_or(Unclear::NoCard)?;
        match card.stage {
            Stage::Aside => return Err(Unclear::Aside),
            // Another card that came since makes it unclear who is at the desk.
            _ if self.rule == Rule::Ask && self.meant("")?.card != insertion => {
                return Err(Unclear::Several);
            }
            _ if card.work != Work::None => return Err(Unclear::NotYet),
            _ => {}
        }
        Ok(Place { reader: reader.clone(), card: insertion, atr: card.atr.clone() })
    }

    /// Whether it may still turn out to be none of ours.
    fn is_unknown(&self, reader: &str) -> bool {
        self.cards.get(reader).is_some_and(|card| matches!(card.stage, Stage::Fresh))
    }

    /// Something that was asked for is done with the card.
    pub(super) fn serve(&mut self, reader: &str) {
        if let Some(card) = self.cards.get_mut(reader) {
            card.work = Work::Serving;
        }
    }

    /// It is done; a card in quarantine is put aside.
    pub(super) fn served(&mut self, reader: &str, quarantine: Option<Quarantine>) {
        if let Some(card) = self.cards.get_mut(reader) {
            card.work = Work::None;
            if quarantine.is_some() {
                card.stage = Stage::Aside;
            }
        }
    }

    /// The next step, if there is one. Cards are read while the service is there; without it, what
    /// anyone may read is read if this desk can keep it for the service.
    pub(super) fn next(&mut self, service: Presence) -> Option<Step> {
        let in_play = self.in_play();
        if self.asked.as_ref().is_some_and(|asked| *asked != in_play) {
            (self.asked, self.chosen) = (None, None);
        }
        if self.rule == Rule::Each || in_play.len() < 2 {
            return in_play.iter().find_map(|reader| self.proceed(reader, service));
        }
        for reader in &in_play {
            let unknown =
                |card: &&mut Card| card.work == Work::None && matches!(card.stage, Stage::Fresh);
            if let Some(card) = self.cards.get_mut(reader).filter(unknown) {
                card.work = Work::Recognising;
                return Some(Step::Recognise { reader: reader.clone() });
            }
        }
        match self.chosen.clone() {
            Some(chosen) => self.proceed(&chosen, service),
            None if self.asked.is_none() && self.two_are_ours(&in_play) => {
                self.asked = Some(in_play.clone());
                Some(Step::Ask { readers: in_play })
            }
            None => None,
        }
    }

    /// Whether two cards at least are known to be health cards, or are being read as such.
    fn two_are_ours(&self, in_play: &[String]) -> bool {
        let ours = |card: &&Card| card.work == Work::Reading || !matches!(card.stage, Stage::Fresh);
        in_play.iter().filter_map(|reader| self.cards.get(reader)).filter(ours).count() > 1
    }

    /// The next step for a card that may be read and shown.
    fn proceed(&mut self, reader: &str, service: Presence) -> Option<Step> {
        let card = self.cards.get_mut(reader).filter(|card| card.work == Work::None)?;
        match card.stage {
            Stage::Fresh | Stage::Ours if service == Presence::Away => None,
            Stage::Fresh | Stage::Ours if service == Presence::Offline => {
                card.work = Work::Reading;
                Some(Step::ReadOffline { reader: reader.to_owned() })
            }
            Stage::Fresh | Stage::Ours => {
                card.work = Work::Reading;
                Some(Step::Read { reader: reader.to_owned(), atr: card.atr.clone() })
            }
            Stage::Withheld(_) => {
                let Stage::Withheld(outcome) = std::mem::replace(&mut card.stage, Stage::Shown)
                else {
                    return None;
                };
                Some(Step::Show { reader: reader.to_owned(), since: card.since, outcome })
            }
            Stage::Shown | Stage::Unproven | Stage::Aside => None,
        }
    }

    /// A card was seen without the service. Answers when it was put in, if it is to be shown now:
    /// one of two that was not asked for is looked at again when it is known to be meant.
    pub(super) fn seen_offline(&mut self, reader: &str) -> Option<Instant> {
        let alone = self.rule == Rule::Each || self.in_play().len() < 2;
        let meant = alone || self.chosen.as_deref() == Some(reader);
        let card = self.cards.get_mut(reader)?;
        card.work = Work::None;
        card.stage = if meant { Stage::Unproven } else { Stage::Ours };
        meant.then_some(card.since)
    }

    /// The service is back: cards that were seen without it are read, if they are still there.
    pub(super) fn service_back(&mut self) {
        for card in self.cards.values_mut() {
            if matches!(card.stage, Stage::Unproven) {
                (card.stage, card.attempt) = (Stage::Ours, Attempt::First);
            }
        }
    }

    /// What the look at a card said. Answers what is to be shown of it now.
    pub(super) fn recognised(&mut self, reader: &str, refused: Option<Ended>) -> Option<Step> {
        let card = self.cards.get_mut(reader)?;
        match refused {
            None => {
                (card.work, card.stage) = (Work::None, Stage::Ours);
                None
            }
            Some(refused) => self.read(reader, refused),
        }
    }

    /// What came of a card. Answers it when it is to be shown now.
    pub(super) fn read(&mut self, reader: &str, ended: Ended) -> Option<Step> {
        let alone = self.rule == Rule::Each || self.in_play().len() < 2;
        let meant = alone || self.chosen.as_deref() == Some(reader);
        let Ended { outcome, quarantine } = ended;
        let card = self.cards.get_mut(reader)?;
        card.work = Work::None;
        let reason = match &outcome {
            Outcome::Reading(_) => "",
            Outcome::Refused(refused) => refused.reason.as_str(),
        };
        if quarantine.is_some() || reason == NOT_OURS {
            card.stage = Stage::Aside;
        } else if meant || reason == REMOVED {
            card.stage = Stage::Shown;
        } else {
            card.stage = Stage::Withheld(outcome);
            return None;
        }
        Some(Step::Show { reader: reader.to_owned(), since: card.since, outcome })
    }

    /// The service was lost while the card was read: it is read once more, if it may be.
    /// Answers whether it may.
    pub(super) fn unread(&mut self, reader: &str) -> bool {
        let Some(card) = self.cards.get_mut(reader) else { return true };
        card.work = Work::None;
        let again = card.attempt == Attempt::First;
        card.stage = if again { Stage::Ours } else { Stage::Shown };
        card.attempt = Attempt::Last;
        again
    }
}

#[cfg(test)]
mod tests;
