use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ::card::layout::{self, Directory, File, FileName, Profile, Structure};
use ::card::tlv;

use super::field;

/// The directories and files of a card, and what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    pub(super) directories: BTreeSet<Directory>,
    pub(super) files: BTreeMap<FileName, Content>,
}

/// What is in one file.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Records by number, each with tag and length where the file has them.
    Records(BTreeMap<u8, Vec<u8>>),
    /// Records from the newest to the oldest; as many as were added, up to what the ring holds.
    Ring(VecDeque<Vec<u8>>),
    /// A run of bytes.
    Transparent(Vec<u8>),
}

/// Personal data: prints sizes.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Records(records) => write!(f, "{} records", records.len()),
            Self::Ring(records) => write!(f, "{} records in a ring", records.len()),
            Self::Transparent(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl Content {
    /// What is in a file that was created and never written.
    pub fn empty(file: &File, profile: Profile) -> Self {
        match file.structure {
            Structure::Variable(_) => {
                let items = file.items(profile).into_iter().map(|item| item.element);
                Self::Records(
                    items.map(|e| (e.record(), tlv::wrap(&e, &field::empty(&e)))).collect(),
                )
            }
            Structure::Fixed { .. } => {
                let record = field::empty_run(file, profile);
                Self::Records((1..=file.records(profile)).map(|at| (at, record.clone())).collect())
            }
            Structure::Cyclic { .. } => Self::Ring(VecDeque::new()),
            Structure::Transparent { .. } => Self::Transparent(field::empty_run(file, profile)),
        }
    }
}

impl Files {
    /// All that a card of `profile` has, empty.
    pub fn complete(profile: Profile) -> Self {
        let files = layout::FILES.into_iter().filter(|file| file.exists(profile));
        Self {
            directories: Directory::ALL.into(),
            files: files.map(|file| (file.name, Content::empty(file, profile))).collect(),
        }
    }

    /// Whether the directory was created.
    pub fn has(&self, directory: Directory) -> bool {
        self.directories.contains(&directory)
    }

    /// Creates a directory.
    pub fn create_directory(&mut self, directory: Directory) {
        self.directories.insert(directory);
    }

    /// Creates a file, empty.
    pub fn create(&mut self, file: &File, profile: Profile) {
        self.files.insert(file.name, Content::empty(file, profile));
    }

    /// What is in a file.
    pub fn content(&self, name: FileName) -> Option<&Content> {
        self.files.get(&name)
    }

    /// The same, to be changed.
    pub fn content_mut(&mut self, name: FileName) -> Option<&mut Content> {
        self.files.get_mut(&name)
    }

    /// Writes the records of a file of variable records, each by its number; those that the card
    /// has no room for are left out.
    pub fn write_records(&mut self, file: &File, records: Vec<Vec<u8>>) {
        let Some(Content::Records(content)) = self.files.get_mut(&file.name) else { return };
        for (element, record) in file.elements().iter().zip(records) {
            if let Some(place) = content.get_mut(&element.record()) {
                *place = record;
            }
        }
    }

    /// A record; of a file without records, record 0 is the whole.
    pub(super) fn record_mut(&mut self, name: FileName, record: u8) -> Option<&mut Vec<u8>> {
        match (self.files.get_mut(&name)?, record) {
            (Content::Records(records), number) => records.get_mut(&number),
            (Content::Ring(records), 1..) => records.get_mut(usize::from(record) - 1),
            (Content::Transparent(bytes), 0) => Some(bytes),
            _ => None,
        }
    }
}
