use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use super::{BadField, Column, MAX_ROW, Why};

/// One person as somebody wrote them down: cells by number, and a photo. Personal data, wiped
/// when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Row {
    cells: BTreeMap<u16, Zeroizing<String>>,
    photo: Option<Zeroizing<Vec<u8>>>,
}

impl Row {
    /// A row with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The row of named cells; the photo comes [apart](Self::with_photo). Spaces around a text are
    /// not part of it, and an empty cell is none.
    ///
    /// # Errors
    /// [`Why::UnknownColumn`], [`Why::Twice`], [`Why::RowTooLong`].
    pub fn of<'c>(cells: impl IntoIterator<Item = (&'c str, &'c str)>) -> Result<Self, BadField> {
        let mut row = Self::new();
        for (name, text) in cells {
            // What is no column is not told either: it may be a shifted value.
            let column = Column::named(name).ok_or_else(|| BadField::row(Why::UnknownColumn))?;
            row.set(column, text)?;
        }
        Ok(row)
    }

    /// Fills a cell.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn set(&mut self, column: Column, text: &str) -> Result<(), BadField> {
        let text = text.trim_matches([' ', '\u{3000}']);
        let Some(cell) = column.cell() else {
            return Err(BadField::of(&column, Why::UnknownColumn));
        };
        if text.is_empty() {
            return Ok(());
        }
        if self.length() + text.len() > MAX_ROW {
            return Err(BadField::row(Why::RowTooLong));
        }
        match self.cells.insert(cell, Zeroizing::new(text.to_owned())) {
            None => Ok(()),
            Some(_) => Err(BadField::of(&column, Why::Twice)),
        }
    }

    /// The same row with a photo: a JPEG that the card can hold.
    #[must_use]
    pub fn with_photo(mut self, jpeg: Vec<u8>) -> Self {
        self.photo = Some(Zeroizing::new(jpeg));
        self
    }

    /// The cells by the name of their columns, in the order of the card.
    pub fn cells(&self) -> impl Iterator<Item = (String, &str)> {
        self.cells
            .iter()
            .filter_map(|(item, text)| Some((Column::of_cell(*item)?.name(), text.as_str())))
    }

    /// The bytes of the photo, as given.
    pub fn photo(&self) -> Option<&[u8]> {
        self.photo.as_ref().map(|photo| photo.as_slice())
    }

    pub(super) fn cell(&self, item: u16) -> Option<&str> {
        self.cells.get(&item).map(|text| text.as_str())
    }

    /// One form of the row for digests: item, length, bytes of each cell, then the photo as item 0.
    pub fn canonical(&self) -> Zeroizing<Vec<u8>> {
        let photo = self.photo().unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(
            self.length() + 6 * self.cells.len() + photo.len() + 6,
        ));
        let cells = self.cells.iter().map(|(item, text)| (*item, text.as_bytes()));
        for (item, content) in cells.chain([(0, photo)]) {
            bytes.extend(item.to_be_bytes());
            bytes.extend((content.len() as u32).to_be_bytes());
            bytes.extend(content);
        }
        bytes
    }

    /// The row that [`canonical`](Self::canonical) wrote; `None` for other bytes.
    pub fn from_canonical(bytes: &[u8]) -> Option<Self> {
        let (mut row, mut rest) = (Self::new(), bytes);
        loop {
            let (item, after) = rest.split_first_chunk::<2>()?;
            let (length, after) = after.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (content, after) = after.split_at_checked(length)?;
            rest = after;
            match u16::from_be_bytes(*item) {
                0 if rest.is_empty() => {
                    row.photo = (length > 0).then(|| Zeroizing::new(content.to_vec()));
                    return (*row.canonical() == bytes).then_some(row);
                }
                item => {
                    let text = std::str::from_utf8(content).ok()?;
                    row.set(Column::of_cell(item)?, text).ok()?;
                }
            }
        }
    }

    fn length(&self) -> usize {
        self.cells.values().map(|text| text.len()).sum()
    }
}

/// Personal data: prints how many cells it has.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({} cells)", self.cells.len())
    }
}
