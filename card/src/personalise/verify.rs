use super::{CardContents, Filling};
use crate::data::{PhotoFile, Records};
use crate::layout::{FileName, ddf1::ef07};
use crate::security::SecurityModule;
use crate::session::{ReadError, Session};
use crate::transport::Transport;

/// Why a new card is not believed to be what was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It cannot be read as a health card.
    #[error("the new card cannot be read")]
    Read(#[from] ReadError),
    /// It says something else than was written.
    #[error("record {record} of {file} is not what was written")]
    Differs {
        /// The file.
        file: FileName,
        /// The record; 0 for a file without records.
        record: u8,
    },
}

/// Reads a new card as any desk would: it proves that it is genuine, gives its files for the read
/// keys, and each of them says what was written.
///
/// # Errors
/// [`VerifyError`].
pub fn verify(
    transport: &mut dyn Transport,
    security: &dyn SecurityModule,
    randomness: &mut dyn FnMut(&mut [u8; 8]),
    contents: &CardContents,
) -> Result<(), VerifyError> {
    let mut session = Session::open(transport, security, randomness)?;
    for (file, filling) in contents.files() {
        let differs = |record| VerifyError::Differs { file: file.name, record };
        match filling {
            Filling::Records(records) => {
                let elements = file.elements().iter();
                let written = elements.filter_map(|e| Some((e, records.get(&e.record())?)));
                for (element, written) in written {
                    if session.record(file, element)? != *written {
                        return Err(differs(element.record()));
                    }
                }
            }
            Filling::Bytes(written) => {
                // The photo is the one file of this kind that a new card has something in.
                let photo = match file.name == ef07::FILE.name {
                    true => session.photo()?,
                    false => None,
                };
                if !PhotoFile::encode(photo.as_ref()).starts_with(written) {
                    return Err(differs(0));
                }
            }
        }
    }
    Ok(())
}
