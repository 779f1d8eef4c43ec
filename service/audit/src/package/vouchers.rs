//! Who vouches for the log of a package: its keys over time, and its witnesses.
//!
//! ```text
//! healthcard-log-keys v1                   or healthcard-witnesses v1
//! key log.example+5f1c0a77+/2hlYWx0…       verifier key
//! checkpoint 5                             lines of a note with its signature, which follow; 0 where there is none
//! log.example
//! 1024
//! <root, base64>
//!
//! — log.example <base64>
//! proof 2                                  consistency proof between that checkpoint and the package's
//! hash <base64>
//! hash <base64>
//! key …
//! end 2                                    number of keys
//! ```
//!
//! A key vouches for the entries that its checkpoint has: that checkpoint is of the same log, as the proof shows, so
//! that whoever believes this key believes them. Of what was added later it says nothing.

use crate::{
    checkpoint::Checkpoint,
    lines::{BundleError, Lines, read_hash, write_hashes, write_note},
    note::{Kind, NoteKey, OfLog, OfWitness, decimal},
    tree::{Hash, MAX_PROOF, verify_consistency},
};

/// First line of the keys of a log.
pub const LOG_KEYS: &str = "healthcard-log-keys v1";
/// First line of the witnesses.
pub const WITNESSES: &str = "healthcard-witnesses v1";
/// Most keys of either kind.
pub const MAX_KEYS: usize = 64;

/// A key, and what it signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher<K: Kind> {
    /// The key. To be trusted only when it came another way too.
    pub key: NoteKey<K>,
    /// A note with its signature, if it signed one.
    pub note: Option<String>,
    /// Consistency proof between that and the package's checkpoint, the one of fewer entries first.
    pub proof: Vec<Hash>,
}

/// Writes who vouches, under a first line that says as what.
pub fn write<K: Kind>(title: &str, vouchers: &[Voucher<K>]) -> String {
    let mut text = format!("{title}\n");
    for Voucher { key, note, proof } in vouchers {
        let note = note.as_deref().map_or("checkpoint 0\n".to_owned(), write_note);
        let hashes = write_hashes("hash", proof);
        text += &format!("key {key}\n{note}proof {}\n{hashes}", proof.len());
    }
    text + &format!("end {}\n", vouchers.len())
}

/// Reads who vouches; another form of the same is refused.
///
/// # Errors
/// [`BundleError`].
pub fn read<K: Kind>(title: &str, text: &[u8]) -> Result<Vec<Voucher<K>>, BundleError> {
    let mut lines = Lines::new(text);
    if lines.text()? != title {
        return Err(lines.malformed());
    }
    let mut vouchers = Vec::new();
    loop {
        let line = lines.text()?;
        if let Some(count) = line.strip_prefix("end ") {
            let whole = decimal(count) == Some(vouchers.len() as u64);
            let same = whole && write(title, &vouchers).as_bytes() == text;
            return if same { Ok(vouchers) } else { Err(lines.malformed()) };
        }
        let key = line.strip_prefix("key ").and_then(|key| key.parse().ok());
        let is_new = |key: &NoteKey<K>| vouchers.iter().all(|it: &Voucher<K>| it.key != *key);
        let key = key.filter(|key| vouchers.len() < MAX_KEYS && is_new(key));
        let key = key.ok_or_else(|| lines.malformed())?;
        let note = Some(lines.note()?).filter(|note| !note.is_empty());
        let most = |count: &str| decimal(count).filter(|count| *count <= MAX_PROOF as u64);
        let count = lines.said("proof", most)?;
        let proof = (0..count).map(|_| lines.said("hash", read_hash)).collect::<Result<_, _>>()?;
        vouchers.push(Voucher { key, note, proof });
    }
}

impl<K: Kind> Voucher<K> {
    /// Whether a checkpoint is of the same log as the package's.
    fn joins(&self, own: &Checkpoint, package: &Checkpoint) -> bool {
        let (less, more) = if own.size <= package.size { (own, package) } else { (package, own) };
        let proof = &self.proof;
        own.origin == package.origin
            && match less.size {
                // Every log begins with the empty one.
                0 => proof.is_empty(),
                size if size == more.size => proof.is_empty() && less.root == more.root,
                size => verify_consistency(size, &less.root, more.size, &more.root, proof).is_ok(),
            }
    }
}

impl Voucher<OfLog> {
    /// For how many entries of the log of a package's checkpoint this key vouches; `None` where what is said of it does
    /// not hold together.
    pub fn vouches(&self, package: &Checkpoint) -> Option<u64> {
        let Some(note) = &self.note else { return Some(0).filter(|_| self.proof.is_empty()) };
        let own = Checkpoint::verify(note, &self.key).ok()?;
        self.joins(&own, package).then_some(own.size.min(package.size))
    }
}

impl Voucher<OfWitness> {
    /// What the witness signed of the log of a package's checkpoint, and when, in seconds since 1970; `Some(None)` where
    /// it signed nothing, `None` where what is said of it does not hold together.
    pub fn witnessed(&self, package: &Checkpoint) -> Option<Option<(Checkpoint, u64)>> {
        let Some(note) = &self.note else { return Some(None).filter(|_| self.proof.is_empty()) };
        let time = self.key.time_of(note).ok()?;
        let own = Checkpoint::read_unverified(note).ok()?;
        self.joins(&own, package).then_some(Some((own, time)))
    }
}

/// A key of the log that vouches.
pub type LogVoucher = Voucher<OfLog>;
/// A witness that does.
pub type WitnessVoucher = Voucher<OfWitness>;

/// The entry of a key among those that vouch.
pub fn of_key<'v, K: Kind>(vouchers: &'v [Voucher<K>], key: &NoteKey<K>) -> Option<&'v Voucher<K>> {
    vouchers.iter().find(|it| it.key == *key)
}
