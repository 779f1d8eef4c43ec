//! The rows of a batch, from a table, a protobuf file or the form of one person. What cannot be
//! read spoils its own row.
//!
//! A file is read twice, row by row: once to see how many rows it has and whether it is a batch at
//! all, and once as the rows are handed in. So a batch of any size takes little memory. Nothing but
//! a few octets of each row's digest is kept in between, by which a file is noticed that was
//! changed meanwhile.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::{Component, Path, PathBuf},
};

use card::{
    batch::{BadField, Column, MAX_ROWS, Row, Why, csv::Table},
    picture,
};
use proto::v1::BatchRow;
use sm3::{Digest as _, Sm3};
use zeroize::Zeroizing;

use super::messages::Messages;
use crate::{failure::Failure, files, text::problems};

/// Largest batch file, bytes.
const LIMIT: u64 = 1 << 30;
/// Largest form of one person, bytes.
const FORM_LIMIT: u64 = 64 * 1024;

/// The rows of a batch, seen once and to be read again.
pub(crate) struct Rows {
    source: Source,
    /// How many there are.
    pub(crate) count: u32,
    /// SM3 over all of them: the same file with the same photos gives the same.
    pub(crate) digest: [u8; 32],
    /// The first octets of the digest of each row.
    marks: Vec<[u8; 8]>,
}

/// Rows as they are read, one after another.
pub(crate) type Reading = Box<dyn Iterator<Item = Result<BatchRow, Failure>> + Send>;

/// Where rows come from.
enum Source {
    Table { path: PathBuf, photos: PathBuf },
    Messages { path: PathBuf },
    Form(Box<BatchRow>),
}

impl Rows {
    /// The rows of a table (CSV), or of a file of `BatchRow` messages, each after its length, whose
    /// name ends in `.pb`. Photos that rows name are in `photos`.
    pub(crate) fn of_batch(path: &Path, photos: Option<&Path>) -> Result<Self, Failure> {
        let path = path.to_owned();
        let about = |failure: Failure| failure.about(path.display());
        let source = match path.extension().is_some_and(|end| end == "pb") {
            true => Source::Messages { path: path.clone() },
            false => Source::Table { photos: photos_of(&path, photos), path: path.clone() },
        };
        Self::of(source).map_err(about)
    }

    /// The one row of a form: TOML with the names of columns.
    pub(crate) fn of_form(path: &Path, photos: Option<&Path>) -> Result<Self, Failure> {
        let malformed = || Failure::of(problems::INPUT_MALFORMED).about(path.display());
        let bytes = files::read(path, FORM_LIMIT)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
        // The parser's own message quotes the line, and with it the person.
        let form: toml::Table = toml::from_str(text).map_err(|_| malformed())?;
        let (mut row, mut photo) = (Row::new(), None);
        for (name, value) in &form {
            let text = match value {
                toml::Value::String(text) => Zeroizing::new(text.clone()),
                toml::Value::Integer(number) => Zeroizing::new(number.to_string()),
                toml::Value::Boolean(flag) => Zeroizing::new(flag.to_string()),
                toml::Value::Datetime(day) => Zeroizing::new(day.to_string()),
                _ => return Err(malformed().about(name)),
            };
            let column = Column::named(name).ok_or_else(|| malformed().about(name))?;
            match column.holds {
                card::batch::Holds::Photo => photo = Some(String::clone(&text)),
                _ => row.set(column, &text).map_err(|_| malformed().about(name))?,
            }
        }
        let row = with_photo(Ok(row), photo.as_deref(), &photos_of(path, photos));
        Self::of(Source::Form(Box::new(message(1, row))))
    }

    fn of(source: Source) -> Result<Self, Failure> {
        let (mut whole, mut marks) = (Sm3::new(), Vec::new());
        for row in source.read(0)? {
            let row = row?;
            absorb(&row, &mut whole);
            marks.push(mark(&row));
        }
        if marks.is_empty() {
            return Err(problems::BATCH_EMPTY.into());
        }
        let count = marks.len() as u32;
        Ok(Self { source, count, digest: whole.finalize().into(), marks })
    }

    /// Reads the rows after the first `skipped` anew. It fails where they are not what was seen.
    pub(crate) fn again(self, skipped: u32) -> Result<Reading, Failure> {
        let changed = || Failure::of(problems::BATCH_CHANGED);
        let mut rows = self.source.read(skipped)?;
        let mut marks = self.marks.into_iter().skip(skipped as usize);
        let mut failed = false;
        Ok(Box::new(std::iter::from_fn(move || {
            if failed {
                return None;
            }
            let row = match (rows.next(), marks.next()) {
                (None, None) => return None,
                (Some(Ok(row)), Some(seen)) if mark(&row) == seen => Ok(row),
                (Some(Err(failure)), _) => Err(failure),
                _ => Err(changed()),
            };
            failed = row.is_err();
            Some(row)
        })))
    }
}

