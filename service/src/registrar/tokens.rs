//! Access tokens: decided, signed, recorded; asked about; ended.

use std::time::Duration;

use audit::{Entry, Outcome};

use super::{Caller, Error, Registrar, visits::standing};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::{AccessRequest, Act, Grant},
    store::{Change, Ended, NewToken, Receipt, TokenId, Visit, VisitId},
    token::{Claims, Confirmation, Data, Ground},
    vocabulary::{DataClass, Grade, Purpose, Relation, Role},
};

/// What a clinician asks for.
pub struct TokenOrder {
    /// The visit it rests on.
    pub visit: VisitId,
    /// Why.
    pub purpose: Purpose,
    /// Highest grade.
    pub grade: Grade,
    /// Kinds of data.
    pub classes: Vec<DataClass>,
    /// The resource server.
    pub audience: String,
    /// Life; zero asks for the rule's own.
    pub lifetime: Duration,
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
    /// The relation it rests on, if it takes one.
    pub relation: Option<Relation>,
    /// Its place in the log.
    pub receipt: Receipt,
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
        let visit = self.visit_asked_for(caller, Act::TokenIssue, order.visit).await?;
        let refused = || self.entry_in(caller, Act::TokenIssue, Outcome::Refused, &visit);
        let decided = self.policy.access(&AccessRequest {
            standing: &standing(caller, &visit),
            purpose: order.purpose,
            grade: order.grade,
            classes: &order.classes,
            lifetime: order.lifetime,
        });
        let grant = match decided {
            Ok(grant) => grant,
            Err(denial) => return self.refuse(refused(), denial).await,
        };
        let holder = &caller.holder;
        let id = TokenId::generate();
        // Tokens speak in whole seconds; the token ends when the log says it does.
        let issued = caller.now.unix_timestamp();
        let expires = (caller.now + grant.lifetime).min(holder.expires_at).unix_timestamp();
        let entry = self.token_entry(caller, &visit, &order, &grant, id, expires);
        let claims = Claims {
            iss: self.name.clone(),
            sub: holder.identity.to_string(),
            aud: order.audience,
            iat: issued,
            nbf: issued,
            exp: expires,
            jti: id.to_string(),
            cnf: Confirmation { thumbprint: holder.key_thumbprint.clone() },
            role: holder.role,
            institution: holder.institution.to_string(),
            resident: visit.resident.to_string(),
            visit: visit.id.to_string(),
            purpose: order.purpose,
            data: Data {
                grade: order.grade.level(),
                classes: order.classes,
                domain: visit.institution.to_string(),
            },
            proofing: "certificate".to_owned(),
            mask: "none".to_owned(),
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
            resident: visit.resident,
            visit: visit.id,
            issued_at: caller.now,
            expires_at,
        };
        // Refused when the visit was closed, or the certificate revoked, while we were signing.
        let answer = self.store.record_token(record, entry).await;
        let receipt = self.settle(refused(), answer).await?;
        Ok(IssuedToken {
            token,
            id,
            expires_at,
            rule: grant.rule.id.clone(),
            relation: grant.relation,
            receipt,
        })
    }

    fn token_entry(
        &self,
        caller: &Caller,
        visit: &Visit,
        order: &TokenOrder,
        grant: &Grant,
        id: TokenId,
        expires: i64,
    ) -> Entry {
        let classes: Vec<_> = order.classes.iter().map(|class| class.as_str()).collect();
        self.entry(caller, Act::TokenIssue, Outcome::Granted)
            .about(visit.resident.to_string())
            .in_visit(visit.id.to_string())
            .for_purpose(order.purpose.as_str())
            .under(self.policy_hash.as_str(), grant.rule.id.as_str())
            .on("token", id.to_string())
            .with("relation", grant.relation.map_or("none", Relation::as_str))
            .with("grade", order.grade.level().to_string())
            .with("classes", classes.join(","))
            .with("audience", order.audience.as_str())
            .with("expires", expires.to_string())
    }

    /// Whether a token is good now, for this audience. It changes nothing and leaves no entry: a
    /// resource server's check must not fail because the log cannot be written.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED; [`Error::Store`] when records cannot be read.
    pub async fn introspect_token(
        &self,
        caller: &Caller,
        token: &str,
        audience: &str,
    ) -> Result<Introspection, Error> {
        self.allow(caller, Act::TokenIntrospect).await?;
        let Ok(claims) = self.tokens.verify(token) else {
            return Ok(Introspection::Inactive("MALFORMED_OR_FORGED"));
        };
        let now = caller.now.unix_timestamp();
        if claims.iss != self.name {
            return Ok(Introspection::Inactive("OTHER_ISSUER"));
        }
        if claims.aud != audience {
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
        Ok(match record.ended(caller.now) {
            None => Introspection::Active {
                claims: Box::new(claims),
                log_position: record.log_position,
            },
            Some(Ended::Expired) => Introspection::Inactive("EXPIRED"),
            Some(Ended::Revoked) => Introspection::Inactive("REVOKED"),
            Some(Ended::VisitClosed) => Introspection::Inactive("VISIT_CLOSED"),
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
            .in_visit(record.visit.to_string())
            .on("token", id.to_string());
        Ok(match self.store.record_token_revoked(id, caller.now, entry).await? {
            Change::Recorded(receipt) => Some(receipt),
            Change::None => None,
        })
    }

    /// The keys that tokens, codes of electronic cards and lists of cards are checked with, as a JSON
    /// Web Key Set (RFC 7517). `sm2_id` says which are which: a signature is made with one identifier only.
    #[must_use]
    pub fn token_keys(&self) -> String {
        let mut keys = self.tokens.published();
        keys.extend(self.codes.published());
        keys.extend(self.card_lists.published());
        serde_json::json!({ "keys": keys }).to_string()
    }
}
