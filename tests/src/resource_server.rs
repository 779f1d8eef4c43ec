//! A records system as others would build one: it gives out residents' data in the form of FHIR R4 to whoever shows a token
//! with a proof, checks both offline, and leaves out what the token does not cover. [`rpc`] is the same over gRPC. Never shipped.

mod labels;
pub mod rpc;
pub mod sample;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use access_token::proof::Request as Proven;
use access_token::shown::Shown;
use access_token::{Checked, Claims, Refusal, Verifier};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub use labels::{Observation, Person, observation, patient};

/// What is on record of somebody.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Who it is.
    pub person: Person,
    /// What was seen of them.
    pub observations: Vec<Observation>,
}

/// The system: charts by the residents' pseudonyms, and the one who checks.
#[derive(Debug)]
pub struct ResourceServer {
    /// Checks tokens; the test gives it keys and snapshots.
    pub verifier: Verifier,
    /// By pseudonym.
    pub charts: BTreeMap<String, Chart>,
    /// The institution whose system it is.
    institution: String,
    base: String,
}

impl ResourceServer {
    /// Serves on a free port until the test ends, and says where.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn serve(
        verifier: Verifier,
        institution: &str,
        charts: BTreeMap<String, Chart>,
    ) -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (institution, base) = (institution.to_owned(), format!("http://{address}"));
        let server = Arc::new(Self { verifier, charts, institution, base });
        let router = Router::new()
            .route("/fhir/Patient/{id}", get(read_patient))
            .route("/fhir/Observation", get(find_observations))
            .with_state(Arc::clone(&server));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, address)
    }

    /// The chart that a request may see, and how much of it.
    fn open(
        &self,
        request: Proven<'_>,
        headers: &HeaderMap,
        resident: &str,
    ) -> Result<(&Chart, Claims), (StatusCode, Option<Refusal>)> {
        let values = |name| headers.get_all(name).iter().map(header::HeaderValue::as_bytes);
        let checked = Shown::read(values("authorization"), values("dpop"))
            .and_then(|shown| self.verifier.check(shown.token, shown.proof, request, now()));
        let Checked { claims, .. } =
            checked.map_err(|refusal| (StatusCode::UNAUTHORIZED, Some(refusal)))?;
        // Whose data the token is for, and who keeps it, whatever is asked for.
        let covered = claims.resident == resident && claims.data.domain == self.institution;
        match self.charts.get(resident).filter(|_| covered) {
            Some(chart) => Ok((chart, claims)),
            None => Err((StatusCode::FORBIDDEN, None)),
        }
    }
}

/// Asks it for something with a token, and a proof; status, and what was answered.
///
/// # Panics
/// When there is no answer.
pub async fn ask(
    address: SocketAddr,
    path: &str,
    token: &str,
    proof: Option<&str>,
) -> (u16, Value) {
    let proof = proof.map_or_else(String::new, |proof| format!("dpop: {proof}\r\n"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: DPoP {token}\r\n{proof}\r\n"
    );
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers in text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

async fn read_patient(
    State(server): State<Arc<ResourceServer>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let uri = format!("{}{}", server.base, request.uri());
    let proven = Proven { method: request.method().as_str(), uri: &uri };
    match server.open(proven, &headers, &id) {
        Ok((chart, claims)) => fhir(patient(&id, &chart.person, &claims)),
        Err((status, why)) => refused(status, why),
    }
}

async fn find_observations(
    State(server): State<Arc<ResourceServer>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let subject = request.uri().query().and_then(|it| it.strip_prefix("subject=Patient/"));
    let Some(id) = subject else { return StatusCode::BAD_REQUEST.into_response() };
    let uri = format!("{}{}", server.base, request.uri());
    let proven = Proven { method: request.method().as_str(), uri: &uri };
    match server.open(proven, &headers, id) {
        Ok((chart, claims)) => {
            let found = chart.observations.iter().filter_map(|it| observation(id, it, &claims));
            let entries: Vec<Value> = found.map(|it| json!({ "resource": it })).collect();
            fhir(
                json!({ "resourceType": "Bundle", "type": "searchset", "total": entries.len(), "entry": entries }),
            )
        }
        Err((status, why)) => refused(status, why),
    }
}

fn fhir(resource: Value) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/fhir+json"), (header::CACHE_CONTROL, "no-store")];
    (headers, resource.to_string()).into_response()
}

/// RFC 9449, 7.1, and for people an OperationOutcome in both languages.
fn refused(status: StatusCode, why: Option<Refusal>) -> Response {
    let (reason, zh, en) = match why {
        Some(refusal) => (refusal.reason(), refusal.zh(), refusal.en()),
        None => ("TOKEN_NOT_FOR_THIS", "令牌不涵盖此数据", "the token does not open this"),
    };
    let error = if reason.starts_with("PROOF") { "invalid_dpop_proof" } else { "invalid_token" };
    let challenge = format!("DPoP error=\"{error}\", algs=\"SGD_SM3_SM2\"");
    let outcome = json!({ "resourceType": "OperationOutcome", "issue": [{
        "severity": "error", "code": "security", "details": { "coding": [{ "code": reason }], "text": zh }, "diagnostics": en,
    }]});
    (status, [(header::WWW_AUTHENTICATE, challenge)], Json(outcome)).into_response()
}

/// The time of this system, seconds since 1970.
///
/// # Panics
/// When the clock is before that.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a system of its own, with its own clock")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    i64::try_from(since.as_secs()).expect("and not that late")
}
