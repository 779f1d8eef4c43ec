//! Access tokens: decided, signed, recorded; asked about; ended.

use std::time::Duration;

use audit::Outcome;
use subtle::ConstantTimeEq as _;

use super::{Caller, Error, Registrar, visits::relations};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::{AccessRequest, Act},
    store::{Change, NewToken, Receipt, TokenId, VisitId},
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
    /// The relation it rests on.
    pub relation: Relation,
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
        let visit = self.store.visit(order.visit).await?.ok_or(Reason::VISIT_NOT_FOUND)?;
        let holder = &caller.holder;
        let decided = self.policy.access(&AccessRequest {
            role: holder.role,
            same_institution: visit.institution == holder.institution,
            visit_open: visit.closed_at.is_none(),
            relations: &relations(caller, &visit),
            purpose: order.purpose,
            grade: order.grade,
            classes: &order.classes,
            lifetime: order.lifetime,
        });
        let grant = match decided {
            Ok(grant) => grant,
            Err(denial) => {
                return self.refuse_in_visit(caller, Act::TokenIssue, &visit, denial).await;
            }
        };
        let id = TokenId::generate();
        // Tokens speak in whole seconds; the token ends when the log says it does.
        let issued = caller.now.unix_timestamp();
        let expires = (caller.now + grant.lifetime).min(holder.expires_at).unix_timestamp();
        let classes = order.classes.iter().map(|class| class.as_str()).collect::<Vec<_>>();
        let entry = self
            .entry(caller, Act::TokenIssue, Outcome::Granted)
            .about(visit.resident.to_string())
            .in_visit(visit.id.to_string())
            .for_purpose(order.purpose.as_str())
            .under(self.policy_hash.as_str(), grant.rule.as_str())
            .on("token", id.to_string())
            .with("relation", grant.relation.as_str())
            .with("grade", order.grade.level().to_string())
            .with("classes", classes.join(","))
            .with("audience", order.audience.as_str())
            .with("expires", expires.to_string());
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
            policy: Ground { hash: self.policy_hash.clone(), rule: grant.rule.clone() },
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
        let receipt = self.store.record_token(record, entry).await?;
        Ok(IssuedToken {
            token,
            id,
            expires_at,
            rule: grant.rule,
            relation: grant.relation,
            receipt,
        })
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
        if !bool::from(claims.aud.as_bytes().ct_eq(audience.as_bytes())) {
            return Ok(Introspection::Inactive("OTHER_AUDIENCE"));
        }
        if now < claims.nbf {
            return Ok(Introspection::Inactive("NOT_YET_VALID"));
        }
        if now >= claims.exp {
            return Ok(Introspection::Inactive("EXPIRED"));
        }
        let Some(id) = claims.jti.parse::<TokenId>().ok() else {
            return Ok(Introspection::Inactive("UNKNOWN"));
        };
        let record = self.store.token(id).await?;
        let Some(record) = record else {
            return Ok(Introspection::Inactive("UNKNOWN"));
        };
        let ended = [
            (record.revoked_at, "REVOKED"),
            (record.visit_closed_at, "VISIT_CLOSED"),
            (record.certificate_revoked_at, "CERTIFICATE_REVOKED"),
        ];
        let reason = ended.into_iter().find_map(|(at, reason)| at.map(|_| reason));
        Ok(match reason {
            None => Introspection::Active {
                claims: Box::new(claims),
                log_position: record.log_position,
            },
            Some(reason) => Introspection::Inactive(reason),
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
        let record =
            record.filter(|record| may_end(record.identity)).ok_or(Reason::TOKEN_NOT_FOUND)?;
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

    /// The keys that tokens are checked with, as a JSON Web Key Set.
    #[must_use]
    pub fn token_keys(&self) -> String {
        self.tokens.jwks()
    }
}
