//! The edge to C: every exported function, one line each. All unsafe code of the crate is here and in
//! the modules below.
//!
//! Pointers are looked at in `parameter` and nowhere else. What a caller must keep to is said once, in the
//! header. A handle may be used by several threads; their calls wait for each other.
#![expect(unsafe_code, reason = "this module is the C ABI")]
#![expect(non_snake_case, reason = "names are those of GM/T 0018")]

mod location;
mod parameter;

use std::error::Error as _;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hsm::random::{RandomSource as _, SystemRandom};
use hsm::sdf::Code;
use zeroize::Zeroizing;

use crate::device::{self, Device};
use crate::handles;
use crate::session::{Session, encrypts, signs};
use crate::settings::OpenError;
use crate::symmetric::{self, Direction};
use parameter::{
    Handle, In, InCipher, InOutBlock, InPublicKey, InRsaPublicKey, InSignature, Number, Out,
    OutCipher, OutHandle, OutInformation, OutNumber, OutPrivateKey, OutPublicKey, OutRsaPrivateKey,
    OutRsaPublicKey, OutSignature, Parameter, answer,
};

/// Runs `work`. A panic is a fault of ours; it must not cross into C.
fn guarded(work: impl FnOnce() -> Result<(), Code>) -> c_int {
    answer(catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Code::Unknown)))
}

/// One exported function, as the header declares it.
pub struct Declaration {
    /// What it does.
    pub doc: &'static str,
    /// Its name.
    pub name: &'static str,
    /// C type and name of each parameter.
    pub parameters: &'static [(&'static str, &'static str)],
}

macro_rules! declared {
    ($name:ident: $doc:literal $($parameter:ident: $kind:ident)*) => {
        Declaration {
            doc: $doc,
            name: stringify!($name),
            parameters: &[$(($kind::C, stringify!($parameter))),*],
        }
    };
}

/// Functions on a session, which the closure is given.
macro_rules! functions {
    ($($doc:literal fn $name:ident($($parameter:ident: $kind:ident),*) $work:expr;)+) => {
        $(
            #[doc = $doc]
            ///
            /// # Safety
            /// What the header asks of every pointer.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(hSessionHandle: Handle, $($parameter: $kind),*) -> c_int {
                guarded(|| handles::with(hSessionHandle.0.addr(), $work))
            }
        )+
        /// The functions above.
        const FUNCTIONS: &[Declaration] = &[
            $(declared!($name: $doc hSessionHandle: Handle $($parameter: $kind)*)),+
        ];
    };
}

/// Functions of the standard that this device does not do. They say so, whatever they are given.
macro_rules! refusals {
    ($($name:ident($($parameter:ident: $kind:ident),*);)+) => {
        $(
            /// Not supported.
            ///
            /// # Safety
            /// It looks at no pointer.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(hSessionHandle: Handle, $($parameter: $kind),*) -> c_int {
                let _ = ($($parameter,)*);
                guarded(|| handles::with(hSessionHandle.0.addr(), |_| Err(Code::NotSupported)))
            }
        )+
        /// The functions above.
        const REFUSALS: &[Declaration] = &[
            $(declared!($name: "Not supported: SDR_NOTSUPPORT." hSessionHandle: Handle $($parameter: $kind)*)),+
        ];
    };
}

