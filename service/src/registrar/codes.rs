//! Electronic cards (电子健康卡) and their codes: given, made, shown at a desk, ended.
//!
//! A dynamic or signed code that is verified gives a presence, as a card in the reader does: somebody
//! is here with what only the holder could show. A static code gives none, since whoever has seen it
//! once can show it.

mod verify;

use std::time::Duration;

use access_token::keys::PublishedKey;
use audit::{Entry, Outcome};
use card::code::{Code, DeskNonce, ElectronicId, Platform, Unsigned};
use zeroize::Zeroizing;

pub use verify::{ShownCode, VerifiedCode};

use super::{
    Caller, Error, Registrar,
    challenges::{Challenges, TooMany},
};
use crate::{
    catalogue::{Needs, Reason},
    clock::UtcTime,
    code::CodeKeys,
    policy::Act,
    rate::Buckets,
    store::{
        self, Change, CodeId, CodeKind, ElectronicCard, ElectronicCardId, ElectronicCardStatus,
        Receipt, Resident, ResidentId, StoreError, Unique,
    },
};

/// The rule that refuses static codes, as the log names it.
const STATIC_RULE: &str = "static-code-accepted";

/// The forms a code has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeForm {
    /// 静态码
    Static,
    /// 动态码
    Dynamic,
    /// Our signed form.
    Signed,
}

/// A code to be made.
pub struct CodeOrder {
    /// For whom.
    pub resident: ResidentId,
    /// Its form.
    pub form: CodeForm,
    /// Successful verifications it is good for; 0 asks for one.
    pub uses: u32,
    /// The one desk it is for; signed codes only.
    pub desk: Option<DeskNonce>,
    /// The platform it names; not for signed codes.
    pub platform: Option<Platform>,
}

/// A code that was made. Its holder's secret: it has no `Debug`.
pub struct CreatedCode {
    /// Its number; static codes have none.
    pub id: Option<CodeId>,
    /// The card it stands for.
    pub electronic_card: ElectronicCardId,
    /// What to show.
    pub text: Zeroizing<String>,
    /// When it ends; static codes do not.
    pub expires_at: Option<UtcTime>,
    /// Successful verifications it is good for; `None` for any number.
    pub uses_left: Option<u32>,
}

/// What codes need besides the records.
pub(super) struct Codes {
    keys: CodeKeys,
    life: Duration,
    /// Nonces that desks show, by session.
    desks: Challenges,
    /// Verifications by session: guessing is slow.
    sessions: Buckets<[u8; 32]>,
    /// Verifications by card.
    cards: Buckets<ElectronicCardId>,
}

impl Codes {
    pub(super) fn new(keys: CodeKeys, life: Duration) -> Self {
        Self {
            keys,
            life,
            desks: Challenges::of_desks(life),
            sessions: Buckets::new(60.0, 2.0, 10_000),
            cards: Buckets::new(10.0, 0.2, 10_000),
        }
    }

    pub(super) fn published(&self) -> Vec<PublishedKey> {
        self.keys.published()
    }
}

