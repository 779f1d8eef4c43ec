use std::ffi::c_int;

use card::agent::Spelled;
use card::data::{self, Value};
use card::layout::{Element, File, Item, Profile};
use card::write::{Mark, VisitKind};

use super::{Body, Desk, record_number};
use crate::code::Code;
use crate::field::{self, Style};

impl Desk {
    /// Writes those fields of a file with one record an item that are given.
    pub(crate) fn write_fields(
        &mut self,
        file: &'static File,
        given: &[Option<&[u8]>],
    ) -> Result<(), Code> {
        match spelled(file, given)? {
            // Nothing is given: nothing is to be done.
            items if items.is_empty() => Ok(()),
            items => self.0.set(file, items),
        }
    }

    /// Adds a record to a ring.
    pub(crate) fn append(
        &mut self,
        file: &'static File,
        given: &[Option<&[u8]>],
    ) -> Result<(), Code> {
        match spelled(file, given)? {
            items if items.is_empty() => Err(Code::Parameter),
            items => self.0.append(file, items),
        }
    }

    /// Marks a record of a visit as valid.
    pub(crate) fn set_valid(&mut self, index: &'static File, number: c_int) -> Result<(), Code> {
        self.mark(index, number, Mark::Valid)
    }

    /// Marks a record of a visit as invalid.
    pub(crate) fn set_invalid(&mut self, index: &'static File, number: c_int) -> Result<(), Code> {
        self.mark(index, number, Mark::Invalid)
    }

    /// Writes a part of a body that its index calls valid.
    pub(crate) fn write_part(&mut self, part: &Body, given: &[u8]) -> Result<(), Code> {
        if !part.is_writable() {
            return Err(Code::Parameter);
        }
        let bytes = part.style.fill(given, part.length)?;
        self.0.write_part(part, &bytes)
    }

    /// Writes all items of a body but signature and certificate, joined by bars.
    pub(crate) fn write_all_items(
        &mut self,
        file: &'static File,
        given: &[u8],
    ) -> Result<(), Code> {
        let items = file.items(Profile::Reduced);
        let given = field::items(given);
        if given.len() != items.len() {
            return Err(Code::Parameter);
        }
        let values = items.into_iter().zip(given).map(|(item, given)| match given {
            [] => Ok((item, Value::Empty)),
            given => Ok((item, value(&item.element, given)?)),
        });
        let values: Vec<(Item, Value)> = values.collect::<Result<_, Code>>()?;
        self.0.write_body(file, &values)
    }

    fn mark(&mut self, index: &'static File, number: c_int, mark: Mark) -> Result<(), Code> {
        let number = record_number(index, number)?;
        let kind = VisitKind::ALL.into_iter().find(|kind| kind.index().name == index.name);
        self.0.mark(kind.ok_or(Code::Parameter)?, number, mark)
    }
}

/// The value that a C string gives an element.
fn value(element: &Element, given: &[u8]) -> Result<Value, Code> {
    let field = Style::of(element).fill(given, element.length.into())?;
    data::read(element, &field).map_err(|_| Code::Parameter)
}

/// Those fields that are given, as changes are spelled.
fn spelled(file: &File, given: &[Option<&[u8]>]) -> Result<Vec<Spelled>, Code> {
    let items = file.items(Profile::Full);
    let given = items.iter().zip(given).filter_map(|(item, given)| Some((item, (*given)?)));
    let spelled = given.map(|(Item { element, .. }, given)| {
        Ok(Spelled { item: element.item, text: value(element, given)?.to_text() })
    });
    spelled.collect()
}
