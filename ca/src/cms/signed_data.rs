use std::fmt;

use hsm::{sm2::Signature, sm3};
use time::{Duration, OffsetDateTime};

use super::{
    CmsError, SignedAttributes, World,
    attributes::data_of,
    digest_of,
    envelope::{self, Envelope},
};
use crate::{
    Certificate,
    chain::{Anchors, Moment, Purpose},
    der::{oid, sequence},
    oid,
};

/// How far apart the clocks of a signer and of a witness may be.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// A signed message with one signer, read strictly. Whether it may be relied on is answered by
/// [`SignedData::verify`].
#[derive(Clone)]
pub struct SignedData {
    attributes: SignedAttributes,
    signer: Certificate,
    /// Certificates beside the signer's.
    others: Vec<Certificate>,
    content: Option<Vec<u8>>,
    signature: Signature,
}

/// Whether the signature must itself say with which certificate it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// signingCertificateV2 must be there, as in everything made here: no other certificate for the
    /// same key can be put in the place of the signer's.
    Required,
    /// It may be missing, as in signatures of tools that leave it out. If it is there, it must be
    /// right.
    IfPresent,
}

/// Who signed, once that is established.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The signer's certificate.
    pub certificate: Certificate,
    /// When the signer says it was signed.
    pub signing_time: OffsetDateTime,
}

impl SignedData {
    /// Most octets a message may have.
    pub const MAX_LEN: usize = 64 << 10;

    /// Most certificates in a message.
    pub const MAX_CERTIFICATES: usize = envelope::MAX_CERTIFICATES;

    /// Puts a message together: detached, with the signer's certificate and the authorities above
    /// it without the root. DER.
    ///
    /// # Errors
    /// [`CmsError::OtherCertificate`] when the attributes were prepared for another certificate,
    /// and [`CmsError::BadSignature`] when the signature is not over these attributes.
    pub fn complete<'a>(
        attributes: &SignedAttributes,
        signer: &Certificate,
        authorities: impl IntoIterator<Item = &'a Certificate>,
        signature: &Signature,
    ) -> Result<Vec<u8>, CmsError> {
        if attributes.names(signer) != Some(true) {
            return Err(CmsError::OtherCertificate);
        }
        let key = signer.public_key();
        key.verify(&digest_of(key, attributes.der()), signature)
            .map_err(|_| CmsError::BadSignature)?;

        let mut certificates: Vec<Vec<u8>> = vec![signer.der().to_vec()];
        certificates.extend(authorities.into_iter().map(|authority| authority.der().to_vec()));
        let encapsulated = sequence(&[&oid(&oid::DATA)]);
        let set = attributes.der();
        let world = World::Rfc5652;
        Ok(envelope::write(world, 1, &encapsulated, certificates, signer, set, signature))
    }

    /// Reads a message, DER.
    ///
    /// # Errors
    /// [`CmsError`], when one octet is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, CmsError> {
        if der.len() > Self::MAX_LEN {
            return Err(CmsError::TooLong);
        }
        let envelope = Envelope::read(der)?;
        let content_type = data_of(envelope.content_type)?;
        let attributes = SignedAttributes::parse(&envelope.attributes)?;
        let same = content_type == envelope.world && content_type == attributes.content_type;
        if envelope.version != 1 || !same {
            return Err(CmsError::ContentType);
        }
        let signer = envelope.signer().ok_or(CmsError::NoCertificate)?;
        let Envelope { certificates: mut others, content, signature, .. } = envelope;
        let signer = others.swap_remove(signer);
        Ok(Self { attributes, signer, others, content: content.map(<[u8]>::to_vec), signature })
    }

    /// Whether this is a signature over the record with this SM3 digest, by somebody who may sign
    /// records, at a time when they could. Judged by what is known `now`; `witnessed` is when
    /// somebody else, such as the audit log, had seen it.
    ///
    /// # Errors
    /// [`CmsError`], for the first thing found wrong.
    pub fn verify(
        &self,
        record_digest: &[u8; 32],
        anchors: &Anchors,
        binding: Binding,
        witnessed: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<Signer, CmsError> {
        let attributes = &self.attributes;
        let attached = self.content.as_ref().map(|content| sm3::digest(content));
        if attributes.record_digest() != record_digest
            || attached.is_some_and(|digest| digest != *record_digest)
        {
            return Err(CmsError::OtherRecord);
        }
        match (attributes.names(&self.signer), binding) {
            (Some(true), _) | (None, Binding::IfPresent) => {}
            (None, Binding::Required) => {
                return Err(CmsError::MissingAttribute("signingCertificateV2"));
            }
            (Some(false), _) => return Err(CmsError::OtherCertificate),
        }
        let key = self.signer.public_key();
        let e = digest_of(key, attributes.der());
        key.verify(&e, &self.signature).map_err(|_| CmsError::BadSignature)?;

        let claimed = attributes.signing_time();
        if claimed > now.min(witnessed.unwrap_or(now)) + CLOCK_SKEW {
            return Err(CmsError::FutureTime);
        }
        let moment = Moment { claimed, witnessed };
        let path = anchors.verify_past(&self.signer, Purpose::SignRecord, moment, now)?;
        // Nobody signed the list of certificates: one that is not needed has no business in it. Of an
        // authority that was renewed each will do.
        let on_path = |other: &Certificate| {
            anchors.knows(other)
                && path.authorities().iter().any(|above| {
                    above.subject() == other.subject() && above.public_key() == other.public_key()
                })
        };
        if !self.others.iter().all(on_path) {
            return Err(CmsError::StrangeCertificate);
        }
        Ok(Signer { certificate: self.signer.clone(), signing_time: claimed })
    }

    /// What was signed.
    pub fn attributes(&self) -> &SignedAttributes {
        &self.attributes
    }

    /// The certificate of the one who claims to have signed.
    pub fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// The record, when it is attached.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }
}

/// Shows who signed and when, and nothing of an attached record.
impl fmt::Debug for SignedData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signing_time = self.attributes.signing_time();
        write!(f, "SignedData(by {}, {signing_time})", self.signer.serial())
    }
}
