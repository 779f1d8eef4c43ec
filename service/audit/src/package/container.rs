//! The container of a package: a ZIP file in one form (APPNOTE.TXT 6.3.10), so that every reader opens it and every
//! octet of it is accounted for.
//!
//! Members are stored as they are, one behind the other from the first octet on; their list follows, and the end of the
//! list is the end of the file. There are no comments, extra fields, folders, other disks, lengths of 64 bits,
//! encryption or compression. Whatever differs is not read: a file that two readers could take for two things proves
//! nothing.

use std::io::{self, Read, Seek, SeekFrom, Write};

use sm3::{Digest as _, Sm3};

use crate::tree::Hash;

/// Most members of a package.
pub const MAX_MEMBERS: usize = 4096;
/// Most bytes of a package: offsets have 32 bits.
pub const MAX_PACKAGE: u64 = 4_000_000_000;
/// Most bytes of a part of a name.
const MAX_PART: usize = 64;

const LOCAL: u32 = 0x0403_4b50;
const LISTED: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_LEN: u64 = 30;
const LISTED_LEN: usize = 46;
const END_LEN: u64 = 22;
/// Version 2.0, with regular files in the notation of Unix.
const MADE_BY: u16 = 3 << 8 | 20;
const NEEDED: u16 = 20;
/// 1 January 1980, the first day there is: when a package was made is in its manifest.
const DAY: u16 = 1 << 5 | 1;
const MODE: u32 = 0o100_644 << 16;

/// Why a file is not read as a package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// Reading or writing failed.
    #[error("reading or writing the package")]
    Io(#[from] io::Error),
    /// More than [`MAX_PACKAGE`] bytes, or more than [`MAX_MEMBERS`] members.
    #[error("the package is larger than packages may be")]
    TooLarge,
    /// Not in the form of a package, or cut off: what was looked at, and where it begins.
    #[error("not a package, or damaged: {what} at octet {at} is not what belongs there")]
    Form {
        /// What was looked at.
        what: &'static str,
        /// The octet, from 0.
        at: u64,
    },
    /// A name that no member may have, or that there is already.
    #[error("a member of a package may not have this name, or has it already")]
    Name,
}

/// A member as the container has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, a slash between a folder and what is in it.
    pub name: String,
    /// Bytes.
    pub length: u64,
    crc: u32,
    start: u64,
}

impl Member {
    /// Where its octets begin.
    fn begins(&self) -> u64 {
        self.start + LOCAL_LEN + self.name.len() as u64
    }
}

/// What was written, or read, of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Bytes.
    pub length: u64,
    /// SM3 over them.
    pub digest: Hash,
}

/// Whether a member may have this name: one or two parts, and nothing that leads elsewhere on any system.
pub fn is_member_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let part = |part: &str| {
        (1..=MAX_PART).contains(&part.len()) && part.bytes().all(plain) && !part.starts_with('.')
    };
    name.split('/').count() <= 2 && name.split('/').all(part)
}

/// Writes a package, member by member.
pub struct Writer<W> {
    out: W,
    at: u64,
    members: Vec<Member>,
    open: Option<(Crc, Sm3)>,
}

impl<W: Write + Seek> Writer<W> {
    /// A package without members, from where `out` stands, which must be its beginning.
    pub fn new(out: W) -> Self {
        Self { out, at: 0, members: Vec::new(), open: None }
    }

    /// What it is written to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Where the octets of the member begin that was begun last.
    pub fn begins(&self) -> u64 {
        self.members.last().map_or(0, Member::begins)
    }

