//! The clerk's counter: a card in the reader, and what its holder agrees to.

use std::path::Path;

use proto::v1::consents_client::ConsentsClient;
use proto::v1::residents_client::ResidentsClient;
use proto::v1::{
    Consent, GrantConsentRequest, HistoryActor, ResidentHistoryRequest, WithdrawConsentRequest,
};
use service::demo::people::CLERK;
use tonic::Status;

use crate::grpc::{Caller, log_in};
use crate::hospital::Hospital;
use crate::relay::{Relay, card, present};

/// The clerk at a reader with a card in it.
pub struct Counter {
    /// The clerk.
    pub caller: Caller,
    relay: Relay,
}

impl Counter {
    /// Logs the clerk in, and opens the relay of the reader.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn open(hospital: &Hospital) -> Self {
        let caller = log_in(&hospital.stage, CLERK.key).await;
        let relay = Relay::open(caller.clone()).await.expect("a relay");
        Self { caller, relay }
    }

    /// Reads a card; the presence.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn reads(&mut self, image: &Path) -> String {
        present(&mut self.relay, &mut card(image)).await.reading().presence_id
    }

    /// Records what a resident agrees or objects to.
    ///
    /// # Errors
    /// As the service says.
    pub async fn grants(&self, order: GrantConsentRequest) -> Result<Consent, Status> {
        let mut consents = ConsentsClient::new(self.caller.clone());
        Ok(consents.grant(order).await?.into_inner())
    }

    /// Withdraws it.
    ///
    /// # Errors
    /// As the service says.
    pub async fn withdraws(&self, consent: &str, presence: &str) -> Result<Consent, Status> {
        let request = WithdrawConsentRequest {
            consent_id: consent.to_owned(),
            presence_id: presence.to_owned(),
        };
        let mut consents = ConsentsClient::new(self.caller.clone());
        Ok(consents.withdraw(request).await?.into_inner())
    }

    /// All that the log has about a resident, and who the people in it are.
    ///
    /// # Errors
    /// As the service says.
    pub async fn history(
        &self,
        resident: &str,
        presence: &str,
    ) -> Result<(String, Vec<HistoryActor>), Status> {
        let request = ResidentHistoryRequest {
            resident_id: resident.to_owned(),
            presence_id: presence.to_owned(),
        };
        let mut residents = ResidentsClient::new(self.caller.clone());
        let mut stream = residents.history(request).await?.into_inner();
        let (mut file, mut actors) = (Vec::new(), Vec::new());
        while let Some(piece) = stream.message().await? {
            file.extend(piece.chunk);
            actors.extend(piece.actors);
        }
        let file = String::from_utf8(file).map_err(|_| Status::internal("a history is text"))?;
        Ok((file, actors))
    }
}
