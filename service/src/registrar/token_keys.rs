//! The keys that tokens are checked with, as they are handed out.

use super::{Registrar, key_changed};
use crate::{clock::UtcTime, policy::Act, store::StoreError, token::thumbprint};

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
        let Some((next, public)) = next.and_then(|next| Some((next.clone(), next.public_key?)))
        else {
            return Ok(());
        };
        let (key, named) = (&next.reference, Some(thumbprint(&public)));
        let published = self.store.key_acts(Act::KeyPublish, key).await?;
        if published.iter().all(|act| act.thumbprint != named) {
            let named = named.map(|named| ("thumbprint", named));
            let entry = key_changed(&self.name, Act::KeyPublish, key, next.version, named, now);
            self.store.record_act(entry).await?;
        }
        Ok(())
    }
}
