//! Access tokens: decided, signed, recorded; asked about; ended.

use std::time::Duration;

use access_token::{
    Actor, Claims, Confirmation, Data, Ground,
    proof::{self, Request},
};
use audit::Outcome;

use super::{
    Caller, Error, Registrar,
    asking::{Within, decided_on},
    erasures::unless_erased,
    token_exchange::Exchanged,
};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::{AccessRequest, Act, Denial, Grant, Standing, explained},
    store::{Change, Ended, InstitutionId, NewToken, Receipt, TokenId, TokensOf},
    vocabulary::{DataClass, Frame, Grade, Mask, Purpose, Relation, Role},
};

/// What a clinician wants to see.
pub struct Wanted {
    /// What it is within.
    pub within: Within,
    /// The institution that keeps it, if another is meant than where the visit is.
    pub records: Option<InstitutionId>,
    /// Why.
    pub purpose: Purpose,
    /// Highest grade.
    pub grade: Grade,
    /// Kinds of data.
    pub classes: Vec<DataClass>,
}

impl Wanted {
    /// It, asked for by somebody who stands so to it.
    pub(super) fn request<'a>(
        &'a self,
        standing: &'a Standing,
        lifetime: Duration,
    ) -> AccessRequest<'a> {
        let Self { purpose, grade, classes, .. } = self;
        AccessRequest { standing, purpose: *purpose, grade: *grade, classes, lifetime }
    }
}

/// What a clinician asks for.
pub struct TokenOrder {
    /// What is to be seen.
    pub wanted: Wanted,
    /// The resource server.
    pub audience: String,
    /// Life; zero asks for the rule's own.
    pub lifetime: Duration,
}

/// How it would be decided, and why.
pub struct Explained {
    /// The decision.
    pub decision: Result<Grant, Denial>,
    /// SM3 of the rules, hexadecimal.
    pub policy_hash: String,
    /// Its place in the log.
    pub receipt: Receipt,
}

/// A token that was issued.
pub struct IssuedToken {
    /// Compact JWS.
    pub token: String,
    /// Identifier.
    pub id: TokenId,
    /// When it ends.
    pub expires_at: UtcTime,
    /// The rule that allowed it.
    pub rule: String,
    /// The relations it rests on.
    pub relations: Vec<Relation>,
    /// How much is left out of what is seen.
    pub mask: Mask,
    /// Its place in the log.
    pub receipt: Receipt,
}

/// A token as a resource server was shown it.
pub struct ShownToken<'a> {
    /// Compact JWS.
    pub token: &'a str,
    /// In whose name it is asked; `None` leaves the audience to whoever asks.
    pub audience: Option<&'a str>,
    /// The proof of possession, and the request that it came with.
    pub proof: Option<(&'a str, Request<'a>)>,
}

/// What is known of a token now.
pub enum Introspection {
    /// Good.
    Active {
        /// What it says.
        claims: Box<Claims>,
        /// Position of the leaf of its issue.
        log_position: u64,
    },
    /// Not good, for a stable reason.
    Inactive(&'static str),
}

impl Registrar {
    /// Decides on access and, on yes, signs a token. The decision is in the log before the answer.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND, and the reasons of a denial.
    pub async fn issue_token(
        &self,
        caller: &Caller,
        order: TokenOrder,
    ) -> Result<IssuedToken, Error> {
        self.allow(caller, Act::TokenIssue).await?;
        self.issue_asked_for(caller, order, None).await
    }

