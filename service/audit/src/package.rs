//! Packages of evidence (证据包): entries of the log in one file, with all that somebody who has nothing else needs to
//! check them, today or years later.
//!
//! A package is a [`container`] with these members: `README.md` and `README.zh-CN.md` say what it is; `entries.txt` is a
//! [`bundle`], or `history.txt` a [`history`]; `checkpoint.txt` is its signed note, with cosignatures where witnesses
//! signed that very one; `log-keys.txt` and `witnesses.txt` are [`vouchers`]; `certificates/` has the certificates of
//! those who acted, `SERIAL.pem`, and `authorities.pem`, whoever vouches for them; `status/` the revocation lists and
//! the answer about the certificate of whoever made the package, as they were obtained; `check.html` is the [checker
//! page](crate::page). [`manifest`] has the digest of each, `manifest.p7s` (CMS) is the signature over it of whoever
//! made the package, and `time-stamp.tsr` (RFC 3161) the time of that. The entries come first, these three last, and the
//! others between them in the order of their names.
//!
//! [`check`] reads all but certificates and what was signed with them, which is for whoever can read X.509.

use std::{
    collections::BTreeSet,
    io::{BufReader, Read, Seek},
};

pub mod container;
mod finding;
pub mod manifest;
#[cfg(test)]
mod tests;
pub mod vouchers;

pub use container::{
    Container, ContainerError, Contents, MAX_MEMBERS, MAX_PACKAGE, Member, Writer, is_member_name,
};
pub use finding::{Finding, Gap, PackageError};
pub use manifest::{BadManifest, MAX_MANIFEST, Manifest, Selection};

use self::vouchers::{LogVoucher, MAX_KEYS, WitnessVoucher};
use crate::{
    bundle,
    check::{Report, Verdict},
    checkpoint::{Checkpoint, MAX_NOTE, VerifierKey},
    entry::Entry,
    history,
    lines::{BundleError, EntryReader, Head},
};

/// What it is, in English.
pub const README: &str = "README.md";
/// What it is, in Chinese.
pub const README_ZH: &str = "README.zh-CN.md";
/// The checker for a browser.
pub const PAGE: &str = "check.html";
/// Entries of a range, as a bundle.
pub const ENTRIES: &str = "entries.txt";
/// Entries about a resident, as a history.
pub const HISTORY: &str = "history.txt";
/// The signed note that they lead to.
pub const CHECKPOINT: &str = "checkpoint.txt";
/// The keys of the log over time.
pub const LOG_KEYS: &str = "log-keys.txt";
/// Witnesses, and what they signed.
pub const WITNESSES: &str = "witnesses.txt";
/// The certificates that vouch for all others.
pub const AUTHORITIES: &str = "certificates/authorities.pem";
/// What the rest is, and its digests.
pub const MANIFEST: &str = "manifest.txt";
/// The signature over that.
pub const SIGNATURE: &str = "manifest.p7s";
/// The time of the signature.
pub const TIME_STAMP: &str = "time-stamp.tsr";
/// Most bytes of a text beside the entries.
pub const MAX_TEXT: u64 = 1024 * 1024;
/// Most certificates of those who acted.
pub const MAX_CERTIFICATES: usize = 2000;

/// Those that sign, in their order, at the end.
const SIGNING: [&str; 3] = [MANIFEST, SIGNATURE, TIME_STAMP];

/// Where the certificate with a serial number is.
pub fn certificate(serial: &str) -> String {
    format!("certificates/{serial}.pem")
}

/// Where the revocation list of an authority is.
pub fn list(authority: &str) -> String {
    format!("status/{authority}.crl")
}

/// Where the answer about a certificate is (OCSP).
pub fn answer(serial: &str) -> String {
    format!("status/{serial}.ocsp")
}

