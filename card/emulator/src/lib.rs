//! A resident health card in memory. It speaks the commands of a real card, enforces its access
//! rules, and can be made to misbehave. It is never shipped.
//!
//! - [`card`]: the card itself; one command in, one answer out.
//! - [`fault`]: ways in which it misbehaves.
//! - [`image`]: the card as a text file.
//! - [`personalise`]: an image for a person, with keys derived from masters.
//! - [`sam`]: a SAM, with an image of its own; [`chip`]: what it and the card have in common.
//! - [`transport`]: the card as a [`::card::Transport`], without any reader.
//! - [`sample`]: a person and masters for tests.
//! - [`slot`]: the card in a slot of the virtual PC/SC reader.
#![warn(missing_docs)]

pub mod card;
pub mod chip;
pub mod fault;
pub mod image;
pub mod personalise;
pub mod sam;
pub mod sample;
pub mod slot;
pub mod transport;

pub use card::Card;
pub use chip::Chip;
pub use fault::Fault;
pub use image::{Image, ImageError};
pub use personalise::{Masters, Person, PersonaliseError};
pub use sam::{Sam, SamImage};
pub use transport::InMemory;