    /// The same for whoever may ask for one; `exchanged` is what it is given for, if it is exchanged.
    pub(super) async fn issue_asked_for(
        &self,
        caller: &Caller,
        order: TokenOrder,
        exchanged: Option<Exchanged>,
    ) -> Result<IssuedToken, Error> {
        let TokenOrder { wanted, audience, lifetime } = order;
        let asked = self.asked(caller, Act::TokenIssue, &wanted).await?;
        let entry = |outcome| {
            let entry = self.entry_asked(caller, Act::TokenIssue, outcome, &asked);
            let entry = decided_on(entry, &asked, &wanted);
            exchanged.iter().fold(entry, |entry, exchanged| exchanged.recorded(entry))
        };
        let refused = || entry(Outcome::Refused);
        let grant = match self.decide(caller, &asked.standing, &wanted, lifetime).await? {
            Ok(grant) => grant,
            Err(denial) => return self.refuse(refused(), denial).await,
        };
        let holder = &caller.holder;
        let id = TokenId::generate();
        // Tokens speak in whole seconds; the token ends when the log says it does.
        let issued = caller.now.unix_timestamp();
        let rests = asked.rests_on(&grant);
        let expires = (caller.now + grant.lifetime).min(holder.expires_at);
        let until = exchanged.as_ref().and_then(Exchanged::until);
        let expires = [rests.until, until].into_iter().flatten().fold(expires, UtcTime::min);
        let expires = expires.unix_timestamp();
        let mask = exchanged.as_ref().map_or(grant.mask, |it| it.mask(grant.mask));
        let entry = grant
            .recorded(entry(Outcome::Granted), &self.policy_hash)
            .on("token", id.to_string())
            .with("audience", audience.as_str())
            .with("expires", expires.to_string());
        // The rule's own mask is what the decision is made again by.
        let entry = match mask == grant.mask {
            true => entry,
            false => entry.with("mask-given", mask.as_str()),
        };
        let claims = Claims {
            iss: self.name.clone(),
            sub: match exchanged {
                Some(_) => asked.resident.to_string(),
                None => holder.identity.to_string(),
            },
            act: exchanged.as_ref().map(|_| Actor { sub: holder.identity.to_string() }),
            aud: audience,
            iat: issued,
            nbf: issued,
            exp: expires,
            jti: id.to_string(),
            cnf: Confirmation { thumbprint: holder.key_thumbprint.clone() },
            role: holder.role,
            institution: holder.institution.to_string(),
            resident: asked.resident.to_string(),
            visit: asked.visit.map(String::from),
            emergency: asked.emergency.map(String::from),
            consent: asked.consent.map(String::from),
            purpose: wanted.purpose,
            data: Data {
                grade: wanted.grade,
                classes: wanted.classes.clone(),
                domain: asked.standing.records.institution.clone(),
            },
            proofing: "certificate".to_owned(),
            mask,
            policy: Ground { hash: self.policy_hash.clone(), rule: grant.rule.id.clone() },
            log: entry.id.clone(),
        };
        let token = self.tokens.sign(&claims)?;
        let expires_at = UtcTime::from_unix_timestamp(expires)
            .map_err(|e| Error::internal("a token's end", e))?;
        let record = NewToken {
            id,
            identity: holder.identity,
            certificate: holder.certificate.clone(),
            session: holder.session,
            resident: asked.resident,
            visit: asked.visit,
            emergency: asked.emergency,
            consent: rests.consent,
            referral: rests.referral,
            guardianship: rests.guardianship,
            subject: exchanged.as_ref().and_then(Exchanged::token),
            issued_at: caller.now,
            expires_at,
        };
        // Refused when the visit was closed, the consent withdrawn, the emergency access or guardianship ended, or the certificate
        // revoked, while we were signing.
        let answer = self.store.record_token(record, entry).await;
        let receipt = self.settle(refused(), answer).await?;
        Ok(IssuedToken {
            token,
            id,
            expires_at,
            rule: grant.rule.id.clone(),
            relations: grant.relations,
            mask,
            receipt,
        })
    }

    /// How it would be decided, and why: the next step of whoever was refused, the ground of whoever was not. That it was
    /// asked is in the log before the answer.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn explain_token(&self, caller: &Caller, wanted: Wanted) -> Result<Explained, Error> {
        self.allow(caller, Act::TokenExplain).await?;
        let asked = self.asked(caller, Act::TokenExplain, &wanted).await?;
        let decision = self.decide(caller, &asked.standing, &wanted, Duration::ZERO).await?;
        let entry = self.entry_asked(caller, Act::TokenExplain, Outcome::Granted, &asked);
        let entry = explained(decided_on(entry, &asked, &wanted), &decision, &self.policy_hash);
        let receipt = self.record_act(entry).await?;
        Ok(Explained { decision, policy_hash: self.policy_hash.clone(), receipt })
    }

