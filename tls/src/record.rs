//! Records under SM4-GCM and SM4-CCM (RFC 8998, 2; RFC 8446, 5.2): nonces of 12 octets that count, tags of 16, whatever
//! the input says.

use std::marker::PhantomData;

use aes_gcm::{
    AesGcm, KeyInit,
    aead::{
        AeadInOut,
        array::typenum::{U12, U16},
    },
};
use ccm::Ccm;
use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    crypto::cipher::{
        AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
        Nonce, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm,
        UnsupportedOperationError, make_tls13_aad,
    },
};
use sm4::Sm4;

/// Octets of a key.
const KEY: usize = 16;
/// Octets of a tag.
const TAG: usize = 16;

pub(crate) static GCM: Records<AesGcm<Sm4, U12, U16>> = Records(PhantomData);
pub(crate) static CCM: Records<Ccm<Sm4, U16, U12>> = Records(PhantomData);

/// How records are protected. No key leaves by it: the kernel is not asked to encrypt.
pub(crate) struct Records<C>(PhantomData<fn() -> C>);

struct Protected<C> {
    cipher: C,
    iv: Iv,
}

impl<C: KeyInit> Protected<C> {
    fn new(key: &AeadKey, iv: Iv) -> Self {
        let cipher = C::new_from_slice(key.as_ref()).expect("keys are as long as `key_len` says");
        Self { cipher, iv }
    }
}

impl<C> Tls13AeadAlgorithm for Records<C>
where
    C: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static,
{
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Protected::<C>::new(&key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Protected::<C>::new(&key, iv))
    }

    fn key_len(&self) -> usize {
        KEY
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

impl<C> MessageEncrypter for Protected<C>
where
    C: AeadInOut<NonceSize = U12, TagSize = U16> + Send + Sync,
{
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        number: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let length = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(length);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&message.typ.to_array());
        let nonce = Nonce::new(&self.iv, number).0;
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce.into(), &make_tls13_aad(length), payload.as_mut().into())
            .map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(&tag);
        // The version of before is what travels (RFC 8446, 5.1).
        let (kind, version) = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
        Ok(OutboundOpaqueMessage::new(kind, version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + 1 + TAG
    }
}

impl<C> MessageDecrypter for Protected<C>
where
    C: AeadInOut<NonceSize = U12, TagSize = U16> + Send + Sync,
{
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        number: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let length = message.payload.len();
        let (content, tag) =
            message.payload.split_last_chunk_mut::<TAG>().ok_or(Error::DecryptError)?;
        let nonce = Nonce::new(&self.iv, number).0;
        self.cipher
            .decrypt_inout_detached(
                &nonce.into(),
                &make_tls13_aad(length),
                content.into(),
                &(*tag).into(),
            )
            .map_err(|_| Error::DecryptError)?;
        message.payload.truncate(length - TAG);
        message.into_tls13_unpadded_message()
    }
}

#[cfg(test)]
mod tests;
