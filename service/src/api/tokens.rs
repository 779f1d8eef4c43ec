//! `Tokens`: signed answers to "may this clinician see this resident's data".

use std::time::Duration;

use access_token::{
    MAX_TOKEN,
    proof::{MAX_PROOF, Request as ProvenRequest},
};
use proto::v1::{
    self, exchange_token_request::Subject, revoke_all_tokens_request::Of, tokens_server::Tokens,
};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{
        audience, class, class_number, id, optional_id, purpose, purpose_number, receipt,
        role_number, short_text, timestamp,
    },
};
use crate::{
    catalogue::Needs,
    clock::UtcTime,
    registrar::{
        Error, ExchangeOrder, Introspection, IssuedToken, ShownToken, SubjectToken, TokenOrder,
        Wanted, Within,
    },
    store::TokensOf,
    vocabulary::{DataClass, Grade, Relation},
};

#[tonic::async_trait]
impl Tokens for Desk {
    async fn issue(
        &self,
        request: Request<v1::IssueTokenRequest>,
    ) -> Reply<v1::IssueTokenResponse> {
        let caller = self.caller(&request).await?;
        let order = order(request.into_inner())?;
        Ok(Response::new(issued(self.registrar.issue_token(&caller, order).await?)))
    }

    async fn exchange(
        &self,
        request: Request<v1::ExchangeTokenRequest>,
    ) -> Reply<v1::IssueTokenResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let order = exchange_order(&asked)?;
        Ok(Response::new(issued(self.registrar.exchange_token(&caller, order).await?)))
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainTokenRequest>,
    ) -> Reply<v1::ExplainTokenResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let within = within([&asked.visit_id, &asked.consent_id, &asked.emergency_id])?;
        let wanted = wanted(
            within,
            &asked.records_institution_id,
            asked.purpose,
            asked.grade,
            asked.classes,
        )?;
        let explained = self.registrar.explain_token(&caller, wanted).await?;
        let answer = match explained.decision {
            Ok(grant) => v1::ExplainTokenResponse {
                allowed: true,
                rule: grant.rule.id.clone(),
                rule_zh: grant.rule.zh.clone(),
                rule_en: grant.rule.en.clone(),
                relations: relations(&grant.relations),
                mask: grant.mask.as_str().to_owned(),
                lifetime_seconds: grant.lifetime.as_secs().try_into().unwrap_or(u32::MAX),
                ..v1::ExplainTokenResponse::default()
            },
            Err(denial) => {
                let missing = denial.explain();
                v1::ExplainTokenResponse {
                    rule: denial.rule().to_owned(),
                    missing_zh: missing.missing_zh.into_owned(),
                    missing_en: missing.missing_en.into_owned(),
                    grantor_zh: missing.grantor_zh.into_owned(),
                    grantor_en: missing.grantor_en.into_owned(),
                    ..v1::ExplainTokenResponse::default()
                }
            }
        };
        let (policy_hash, receipt) = (explained.policy_hash, receipt(explained.receipt));
        Ok(Response::new(v1::ExplainTokenResponse { policy_hash, receipt, ..answer }))
    }

    async fn introspect(
        &self,
        request: Request<v1::IntrospectTokenRequest>,
    ) -> Reply<v1::IntrospectTokenResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let audience = audience(asked.audience)?;
        let shown = shown(&asked.token, Some(&audience), &asked.proof, &asked.htm, &asked.htu)?;
        let found = self.registrar.introspect_token(&caller, shown).await?;
        Ok(Response::new(match found {
            Introspection::Active { claims, log_position } => v1::IntrospectTokenResponse {
                active: true,
                inactive_reason: String::new(),
                subject: claims.clinician().to_owned(),
                acts_for_resident: claims.act.is_some(),
                token_id: claims.jti,
                resident_id: claims.resident,
                visit_id: claims.visit.unwrap_or_default(),
                role: role_number(claims.role),
                purpose: purpose_number(claims.purpose),
                grade: claims.data.grade.level().into(),
                classes: claims.data.classes.into_iter().map(class_number).collect(),
                expires_at: UtcTime::from_unix_timestamp(claims.exp).ok().map(timestamp),
                log_position,
                emergency_id: claims.emergency.unwrap_or_default(),
            },
            Introspection::Inactive(reason) => v1::IntrospectTokenResponse {
                inactive_reason: reason.to_owned(),
                ..v1::IntrospectTokenResponse::default()
            },
        }))
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeTokenRequest>,
    ) -> Reply<v1::RevokeTokenResponse> {
        let caller = self.caller(&request).await?;
        let token = id("token_id", &request.get_ref().token_id)?;
        let recorded = self.registrar.revoke_token(&caller, token).await?;
        Ok(Response::new(v1::RevokeTokenResponse { receipt: recorded.and_then(receipt) }))
    }

    async fn revoke_all(
        &self,
        request: Request<v1::RevokeAllTokensRequest>,
    ) -> Reply<v1::RevokeAllTokensResponse> {
        let caller = self.caller(&request).await?;
        let of = match request.into_inner().of {
            Some(Of::VisitId(visit)) => TokensOf::Visit(id("visit_id", &visit)?),
            Some(Of::IdentityId(identity)) => TokensOf::Identity(id("identity_id", &identity)?),
            Some(Of::CertificateSerial(serial)) => {
                TokensOf::Certificate(short_text("certificate_serial", serial, 40)?)
            }
            Some(Of::ConsentId(consent)) => TokensOf::Consent(id("consent_id", &consent)?),
            Some(Of::ResidentId(resident)) => TokensOf::Resident(id("resident_id", &resident)?),
            None => return Err(Error::Field { field: "of", needs: Needs::TokensOf }.into()),
        };
        let (ended, recorded) = self.registrar.revoke_tokens(&caller, of).await?;
        Ok(Response::new(v1::RevokeAllTokensResponse {
            ended,
            receipt: recorded.and_then(receipt),
        }))
    }

    async fn keys(&self, _request: Request<v1::TokenKeysRequest>) -> Reply<v1::TokenKeysResponse> {
        Ok(Response::new(v1::TokenKeysResponse { jwks: self.registrar.token_keys() }))
    }
}