functions! {
    "Says what the device is and can do."
    fn SDF_GetDeviceInfo(pstDeviceInfo: OutInformation) |_| {
        // SAFETY: passed on to the caller.
        unsafe { pstDeviceInfo.write(&device::information()) }
    };
    "Gives uiLength random octets, at most 65536."
    fn SDF_GenerateRandom(uiLength: Number, pucRandom: Out) |_| {
        pucRandom.is_given()?;
        // SAFETY: passed on to the caller.
        unsafe { pucRandom.write(&random(uiLength)?) }
    };
    "Takes the right to use the private keys of an index, with its access code; for as long as the session is open."
    fn SDF_GetPrivateKeyAccessRight(uiKeyIndex: Number, pucPassword: In, uiPwdLength: Number) |session| {
        // SAFETY: passed on to the caller.
        session.take_right(uiKeyIndex.0, unsafe { pucPassword.read(uiPwdLength) }?)
    };
    "Gives that right up."
    fn SDF_ReleasePrivateKeyAccessRight(uiKeyIndex: Number) |session| session.give_right_up(uiKeyIndex.0);
    "Gives the public key of an index's signing pair."
    fn SDF_ExportSignPublicKey_ECC(uiKeyIndex: Number, pucPublicKey: OutPublicKey) |session| {
        // SAFETY: passed on to the caller.
        unsafe { pucPublicKey.write(session.layout(), &session.signing_key(uiKeyIndex.0)?) }
    };
    "Gives the public key of an index's encryption pair."
    fn SDF_ExportEncPublicKey_ECC(uiKeyIndex: Number, pucPublicKey: OutPublicKey) |session| {
        // SAFETY: passed on to the caller.
        unsafe { pucPublicKey.write(session.layout(), &session.encryption_key(uiKeyIndex.0)?) }
    };
    "Makes a session key of 128 bits and gives it encrypted for an index's encryption pair; C has room for 16 octets."
    fn SDF_GenerateKeyWithIPK_ECC(uiIPKIndex: Number, uiKeyBits: Number, pucKey: OutCipher, phKeyHandle: OutHandle) |session| {
        pucKey.is_given()?;
        phKeyHandle.is_given()?;
        let recipient = session.encryption_key(uiIPKIndex.0)?;
        let (ciphertext, key) = session.generate_key(uiKeyBits.0, &recipient)?;
        // SAFETY: passed on to the caller.
        unsafe { pucKey.write(session.layout(), &ciphertext) }?;
        // SAFETY: passed on to the caller.
        unsafe { phKeyHandle.write(key) }
    };
    "Makes a session key of 128 bits and gives it encrypted for a public key; C has room for 16 octets."
    fn SDF_GenerateKeyWithEPK_ECC(uiKeyBits: Number, uiAlgID: Number, pucPublicKey: InPublicKey, pucKey: OutCipher, phKeyHandle: OutHandle) |session| {
        pucKey.is_given()?;
        phKeyHandle.is_given()?;
        encrypts(uiAlgID.0)?;
        // SAFETY: passed on to the caller.
        let recipient = unsafe { pucPublicKey.read(session.layout()) }?;
        let (ciphertext, key) = session.generate_key(uiKeyBits.0, &recipient)?;
        // SAFETY: passed on to the caller.
        unsafe { pucKey.write(session.layout(), &ciphertext) }?;
        // SAFETY: passed on to the caller.
        unsafe { phKeyHandle.write(key) }
    };
    "Takes a session key over that was encrypted for an index's encryption pair."
    fn SDF_ImportKeyWithISK_ECC(uiISKIndex: Number, pucKey: InCipher, phKeyHandle: OutHandle) |session| {
        phKeyHandle.is_given()?;
        // SAFETY: passed on to the caller.
        let ciphertext = unsafe { pucKey.read(session.layout()) }?;
        let key = session.import_key(uiISKIndex.0, &ciphertext)?;
        // SAFETY: passed on to the caller.
        unsafe { phKeyHandle.write(key) }
    };
    "Encrypts for a public key what was encrypted for an index's encryption pair; C of the result has room for as much."
    fn SDF_ExchangeDigitEnvelopeBaseOnECC(uiKeyIndex: Number, uiAlgID: Number, pucPublicKey: InPublicKey, pucEncDataIn: InCipher, pucEncDataOut: OutCipher) |session| {
        encrypts(uiAlgID.0)?;
        // SAFETY: passed on to the caller.
        let recipient = unsafe { pucPublicKey.read(session.layout()) }?;
        // SAFETY: passed on to the caller.
        let ciphertext = unsafe { pucEncDataIn.read(session.layout()) }?;
        let ciphertext = Session::encrypt(&recipient, &session.decrypt(uiKeyIndex.0, &ciphertext)?)?;
        // SAFETY: passed on to the caller.
        unsafe { pucEncDataOut.write(session.layout(), &ciphertext) }
    };
    "Wipes a session key."
    fn SDF_DestroyKey(hKeyHandle: Handle) |session| session.destroy_key(hKeyHandle.0.addr());
    "Verifies a signature over e, the 32 octets SM3(Z || M)."
    fn SDF_ExternalVerify_ECC(uiAlgID: Number, pucPublicKey: InPublicKey, pucDataInput: In, uiInputLength: Number, pucSignature: InSignature) |session| {
        signs(uiAlgID.0)?;
        // SAFETY: passed on to the caller.
        let key = unsafe { pucPublicKey.read(session.layout()) }?;
        // SAFETY: passed on to the caller.
        let e = unsafe { pucDataInput.read(uiInputLength) }?;
        // SAFETY: passed on to the caller.
        Session::verify(&key, e, &unsafe { pucSignature.read(session.layout()) }?)
    };
    "Signs e, the 32 octets SM3(Z || M), with an index's signing pair."
    fn SDF_InternalSign_ECC(uiISKIndex: Number, pucData: In, uiDataLength: Number, pucSignature: OutSignature) |session| {
        pucSignature.is_given()?;
        // SAFETY: passed on to the caller.
        let signature = session.sign(uiISKIndex.0, unsafe { pucData.read(uiDataLength) }?)?;
        // SAFETY: passed on to the caller.
        unsafe { pucSignature.write(session.layout(), &signature) }
    };
    "Verifies a signature over e with an index's signing pair."
    fn SDF_InternalVerify_ECC(uiIPKIndex: Number, pucData: In, uiDataLength: Number, pucSignature: InSignature) |session| {
        // SAFETY: passed on to the caller.
        let e = unsafe { pucData.read(uiDataLength) }?;
        // SAFETY: passed on to the caller.
        let signature = unsafe { pucSignature.read(session.layout()) }?;
        Session::verify(&session.signing_key(uiIPKIndex.0)?, e, &signature)
    };
    "Encrypts 1 to 4096 octets for a public key; C has room for as many."
    fn SDF_ExternalEncrypt_ECC(uiAlgID: Number, pucPublicKey: InPublicKey, pucData: In, uiDataLength: Number, pucEncData: OutCipher) |session| {
        encrypts(uiAlgID.0)?;
        // SAFETY: passed on to the caller.
        let key = unsafe { pucPublicKey.read(session.layout()) }?;
        // SAFETY: passed on to the caller.
        let ciphertext = Session::encrypt(&key, unsafe { pucData.read(uiDataLength) }?)?;
        // SAFETY: passed on to the caller.
        unsafe { pucEncData.write(session.layout(), &ciphertext) }
    };
    "Encrypts 1 to 4096 octets for an index's encryption pair; C has room for as many."
    fn SDF_InternalEncrypt_ECC(uiIPKIndex: Number, uiAlgID: Number, pucData: In, uiDataLength: Number, pucEncData: OutCipher) |session| {
        encrypts(uiAlgID.0)?;
        let key = session.encryption_key(uiIPKIndex.0)?;
        // SAFETY: passed on to the caller.
        let ciphertext = Session::encrypt(&key, unsafe { pucData.read(uiDataLength) }?)?;
        // SAFETY: passed on to the caller.
        unsafe { pucEncData.write(session.layout(), &ciphertext) }
    };
    "Decrypts with an index's encryption pair; pucData has room for as many octets as C has, puiDataLength receives their number."
    fn SDF_InternalDecrypt_ECC(uiISKIndex: Number, uiAlgID: Number, pucEncData: InCipher, pucData: Out, puiDataLength: OutNumber) |session| {
        pucData.is_given()?;
        encrypts(uiAlgID.0)?;
        // SAFETY: passed on to the caller.
        let ciphertext = unsafe { pucEncData.read(session.layout()) }?;
        let data = session.decrypt(uiISKIndex.0, &ciphertext)?;
        // SAFETY: passed on to the caller.
        unsafe { puiDataLength.write(data.len()) }?;
        // SAFETY: passed on to the caller.
        unsafe { pucData.write(&data) }
    };
    "Encrypts whole blocks with SGD_SM4_ECB or SGD_SM4_CBC; the result has the same length. With CBC pucIV has 16 octets, and receives what the next piece goes on from."
    fn SDF_Encrypt(hKeyHandle: Handle, uiAlgID: Number, pucIV: InOutBlock, pucData: In, uiDataLength: Number, pucEncData: Out, puiEncDataLength: OutNumber) |session| {
        let data = (pucData, uiDataLength);
        // SAFETY: passed on to the caller.
        unsafe { cipher(session, hKeyHandle, (uiAlgID, Direction::Encrypt), pucIV, data, (pucEncData, puiEncDataLength)) }
    };
    "Decrypts as SDF_Encrypt encrypts."
    fn SDF_Decrypt(hKeyHandle: Handle, uiAlgID: Number, pucIV: InOutBlock, pucEncData: In, uiEncDataLength: Number, pucData: Out, puiDataLength: OutNumber) |session| {
        let data = (pucEncData, uiEncDataLength);
        // SAFETY: passed on to the caller.
        unsafe { cipher(session, hKeyHandle, (uiAlgID, Direction::Decrypt), pucIV, data, (pucData, puiDataLength)) }
    };
    "Computes SGD_SM4_MAC over whole blocks: 16 octets. pucIV has 16 octets, and receives what the next piece goes on from."
    fn SDF_CalculateMAC(hKeyHandle: Handle, uiAlgID: Number, pucIV: InOutBlock, pucData: In, uiDataLength: Number, pucMAC: Out, puiMACLength: OutNumber) |session| {
        pucMAC.is_given()?;
        // SAFETY: passed on to the caller.
        let mut iv = unsafe { pucIV.read() }?.ok_or(Code::InArgument)?;
        // SAFETY: passed on to the caller.
        let data = unsafe { pucData.read(uiDataLength) }?;
        let mac = symmetric::mac(session.key(hKeyHandle.0.addr())?, uiAlgID.0, &mut iv, data)?;
        // SAFETY: passed on to the caller.
        unsafe { puiMACLength.write(mac.len()) }?;
        // SAFETY: passed on to the caller.
        unsafe { pucIV.write(Some(&iv)) }?;
        // SAFETY: passed on to the caller.
        unsafe { pucMAC.write(&mac) }
    };
    "Begins an SM3 digest. With an identifier (uiIDLength is not 0), it begins with Z of the public key under it."
    fn SDF_HashInit(uiAlgID: Number, pucPublicKey: InPublicKey, pucID: In, uiIDLength: Number) |session| {
        if uiIDLength.0 == 0 {
            return session.begin_hash(uiAlgID.0, None);
        }
        // SAFETY: passed on to the caller.
        let key = unsafe { pucPublicKey.read(session.layout()) }?;
        // SAFETY: passed on to the caller.
        session.begin_hash(uiAlgID.0, Some((&key, unsafe { pucID.read(uiIDLength) }?)))
    };
    "Goes on with the digest: at most 65536 octets."
    fn SDF_HashUpdate(pucData: In, uiDataLength: Number) |session| {
        // SAFETY: passed on to the caller.
        session.update_hash(unsafe { pucData.read(uiDataLength) }?)
    };
    "Ends the digest: 32 octets."
    fn SDF_HashFinal(pucHash: Out, puiHashLength: OutNumber) |session| {
        pucHash.is_given()?;
        puiHashLength.is_given()?;
        let digest = session.end_hash()?;
        // SAFETY: passed on to the caller.
        unsafe { puiHashLength.write(digest.len()) }?;
        // SAFETY: passed on to the caller.
        unsafe { pucHash.write(&digest) }
    };
}

