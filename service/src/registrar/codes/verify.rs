//! A code that is shown at a desk: is it one of ours, is it good, is it for this desk; and its use.

use audit::{Entry, Outcome};
use card::code::{BadCode, Channel, Code, DeskNonce, MedicalStep, SignedCode};
use zeroize::Zeroizing;

use super::{CodeForm, Codes, STATIC_RULE, digest};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::Act,
    registrar::{Caller, Error, Reading, Registrar},
    store::{
        self, CodeId, CodeKind, CodeUse, ElectronicCard, ElectronicCardId, ElectronicCardStatus,
        Evidence, PresenceId, Receipt, Resident, ResidentId,
    },
};

/// A code that somebody shows at a desk.
pub struct ShownCode {
    /// What was scanned.
    pub text: Zeroizing<String>,
    /// The nonce of this desk that the code must be bound to.
    pub desk: Option<DeskNonce>,
    /// What for (诊疗环节).
    pub step: MedicalStep,
    /// Through which channel (渠道).
    pub channel: Channel,
    /// At which kind of terminal (终端).
    pub terminal: Channel,
}

/// A code that was found good.
pub struct VerifiedCode {
    /// Its form.
    pub form: CodeForm,
    /// Its number; static codes have none.
    pub id: Option<CodeId>,
    /// The card it stands for.
    pub electronic_card: ElectronicCardId,
    /// Successful verifications that are left; `None` for any number.
    pub uses_left: Option<u32>,
    /// When it ends; static codes do not.
    pub expires_at: Option<UtcTime>,
    /// Who it is.
    pub resident: ResidentId,
    /// What is known of them.
    pub reading: Reading,
    /// The presence it gave, what that rests on, and until when; a static code gives none.
    pub presence: Option<(PresenceId, Evidence, UtcTime)>,
}

/// A code that is shown, and what is known of it so far: all that entries about it say.
#[derive(Clone, Copy)]
struct Case<'a> {
    registrar: &'a Registrar,
    caller: &'a Caller,
    shown: &'a ShownCode,
    /// Only of what is a code: anything else that was scanned may be an ID number, say, and a digest
    /// of such a thing gives it away.
    digest: Option<&'a str>,
    card: Option<&'a ElectronicCard>,
    record: Option<&'a store::Code>,
}

impl Case<'_> {
    fn entry(&self, outcome: Outcome) -> Entry {
        let mut entry = self
            .registrar
            .entry(self.caller, Act::CodeVerify, outcome)
            .with("step", self.shown.step.code())
            .with("channel", self.shown.channel.code())
            .with("terminal", self.shown.terminal.code());
        if let Some(digest) = self.digest {
            entry = entry.with("digest", digest);
        }
        if let Some(card) = self.card {
            entry =
                entry.about(card.resident.to_string()).on("electronic-card", card.id.to_string());
        }
        if let Some(record) = self.record {
            entry = entry.with("form", record.kind.as_str()).with("code", record.id.to_string());
        }
        entry
    }

    fn refused(&self) -> Entry {
        self.entry(Outcome::Refused)
    }

    async fn refuse<T>(&self, reason: Reason) -> Result<T, Error> {
        self.registrar.refuse(self.refused(), reason).await
    }
}

impl Codes {
    /// Whether a signed code is for this desk: for the nonce that the desk insists on, or for any of
    /// its own, or, where the desk insists on none, for no desk in particular.
    fn is_for(&self, code: &Code, asked: Option<&DeskNonce>, caller: &Caller) -> bool {
        let bound = match code {
            Code::Signed(code) => code.body().desk.as_ref(),
            Code::Static { .. } | Code::Dynamic { .. } => None,
        };
        if asked.is_some() && asked != bound {
            return false;
        }
        bound.is_none_or(|nonce| {
            self.desks.holder(nonce.octets(), caller.now) == Some(caller.holder.session)
        })
    }
}

