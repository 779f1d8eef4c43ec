//! Licences, sources and bans of everything that is linked, as in `deny.toml`, with no tool beside cargo; and that the fuzz
//! targets and the peers of national TLS, which are no part of the workspace, are whole.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tests::private::repository;

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

/// They are a workspace of their own, which nothing here builds: what is forgotten there is found when somebody
/// wants to look for a fault.
#[test]
fn each_fuzz_target_is_declared_and_what_it_needs_is_locked() {
    let place = repository().join("tests/fuzz");
    let [manifest, lock] =
        ["Cargo.toml", "Cargo.lock"].map(|file| fs::read_to_string(place.join(file)).unwrap());
    for file in fs::read_dir(place.join("targets")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        assert!(manifest.contains(&format!("path = \"targets/{file}\"")), "{file} is not declared");
    }
    assert!(own_crates_locked(&manifest, &lock) > 4);
}

#[test]
fn what_the_peers_of_national_tls_need_is_locked() {
    let place = repository().join("tests/interop-tls");
    let [manifest, lock] =
        ["Cargo.toml", "Cargo.lock"].map(|file| fs::read_to_string(place.join(file)).unwrap());
    assert!(own_crates_locked(&manifest, &lock) > 2);
    for library in ["openssl-src", "tongsuo-src"] {
        assert!(lock.contains(&format!("name = \"{library}\"\n")), "{library}");
        // Nothing that is shipped is built with them.
        let workspace = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
        assert!(!workspace.contains(library), "{library}");
    }
}

/// How many crates of the workspace a manifest names; each has to be in its lock, with what it needs in turn.
fn own_crates_locked(manifest: &str, lock: &str) -> usize {
    let own = manifest.lines().filter(|line| line.contains("path = \"../../"));
    let own: Vec<_> = own.filter_map(|line| line.split_whitespace().next()).collect();
    for name in &own {
        let locked = format!("[[package]]\nname = \"{name}\"\n");
        assert!(lock.contains(&locked), "{name} is not in the lock");
    }
    own.len()
}
