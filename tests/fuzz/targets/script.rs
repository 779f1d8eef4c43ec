//! The script of a maker of cards. What is accepted is played on a blank card of ours, which refuses
//! it or obeys; the transcript is kept as it is of every card.
#![no_main]

use card::layout::Profile;
use card::personalise::{Earlier, Personaliser as _, Script, Transcribed};
use card::transport::Link;
use card::{CardFactors, ProvinceFactor};
use card_emulator::{InMemory, personalise, sample};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(script) = text.parse::<Script>() else { return };
    let (person, profile) = (sample::person(), Profile::Reduced);
    let blank = personalise::blank(person.factor, profile, &sample::transport_master());
    let mut card = InMemory::new(sample::card(blank.expect("it derives")));
    let keys = sample::making::issuing_keys(&sample::masters());
    let factors =
        CardFactors { province: ProvinceFactor::from(&person.city), card: person.factor };
    let contents = sample::making::contents(profile, None);
    let mut transcribed = Transcribed::new(&mut card, Earlier::default());
    let mut link = Link::new(&mut transcribed);
    let made = script.personalise(&mut link, &keys, &factors, &contents, &mut sample::counter(1));
    let image = card.card().image();
    assert!(made.is_err() || image.is_open() || image.is_complete());
});
