//! `vcard`: offers emulated health cards to the virtual PC/SC reader, and makes their images.

mod blank;
mod control;
mod faults;
mod keep;
mod make;
mod make_sam;
mod masters;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;

use card_emulator::slot::{Link, Slot, SlotEvent};
use card_emulator::{Card, Image, Sam, SamImage};
use clap::{Args, Parser, Subcommand};

/// Offers emulated resident health cards to a virtual PC/SC reader (vpcd).
#[derive(Parser)]
#[command(name = "vcard", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    offer: Offer,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the image of a card for a person.
    Make(Box<make::Make>),
    /// Lists the ways in which a card can misbehave, and what must come of each.
    Faults(faults::Faults),
    /// Makes the image of a blank card: an answer to reset and a transport key.
    Blank(blank::Blank),
    /// Makes the image of a SAM, with the PIN 123456.
    MakeSam(Box<make_sam::MakeSam>),
}

#[derive(Args)]
struct Offer {
    /// Image of the card in a slot; the second one goes into the second slot.
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
    /// Write a card's image back whenever the card changes, so that what is written to it outlives
    /// the program.
    #[arg(long)]
    save: bool,
    /// Image of a SAM for the second slot.
    #[arg(long, value_name = "FILE")]
    sam: Option<PathBuf>,
    /// Port of the first slot of the virtual reader.
    #[arg(long, default_value_t = 35963)]
    port: u16,
    /// Let a card take the time that its bytes need over a contactless link of 106 kbit/s.
    #[arg(long)]
    contactless: bool,
    /// Take commands from standard input: insert SLOT FILE, remove SLOT, fault SLOT FAULT,
    /// behave SLOT, quit. The slot of a SAM takes insert and remove.
    #[arg(long)]
    control: bool,
}

/// A failure, in words for a person.
type Failure = Box<dyn std::error::Error>;

/// Slots of one virtual reader.
const SLOTS: u16 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Some(Command::Make(make)) => make::make(&make),
        Some(Command::Faults(faults)) => faults::list(&faults),
        Some(Command::Blank(blank)) => blank::blank(&blank),
        Some(Command::MakeSam(make)) => make_sam::make(&make),
        None => offer(&arguments.offer),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("vcard: {failure}");
            let mut cause = failure.source();
            while let Some(next) = cause {
                eprint!(": {next}");
                cause = next.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

/// Serves the slots until the end of control, or for ever.
fn offer(offer: &Offer) -> Result<(), Failure> {
    if offer.images.is_empty() && offer.sam.is_none() && !offer.control {
        return Err("nothing to offer: give --image FILE, --sam FILE or --control".into());
    }
    // A SAM has the second slot to itself.
    let cards = SLOTS - u16::from(offer.sam.is_some());
    if offer.images.len() > usize::from(cards) {
        return Err("the virtual reader has two slots".into());
    }
    let last = offer.port.checked_add(SLOTS - 1).ok_or("there is no port after 65535")?;
    let (events, told) = mpsc::channel();
    let sam_slot = match &offer.sam {
        None => None,
        Some(image) => {
            let events = events.clone();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, last));
            let slot = Slot::open(address, move |event| {
                let _ = events.send((1, event)); // nobody listens once we end
            });
            slot.insert(load_sam(image)?);
            Some(slot)
        }
    };
    let slots: Vec<Slot> = (offer.port..offer.port + cards)
        .enumerate()
        .map(|(number, port)| {
            let events = events.clone();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            Slot::open(address, move |event| {
                let _ = events.send((number, event)); // nobody listens once we end
            })
        })
        .collect();
    if offer.contactless {
        slots.iter().for_each(|slot| slot.reach_over(Link::CONTACTLESS));
    }
    for (slot, image) in slots.iter().zip(&offer.images) {
        slot.insert(load(image, offer.save)?);
    }
    let printer = std::thread::spawn(move || {
        for (slot, event) in told {
            println!("event {slot} {}", word(event));
        }
    });
    if offer.control {
        control::run(&slots, sam_slot.as_ref(), offer.save);
    } else {
        printer.join().map_err(|_| "the printer of events failed")?;
    }
    drop(sam_slot);
    Ok(())
}

/// A SAM from its image.
fn load_sam(path: &Path) -> Result<Sam, Failure> {
    let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new);
    let text = text.map_err(|error| format!("reading {}: {error}", path.display()))?;
    let (image, masters) = SamImage::from_toml(&text)?;
    Ok(Sam::new(image, masters, Box::new(random)))
}

fn random(octets: &mut [u8; 8]) {
    getrandom::fill(octets).expect("the system's random generator works");
}

/// A card from its image, which it keeps up to date when it is to be saved.
fn load(path: &Path, save: bool) -> Result<Card, Failure> {
    let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new);
    let text = text.map_err(|error| format!("reading {}: {error}", path.display()))?;
    let image = Image::from_toml(&text);
    let image = image.map_err(|error| format!("{}: {error}", path.display()))?;
    let mut card = Card::new(image, Box::new(random));
    if save {
        card.keep(keep::in_file(path));
    }
    Ok(card)
}

fn word(event: SlotEvent) -> &'static str {
    match event {
        SlotEvent::Waiting => "waiting",
        SlotEvent::Inserted => "inserted",
        SlotEvent::Powered => "powered",
        SlotEvent::Removed => "removed",
        SlotEvent::Left => "left",
        SlotEvent::ReaderGone => "reader-gone",
    }
}