    /// Whatever the rules allow is refused while the account of an emergency access is late; but the next emergency is
    /// not.
    async fn decide(
        &self,
        caller: &Caller,
        standing: &Standing,
        wanted: &Wanted,
        lifetime: Duration,
    ) -> Result<Result<Grant, Denial>, Error> {
        let decision = self.policy.access(&wanted.request(standing, lifetime));
        let routine = decision.is_ok() && standing.frame != Frame::Emergency;
        if routine && self.store.owes_account(caller.holder.identity, caller.now).await? {
            return Ok(Err(Denial::AccountOverdue));
        }
        Ok(decision)
    }

    /// Whether a token is good now, for this audience, and so is the proof that it came with, which is then used up. It
    /// changes nothing on record and leaves no entry: a resource server's check must not fail because the log cannot be
    /// written.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED; [`Error::Store`] when records cannot be read.
    pub async fn introspect_token(
        &self,
        caller: &Caller,
        shown: ShownToken<'_>,
    ) -> Result<Introspection, Error> {
        self.allow(caller, Act::TokenIntrospect).await?;
        let Ok(claims) = self.tokens.verify(shown.token) else {
            return Ok(Introspection::Inactive("MALFORMED_OR_FORGED"));
        };
        let now = caller.now.unix_timestamp();
        if claims.iss != self.name {
            return Ok(Introspection::Inactive("OTHER_ISSUER"));
        }
        if shown.audience.is_some_and(|audience| claims.aud != audience) {
            return Ok(Introspection::Inactive("OTHER_AUDIENCE"));
        }
        if now < claims.nbf {
            return Ok(Introspection::Inactive("NOT_YET_VALID"));
        }
        let Some(id) = claims.jti.parse::<TokenId>().ok() else {
            return Ok(Introspection::Inactive("UNKNOWN"));
        };
        let record = self.store.token(id).await?;
        let Some(record) = record else {
            return Ok(Introspection::Inactive("UNKNOWN"));
        };
        if let (None, Some((proof, request))) = (record.ended(caller.now), shown.proof) {
            let proven = proof::read(proof, shown.token, &claims.cnf.thumbprint, request, now)
                .and_then(|proof| self.proofs.take(&proof, now));
            if let Err(refusal) = proven {
                return Ok(Introspection::Inactive(refusal.reason()));
            }
        }
        Ok(match record.ended(caller.now) {
            None => Introspection::Active {
                claims: Box::new(claims),
                log_position: record.log_position,
            },
            Some(Ended::Expired) => Introspection::Inactive("EXPIRED"),
            Some(Ended::Revoked) => Introspection::Inactive("REVOKED"),
            Some(Ended::VisitClosed) => Introspection::Inactive("VISIT_CLOSED"),
            Some(Ended::ConsentOver) => Introspection::Inactive("CONSENT_OVER"),
            Some(Ended::ReferralOver) => Introspection::Inactive("REFERRAL_OVER"),
            Some(Ended::GuardianshipOver) => Introspection::Inactive("GUARDIANSHIP_OVER"),
            Some(Ended::EmergencyOver) => Introspection::Inactive("EMERGENCY_OVER"),
            Some(Ended::SessionClosed) => Introspection::Inactive("SESSION_CLOSED"),
            Some(Ended::CertificateRevoked) => Introspection::Inactive("CERTIFICATE_REVOKED"),
        })
    }

    /// Ends a token: its holder may, and an operator.
    ///
    /// # Errors
    /// TOKEN_NOT_FOUND, also for somebody else's token; ROLE_NOT_ALLOWED.
    pub async fn revoke_token(
        &self,
        caller: &Caller,
        id: TokenId,
    ) -> Result<Option<Receipt>, Error> {
        self.allow(caller, Act::TokenRevoke).await?;
        let record = self.store.token(id).await?;
        let may_end =
            |identity| identity == caller.holder.identity || caller.holder.role == Role::Operator;
        let Some(record) = record.filter(|record| may_end(record.identity)) else {
            let entry =
                self.entry(caller, Act::TokenRevoke, Outcome::Refused).on("token", id.to_string());
            return self.refuse(entry, Reason::TOKEN_NOT_FOUND).await;
        };
        let entry = self
            .entry(caller, Act::TokenRevoke, Outcome::Granted)
            .about(record.resident.to_string())
            .on("token", id.to_string());
        let entry = match (record.visit, record.emergency) {
            (Some(visit), _) => entry.in_visit(visit.to_string()),
            (None, Some(emergency)) => entry.with("emergency", emergency.to_string()),
            (None, None) => entry,
        };
        Ok(match self.store.record_token_revoked(id, caller.now, entry).await? {
            Change::Recorded(receipt) => Some(receipt),
            Change::None => None,
        })
    }

