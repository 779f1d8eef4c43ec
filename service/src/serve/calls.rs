//! The calls of one connection, and the moment when it has had none for too long.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http_body::{Frame, SizeHint};
use tokio::{sync::watch, time::timeout};

/// How long a connection may be quiet.
#[derive(Clone, Copy)]
pub(super) struct Quiet {
    /// Before its first call: the time to find out which HTTP it speaks, and to get the headers.
    pub(super) first: Duration,
    /// Between calls. A call lasts until its last answer is out, so a stream counts all along.
    pub(super) idle: Duration,
    /// After it was told to end: the time to say so to each other.
    pub(super) farewell: Duration,
}

/// How many calls are under way.
#[derive(Clone)]
pub(super) struct Calls(watch::Sender<usize>);

/// A call that is under way.
struct Call(watch::Sender<usize>);

impl Calls {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    fn begin(&self) -> Call {
        self.0.send_modify(|under_way| *under_way += 1);
        Call(self.0.clone())
    }

    /// Returns once the connection was quiet for too long.
    pub(super) async fn quiet(&self, limits: Quiet) {
        let mut calls = self.0.subscribe();
        let mut patience = limits.first;
        loop {
            // The sender is this value's own and outlives the loop, so waiting never fails.
            let _ = calls.wait_for(|under_way| *under_way == 0).await;
            if timeout(patience, calls.changed()).await.is_err() {
                return;
            }
            patience = limits.idle;
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.send_modify(|under_way| *under_way -= 1);
    }
}

/// Counts a call from its headers to the end of its answer.
pub(super) async fn counted(State(calls): State<Calls>, request: Request, next: Next) -> Response {
    let call = calls.begin();
    next.run(request).await.map(|body| Body::new(Answer { body, _call: call }))
}

/// The body of an answer, which keeps its call under way.
struct Answer {
    body: Body,
    _call: Call,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future as _, pin::pin};

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn who_never_calls_is_quiet() {
        let limits = Quiet { first: Duration::ZERO, idle: NEVER, farewell: NEVER };
        timeout(NEVER, Calls::new().quiet(limits)).await.unwrap();
    }

    #[tokio::test]
    async fn who_called_once_may_think_until_the_next() {
        let calls = Calls::new();
        let limits = Quiet { first: NEVER, idle: Duration::ZERO, farewell: NEVER };
        let mut quiet = pin!(calls.quiet(limits));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(quiet.as_mut().poll(&mut context).is_pending(), "the first call may still come");
        let (one, other) = (calls.begin(), calls.begin());
        drop(one);
        assert!(quiet.as_mut().poll(&mut context).is_pending(), "a call is under way");
        drop(other);
        timeout(NEVER, quiet).await.unwrap();
    }
}
