//! Personal data comes from a file or the standard input, never from the command line, where every
//! process could read it.

use std::path::Path;

use prost::Message;

use crate::{failure::Failure, files, json, text::problems};

/// Largest input, bytes.
const LIMIT: u64 = 64 * 1024;

/// Reads the message `healthcard.v1.{name}`, written as JSON or TOML with the field names of the
/// interface. `-` is the standard input.
pub(crate) fn message<M: Message + Default>(name: &str, path: &Path) -> Result<M, Failure> {
    let bytes = files::read(path, LIMIT)?;
    parse(name, &bytes).map_err(|error| error.about(path.display()))
}

fn parse<M: Message + Default>(name: &str, bytes: &[u8]) -> Result<M, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::of(problems::INPUT_MALFORMED))?;
    // The parsers' messages quote the input, so they are not passed on.
    if text.trim_start().starts_with('{') {
        let mut source = serde_json::Deserializer::from_str(text);
        let message = json::read(name, &mut source).map_err(|error| at_line(error.line()))?;
        source.end().map_err(|error| at_line(error.line()))?;
        Ok(message)
    } else {
        let table: toml::Table = toml::from_str(text).map_err(|_| malformed())?;
        json::read(name, table).map_err(|_| malformed())
    }
}

fn malformed() -> Failure {
    Failure::of(problems::INPUT_MALFORMED)
}

fn at_line(line: usize) -> Failure {
    malformed().about(format_args!("line {line}"))
}

#[cfg(test)]
mod tests {
    use proto::v1::RegisterResidentRequest;

    use super::*;

    #[test]
    fn json_and_toml_say_the_same() {
        let cases: [&[u8]; 2] = [
            r#"{"name": "王秀英", "id_number": "11010119000307473X", "ethnic_group": 1}"#
                .as_bytes(),
            "name = \"王秀英\"\nid_number = \"11010119000307473X\"\nethnic_group = 1\n".as_bytes(),
        ];
        for bytes in cases {
            let request: RegisterResidentRequest = parse("RegisterResidentRequest", bytes).unwrap();
            assert_eq!(request.name, "王秀英");
            assert_eq!(request.id_number, "11010119000307473X");
            assert_eq!((request.ethnic_group, request.phone.as_str()), (1, ""));
        }
    }

    #[test]
    fn what_is_refused_is_not_quoted() {
        let cases: [&[u8]; 5] = [
            b"{\"name\": \"secret",
            b"{\"name\": 5, \"secret\": 1}",
            b"name = secret",
            b"secret = \"x\"",
            b"{} secret",
        ];
        for bytes in cases {
            let failure =
                parse::<RegisterResidentRequest>("RegisterResidentRequest", bytes).unwrap_err();
            assert_eq!(failure.reason, "INPUT_MALFORMED");
            assert!(failure.detail.iter().all(|text| !text.contains("secret")), "{failure:?}");
        }
    }
}
