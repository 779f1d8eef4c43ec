//! The keys that tokens are checked with, as they are handed out.

use access_token::keys::KEPT;
use hsm::KeyDescription;

use super::{Error, Registrar, key_changed};
use crate::{
    clock::UtcTime,
    keys::Keys,
    policy::Act,
    store::{Store, StoreError},
    token::thumbprint,
};

/// Has the keystore's own key go on signing tokens where a key that moved into a device has not signed yet: whoever verifies
/// gets the time to fetch it. Which one is in use is on record.
///
/// # Errors
/// [`Error::Key`] when the device cannot be asked; [`Error::Store`].
pub(crate) async fn hold_token_key_back(store: &Store, keys: &Keys) -> Result<(), Error> {
    let Some(next) = keys.hold_token_key_back()? else { return Ok(()) };
    let taken = store.key_acts(Act::KeyRotate, &next.reference).await?;
    let named = named(&next);
    if taken.iter().any(|act| named.is_some() && act.thumbprint == named) {
        keys.let_token_key_sign();
    }
    Ok(())
}

fn named(key: &KeyDescription) -> Option<String> {
    key.public_key.as_ref().map(thumbprint)
}

impl Registrar {
    /// The keys that tokens, codes of electronic cards and lists of cards are checked with, as a JSON
    /// Web Key Set (RFC 7517). `sm2_id` says which are which: a signature is made with one identifier only.
    #[must_use]
    pub fn token_keys(&self) -> String {
        let mut keys = self.tokens.published();
        keys.extend(self.codes.published());
        keys.extend(self.card_lists.published());
        serde_json::json!({ "keys": keys }).to_string()
    }

    /// Puts on record since when the key is handed out that was made ahead to sign tokens: it is taken into use when
    /// whoever verifies had the time to fetch it. After failed self-tests nothing is recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn publish_next_token_key(&self, now: UtcTime) -> Result<(), StoreError> {
        let next = self.keys.next_token_key().filter(|_| self.tested().is_ok());
        let Some(next) = next.filter(|next| next.public_key.is_some()) else { return Ok(()) };
        let (key, named) = (&next.reference, named(&next));
        let published = self.store.key_acts(Act::KeyPublish, key).await?;
        if published.iter().all(|act| act.thumbprint != named) {
            let named = named.map(|named| ("thumbprint", named));
            let entry = key_changed(&self.name, Act::KeyPublish, key, next.version, named, now);
            self.store.record_act(entry).await?;
        }
        Ok(())
    }

    /// Whether a key in a device has yet to wait before it signs tokens.
    pub(crate) fn token_key_waits(&self) -> bool {
        self.keys.token_key_is_held_back()
    }

    /// Has the key in a device sign tokens when it was handed out for as long as others may keep the keys of before. That it
    /// does is on record first; after failed self-tests nothing is, and a device that is lost has to come back.
    ///
    /// # Errors
    /// [`Error`]; the keystore's own then goes on.
    pub(crate) async fn take_token_key(&self, now: UtcTime) -> Result<(), Error> {
        let next = self.keys.next_token_key();
        let may = self.token_key_waits() && self.tested().is_ok();
        let Some(next) = next.filter(|_| may) else { return Ok(()) };
        let (key, name) = (&next.reference, named(&next));
        let published = self.store.key_acts(Act::KeyPublish, key).await?;
        let since = published.into_iter().find(|act| name.is_some() && act.thumbprint == name);
        let from = since.map(|act| act.at + time::Duration::seconds(KEPT));
        let lost = self.devices().lost_with(key).is_some();
        if lost || from.is_none_or(|from| now < from) {
            return Ok(());
        }
        let signer = self.keys.token_in_device()?;
        let told = name.map(|name| ("thumbprint", name));
        let entry = key_changed(&self.name, Act::KeyRotate, key, next.version, told, now);
        self.store.record_act(entry).await?;
        self.keys.let_token_key_sign();
        self.tokens.succeed(signer);
        tracing::info!(%key, version = next.version, "the key in the device signs tokens now");
        Ok(())
    }
}
