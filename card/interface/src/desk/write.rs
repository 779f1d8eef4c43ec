use std::ffi::c_int;

use card::data::{self, Value};
use card::layout::{Element, File, Profile};
use card::record_signature::RecordSigner;
use card::session::Session;
use card::write::{Changes, Mark, VisitKind, WriteError};
use zeroize::Zeroizing;

use super::read::record_number;
use super::{Body, Desk};
use crate::code::Code;
use crate::field::Style;

impl Desk {
    /// Writes those fields of a file with one record an item that are given.
    pub(crate) fn write_fields(
        &mut self,
        file: &'static File,
        given: &[Option<&[u8]>],
    ) -> Result<(), Code> {
        let mut changes = Changes::new();
        for (item, given) in file.items(Profile::Full).iter().zip(given) {
            if let Some(given) = given {
                let text = spelled(&item.element, given)?;
                changes.set(item.element.item, &text).map_err(|_| Code::Parameter)?;
            }
        }
        self.write(changes)
    }

    /// Adds a record to a ring.
    pub(crate) fn append(
        &mut self,
        file: &'static File,
        given: &[Option<&[u8]>],
    ) -> Result<(), Code> {
        let items = file.items(Profile::Full);
        let mut texts = Vec::new();
        for (item, given) in items.iter().zip(given) {
            if let Some(given) = given {
                texts.push((item.element.item, spelled(&item.element, given)?));
            }
        }
        let mut changes = Changes::new();
        let texts = texts.iter().map(|(item, text)| (*item, text.as_str()));
        changes.append(file.name, texts).map_err(|_| Code::Parameter)?;
        self.write(changes)
    }

    /// Marks a record of a visit as valid.
    pub(crate) fn set_valid(&mut self, index: &'static File, number: c_int) -> Result<(), Code> {
        self.mark(index, number, Mark::Valid, Code::SetValid)
    }

    /// Marks a record of a visit as invalid.
    pub(crate) fn set_invalid(&mut self, index: &'static File, number: c_int) -> Result<(), Code> {
        self.mark(index, number, Mark::Invalid, Code::SetInvalid)
    }

    /// Writes a part of a body that its index calls valid.
    pub(crate) fn write_part(&mut self, part: &Body, given: &[u8]) -> Result<(), Code> {
        if !part.is_writable() {
            return Err(Code::Parameter);
        }
        let bytes = part.style.fill(given, part.length)?;
        self.rewrite(part.file, part.offset as u16, &bytes)
    }

    /// Writes all items of a body but signature and certificate, joined by bars.
    pub(crate) fn write_all_items(
        &mut self,
        file: &'static File,
        given: &[u8],
    ) -> Result<(), Code> {
        let items = file.items(Profile::Reduced);
        let given: Vec<&[u8]> = given.split(|byte| *byte == b'|').collect();
        if given.len() != items.len() {
            return Err(Code::Parameter);
        }
        let mut body = Zeroizing::new(Vec::new());
        for (item, given) in items.iter().zip(given) {
            let value = match given {
                [] => Value::Empty,
                given => value(&item.element, given)?,
            };
            body.extend(data::write(&item.element, &value).map_err(|_| Code::Parameter)?);
        }
        self.rewrite(file, 0, &body)
    }

    fn rewrite(&mut self, file: &'static File, offset: u16, bytes: &[u8]) -> Result<(), Code> {
        let (kind, number) = record_of(file)?;
        if !self.is_valid(file)? {
            return Err(Code::Invalid);
        }
        let signs = self.pin_verified;
        self.change(Code::WriteBinary, |session, signer| {
            session.rewrite(kind, number, offset, bytes, signs.then_some(signer))
        })
    }

    fn mark(
        &mut self,
        index: &'static File,
        number: c_int,
        mark: Mark,
        code: Code,
    ) -> Result<(), Code> {
        let number = record_number(index, number)?;
        let kind = VisitKind::ALL.into_iter().find(|kind| kind.index().name == index.name);
        let kind = kind.ok_or(Code::Parameter)?;
        self.change(code, |session, _| session.mark(kind, number, mark))
    }

    fn write(&mut self, changes: Changes) -> Result<(), Code> {
        // Nothing is given: nothing is to be done.
        let Ok(changes) = changes.some() else { return Ok(()) };
        self.change(Code::WriteRecord, |session, _| session.write(&changes, None, &mut Vec::new()))
    }

    /// Runs a change on a card that has proven itself.
    fn change(
        &mut self,
        code: Code,
        act: impl FnOnce(&mut Session<'_>, &dyn RecordSigner) -> Result<(), WriteError>,
    ) -> Result<(), Code> {
        let refused = self.session(code, |session, sam| match act(session, sam) {
            Ok(()) => Ok(None),
            Err(WriteError::Card(error)) => Err(error),
            Err(other) => Ok(Some(other)),
        })?;
        match refused {
            None => Ok(()),
            Some(WriteError::UpdateRefused { .. }) => Err(Code::Authentication),
            Some(WriteError::Sign(_)) => Err(Code::Sam),
            Some(WriteError::NotOnThisCard { .. }) => Err(Code::NoFile),
            Some(_) => Err(code),
        }
    }
}

/// The kind and number of a visit's record.
pub(super) fn record_of(file: &File) -> Result<(VisitKind, u8), Code> {
    let found = VisitKind::ALL.into_iter().find_map(|kind| {
        let at = kind.files().iter().position(|body| body.name == file.name)?;
        Some((kind, at as u8 + 1))
    });
    found.ok_or(Code::Parameter)
}

/// The value that a C string gives an element.
fn value(element: &Element, given: &[u8]) -> Result<Value, Code> {
    let field = Style::of(element).fill(given, element.length.into())?;
    data::read(element, &field).map_err(|_| Code::Parameter)
}

/// The same, as changes are spelled.
fn spelled(element: &Element, given: &[u8]) -> Result<Zeroizing<String>, Code> {
    Ok(value(element, given)?.to_text())
}
