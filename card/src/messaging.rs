//! Protected commands (安全报文): data encrypted, command authenticated, under the line key of the
//! directory and the card's last challenge.

use crate::apdu::Apdu;
use crate::security::profile::pad;
use crate::security::{KeySession, SecurityError};

/// Why a command was not protected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtectError {
    /// The data do not fit one short command once they are protected.
    #[error("{0} bytes are too many for one protected command")]
    TooLong(usize),
    /// The security module failed.
    #[error(transparent)]
    Security(#[from] SecurityError),
}

/// The most data a protected command carries: 240 bytes encrypted, of which one is the length and
/// one the start of the padding.
pub const MAX_PROTECTED: usize = 238;

/// Encrypts `data` and authenticates the command, class `04`.
///
/// # Errors
/// [`ProtectError::TooLong`] above [`MAX_PROTECTED`] bytes.
pub fn protect(
    session: &mut dyn KeySession,
    [ins, p1, p2]: [u8; 3],
    data: &[u8],
) -> Result<Apdu, ProtectError> {
    if data.len() > MAX_PROTECTED {
        return Err(ProtectError::TooLong(data.len()));
    }
    let plain = [&[data.len() as u8], data].concat();
    let encrypted = session.encrypt(&pad(&plain))?;
    authenticate(session, [0x04, ins, p1, p2], encrypted)
}

/// Authenticates a command without data, class `84`.
///
/// # Errors
/// [`ProtectError::Security`] when the module fails.
pub fn protect_empty(session: &mut dyn KeySession, ins: [u8; 3]) -> Result<Apdu, ProtectError> {
    let [ins, p1, p2] = ins;
    authenticate(session, [0x84, ins, p1, p2], Vec::new())
}

/// Appends the MAC over header, Lc and data.
fn authenticate(
    session: &mut dyn KeySession,
    header: [u8; 4],
    mut data: Vec<u8>,
) -> Result<Apdu, ProtectError> {
    let lc = data.len() as u8 + 4;
    let signed = [&header[..], &[lc], &data].concat();
    data.extend(session.mac(&pad(&signed))?);
    Ok(Apdu::new(header).with_data(data))
}
