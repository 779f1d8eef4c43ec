//! `/ocsp`: the status of certificates over HTTP (RFC 6960, appendix A). A question comes in the body
//! of a POST, or in base64 as the rest of the path of a GET, which intermediaries may keep (RFC 5019,
//! 6).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca::ocsp::Question;
use time::{format_description::BorrowedFormatItem, macros::format_description};
use tokio::time::timeout;

use super::rate::PeerRate;
use crate::{
    clock::{self, UtcTime},
    registrar::{Registrar, StatusResponse},
};

const REQUEST: &str = "application/ocsp-request";
const RESPONSE: &str = "application/ocsp-response";
/// Longest that a question may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// A date in a header (RFC 9110, 5.6.7).
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// What answers come from.
#[derive(Clone)]
pub(super) struct Statuses {
    pub(super) registrar: Arc<Registrar>,
    pub(super) rate: Arc<PeerRate>,
}

pub(super) async fn post(
    State(statuses): State<Statuses>,
    Extension(peer): Extension<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != REQUEST) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    match timeout(ARRIVAL, to_bytes(body, Question::MAX_LEN)).await {
        Ok(Ok(question)) => answer(&statuses, peer, &question).await,
        Ok(Err(_)) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

pub(super) async fn get(
    State(statuses): State<Statuses>,
    Extension(peer): Extension<SocketAddr>,
    Path(question): Path<String>,
) -> Response {
    // What is not base64 is malformed all the same.
    answer(&statuses, peer, &STANDARD.decode(question).unwrap_or_default()).await
}

async fn answer(statuses: &Statuses, peer: SocketAddr, question: &[u8]) -> Response {
    let now = clock::now();
    let admit = || statuses.rate.admit(peer.ip(), now);
    let response = statuses.registrar.certificate_status(question, admit, now).await;
    let kind = [(header::CONTENT_TYPE, RESPONSE)];
    (caching(&response, now), kind, response.der.clone()).into_response()
}

/// What intermediaries may do with it.
fn caching(response: &StatusResponse, now: UtcTime) -> HeaderMap {
    let mut headers = Vec::new();
    match response.period {
        Some(period) => {
            let left = (period.next_update - now).whole_seconds().max(0);
            let tag = hex::encode(&hsm::sm3::digest(&response.der)[..16]);
            headers.push((
                header::CACHE_CONTROL,
                format!("max-age={left}, public, no-transform, must-revalidate"),
            ));
            headers.push((header::ETAG, format!("\"{tag}\"")));
            headers.push((header::LAST_MODIFIED, http_date(period.this_update)));
            headers.push((header::EXPIRES, http_date(period.next_update)));
        }
        None => headers.push((header::CACHE_CONTROL, "no-store".to_owned())),
    }
    headers.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

fn http_date(at: UtcTime) -> String {
    at.format(HTTP_DATE).expect("a time in UTC has all the parts")
}

#[cfg(test)]
mod tests {
    use ca::ocsp::Period;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn only_what_anybody_may_be_given_is_kept_by_intermediaries() {
        let now = datetime!(2026-11-26 08:10:00.5 UTC);
        let period = Period {
            this_update: datetime!(2026-11-26 08:00:00 UTC),
            next_update: datetime!(2026-11-26 09:00:00 UTC),
        };
        let headers = caching(&StatusResponse { der: vec![1], period: Some(period) }, now);
        for (name, value) in [
            (header::CACHE_CONTROL, "max-age=2999, public, no-transform, must-revalidate"),
            (header::LAST_MODIFIED, "Thu, 26 Nov 2026 08:00:00 GMT"),
            (header::EXPIRES, "Thu, 26 Nov 2026 09:00:00 GMT"),
        ] {
            assert_eq!(headers[&name], value);
        }
        assert_eq!(headers[header::ETAG].len(), 34);
        let alone = caching(&StatusResponse { der: vec![1], period: None }, now);
        assert_eq!(alone[header::CACHE_CONTROL], "no-store");
        assert_eq!(alone.len(), 1);
    }
}
