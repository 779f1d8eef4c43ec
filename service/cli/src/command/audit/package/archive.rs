//! The file of a package while it is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use audit::{
    Entry, bundle,
    check::{Report, Verdict},
    checkpoint::{Checkpoint, VerifierKey},
    history,
    package::{self, Contents, MAX_CERTIFICATES, Manifest, Selection, Writer},
};
use sm3::{Digest as _, Sm3};

use super::{
    super::{bundle::HISTORIES, export::Range},
    signature,
};
use crate::{
    clock,
    command::timestamp,
    context::Context,
    failure::Failure,
    files::{self, Audience, NewFile},
    identity::{self, ClientKey},
    text::problems,
};

/// Largest history that is put into a package, bytes.
const LARGEST_HISTORY: u64 = 256 << 20;

/// A package that is being written. Dropped before it is whole, it leaves nothing.
pub(super) struct Archive {
    writer: Writer<NewFile>,
}

/// Entries that were written into it.
pub(super) struct Written {
    name: &'static str,
    contents: Contents,
}

/// The same, read back.
pub(super) struct Entries {
    pub(super) contents: Contents,
    pub(super) selection: Selection,
    pub(super) key: VerifierKey,
    pub(super) note: String,
    pub(super) checkpoint: Checkpoint,
    pub(super) serials: BTreeSet<String>,
    /// What is wrong with them, if anything is.
    pub(super) spoiled: Option<Report>,
}

impl Archive {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        Ok(Self { writer: Writer::new(NewFile::create(path, Audience::Owner)?) })
    }

    /// The entries of a range, as the service gives them.
    pub(super) async fn export(
        &mut self,
        context: &Context,
        range: Range,
    ) -> Result<Written, Failure> {
        let mut stream = range.export(context).await?;
        let name = package::ENTRIES;
        self.writer.begin(name).map_err(unwritable)?;
        while let Some(piece) = stream.message().await.map_err(Failure::from)? {
            self.writer.append(&piece.chunk).map_err(unwritable)?;
        }
        Ok(Written { name, contents: self.writer.end().map_err(unwritable)? })
    }

    /// A history that was given out before.
    pub(super) fn history(&mut self, path: &Path) -> Result<Written, Failure> {
        let octets = files::read(path, LARGEST_HISTORY)?;
        if !HISTORIES.iter().any(|format| octets.starts_with(format.as_bytes())) {
            return Err(Failure::of(problems::LOG_UNREADABLE).about(path.display()));
        }
        let name = package::HISTORY;
        Ok(Written { name, contents: self.writer.add(name, &octets).map_err(unwritable)? })
    }

    /// Reads them back, with the key that they name: nothing is signed that was not read.
    pub(super) fn checked(
        &mut self,
        Written { name, contents }: Written,
    ) -> Result<Entries, Failure> {
        let begin = self.writer.begins();
        let open = || -> Result<BufReader<std::io::Take<File>>, Failure> {
            let mut file = self.writer.get_ref().again()?;
            let sought = file.seek(SeekFrom::Start(begin));
            sought.map_err(|error| Failure::of(problems::FILE_UNREADABLE).about(error))?;
            Ok(BufReader::new(file.take(contents.length)))
        };
        let unreadable = |error| super::super::bundle::unreadable(error);
        let mut serials = Serials::default();
        let (key, note, selection, report) = match name {
            package::HISTORY => {
                let mut reader = history::Reader::new(open()?).map_err(unreadable)?;
                let header = reader.header().clone();
                while let Some(line) = reader.next_line().map_err(unreadable)? {
                    serials.take(&line.entry)?;
                }
                let reader = history::Reader::new(open()?).map_err(unreadable)?;
                let report = history::check(reader, &header.key, &[]).map_err(unreadable)?;
                let (resident, entries) = (header.resident, header.standing.count);
                let selection = Selection::History { resident, entries, size: report.size };
                (header.key, header.checkpoint, selection, report)
            }
            _ => {
                let mut reader = bundle::Reader::new(open()?).map_err(unreadable)?;
                let header = reader.header().clone();
                while let Some(line) = reader.next_line().map_err(unreadable)? {
                    serials.take(&line.entry)?;
                }
                let reader = bundle::Reader::new(open()?).map_err(unreadable)?;
                let report = bundle::check(reader, &header.key, &[]).map_err(unreadable)?;
                let bundle::Header { key, from, until, size, checkpoint, .. } = header;
                (key, checkpoint, Selection::Range { from, until, size }, report)
            }
        };
        let checkpoint = Checkpoint::read_unverified(&note)
            .map_err(|error| Failure::of(problems::CHECKPOINT_UNUSABLE).about(error))?;
        let spoiled = Some(report).filter(|report| report.verdict != Verdict::Valid);
        let serials = serials.0;
        Ok(Entries { contents, selection, key, note, checkpoint, serials, spoiled })
    }

    /// Adds everything else; all members that are listed, by their names.
    pub(super) fn add_all(
        &mut self,
        name: &str,
        entries: Contents,
        members: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Vec<(String, Contents)>, Failure> {
        let mut listed = BTreeMap::from([(name.to_owned(), entries)]);
        for (name, octets) in members {
            listed.insert(name.clone(), self.writer.add(name, octets).map_err(unwritable)?);
        }
        Ok(listed.into_iter().collect())
    }

    /// Signs the manifest, has the signature stamped with the time, and gives the file its name; its length.
    pub(super) async fn sign(
        mut self,
        context: &Context,
        manifest: &Manifest,
        key: &ClientKey,
        certificate: &identity::Certificate,
    ) -> Result<u64, Failure> {
        let text = manifest.to_string();
        let signed = signature::sign(text.as_bytes(), key, certificate, clock::now())?;
        let (stamp, _) = timestamp::stamped(context, &Sm3::digest(&signed).into()).await?;
        for (name, octets) in [
            (package::MANIFEST, text.as_bytes()),
            (package::SIGNATURE, &signed),
            (package::TIME_STAMP, &stamp),
        ] {
            self.writer.add(name, octets).map_err(unwritable)?;
        }
        let file = self.writer.finish().map_err(unwritable)?;
        let length = file.again()?.metadata().map_or(0, |it| it.len());
        file.finish()?;
        Ok(length)
    }
}

