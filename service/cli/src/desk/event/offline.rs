//! A card that was seen without the service, for people and for programs. One that is refused is
//! another event than one that may be served, so that nobody takes the one for the other.

use std::time::Duration;

use card::offline::{Proof, Standing};
use serde_json::{Value, json};

use super::{super::alone::Seen, failure, local_failure, refused_page};
use crate::{
    json as render,
    page::{Cell, Page},
    text,
};

pub(super) fn json(reader: &str, seen: &Seen) -> Value {
    let issuer = &seen.said.issuer;
    let mut event = json!({
        "event": "offline_reading",
        "reader": reader,
        "proof": seen.said.proof.as_str(),
        "proven": seen.said.proof == Proof::Genuine,
        "standing": seen.standing().as_str(),
        "list_number": seen.list.map(|(number, _)| number),
        "list_age_seconds": seen.list.map(|(_, age)| age.as_secs()),
        "issuer_name": issuer.name,
        "chip_serial": issuer.chip_serial.as_str(),
        "city_code": issuer.city.as_str(),
        "commands": seen.said.commands,
    });
    match seen.problem() {
        Some(problem) => {
            event["event"] = json!("offline_refused");
            event["listed_for"] = json!(seen.listing.map(|listing| listing.reason.as_str()));
            event["failure"] = render::of("CardFailure", &local_failure(problem));
        }
        None => event["card_number"] = json!(issuer.card_number.as_str()),
    }
    if let Some(person) = &seen.said.person {
        event["name"] = json!(person.holder.name.as_str());
        event["birth_date"] = json!(person.holder.birth_date.to_string());
        event["valid_until"] = json!(person.valid_until.to_string());
    }
    event
}

pub(super) fn page(seen: &Seen) -> Page {
    let issuer = &seen.said.issuer;
    let mut page = match seen.problem() {
        Some(problem) => refused_page(&failure(&local_failure(problem))),
        None if seen.said.person.is_some() => Page::titled(text::DESK_OFFLINE_PROVEN),
        None => Page::titled(text::DESK_OFFLINE),
    };
    if let Some(person) = &seen.said.person {
        page = page
            .row(text::NAME, person.holder.name.as_str())
            .row(text::BIRTH_DATE, person.holder.birth_date.to_string())
            .row(text::VALID_UNTIL, person.valid_until.to_string());
    }
    if seen.refusal().is_none() {
        page = page.row(text::CARD_NUMBER, issuer.card_number.as_str());
    }
    let listed = match (seen.standing(), seen.list) {
        (Standing::NoList, _) | (_, None) => Cell::Spoken(text::DESK_LIST_NONE),
        (Standing::NotListed, Some((number, age))) => {
            Cell::Filled(text::DESK_LIST_NOT_LISTED, vec![number.to_string(), rough(age)])
        }
        (Standing::Grey | Standing::Black, Some((number, age))) => {
            Cell::Filled(text::DESK_LIST_LISTED, vec![number.to_string(), rough(age)])
        }
    };
    let proof = match seen.said.proof {
        Proof::None => text::DESK_PROOF_NONE,
        Proof::Genuine => text::DESK_PROOF_GENUINE,
        Proof::Forged => text::DESK_PROOF_FORGED,
    };
    let known = match (seen.refusal(), seen.said.proof) {
        (Some(_), _) => text::DESK_OFFLINE_REPORTED,
        (None, Proof::None) => text::DESK_OFFLINE_KNOWN,
        (None, _) => text::DESK_OFFLINE_BY_SAM,
    };
    let page = page
        .row(text::CHIP_SERIAL, issuer.chip_serial.as_str())
        .row(text::ISSUER, issuer.name.as_str())
        .row(text::DESK_PROOF, Cell::Spoken(proof))
        .row(text::DESK_LIST, listed)
        .note(Cell::Spoken(known));
    match seen.refusal() {
        Some(_) => page,
        None => page.note(Cell::Spoken(text::DESK_OFFLINE_RECHECK)),
    }
}

/// A length of time as people say it: its largest unit.
fn rough(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