impl Source {
    /// The rows after the first `skipped`.
    fn read(&self, skipped: u32) -> Result<Reading, Failure> {
        let skipped = skipped as usize;
        Ok(match self {
            Self::Table { path, photos } => {
                let photos = photos.clone();
                // Names of columns and reasons are told, what stands in rows is not.
                let bad = |bad| Failure::of(problems::BATCH_MALFORMED).about(bad);
                let table = Table::open(open(path)?).map_err(bad)?;
                Box::new(table.skip(skipped).map(move |row| {
                    let row = row.map_err(bad)?;
                    let read = with_photo(row.row, row.photo.as_deref(), &photos);
                    Ok(message(row.number, read))
                }))
            }
            Self::Messages { path } => {
                let messages = Messages::new(open(path)?).skip(skipped);
                Box::new(messages.map(|message| of_message(message?)))
            }
            Self::Form(row) => Box::new(std::iter::once(Ok((**row).clone())).skip(skipped)),
        })
    }
}

/// A file of a batch, of a size that one may have.
fn open(path: &Path) -> Result<BufReader<impl Read + Send + use<>>, Failure> {
    let unreadable = |error: io::Error| Failure::of(problems::FILE_UNREADABLE).about(error);
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > LIMIT {
        return Err(problems::FILE_TOO_LARGE.into());
    }
    // Whatever it becomes while it is read.
    Ok(BufReader::new(file.take(LIMIT)))
}

/// Where the photos of a file are.
fn photos_of(path: &Path, photos: Option<&Path>) -> PathBuf {
    photos.unwrap_or(path.parent().unwrap_or(Path::new(""))).to_owned()
}

/// Adds a row to the digest of all of them.
fn absorb(row: &BatchRow, digest: &mut Sm3) {
    let mut fields: Vec<_> = row.fields.iter().collect();
    fields.sort();
    let parts = fields.into_iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
    let number = row.number.to_be_bytes();
    let rest = [row.unreadable.as_bytes(), row.unreadable_field.as_bytes(), &row.photo[..]];
    for part in [&number[..]].into_iter().chain(parts).chain(rest) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
}

/// By what a row is known again.
fn mark(row: &BatchRow) -> [u8; 8] {
    let mut digest = Sm3::new();
    absorb(row, &mut digest);
    *digest.finalize().first_chunk().expect("32 octets")
}

/// A row of a protobuf file, or `None` when it could not be read as a message.
fn of_message((number, read): (u32, Option<BatchRow>)) -> Result<BatchRow, Failure> {
    if number > MAX_ROWS {
        return Err(Failure::of(problems::BATCH_MALFORMED).about(format_args!("> {MAX_ROWS}")));
    }
    let row = match read {
        None => Err(BadField::row(Why::Unreadable)),
        Some(read) => {
            let cells = read.fields.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            Row::of(cells).and_then(|row| match read.photo.is_empty() {
                true => Ok(row),
                false => fitted(row, &read.photo),
            })
        }
    };
    Ok(message(number, row))
}

/// The row with the photo that it names.
fn with_photo(
    row: Result<Row, BadField>,
    name: Option<&str>,
    photos: &Path,
) -> Result<Row, BadField> {
    let (Ok(row), Some(name)) = (&row, name) else { return row };
    let unreadable = || bad_photo(Why::PhotoFile);
    let name = PathBuf::from(name);
    // A table that came from elsewhere reaches no other files than its photos.
    if !name.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(unreadable());
    }
    let bytes = files::read(&photos.join(name), picture::MAX_FILE as u64);
    fitted(row.clone(), &bytes.map_err(|_| unreadable())?)
}

fn fitted(row: Row, photo: &[u8]) -> Result<Row, BadField> {
    let photo = picture::fit(photo).map_err(bad_photo)?;
    Ok(row.with_photo(photo.jpeg().to_vec()))
}

fn bad_photo(why: Why) -> BadField {
    BadField { field: "photo".to_owned(), why }
}

