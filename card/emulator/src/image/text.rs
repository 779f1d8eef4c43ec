//! The TOML form of an image.

use std::collections::{BTreeMap, VecDeque};

use ::card::data::{Photo, PhotoFile};
use ::card::layout::ddf1::ef07;
use ::card::layout::{self, Directory, Element, File, FileName, Item, Profile, Structure};
use ::card::{CardFactor, CardKey, KeyVersion, tlv};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::keys::{Name, TRIES};
use super::{Answers, Blocked, Content, Files, Image, ImageError, Keys, field};

/// The image as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// Blocked directories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blocked: Vec<String>,
    card: RawCard,
    /// `RK1_DF02/2`, or `RK1_DF02` for version 1, or `TRANSPORT`: 16 bytes, hex.
    #[serde(default)]
    keys: BTreeMap<String, Zeroizing<String>>,
    /// How many tries a key has left, when some were lost.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tries: BTreeMap<String, u8>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, FileText>,
    /// `DDF1/EF06/3`: records, with tag and length, that are not as the table says; hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    overrides: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCard {
    /// Eight bytes, hex.
    historical_bytes: String,
    /// `direct` or `in-parts`.
    #[serde(default = "direct")]
    answers: String,
    /// `32K` or `16K`.
    #[serde(default = "full")]
    profile: String,
    /// The whole card is blocked for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    blocked: bool,
    /// Which directories exist, on a card that does not have all of them yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directories: Option<Vec<String>>,
}

fn direct() -> String {
    spelled_answers(Answers::Direct).to_owned()
}

fn full() -> String {
    Profile::Full.name().to_owned()
}

/// What is in a file, as text: of files of variable records and of transparent ones, items by number;
/// of others, records with items by number.
#[derive(Serialize, Deserialize, Default, Debug)]
pub struct FileText {
    /// JPEG of the photo file, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) photo: Option<String>,
    /// All of a transparent file, hex, when it is not as the table says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(flatten)]
    pub(super) items: BTreeMap<String, String>,
    /// Records of one size, of a ring from the newest to the oldest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) records: Vec<BTreeMap<String, String>>,
}

impl FileText {
    /// Gives an item of a file with one record an item another value.
    pub fn set(&mut self, item: u16, value: String) {
        self.items.insert(item.to_string(), value);
    }
}

fn wrong(field: &str) -> ImageError {
    ImageError::Field { field: field.to_owned() }
}

fn bytes<const N: usize>(field: &str, text: &str) -> Result<[u8; N], ImageError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| wrong(field))?;
    Ok(bytes)
}

pub(super) fn read(text: &str) -> Result<Image, ImageError> {
    let raw: Raw = toml::from_str(text).map_err(|error| {
        // The message may quote the value; the line is enough.
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
        ImageError::Syntax { line }
    })?;
    let profile = Profile::named(&raw.card.profile).ok_or_else(|| wrong("profile"))?;
    let answers = [Answers::Direct, Answers::InParts]
        .into_iter()
        .find(|answers| spelled_answers(*answers) == raw.card.answers)
        .ok_or_else(|| wrong("answers"))?;
    let mut image = Image {
        factor: CardFactor(bytes("historical_bytes", &raw.card.historical_bytes)?),
        answers,
        profile,
        keys: keys(&raw)?,
        files: match &raw.card.directories {
            None => Files::complete(profile),
            Some(names) => partial(names, &raw.files, profile)?,
        },
        blocked: Blocked {
            card: raw.card.blocked,
            directories: raw
                .blocked
                .iter()
                .map(|name| directory(name).ok_or_else(|| wrong("blocked")))
                .collect::<Result<_, _>>()?,
        },
    };
    fill(&mut image, &raw.files)?;
    for (place, value) in &raw.overrides {
        let (file, record) = record(place).ok_or_else(|| wrong("overrides"))?;
        image.replace(file, record, hex::decode(value).map_err(|_| wrong("overrides"))?)?;
    }
    Ok(image)
}

fn keys(raw: &Raw) -> Result<Keys, ImageError> {
    let mut keys = Keys::default();
    for (name, value) in &raw.keys {
        let key = key_named(name).ok_or_else(|| wrong(name))?;
        if keys.has(key) {
            return Err(wrong(name));
        }
        keys.insert(key, Zeroizing::new(bytes::<16>(name, value)?));
    }
    for (name, tries) in &raw.tries {
        let slot = key_named(name).and_then(|key| keys.slot(key)).ok_or_else(|| wrong(name))?;
        slot.tries_left =
            Some(*tries).filter(|tries| *tries <= TRIES).ok_or_else(|| wrong(name))?;
    }
    Ok(keys)
}

