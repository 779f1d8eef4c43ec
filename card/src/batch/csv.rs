//! A table of people as spreadsheets write it (CSV, RFC 4180), in UTF-8 with or without a mark of
//! byte order. The first line names the columns.
//!
//! A row is one line: quoted fields do not go on in the next. So a quotation mark that was
//! forgotten, a giant line or a piece of another file spoils one row and not the rest.

use std::io::{self, BufRead, Read as _};

use super::{BadField, Column, Holds, MAX_ROW, MAX_ROWS, Row, Why};

/// Most bytes of a line: a row and the marks around its fields.
const MAX_LINE: usize = MAX_ROW + 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Why a file is no table of people at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadTable {
    /// The file cannot be read.
    #[error("reading the table")]
    Io(#[from] io::Error),
    /// There is no line that names columns.
    #[error("the table has no head")]
    NoHead,
    /// The first line cannot be read as one.
    #[error("the head of the table {0}")]
    Head(Why),
    /// A name that is no column.
    #[error("column {0} of the table is not known")]
    UnknownColumn(usize),
    /// Two columns for the same thing.
    #[error("column {0} of the table is there twice")]
    Twice(usize),
    /// More rows than a batch may have.
    #[error("the table has more than {MAX_ROWS} rows")]
    TooManyRows,
}

/// Lines of a table, one after another, blank ones passed over. A mark of byte order before the first is no part of it.
pub struct Lines<R> {
    source: R,
    number: u32,
}

/// A line of a table.
#[derive(Debug)]
pub struct TableLine {
    /// Its number in the file, from 1.
    pub number: u32,
    /// Its fields, or why it cannot be read.
    pub fields: Result<Vec<String>, Why>,
}

impl<R: BufRead> Lines<R> {
    /// Lines of a file, from its beginning.
    pub fn of(source: R) -> Self {
        Self { source, number: 0 }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<TableLine>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match line(&mut self.source) {
                Err(error) => return Some(Err(error)),
                Ok(Line::End) => return None,
                Ok(line) => line,
            };
            self.number = self.number.saturating_add(1);
            let fields = match &line {
                Line::Whole(bytes) => {
                    let marked = (self.number == 1).then(|| bytes.strip_prefix(BYTE_ORDER_MARK));
                    let bytes = marked.flatten().unwrap_or(bytes);
                    if is_blank(bytes) {
                        continue;
                    }
                    fields(bytes)
                }
                _ => Err(Why::RowTooLong),
            };
            return Some(Ok(TableLine { number: self.number, fields }));
        }
    }
}

/// A table that is read row by row.
pub struct Table<R> {
    lines: Lines<R>,
    columns: Vec<Column>,
    rows: u32,
}

/// A row of a table.
#[derive(Debug)]
pub struct TableRow {
    /// Its number, from 1; the head and blank lines do not count.
    pub number: u32,
    /// The file of the photo, as named; the row itself is without it.
    pub photo: Option<String>,
    /// What it says, or why it cannot be read.
    pub row: Result<Row, BadField>,
}

/// A line as it was found.
enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

impl<R: BufRead> Table<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// [`BadTable`].
    pub fn open(source: R) -> Result<Self, BadTable> {
        let mut lines = Lines::of(source);
        let head = lines.next().ok_or(BadTable::NoHead)??;
        let mut columns: Vec<Column> = Vec::new();
        for (at, name) in head.fields.map_err(BadTable::Head)?.iter().enumerate() {
            let column = Column::named(name).ok_or(BadTable::UnknownColumn(at + 1))?;
            if columns.contains(&column) {
                return Err(BadTable::Twice(at + 1));
            }
            columns.push(column);
        }
        Ok(Self { lines, columns, rows: 0 })
    }

    fn read(&self, fields: Result<Vec<String>, Why>) -> (Result<Row, BadField>, Option<String>) {
        let fields = match fields {
            Ok(fields) if fields.len() == self.columns.len() => fields,
            Ok(_) => return (Err(BadField::row(Why::Columns)), None),
            Err(why) => return (Err(BadField::row(why)), None),
        };
        let (mut row, mut photo) = (Row::new(), None);
        for (column, text) in self.columns.iter().zip(&fields) {
            match column.holds {
                Holds::Photo => photo = Some(text.trim().to_owned()).filter(|it| !it.is_empty()),
                Holds::Element(_) | Holds::Capacity => {
                    if let Err(bad) = row.set(*column, text) {
                        return (Err(bad), None);
                    }
                }
            }
        }
        (Ok(row), photo)
    }
}

impl<R: BufRead> Iterator for Table<R> {
    type Item = Result<TableRow, BadTable>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.lines.next()? {
            Err(error) => return Some(Err(error.into())),
            Ok(line) => line,
        };
        if self.rows == MAX_ROWS {
            return Some(Err(BadTable::TooManyRows));
        }
        self.rows += 1;
        let (row, photo) = self.read(line.fields);
        Some(Ok(TableRow { number: self.rows, photo, row }))
    }
}

/// The next line without its end, or that it is longer than any row.
fn line(source: &mut impl BufRead) -> io::Result<Line> {
    let mut bytes = Vec::new();
    source.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut bytes)?;
    match bytes.last() {
        None => Ok(Line::End),
        Some(b'\n') => {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            Ok(Line::Whole(bytes))
        }
        Some(_) if bytes.len() <= MAX_LINE => Ok(Line::Whole(bytes)),
        Some(_) => {
            skip_line(source)?;
            Ok(Line::TooLong)
        }
    }
}

/// Passes over what is left of a line, without keeping it.
fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let seen = source.fill_buf()?;
        let (length, found) = match seen.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (seen.len(), seen.is_empty()),
        };
        source.consume(length);
        if found {
            return Ok(());
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b','))
}

/// The fields of one line.
fn fields(line: &[u8]) -> Result<Vec<String>, Why> {
    let line = std::str::from_utf8(line).map_err(|_| Why::NotUtf8)?;
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Why::Control);
    }
    if line.matches('"').count() % 2 != 0 {
        return Err(Why::Quote);
    }
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len().max(64))
        .from_reader(line.as_bytes());
    let mut record = ::csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => Ok(record.iter().map(str::to_owned).collect()),
        Ok(false) | Err(_) => Err(Why::Unreadable),
    }
}
