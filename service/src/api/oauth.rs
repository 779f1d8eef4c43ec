//! `Tokens` in the forms that OAuth has over HTTP: introspection (RFC 7662), revocation (RFC 7009), exchange (RFC 8693), and
//! the metadata that say where they are (RFC 8414); and the revocation snapshot.

mod form;

use std::{sync::Arc, time::Duration};

use access_token::{MAX_TOKEN, proof, snapshot};
use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
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
    patience,
    tokens::shown,
};
use crate::{
    catalogue::{Needs, Reason},
    registrar::{Caller, Error, ExchangeOrder, Introspection, Registrar, SubjectToken},
    vocabulary::{DataClass, Grade},
};

/// Where each is, on the port of everything else.
const INTROSPECT: &str = "/introspect";
const REVOKE: &str = "/revoke";
const TOKEN: &str = "/token";
const REVOCATIONS: &str = "/token-revocations";
const METADATA: &str = "/.well-known/oauth-authorization-server";
/// Media type of what is asked.
const FORM: &str = "application/x-www-form-urlencoded";

/// The grant that is given over HTTP (RFC 8693, 2.1).
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// Types of what is exchanged (RFC 8693, 3): a token of ours, and the receipt of a consent.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// What an exchange is asked with. Who acts is whoever the session is of: no `actor_token` is taken.
const PARAMETERS: [&str; 8] = [
    "grant_type",
    "subject_token",
    "subject_token_type",
    "requested_token_type",
    "audience",
    "grade",
    "classes",
    "lifetime_seconds",
];

#[derive(Clone)]
struct OAuth {
    registrar: Arc<Registrar>,
    gate: Gate,
}

pub(super) fn routes(registrar: Arc<Registrar>, gate: Gate) -> Router {
    Router::new()
        .route(INTROSPECT, post(introspect))
        .route(REVOKE, post(revoke))
        .route(TOKEN, post(exchange))
        .route(REVOCATIONS, get(revocations))
        .route(METADATA, get(metadata))
        .route_layer(from_fn_with_state(Arc::clone(&registrar), in_time))
        .with_state(OAuth { registrar, gate })
}

/// Nobody waits for ever behind a disk that does not come back.
async fn in_time(
    State(registrar): State<Arc<Registrar>>,
    request: Request,
    next: Next,
) -> Response {
    let answered = patience::answer(&registrar, next.run(request)).await;
    answered.unwrap_or_else(|| refused(&patience::unknown()))
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
                let clinician = claims.clinician().to_owned();
                let mut said = serde_json::to_value(claims)
                    .map_err(|e| Error::internal("writing what a token says", e))?;
                // `sub` may be the resident for whom they act.
                said["clinician"] = clinician.into();
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

/// RFC 8693: `subject_token` and its type; `audience`; `grade`, `classes` (words with a space between) and
/// `lifetime_seconds`, each as in what is exchanged where it is left out. A parameter that is not known might have been
/// meant to narrow: it is refused, though RFC 6749 (3.2) would have it ignored.
async fn exchange(State(oauth): State<OAuth>, request: Request) -> Response {
    answered(async {
        let (caller, form) = oauth.asked(request).await?;
        if form.required("grant_type")? != EXCHANGE {
            return Err(Error::from(Reason::GRANT_TYPE_UNSUPPORTED).into());
        }
        form.only(&PARAMETERS)?;
        let subject = form.required("subject_token")?;
        if subject.len() > MAX_TOKEN {
            return Err(Error::Field { field: "subject_token", needs: Needs::TokenLength }.into());
        }
        let requested = form.optional("requested_token_type").unwrap_or(ACCESS_TOKEN);
        let subject = match (form.required("subject_token_type")?, requested) {
            (ACCESS_TOKEN, ACCESS_TOKEN) => SubjectToken::Access(subject),
            (JWT, ACCESS_TOKEN) => SubjectToken::Receipt(subject),
            _ => return Err(Error::from(Reason::TOKEN_TYPE_UNSUPPORTED).into()),
        };
        let order = ExchangeOrder {
            subject,
            audience: form.optional("audience").map(str::to_owned).map(audience).transpose()?,
            grade: form.optional("grade").map(grade).transpose()?,
            classes: form.optional("classes").map(classes).transpose()?,
            lifetime: form
                .optional("lifetime_seconds")
                .map(lifetime)
                .transpose()?
                .unwrap_or_default(),
        };
        let issued = oauth.registrar.exchange_token(&caller, order).await?;
        Ok(without_keeping(Json(json!({
            "access_token": issued.token,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "DPoP",
            "expires_in": (issued.expires_at - caller.now).whole_seconds(),
        }))))
    })
    .await
}

fn grade(text: &str) -> Result<Grade, Error> {
    let level = text.parse().ok().and_then(Grade::new);
    level.ok_or(Error::Field { field: "grade", needs: Needs::Grade })
}

/// Each once, at least one.
fn classes(text: &str) -> Result<Vec<DataClass>, Error> {
    let found: Option<Vec<_>> = text.split(' ').map(DataClass::from_word).collect();
    let mut found = found.ok_or(Error::Field { field: "classes", needs: Needs::Classes })?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn lifetime(text: &str) -> Result<Duration, Error> {
    let seconds: Option<u32> = text.parse().ok();
    let seconds =
        seconds.ok_or(Error::Field { field: "lifetime_seconds", needs: Needs::Seconds })?;
    Ok(Duration::from_secs(seconds.into()))
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
        "token_endpoint": at(TOKEN),
        "token_endpoint_auth_methods_supported": ["bearer"],
        "response_types_supported": [],
        "grant_types_supported": [EXCHANGE],
        "subject_token_types_supported": [ACCESS_TOKEN, JWT],
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

/// In the form of RFC 6749, 5.2, and RFC 8693, 2.2.2, with our reason and text beside it.
fn refused(status: &Status) -> Response {
    let details = status.get_error_details_vec();
    let reason = details.iter().find_map(|detail| match detail {
        ErrorDetail::ErrorInfo(info) => Some(info.reason.as_str()),
        _ => None,
    });
    let (code, error) = match status.code() {
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "invalid_client"),
        Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        Code::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "server_error"),
        Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        _ => (StatusCode::BAD_REQUEST, bad_request(reason)),
    };
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

/// Which of OAuth's words for a bad request it is. That what is exchanged is not good, or that the rules do not allow it, is
/// `invalid_request` (RFC 8693, 2.2.2); where less of the data would do, `invalid_scope`.
fn bad_request(reason: Option<&str>) -> &'static str {
    let words = [
        (Reason::GRANT_TYPE_UNSUPPORTED, "unsupported_grant_type"),
        (Reason::EXCHANGE_OTHER_TARGET, "invalid_target"),
        (Reason::EXCHANGE_WIDENS, "invalid_scope"),
        (Reason::GRADE_TOO_HIGH, "invalid_scope"),
        (Reason::CLASS_NOT_ALLOWED, "invalid_scope"),
        (Reason::ROLE_NOT_ALLOWED, "unauthorized_client"),
    ];
    let known = words.into_iter().find(|(of, _)| reason == Some(of.text().reason));
    known.map_or("invalid_request", |(_, word)| word)
}
