//! A bare tonic call that answers with as many octets as a token has: what the transport alone
//! costs, over the same listener.

use std::{
    convert::Infallible,
    future::Ready,
    task::{Context, Poll},
};

use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, NamedService, UnaryService},
    service::Routes,
};
use tonic_prost::ProstCodec;

/// Path of the call.
pub(super) const PATH: &str = "/healthcard.bench.Echo/Call";

/// Octets of an answer: those of a token's answer, as measured.
const ANSWER: usize = 1200;

pub(super) fn router() -> axum::Router {
    Routes::new(Echo).into_axum_router().reset_fallback()
}

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "healthcard.bench.Echo";
}

struct Call;

impl UnaryService<Vec<u8>> for Call {
    type Response = Vec<u8>;
    type Future = Ready<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, _: Request<Vec<u8>>) -> Self::Future {
        std::future::ready(Ok(Response::new(vec![b'a'; ANSWER])))
    }
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<Vec<u8>, Vec<u8>>::default();
            Ok(Grpc::new(codec).unary(Call, request).await)
        })
    }
}