/// What was found out about a package.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The octets of the manifest, which are signed.
    pub signed: Vec<u8>,
    /// What is not as it was signed, beside the entries.
    pub findings: Vec<Finding>,
    /// What is missing, beside what the report says.
    pub gaps: Vec<Gap>,
    /// About the entries; `None` where they cannot be read.
    pub report: Option<Report>,
    /// What a history says of itself.
    pub history: Option<history::Header>,
    /// The key that the entries were checked with.
    pub key: Option<VerifierKey>,
    /// The signed note that they lead to.
    pub checkpoint: String,
    /// The keys of the log over time.
    pub log_keys: Vec<LogVoucher>,
    /// The witnesses.
    pub witnesses: Vec<WitnessVoucher>,
    /// Serial numbers of the certificates that acted, as far as they are counted.
    pub serials: BTreeSet<String>,
}

impl Checked {
    /// Whether somebody altered something.
    pub fn is_tampered(&self) -> bool {
        let entries =
            self.report.as_ref().is_some_and(|it| matches!(it.verdict, Verdict::Tampered(_)));
        entries || !self.findings.is_empty()
    }

    /// The checkpoint of the package, where its key signed it.
    pub fn signed_checkpoint(&self) -> Option<Checkpoint> {
        Checkpoint::verify(&self.checkpoint, self.key.as_ref()?).ok()
    }
}

/// Checks everything but certificates: with the key given, or else with the one that the package names, and against
/// checkpoints that were obtained earlier or elsewhere (`held`).
///
/// # Errors
/// [`PackageError`] where that is no package; one that was tampered with is told by [`Checked`].
pub fn check<R: Read + Seek>(
    container: &mut Container<R>,
    given: Option<&VerifierKey>,
    held: &[String],
) -> Result<Checked, PackageError> {
    let signed = container.read(MANIFEST, MAX_MANIFEST)?.ok_or(PackageError::NoManifest)?;
    let text = std::str::from_utf8(&signed).map_err(|_| BadManifest(1))?;
    let manifest = Manifest::read(text)?;
    let findings = members(container, &manifest)?;
    let mut checked = Checked {
        manifest,
        signed,
        findings,
        gaps: Vec::new(),
        report: None,
        history: None,
        key: None,
        checkpoint: String::new(),
        log_keys: Vec::new(),
        witnesses: Vec::new(),
        serials: BTreeSet::new(),
    };
    let name = checked.manifest.selection.member();
    let Some(until) = checked.entries(container, name, given, held)? else {
        checked.unreadable(name);
        return Ok(checked);
    };
    checked.vouched(container)?;
    checked.believed(given, until);
    checked.findings.sort();
    checked.findings.dedup();
    Ok(checked)
}

impl Selection {
    /// Where the entries are.
    pub fn member(&self) -> &'static str {
        match self {
            Self::Range { .. } => ENTRIES,
            Self::History { .. } => HISTORY,
        }
    }
}

/// Holds the members against the manifest.
fn members<R: Read + Seek>(
    container: &mut Container<R>,
    manifest: &Manifest,
) -> Result<Vec<Finding>, ContainerError> {
    let mut findings = Vec::new();
    let present = container.members().to_vec();
    let is_there = |name: &str| present.iter().any(|member| member.name == name);
    let listed = |name: &str| manifest.members.iter().find(|(listed, _)| listed == name);
    let entries = manifest.selection.member();
    let needed = [README, README_ZH, PAGE, entries, CHECKPOINT, LOG_KEYS, WITNESSES, AUTHORITIES];
    for name in manifest.members.iter().map(|(name, _)| name.as_str()).chain(needed).chain(SIGNING)
    {
        if !is_there(name) {
            findings.push(Finding::Missing(name.to_owned()));
        } else if !is_known(name, entries) {
            findings.push(Finding::Added(name.to_owned()));
        }
    }
    for member in &present {
        let contents = container.contents(member)?;
        let name = member.name.as_str();
        if SIGNING.contains(&name) {
            // What they say of each other is checked by whoever reads signatures.
            findings.extend(contents.is_none().then(|| Finding::Altered(name.to_owned())));
            continue;
        }
        match listed(name) {
            None => findings.push(Finding::Added(name.to_owned())),
            Some((_, signed)) if contents != Some(*signed) => {
                findings.push(Finding::Altered(name.to_owned()));
            }
            Some(_) => {}
        }
    }
    let mut order: Vec<&str> = present.iter().map(|member| member.name.as_str()).collect();
    order.sort_by_key(|name| (*name != entries, SIGNING.iter().position(|it| it == name), *name));
    let misplaced = order.iter().zip(&present).find(|(place, member)| **place != member.name);
    findings.extend(misplaced.map(|(_, member)| Finding::Misplaced(member.name.clone())));
    Ok(findings)
}

