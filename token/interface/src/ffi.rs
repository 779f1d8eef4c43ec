//! The edge to C: every exported function, one line each. All unsafe code of the crate is here and in `parameter`.
//!
//! Pointers are looked at in `parameter` and nowhere else. What a caller must keep to is said once, in the header. A
//! verifier may be used by several threads, which do not wait for each other.
#![expect(unsafe_code, reason = "this module is the C ABI")]

mod parameter;

use std::ffi::{CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use access_token::keys::MAX_SET;
use access_token::proof::{MAX_PROOF, Request};
use access_token::snapshot::MAX_SNAPSHOT;
use access_token::{Claims, KeySet, MAX_TOKEN, Refusal, Verifier};

use crate::code::Code;
use crate::handles;
use parameter::{
    Handle, In, InText, MAX_ADDRESS, Number, Out, OutHandle, OutSeconds, OutSize, Parameter,
    Seconds, Size,
};

/// Room for what a token says: no token says more.
pub(crate) const CLAIMS_ROOM: usize = MAX_TOKEN;
/// Most proofs that a verifier is told to remember.
const MOST_PROOFS: usize = 10_000_000;
/// In place of an age: there is no snapshot, or none is demanded.
pub(crate) const NO_SNAPSHOT: i64 = -1;

/// Runs `work`. A panic is a fault of ours; it must not cross into C.
fn guarded(work: impl FnOnce() -> Result<(), Code>) -> c_int {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => 0,
        Ok(Err(code)) => code.number(),
        Err(_) => Code::Fault.number(),
    }
}

/// Works with a verifier.
fn with(verifier: Handle, work: impl FnOnce(&Arc<Verifier>) -> Result<(), Code>) -> c_int {
    guarded(|| work(&handles::find(verifier.0.addr())?))
}

/// One exported function, as the header declares it.
pub struct Declaration {
    /// What it does.
    pub doc: &'static str,
    /// C type of what it answers.
    pub answer: &'static str,
    /// Its name.
    pub name: &'static str,
    /// C type and name of each parameter.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Functions, each with the C type of its answer.
macro_rules! functions {
    ($($doc:literal $answer:literal fn $name:ident($($parameter:ident: $kind:ident),*) -> $result:ty { $work:expr })+) => {
        $(
            #[doc = $doc]
            ///
            /// # Safety
            /// What the header asks of every pointer.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($parameter: $kind),*) -> $result {
                $work
            }
        )+
        /// The functions above, in the order of the header.
        pub const DECLARATIONS: &[Declaration] = &[$(Declaration {
            doc: $doc,
            answer: $answer,
            name: stringify!($name),
            parameters: &[$(($kind::C, stringify!($parameter))),*],
        }),+];
    };
}

