//! `Cards`: cards on record, and the relay to a card in a reader.

use card::CardFactor;
use proto::v1::{
    self, cards_server::Cards, get_card_request::Key, list_cards_request::Filter,
    review_card_change_request::Verdict,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Desk, Reply,
    card_changes::{lifting_cause, pending, replacement_cause},
    codes,
    convert::{date, id, numbered, page, parsed, receipt, sex_number, short_text, timestamp},
    emergencies::notices,
    relay,
};
use crate::{
    card_life::CardStatus,
    catalogue::Needs,
    registrar::{Error, NewCard, Presence, Reading},
    store::{Activation, Card, CardChange, CardId, CardOrder, Chip, Evidence, Receipt},
    vocabulary::Abandonment,
};

#[tonic::async_trait]
impl Cards for Desk {
    async fn register(
        &self,
        request: Request<v1::RegisterCardRequest>,
    ) -> Reply<v1::RegisterCardResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let application = match message.application_id.as_str() {
            "" => None,
            text => Some(id("application_id", text)?),
        };
        let order = NewCard {
            resident: id("resident_id", &message.resident_id)?,
            chip_serial: chip_serial(&message.chip_serial)?,
            factor: card_factor(message.card_factor)?,
            valid_until: date("valid_until", &message.valid_until)?,
            application,
            activation: match message.to_be_activated {
                true => Activation::Awaited,
                false => Activation::Done,
            },
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
        self.registrar.may_relay(&caller).await?;
        let steps = relay::serve(self.clone(), caller, request)?;
        Ok(Response::new(ReceiverStream::new(steps)))
    }

    async fn read(&self, request: Request<v1::ReadCardRequest>) -> Reply<v1::CardReading> {
        let caller = self.caller(&request).await?;
        let presence = id("presence_id", &request.get_ref().presence_id)?;
        let (presence, recorded) = self.registrar.reading(&caller, presence).await?;
        let notices = notices(&self.registrar, presence.resident).await;
        Ok(Response::new(v1::CardReading { notices, ..reading(presence, recorded) }))
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

    type IssueStream = ReceiverStream<Result<v1::IssueResponse, Status>>;

    async fn issue(
        &self,
        request: Request<Streaming<v1::IssueRequest>>,
    ) -> Reply<Self::IssueStream> {
        let caller = self.caller(&request).await?;
        self.registrar.may_issue_cards(&caller).await?;
        let steps = relay::issue::serve(self.clone(), caller, request)?;
        Ok(Response::new(ReceiverStream::new(steps)))
    }

    async fn check_security_code(
        &self,
        request: Request<v1::CheckSecurityCodeRequest>,
    ) -> Reply<v1::CheckSecurityCodeResponse> {
        let caller = self.caller(&request).await?;
        let v1::CheckSecurityCodeRequest { card_id: id, security_code } = request.into_inner();
        let (card, code) =
            (card_id(&id)?, parsed("security_code", &security_code, Needs::SecurityCode)?);
        let (right, recorded) = self.registrar.check_security_code(&caller, card, &code).await?;
        Ok(Response::new(v1::CheckSecurityCodeResponse { right, receipt: receipt(recorded) }))
    }

    async fn manifest(&self, request: Request<v1::ManifestRequest>) -> Reply<v1::ManifestResponse> {
        let caller = self.caller(&request).await?;
        let batch = id("batch_id", &request.get_ref().batch_id)?;
        let (manifest, recorded) = self.registrar.batch_manifest(&caller, batch).await?;
        Ok(Response::new(v1::ManifestResponse { manifest, receipt: receipt(recorded) }))
    }

    async fn abandon_batch(
        &self,
        request: Request<v1::AbandonBatchRequest>,
    ) -> Reply<v1::ManifestResponse> {
        let caller = self.caller(&request).await?;
        let v1::AbandonBatchRequest { batch_id, cause } = request.into_inner();
        let (batch, cause) = (id("batch_id", &batch_id)?, abandonment(cause)?);
        let (manifest, recorded) = self.registrar.abandon_batch(&caller, batch, cause).await?;
        let receipt = recorded.and_then(receipt);
        Ok(Response::new(v1::ManifestResponse { manifest, receipt }))
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

    async fn apply(&self, request: Request<v1::ApplyCardRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let resident = id("resident_id", &request.get_ref().resident_id)?;
        Ok(changed(self.registrar.apply_for_card(&caller, resident).await?))
    }

    async fn activate(&self, request: Request<v1::ActivateCardRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let card = card_id(&asked.card_id)?;
        let shown = parsed("id_number", &asked.id_number, Needs::IdNumber)?;
        Ok(changed(self.registrar.activate_card(&caller, card, &shown).await?))
    }

    async fn freeze(&self, request: Request<v1::FreezeCardRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let card = card_id(&request.get_ref().card_id)?;
        Ok(changed(self.registrar.freeze_card(&caller, card).await?))
    }

    async fn unfreeze(&self, request: Request<v1::UnfreezeCardRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let card = card_id(&request.get_ref().card_id)?;
        Ok(changed(self.registrar.unfreeze_card(&caller, card).await?))
    }

    async fn blacklist(&self, request: Request<v1::BlacklistCardRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let card = card_id(&request.get_ref().card_id)?;
        Ok(changed(self.registrar.blacklist_card(&caller, card).await?))
    }

    async fn unblacklist(
        &self,
        request: Request<v1::UnblacklistCardRequest>,
    ) -> Reply<v1::EnteredCardChange> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let card = card_id(&asked.card_id)?;
        let order = CardOrder::Unblacklist { cause: lifting_cause(asked.cause)? };
        Ok(entered(self.registrar.enter_card_change(&caller, card, order).await?))
    }

    async fn replace(
        &self,
        request: Request<v1::ReplaceCardRequest>,
    ) -> Reply<v1::EnteredCardChange> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let card = card_id(&asked.card_id)?;
        let order = CardOrder::Replace {
            chip: Chip {
                serial: chip_serial(&asked.chip_serial)?.as_str().to_owned(),
                factor: card_factor(asked.card_factor)?.0,
                valid_until: date("valid_until", &asked.valid_until)?,
            },
            cause: replacement_cause(asked.cause)?,
        };
        Ok(entered(self.registrar.enter_card_change(&caller, card, order).await?))
    }

