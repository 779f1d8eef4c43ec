use time::OffsetDateTime;

use crate::{
    Serial,
    crl::{CrlError, Reason},
};

/// Why a certificate is not to be relied on. `serial` names the certificate on the path that is at
/// fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The root's certificate is not signed by its own key.
    #[error("the root's certificate is not signed by itself")]
    NotSelfSigned,
    /// No known authority has the name and key that the certificate gives for its issuer.
    #[error("the issuer of certificate {serial} is not known")]
    UnknownIssuer {
        /// The certificate.
        serial: Serial,
    },
    /// The issuer's key did not sign this.
    #[error("the signature of certificate {serial} does not verify")]
    BadSignature {
        /// The certificate.
        serial: Serial,
    },
    /// It stands where an authority belongs, and is none.
    #[error("certificate {serial} is not that of an authority")]
    NotAnAuthority {
        /// The certificate.
        serial: Serial,
    },
    /// An authority above allows fewer authorities below it.
    #[error("authority {serial} stands lower than the ones above it allow")]
    PathTooLong {
        /// The authority.
        serial: Serial,
    },
    /// Its validity has not begun.
    #[error("certificate {serial} is valid from {from} only")]
    NotYetValid {
        /// The certificate.
        serial: Serial,
        /// First second of its validity.
        from: OffsetDateTime,
    },
    /// Its validity is over.
    #[error("certificate {serial} expired at {to}")]
    Expired {
        /// The certificate.
        serial: Serial,
        /// Last second of its validity.
        to: OffsetDateTime,
    },
    /// Its key may not do what is asked (keyUsage).
    #[error("the key of certificate {serial} may not be used for this")]
    WrongKeyUsage {
        /// The certificate.
        serial: Serial,
    },
    /// It is restricted to other purposes (extKeyUsage).
    #[error("certificate {serial} was issued for another purpose")]
    WrongPurpose {
        /// The certificate.
        serial: Serial,
    },
    /// It was revoked.
    #[error("certificate {serial} was revoked at {at}: {reason:?}")]
    Revoked {
        /// The certificate.
        serial: Serial,
        /// Since when.
        at: OffsetDateTime,
        /// Why.
        reason: Reason,
    },
    /// There is no revocation list of an authority on the path.
    #[error("there is no revocation list of authority {issuer}")]
    CrlMissing {
        /// Serial number of the authority's certificate.
        issuer: Serial,
    },
    /// The revocation list of an authority on the path should have been replaced by now.
    #[error("the revocation list of authority {issuer} was to be replaced by {next_update}")]
    CrlStale {
        /// Serial number of the authority's certificate.
        issuer: Serial,
        /// When a newer one was to come.
        next_update: OffsetDateTime,
    },
    /// The revocation list of an authority on the path is dated later than now: a clock is wrong.
    #[error(
        "the revocation list of authority {issuer} is dated {this_update}, which is yet to come"
    )]
    CrlNotYetValid {
        /// Serial number of the authority's certificate.
        issuer: Serial,
        /// When the list says it was made.
        this_update: OffsetDateTime,
    },
    /// A newer revocation list of the same authority is held already.
    #[error("revocation list {offered} is older than {held}, which is held")]
    CrlOlder {
        /// Number of the list that was offered.
        offered: u64,
        /// Number of the list that is held.
        held: u64,
    },
    /// A delta list tells what has changed since a complete one that is not held, nor one after it.
    #[error("the complete revocation list {base} of this scope is not held, nor one after it")]
    CrlBaseMissing {
        /// Number of the complete list.
        base: u64,
    },
    /// A revocation list is not what its authority would have made.
    #[error("checking a revocation list")]
    Crl(#[from] CrlError),
}