// RSA is nowhere in this project; private keys are never given out in clear; key agreement, key-encryption
// keys and files have no place in the keystore.
refusals! {
    SDF_ExportSignPublicKey_RSA(uiKeyIndex: Number, pucPublicKey: OutRsaPublicKey);
    SDF_ExportEncPublicKey_RSA(uiKeyIndex: Number, pucPublicKey: OutRsaPublicKey);
    SDF_GenerateKeyPair_RSA(uiKeyBits: Number, pucPublicKey: OutRsaPublicKey, pucPrivateKey: OutRsaPrivateKey);
    SDF_GenerateKeyWithIPK_RSA(uiIPKIndex: Number, uiKeyBits: Number, pucKey: Out, puiKeyLength: OutNumber, phKeyHandle: OutHandle);
    SDF_GenerateKeyWithEPK_RSA(uiKeyBits: Number, pucPublicKey: InRsaPublicKey, pucKey: Out, puiKeyLength: OutNumber, phKeyHandle: OutHandle);
    SDF_ImportKeyWithISK_RSA(uiISKIndex: Number, pucKey: In, uiKeyLength: Number, phKeyHandle: OutHandle);
    SDF_ExchangeDigitEnvelopeBaseOnRSA(uiKeyIndex: Number, pucPublicKey: InRsaPublicKey, pucDEInput: In, uiDELength: Number, pucDEOutput: Out, puiDELength: OutNumber);
    SDF_ExternalPublicKeyOperation_RSA(pucPublicKey: InRsaPublicKey, pucDataInput: In, uiInputLength: Number, pucDataOutput: Out, puiOutputLength: OutNumber);
    SDF_InternalPublicKeyOperation_RSA(uiKeyIndex: Number, pucDataInput: In, uiInputLength: Number, pucDataOutput: Out, puiOutputLength: OutNumber);
    SDF_InternalPrivateKeyOperation_RSA(uiKeyIndex: Number, pucDataInput: In, uiInputLength: Number, pucDataOutput: Out, puiOutputLength: OutNumber);
    SDF_GenerateKeyPair_ECC(uiAlgID: Number, uiKeyBits: Number, pucPublicKey: OutPublicKey, pucPrivateKey: OutPrivateKey);
    SDF_GenerateAgreementDataWithECC(uiISKIndex: Number, uiKeyBits: Number, pucSponsorID: In, uiSponsorIDLength: Number, pucSponsorPublicKey: OutPublicKey, pucSponsorTmpPublicKey: OutPublicKey, phAgreementHandle: OutHandle);
    SDF_GenerateKeyWithECC(pucResponseID: In, uiResponseIDLength: Number, pucResponsePublicKey: InPublicKey, pucResponseTmpPublicKey: InPublicKey, hAgreementHandle: Handle, phKeyHandle: OutHandle);
    SDF_GenerateAgreementDataAndKeyWithECC(uiISKIndex: Number, uiKeyBits: Number, pucResponseID: In, uiResponseIDLength: Number, pucSponsorID: In, uiSponsorIDLength: Number, pucSponsorPublicKey: InPublicKey, pucSponsorTmpPublicKey: InPublicKey, pucResponsePublicKey: OutPublicKey, pucResponseTmpPublicKey: OutPublicKey, phKeyHandle: OutHandle);
    SDF_GenerateKeyWithKEK(uiKeyBits: Number, uiAlgID: Number, uiKEKIndex: Number, pucKey: Out, puiKeyLength: OutNumber, phKeyHandle: OutHandle);
    SDF_ImportKeyWithKEK(uiAlgID: Number, uiKEKIndex: Number, pucKey: In, uiKeyLength: Number, phKeyHandle: OutHandle);
    SDF_CreateFile(pucFileName: In, uiNameLen: Number, uiFileSize: Number);
    SDF_ReadFile(pucFileName: In, uiNameLen: Number, uiOffset: Number, puiReadLength: OutNumber, pucBuffer: Out);
    SDF_WriteFile(pucFileName: In, uiNameLen: Number, uiOffset: Number, uiWriteLength: Number, pucBuffer: In);
    SDF_DeleteFile(pucFileName: In, uiNameLen: Number);
}