functions! {
    "Opens a verifier of tokens of issuer for audience, with a key set as the service publishes it at /jwks.json. It takes no token without a revocation snapshot that is at most oldest_snapshot seconds old; with HCT_NO_SNAPSHOT none is demanded. It remembers at most most_proofs proofs at a time: up to 10000000, 0 for 100000."
    "int " fn hct_open(issuer: InText, audience: InText, keys: In, keys_length: Size, oldest_snapshot: Seconds, most_proofs: Size, verifier: OutHandle) -> c_int {
        guarded(|| {
            verifier.is_given()?;
            // SAFETY: passed on to the caller.
            let issuer = unsafe { issuer.read() }?;
            // SAFETY: passed on to the caller.
            let audience = unsafe { audience.read() }?;
            // SAFETY: passed on to the caller.
            let keys = unsafe { read_keys(keys, keys_length) }?;
            let opened = Verifier::new(issuer, audience, keys);
            let opened = match (oldest_snapshot.0, u64::try_from(oldest_snapshot.0)) {
                (NO_SNAPSHOT, _) => opened,
                (_, Ok(seconds)) => opened.demand_snapshot(Duration::from_secs(seconds)),
                (_, Err(_)) => return Err(Code::Argument),
            };
            let opened = match most_proofs.0 {
                0 => opened,
                most if most > MOST_PROOFS => return Err(Code::Argument),
                most => opened.remember_proofs(most),
            };
            let number = handles::add(opened)?;
            // SAFETY: passed on to the caller.
            unsafe { verifier.put(std::ptr::without_provenance_mut(number)) }
        })
    }
    "Closes a verifier. Checks of other threads that are under way end as they would have."
    "int " fn hct_close(verifier: Handle) -> c_int {
        guarded(|| handles::remove(verifier.0.addr()))
    }
    "Takes the keys that are published now, for those of before; a set that is refused leaves those of before."
    "int " fn hct_take_keys(verifier: Handle, keys: In, keys_length: Size) -> c_int {
        with(verifier, |verifier| {
            // SAFETY: passed on to the caller.
            verifier.take_keys(unsafe { read_keys(keys, keys_length) }?);
            Ok(())
        })
    }
    "Takes a revocation snapshot, as the service answers at /token-revocations, for the one of before; one that is refused leaves the one of before. next_update receives when to ask for the next; it may be NULL."
    "int " fn hct_take_snapshot(verifier: Handle, snapshot: In, snapshot_length: Size, now: Seconds, next_update: OutSeconds) -> c_int {
        with(verifier, |verifier| {
            let malformed = Refusal::SnapshotMalformed.into();
            // SAFETY: passed on to the caller.
            let snapshot = unsafe { text(snapshot, snapshot_length, MAX_SNAPSHOT, malformed, malformed) }?;
            let taken = verifier.take_snapshot(snapshot, now.0)?;
            match next_update.is_given() {
                // SAFETY: passed on to the caller.
                Ok(()) => unsafe { next_update.put(taken.next_update()) },
                Err(_) => Ok(()),
            }
        })
    }
    "Whether a request by method to uri, its full address as the client has it, may be answered that came with a token and a proof of possession; without a proof, proof is NULL and proof_length 0. If so, claims receives what the token says, as JSON in UTF-8 without a NUL, and as its member clinician whose token it is: sub is the clinician, but of a token that was exchanged the resident, for whom the clinician acts (act); and claims_length its octets; claims_room is at least HCT_CLAIMS_ROOM. snapshot_age receives how many seconds ago the snapshot was made by which the token has not ended, or HCT_NO_SNAPSHOT. The proof is then used up. Of what is refused nothing is written, and the proof is not used up."
    "int " fn hct_check(verifier: Handle, token: In, token_length: Size, proof: In, proof_length: Size, method: InText, uri: InText, now: Seconds, claims: Out, claims_room: Size, claims_length: OutSize, snapshot_age: OutSeconds) -> c_int {
        with(verifier, |verifier| {
            // A proof is not used up where nobody can be told what the token says.
            claims.is_given()?;
            claims_length.is_given()?;
            snapshot_age.is_given()?;
            if claims_room.0 < CLAIMS_ROOM {
                return Err(Code::Room);
            }
            // SAFETY: passed on to the caller.
            let method = unsafe { method.read() }?;
            // SAFETY: passed on to the caller.
            let request = Request { method, uri: unsafe { uri.read_at_most(MAX_ADDRESS) }? };
            let (too_long, malformed) = (Refusal::TokenTooLong.into(), Refusal::TokenMalformed.into());
            // SAFETY: passed on to the caller.
            let token = unsafe { text(token, token_length, MAX_TOKEN, too_long, malformed) }?;
            let malformed = Refusal::ProofMalformed.into();
            let proof = match proof.0.is_null() && proof_length.0 == 0 {
                true => None,
                // SAFETY: passed on to the caller.
                false => Some(unsafe { text(proof, proof_length, MAX_PROOF, malformed, malformed) }?),
            };
            let checked = verifier.check(token, proof, request, now.0)?;
            let said = said(&checked.claims)?;
            if said.len() > CLAIMS_ROOM {
                return Err(Code::Fault);
            }
            let age = checked.snapshot_age.map(|age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
            // SAFETY: passed on to the caller.
            unsafe { snapshot_age.put(age.unwrap_or(NO_SNAPSHOT)) }?;
            // SAFETY: passed on to the caller.
            unsafe { claims_length.put(said.len()) }?;
            // SAFETY: passed on to the caller; there is room for so much.
            unsafe { claims.write(&said) }
        })
    }
    "The stable reason of a code, for programs, as in TOKEN_EXPIRED. Never NULL; it stays valid, and nobody frees it. HCT_OK has none: an empty text. So for the two functions that follow."
    "const char *" fn hct_reason(code: Number) -> *const c_char {
        told(code, |texts| &texts.reason)
    }
    "What a code says, in Chinese (UTF-8)."
    "const char *" fn hct_text_zh(code: Number) -> *const c_char {
        told(code, |texts| &texts.zh)
    }
    "What a code says, in English."
    "const char *" fn hct_text_en(code: Number) -> *const c_char {
        told(code, |texts| &texts.en)
    }
    "1 when the same may be good under the keys that are published now: fetch them, hand them to hct_take_keys, and check again. Else 0."
    "int " fn hct_asks_for_keys(code: Number) -> c_int {
        guarded_text(|| Code::asks_for_keys(code.0)).unwrap_or(false).into()
    }
}

/// # Safety
/// The pointer is null, or has so many octets that live until the function returns.
unsafe fn read_keys(keys: In, length: Size) -> Result<KeySet, Code> {
    let too_large = access_token::keys::BadKeySet::TooLarge.into();
    // SAFETY: passed on to the caller.
    Ok(KeySet::from_json(unsafe { keys.read(length, MAX_SET, too_large) }?)?)
}

/// What a token says, and who the clinician is: `sub` may be the resident for whom they act.
fn said(claims: &Claims) -> Result<Vec<u8>, Code> {
    let mut said = serde_json::to_value(claims).map_err(|_| Code::Fault)?;
    said["clinician"] = claims.clinician().into();
    serde_json::to_vec(&said).map_err(|_| Code::Fault)
}

/// Octets that have to be a text.
///
/// # Safety
/// As for [`read_keys`].
unsafe fn text<'c>(
    octets: In,
    length: Size,
    most: usize,
    too_long: Code,
    malformed: Code,
) -> Result<&'c str, Code> {
    // SAFETY: passed on to the caller.
    std::str::from_utf8(unsafe { octets.read(length, most, too_long) }?).map_err(|_| malformed)
}

/// What is said of a code, for C.
struct Texts {
    reason: CString,
    zh: CString,
    en: CString,
}

static TEXTS: LazyLock<Vec<(c_int, Texts)>> = LazyLock::new(|| {
    let text = |text: &str| CString::new(text).unwrap_or_default();
    Code::told()
        .map(|(number, reason, zh, en)| {
            (number, Texts { reason: text(reason), zh: text(zh), en: text(en) })
        })
        .collect()
});

fn guarded_text<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn told(code: Number, which: fn(&Texts) -> &CString) -> *const c_char {
    let found = guarded_text(|| {
        let known = TEXTS.iter().find(|(number, _)| *number == code.0);
        known.map(|(_, texts)| which(texts).as_ptr())
    });
    found.flatten().unwrap_or(c"".as_ptr())
}
