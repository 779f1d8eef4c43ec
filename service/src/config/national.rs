//! Settings of the national listener.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The listener that speaks national TLS (RFC 8998). There is none without this table.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawNational {
    /// Address to listen on.
    pub listen: String,
}

/// Where to listen, if at all.
pub(super) fn check(raw: Option<RawNational>) -> Result<Option<SocketAddr>, ConfigError> {
    let address = raw.map(|national| national.listen.parse()).transpose();
    address.map_err(|_| ConfigError::Value {
        setting: "national.listen",
        why: "an address and a port, such as 127.0.0.1:7444",
    })
}
