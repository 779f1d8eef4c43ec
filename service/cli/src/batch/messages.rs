//! A file of protobuf messages, each after its length, read one by one.

use std::io::{self, BufRead, Read as _};

use card::picture;
use prost::Message as _;
use proto::v1::BatchRow;
use zeroize::Zeroizing;

use crate::{failure::Failure, text::problems};

/// Largest row, bytes: a photo and some text.
const MAX_MESSAGE: usize = picture::MAX_FILE + 64 * 1024;
/// Longest length, bytes.
const MAX_LENGTH: usize = 10;

/// Rows by their numbers, from 1; `None` for what is no message. A length that leads nowhere ends
/// the file: the rows before it are as good as they are.
pub(super) struct Messages<R> {
    source: R,
    number: u32,
    over: bool,
}

impl<R: BufRead> Messages<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, number: 0, over: false }
    }

    /// The next message; nothing when its length leads nowhere.
    fn message(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(length) = self.length()? else { return Ok(None) };
        let mut message = Zeroizing::new(Vec::with_capacity(length));
        let read = self.source.by_ref().take(length as u64).read_to_end(&mut message)?;
        Ok((read == length).then_some(message))
    }

    fn length(&mut self) -> io::Result<Option<usize>> {
        let mut bytes = Vec::with_capacity(MAX_LENGTH);
        for byte in self.source.by_ref().bytes().take(MAX_LENGTH) {
            let byte = byte?;
            bytes.push(byte);
            if byte < 0x80 {
                break;
            }
        }
        let length = prost::decode_length_delimiter(bytes.as_slice()).ok();
        Ok(length.filter(|length| *length <= MAX_MESSAGE))
    }
}

impl<R: BufRead> Iterator for Messages<R> {
    type Item = Result<(u32, Option<BatchRow>), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let unreadable = |error: io::Error| Failure::of(problems::FILE_UNREADABLE).about(error);
        if self.over {
            return None;
        }
        match self.source.fill_buf() {
            Ok([]) => return None,
            Ok(_) => self.number += 1,
            Err(error) => {
                self.over = true;
                return Some(Err(unreadable(error)));
            }
        }
        let message = self.message();
        self.over = !matches!(message, Ok(Some(_)));
        Some(match message {
            Ok(bytes) => {
                let row = bytes.and_then(|bytes| BatchRow::decode(bytes.as_slice()).ok());
                Ok((self.number, row))
            }
            Err(error) => Err(unreadable(error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Option<BatchRow>> {
        // A reader that gives little at a time.
        let source = io::BufReader::with_capacity(3, bytes);
        Messages::new(source).map(|row| row.unwrap().1).collect()
    }

    #[test]
    fn a_length_beyond_all_bounds_takes_no_memory_and_ends_the_file() {
        let row = BatchRow { number: 7, ..BatchRow::default() };
        let mut file = row.encode_length_delimited_to_vec();
        for length in [MAX_MESSAGE + 1, usize::MAX / 2] {
            let mut end = Vec::new();
            prost::encode_length_delimiter(length, &mut end).unwrap();
            assert_eq!(read(&[&file[..], &end, &[0; 64]].concat()), [Some(row.clone()), None]);
        }
        file.extend([0xFF; 12]);
        assert_eq!(read(&file), [Some(row), None]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn messages_come_back_as_they_were_written(
            numbers in proptest::collection::vec(any::<u32>(), 0..20),
            photo in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let rows: Vec<_> = numbers.into_iter().map(|number| {
                BatchRow { number, photo: photo.clone(), ..BatchRow::default() }
            }).collect();
            let file = rows.iter().flat_map(BatchRow::encode_length_delimited_to_vec);
            let back = read(&file.collect::<Vec<_>>());
            prop_assert_eq!(back, rows.into_iter().map(Some).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes).len() <= bytes.len());
        }
    }
}