    async fn review(
        &self,
        request: Request<v1::ReviewCardChangeRequest>,
    ) -> Reply<v1::ReviewedCardChange> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let change = id("change_id", &asked.change_id)?;
        let rejected = match asked.verdict {
            Some(Verdict::Approve(_)) => None,
            Some(Verdict::Reject(rejection)) => Some(short_text("reason", rejection.reason, 200)?),
            None => {
                return Err(Error::Field { field: "verdict", needs: Needs::ListedValue }.into());
            }
        };
        let reviewed = self.registrar.review_card_change(&caller, change, rejected).await?;
        Ok(Response::new(v1::ReviewedCardChange {
            change: Some(pending(reviewed.change, caller.now)),
            card: Some(message(reviewed.card)),
            receipt: receipt(reviewed.receipt),
        }))
    }

    async fn list_changes(
        &self,
        request: Request<v1::ListCardChangesRequest>,
    ) -> Reply<v1::ListCardChangesResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let (after, size) = page(asked.page_size, 50, &asked.page_token)?;
        let changes = self.registrar.card_changes(&caller, after, size).await?;
        let full = changes.len() == size as usize;
        let last = changes.last().filter(|_| full).map(|change| change.entered.id.to_string());
        let changes = changes.into_iter().map(|change| pending(change, caller.now)).collect();
        Ok(Response::new(v1::ListCardChangesResponse {
            changes,
            next_page_token: last.unwrap_or_default(),
        }))
    }

    async fn renew(&self, request: Request<v1::RenewCardRequest>) -> Reply<v1::CardChange> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let until = date("valid_until", &asked.valid_until)?;
        let card = card_id(&asked.card_id)?;
        let (card, recorded) = self.registrar.renew_card(&caller, card, until).await?;
        Ok(Response::new(v1::CardChange {
            card: Some(message(card)),
            receipt: recorded.and_then(receipt),
        }))
    }

    async fn status_list(
        &self,
        request: Request<v1::StatusListRequest>,
    ) -> Reply<v1::StatusListResponse> {
        let update = self.registrar.card_list(request.get_ref().held_number).await?;
        Ok(Response::new(v1::StatusListResponse {
            number: update.number,
            issued_at: Some(timestamp(update.issued_at)),
            list: update.bytes.map(|bytes| bytes.to_vec()).unwrap_or_default(),
        }))
    }

    async fn list(&self, request: Request<v1::ListCardsRequest>) -> Reply<v1::ListCardsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let (after, size) = page(asked.page_size, 50, &asked.page_token)?;
        let (cards, next) = match asked.filter {
            Some(Filter::EndingWithinDays(days)) => {
                self.registrar.ending_cards(&caller, days, after, size).await?
            }
            Some(Filter::Status(number)) => {
                let wanted = Some(status_of(number)?);
                self.registrar.cards(&caller, wanted, after, size).await?
            }
            None => self.registrar.cards(&caller, None, after, size).await?,
        };
        Ok(Response::new(v1::ListCardsResponse {
            cards: cards.into_iter().map(message).collect(),
            next_page_token: next.map(|cursor| cursor.to_string()).unwrap_or_default(),
        }))
    }
}