impl Registrar {
    /// Verifies a code that somebody shows, and uses it: the answer leaves when the use is on disk.
    ///
    /// # Errors
    /// CODE_FOREIGN, CODE_MALFORMED, CODE_UNKNOWN, CODE_NOT_GENUINE, CODE_USED, CODE_REVOKED,
    /// CODE_EXPIRED, CODE_OTHER_DESK, CODE_OWN, CODE_STATIC_NOT_ALLOWED, ELECTRONIC_CARD_CANCELLED,
    /// RATE_LIMITED, ROLE_NOT_ALLOWED.
    pub async fn verify_code(
        &self,
        caller: &Caller,
        shown: ShownCode,
    ) -> Result<(VerifiedCode, Receipt), Error> {
        self.allow(caller, Act::CodeVerify).await?;
        // Too many scans name nobody, and must not fill the log.
        if !self.codes.sessions.admit(caller.holder.session, caller.now) {
            return Err(Reason::RATE_LIMITED.into());
        }
        let shown = &shown;
        let case = Case { registrar: self, caller, shown, digest: None, card: None, record: None };
        let code: Code = match shown.text.parse() {
            Ok(code) => code,
            Err(bad) => {
                let reason = match bad {
                    BadCode::NotACode => Reason::CODE_FOREIGN,
                    _ => Reason::CODE_MALFORMED,
                };
                return self.refuse(case.refused().with("form", bad.word()), reason).await;
            }
        };
        let digest = digest(&shown.text);
        let case = Case { digest: Some(&digest), ..case };
        match &code {
            Code::Static { .. } if !self.policy.accepts_static_code(shown.step) => {
                let entry = case.refused().under(self.policy_hash.as_str(), STATIC_RULE);
                return self.refuse(entry, Reason::CODE_STATIC_NOT_ALLOWED).await;
            }
            Code::Signed(signed) if !self.codes.keys.signed_by_us(signed) => {
                return case.refuse(Reason::CODE_NOT_GENUINE).await;
            }
            _ => {}
        }
        let index = self.personal.card_id_index(code.card())?;
        let Some(card) = self.store.electronic_card_by_index(index).await? else {
            return case.refuse(Reason::CODE_UNKNOWN).await;
        };
        let case = Case { card: Some(&card), ..case };
        if !self.codes.cards.admit(card.id, caller.now) {
            return case.refuse(Reason::RATE_LIMITED).await;
        }
        // The writer looks again; here it is only told before what it did to the codes.
        if card.status == ElectronicCardStatus::Cancelled {
            return case.refuse(Reason::ELECTRONIC_CARD_CANCELLED).await;
        }
        let resident = self.store.resident(card.resident).await?;
        let resident = resident.ok_or(Reason::RESIDENT_NOT_FOUND)?;
        match code {
            Code::Static { .. } => self.static_code(case, &card, &resident).await,
            Code::Dynamic { .. } | Code::Signed(_) => {
                self.counted_code(case, &code, &card, &resident).await
            }
        }
    }

    /// A static code names somebody; it gives no presence.
    async fn static_code(
        &self,
        case: Case<'_>,
        card: &ElectronicCard,
        resident: &Resident,
    ) -> Result<(VerifiedCode, Receipt), Error> {
        let reading = self.reading_of_record(resident, card).await?;
        let (session, now) = (case.caller.holder.session, case.caller.now);
        let granted = case.entry(Outcome::Granted).with("form", "static");
        let answer =
            self.store.record_static_code(card.id, card.resident, session, now, granted).await;
        let receipt = self.settle(case.refused(), answer).await?;
        let verified = VerifiedCode {
            form: CodeForm::Static,
            id: None,
            electronic_card: card.id,
            uses_left: None,
            expires_at: None,
            resident: card.resident,
            reading,
            presence: None,
        };
        Ok((verified, receipt))
    }

