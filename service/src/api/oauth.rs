//! `Tokens` in the forms that OAuth has over HTTP: introspection (RFC 7662), revocation (RFC 7009), and the metadata that
//! say where both are (RFC 8414); and the revocation snapshot.

mod form;

use std::sync::Arc;

use access_token::{proof, snapshot};
use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt as _};

use self::form::Form;
use super::{
    MAX_STRANGERS_REQUEST,
    convert::audience,
    gate::{ARRIVAL, Gate, session_of},
    tokens::shown,
};
use crate::{
    catalogue::{Needs, Reason},
    registrar::{Caller, Error, Introspection, Registrar},
};

/// Where each is, on the port of everything else.
const INTROSPECT: &str = "/introspect";
const REVOKE: &str = "/revoke";
const REVOCATIONS: &str = "/token-revocations";
const METADATA: &str = "/.well-known/oauth-authorization-server";
/// Media type of what is asked.
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Clone)]
struct OAuth {
    registrar: Arc<Registrar>,
    gate: Gate,
}

pub(super) fn routes(registrar: Arc<Registrar>, gate: Gate) -> Router {
    Router::new()
        .route(INTROSPECT, post(introspect))
        .route(REVOKE, post(revoke))
        .route(REVOCATIONS, get(revocations))
        .route(METADATA, get(metadata))
        .with_state(OAuth { registrar, gate })
}

/// RFC 7662: `token`; `audience` in whose name it is asked, else `aud` of the answer has to be looked at; `proof`, `htm`
/// and `htu` as in `Tokens.Introspect`.
async fn introspect(State(oauth): State<OAuth>, request: Request) -> Response {
    answered(async {
        let (caller, form) = oauth.asked(request).await?;
        let audience = form.optional("audience").map(str::to_owned).map(audience).transpose()?;
        let part = |name| form.optional(name).unwrap_or_default();
        let token = form.required("token")?;
        let shown = shown(token, audience.as_deref(), part("proof"), part("htm"), part("htu"))?;
        // Why it is not active is no answer of this form (RFC 7662, 2.2).
        let found = oauth.registrar.introspect_token(&caller, shown).await?;
        Ok(without_keeping(Json(match found {
            Introspection::Inactive(_) => json!({ "active": false }),
            Introspection::Active { claims, .. } => {
                let mut said = serde_json::to_value(claims)
                    .map_err(|e| Error::internal("writing what a token says", e))?;
                said["active"] = true.into();
                said["token_type"] = "DPoP".into();
                said
            }
        })))
    })
    .await
}

/// RFC 7009: `token`. One that is none, or nobody's, is as good as ended (2.2).
async fn revoke(State(oauth): State<OAuth>, request: Request) -> Response {
    answered(async {
        let (caller, form) = oauth.asked(request).await?;
        let ended = oauth.registrar.revoke_shown_token(&caller, form.required("token")?).await;
        match ended {
            Ok(_) | Err(Error::Refused(Reason::TOKEN_NOT_FOUND)) => {
                Ok(without_keeping(StatusCode::OK))
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}

async fn revocations(State(oauth): State<OAuth>) -> Response {
    match oauth.registrar.token_revocations().await {
        Ok(snapshot) => {
            let kind = [(header::CONTENT_TYPE, "application/jwt")];
            without_keeping((kind, snapshot.to_string()))
        }
        Err(error) => refused(&error.into()),
    }
}

/// Addresses are those under which whoever asks has reached the service.
async fn metadata(State(oauth): State<OAuth>, headers: HeaderMap, request: Request) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let Some(host) = authority.or(host) else { return StatusCode::BAD_REQUEST.into_response() };
    let at = |path| format!("https://{host}{path}");
    without_keeping(Json(json!({
        "issuer": oauth.registrar.name(),
        "jwks_uri": at("/jwks.json"),
        "introspection_endpoint": at(INTROSPECT),
        "introspection_endpoint_auth_methods_supported": ["bearer"],
        "revocation_endpoint": at(REVOKE),
        "revocation_endpoint_auth_methods_supported": ["bearer"],
        "response_types_supported": [],
        "grant_types_supported": [],
        "access_token_signing_alg_values_supported": [access_token::jws::ALGORITHM],
        "access_token_sm2_id": access_token::keys::SM2_ID,
        "dpop_signing_alg_values_supported": [access_token::jws::ALGORITHM],
        "dpop_sm2_id": proof::SM2_ID,
        "token_revocations_uri": at(REVOCATIONS),
        "token_revocations_type": snapshot::TYPE,
    })))
}

impl OAuth {
    /// Who asks, and what: the session first, so that strangers cannot make the service read much.
    async fn asked(&self, request: Request) -> Result<(Caller, Form), Status> {
        let (session, origin) = session_of(&request)?;
        let caller = self.gate.caller_of(&session, origin).await?;
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let is_form =
            kind.and_then(|kind| kind.split(';').next()).is_some_and(|kind| kind.trim() == FORM);
        let form = Error::Field { field: "body", needs: Needs::Form };
        if !is_form {
            return Err(form.into());
        }
        let body = timeout(ARRIVAL, to_bytes(request.into_body(), MAX_STRANGERS_REQUEST)).await;
        match body.ok().and_then(Result::ok).and_then(|body| Form::parse(&body)) {
            Some(form) => Ok((caller, form)),
            None => Err(form.into()),
        }
    }
}

async fn answered(work: impl Future<Output = Result<Response, Status>>) -> Response {
    work.await.unwrap_or_else(|status| refused(&status))
}

/// What is said of a token may be otherwise a moment later.
fn without_keeping(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}

/// In the form of RFC 6749, 5.2, with our reason and text beside it.
fn refused(status: &Status) -> Response {
    let (code, error) = match status.code() {
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "invalid_client"),
        Code::PermissionDenied => (StatusCode::FORBIDDEN, "unauthorized_client"),
        Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        _ => (StatusCode::BAD_REQUEST, "invalid_request"),
    };
    let details = status.get_error_details_vec();
    let reason = details.iter().find_map(|detail| match detail {
        ErrorDetail::ErrorInfo(info) => Some(info.reason.as_str()),
        _ => None,
    });
    let zh = details.iter().find_map(|detail| match detail {
        ErrorDetail::LocalizedMessage(text) if text.locale == "zh-CN" => Some(&text.message),
        _ => None,
    });
    let body: Value = json!({
        "error": error, "error_description": status.message(), "reason": reason, "message_zh": zh,
    });
    let mut answer = (code, without_keeping(Json(body))).into_response();
    if code == StatusCode::UNAUTHORIZED {
        let bearer = header::HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    }
    answer
}
