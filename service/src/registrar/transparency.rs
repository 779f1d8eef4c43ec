//! What was certified in somebody's name (证书透明): for the holder, who sees what others asked for.

use audit::{Entry, Outcome};
use hsm::sm3;

use super::{Caller, Error, Registrar};
use crate::{policy::Act, store::Certificate as CertificateRecord};

/// What the entry of a signing certificate calls its digest, and that of the other one of its pair.
const DIGESTS: [&str; 2] = ["certificate-sm3", "encryption-certificate-sm3"];

/// Certificates of one holder, with proofs against one checkpoint.
pub struct OwnCertificates {
    /// The oldest first.
    pub certificates: Vec<OwnCertificate>,
    /// Size of the log.
    pub tree_size: u64,
    /// The signed checkpoint of that size.
    pub checkpoint: String,
}

/// A certificate and the entry that says that it was signed.
pub struct OwnCertificate {
    /// The record.
    pub record: CertificateRecord,
    /// Position, entry and path of the proof; `None` for a draft and for those of before.
    pub logged: Option<(u64, Vec<u8>, Vec<[u8; 32]>)>,
}

impl Registrar {
    /// The certificates issued in the caller's own name, drafts included, each with its place in the log.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn own_certificates(&self, caller: &Caller) -> Result<OwnCertificates, Error> {
        self.allow(caller, Act::CertificateOwn).await?;
        self.record_act(self.entry(caller, Act::CertificateOwn, Outcome::Granted)).await?;
        let (tree_size, checkpoint) = self.store.checkpoint();
        let mut certificates = Vec::new();
        for record in self.store.certificates_of(caller.holder.identity).await? {
            let logged = match record.log_position {
                // One that was signed a moment ago is proved by the next checkpoint.
                Some(position) if position < tree_size => {
                    let row = self.store.entry(position).await?;
                    let row = row.ok_or(Error::Internal { what: "an entry", source: None })?;
                    Some((position, row.entry, self.store.prove(position, tree_size).await?))
                }
                _ => None,
            };
            certificates.push(OwnCertificate { record, logged });
        }
        Ok(OwnCertificates { certificates, tree_size, checkpoint })
    }
}

/// Binds the entry to the very certificates that were signed, DER: a signing certificate, and the encryption
/// certificate of its pair.
pub(super) fn with_digests<'a>(entry: Entry, signed: impl IntoIterator<Item = &'a [u8]>) -> Entry {
    let digests = DIGESTS.into_iter().zip(signed);
    digests.fold(entry, |entry, (name, der)| entry.with(name, hex::encode(sm3::digest(der))))
}