    /// A code of which the uses are counted: it is used now, or refused.
    async fn counted_code(
        &self,
        case: Case<'_>,
        code: &Code,
        card: &ElectronicCard,
        resident: &Resident,
    ) -> Result<(VerifiedCode, Receipt), Error> {
        let caller = case.caller;
        let Some(record) = self.code_on_record(code, card, &case.shown.text).await? else {
            return case.refuse(Reason::CODE_UNKNOWN).await;
        };
        let case = Case { record: Some(&record), ..case };
        // What has ended is said to have ended, wherever it is shown. The writer decides it again.
        if record.obstacle(caller.now).is_none() {
            if record.made_by == caller.holder.identity {
                return case.refuse(Reason::CODE_OWN).await;
            }
            if !self.codes.is_for(code, case.shown.desk.as_ref(), caller) {
                return case.refuse(Reason::CODE_OTHER_DESK).await;
            }
        }
        let (form, evidence) = match record.kind {
            CodeKind::Dynamic => (CodeForm::Dynamic, Evidence::DynamicCode(card.id)),
            CodeKind::Signed => (CodeForm::Signed, Evidence::SignedCode(card.id)),
        };
        let reading = self.reading_of_record(resident, card).await?;
        let id = PresenceId::generate();
        let until = caller.now + self.lifetimes.presence;
        let presence = store::Presence {
            id,
            evidence,
            resident: card.resident,
            session: caller.holder.session,
            sealed_reading: self.personal.seal_reading(resident, id, &reading)?,
            read_at: caller.now,
            expires_at: until,
        };
        let granted = case.entry(Outcome::Granted).with("presence", id.to_string());
        let code_use = CodeUse { code: record.id, presence };
        let answer = self.store.record_code_used(code_use, granted).await;
        let (left, receipt) = self.settle(case.refused(), answer).await?;
        let verified = VerifiedCode {
            form,
            id: Some(record.id),
            electronic_card: card.id,
            uses_left: Some(left),
            expires_at: Some(record.expires_at),
            resident: card.resident,
            reading,
            presence: Some((id, evidence, until)),
        };
        Ok((verified, receipt))
    }

    /// The record of a code, when it is one that we made for this card.
    async fn code_on_record(
        &self,
        code: &Code,
        card: &ElectronicCard,
        text: &str,
    ) -> Result<Option<store::Code>, Error> {
        let digest = hsm::sm3::digest(text.as_bytes());
        let record = self.store.code_by_digest(digest).await?;
        let Some(record) = record.filter(|record| record.electronic_card == card.id) else {
            return Ok(None);
        };
        // The database alone makes no code: the key must agree.
        let genuine = match (code, record.kind) {
            (Code::Dynamic { card, dynamic, .. }, CodeKind::Dynamic) => {
                let ends = u64::try_from(record.expires_at.unix_timestamp()).unwrap_or_default();
                self.codes.keys.dynamic(card, &record.nonce, ends)? == *dynamic
            }
            // Its signature was verified.
            (Code::Signed(code), CodeKind::Signed) => says(code, &record),
            _ => false,
        };
        Ok(genuine.then_some(record))
    }

    /// What a desk is told of somebody who shows a code: what is on record.
    async fn reading_of_record(
        &self,
        resident: &Resident,
        card: &ElectronicCard,
    ) -> Result<Reading, Error> {
        let record = self.personal.open_resident(resident)?;
        let issuer = self.store.institution(card.institution).await?;
        Ok(Reading {
            sex: record.sex().code(),
            birth_date: record.birth_date().to_string(),
            id_number: record.id_number.as_str().to_owned(),
            ethnic_group: record.ethnic_group,
            name: record.name,
            valid_until: String::new(),
            issuer_name: issuer.map(|issuer| issuer.name).unwrap_or_default(),
            chip_serial: String::new(),
            commands: 0,
            card_microseconds: 0,
        })
    }
}

/// Whether a signed code and its record are of one mind.
fn says(code: &SignedCode, record: &store::Code) -> bool {
    code.body().number == *record.id.octets()
        && i64::try_from(code.ends()) == Ok(record.expires_at.unix_timestamp())
}
