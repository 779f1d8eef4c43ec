//! Tables for spreadsheets (RFC 4180).

/// A cell with a text that may be anything: quoted where it has to be, and nothing that a spreadsheet computes.
pub(crate) fn cell(text: &str) -> String {
    let text = match text.starts_with(['=', '+', '-', '@', '\t']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}
