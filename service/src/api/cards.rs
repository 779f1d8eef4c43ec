//! `Cards`: cards on record, and the relay to a card in a reader.

use card::CardFactor;
use proto::v1::{self, cards_server::Cards, get_card_request::Key};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Desk, Reply, codes,
    convert::{date, id, parsed, receipt, sex_number, timestamp},
    relay,
};
use crate::{
    catalogue::Needs,
    registrar::{Error, NewCard, Presence, Reading},
    store::{Card, CardId, CardStatus, Evidence, Receipt},
};

#[tonic::async_trait]
impl Cards for Desk {
    async fn register(
        &self,
        request: Request<v1::RegisterCardRequest>,
    ) -> Reply<v1::RegisterCardResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let order =
            NewCard {
                resident: id("resident_id", &message.resident_id)?,
                chip_serial: chip_serial(&message.chip_serial)?,
                factor: CardFactor(message.card_factor.try_into().map_err(|_| Error::Field {
                    field: "card_factor",
                    needs: Needs::CardFactor,
                })?),
                valid_until: date("valid_until", &message.valid_until)?,
            };
        let (card, recorded) = self.registrar.register_card(&caller, order).await?;
        Ok(Response::new(v1::RegisterCardResponse {
            card_id: card.to_string(),
            receipt: receipt(recorded),
        }))
    }

    type RelayStream = ReceiverStream<Result<v1::RelayResponse, Status>>;

    async fn relay(
        &self,
        request: Request<Streaming<v1::RelayRequest>>,
    ) -> Reply<Self::RelayStream> {
        let caller = self.caller(&request).await?;
        self.registrar.may_read_cards(&caller).await?;
        let steps = relay::serve(self.clone(), caller, request)?;
        Ok(Response::new(ReceiverStream::new(steps)))
    }

    async fn read(&self, request: Request<v1::ReadCardRequest>) -> Reply<v1::CardReading> {
        let caller = self.caller(&request).await?;
        let presence = id("presence_id", &request.get_ref().presence_id)?;
        let (presence, recorded) = self.registrar.reading(&caller, presence).await?;
        Ok(Response::new(reading(presence, recorded)))
    }

    async fn get(&self, request: Request<v1::GetCardRequest>) -> Reply<v1::Card> {
        let caller = self.caller(&request).await?;
        let card = match request.into_inner().key {
            Some(Key::CardId(text)) => self.registrar.card(&caller, id("card_id", &text)?).await?,
            Some(Key::ChipSerial(text)) => {
                self.registrar.card_by_chip(&caller, &chip_serial(&text)?).await?
            }
            None => {
                return Err(Error::Field { field: "key", needs: Needs::CardKey }.into());
            }
        };
        Ok(Response::new(message(card)))
    }

    async fn report_loss(&self, request: Request<v1::ReportLossRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let card = card_id(&request.get_ref().card_id)?;
        Ok(changed(self.registrar.report_loss(&caller, card).await?))
    }

    async fn release(&self, request: Request<v1::ReleaseCardRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let card = card_id(&request.get_ref().card_id)?;
        Ok(changed(self.registrar.release_card(&caller, card).await?))
    }

    async fn cancel(&self, request: Request<v1::CancelCardRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let card = card_id(&request.get_ref().card_id)?;
        Ok(changed(self.registrar.cancel_card(&caller, card).await?))
    }

    async fn apply_electronic_card(
        &self,
        request: Request<v1::ApplyElectronicCardRequest>,
    ) -> Reply<v1::ElectronicCard> {
        codes::apply(self, request).await
    }

    async fn cancel_electronic_card(
        &self,
        request: Request<v1::CancelElectronicCardRequest>,
    ) -> Reply<v1::ElectronicCard> {
        codes::cancel(self, request).await
    }

    async fn create_code(&self, request: Request<v1::CreateCodeRequest>) -> Reply<v1::CreatedCode> {
        codes::create(self, request).await
    }

    async fn show_desk_nonce(
        &self,
        request: Request<v1::DeskNonceRequest>,
    ) -> Reply<v1::DeskNonce> {
        codes::desk_nonce(self, request).await
    }

    async fn verify_code(
        &self,
        request: Request<v1::VerifyCodeRequest>,
    ) -> Reply<v1::VerifiedCode> {
        codes::verify(self, request).await
    }

    async fn revoke_code(
        &self,
        request: Request<v1::RevokeCodeRequest>,
    ) -> Reply<v1::RevokeCodeResponse> {
        codes::revoke(self, request).await
    }
}

fn card_id(text: &str) -> Result<CardId, Error> {
    id("card_id", text)
}

fn chip_serial(text: &str) -> Result<card::ChipSerial, Error> {
    parsed("chip_serial", text, Needs::ChipSerial)
}

fn status(status: CardStatus) -> v1::CardStatus {
    match status {
        CardStatus::Active => v1::CardStatus::Active,
        CardStatus::Lost => v1::CardStatus::Lost,
        CardStatus::Cancelled => v1::CardStatus::Cancelled,
    }
}

fn message(card: Card) -> v1::Card {
    v1::Card {
        card_id: card.id.to_string(),
        resident_id: card.resident.to_string(),
        chip_serial: card.chip_serial,
        status: status(card.status).into(),
        valid_until: card.valid_until.to_string(),
        registered_at: Some(timestamp(card.registered_at)),
        changed_at: Some(timestamp(card.changed_at)),
    }
}

fn changed((card, recorded): (Card, Receipt)) -> Response<v1::CardChange> {
    Response::new(v1::CardChange { card: Some(message(card)), receipt: receipt(recorded) })
}

/// A reading as the interface says it.
pub(super) fn reading(presence: Presence, recorded: Receipt) -> v1::CardReading {
    let Presence { id, evidence, resident, read_at, expires_at, reading } = presence;
    v1::CardReading {
        presence_id: id.to_string(),
        resident_id: resident.to_string(),
        card_id: evidence.card().map(|id| id.to_string()).unwrap_or_default(),
        electronic_card_id: evidence.electronic_card().map(|id| id.to_string()).unwrap_or_default(),
        evidence: match evidence {
            Evidence::Card(_) => v1::Evidence::Card,
            Evidence::DynamicCode(_) => v1::Evidence::DynamicCode,
            Evidence::SignedCode(_) => v1::Evidence::SignedCode,
        }
        .into(),
        read_at: Some(timestamp(read_at)),
        presence_expires_at: Some(timestamp(expires_at)),
        receipt: receipt(recorded),
        ..person(reading)
    }
}

/// What a reading says of the holder.
pub(super) fn person(mut read: Reading) -> v1::CardReading {
    v1::CardReading {
        // Only active cards are read at all.
        status: v1::CardStatus::Active.into(),
        name: std::mem::take(&mut read.name),
        sex: sex_number(read.sex),
        ethnic_group: read.ethnic_group.into(),
        birth_date: std::mem::take(&mut read.birth_date),
        id_number: std::mem::take(&mut read.id_number),
        valid_until: std::mem::take(&mut read.valid_until),
        issuer_name: std::mem::take(&mut read.issuer_name),
        chip_serial: std::mem::take(&mut read.chip_serial),
        commands: read.commands,
        card_microseconds: read.card_microseconds,
        ..v1::CardReading::default()
    }
}
