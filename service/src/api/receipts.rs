//! Receipts for whoever asks for them: with the header `healthcard-receipt: proof` in a call its answer has, in
//! `healthcard-receipt-bin`, an [`audit::receipt`] for each entry that it speaks of. Of a stream of answers nothing is
//! known when its headers leave.

use std::{cell::RefCell, sync::Arc};

use audit::receipt::{ASKED, GIVEN};
use axum::{
    extract::{Request, State},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use tonic::Status;

use crate::registrar::Registrar;

/// Most receipts of one answer: headers are bounded.
const MOST: usize = 4;

tokio::task_local! {
    /// Positions of the entries that the answer being made speaks of.
    static SPOKEN_OF: RefCell<Vec<u64>>;
}

/// Notes that the answer being made speaks of an entry.
pub(super) fn note(position: u64) {
    // Of calls that did not ask nobody keeps it.
    let _ = SPOKEN_OF.try_with(|positions| {
        let mut positions = positions.borrow_mut();
        if positions.len() < MOST && !positions.contains(&position) {
            positions.push(position);
        }
    });
}

/// Adds receipts to the answer of a call that asks for them.
pub(super) async fn pass(
    State(registrar): State<Arc<Registrar>>,
    request: Request,
    next: Next,
) -> Response {
    let (name, wanted) = ASKED;
    match request.headers().get(name).map(HeaderValue::as_bytes) {
        None => return next.run(request).await,
        Some(asked) if asked == wanted.as_bytes() => {}
        Some(_) => {
            return Status::invalid_argument(format!("{name} is {wanted} or absent")).into_http();
        }
    }
    let answer = SPOKEN_OF.scope(RefCell::default(), async {
        let response = next.run(request).await;
        (response, SPOKEN_OF.with(RefCell::take))
    });
    let (mut response, positions) = answer.await;
    for position in positions {
        // What was done was done: an answer without a receipt is better than none.
        match registrar.receipt(position).await {
            Ok(receipt) => {
                let value = STANDARD_NO_PAD.encode(receipt.write());
                if let Ok(value) = HeaderValue::try_from(value) {
                    response.headers_mut().append(GIVEN, value);
                }
            }
            Err(error) => tracing::error!(%error, position, "no receipt could be made"),
        }
    }
    response
}
