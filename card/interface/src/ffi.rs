//! The edge to C: every exported function, one line each. All unsafe code of the crate is here and in
//! `parameter`.
//!
//! Pointers are looked at in `parameter` and nowhere else. What a caller must keep to is said once, in the
//! header: text ends with NUL; a buffer has the room that the header names; a handle is used by one
//! thread at a time (calls on one handle wait for each other).
#![expect(unsafe_code, reason = "this module is the C ABI")]
#![expect(non_snake_case, reason = "names are those of the interface specification")]

mod parameter;

use std::ffi::{c_int, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use card::layout::{File, ddf1, df01, df02, df03};

use crate::code::Code;
use crate::desk::{Body, Desk, SamFile, Slot};
use crate::handles;
use parameter::{
    Byte, InBytes, InText, Int, Length, OutBytes, OutInt, OutLong, OutText, Parameter, give, take,
};

/// A connection, as C holds it: a number in the clothes of a pointer, so that a stale one is refused.
type Handle = *mut c_void;

/// Runs `work` on the connection. A panic is a fault of ours; it must not cross into C.
fn on(handle: Handle, work: impl FnOnce(&mut Desk) -> Result<(), Code>) -> c_int {
    let outcome = catch_unwind(AssertUnwindSafe(|| handles::with(handle.addr(), work)));
    match outcome {
        Ok(Ok(())) => 0,
        Ok(Err(code)) => code.number(),
        Err(_) => Code::Card.number(),
    }
}

/// One exported function, as the header declares it.
pub struct Declaration {
    /// What it does.
    pub doc: &'static str,
    /// Its name.
    pub name: &'static str,
    /// C type and name of each parameter behind the handle.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Functions with a body of their own. Each is given the connection as the closure's argument.
macro_rules! functions {
    ($($doc:literal fn $name:ident($($parameter:ident: $kind:ident),*) $work:expr;)+) => {
        $(
            #[doc = $doc]
            ///
            /// # Safety
            /// What the header asks of every pointer.
            #[unsafe(no_mangle)]
            pub unsafe extern "system" fn $name(hDev: Handle, $($parameter: $kind),*) -> c_int {
                on(hDev, $work)
            }
        )+
        /// The functions above.
        const FUNCTIONS: &[Declaration] = &[$(Declaration {
            doc: $doc,
            name: stringify!($name),
            parameters: &[$(($kind::C, stringify!($parameter))),*],
        }),+];
    };
}

/// A function that reads all fields of a file with records, one parameter a field, in record order;
/// and one that writes them, where the interface has one.
macro_rules! file {
    ($doc:literal $read:ident [] $file:expr => $($field:ident)+) => {
        #[doc = concat!("Reads: ", $doc, ".")]
        ///
        /// # Safety
        /// What the header asks of every pointer.
        #[unsafe(no_mangle)]
        pub unsafe extern "system" fn $read(hDev: Handle, $($field: OutText),+) -> c_int {
            // SAFETY: passed on to the caller.
            on(hDev, |desk| unsafe { give(&desk.fields($file)?, &[$($field),+]) })
        }
    };
    ($doc:literal $read:ident [$write:ident] $file:expr => $($field:ident)+) => {
        file! { $doc $read [] $file => $($field)+ }

        #[doc = concat!("Writes: ", $doc, ". Empty or null fields stay as they are.")]
        ///
        /// # Safety
        /// What the header asks of every pointer.
        #[unsafe(no_mangle)]
        pub unsafe extern "system" fn $write(hDev: Handle, $($field: InText),+) -> c_int {
            // SAFETY: passed on to the caller.
            on(hDev, |desk| desk.write_fields($file, &unsafe { take(&[$($field),+]) }?))
        }
    };
}

/// The declarations of what `file!` makes.
macro_rules! declared {
    ($doc:literal $read:ident [] $($field:ident)+) => {
        &[Declaration {
            doc: concat!("Reads: ", $doc, "."),
            name: stringify!($read),
            parameters: &[$((OutText::C, stringify!($field))),+],
        }]
    };
    ($doc:literal $read:ident [$write:ident] $($field:ident)+) => {
        &[
            Declaration {
                doc: concat!("Reads: ", $doc, "."),
                name: stringify!($read),
                parameters: &[$((OutText::C, stringify!($field))),+],
            },
            Declaration {
                doc: concat!("Writes: ", $doc, ". Empty or null fields stay as they are."),
                name: stringify!($write),
                parameters: &[$((InText::C, stringify!($field))),+],
            },
        ]
    };
}

macro_rules! files {
    ($($doc:literal $read:ident $([$write:ident])? : $file:expr => $($field:ident)+;)+) => {
        $(file! { $doc $read [$($write)?] $file => $($field)+ })+

        /// The functions above.
        const FILES: &[&[Declaration]] = &[$(declared! { $doc $read [$($write)?] $($field)+ }),+];
    };
}

files! {
    "issuer data (DDF1\\EF05)" iR_DDF1EF05Info: &ddf1::ef05::FILE =>
        KLB GFBB FKJGMC FKJGDM FKJGZS FKSJ KH AQM XPXLH YYCSDM;
    "holder data (DDF1\\EF06)" iR_DDF1EF06Info: &ddf1::ef06::FILE => XM XB MZ CSRQ SFZH;
    "validity, phones, payment (DDF1\\EF08)" iR_DDF1EF08Info [iW_DDF1EF08Info]: &ddf1::ef08::FILE =>
        KYXQ BRDH1 BRDH2 YLFYZFFS1 YLFYZFFS2 YLFYZFFS3;
    "addresses (DF01\\EF05)" iR_DF01EF05Info [iW_DF01EF05Info]: &df01::ef05::FILE => DZLB1 DZ1 DZLB2 DZ2;
    "contacts (DF01\\EF06)" iR_DF01EF06Info [iW_DF01EF06Info]: &df01::ef06::FILE =>
        LXRXM1 LXRGX1 LXRDH1 LXRXM2 LXRGX2 LXRDH2 LXRXM3 LXRGX3 LXRDH3;
    "education, marriage, occupation (DF01\\EF07)" iR_DF01EF07Info [iW_DF01EF07Info]: &df01::ef07::FILE =>
        WHCD HYZK ZY;
    "documents (DF01\\EF08)" iR_DF01EF08Info [iW_DF01EF08Info]: &df01::ef08::FILE => ZJLB ZJHM JKDAH XNHZH;
    "clinical basics (DF02\\EF05)" iR_DF02EF05Info [iW_DF02EF05Info]: &df02::ef05::FILE =>
        ABOXX RHXX XCBZ XZBBZ XNXGBBZ DXBBZ NXWLBZ TNBBZ QGYBZ TXBZ QGYZBZ QGQSBZ KZXYZBZ XZQBQBZ QTYXJSMC;
    "special information (DF02\\EF06)" iR_DF02EF06Info [iW_DF02EF06Info]: &df02::ef06::FILE => JSBBZ;
}

functions! {
    "Powers a slot (0x01 user card, 0x11 SAM) and gives its answer to reset in hex (67 characters). Through the agent only the user card, else IRV_PSAM_ERR."
    fn PowerOn(slot: Int, ATR: OutText) |desk| {
        let answer = desk.power_on(Slot::numbered(slot.0)?)?;
        // SAFETY: passed on to the caller.
        unsafe { ATR.write(&answer) }
    };
    "Sends one command of byLen bytes to a slot; pbyR_Command has room for 258 bytes, pnRes receives their number. Not through the agent: IRV_CARD_ERR, and IRV_PSAM_ERR for the SAM."
    fn SendAPDU(bySlot: Byte, pbyC_Command: InBytes, byLen: Length, pbyR_Command: OutBytes, pnRes: OutInt) |desk| {
        let slot = Slot::numbered(c_int::from(bySlot.0))?;
        let length = usize::try_from(byLen.0).map_err(|_| Code::Parameter)?;
        // SAFETY: passed on to the caller.
        let answer = desk.send(slot, unsafe { pbyC_Command.read(length) }?)?;
        // SAFETY: passed on to the caller.
        unsafe { pnRes.write(answer.len() as c_int) }?;
        // SAFETY: passed on to the caller.
        unsafe { pbyR_Command.write(&answer) }
    };
    "Verifies the PIN of the SAM: 4 to 12 digits. Not through the agent: IRV_PSAM_ERR."
    // SAFETY: passed on to the caller.
    fn iVerifyPIN(PIN: InText) |desk| desk.verify_pin(unsafe { PIN.read() }?).map_err(|refused| refused.code);
    "Changes the PIN of the SAM. Not through the agent: IRV_PSAM_ERR."
    fn iChange_Pin(oldPin: InText, newPin: InText) |desk| {
        // SAFETY: passed on to the caller.
        desk.change_pin(unsafe { oldPin.read() }?, unsafe { newPin.read() }?)
    };
    "Reads the SAM's public information (MF\\0015) in hex: 28 characters. Not through the agent: IRV_PSAM_ERR."
    // SAFETY: passed on to the caller.
    fn iReader_SAM_Public(info: OutText) |desk| unsafe { info.write(&desk.sam_file(SamFile::Public)?) };
    "Reads the SAM's terminal information (MF\\0016) in hex: 12 characters. Not through the agent: IRV_PSAM_ERR."
    // SAFETY: passed on to the caller.
    fn iReader_SAM_Terminal(info: OutText) |desk| unsafe { info.write(&desk.sam_file(SamFile::Terminal)?) };
    "Reads the SAM's application information (DF01\\001A) in hex: 50 characters. Not through the agent: IRV_PSAM_ERR."
    // SAFETY: passed on to the caller.
    fn iReader_SAM_PublicApp(info: OutText) |desk| unsafe { info.write(&desk.sam_file(SamFile::Application)?) };
    "Reads the issuer certificate in the SAM (DF01\\001B) in hex: 360 characters. Not through the agent: IRV_PSAM_ERR."
    // SAFETY: passed on to the caller.
    fn iReader_SAM_OrgCertificate(info: OutText) |desk| unsafe { info.write(&desk.sam_file(SamFile::IssuerCertificate)?) };
    "Reads the SAM's own certificate (DF01\\001C) in hex: 380 characters. Not through the agent: IRV_PSAM_ERR."
    // SAFETY: passed on to the caller.
    fn iReader_SAM_Certificate(info: OutText) |desk| unsafe { info.write(&desk.sam_file(SamFile::Certificate)?) };
    "Reads the photo (DDF1\\EF07): up to 3072 bytes of JPEG, and their number."
    fn iR_DDF1EF07Info(ZHAOPIAN: OutBytes, pnLen: OutInt) |desk| {
        let picture = desk.photo()?;
        // SAFETY: passed on to the caller.
        unsafe { pnLen.write(picture.len() as c_int) }?;
        // SAFETY: passed on to the caller.
        unsafe { ZHAOPIAN.write(&picture) }
    };
    "Reads an allergy (DF02\\EF07), record 1 to 3, the newest first."
    fn iR_DF02EF07Info(nRecorderNo: Int, GMWZMC: OutText, GMWZFY: OutText) |desk| {
        let fields = desk.cyclic(&df02::ef07::FILE, nRecorderNo.0)?;
        // SAFETY: passed on to the caller.
        unsafe { give(&fields, &[GMWZMC, GMWZFY]) }
    };
    "Adds an allergy (DF02\\EF07); the oldest of three gives way."
    fn iW_DF02EF07Info(GMWZMC: InText, GMWZFY: InText) |desk| {
        // SAFETY: passed on to the caller.
        desk.append(&df02::ef07::FILE, &unsafe { take(&[GMWZMC, GMWZFY]) }?)
    };
    "Reads an immunisation (DF02\\EF08), record 1 to 10, the newest first."
    fn iR_DF02EF08Info(nRecorderNo: Int, MYJZMC: OutText, MYJZSJ: OutText) |desk| {
        let fields = desk.cyclic(&df02::ef08::FILE, nRecorderNo.0)?;
        // SAFETY: passed on to the caller.
        unsafe { give(&fields, &[MYJZMC, MYJZSJ]) }
    };
    "Adds an immunisation (DF02\\EF08); the oldest of ten gives way."
    fn iW_DF02EF08Info(MYJZMC: InText, MYJZSJ: InText) |desk| {
        // SAFETY: passed on to the caller.
        desk.append(&df02::ef08::FILE, &unsafe { take(&[MYJZMC, MYJZSJ]) }?)
    };
    "Reads the inpatient index (DF03\\EF05): 00 valid, FF invalid."
    fn iR_DF03EF05Info(ZYJLBS1: OutText, ZYJLBS2: OutText, ZYJLBS3: OutText) |desk| {
        // SAFETY: passed on to the caller.
        unsafe { give(&desk.flags(&df03::ef05::FILE)?, &[ZYJLBS1, ZYJLBS2, ZYJLBS3]) }
    };
    "Sets an inpatient record, 1 to 3, valid. Through the agent the service marks a record valid itself, once it is written; here only the one whose turn it is, or that is valid, is accepted, else IRV_W_DF03EF05ERR."
    fn iW_DF03EF05Info(nRecorderNo: Int) |desk| desk.set_valid(&df03::ef05::FILE, nRecorderNo.0);
    "Sets an inpatient record, 1 to 3, invalid. Not through the agent, unless it is: IRV_ER_DF03EF05ERR."
    fn iErase_DF03EF05Info(nRecorderNo: Int) |desk| desk.set_invalid(&df03::ef05::FILE, nRecorderNo.0);
    "Reads the outpatient index (DF03\\EF06): 00 valid, FF invalid."
    fn iR_DF03EF06Info(MZJLBS1: OutText, MZJLBS2: OutText, MZJLBS3: OutText, MZJLBS4: OutText, MZJLBS5: OutText) |desk| {
        let flags = desk.flags(&df03::ef06::FILE)?;
        // SAFETY: passed on to the caller.
        unsafe { give(&flags, &[MZJLBS1, MZJLBS2, MZJLBS3, MZJLBS4, MZJLBS5]) }
    };
    "Sets an outpatient record, 1 to 5, valid. Through the agent the service marks a record valid itself, once it is written; here only the one whose turn it is, or that is valid, is accepted, else IRV_W_DF03EF05ERR."
    fn iW_DF03EF06Info(nRecorderNo: Int) |desk| desk.set_valid(&df03::ef06::FILE, nRecorderNo.0);
    "Sets an outpatient record, 1 to 5, invalid. Not through the agent, unless it is: IRV_ER_DF03EF05ERR."
    fn iErase_DF03EF06Info(nRecorderNo: Int) |desk| desk.set_invalid(&df03::ef06::FILE, nRecorderNo.0);
    "Reads nLen bytes at nPos of an inpatient record (DF03\\EE01 to EE03), in the form nStyle."
    fn iR_DF03EEInfo(nRecorderNo: Int, szData: OutText, nPos: Int, nLen: Int, nStyle: Int) |desk| {
        // SAFETY: passed on to the caller.
        unsafe { read_part(desk, &df03::inpatient::FILES, [nRecorderNo, nPos, nLen, nStyle], szData) }
    };
    "Writes nLen bytes at nPos of a valid inpatient record, given in the form nStyle; 1639 bytes in all. The record is signed anew when the PIN was verified, else it loses its signature. Not through the agent: IRV_WR_BINERR."
    fn iW_DF03EEInfo(nRecorderNo: Int, szData: InText, nPos: Int, nLen: Int, nStyle: Int) |desk| {
        // SAFETY: passed on to the caller.
        unsafe { write_part(desk, &df03::inpatient::FILES, [nRecorderNo, nPos, nLen, nStyle], szData) }
    };
    "Reads an outpatient record (DF03\\ED01 to ED05) as above."
    fn iR_DF03EDInfo(nRecorderNo: Int, szData: OutText, nPos: Int, nLen: Int, nStyle: Int) |desk| {
        // SAFETY: passed on to the caller.
        unsafe { read_part(desk, &df03::outpatient::FILES, [nRecorderNo, nPos, nLen, nStyle], szData) }
    };
    "Writes a valid outpatient record as above; 3013 bytes in all."
    fn iW_DF03EDInfo(nRecorderNo: Int, szData: InText, nPos: Int, nLen: Int, nStyle: Int) |desk| {
        // SAFETY: passed on to the caller.
        unsafe { write_part(desk, &df03::outpatient::FILES, [nRecorderNo, nPos, nLen, nStyle], szData) }
    };
    "Reads all items of an inpatient record, joined by |: up to 4096 characters. An item that has a | itself is refused with IRV_RD_BINERR."
    fn iR_DF03EE_ALLInfo(nRecorderNo: Int, szData: OutText) |desk| {
        let file = body(&df03::inpatient::FILES, nRecorderNo.0)?;
        // SAFETY: passed on to the caller.
        unsafe { szData.write(&desk.all_items(file)?) }
    };
    "Writes all items of an inpatient record but the last two, joined by |; an empty one is written as empty. Through the agent the service signs it, and it must be the record whose turn it is: the first that is invalid, else the oldest; another one is refused with IRV_WR_BINERR."
    fn iW_DF03EE_ALLInfo(nRecorderNo: Int, szData: InText) |desk| {
        // SAFETY: passed on to the caller.
        desk.write_all_items(body(&df03::inpatient::FILES, nRecorderNo.0)?, unsafe { szData.read() }?)
    };
    "Reads all items of an outpatient record, joined by |: up to 6144 characters. An item that has a | itself is refused with IRV_RD_BINERR."
    fn iR_DF03ED_ALLInfo(nRecorderNo: Int, szData: OutText) |desk| {
        let file = body(&df03::outpatient::FILES, nRecorderNo.0)?;
        // SAFETY: passed on to the caller.
        unsafe { szData.write(&desk.all_items(file)?) }
    };
    "Writes all items of an outpatient record but the last two, joined by |; an empty one is written as empty. Through the agent the service signs it, and it must be the record whose turn it is: the first that is invalid, else the oldest; another one is refused with IRV_WR_BINERR."
    fn iW_DF03ED_ALLInfo(nRecorderNo: Int, szData: InText) |desk| {
        // SAFETY: passed on to the caller.
        desk.write_all_items(body(&df03::outpatient::FILES, nRecorderNo.0)?, unsafe { szData.read() }?)
    };
    "Computes SM3 of nDataLen bytes, at most 8192; pbHash has room for 32 bytes, pbHashLen receives 32."
    fn SM3Digest(pbData: InBytes, nDataLen: Int, pbHash: OutBytes, pbHashLen: OutInt) |_| {
        let length = usize::try_from(nDataLen.0).map_err(|_| Code::Parameter)?;
        // SAFETY: passed on to the caller.
        let digest = hsm::sm3::digest(unsafe { pbData.read(length) }?);
        // SAFETY: passed on to the caller.
        unsafe { pbHashLen.write(digest.len() as c_int) }?;
        // SAFETY: passed on to the caller.
        unsafe { pbHash.write(&digest) }
    };
    "Verifies the PIN of the SAM before signing; pdwRetry receives the tries that are left. Not through the agent: IRV_PSAM_ERR."
    fn VerifyPin(szPin: InText, pdwRetry: OutLong) |desk| {
        // A try is not spent where nobody can be told of it.
        pdwRetry.is_given()?;
        // SAFETY: passed on to the caller.
        let verified = desk.verify_pin(unsafe { szPin.read() }?);
        let left = verified.as_ref().err().and_then(|refused| refused.tries_left);
        // SAFETY: passed on to the caller.
        unsafe { pdwRetry.write(c_ulong::from(left.unwrap_or(0))) }?;
        verified.map_err(|refused| refused.code)
    };
    "Signs a digest of 32 bytes with the SAM's SM2 key; pbSignedData has room for 64 bytes, pbLength receives 64. Not through the agent: IRV_PSAM_ERR."
    fn SM2SignHash(pbData: InBytes, bLen: Byte, pbSignedData: OutBytes, pbLength: OutInt) |desk| {
        pbSignedData.is_given()?;
        pbLength.is_given()?;
        // SAFETY: passed on to the caller.
        let digest = unsafe { pbData.read(usize::from(bLen.0)) }?;
        let signature = desk.sign(digest.try_into().map_err(|_| Code::Parameter)?)?;
        // SAFETY: passed on to the caller.
        unsafe { pbLength.write(signature.len() as c_int) }?;
        // SAFETY: passed on to the caller.
        unsafe { pbSignedData.write(&signature) }
    };
}

/// The body of that number.
fn body(files: &'static [File], number: c_int) -> Result<&'static File, Code> {
    let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    at.and_then(|at| files.get(at)).ok_or(Code::Parameter)
}

/// # Safety
/// `data` has room for the part in its form.
unsafe fn read_part(
    desk: &mut Desk,
    files: &'static [File],
    [number, position, length, style]: [Int; 4],
    data: OutText,
) -> Result<(), Code> {
    let part = Body::named(body(files, number.0)?, position.0, length.0, style.0)?;
    let bytes = desk.read_part(&part)?;
    match part.is_raw() {
        // SAFETY: passed on to the caller.
        true => unsafe { data.write_raw(&bytes) },
        // SAFETY: passed on to the caller.
        false => unsafe { data.write(&bytes) },
    }
}

/// # Safety
/// `data` is the part in its form: raw with as many bytes as the part, else text that ends with NUL.
unsafe fn write_part(
    desk: &mut Desk,
    files: &'static [File],
    [number, position, length, style]: [Int; 4],
    data: InText,
) -> Result<(), Code> {
    let part = Body::named(body(files, number.0)?, position.0, length.0, style.0)?;
    let given = match part.is_raw() {
        // SAFETY: passed on to the caller.
        true => unsafe { InBytes(data.0.cast()).read(part.length()) }?,
        // SAFETY: passed on to the caller.
        false => unsafe { data.read() }?,
    };
    desk.write_part(&part, given)
}

/// Opens a connection to the desk agent at the socket HEALTHCARD_AGENT, or to the readers of this desk: HEALTHCARD_READER for the user card, HEALTHCARD_SAM_READER for the SAM, by default the first and the second reader. Null when there is none.
#[unsafe(no_mangle)]
pub extern "system" fn iDOpenPort() -> Handle {
    let opened = catch_unwind(|| Desk::open().and_then(handles::add));
    let number = opened.ok().and_then(Result::ok).unwrap_or(0);
    std::ptr::without_provenance_mut(number)
}

/// Closes a connection; the cards lose their power and all that was proven to them.
#[unsafe(no_mangle)]
pub extern "system" fn iDClosePort(hDev: Handle) -> c_int {
    match catch_unwind(|| handles::remove(hDev.addr())) {
        Ok(true) => 0,
        Ok(false) => Code::Parameter.number(),
        Err(_) => Code::Card.number(),
    }
}

/// Every function with a connection, in the order of the header.
pub fn declarations() -> impl Iterator<Item = &'static Declaration> {
    FILES.iter().copied().flatten().chain(FUNCTIONS)
}