    /// Ends all of these tokens that go on, in one entry that says how many: an operator whosever they are, others their
    /// own. That there are none is no refusal, and all the same on record. Operators alone learn whether there is such a visit,
    /// consent or resident.
    ///
    /// # Errors
    /// Operators: VISIT_NOT_FOUND, CONSENT_NOT_FOUND, RESIDENT_NOT_FOUND. IDENTITY_NOT_FOUND and CERTIFICATE_NOT_FOUND, also
    /// for somebody else's; ROLE_NOT_ALLOWED.
    pub async fn revoke_tokens(
        &self,
        caller: &Caller,
        of: TokensOf,
    ) -> Result<(u32, Option<Receipt>), Error> {
        self.allow(caller, Act::TokenRevoke).await?;
        let own = caller.holder.identity;
        let all = caller.holder.role == Role::Operator;
        let entry = |outcome| {
            let entry = self.entry(caller, Act::TokenRevoke, outcome);
            match &of {
                TokensOf::Visit(id) => entry.on("visit", id.to_string()).in_visit(id.to_string()),
                TokensOf::Identity(id) => entry.on("identity", id.to_string()),
                TokensOf::Certificate(serial) => entry.on("certificate", serial.as_str()),
                TokensOf::Consent(id) => entry.on("consent", id.to_string()),
                TokensOf::Resident(id) => entry.on("resident", id.to_string()),
            }
        };
        let (store, found) =
            (&self.store, |found: bool, unknown| found.then_some(None).ok_or(unknown));
        // Whoever ends their own has none of what there is not.
        let of_none = |unknown| if all { Err(unknown) } else { Ok(None) };
        let resident = match &of {
            TokensOf::Visit(id) => {
                let visit = store.visit(*id).await?;
                visit.map_or_else(|| of_none(Reason::VISIT_NOT_FOUND), |it| Ok(Some(it.resident)))
            }
            TokensOf::Consent(id) => {
                let consent = store.consent(*id).await?;
                let resident = consent.map(|it| it.given.resident);
                resident.map_or_else(|| of_none(Reason::CONSENT_NOT_FOUND), |it| Ok(Some(it)))
            }
            TokensOf::Resident(id) => {
                let resident = unless_erased(store.resident(*id).await)?;
                resident.map_or_else(|| of_none(Reason::RESIDENT_NOT_FOUND), |_| Ok(Some(*id)))
            }
            TokensOf::Identity(id) => {
                let known = *id == own || (all && store.identity(*id).await?.is_some());
                found(known, Reason::IDENTITY_NOT_FOUND)
            }
            TokensOf::Certificate(serial) => {
                let certificate = store.certificate(serial).await?;
                let known = certificate.is_some_and(|it| all || it.identity == Some(own));
                found(known, Reason::CERTIFICATE_NOT_FOUND)
            }
        };
        let resident = match resident {
            Ok(resident) => resident,
            Err(unknown) => return self.refuse(entry(Outcome::Refused), unknown).await,
        };
        let granted = entry(Outcome::Granted);
        let granted = match resident {
            Some(resident) => granted.about(resident.to_string()),
            None => granted,
        };
        let holder = (!all).then_some(own);
        Ok(self.store.record_tokens_revoked(of.clone(), holder, caller.now, granted).await?)
    }

    /// Ends the token that is shown, as [`revoke_token`](Self::revoke_token) does; one that is not ours has no number.
    ///
    /// # Errors
    /// As there.
    pub async fn revoke_shown_token(
        &self,
        caller: &Caller,
        token: &str,
    ) -> Result<Option<Receipt>, Error> {
        let id = self.tokens.verify(token).ok().and_then(|claims| claims.jti.parse().ok());
        match id {
            Some(id) => self.revoke_token(caller, id).await,
            None => {
                self.allow(caller, Act::TokenRevoke).await?;
                let entry = self.entry(caller, Act::TokenRevoke, Outcome::Refused);
                self.refuse(entry, Reason::TOKEN_NOT_FOUND).await
            }
        }
    }
}
