//! The session in both READMEs works as pasted.

use std::fs;
use std::process::Command;

use tests::private::repository;

/// The shell block after the marker.
fn session(file: &str) -> String {
    let text = fs::read_to_string(repository().join(file)).expect("the README can be read");
    let (_, after) = text.split_once("<!-- session:").expect("the README marks its session");
    let (_, block) = after.split_once("```sh\n").expect("a shell block follows the marker");
    block.split_once("```").expect("the block ends").0.to_owned()
}

/// Runs a session where a person would, but in a directory that goes again.
fn run(file: &str) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let programs = std::env::current_exe().expect("this test has a file");
    let programs = programs.ancestors().nth(2).expect("target/debug").to_owned();
    // The session takes the programs from below the directory it begins in.
    fs::create_dir(directory.path().join("target")).expect("a directory is made");
    std::os::unix::fs::symlink(programs, directory.path().join("target/debug"))
        .expect("a link is made");
    let output = Command::new(repository().join("scripts/with-pcsc"))
        .args(["bash", "-euo", "pipefail", "-c"])
        .arg(session(file))
        .current_dir(directory.path())
        .env_remove("LANG_UI")
        .output()
        .expect("scripts/with-pcsc runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file}: the session failed\n{said}\n{complained}");
    said
}

#[test]
fn the_english_session_ends_with_an_intact_log() {
    let said = run("README.md");
    assert!(said.contains("The signature is valid"), "{said}");
    assert!(said.contains("The log is intact"), "{said}");
}

#[test]
fn the_chinese_session_ends_with_an_intact_log() {
    let said = run("README.zh-CN.md");
    assert!(said.contains("签名有效"), "{said}");
    assert!(said.contains("日志完好"), "{said}");
}

#[test]
fn both_sessions_are_the_same_but_for_words() {
    let commands = |file| -> Vec<String> {
        session(file)
            .lines()
            .map(|line| line.split(" # ").next().unwrap_or(line).replace(" LANG_UI=en", ""))
            .filter(|line| !line.starts_with('#'))
            .collect()
    };
    assert_eq!(commands("README.md"), commands("README.zh-CN.md"));
}
