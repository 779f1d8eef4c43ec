//! Programs in C on `libhealthcard`, `libsoftsdf` and `libhealthcard_token`.

use std::path::{Path, PathBuf};
use std::process::Command;

use service::demo::programs::Programs;

use crate::private::repository;

/// A library of this tree that programs in C are written on.
#[derive(Clone, Copy, Debug)]
pub enum Library {
    /// `libhealthcard`.
    Healthcard,
    /// `libsoftsdf`.
    SoftSdf,
    /// `libhealthcard_token`.
    Token,
    /// The same as an archive, which becomes part of the program.
    TokenArchive,
}

/// Compiles a program of `tests/c` into `directory`, against the header and the library of this tree.
///
/// # Panics
/// When it does not compile without a warning.
#[must_use]
pub fn compile(directory: &Path, source: &str, library: Library) -> PathBuf {
    let (include, link): (_, &[&str]) = match library {
        Library::Healthcard => ("card/interface/include", &["-lhealthcard"]),
        Library::SoftSdf => ("hsm/softsdf/include", &["-lsoftsdf"]),
        Library::Token => ("token/interface/include", &["-lhealthcard_token"]),
        Library::TokenArchive => (
            "token/interface/include",
            &["-l:libhealthcard_token.a", "-lgcc_s", "-lpthread", "-ldl", "-lm"],
        ),
    };
    let program = directory.join(source.trim_end_matches(".c"));
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg("-I")
        .arg(repository().join(include))
        .arg(repository().join("tests/c").join(source))
        .arg("-L")
        .arg(libraries())
        .args(link)
        .output()
        .expect("there is a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Where the libraries are: beside the programs.
///
/// # Panics
/// When the programs are not built.
#[must_use]
pub fn libraries() -> PathBuf {
    Programs::beside_this_one().expect("the programs are built").directory().to_owned()
}

/// Where Debian puts it.
const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// Has a program believe that it is later.
///
/// # Panics
/// Without libfaketime.
#[must_use]
pub fn later(command: Command, offset: &str) -> Command {
    let mut command = by_another_clock(command);
    command.env("FAKETIME", offset);
    command
}

/// Has a program believe that it is later by what stands in a file, which may change while it runs.
///
/// # Panics
/// Without libfaketime.
#[must_use]
pub fn by_clock(command: Command, file: &Path) -> Command {
    let mut command = by_another_clock(command);
    command.env("FAKETIME_TIMESTAMP_FILE", file).env("FAKETIME_CACHE_DURATION", "1");
    command
}

fn by_another_clock(mut command: Command) -> Command {
    assert!(Path::new(LIBFAKETIME).exists(), "no libfaketime: run scripts/setup");
    command.env("LD_PRELOAD", LIBFAKETIME).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}