/// A proof is checked when there is one, and then takes a request.
pub(super) fn shown<'a>(
    token: &'a str,
    audience: Option<&'a str>,
    proof: &'a str,
    method: &'a str,
    uri: &'a str,
) -> Result<ShownToken<'a>, Error> {
    let field = |field, needs| Err(Error::Field { field, needs });
    if token.len() > MAX_TOKEN {
        return field("token", Needs::TokenLength);
    }
    if proof.len() > MAX_PROOF {
        return field("proof", Needs::TokenLength);
    }
    // What is said of the request without a proof was meant to be checked.
    let proof = match (proof, method, uri) {
        ("", "", "") => None,
        ("", _, _) => return field("proof", Needs::Proof),
        (_, "", _) => return field("htm", Needs::ProofRequest),
        (_, _, "") => return field("htu", Needs::ProofRequest),
        (proof, method, uri) => Some((proof, ProvenRequest { method, uri })),
    };
    Ok(ShownToken { token, audience, proof })
}

fn order(asked: v1::IssueTokenRequest) -> Result<TokenOrder, Error> {
    Ok(TokenOrder {
        wanted: wanted(
            within([&asked.visit_id, &asked.consent_id, &asked.emergency_id])?,
            &asked.records_institution_id,
            asked.purpose,
            asked.grade,
            asked.classes,
        )?,
        audience: audience(asked.audience)?,
        lifetime: Duration::from_secs(asked.lifetime_seconds.into()),
    })
}

fn exchange_order(asked: &v1::ExchangeTokenRequest) -> Result<ExchangeOrder<'_>, Error> {
    let (subject, text) = match &asked.subject {
        Some(Subject::Token(token)) => (SubjectToken::Access(token), token),
        Some(Subject::ConsentReceipt(receipt)) => (SubjectToken::Receipt(receipt), receipt),
        None => return Err(Error::Field { field: "subject", needs: Needs::Subject }),
    };
    if text.len() > MAX_TOKEN {
        return Err(Error::Field { field: "subject", needs: Needs::TokenLength });
    }
    let given = |audience: &String| !audience.is_empty();
    Ok(ExchangeOrder {
        subject,
        audience: Some(asked.audience.clone()).filter(given).map(audience).transpose()?,
        grade: (asked.grade != 0).then(|| grade(asked.grade)).transpose()?,
        classes: (!asked.classes.is_empty()).then(|| classes(&asked.classes)).transpose()?,
        lifetime: Duration::from_secs(asked.lifetime_seconds.into()),
    })
}

fn issued(issued: IssuedToken) -> v1::IssueTokenResponse {
    v1::IssueTokenResponse {
        token: issued.token,
        token_id: issued.id.to_string(),
        expires_at: Some(timestamp(issued.expires_at)),
        rule: issued.rule,
        relations: relations(&issued.relations),
        mask: issued.mask.as_str().to_owned(),
        receipt: receipt(issued.receipt),
    }
}

/// What it is within: exactly one of these.
fn within([visit, consent, emergency]: [&str; 3]) -> Result<Within, Error> {
    match (visit, consent, emergency) {
        (visit, "", "") => id("visit_id", visit).map(Within::Visit),
        ("", consent, "") => id("consent_id", consent).map(Within::Consent),
        ("", "", emergency) => id("emergency_id", emergency).map(Within::Emergency),
        (_, "", _) => Err(Error::Field { field: "emergency_id", needs: Needs::OneFrame }),
        _ => Err(Error::Field { field: "consent_id", needs: Needs::OneFrame }),
    }
}

/// What is wanted: within what, kept by which institution.
fn wanted(
    within: Within,
    records: &str,
    why: i32,
    level: u32,
    kinds: Vec<i32>,
) -> Result<Wanted, Error> {
    let classes = classes(&kinds)?;
    Ok(Wanted {
        within,
        records: optional_id("records_institution_id", records)?,
        purpose: purpose(why)?,
        grade: grade(level)?,
        classes,
    })
}

fn grade(level: u32) -> Result<Grade, Error> {
    Grade::new(level).ok_or(Error::Field { field: "grade", needs: Needs::Grade })
}

/// Each once, at least one.
fn classes(kinds: &[i32]) -> Result<Vec<DataClass>, Error> {
    let mut classes = kinds.iter().copied().map(class).collect::<Result<Vec<_>, _>>()?;
    classes.sort_unstable();
    classes.dedup();
    match classes.is_empty() {
        true => Err(Error::Field { field: "classes", needs: Needs::Classes }),
        false => Ok(classes),
    }
}

fn relations(relations: &[Relation]) -> Vec<String> {
    relations.iter().map(|it| it.as_str().to_owned()).collect()
}
