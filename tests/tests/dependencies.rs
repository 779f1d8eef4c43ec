//! Licences, sources and bans of everything that is linked, as in `deny.toml`, with no tool beside cargo.

use std::process::Command;

use serde_json::Value;

/// SPDX identifiers that may be linked.
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// TLS is rustls, and RSA has RUSTSEC-2023-0071.
const BANNED: [&str; 3] = ["openssl-sys", "rsa", "native-tls"];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn every_dependency_is_licensed_known_and_wanted() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "only {} packages: this is not the workspace", packages.len());

    let complaints: Vec<String> = packages.iter().flat_map(complaints).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn complaints(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap();
    let licence = package["license"].as_str().unwrap_or("none named");
    let mut complaints = Vec::new();
    if !acceptable(licence) {
        complaints.push(format!("{name}: licence {licence}"));
    }
    if BANNED.contains(&name) {
        complaints.push(format!("{name}: banned"));
    }
    // Crates of this workspace have no source.
    if package["source"].as_str().is_some_and(|source| source != REGISTRY) {
        complaints.push(format!("{name}: from {}", package["source"]));
    }
    complaints
}

/// Whether one of the alternatives of an SPDX expression consists of allowed licences. Expressions nest at most
/// once in practice: `(MIT OR Apache-2.0) AND Unicode-3.0`.
fn acceptable(expression: &str) -> bool {
    // "/" is how alternatives were written before SPDX expressions.
    let expression = expression.replace('/', " OR ");
    split(&expression, " AND ").iter().all(|part| {
        let part = part.trim();
        match part.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
            Some(inner) => acceptable(inner),
            None => match split(part, " OR ").as_slice() {
                [licence] => ALLOWED.contains(&licence.trim()),
                alternatives => alternatives.iter().any(|one| acceptable(one)),
            },
        }
    })
}

/// Splits outside parentheses.
fn split<'a>(expression: &'a str, separator: &str) -> Vec<&'a str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 && expression[at..].starts_with(separator) {
            parts.push(&expression[start..at]);
            start = at + separator.len();
        }
    }
    parts.push(&expression[start..]);
    parts
}

#[test]
fn licence_expressions_are_read() {
    let cases = [
        ("MIT", true),
        ("MIT OR Apache-2.0", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-2.0", false),
        ("(GPL-2.0 OR LGPL-3.0) AND MIT", false),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
        ("none named", false),
    ];
    for (expression, allowed) in cases {
        assert_eq!(acceptable(expression), allowed, "{expression}");
    }
}
