//! Certificate requests in a directory: NUMBER.der for each member of staff who made a key (`healthcard key new`).

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use der::Decode as _;
use x509_cert::request::CertReq;

use super::file::{BadRow, Column, Fault, StaffFile};
use crate::{failure::Failure, text::problems};

/// Largest request, bytes.
const LIMIT: u64 = 16 * 1024;

/// Requests by number.
#[derive(Debug, Default)]
pub(crate) struct Requests(BTreeMap<String, Vec<u8>>);

impl Requests {
    /// Those of the people in the file, all of which can be read and are of different keys.
    pub(crate) fn of_staff(
        directory: Option<&Path>,
        file: &StaffFile,
    ) -> Result<Result<Self, Vec<BadRow>>, Failure> {
        let Some(directory) = directory else { return Ok(Ok(Self::default())) };
        let (mut found, mut keys, mut bad) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for row in &file.rows {
            let path = directory.join(format!("{}.der", row.number));
            let unreadable =
                |error| Failure::of(problems::FILE_UNREADABLE).about(path.display()).about(error);
            let Some(bytes) = read(&path).map_err(unreadable)? else { continue };
            let fault = match key(&bytes) {
                None => Some(Fault::Request),
                Some(key) => keys.insert(key, row.line).map(Fault::Twice),
            };
            match fault {
                None => drop(found.insert(row.number.clone(), bytes)),
                Some(fault) => bad.push(BadRow {
                    column: "request",
                    ..BadRow::of(row.line, Column::Number, fault)
                }),
            }
        }
        Ok(if bad.is_empty() { Ok(Self(found)) } else { Err(bad) })
    }

    pub(crate) fn of(&self, number: &str) -> Option<&Vec<u8>> {
        self.0.get(number)
    }
}

/// A file of at most [`LIMIT`] bytes; `None` where there is none. One that is larger is no request.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The public key that a request is for.
fn key(request: &[u8]) -> Option<Vec<u8>> {
    let short = request.len() as u64 <= LIMIT;
    let read = CertReq::from_der(request).ok().filter(|_| short)?;
    Some(read.info.public_key.subject_public_key.as_bytes()?.to_vec())
}
