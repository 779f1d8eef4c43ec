//! The rows of a batch, from a table, a protobuf file or the form of one person. What cannot be
//! read spoils its own row.

use std::{
    collections::HashMap,
    io::BufReader,
    path::{Component, Path, PathBuf},
};

use card::{
    batch::{BadField, Column, MAX_ROWS, Row, Why, csv::Table},
    picture,
};
use prost::Message as _;
use proto::v1::BatchRow;
use sm3::{Digest as _, Sm3};
use zeroize::Zeroizing;

use crate::{failure::Failure, files, text::problems};

/// Largest batch file, bytes.
const LIMIT: u64 = 1 << 30;
/// Largest form of one person, bytes.
const FORM_LIMIT: u64 = 64 * 1024;
/// Largest row of a protobuf file, bytes: a photo and some text.
const MAX_MESSAGE: usize = picture::MAX_FILE + 64 * 1024;

/// The rows of a batch as they are handed in. Personal data.
pub(crate) struct Rows {
    pub(crate) rows: Vec<BatchRow>,
    /// SM3 over all of them: the same file with the same photos gives the same.
    pub(crate) digest: [u8; 32],
}

impl Rows {
    /// The rows of a table (CSV), or of a file of `BatchRow` messages, each after its length, whose
    /// name ends in `.pb`. Photos that rows name are in `photos`.
    pub(crate) fn of_batch(path: &Path, photos: Option<&Path>) -> Result<Self, Failure> {
        let beside = path.parent().unwrap_or(Path::new("")).to_owned();
        let photos = photos.map_or(beside, Path::to_owned);
        let about = |failure: Failure| failure.about(path.display());
        let rows = match path.extension().is_some_and(|end| end == "pb") {
            true => of_messages(&files::read(path, LIMIT)?).map_err(about)?,
            false => of_table(path, &photos).map_err(about)?,
        };
        Self::of(rows).map_err(about)
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
        let beside = path.parent().unwrap_or(Path::new("")).to_owned();
        let photos = photos.map_or(beside, Path::to_owned);
        let row = with_photo(Ok(row), photo.as_deref(), &photos);
        Self::of(vec![message(1, row)])
    }

    fn of(rows: Vec<BatchRow>) -> Result<Self, Failure> {
        if rows.is_empty() {
            return Err(problems::BATCH_EMPTY.into());
        }
        let mut digest = Sm3::new();
        for row in &rows {
            let mut fields: Vec<_> = row.fields.iter().collect();
            fields.sort();
            let parts =
                fields.into_iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
            let number = row.number.to_be_bytes();
            let rest = [row.unreadable.as_bytes(), row.unreadable_field.as_bytes(), &row.photo[..]];
            for part in [&number[..]].into_iter().chain(parts).chain(rest) {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
        Ok(Self { rows, digest: digest.finalize().into() })
    }
}

fn of_table(path: &Path, photos: &Path) -> Result<Vec<BatchRow>, Failure> {
    let unreadable = |error: std::io::Error| Failure::of(problems::FILE_UNREADABLE).about(error);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > LIMIT {
        return Err(problems::FILE_TOO_LARGE.into());
    }
    // Names of columns and reasons are told, what stands in rows is not.
    let table = Table::open(BufReader::new(file));
    let table = table.map_err(|bad| Failure::of(problems::BATCH_MALFORMED).about(bad))?;
    table
        .map(|row| {
            let row = row.map_err(|bad| Failure::of(problems::BATCH_MALFORMED).about(bad))?;
            let read = with_photo(row.row, row.photo.as_deref(), photos);
            Ok(message(row.number, read))
        })
        .collect()
}

/// Messages, each after its length. A length that leads nowhere ends the file: the rows before it
/// are as good as they are.
fn of_messages(bytes: &[u8]) -> Result<Vec<BatchRow>, Failure> {
    let mut rest = bytes;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let number = rows.len() as u32 + 1;
        if number > MAX_ROWS {
            return Err(Failure::of(problems::BATCH_MALFORMED).about(format_args!("> {MAX_ROWS}")));
        }
        let length = prost::decode_length_delimiter(&mut rest).ok();
        let one = length.filter(|length| *length <= MAX_MESSAGE);
        let Some((one, after)) = one.and_then(|length| rest.split_at_checked(length)) else {
            rows.push(message(number, Err(BadField::row(Why::Unreadable))));
            break;
        };
        rest = after;
        let row = match BatchRow::decode(one) {
            Err(_) => Err(BadField::row(Why::Unreadable)),
            Ok(read) => {
                let cells = read.fields.iter().map(|(name, text)| (name.as_str(), text.as_str()));
                Row::of(cells).and_then(|row| match read.photo.is_empty() {
                    true => Ok(row),
                    false => fitted(row, &read.photo),
                })
            }
        };
        rows.push(message(number, row));
    }
    Ok(rows)
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
    use super::*;

    fn rows(name: &str, bytes: &[u8]) -> Result<Rows, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(dir.path().join("bad.jpg"), b"no picture").unwrap();
        match name.ends_with("toml") {
            true => Rows::of_form(&path, None),
            false => Rows::of_batch(&path, None),
        }
    }

    fn told(rows: &Rows) -> Vec<(&str, &str)> {
        let of = |row: &'_ BatchRow| match row.fields.get("name") {
            Some(_) => ("good", ""),
            None if row.unreadable.is_empty() => ("empty", ""),
            None => ("", ""),
        };
        rows.rows
            .iter()
            .map(|row| match row.unreadable.as_str() {
                "" => of(row),
                why => (why, row.unreadable_field.as_str()),
            })
            .collect()
    }

    #[test]
    fn rows_of_a_table_are_numbered_and_spoil_only_themselves() {
        let table = "姓名,身份证号,照片\n张三,1,\n李四,2,bad.jpg\n王五,3,absent.jpg\n\
            赵六,4,../x.jpg\na,b\n钱七,5,\n";
        let rows = rows("people.csv", table.as_bytes()).unwrap();
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
        let numbers: Vec<u32> = rows.rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
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
        let of_messages = rows("people.pb", &file).unwrap();
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