impl Registrar {
    /// Gives a resident an electronic card (申领), or tells the one they have. One that was cancelled
    /// stays cancelled: only when it is asked for `anew` is it followed by another, with another id.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; ELECTRONIC_CARD_CANCELLED; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn apply_electronic_card(
        &self,
        caller: &Caller,
        resident: ResidentId,
        anew: bool,
    ) -> Result<(ElectronicCard, Receipt), Error> {
        let act = Act::ElectronicCardApply;
        self.allow(caller, act).await?;
        let resident = self.holder_of_codes(caller, act, resident).await?;
        let refused = || self.entry(caller, act, Outcome::Refused).about(resident.id.to_string());
        let granted = |card: ElectronicCardId| {
            self.entry(caller, act, Outcome::Granted)
                .about(resident.id.to_string())
                .on("electronic-card", card.to_string())
        };
        if let Some(card) = self.store.active_electronic_card(resident.id).await? {
            let receipt = self.record_act(granted(card.id)).await?;
            return Ok((card, receipt));
        }
        let mut octets = [0; 32];
        random(&mut octets);
        let card_id = ElectronicId(octets);
        let id = ElectronicCardId::generate();
        let card = ElectronicCard {
            id,
            resident: resident.id,
            institution: caller.holder.institution,
            card_id_index: self.personal.card_id_index(&card_id)?,
            sealed_card_id: self.personal.seal_card_id(&resident, id, &card_id)?,
            status: ElectronicCardStatus::Active,
            registered_at: caller.now,
            changed_at: caller.now,
        };
        match self.store.record_electronic_card(card.clone(), anew, granted(id)).await {
            // Somebody else applied in between: there is one to tell.
            Err(StoreError::Duplicate(Unique::ActiveElectronicCard)) => {
                let card = self.store.active_electronic_card(resident.id).await?;
                let card = card.ok_or(Reason::ELECTRONIC_CARD_NOT_FOUND)?;
                let receipt = self.record_act(granted(card.id)).await?;
                Ok((card, receipt))
            }
            answer => Ok((card, self.settle(refused(), answer).await?)),
        }
    }

    /// Cancels an electronic card for good, and with it all its codes.
    ///
    /// # Errors
    /// ELECTRONIC_CARD_NOT_FOUND; STATE_CONFLICT when it is cancelled; REGISTERED_ELSEWHERE;
    /// ROLE_NOT_ALLOWED.
    pub async fn cancel_electronic_card(
        &self,
        caller: &Caller,
        id: ElectronicCardId,
    ) -> Result<(ElectronicCard, Receipt), Error> {
        let act = Act::ElectronicCardCancel;
        self.allow(caller, act).await?;
        let entry =
            |outcome| self.entry(caller, act, outcome).on("electronic-card", id.to_string());
        let Some(card) = self.store.electronic_card(id).await? else {
            let reason = Reason::ELECTRONIC_CARD_NOT_FOUND;
            return self.refuse(entry(Outcome::Refused), reason).await;
        };
        let entry = |outcome| entry(outcome).about(card.resident.to_string());
        let refused = || entry(Outcome::Refused);
        self.here_or_present(caller, card.institution, card.resident, refused).await?;
        let granted = entry(Outcome::Granted);
        let answer = self.store.record_electronic_card_cancelled(id, caller.now, granted).await;
        match self.settle(refused(), answer).await? {
            Change::Recorded(receipt) => {
                let status = ElectronicCardStatus::Cancelled;
                Ok((ElectronicCard { status, changed_at: caller.now, ..card }, receipt))
            }
            Change::None => self.refuse(refused(), Reason::STATE_CONFLICT).await,
        }
    }

    /// Makes a code for the holder of an electronic card.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; ELECTRONIC_CARD_NOT_FOUND; CODE_STATIC_NOT_ALLOWED; CODE_NONCE_UNKNOWN;
    /// FIELD_INVALID for more uses than the rules give, or what does not go with the form;
    /// REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn create_code(
        &self,
        caller: &Caller,
        order: CodeOrder,
    ) -> Result<(CreatedCode, Receipt), Error> {
        let act = Act::CodeCreate;
        self.allow(caller, act).await?;
        let uses = self.uses(&order)?;
        let resident = self.holder_of_codes(caller, act, order.resident).await?;
        let refused = || self.entry(caller, act, Outcome::Refused).about(resident.id.to_string());
        if order.form == CodeForm::Static && !self.policy.makes_static_codes() {
            let entry = refused().under(self.policy_hash.as_str(), STATIC_RULE);
            return self.refuse(entry, Reason::CODE_STATIC_NOT_ALLOWED).await;
        }
        if let Some(nonce) = &order.desk
            && self.codes.desks.holder(nonce.octets(), caller.now).is_none()
        {
            return self.refuse(refused(), Reason::CODE_NONCE_UNKNOWN).await;
        }
        let Some(card) = self.store.active_electronic_card(resident.id).await? else {
            return self.refuse(refused(), Reason::ELECTRONIC_CARD_NOT_FOUND).await;
        };
        let made = self.make_code(caller, &resident, &card, order, uses)?;
        let entry = self
            .entry(caller, act, Outcome::Granted)
            .about(resident.id.to_string())
            .on("electronic-card", card.id.to_string())
            .with("digest", digest(&made.text));
        let session = caller.holder.session;
        let answer = match made.record {
            Some(record) => {
                let entry = entry
                    .with("form", record.kind.as_str())
                    .with("code", record.id.to_string())
                    .with("uses", uses.to_string());
                self.store.record_code(record, resident.id, session, entry).await
            }
            None => {
                let entry = entry.with("form", "static");
                let now = caller.now;
                self.store.record_static_code(card.id, resident.id, session, now, entry).await
            }
        };
        let receipt = self.settle(refused(), answer).await?;
        Ok((made.code, receipt))
    }

    fn uses(&self, order: &CodeOrder) -> Result<u32, Error> {
        let signed = order.form == CodeForm::Signed;
        if order.desk.is_some() && !signed {
            return Err(Error::Field { field: "desk_nonce", needs: Needs::OfSignedCode });
        }
        if order.platform.is_some() && signed {
            return Err(Error::Field { field: "platform_code", needs: Needs::OfPlainCode });
        }
        let most = if order.form == CodeForm::Static { 0 } else { self.policy.code_uses() };
        match order.uses {
            0 => Ok(1),
            uses if uses <= most => Ok(uses),
            _ => Err(Error::Field { field: "uses", needs: Needs::CodeUses }),
        }
    }

    fn make_code(
        &self,
        caller: &Caller,
        resident: &Resident,
        card: &ElectronicCard,
        order: CodeOrder,
        uses: u32,
    ) -> Result<Made, Error> {
        let card_id = self.personal.open_card_id(resident, card)?;
        let kind = match order.form {
            CodeForm::Static => {
                let text = Code::Static { card: card_id, platform: order.platform }.to_string();
                let text = Zeroizing::new(text);
                let code = CreatedCode {
                    id: None,
                    electronic_card: card.id,
                    text: text.clone(),
                    expires_at: None,
                    uses_left: None,
                };
                return Ok(Made { code, text, record: None });
            }
            CodeForm::Dynamic => CodeKind::Dynamic,
            CodeForm::Signed => CodeKind::Signed,
        };
        // Codes speak in whole seconds; one ends when the record says it does.
        let id = CodeId::generate();
        let starts = caller.now.unix_timestamp();
        let life = self.codes.life.as_secs();
        let not_before = u64::try_from(starts).map_err(|e| Error::internal("the clock", e))?;
        let ends = not_before + life;
        let expires_at = UtcTime::from_unix_timestamp(starts).map(|at| at + self.codes.life);
        let expires_at = expires_at.map_err(|e| Error::internal("the clock", e))?;
        let mut nonce = [0; 16];
        random(&mut nonce);
        let text = match kind {
            CodeKind::Dynamic => Code::Dynamic {
                dynamic: self.codes.keys.dynamic(&card_id, &nonce, ends)?,
                card: card_id,
                platform: order.platform,
            },
            CodeKind::Signed => {
                let life = u32::try_from(life).map_err(|e| Error::internal("a code's life", e))?;
                let body = Unsigned {
                    key: [0; 8],
                    number: *id.octets(),
                    card: card_id,
                    not_before,
                    life,
                    desk: order.desk,
                };
                let signed = self.codes.keys.sign(body);
                Code::Signed(Box::new(signed.map_err(|e| Error::internal("signing a code", e))?))
            }
        };
        let text = Zeroizing::new(text.to_string());
        let record = store::Code {
            id,
            digest: hsm::sm3::digest(text.as_bytes()),
            electronic_card: card.id,
            kind,
            nonce,
            made_by: caller.holder.identity,
            made_at: caller.now,
            expires_at,
            uses_left: uses,
            revoked_at: None,
        };
        let code = CreatedCode {
            id: Some(id),
            electronic_card: card.id,
            text: text.clone(),
            expires_at: Some(expires_at),
            uses_left: Some(uses),
        };
        Ok(Made { code, text, record: Some(record) })
    }

    /// A nonce for the caller's desk to show: a signed code that is bound to it is good here alone.
    ///
    /// # Errors
    /// RATE_LIMITED; ROLE_NOT_ALLOWED.
    pub async fn desk_nonce(&self, caller: &Caller) -> Result<([u8; 32], UtcTime), Error> {
        self.allow(caller, Act::CodeVerify).await?;
        let session = caller.holder.session;
        if !self.codes.sessions.admit(session, caller.now) {
            return Err(Reason::RATE_LIMITED.into());
        }
        let mut nonce = [0; 32];
        random(&mut nonce);
        let opened = self.codes.desks.open(nonce, session, caller.now);
        Ok((nonce, opened.map_err(|TooMany| Reason::RATE_LIMITED)?))
    }

    /// Ends a code before its time.
    ///
    /// # Errors
    /// CODE_NOT_FOUND; STATE_CONFLICT when it has ended; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn revoke_code(&self, caller: &Caller, id: CodeId) -> Result<Receipt, Error> {
        let act = Act::CodeRevoke;
        self.allow(caller, act).await?;
        let entry = |outcome| self.entry(caller, act, outcome).on("code", id.to_string());
        let refused = || entry(Outcome::Refused);
        let Some(code) = self.store.code(id).await? else {
            return self.refuse(refused(), Reason::CODE_NOT_FOUND).await;
        };
        let Some(card) = self.store.electronic_card(code.electronic_card).await? else {
            return self.refuse(refused(), Reason::ELECTRONIC_CARD_NOT_FOUND).await;
        };
        let about = |entry: Entry| entry.about(card.resident.to_string());
        self.here_or_present(caller, card.institution, card.resident, || about(refused())).await?;
        let granted = about(entry(Outcome::Granted));
        let answer = self.store.record_code_revoked(id, caller.now, granted).await;
        match self.settle(about(refused()), answer).await? {
            Change::Recorded(receipt) => Ok(receipt),
            Change::None => self.refuse(about(refused()), Reason::STATE_CONFLICT).await,
        }
    }

    /// A resident for whom this caller may give and make what stands for them.
    async fn holder_of_codes(
        &self,
        caller: &Caller,
        act: Act,
        id: ResidentId,
    ) -> Result<Resident, Error> {
        let refused = || self.entry(caller, act, Outcome::Refused).about(id.to_string());
        let resident = self.resident_asked_for(id, refused).await?;
        self.here_or_present(caller, resident.institution, id, refused).await?;
        Ok(resident)
    }
}

/// A code and what is to be recorded of it.
struct Made {
    code: CreatedCode,
    text: Zeroizing<String>,
    record: Option<store::Code>,
}

/// How the log names a code: by the SM3 of its text.
fn digest(text: &str) -> String {
    hex::encode(hsm::sm3::digest(text.as_bytes()))
}

fn random(octets: &mut [u8]) {
    // Nothing safe can be done without randomness, and no caller could do better.
    getrandom::fill(octets).expect("the operating system gives random octets");
}
