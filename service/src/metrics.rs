//! Numbers about the service for whoever watches it (`/metrics`): counts of calls, kept here, and how things stand, in
//! the text form of Prometheus (0.0.4). No name, identifier or token is among them, and what a number is told apart by
//! comes from a list of this program.

mod calls;
mod text;

pub(crate) use calls::{Calls, GRPC, HTTP};
pub(crate) use text::{Kind, Text};

/// Media type of the text form.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
