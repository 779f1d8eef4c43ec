//! The files of test vectors.

use std::{fs, path::Path};

use serde_json::Value;

/// The groups of a file.
pub(crate) fn groups(file: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["groups"].as_array().unwrap().clone()
}

/// A field of a test, in hexadecimal.
pub(crate) fn octets(test: &Value, name: &str) -> Vec<u8> {
    hex::decode(test[name].as_str().unwrap()).unwrap()
}
