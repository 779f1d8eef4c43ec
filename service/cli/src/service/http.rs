//! What the service answers over plain HTTP, on the line that gRPC uses.

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE},
};
use tower::{Service, ServiceExt as _};

use crate::{failure::Failure, text::problems};

/// Posts octets of this kind; the status, and the octets that came back: at most `limit`.
pub(crate) async fn post<S, B>(
    mut channel: S,
    (path, kind): (&str, &str),
    octets: &[u8],
    limit: usize,
) -> Result<(StatusCode, Vec<u8>), Failure>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>>,
    B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(CONTENT_TYPE, kind)
        .body(tonic::body::Body::new(Body::from(octets.to_vec())))
        .map_err(|_| problems::SERVER_ADDRESS_MALFORMED)?;
    let away = |_| Failure::of(problems::SERVICE_UNREACHABLE);
    let response = channel.ready().await.map_err(away)?.call(request).await.map_err(away)?;
    let status = response.status();
    let read = to_bytes(Body::new(response.into_body()), limit).await;
    Ok((status, read.map_err(|_| problems::SERVICE_ANSWER_MALFORMED)?.to_vec()))
}
