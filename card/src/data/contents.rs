use super::{
    CannotHold, Malformed, MalformedRecord, Value, read, read_record, write, write_record,
};
use crate::layout::{File, Item, Place, Profile, Structure};
use crate::tlv::BadRecord;
use crate::value::BadValue;

/// What a file says, by item; of a file of like records (a ring or an index), what one record says.
///
/// ```
/// use card::data::Contents;
/// use card::layout::{self, Profile};
///
/// let file = layout::file("DF02/EF07".parse()?).expect("in the table");
/// let mut allergy = Contents::empty(file, 1, Profile::Full);
/// allergy.set_text(58, "青霉素")?;
/// allergy.set_text(59, "皮疹")?;
/// let record = allergy.encode()?;
/// assert_eq!(record[0].len(), 120);
/// assert_eq!(Contents::decode(file, 1, Profile::Full, &record)?, allergy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The file.
    pub file: &'static File,
    /// Which record, from 1; 0 when it is the whole file.
    pub record: u8,
    values: Vec<(Item, Value)>,
}

/// Why an item was not given a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("item {item}")]
pub struct CannotSet {
    /// The item.
    pub item: u16,
    /// Why; `None` when the file has no such item on this card.
    #[source]
    pub why: Option<CannotHold>,
}

impl Contents {
    /// Contents in which every item is empty, for a card of `profile`. `record` is 0 for the whole
    /// of a file with one record an element or without records.
    pub fn empty(file: &'static File, record: u8, profile: Profile) -> Self {
        let values = file.items(profile).into_iter().map(|item| (item, Value::Empty));
        Self { file, record, values: values.collect() }
    }

    /// Reads what a card of `profile` holds: of a file with one record an element, these records in
    /// order, tag and length included; of any other, the one record or the whole file.
    ///
    /// # Errors
    /// [`MalformedRecord`] for the first record, or the first item, that is not as the table says.
    pub fn decode(
        file: &'static File,
        record: u8,
        profile: Profile,
        records: &[Vec<u8>],
    ) -> Result<Self, MalformedRecord> {
        let mut contents = Self::empty(file, record, profile);
        for (at, (item, value)) in contents.values.iter_mut().enumerate() {
            let bytes = match item.element.place {
                Place::Record { .. } => records.get(at),
                Place::Offset(_) => records.first(),
            };
            let read = match bytes {
                Some(bytes) => item.read(bytes),
                None => Err(BadRecord::Truncated(0).into()),
            };
            let record = record.max(item.element.record());
            *value = read.map_err(|why| MalformedRecord { file: file.name, record, why })?;
        }
        Ok(contents)
    }

    /// The bytes as [`decode`](Self::decode) reads them.
    ///
    /// # Errors
    /// [`CannotSet`] when an item was left empty that always says something.
    pub fn encode(&self) -> Result<Vec<Vec<u8>>, CannotSet> {
        let records = self.values.iter().map(|(item, value)| {
            let bytes = match item.element.place {
                Place::Record { .. } => write_record(&item.element, value),
                Place::Offset(_) => write(&item.element, value),
            };
            bytes.map_err(|why| CannotSet { item: item.element.item, why: Some(why) })
        });
        let records: Vec<Vec<u8>> = records.collect::<Result<_, _>>()?;
        match self.file.structure {
            Structure::Variable(_) => Ok(records),
            // Items stand without gaps, in the order of the table.
            _ => Ok(vec![records.concat()]),
        }
    }

    /// The value of an item; `None` when the file has no such item on this card.
    pub fn get(&self, item: u16) -> Option<&Value> {
        self.values().find(|(known, _)| known.element.item == item).map(|(_, value)| value)
    }

    /// Every item with that name, Chinese or English; several where the table repeats it.
    pub fn named<'c>(&'c self, name: &'c str) -> impl Iterator<Item = (&'c Item, &'c Value)> {
        self.values().filter(move |(item, _)| [item.element.zh, item.element.en].contains(&name))
    }

    /// Every item, in the order of the card.
    pub fn values(&self) -> impl Iterator<Item = (&Item, &Value)> {
        self.values.iter().map(|(item, value)| (item, value))
    }

    /// Gives an item a value.
    ///
    /// # Errors
    /// [`CannotSet`] when there is no such item here, or it cannot hold the value.
    pub fn set(&mut self, item: u16, value: Value) -> Result<(), CannotSet> {
        self.change(item, |item| write(&item.element, &value).map(|_| value))
    }

    /// Gives an item the value that `text` spells; see [`Value::parse`].
    ///
    /// # Errors
    /// As for [`set`](Self::set).
    pub fn set_text(&mut self, item: u16, text: &str) -> Result<(), CannotSet> {
        self.change(item, |item| Value::parse(&item.element, text))
    }

    fn change(
        &mut self,
        item: u16,
        value: impl FnOnce(&Item) -> Result<Value, CannotHold>,
    ) -> Result<(), CannotSet> {
        let found = self.values.iter_mut().find(|(known, _)| known.element.item == item);
        let (known, place) = found.ok_or(CannotSet { item, why: None })?;
        *place = value(known).map_err(|why| CannotSet { item, why: Some(why) })?;
        Ok(())
    }
}

impl Item {
    /// Reads the item from its own record, tag and length included, or from the record or file it
    /// shares with others.
    ///
    /// # Errors
    /// [`Malformed`] when it is not there, or not as the table says.
    pub fn read(&self, bytes: &[u8]) -> Result<Value, Malformed> {
        match self.element.place {
            Place::Record { .. } => read_record(&self.element, bytes),
            Place::Offset(_) => {
                let field = self.field(bytes).ok_or(BadValue::Size(0))?;
                Ok(read(&self.element, field)?)
            }
        }
    }

    /// The bytes of the item alone, from the same; `None` when they end before it does.
    pub fn field<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let offset = match self.element.place {
            Place::Record { .. } => 2,
            Place::Offset(offset) => usize::from(offset),
        };
        bytes.get(offset..offset + usize::from(self.element.length))
    }
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
