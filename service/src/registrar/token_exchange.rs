//! A token for another (RFC 8693): the clinician acts for the resident, by a token of their own or by what the resident
//! agreed to, and with no more than that opens.
//!
//! Who acts is whoever the session is of: the token to be exchanged is bound to the same key, and so is what is given for
//! it. `sub` is the resident, `act` the clinician (4.1).

use std::time::Duration;

use access_token::{RestsOn, words::Grade};
use audit::{Entry, Outcome};
use serde::Deserialize;

use super::{Caller, Error, IssuedToken, Registrar, TokenOrder, Wanted, Within, consents::RECEIPT};
use crate::{
    catalogue::{Needs, Reason},
    clock::UtcTime,
    policy::Act,
    store::{ConsentId, TokenId},
    vocabulary::{ConsentKind, ConsentState, DataClass, Mask},
};

/// What stands for the resident.
#[derive(Clone, Copy)]
pub enum SubjectToken<'a> {
    /// An access token of the caller's own.
    Access(&'a str),
    /// The signed receipt of what the resident agreed to.
    Receipt(&'a str),
}

/// What is asked for in exchange. What is left out is as it is in what is exchanged.
pub struct ExchangeOrder<'a> {
    /// What stands for the resident.
    pub subject: SubjectToken<'a>,
    /// The resource server; has to be said where a receipt is exchanged.
    pub audience: Option<String>,
    /// Highest grade.
    pub grade: Option<Grade>,
    /// Kinds of data.
    pub classes: Option<Vec<DataClass>>,
    /// Life; zero asks for the most.
    pub lifetime: Duration,
}

/// What a token is given for.
pub(super) enum Exchanged {
    /// A token, when that is over, and how much is left out of what it opens.
    Token(TokenId, UtcTime, Mask),
    /// A consent.
    Consent(ConsentId),
}

impl Exchanged {
    pub(super) fn token(&self) -> Option<TokenId> {
        match self {
            Self::Token(id, ..) => Some(*id),
            Self::Consent(_) => None,
        }
    }

    pub(super) fn until(&self) -> Option<UtcTime> {
        match self {
            Self::Token(_, until, _) => Some(*until),
            Self::Consent(_) => None,
        }
    }

    /// How much is left out where a rule leaves out so much: never less than was before.
    pub(super) fn mask(&self, of_rule: Mask) -> Mask {
        match self {
            Self::Token(.., before) => of_rule.max(*before),
            Self::Consent(_) => of_rule,
        }
    }

    pub(super) fn recorded(&self, entry: Entry) -> Entry {
        match self {
            Self::Token(id, ..) => entry.with("exchanged-token", id.to_string()),
            Self::Consent(id) => entry.with("exchanged-consent", id.to_string()),
        }
    }
}

/// Why nothing is given in exchange, and for what it would have been as far as that is known: then ours signed it.
struct NotExchanged {
    reason: Reason,
    subject: Option<(&'static str, String)>,
    resident: Option<String>,
}

impl NotExchanged {
    const INVALID: Self =
        Self { reason: Reason::SUBJECT_TOKEN_INVALID, subject: None, resident: None };

    fn recorded(self, entry: Entry) -> Entry {
        let entry = self.subject.into_iter().fold(entry, |entry, (kind, id)| entry.on(kind, id));
        self.resident.into_iter().fold(entry, Entry::about)
    }
}

/// What is to be issued, and for what.
type Narrowed = Result<(TokenOrder, Exchanged), NotExchanged>;

/// What a receipt has to say for the consent to be found; the rest is on record.
#[derive(Deserialize)]
struct Receipt {
    iss: String,
    jti: String,
}

impl Registrar {
    /// Decides on access as for any other token and, on yes, signs one that opens no more than what is exchanged, and
    /// ends with it. The decision is in the log before the answer.
    ///
    /// # Errors
    /// SUBJECT_TOKEN_INVALID, EXCHANGE_WIDENS, EXCHANGE_OTHER_TARGET; FIELD_INVALID without an audience; and those of
    /// [`issue_token`](Self::issue_token).
    pub async fn exchange_token(
        &self,
        caller: &Caller,
        order: ExchangeOrder<'_>,
    ) -> Result<IssuedToken, Error> {
        self.allow(caller, Act::TokenIssue).await?;
        let narrowed = match order.subject {
            SubjectToken::Access(token) => self.narrowed(caller, &order, token).await?,
            SubjectToken::Receipt(receipt) => self.permitted(caller, &order, receipt).await?,
        };
        match narrowed {
            Ok((order, exchanged)) => self.issue_asked_for(caller, order, Some(exchanged)).await,
            Err(not) => {
                let entry = self.entry(caller, Act::TokenIssue, Outcome::Refused);
                let (entry, reason) = (entry.with("exchange", order.subject.kind()), not.reason);
                self.refuse(not.recorded(entry), reason).await
            }
        }
    }

