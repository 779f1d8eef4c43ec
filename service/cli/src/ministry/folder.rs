//! The directory of a report: one directory for each part, numbered, which is there whole or not at all. The last part
//! says where the next one begins, so that nothing is lost or told twice whenever it is cut off.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use audit::report::{MAX_REPORT, Report};

use crate::{
    failure::Failure,
    files::{self, Audience},
    text::problems,
};

/// The manifest of a part, as the service signed it.
const MANIFEST: &str = "manifest.txt";
/// A part that is being written.
const UNFINISHED: &str = ".unfinished";
/// Held by whoever writes parts.
const LOCK: &str = ".lock";

/// A directory of parts, which nobody else writes to. One that is not there is made with its first part.
pub(crate) struct Folder {
    root: PathBuf,
    /// Parts that are there.
    count: u32,
    /// The last of them.
    last: Option<Report>,
    /// Held as soon as the directory is there.
    lock: Option<File>,
}

/// What a part consists of.
pub(crate) struct Part {
    /// Names and octets of the documents.
    pub(crate) documents: Vec<(&'static str, Vec<u8>)>,
    /// The signed manifest.
    pub(crate) manifest: String,
}

impl Folder {
    /// Opens a directory with the parts it has.
    pub(crate) fn open(root: &Path) -> Result<Self, Failure> {
        let mut folder = Self { root: root.to_owned(), count: 0, last: None, lock: None };
        if root.exists() {
            folder.take()?;
        }
        Ok(folder)
    }

    /// Takes the directory, which is there or is made, and reads what parts it has.
    fn take(&mut self) -> Result<(), Failure> {
        let root = &self.root;
        files::make_directory(root)?;
        let lock = File::create(root.join(LOCK)).map_err(|error| unwritable(root, &error))?;
        lock.try_lock().map_err(|_| Failure::of(problems::REPORT_BUSY).about(root.display()))?;
        self.lock = Some(lock);
        (self.count, self.last) = parts(root)?;
        Ok(())
    }

    /// The last part.
    pub(crate) fn last(&self) -> Option<&Report> {
        self.last.as_ref()
    }

    /// Adds a part, which goes on where the last one ended; its directory.
    pub(crate) fn add(&mut self, report: Report, part: &Part) -> Result<PathBuf, Failure> {
        if self.lock.is_none() {
            self.take()?;
        }
        let goes_on =
            |last: &Report| (&last.service, last.until) == (&report.service, report.since);
        if !self.last.as_ref().is_none_or(goes_on) {
            return Err(Failure::of(problems::REPORT_ELSEWHERE).about(self.root.display()));
        }
        let (unfinished, count) = (self.root.join(UNFINISHED), self.count + 1);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unwritable(&unfinished, &error));
            }
            _ => {}
        }
        files::make_directory(&unfinished)?;
        for (name, octets) in &part.documents {
            files::write(&unfinished.join(name), octets, Audience::Owner)?;
        }
        files::write(&unfinished.join(MANIFEST), part.manifest.as_bytes(), Audience::Owner)?;
        let place = self.root.join(name_of(count));
        let named =
            fs::rename(&unfinished, &place).and_then(|()| File::open(&self.root)?.sync_all());
        named.map_err(|error| unwritable(&place, &error))?;
        (self.count, self.last) = (count, Some(report));
        Ok(place)
    }
}

/// Closing the file would not give it free while a process that was just started holds a copy of it.
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = self.lock.as_ref().map(File::unlock); // an error leaves it to the closing
    }
}

/// How many parts there are, and the last of them.
fn parts(root: &Path) -> Result<(u32, Option<Report>), Failure> {
    let unreadable = |error: io::Error| {
        Failure::of(problems::FILE_UNREADABLE).about(root.display()).about(error)
    };
    let mut count = 0;
    for entry in fs::read_dir(root).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        count = count.max(name.to_str().and_then(number_of).unwrap_or_default());
    }
    let last = match count {
        0 => None,
        count => Some(read_manifest(&root.join(name_of(count)).join(MANIFEST))?),
    };
    Ok((count, last))
}

fn read_manifest(path: &Path) -> Result<Report, Failure> {
    let octets = files::read(path, MAX_REPORT as u64)?;
    let text = str::from_utf8(&octets).ok();
    let report = text.and_then(|text| Report::read(text).ok());
    report.ok_or_else(|| Failure::of(problems::REPORT_MALFORMED).about(path.display()))
}

fn name_of(number: u32) -> String {
    format!("{number:06}")
}

/// The number of a part's directory.
fn number_of(name: &str) -> Option<u32> {
    let number = name.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::of(problems::FILE_UNWRITABLE).about(path.display()).about(error)
}

#[cfg(test)]
mod tests {
    use audit::checkpoint::VerifierKey;

    use super::*;

    /// A report of nothing, under a signature that nobody made: the form alone counts here.
    fn part(service: &str, since: u64, until: u64) -> (Report, Part) {
        let lines = Vec::new();
        let report = Report { service: service.to_owned(), since, until, lines };
        let point = sm2::SecretKey::from_slice(&[1; 32]).unwrap().public_key().to_sec1_bytes();
        let key = VerifierKey::new(service, point.as_ref().try_into().unwrap()).unwrap();
        let manifest = report.sign(&key, |_| Ok::<_, io::Error>([1; 64])).unwrap();
        (report, Part { documents: vec![("certificates.xml", b"<a/>".to_vec())], manifest })
    }

    fn refused(folder: Result<PathBuf, Failure>) -> String {
        folder.unwrap_err().reason.to_string()
    }

    #[test]
    fn parts_go_on_where_the_last_one_ended() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().join("parts");
        // Nothing is made before there is something to keep.
        drop(Folder::open(&place).unwrap());
        assert!(!place.exists());
        let (mut folder, mut late) = (Folder::open(&place).unwrap(), Folder::open(&place).unwrap());
        let (report, first) = part("a.example", 3, 5);
        assert!(folder.add(report, &first).unwrap().ends_with("000001"));
        // Nobody else writes at the same time, nor what they asked for before this was there.
        let (report, again) = part("a.example", 3, 5);
        assert_eq!(refused(late.add(report, &again)), "REPORT_BUSY");
        let busy = Folder::open(&place).map(drop).unwrap_err();
        assert_eq!(busy.reason, "REPORT_BUSY");
        drop(folder);
        let (report, again) = part("a.example", 3, 5);
        assert_eq!(refused(late.add(report, &again)), "REPORT_ELSEWHERE");
        drop(late);

        // What was being written when something stopped is no part.
        fs::create_dir(place.join(UNFINISHED)).unwrap();
        fs::write(place.join(UNFINISHED).join("blacklist.xml"), "torn").unwrap();
        let mut folder = Folder::open(&place).unwrap();
        assert_eq!(folder.last().unwrap().until, 5);
        for (service, since) in [("a.example", 4), ("a.example", 6), ("b.example", 5)] {
            let (report, other) = part(service, since, 9);
            assert_eq!(refused(folder.add(report, &other)), "REPORT_ELSEWHERE");
        }
        let (report, second) = part("a.example", 5, 9);
        let made = folder.add(report, &second).unwrap();
        assert!(!made.join("blacklist.xml").exists() && made.join("certificates.xml").exists());
        drop(folder);

        fs::write(made.join(MANIFEST), "torn").unwrap();
        let malformed = Folder::open(&place).map(drop).unwrap_err();
        assert_eq!(malformed.reason, "REPORT_MALFORMED");
    }
}
