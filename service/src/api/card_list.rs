//! `/cards/status-list`: the signed list of cards that are not to be served, over HTTP.
//!
//! `?from=N` asks for what leads there from list N: a delta, or the whole list where there is none or
//! it would be longer; 204 when N is the newest. Intermediaries may keep an answer for a minute; a
//! holder asks again with `If-None-Match`.

use std::sync::Arc;

use crate::registrar::{ListUpdate, Registrar};
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

/// Type of a snapshot or a delta.
const CONTENT_TYPE: &str = "application/vnd.healthcard.card-list";
const CACHE_CONTROL: &str = "public, max-age=60, must-revalidate";

pub(super) async fn status_list(
    State(registrar): State<Arc<Registrar>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(held) = held_number(query.as_deref()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(update) = registrar.card_list(held).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let ListUpdate { number, from, bytes, .. } = update;
    let tag = match from {
        Some(from) => format!("\"{from}-{number}\""),
        None => format!("\"{number}\""),
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|held| held.trim() == tag));
    let caching = [(header::ETAG, tag), (header::CACHE_CONTROL, CACHE_CONTROL.to_owned())];
    match bytes {
        _ if known => (StatusCode::NOT_MODIFIED, caching).into_response(),
        None => (StatusCode::NO_CONTENT, caching).into_response(),
        Some(bytes) => {
            let kind = [(header::CONTENT_TYPE, CONTENT_TYPE)];
            (caching, kind, bytes.to_vec()).into_response()
        }
    }
}

/// The number of `from=N`; 0 when nothing is asked.
fn held_number(query: Option<&str>) -> Option<u64> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Some(0) };
    let number = query.strip_prefix("from=")?;
    // No sign, which `parse` would take.
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_one_number_or_nothing() {
        for (query, number) in [
            (None, Some(0)),
            (Some(""), Some(0)),
            (Some("from=7"), Some(7)),
            (Some("from=18446744073709551615"), Some(u64::MAX)),
            (Some("from=18446744073709551616"), None),
            (Some("from="), None),
            (Some("from=+7"), None),
            (Some("from=-7"), None),
            (Some("from=7&from=8"), None),
            (Some("to=7"), None),
        ] {
            assert_eq!(held_number(query), number, "{query:?}");
        }
    }
}
