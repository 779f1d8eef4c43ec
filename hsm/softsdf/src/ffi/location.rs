//! Where the settings are: beside the library, unless the environment names another place.

use std::ffi::{CStr, OsStr, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::{env, ptr};

use super::SDF_OpenDevice;

/// Names the settings file.
const VARIABLE: &str = "SOFTSDF_CONFIG";
/// Name of the settings file beside the library.
const FILE: &str = "softsdf.toml";

/// The settings file.
pub(super) fn settings() -> PathBuf {
    match env::var_os(VARIABLE) {
        Some(path) => path.into(),
        None => library().with_file_name(FILE),
    }
}

/// The file of this library; an empty path when the system does not say.
fn library() -> PathBuf {
    let mut found = libc::Dl_info {
        dli_fname: ptr::null(),
        dli_fbase: ptr::null_mut(),
        dli_sname: ptr::null(),
        dli_saddr: ptr::null_mut(),
    };
    let here = SDF_OpenDevice as *const c_void;
    // SAFETY: `found` is a place for the answer, and the function keeps neither pointer.
    let known = unsafe { libc::dladdr(here, &raw mut found) } != 0;
    if !known || found.dli_fname.is_null() {
        return PathBuf::new();
    }
    // SAFETY: not null; text of the dynamic linker, which ends with NUL and stays while this library does.
    let name = unsafe { CStr::from_ptr(found.dli_fname) };
    OsStr::from_bytes(name.to_bytes()).into()
}
