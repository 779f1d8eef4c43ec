//! A device within the test: it has one key, counts how often an access code is presented, and answers that
//! with any number. One test at a time uses it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, LazyLock};
use std::time::Duration;

use hsm::sdf::Layout;
use hsm::sm2::SecretKey;

use super::*;

/// How often a code was presented.
pub(in crate::sdf) static PRESENTED: Mutex<u32> = Mutex::new(0);
/// What is answered to that.
pub(in crate::sdf) static ANSWER: AtomicU32 = AtomicU32::new(0);
/// Whether sessions answer nothing from then on, until the device is opened anew.
pub(in crate::sdf) static DIES: AtomicBool = AtomicBool::new(false);

static ANOTHER: Condvar = Condvar::new();
static DEAD: AtomicBool = AtomicBool::new(false);
/// The public key, laid out.
static KEY: LazyLock<Vec<u8>> =
    LazyLock::new(|| Layout::default().public_key(SecretKey::generate().public()));

fn answer(code: Code) -> c_int {
    code.number().cast_signed()
}

unsafe extern "C" fn open_device(_: *mut *mut c_void) -> c_int {
    DEAD.store(false, Ordering::SeqCst);
    0
}

unsafe extern "C" fn open_session(_: *mut c_void, _: *mut *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn close(_: *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn take_right(_: *mut c_void, _: c_uint, _: *const c_uchar, _: c_uint) -> c_int {
    let mut presented = PRESENTED.lock().unwrap();
    *presented += 1;
    ANOTHER.notify_all();
    // Whoever else would present the code does so meanwhile.
    drop(ANOTHER.wait_timeout(presented, Duration::from_millis(50)).unwrap());
    DEAD.store(DIES.load(Ordering::SeqCst), Ordering::SeqCst);
    ANSWER.load(Ordering::SeqCst).cast_signed()
}

unsafe extern "C" fn export(_: *mut c_void, _: c_uint, place: *mut c_uchar) -> c_int {
    if DEAD.load(Ordering::SeqCst) {
        return answer(Code::InArgument);
    }
    // SAFETY: the caller has room for the largest structure.
    unsafe { ptr::copy_nonoverlapping(KEY.as_ptr(), place, KEY.len()) };
    0
}

unsafe extern "C" fn sign(
    _: *mut c_void,
    _: c_uint,
    _: *const c_uchar,
    _: c_uint,
    _: *mut c_uchar,
) -> c_int {
    answer(Code::NotSupported)
}

unsafe extern "C" fn verify(
    _: *mut c_void,
    _: c_uint,
    _: *const c_uchar,
    _: *const c_uchar,
    _: c_uint,
    _: *const c_uchar,
) -> c_int {
    answer(Code::NotSupported)
}

/// Its functions.
pub(in crate::sdf) fn functions() -> Arc<Functions> {
    Arc::new(Functions {
        open_device,
        close_device: close,
        open_session,
        close_session: close,
        take_right,
        signing_key: export,
        encryption_key: export,
        sign,
        verify,
        decrypt: None,
        _library: ManuallyDrop::new(libloading::os::unix::Library::this().into()),
    })
}