/// Whether a package with such entries has such a member.
fn is_known(name: &str, entries: &str) -> bool {
    let fixed = [README, README_ZH, PAGE, entries, CHECKPOINT, LOG_KEYS, WITNESSES, AUTHORITIES];
    let digits = |serial: &str| {
        !serial.is_empty() && serial.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let serial = name.strip_prefix("certificates/").and_then(|name| name.strip_suffix(".pem"));
    let status = name.strip_prefix("status/");
    let status = status.is_some_and(|name| match name.strip_suffix(".ocsp") {
        Some(serial) => digits(serial),
        None => name.ends_with(".crl"),
    });
    fixed.contains(&name) || SIGNING.contains(&name) || serial.is_some_and(digits) || status
}

impl Checked {
    /// Checks the entries; up to where a key has to vouch for the log, `None` where they cannot be read.
    fn entries<R: Read + Seek>(
        &mut self,
        container: &mut Container<R>,
        name: &str,
        given: Option<&VerifierKey>,
        held: &[String],
    ) -> Result<Option<u64>, PackageError> {
        let size = self.manifest.selection.size();
        let (until, selection) = match &self.manifest.selection {
            Selection::Range { .. } => {
                let Some(mut reader) = open::<_, bundle::Header>(container, name)? else {
                    return Ok(None);
                };
                let bundle::Header { key, from, until, size, checkpoint, .. } =
                    reader.header().clone();
                let counted = self.count(&mut reader);
                self.take(key, checkpoint, given);
                let Some(reader) = open(container, name)?.filter(|_| counted) else {
                    return Ok(None);
                };
                let Some(key) = &self.key else { return Ok(None) };
                self.report = bundle::check(reader, key, held).ok();
                (until, Selection::Range { from, until, size })
            }
            Selection::History { .. } => {
                let Some(mut reader) = open::<_, history::Header>(container, name)? else {
                    return Ok(None);
                };
                let header = reader.header().clone();
                let counted = self.count(&mut reader);
                self.take(header.key.clone(), header.checkpoint.clone(), given);
                let Some(reader) = open(container, name)?.filter(|_| counted) else {
                    return Ok(None);
                };
                let Some(key) = &self.key else { return Ok(None) };
                self.report = history::check(reader, key, held).ok();
                let entries = header.standing.count;
                let until = header.statement.position + 1;
                let resident = header.resident.clone();
                self.history = Some(header);
                (until, Selection::History { resident, entries, size })
            }
        };
        let Some(report) = &self.report else { return Ok(None) };
        // What nobody signed fits nothing, and is told already.
        let signed = report.root.is_some();
        let log = self.key.as_ref().map(VerifierKey::name) == Some(self.manifest.log.as_str());
        if !log || signed && (selection != self.manifest.selection || report.size != size) {
            self.findings.push(Finding::Disagrees(MANIFEST.to_owned()));
        }
        Ok(Some(until))
    }

    /// The key to check with: the one given where it signed, or else the one that the entries name.
    fn take(&mut self, own: VerifierKey, checkpoint: String, given: Option<&VerifierKey>) {
        let given = given.filter(|key| Checkpoint::verify(&checkpoint, key).is_ok());
        self.key = Some(given.cloned().unwrap_or(own));
        self.checkpoint = checkpoint;
    }

    /// Counts the certificates that acted; whether all lines could be read.
    fn count<R: std::io::BufRead, H: Head>(&mut self, reader: &mut EntryReader<R, H>) -> bool {
        loop {
            match reader.next_line() {
                Ok(Some(line)) => {
                    let entry = Entry::decode(&line.entry).ok();
                    let serial = entry.and_then(|entry| entry.actor.certificate);
                    if self.serials.len() < MAX_CERTIFICATES {
                        self.serials.extend(serial);
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// A member that cannot be read: as it was signed, or told already.
    fn unreadable(&mut self, name: &str) {
        if !self.findings.iter().any(|finding| finding.member() == name) {
            self.findings.push(Finding::Malformed(name.to_owned()));
        }
    }

    /// Reads who vouches for the log, and holds what they signed against it.
    fn vouched<R: Read + Seek>(
        &mut self,
        container: &mut Container<R>,
    ) -> Result<(), PackageError> {
        let mut text = |name| container.read(name, MAX_TEXT).map(Option::unwrap_or_default);
        let (note, keys, witnesses) = (text(CHECKPOINT)?, text(LOG_KEYS)?, text(WITNESSES)?);
        match vouchers::read(vouchers::LOG_KEYS, &keys) {
            Ok(read) => self.log_keys = read,
            Err(_) => self.unreadable(LOG_KEYS),
        }
        match vouchers::read(vouchers::WITNESSES, &witnesses) {
            Ok(read) => self.witnesses = read,
            Err(_) => self.unreadable(WITNESSES),
        }
        let Some(own) = self.signed_checkpoint() else { return Ok(()) };
        let same = |note: &str| {
            note.len() <= MAX_NOTE
                && self.key.as_ref().and_then(|key| Checkpoint::verify(note, key).ok())
                    == Some(own.clone())
        };
        if !std::str::from_utf8(&note).is_ok_and(same) {
            self.disagrees(CHECKPOINT);
        }
        let key = self.key.as_ref();
        if self.log_keys.iter().any(|it| it.vouches(&own).is_none())
            || !self.log_keys.iter().any(|it| Some(&it.key) == key)
        {
            self.disagrees(LOG_KEYS);
        }
        if self.witnesses.iter().any(|it| it.witnessed(&own).is_none()) {
            self.disagrees(WITNESSES);
        }
        Ok(())
    }

    fn disagrees(&mut self, name: &str) {
        if !self.findings.iter().any(|finding| finding.member() == name) {
            self.findings.push(Finding::Disagrees(name.to_owned()));
        }
    }

    /// How far a key that was given vouches for the log.
    fn believed(&mut self, given: Option<&VerifierKey>, until: u64) {
        let Some(given) = given.filter(|given| Some(*given) != self.key.as_ref()) else { return };
        let own = self.signed_checkpoint();
        let voucher = vouchers::of_key(&self.log_keys, given).zip(own);
        match voucher.and_then(|(voucher, own)| voucher.vouches(&own)) {
            Some(size) if size >= until => {}
            Some(size) => self.gaps.push(Gap::KeyStops { size }),
            None => self.gaps.push(Gap::KeyUnknown),
        }
    }
}

/// A member with entries; `None` where its head is none.
#[expect(clippy::type_complexity, reason = "a reader of a part of what is read")]
fn open<'c, R: Read + Seek, H: Head>(
    container: &'c mut Container<R>,
    name: &str,
) -> Result<Option<EntryReader<BufReader<std::io::Take<&'c mut R>>, H>>, PackageError> {
    let Some(member) = container.reader(name)? else { return Ok(None) };
    match EntryReader::new(BufReader::new(member)) {
        Ok(reader) => Ok(Some(reader)),
        Err(BundleError::Read(error)) => Err(ContainerError::from(error).into()),
        Err(_) => Ok(None),
    }
}

const _: () = assert!(MAX_CERTIFICATES + 2 * MAX_KEYS < MAX_MEMBERS);
