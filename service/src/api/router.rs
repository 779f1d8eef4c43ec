//! Everything the service answers, behind one router: gRPC, gRPC-web, health, reflection, and what
//! standard protocols fetch over HTTP.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ca::crl::Crl;
use proto::v1::{
    admin_server::AdminServer, audit_server::AuditServer, cards_server::CardsServer,
    consents_server::ConsentsServer, desks_server::DesksServer,
    emergencies_server::EmergenciesServer, enrolments_server::EnrolmentsServer,
    identities_server::IdentitiesServer, key_centre_server::KeyCentreServer,
    referrals_server::ReferralsServer, residents_server::ResidentsServer,
    sessions_server::SessionsServer, signing_server::SigningServer, tokens_server::TokensServer,
    visits_server::VisitsServer, warnings_server::WarningsServer,
};
use tonic::service::Routes;

use super::{
    Desk, MAX_REQUEST, MAX_STRANGERS_REQUEST, card_list, gate, health, metrics, oauth, ocsp,
    patience, rate::PeerRate, receipts, tsa,
};
use crate::registrar::Registrar;

/// Why the router could not be made.
#[derive(Debug, thiserror::Error)]
#[error("preparing reflection")]
pub struct RouterError(#[from] tonic_reflection::server::Error);

/// The router of a service.
///
/// # Errors
/// [`RouterError`] only when the descriptors of this build are broken.
pub async fn router(registrar: Arc<Registrar>) -> Result<axum::Router, RouterError> {
    let desk = Desk {
        registrar: Arc::clone(&registrar),
        logins: Arc::new(PeerRate::of_logins()),
        relays: Arc::default(),
        events: Arc::default(),
        warnings: Arc::default(),
        log_followers: Arc::default(),
    };
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?
        .max_decoding_message_size(MAX_STRANGERS_REQUEST);
    let health = health::service(&registrar).await;
    let gate = gate::Gate::new(desk.clone());
    let metrics = Arc::new(metrics::Metrics::new(Arc::clone(&registrar)));
    macro_rules! limited {
        ($server:ident, $most:expr) => {
            $server::new(desk.clone()).max_decoding_message_size($most)
        };
        ($server:ident) => {
            limited!($server, MAX_REQUEST)
        };
    }
    let grpc = Routes::new(limited!(SessionsServer, MAX_STRANGERS_REQUEST))
        .add_service(limited!(IdentitiesServer))
        .add_service(limited!(EnrolmentsServer))
        .add_service(limited!(KeyCentreServer))
        .add_service(limited!(ResidentsServer))
        .add_service(limited!(CardsServer))
        .add_service(limited!(DesksServer))
        .add_service(limited!(VisitsServer))
        .add_service(limited!(EmergenciesServer))
        .add_service(limited!(WarningsServer))
        .add_service(limited!(TokensServer))
        .add_service(limited!(ConsentsServer))
        .add_service(limited!(ReferralsServer))
        .add_service(limited!(SigningServer))
        .add_service(limited!(AuditServer))
        .add_service(limited!(AdminServer))
        .add_service(health)
        .add_service(reflection)
        .into_axum_router()
        .layer(from_fn_with_state(Arc::clone(&registrar), receipts::pass))
        // Within what translates gRPC-web, so that refusals are translated too.
        .layer(from_fn_with_state(gate.clone(), gate::pass))
        .layer(from_fn_with_state(Arc::clone(&registrar), patience::of_grpc))
        .layer(from_fn_with_state(Arc::clone(&metrics), metrics::of_grpc))
        .layer(tonic_web::GrpcWebLayer::new());
    let rate = Arc::new(PeerRate::of_stamps());
    let stamps = tsa::Stamps { registrar: Arc::clone(&registrar), rate };
    let stamping = axum::Router::new().route("/tsa", post(tsa::post)).with_state(stamps);
    let rate = Arc::new(PeerRate::of_statuses());
    let statuses = ocsp::Statuses { registrar: Arc::clone(&registrar), rate };
    let statuses = axum::Router::new()
        .route("/ocsp", post(ocsp::post))
        .route("/ocsp/{*question}", get(ocsp::get))
        .with_state(statuses);
    let numbers = axum::Router::new()
        .route("/metrics", get(metrics::metrics))
        .with_state(Arc::clone(&metrics));
    let forms = oauth::routes(Arc::clone(&registrar), gate);
    let http = axum::Router::new()
        .route("/healthz", get(health::healthz))
        .route("/jwks.json", get(jwks))
        .route("/crl/{file}", get(revocation_list))
        .route("/cards/status-list", get(card_list::status_list))
        .route("/ca/{file}", get(authority))
        .with_state(Arc::clone(&registrar));
    let http = http.merge(stamping).merge(statuses).merge(numbers);
    let http = http.route_layer(from_fn_with_state(registrar, patience::of_http)).merge(forms);
    let http = http.route_layer(from_fn_with_state(metrics, metrics::of_http));
    Ok(http.merge(grpc.reset_fallback()))
}

/// Media type of a revocation list (RFC 5280, 4.2.1.13).
const LIST: &str = "application/pkix-crl";

async fn jwks(State(registrar): State<Arc<Registrar>>) -> Response {
    let kept = format!("max-age={}", access_token::keys::KEPT);
    let head = [
        (header::CONTENT_TYPE, "application/jwk-set+json".to_owned()),
        (header::CACHE_CONTROL, kept),
    ];
    (head, registrar.token_keys()).into_response()
}

/// `/crl/ca-people-4a.crl`, `/crl/ca-people-4a-delta.crl`: the newest list of an authority, of a range of
/// serial numbers, of what has changed (RFC 5280, 4.2.1.13 and 5.2.6). `/crl/ca-root-before-1.crl`: the last
/// one by a key that the root had, beside the one that certificates name.
async fn revocation_list(
    State(registrar): State<Arc<Registrar>>,
    Path(file): Path<String>,
) -> Response {
    let Some(name) = file.strip_suffix(".crl") else { return found(LIST, None) };
    let list = match name.parse() {
        Ok(name) => registrar.newest_list(name).map(|list| Bytes::from_owner(Shared(list))),
        Err(_) => registrar.last_list(name).map(Bytes::copy_from_slice),
    };
    found(LIST, list)
}

/// A list of which all who fetch it are sent the same octets: it may be megabytes long.
struct Shared(Arc<Crl>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.der()
    }
}

/// `/ca/ca-people.cer`: the certificate of an authority (RFC 5280, 4.2.2.1).
async fn authority(State(registrar): State<Arc<Registrar>>, Path(file): Path<String>) -> Response {
    let generation = file.strip_suffix(".cer").and_then(|name| name.parse().ok());
    let certificate = generation.and_then(|generation| registrar.authority_certificate(generation));
    found("application/pkix-cert", certificate.map(|it| Bytes::copy_from_slice(it.der())))
}

fn found(content_type: &'static str, der: Option<Bytes>) -> Response {
    match der {
        Some(der) => ([(header::CONTENT_TYPE, content_type)], der).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