/// Opens the device. Why there is none is said on standard error: the code has no room for it.
///
/// # Safety
/// What the header asks of every pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SDF_OpenDevice(phDeviceHandle: OutHandle) -> c_int {
    guarded(|| {
        phDeviceHandle.is_given()?;
        let device = Device::open(&location::settings()).map_err(|error| {
            // A device that was pulled out on request says no more than a real one.
            if !matches!(error, OpenError::Unplugged) {
                let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
                eprintln!("softsdf: {error}{cause}");
            }
            Code::OpenDevice
        })?;
        // SAFETY: passed on to the caller.
        unsafe { phDeviceHandle.write(handles::add_device(device)?) }
    })
}

/// Closes a device and its sessions.
///
/// # Safety
/// It looks at no pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SDF_CloseDevice(hDeviceHandle: Handle) -> c_int {
    guarded(|| handles::remove_device(hDeviceHandle.0.addr()))
}

/// Opens a session.
///
/// # Safety
/// What the header asks of every pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SDF_OpenSession(
    hDeviceHandle: Handle,
    phSessionHandle: OutHandle,
) -> c_int {
    guarded(|| {
        phSessionHandle.is_given()?;
        // SAFETY: passed on to the caller.
        unsafe { phSessionHandle.write(handles::add_session(hDeviceHandle.0.addr())?) }
    })
}