/// The tree of a card that is being made: these directories, and the files that are told of.
fn partial(
    names: &[String],
    files: &BTreeMap<String, FileText>,
    profile: Profile,
) -> Result<Files, ImageError> {
    let mut tree = Files::default();
    for name in names {
        tree.create_directory(directory(name).ok_or_else(|| wrong("directories"))?);
    }
    for name in files.keys() {
        let file = file(name).filter(|file| file.exists(profile));
        let file = file.filter(|file| tree.has(file.name.directory));
        tree.create(file.ok_or_else(|| wrong(name))?, profile);
    }
    Ok(tree)
}

/// Writes what `files` tell into the files of `image`.
///
/// # Errors
/// [`ImageError::Field`] naming file and item.
pub fn fill(image: &mut Image, files: &BTreeMap<String, FileText>) -> Result<(), ImageError> {
    let profile = image.profile;
    for (name, told) in files {
        let file = file(name).ok_or_else(|| wrong(name))?;
        let content = image.files.content_mut(file.name).ok_or_else(|| wrong(name))?;
        let items = file.items(profile);
        match content {
            Content::Records(records) if matches!(file.structure, Structure::Variable(_)) => {
                told.only_items().ok_or_else(|| wrong(name))?;
                for (item, text) in &told.items {
                    let (element, value) = value(name, &items, item, text)?;
                    records.insert(element.record(), tlv::wrap(&element, &value));
                }
            }
            Content::Records(records) => {
                let rows = told.rows(name, file, profile)?;
                if rows.len() > records.len() {
                    return Err(wrong(name));
                }
                records.extend((1..).zip(rows));
            }
            Content::Ring(records) => {
                let rows = told.rows(name, file, profile)?;
                if rows.len() > usize::from(file.records(profile)) {
                    return Err(wrong(name));
                }
                *records = VecDeque::from(rows);
            }
            Content::Transparent(bytes) => {
                if let Some(photo) = &told.photo {
                    let jpeg = hex::decode(photo).ok().and_then(|jpeg| Photo::new(jpeg).ok());
                    let jpeg = jpeg.filter(|_| file.name == ef07::FILE.name);
                    *bytes = PhotoFile::encode(Some(&jpeg.ok_or_else(|| wrong("photo"))?));
                }
                if let Some(raw) = &told.raw {
                    let raw = hex::decode(raw).ok().filter(|raw| raw.len() == bytes.len());
                    *bytes = raw.ok_or_else(|| wrong(name))?;
                }
                if !told.records.is_empty() {
                    return Err(wrong(name));
                }
                place(name, &items, &told.items, bytes)?;
            }
        }
    }
    Ok(())
}

impl FileText {
    /// `Some` unless something else than items is told.
    fn only_items(&self) -> Option<()> {
        (self.records.is_empty() && self.photo.is_none() && self.raw.is_none()).then_some(())
    }

    /// Records of one size.
    fn rows(&self, name: &str, file: &File, profile: Profile) -> Result<Vec<Vec<u8>>, ImageError> {
        if !self.items.is_empty() || self.photo.is_some() || self.raw.is_some() {
            return Err(wrong(name));
        }
        let items = file.items(profile);
        let row = |told: &BTreeMap<String, String>| {
            let mut row = field::empty_run(file, profile);
            place(name, &items, told, &mut row)?;
            Ok(row)
        };
        self.records.iter().map(row).collect()
    }
}

/// Writes items into their places in a record or transparent file.
fn place(
    name: &str,
    items: &[Item],
    told: &BTreeMap<String, String>,
    into: &mut [u8],
) -> Result<(), ImageError> {
    for (item, text) in told {
        let (element, value) = value(name, items, item, text)?;
        let start = usize::from(element.offset());
        into[start..start + value.len()].copy_from_slice(&value);
    }
    Ok(())
}

/// An item's element, and the bytes of its text.
fn value(
    file: &str,
    items: &[Item],
    item: &str,
    text: &str,
) -> Result<(Element, Vec<u8>), ImageError> {
    let refused = || wrong(&format!("{file} {item}"));
    let number: u16 = item.parse().map_err(|_| refused())?;
    let item = items.iter().find(|item| item.element.item == number).ok_or_else(refused)?;
    let value = field::bytes(&item.element, text).ok_or_else(refused)?;
    Ok((item.element, value))
}

fn file(name: &str) -> Option<&'static File> {
    layout::file(name.parse().ok()?)
}

fn directory(name: &str) -> Option<Directory> {
    Directory::ALL.into_iter().find(|directory| directory.to_string() == name)
}

const TRANSPORT: &str = "TRANSPORT";

fn key_named(name: &str) -> Option<Name> {
    if name == TRANSPORT {
        return Some(Name::Transport);
    }
    CardKey::spelled(name).map(|(key, version)| Name::Card(key, version))
}

fn spelled_key(name: Name) -> String {
    match name {
        Name::Transport => TRANSPORT.to_owned(),
        Name::Card(key, KeyVersion::FIRST) => key.to_string(),
        Name::Card(key, version) => format!("{key}/{version}"),
    }
}

fn spelled_answers(answers: Answers) -> &'static str {
    match answers {
        Answers::Direct => "direct",
        Answers::InParts => "in-parts",
    }
}

