//! Who computes with card keys while a card is driven: the masters in the keystore, or the SAM at the desk.

use card::{
    ReadError, RecordSigner, Sam, SamSecurityModule, SecurityError, SecurityModule, Transport,
};

use super::Registrar;
use crate::config::CardSecurity;

/// The transport to a SAM, wherever it is.
pub type SamTransport = Box<dyn Transport + Send>;

/// The card security module of one card's driving. It also signs the records of that card.
pub enum Module {
    /// The masters in the keystore.
    Keystore,
    /// The SAM in the desk's second slot.
    Sam(Box<SamSecurityModule<SamTransport>>),
}

impl Registrar {
    /// Whether the settings ask for a SAM at the desk.
    #[must_use]
    pub fn needs_sam(&self) -> bool {
        self.card_security == CardSecurity::Sam
    }

    /// The module for driving a card, as the settings say; `sam` is the one at the desk, if there
    /// is one. Blocks while the SAM works.
    ///
    /// # Errors
    /// [`ReadError::Security`] when the SAM does not answer as one.
    pub fn module_at(&self, sam: Option<SamTransport>) -> Result<Module, ReadError> {
        match (self.card_security, sam) {
            (CardSecurity::Sam, Some(transport)) => {
                let sam = Sam::open(transport).map_err(SecurityError::from)?;
                Ok(Module::Sam(Box::new(SamSecurityModule::new(sam))))
            }
            // Without a SAM where one is needed no card is driven: the relay asks for it first.
            (CardSecurity::Keystore | CardSecurity::Sam, _) => Ok(Module::Keystore),
        }
    }

    /// Who computes.
    pub(super) fn security<'m>(&'m self, module: &'m Module) -> &'m dyn SecurityModule {
        match module {
            Module::Keystore => &self.card_keys,
            Module::Sam(sam) => &**sam,
        }
    }

    /// Who signs records.
    pub(super) fn record_signer<'m>(&'m self, module: &'m Module) -> &'m dyn RecordSigner {
        match module {
            Module::Keystore => &self.card_issuer.signer,
            Module::Sam(sam) => &**sam,
        }
    }
}