    /// As if so many bytes had been written.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, at: u64) {
        self.at = at;
    }

    /// Begins a member.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub fn begin(&mut self, name: &str) -> Result<(), ContainerError> {
        let folded = |member: &Member| member.name.eq_ignore_ascii_case(name);
        if !is_member_name(name) || self.members.iter().any(folded) {
            return Err(ContainerError::Name);
        }
        if self.members.len() == MAX_MEMBERS {
            return Err(ContainerError::TooLarge);
        }
        let member = Member { name: name.to_owned(), length: 0, crc: 0, start: self.at };
        self.put(&local(&member))?;
        self.members.push(member);
        self.open = Some((Crc::default(), Sm3::new()));
        Ok(())
    }

    /// Appends to the member that was begun last.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub fn append(&mut self, octets: &[u8]) -> Result<(), ContainerError> {
        self.put(octets)?;
        if let (Some((crc, sm3)), Some(member)) = (&mut self.open, self.members.last_mut()) {
            crc.update(octets);
            sm3.update(octets);
            member.length += octets.len() as u64;
        }
        Ok(())
    }

    /// Ends it; what was written.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub fn end(&mut self) -> Result<Contents, ContainerError> {
        let (Some((crc, sm3)), Some(member)) = (self.open.take(), self.members.last_mut()) else {
            return Err(ContainerError::Name);
        };
        member.crc = crc.value();
        let contents = Contents { length: member.length, digest: sm3.finalize().into() };
        // The header comes before what is known only now.
        let header = local(member);
        self.out.seek(SeekFrom::Start(member.start))?;
        self.out.write_all(&header)?;
        self.out.seek(SeekFrom::Start(self.at))?;
        Ok(contents)
    }

    /// A member all at once.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub fn add(&mut self, name: &str, octets: &[u8]) -> Result<Contents, ContainerError> {
        self.begin(name)?;
        self.append(octets)?;
        self.end()
    }

    /// Writes the list of members, and gives back what it was written to.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub fn finish(mut self) -> Result<W, ContainerError> {
        let list: Vec<u8> = self.members.iter().flat_map(listed).collect();
        let end = end(self.members.len(), list.len(), self.at);
        self.put(&list)?;
        self.put(&end)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn put(&mut self, octets: &[u8]) -> Result<(), ContainerError> {
        if self.at + octets.len() as u64 > MAX_PACKAGE {
            return Err(ContainerError::TooLarge);
        }
        self.out.write_all(octets)?;
        self.at += octets.len() as u64;
        Ok(())
    }
}

/// A package that is read. All of its form is checked before the first member is.
pub struct Container<R> {
    input: R,
    members: Vec<Member>,
}

impl<R: Read + Seek> Container<R> {
    /// Reads the list of members, and holds every octet beside them against the one form.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub fn open(mut input: R) -> Result<Self, ContainerError> {
        let length = input.seek(SeekFrom::End(0))?;
        if length > MAX_PACKAGE {
            return Err(ContainerError::TooLarge);
        }
        let form = |what, at| ContainerError::Form { what, at };
        let at = length.checked_sub(END_LEN).ok_or(form("the end", 0))?;
        let ended = octets_at(&mut input, at, END_LEN)?;
        if u32_at(&ended, 0) != END {
            return Err(form("the end", at));
        }
        let (count, list_len, list_at) =
            (u16_at(&ended, 10), u32_at(&ended, 12), u32_at(&ended, 16));
        if usize::from(count) > MAX_MEMBERS {
            return Err(ContainerError::TooLarge);
        }
        let fits = u64::from(list_at) + u64::from(list_len) == at
            && list_len as usize <= usize::from(count) * (LISTED_LEN + 2 * MAX_PART + 1);
        if !fits || ended != end(count.into(), list_len as usize, list_at.into()) {
            return Err(form("the end", at));
        }
        let list = octets_at(&mut input, list_at.into(), list_len.into())?;
        let mut members: Vec<Member> = Vec::with_capacity(count.into());
        let (mut read, mut start) = (0, 0);
        for _ in 0..count {
            let at = u64::from(list_at) + read as u64;
            let member = read_listed(&list[read..], start).ok_or(form("the list", at))?;
            let folded = |other: &Member| other.name.eq_ignore_ascii_case(&member.name);
            if members.iter().any(folded) {
                return Err(form("the list", at));
            }
            let header = local(&member);
            let next = start + header.len() as u64 + member.length;
            if next > list_at.into() {
                return Err(form("the list", at));
            }
            if octets_at(&mut input, start, header.len() as u64)? != header {
                return Err(form("a member", start));
            }
            read += listed(&member).len();
            start = next;
            members.push(member);
        }
        if read != list.len() || start != u64::from(list_at) {
            return Err(form("the list", list_at.into()));
        }
        Ok(Self { input, members })
    }

    /// The members, in their order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Where the octets of a member begin.
    #[cfg(test)]
    pub(super) fn start_of(&self, name: &str) -> usize {
        let member = self.members.iter().find(|member| member.name == name).unwrap();
        member.begins() as usize
    }

    /// A member as a stream; `None` where there is none of this name.
    ///
    /// # Errors
    /// [`ContainerError::Io`].
    pub fn reader(&mut self, name: &str) -> Result<Option<io::Take<&mut R>>, ContainerError> {
        let Some(member) = self.members.iter().find(|member| member.name == name) else {
            return Ok(None);
        };
        let start = member.begins();
        let length = member.length;
        self.input.seek(SeekFrom::Start(start))?;
        Ok(Some(self.input.by_ref().take(length)))
    }

    /// A member of at most so many bytes; `None` where there is none of this name, or a longer one.
    ///
    /// # Errors
    /// [`ContainerError::Io`].
    pub fn read(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, ContainerError> {
        let mut octets = Vec::new();
        match self.reader(name)? {
            Some(mut member) if member.limit() <= most => member.read_to_end(&mut octets)?,
            _ => return Ok(None),
        };
        Ok(Some(octets))
    }

    /// Length and digest of a member; `None` where what the list says of its octets is wrong.
    ///
    /// # Errors
    /// [`ContainerError::Io`].
    pub fn contents(&mut self, member: &Member) -> Result<Option<Contents>, ContainerError> {
        let (mut crc, mut sm3, mut block) = (Crc::default(), Sm3::new(), [0; 16 * 1024]);
        let mut reader = self.reader(&member.name)?.ok_or(ContainerError::Name)?;
        loop {
            match reader.read(&mut block)? {
                0 => break,
                read => {
                    crc.update(&block[..read]);
                    sm3.update(&block[..read]);
                }
            }
        }
        let contents = Contents { length: member.length, digest: sm3.finalize().into() };
        Ok((crc.value() == member.crc).then_some(contents))
    }
}