    /// What a token of the caller's own opens, as far as it is asked for.
    async fn narrowed(
        &self,
        caller: &Caller,
        order: &ExchangeOrder<'_>,
        token: &str,
    ) -> Result<Narrowed, Error> {
        let holder = &caller.holder;
        let claims = self.tokens.verify(token).ok().filter(|claims| claims.iss == self.name);
        let Some(claims) = claims else { return Ok(Err(NotExchanged::INVALID)) };
        let not = |reason| {
            let (subject, resident) = (("token", claims.jti.clone()), claims.resident.clone());
            Ok(Err(NotExchanged { reason, subject: Some(subject), resident: Some(resident) }))
        };
        let invalid = || not(Reason::SUBJECT_TOKEN_INVALID);
        let own = claims.act.is_none()
            && claims.sub == holder.identity.to_string()
            && claims.cnf.thumbprint == holder.key_thumbprint;
        let within = match claims.rests_on() {
            Some(RestsOn::Visit(id)) => id.parse().map(Within::Visit).ok(),
            Some(RestsOn::Consent(id)) => id.parse().map(Within::Consent).ok(),
            Some(RestsOn::Emergency(id)) => id.parse().map(Within::Emergency).ok(),
            None => None,
        };
        let (id, records) = (claims.jti.parse::<TokenId>().ok(), claims.data.domain.parse().ok());
        let (true, Some(within), Some(id), Some(records)) = (own, within, id, records) else {
            return invalid();
        };
        let record = self.store.token(id).await?;
        let Some(record) = record.filter(|record| record.ended(caller.now).is_none()) else {
            return invalid();
        };
        if order.audience.as_ref().is_some_and(|audience| *audience != claims.aud) {
            return not(Reason::EXCHANGE_OTHER_TARGET);
        }
        let Some((grade, classes)) = order.within(claims.data.grade, &claims.data.classes) else {
            return not(Reason::EXCHANGE_WIDENS);
        };
        let records = Some(records);
        let wanted = Wanted { within, records, purpose: claims.purpose, grade, classes };
        let order = TokenOrder { wanted, audience: claims.aud, lifetime: order.lifetime };
        Ok(Ok((order, Exchanged::Token(id, record.expires_at, claims.mask))))
    }

    /// What the resident agreed to, as far as it is asked for.
    async fn permitted(
        &self,
        caller: &Caller,
        order: &ExchangeOrder<'_>,
        receipt: &str,
    ) -> Result<Narrowed, Error> {
        let holder = &caller.holder;
        let signed: Option<Receipt> = self.tokens.verify_statement(RECEIPT, receipt).ok();
        let signed = signed.filter(|it| it.iss == self.name);
        let Some(id) = signed.and_then(|it| it.jti.parse::<ConsentId>().ok()) else {
            return Ok(Err(NotExchanged::INVALID));
        };
        let consent = self.store.consent(id).await?;
        let resident = consent.as_ref().map(|consent| consent.given.resident.to_string());
        let not = |reason| {
            let subject = Some(("consent", id.to_string()));
            Ok(Err(NotExchanged { reason, subject, resident: resident.clone() }))
        };
        // How it stands is on record: a receipt says how it stood.
        let consent = consent.filter(|consent| {
            consent.given.kind == ConsentKind::Permit
                && consent.given.is_for(holder.institution, holder.identity)
                && consent.state(caller.now) == ConsentState::InForce
        });
        let Some(given) = consent.map(|consent| consent.given) else {
            return not(Reason::SUBJECT_TOKEN_INVALID);
        };
        let Some(audience) = order.audience.clone() else {
            return Err(Error::Field { field: "audience", needs: Needs::Parameter });
        };
        let Some((grade, classes)) = order.within(given.grade, &given.classes) else {
            return not(Reason::EXCHANGE_WIDENS);
        };
        let within = Within::Consent(id);
        let wanted =
            Wanted { within, records: given.records, purpose: given.purpose, grade, classes };
        let order = TokenOrder { wanted, audience, lifetime: order.lifetime };
        Ok(Ok((order, Exchanged::Consent(id))))
    }
}

impl SubjectToken<'_> {
    fn kind(self) -> &'static str {
        match self {
            Self::Access(_) => "token",
            Self::Receipt(_) => "consent",
        }
    }
}

impl ExchangeOrder<'_> {
    /// Grade and classes that are asked for; `None` when that is more than there is.
    fn within(&self, most: Grade, there: &[DataClass]) -> Option<(Grade, Vec<DataClass>)> {
        let grade = self.grade.unwrap_or(most);
        let classes = self.classes.clone().unwrap_or_else(|| there.to_vec());
        let narrower = grade <= most && classes.iter().all(|class| there.contains(class));
        narrower.then_some((grade, classes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_narrows_and_never_widens() {
        use DataClass::{Care, Health, Personal};
        let there = [Personal, Health];
        let grade = |level| Grade::new(level).unwrap();
        let cases: [(Option<u32>, Option<&[DataClass]>, _); 7] = [
            (None, None, Some((3, &there[..]))),
            (Some(3), Some(&there), Some((3, &there))),
            (Some(1), Some(&[Health]), Some((1, &[Health]))),
            (None, Some(&[Personal]), Some((3, &[Personal]))),
            (Some(4), None, None),
            (Some(1), Some(&[Care]), None),
            (None, Some(&[Health, Care]), None),
        ];
        for (asked, classes, given) in cases {
            let order = ExchangeOrder {
                subject: SubjectToken::Access(""),
                audience: None,
                grade: asked.map(grade),
                classes: classes.map(<[_]>::to_vec),
                lifetime: Duration::ZERO,
            };
            let given = given.map(|(level, classes)| (grade(level), classes.to_vec()));
            assert_eq!(order.within(grade(3), &there), given, "{asked:?} {classes:?}");
        }
        // Another rule may decide on less data, and leave less out of it.
        let before = Exchanged::Token(TokenId::generate(), crate::clock::now(), Mask::Partial);
        let masks = [Mask::None, Mask::Partial, Mask::Full].map(|mask| before.mask(mask));
        assert_eq!(masks, [Mask::Partial, Mask::Partial, Mask::Full]);
    }
}