/// `DDF1/EF06/3`: file and record.
fn record(place: &str) -> Option<(FileName, u8)> {
    let (file, record) = place.rsplit_once('/')?;
    Some((file.parse().ok()?, record.parse().ok()?))
}

pub(super) fn write(image: &Image) -> Zeroizing<String> {
    let Image { keys, files: tree, blocked, profile, .. } = image;
    let mut files = BTreeMap::new();
    let mut overrides = BTreeMap::new();
    for (name, content) in &tree.files {
        let file = layout::file(*name).expect("only files of the table are created");
        let (told, odd) = tell(file, content, *profile);
        files.insert(name.to_string(), told);
        let odd = odd.into_iter();
        overrides.extend(odd.map(|(at, bytes)| (format!("{name}/{at}"), hex::encode_upper(bytes))));
    }
    let complete = Files::complete(*profile);
    let all_there =
        tree.directories == complete.directories && tree.files.keys().eq(complete.files.keys());
    let raw = Raw {
        card: RawCard {
            historical_bytes: image.factor.to_string(),
            answers: spelled_answers(image.answers).to_owned(),
            profile: profile.name().to_owned(),
            blocked: blocked.card,
            directories: (!all_there)
                .then(|| tree.directories.iter().map(Directory::to_string).collect()),
        },
        keys: keys
            .iter()
            .map(|(name, bytes, _)| (spelled_key(name), Zeroizing::new(hex::encode_upper(bytes))))
            .collect(),
        tries: keys
            .iter()
            .filter(|(.., tries)| *tries != TRIES)
            .map(|(name, _, tries)| (spelled_key(name), tries))
            .collect(),
        blocked: blocked.directories.iter().map(Directory::to_string).collect(),
        files,
        overrides,
    };
    Zeroizing::new(toml::to_string(&raw).expect("strings, numbers and tables of them"))
}

/// A file as text, and the records of it that are not as the table says.
fn tell(file: &File, content: &Content, profile: Profile) -> (FileText, Vec<(u8, Vec<u8>)>) {
    let items = file.items(profile);
    let mut told = FileText::default();
    let mut odd = Vec::new();
    let whole = usize::from(file.size(profile));
    match content {
        Content::Records(records) if matches!(file.structure, Structure::Variable(_)) => {
            for Item { element, .. } in &items {
                let Some(record) = records.get(&element.record()) else { continue };
                match tlv::unwrap(element, record) {
                    Ok(value) if value != field::empty(element) => {
                        told.items.insert(element.item.to_string(), field::text(element, value));
                    }
                    Ok(_) => {}
                    Err(_) => odd.push((element.record(), record.clone())),
                }
            }
        }
        Content::Records(records) => {
            told.records = records.values().map(|row| told_items(&items, row)).collect();
            odd.extend(odd_rows(records.iter().map(|(at, row)| (*at, row)), whole));
        }
        Content::Ring(records) => {
            told.records = records.iter().map(|row| told_items(&items, row)).collect();
            odd.extend(odd_rows((1..).zip(records), whole));
        }
        Content::Transparent(bytes) if file.name == ef07::FILE.name => {
            let photo = photo(bytes);
            match photo {
                Some(None) => {}
                Some(Some(photo)) => told.photo = Some(hex::encode_upper(photo.jpeg())),
                None => told.raw = Some(hex::encode_upper(bytes)),
            }
        }
        Content::Transparent(bytes) => told.items = told_items(&items, bytes),
    }
    if let Content::Transparent(bytes) = content
        && bytes.len() != whole
    {
        (told.raw, told.items) = (None, BTreeMap::new());
        odd.push((0, bytes.clone()));
    }
    (told, odd)
}

/// Rows that have not the size of the table's.
fn odd_rows<'r>(
    rows: impl Iterator<Item = (u8, &'r Vec<u8>)>,
    size: usize,
) -> impl Iterator<Item = (u8, Vec<u8>)> {
    rows.filter(move |(_, row)| row.len() != size).map(|(at, row)| (at, row.clone()))
}

/// Every item of a run that was written.
fn told_items(items: &[Item], run: &[u8]) -> BTreeMap<String, String> {
    let told = items.iter().filter_map(|Item { element, .. }| {
        let start = usize::from(element.offset());
        let value = run.get(start..start + usize::from(element.length))?;
        let written = value != field::empty(element);
        written.then(|| (element.item.to_string(), field::text(element, value)))
    });
    told.collect()
}

/// The photo in its file: `None` when the file is not as one is written.
fn photo(file: &[u8]) -> Option<Option<Photo>> {
    let start = file.first_chunk()?;
    let photo = match PhotoFile::length(*start).ok()? {
        None => None,
        Some(length) => Some(Photo::new(file.get(2..2 + length)?.to_vec()).ok()?),
    };
    (PhotoFile::encode(photo.as_ref()) == file).then_some(photo)
}