fn octets_at<R: Read + Seek>(input: &mut R, at: u64, length: u64) -> io::Result<Vec<u8>> {
    input.seek(SeekFrom::Start(at))?;
    let mut octets = vec![0; length as usize];
    input.read_exact(&mut octets)?;
    Ok(octets)
}

fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([octets[at], octets[at + 1]])
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from(u16_at(octets, at)) | u32::from(u16_at(octets, at + 2)) << 16
}

/// The member that begins a list, where the one form of it stands there.
fn read_listed(list: &[u8], start: u64) -> Option<Member> {
    let header = list.get(..LISTED_LEN)?;
    let name = list.get(LISTED_LEN..LISTED_LEN + usize::from(u16_at(header, 28)))?;
    let name = std::str::from_utf8(name).ok().filter(|name| is_member_name(name))?;
    let (crc, length) = (u32_at(header, 16), u32_at(header, 20).into());
    let member = Member { name: name.to_owned(), length, crc, start };
    list.starts_with(&listed(&member)).then_some(member)
}

/// Little-endian numbers, each with its bytes.
fn numbers(fields: &[(u32, usize)]) -> Vec<u8> {
    let octets =
        fields.iter().flat_map(|(value, width)| value.to_le_bytes().into_iter().take(*width));
    octets.collect()
}

/// What stands before a member's octets.
fn local(member: &Member) -> Vec<u8> {
    let (length, name) = (member.length as u32, member.name.len() as u32);
    #[rustfmt::skip]
    let fields = numbers(&[
        (LOCAL, 4), (NEEDED.into(), 2), (0, 2), (0, 2), (0, 2), (DAY.into(), 2),
        (member.crc, 4), (length, 4), (length, 4), (name, 2), (0, 2),
    ]);
    [fields.as_slice(), member.name.as_bytes()].concat()
}

/// What stands in the list of a member.
fn listed(member: &Member) -> Vec<u8> {
    let (length, name) = (member.length as u32, member.name.len() as u32);
    #[rustfmt::skip]
    let fields = numbers(&[
        (LISTED, 4), (MADE_BY.into(), 2), (NEEDED.into(), 2), (0, 2), (0, 2), (0, 2), (DAY.into(), 2),
        (member.crc, 4), (length, 4), (length, 4), (name, 2), (0, 2), (0, 2), (0, 2), (0, 2),
        (MODE, 4), (member.start as u32, 4),
    ]);
    [fields.as_slice(), member.name.as_bytes()].concat()
}

/// The end of the list.
fn end(count: usize, list_len: usize, list_at: u64) -> Vec<u8> {
    let (count, list_len, list_at) = (count as u32, list_len as u32, list_at as u32);
    #[rustfmt::skip]
    let fields = [(END, 4), (0, 2), (0, 2), (count, 2), (count, 2), (list_len, 4), (list_at, 4), (0, 2)];
    numbers(&fields)
}

/// CRC-32 (ISO 3309), which readers of ZIP files expect. It finds accidents, not forgeries.
struct Crc(u32);

impl Default for Crc {
    fn default() -> Self {
        Self(!0)
    }
}

impl Crc {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut at = 0;
        while at < 256 {
            let mut value = at as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[at] = value;
            at += 1;
        }
        table
    };

    fn update(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = Self::TABLE[(self.0 as u8 ^ octet) as usize] ^ self.0 >> 8;
        }
    }

    fn value(&self) -> u32 {
        !self.0
    }
}
