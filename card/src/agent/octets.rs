use zeroize::Zeroizing;

use crate::layout::{Directory, FileName};

/// Last item number of the table.
const LAST_ITEM: u16 = 384;

/// A message as it grows. It has room for the longest from the start: what grows is copied, and the
/// copies are not wiped.
pub(super) struct Writer {
    out: Zeroizing<Vec<u8>>,
    most: usize,
    fits: bool,
}

impl Writer {
    pub(super) fn new(version: u8, most: usize) -> Self {
        let mut out = Zeroizing::new(Vec::with_capacity(4 + most));
        out.extend_from_slice(&[0; 4]);
        out.push(version);
        Self { out, most, fits: true }
    }

    pub(super) fn octet(&mut self, octet: u8) {
        self.octets(&[octet]);
    }

    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.fits &= self.out.len() + octets.len() <= 4 + self.most;
        if self.fits {
            self.out.extend_from_slice(octets);
        }
    }

    /// A count in one octet.
    pub(super) fn count(&mut self, count: usize) {
        match u8::try_from(count) {
            Ok(count) => self.octet(count),
            Err(_) => self.fits = false,
        }
    }

    /// A count in two octets.
    pub(super) fn number(&mut self, number: usize) {
        match u16::try_from(number) {
            Ok(number) => self.octets(&number.to_be_bytes()),
            Err(_) => self.fits = false,
        }
    }

    /// Octets behind their count in one octet.
    pub(super) fn short(&mut self, octets: &[u8]) {
        self.count(octets.len());
        self.octets(octets);
    }

    /// Octets behind their count in two.
    pub(super) fn long(&mut self, octets: &[u8]) {
        self.number(octets.len());
        self.octets(octets);
    }

    pub(super) fn file(&mut self, name: FileName) {
        self.octets(&name.directory.id().to_be_bytes());
        self.octets(&name.id.to_be_bytes());
    }

    pub(super) fn finish(mut self) -> Option<Zeroizing<Vec<u8>>> {
        let length = u32::try_from(self.out.len() - 4).ok()?;
        self.out[..4].copy_from_slice(&length.to_be_bytes());
        self.fits.then_some(self.out)
    }
}

/// What is left of a message.
pub(super) struct Reader<'m>(&'m [u8]);

impl<'m> Reader<'m> {
    pub(super) fn new(message: &'m [u8], version: u8, most: usize) -> Option<Self> {
        let mut reader = Self(message);
        (message.len() <= most && reader.octet()? == version).then_some(reader)
    }

    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn octet(&mut self) -> Option<u8> {
        self.take().map(|[octet]| octet)
    }

    pub(super) fn number(&mut self) -> Option<usize> {
        self.take().map(|octets| u16::from_be_bytes(octets).into())
    }

    pub(super) fn item(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes).filter(|item| (1..=LAST_ITEM).contains(item))
    }

    pub(super) fn short(&mut self) -> Option<&'m [u8]> {
        let length = self.octet()?;
        self.part(length.into())
    }

    pub(super) fn long(&mut self) -> Option<&'m [u8]> {
        let length = self.number()?;
        self.part(length)
    }

    /// A file of the table.
    pub(super) fn file(&mut self) -> Option<FileName> {
        let (directory, id) = (u16::from_be_bytes(self.take()?), u16::from_be_bytes(self.take()?));
        let directory = Directory::ALL.into_iter().find(|known| known.id() == directory)?;
        crate::layout::file(FileName { directory, id }).map(|file| file.name)
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    fn part(&mut self, length: usize) -> Option<&'m [u8]> {
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }
}
