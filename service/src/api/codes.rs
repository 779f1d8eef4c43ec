//! Electronic cards and their codes: the calls of `Cards` that are about them.

use card::code::{DeskNonce, Platform};
use proto::v1;
use tonic::{Request, Response};
use zeroize::Zeroizing;

use super::{
    Desk, Reply,
    cards::{person, reading},
    convert::{code_form, code_form_number, id, parsed, receipt, timestamp},
    emergencies::notices,
};
use crate::{
    catalogue::Needs,
    registrar::{CodeOrder, Error, Presence, ShownCode, VerifiedCode},
    store::{ElectronicCard, ElectronicCardStatus, Receipt},
};

pub(super) async fn apply(
    desk: &Desk,
    request: Request<v1::ApplyElectronicCardRequest>,
) -> Reply<v1::ElectronicCard> {
    let caller = desk.caller(&request).await?;
    let asked = request.into_inner();
    let resident = id("resident_id", &asked.resident_id)?;
    let given = desk.registrar.apply_electronic_card(&caller, resident, asked.anew).await?;
    Ok(electronic_card(given))
}

pub(super) async fn cancel(
    desk: &Desk,
    request: Request<v1::CancelElectronicCardRequest>,
) -> Reply<v1::ElectronicCard> {
    let caller = desk.caller(&request).await?;
    let card = id("electronic_card_id", &request.get_ref().electronic_card_id)?;
    Ok(electronic_card(desk.registrar.cancel_electronic_card(&caller, card).await?))
}

pub(super) async fn create(
    desk: &Desk,
    request: Request<v1::CreateCodeRequest>,
) -> Reply<v1::CreatedCode> {
    let caller = desk.caller(&request).await?;
    let asked = request.into_inner();
    let form = code_form(asked.form)?;
    let order = CodeOrder {
        resident: id("resident_id", &asked.resident_id)?,
        form,
        uses: asked.uses,
        desk: nonce(&asked.desk_nonce)?,
        platform: match &*asked.platform_code {
            "" => None,
            text => Some(parsed::<Platform>("platform_code", text, Needs::OfPlainCode)?),
        },
    };
    let (mut made, recorded) = desk.registrar.create_code(&caller, order).await?;
    Ok(Response::new(v1::CreatedCode {
        code_id: made.id.map(|id| id.to_string()).unwrap_or_default(),
        electronic_card_id: made.electronic_card.to_string(),
        form: code_form_number(form),
        code: std::mem::take(&mut *made.text),
        expires_at: made.expires_at.map(timestamp),
        uses_left: made.uses_left,
        receipt: receipt(recorded),
    }))
}

pub(super) async fn desk_nonce(
    desk: &Desk,
    request: Request<v1::DeskNonceRequest>,
) -> Reply<v1::DeskNonce> {
    let caller = desk.caller(&request).await?;
    let (nonce, ends) = desk.registrar.desk_nonce(&caller).await?;
    let expires_at = Some(timestamp(ends));
    Ok(Response::new(v1::DeskNonce { nonce: nonce.to_vec(), expires_at }))
}

pub(super) async fn verify(
    desk: &Desk,
    request: Request<v1::VerifyCodeRequest>,
) -> Reply<v1::VerifiedCode> {
    let caller = desk.caller(&request).await?;
    let asked = request.into_inner();
    let shown = ShownCode {
        desk: nonce(&asked.desk_nonce)?,
        step: parsed("medical_step", &asked.medical_step, Needs::MedicalStep)?,
        channel: parsed("channel", &asked.channel, Needs::Channel)?,
        terminal: parsed("terminal", &asked.terminal, Needs::Channel)?,
        text: Zeroizing::new(asked.code),
    };
    let read_at = caller.now;
    let (found, recorded) = desk.registrar.verify_code(&caller, shown).await?;
    let VerifiedCode { form, id, electronic_card, uses_left, expires_at, resident, .. } = found;
    let reading = match found.presence {
        Some((presence, evidence, until)) => reading(
            Presence {
                id: presence,
                evidence,
                resident,
                read_at,
                expires_at: until,
                reading: found.reading,
            },
            recorded,
        ),
        None => v1::CardReading {
            resident_id: resident.to_string(),
            electronic_card_id: electronic_card.to_string(),
            evidence: v1::Evidence::StaticCode.into(),
            read_at: Some(timestamp(read_at)),
            receipt: receipt(recorded),
            ..person(found.reading)
        },
    };
    let notices = notices(&desk.registrar, resident).await.into_iter().map(|notice| {
        // Whoever shows a code may be somebody else: that there is something to tell is all that it brings up.
        v1::EmergencyNotice { emergency_id: notice.emergency_id, ..v1::EmergencyNotice::default() }
    });
    let notices = notices.collect();
    Ok(Response::new(v1::VerifiedCode {
        form: code_form_number(form),
        code_id: id.map(|id| id.to_string()).unwrap_or_default(),
        uses_left,
        expires_at: expires_at.map(timestamp),
        reading: Some(v1::CardReading { notices, ..reading }),
    }))
}

pub(super) async fn revoke(
    desk: &Desk,
    request: Request<v1::RevokeCodeRequest>,
) -> Reply<v1::RevokeCodeResponse> {
    let caller = desk.caller(&request).await?;
    let code = id("code_id", &request.get_ref().code_id)?;
    let recorded = desk.registrar.revoke_code(&caller, code).await?;
    Ok(Response::new(v1::RevokeCodeResponse { receipt: receipt(recorded) }))
}

fn electronic_card((card, recorded): (ElectronicCard, Receipt)) -> Response<v1::ElectronicCard> {
    let status = match card.status {
        ElectronicCardStatus::Active => v1::ElectronicCardStatus::Active,
        ElectronicCardStatus::Cancelled => v1::ElectronicCardStatus::Cancelled,
    };
    Response::new(v1::ElectronicCard {
        electronic_card_id: card.id.to_string(),
        resident_id: card.resident.to_string(),
        status: status.into(),
        registered_at: Some(timestamp(card.registered_at)),
        changed_at: Some(timestamp(card.changed_at)),
        receipt: receipt(recorded),
    })
}

/// The nonce of a desk; absent is no bytes at all.
fn nonce(octets: &[u8]) -> Result<Option<DeskNonce>, Error> {
    let wrong = Error::Field { field: "desk_nonce", needs: Needs::OfSignedCode };
    match <[u8; 32]>::try_from(octets) {
        Ok(octets) => DeskNonce::new(octets).map(Some).ok_or(wrong),
        Err(_) if octets.is_empty() => Ok(None),
        Err(_) => Err(wrong),
    }
}