/// The row as it is handed in.
fn message(number: u32, row: Result<Row, BadField>) -> BatchRow {
    match row {
        Ok(row) => BatchRow {
            number,
            fields: row.cells().map(|(name, text)| (name, text.to_owned())).collect(),
            photo: row.photo().unwrap_or_default().to_vec(),
            ..BatchRow::default()
        },
        Err(bad) => BatchRow {
            number,
            fields: HashMap::new(),
            unreadable: bad.why.code().to_owned(),
            unreadable_field: bad.field,
            ..BatchRow::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn directory(name: &str, bytes: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), bytes).unwrap();
        std::fs::write(dir.path().join("bad.jpg"), b"no picture").unwrap();
        dir
    }

    fn seen(path: &Path) -> Result<Rows, Failure> {
        match path.extension().is_some_and(|end| end == "toml") {
            true => Rows::of_form(path, None),
            false => Rows::of_batch(path, None),
        }
    }

    fn rows(name: &str, bytes: &[u8]) -> Result<Rows, Failure> {
        let dir = directory(name, bytes);
        seen(&dir.path().join(name))
    }

    /// What is handed in of a batch.
    fn handed(name: &str, bytes: &[u8], skipped: u32) -> Vec<BatchRow> {
        let dir = directory(name, bytes);
        let rows = seen(&dir.path().join(name)).unwrap();
        rows.again(skipped).unwrap().map(Result::unwrap).collect()
    }

    fn told(rows: &[BatchRow]) -> Vec<(&str, &str)> {
        let of = |row: &BatchRow| match row.fields.get("name") {
            Some(_) => "good",
            None => "empty",
        };
        rows.iter()
            .map(|row| match row.unreadable.as_str() {
                "" => (of(row), ""),
                why => (why, row.unreadable_field.as_str()),
            })
            .collect()
    }

    #[test]
    fn rows_of_a_table_are_numbered_and_spoil_only_themselves() {
        let table = "姓名,身份证号,照片\n张三,1,\n李四,2,bad.jpg\n王五,3,absent.jpg\n\
            赵六,4,../x.jpg\na,b\n钱七,5,\n";
        let rows = handed("people.csv", table.as_bytes(), 0);
        let photo = |why| (why, "photo");
        let expected = [
            ("good", ""),
            photo("NOT_A_PICTURE"),
            photo("PHOTO_FILE"),
            photo("PHOTO_FILE"),
            ("COLUMNS", "row"),
            ("good", ""),
        ];
        assert_eq!(told(&rows), expected);
        let numbers = |rows: &[BatchRow]| rows.iter().map(|row| row.number).collect::<Vec<_>>();
        assert_eq!(numbers(&rows), [1, 2, 3, 4, 5, 6]);
        assert_eq!(numbers(&handed("people.csv", table.as_bytes(), 4)), [5, 6]);
    }

    #[test]
    fn a_file_that_changes_while_it_is_handed_in_is_noticed() {
        let table = "name,id_number\n张三,1\n李四,2\n王五,3\n";
        for (other, good) in [
            ("name,id_number\n张三,1\n李四,4\n王五,3\n", 1),
            ("name,id_number\n张三,1\n李四,2\n", 2),
            ("name,id_number\n张三,1\n李四,2\n王五,3\n赵六,4\n", 3),
            ("name\n张三\n", 0),
        ] {
            let dir = directory("people.csv", table.as_bytes());
            let path = dir.path().join("people.csv");
            let rows = seen(&path).unwrap();
            assert_eq!(rows.count, 3);
            std::fs::write(&path, other).unwrap();
            let read: Vec<_> = rows.again(0).unwrap().collect();
            assert_eq!(read.iter().filter(|row| row.is_ok()).count(), good, "{other}");
            let failure = read.into_iter().last().unwrap().expect_err("it is noticed");
            assert_eq!(failure.reason, "BATCH_CHANGED");
        }
    }

    #[test]
    fn messages_and_forms_say_the_same_as_tables() {
        let fields = [("name", "张三"), ("id_number", "11010519491231002X")];
        let fields = fields.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let row = BatchRow { fields: fields.into(), ..BatchRow::default() };
        let mut file = row.encode_length_delimited_to_vec();
        file.extend([3, 0xFF, 0xFF, 0xFF]); // a message of nothing sensible
        file.extend(row.encode_length_delimited_to_vec());
        file.extend([0x7F, 1]); // a length that leads nowhere
        let of_messages = handed("people.pb", &file, 0);
        let unreadable = ("UNREADABLE", "row");
        assert_eq!(told(&of_messages), [("good", ""), unreadable, ("good", ""), unreadable]);

        let table = "name,id_number\n张三,11010519491231002X\n".as_bytes();
        let form = "name = \"张三\"\nid_number = \"11010519491231002X\"\n".as_bytes();
        let digests = [rows("p.csv", table), rows("p.toml", form)].map(|it| it.unwrap().digest);
        assert_eq!(digests[0], digests[1]);
        let other = rows("p.csv", "name,id_number\n张四,11010519491231002X\n".as_bytes());
        assert_ne!(other.unwrap().digest, digests[0]);
    }

    #[test]
    fn what_is_no_batch_is_refused_without_being_quoted() {
        for (name, bytes) in [
            ("people.csv", &b"secret,id_number\n"[..]),
            ("people.csv", b"\xFF\xD8\xFF"),
            ("people.csv", b"name,id_number\n"),
            ("people.pb", b""),
            ("person.toml", b"secret = 1\n"),
            ("person.toml", b"name = secret"),
        ] {
            let failure = rows(name, bytes).err().unwrap();
            let quoted = failure.detail.iter().any(|text| text.contains("secret\n"));
            assert!(!quoted, "{failure:?}");
        }
    }
}