fn card_id(text: &str) -> Result<CardId, Error> {
    id("card_id", text)
}

fn chip_serial(text: &str) -> Result<card::ChipSerial, Error> {
    parsed("chip_serial", text, Needs::ChipSerial)
}

fn card_factor(octets: Vec<u8>) -> Result<CardFactor, Error> {
    let wrong = Error::Field { field: "card_factor", needs: Needs::CardFactor };
    Ok(CardFactor(octets.try_into().map_err(|_| wrong)?))
}

numbered!(
    status_of,
    status,
    CardStatus,
    CardStatus,
    "status",
    Applied,
    PreIssued,
    Active,
    Lost,
    Frozen,
    Blacklisted,
    Cancelled
);

fn message(card: Card) -> v1::Card {
    let (chip_serial, valid_until) = match card.chip {
        Some(chip) => (chip.serial, chip.valid_until.to_string()),
        None => Default::default(),
    };
    v1::Card {
        card_id: card.id.to_string(),
        resident_id: card.resident.to_string(),
        chip_serial,
        status: status(card.status),
        valid_until,
        registered_at: Some(timestamp(card.registered_at)),
        changed_at: Some(timestamp(card.changed_at)),
        renewal_until: card.renewal.map(|day| day.to_string()).unwrap_or_default(),
        replaces: card.replaces.map(|id| id.to_string()).unwrap_or_default(),
    }
}

fn changed((card, recorded): (Card, Receipt)) -> Response<v1::CardChange> {
    Response::new(v1::CardChange { card: Some(message(card)), receipt: receipt(recorded) })
}

fn entered((change, recorded): (CardChange, Receipt)) -> Response<v1::EnteredCardChange> {
    let now = change.entered.entered_at;
    Response::new(v1::EnteredCardChange {
        change: Some(pending(change, now)),
        receipt: receipt(recorded),
    })
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

/// Why a batch is given up.
fn abandonment(number: i32) -> Result<Abandonment, Error> {
    use v1::BatchAbandonment as Named;
    match Named::try_from(number) {
        Ok(Named::WrongRows) => Ok(Abandonment::WrongRows),
        Ok(Named::NoBlanks) => Ok(Abandonment::NoBlanks),
        Ok(Named::NotWanted) => Ok(Abandonment::NotWanted),
        Ok(Named::SamePeople) => Ok(Abandonment::SamePeople),
        Ok(Named::Unspecified) | Err(_) => {
            Err(Error::Field { field: "cause", needs: Needs::ListedValue })
        }
    }
}