fn unwritable(error: package::ContainerError) -> Failure {
    let problem = match &error {
        package::ContainerError::TooLarge => problems::PACKAGE_TOO_LARGE,
        _ => problems::FILE_UNWRITABLE,
    };
    Failure::of(problem).about(error)
}

/// Serial numbers of the certificates that acted.
#[derive(Default)]
struct Serials(BTreeSet<String>);

impl Serials {
    fn take(&mut self, entry: &[u8]) -> Result<(), Failure> {
        let entry = Entry::decode(entry).ok();
        self.0.extend(entry.and_then(|entry| entry.actor.certificate));
        match self.0.len() > MAX_CERTIFICATES {
            true => Err(problems::PACKAGE_TOO_LARGE.into()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_goes_in_whether_or_not_entries_were_removed() {
        let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/history");
        let dir = tempfile::tempdir().unwrap();
        let mut archive = Archive::create(&dir.path().join("package.zip")).unwrap();
        let mut written = |name| archive.history(&Path::new(vectors).join(name));
        let refused = written("log-with-histories.txt").err().unwrap();
        assert_eq!(refused.reason, "LOG_UNREADABLE");
        for name in ["history.txt", "history-removed.txt"] {
            let mut archive = Archive::create(&dir.path().join(name)).unwrap();
            let written = archive.history(&Path::new(vectors).join(name)).unwrap();
            let entries = archive.checked(written).unwrap();
            assert_eq!(entries.spoiled, None, "{name}");
            let Selection::History { entries, .. } = entries.selection else { panic!("{name}") };
            assert_eq!(entries, 14, "{name}");
        }
    }
}