/// Closes a session: its keys are wiped, its rights are gone.
///
/// # Safety
/// It looks at no pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SDF_CloseSession(hSessionHandle: Handle) -> c_int {
    guarded(|| handles::remove_session(hSessionHandle.0.addr()))
}

/// The functions that open and close.
const OPENING: &[Declaration] = &[
    declared!(SDF_OpenDevice: "Opens the device; why there is none is said on standard error." phDeviceHandle: OutHandle),
    declared!(SDF_CloseDevice: "Closes a device and its sessions." hDeviceHandle: Handle),
    declared!(SDF_OpenSession: "Opens a session." hDeviceHandle: Handle phSessionHandle: OutHandle),
    declared!(SDF_CloseSession: "Closes a session: its keys are wiped, its rights are gone." hSessionHandle: Handle),
];

/// Every function, in the order of the header.
pub fn declarations() -> impl Iterator<Item = &'static Declaration> {
    OPENING.iter().chain(FUNCTIONS).chain(REFUSALS)
}

fn random(length: Number) -> Result<Zeroizing<Vec<u8>>, Code> {
    if length.0 > device::MAX_DATA {
        return Err(Code::InArgument);
    }
    let mut octets = Zeroizing::new(vec![0; length.0 as usize]);
    SystemRandom.fill(&mut octets).map_err(|_| Code::Random)?;
    Ok(octets)
}

/// # Safety
/// What the header asks of the pointers of SDF_Encrypt.
unsafe fn cipher(
    session: &Session,
    key: Handle,
    (algorithm, direction): (Number, Direction),
    block: InOutBlock,
    (data, length): (In, Number),
    (result, result_length): (Out, OutNumber),
) -> Result<(), Code> {
    result.is_given()?;
    // Callers of the other mode hand over whatever they have there.
    let mut iv = match algorithm.0 {
        // SAFETY: passed on to the caller.
        hsm::sdf::algorithm::SM4_CBC => unsafe { block.read() }?,
        _ => None,
    };
    // SAFETY: passed on to the caller.
    let data = unsafe { data.read(length) }?;
    let key = session.key(key.0.addr())?;
    let octets = symmetric::cipher(key, algorithm.0, direction, iv.as_mut(), data)?;
    // SAFETY: passed on to the caller.
    unsafe { result_length.write(octets.len()) }?;
    // SAFETY: passed on to the caller.
    unsafe { block.write(iv.as_ref()) }?;
    // SAFETY: passed on to the caller.
    unsafe { result.write(&octets) }
}
