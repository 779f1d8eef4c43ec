//! The transcript of a key ceremony: which keys there are, signed by the root in the presence of people
//! who are named by their roles. The form, and how it is checked, are in [`audit::ceremony`].

use audit::ceremony::{CeremonyKey, Compared, SIGNER_ID, Transcript};
use hsm::{KeyDescription, KeyError, key::Label, sm2::SignerId};

use crate::{
    clock::{self, UtcTime},
    generation::Generation,
    keys::Keys,
    token::thumbprint,
};

/// The signed transcript of a ceremony over all keys of a service.
///
/// # Errors
/// [`KeyError`] when the root does not sign.
pub fn transcript(
    keys: &Keys,
    service: &str,
    participants: &[Label],
    began: UtcTime,
    ended: UtcTime,
) -> Result<String, KeyError> {
    let root = keys.authority(Generation::ROOT)?;
    let transcript = Transcript {
        service: service.to_owned(),
        program: format!("healthcardd {}", env!("CARGO_PKG_VERSION")),
        began: clock::rfc3339(began),
        ended: clock::rfc3339(ended),
        participants: participants.iter().map(ToString::to_string).collect(),
        keys: keys.keystore().list().into_iter().filter_map(line).collect(),
    };
    let id = SignerId::new(SIGNER_ID.as_bytes()).expect("a short literal");
    transcript.sign(|octets| {
        let e = root.public_key().digest(&id, octets);
        root.sign(&e).map(|signature| *signature.as_raw())
    })
}

/// A version of a key; each has a thumbprint or a check value.
fn line(version: KeyDescription) -> Option<CeremonyKey> {
    let compared = match (&version.public_key, version.check_value) {
        (Some(public), _) => Compared::Thumbprint(thumbprint(public)),
        (None, value) => Compared::CheckValue(value?.to_string()),
    };
    Some(CeremonyKey {
        reference: version.reference.to_string(),
        key_use: version.key_use.to_string(),
        version: version.version,
        state: version.state.to_string(),
        compared,
    })
}
