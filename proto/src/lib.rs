//! The gRPC interface `healthcard.v1` as generated code: messages, clients and servers, and the
//! descriptors that reflection serves. It holds no logic; what a field means is said in the
//! `.proto` files.

/// Package `healthcard.v1`.
pub mod v1 {
    #![allow(missing_docs, clippy::all, reason = "generated code")]
    tonic::include_proto!("healthcard.v1");
}

/// The file descriptors of the package, encoded, for the reflection service.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
