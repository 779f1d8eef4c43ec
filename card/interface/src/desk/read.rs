use std::ffi::c_int;

use card::layout::{File, Item, Profile};

use super::{Body, Desk, record_number};
use crate::code::Code;
use crate::field::{self, Characters, Style};

/// Fields of a record as C strings.
type Fields = Vec<Characters>;

impl Desk {
    /// All fields of a file with one record an item, in record order.
    pub(crate) fn fields(&mut self, file: &'static File) -> Result<Fields, Code> {
        let fields = self.0.fields(file)?;
        let items = file.items(Profile::Full).into_iter().zip(fields);
        let shown = items.map(|(item, field)| match field {
            Some(field) => Style::of(&item.element).show(&field),
            // What a 16K card does not have is empty.
            None => Characters::default(),
        });
        Ok(shown.collect())
    }

    /// The fields of record `number` of a ring, the newest being 1.
    pub(crate) fn cyclic(&mut self, file: &'static File, number: c_int) -> Result<Fields, Code> {
        let record = self.0.record(file, record_number(file, number)?)?;
        Ok(split(&file.items(Profile::Full), &record))
    }

    /// The entries of an index, in hex.
    pub(crate) fn flags(&mut self, file: &'static File) -> Result<Fields, Code> {
        let mut flags = self.0.flags(file)?;
        // A 16K card has fewer; what it does not have is not valid.
        flags.resize(file.records(Profile::Full).into(), 0xFF);
        Ok(flags.chunks(1).map(|flag| Style::Hex.show(flag)).collect())
    }

    /// The photo; empty when there is none.
    pub(crate) fn photo(&mut self) -> Result<Characters, Code> {
        self.0.photo()
    }

    /// A part of a body, in its form.
    pub(crate) fn read_part(&mut self, part: &Body) -> Result<Characters, Code> {
        let body = self.0.body(part.file)?;
        let bytes = body.get(part.offset..part.offset + part.length).ok_or(Code::ReadBinary)?;
        Ok(part.style.show(bytes))
    }

    /// All items of a body, joined by bars.
    pub(crate) fn all_items(&mut self, file: &'static File) -> Result<Characters, Code> {
        let body = self.0.body(file)?;
        let items = split(&file.items(Profile::Full), &body);
        let mut joined = Characters::new(Vec::with_capacity(2 * body.len() + items.len()));
        for (at, item) in items.iter().enumerate() {
            // Nobody could tell where it ends.
            if field::items(item).len() > 1 {
                return Err(Code::ReadBinary);
            }
            if at > 0 {
                joined.push(b'|');
            }
            joined.extend_from_slice(item);
        }
        Ok(joined)
    }
}

/// The items of a record or body without tags, as C strings.
fn split(items: &[Item], bytes: &[u8]) -> Fields {
    let shown = items.iter().map(|Item { element, .. }| {
        let from = usize::from(element.offset());
        let field = bytes.get(from..from + usize::from(element.length));
        field.map_or_else(Characters::default, |field| Style::of(element).show(field))
    });
    shown.collect()
}
