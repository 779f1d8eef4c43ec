//! Programs in C on `libhealthcard`.

use std::path::{Path, PathBuf};
use std::process::Command;

use service::demo::programs::Programs;

use crate::private::repository;

/// Compiles a program of `tests/c` into `directory`, against the header and the library of this tree.
///
/// # Panics
/// When it does not compile without a warning.
#[must_use]
pub fn compile(directory: &Path, source: &str) -> PathBuf {
    let program = directory.join(source.trim_end_matches(".c"));
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg("-I")
        .arg(repository().join("card/interface/include"))
        .arg(repository().join("tests/c").join(source))
        .arg("-L")
        .arg(libraries())
        .arg("-lhealthcard")
        .output()
        .expect("there is a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Where `libhealthcard.so` is: beside the programs.
///
/// # Panics
/// When the programs are not built.
#[must_use]
pub fn libraries() -> PathBuf {
    Programs::beside_this_one().expect("the programs are built").directory().to_owned()
}
