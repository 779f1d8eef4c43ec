//! Object identifiers, by the standard that assigns them.

use const_oid::ObjectIdentifier;

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$doc])* pub(crate) const $name: ObjectIdentifier = ObjectIdentifier::new_unwrap($text);)+
    };
}

oids! {
    /// SM3 digest (GB/T 33560-2017).
    SM3 = "1.2.156.10197.1.401";
    /// SM2 signature with SM3 (GB/T 33560-2017).
    SM2_WITH_SM3 = "1.2.156.10197.1.501";
    /// SHA-256 digest (RFC 5754).
    SHA256 = "2.16.840.1.101.3.4.2.1";
    /// SHA-1 digest (RFC 3279), which names issuers in questions about certificates and nothing else.
    SHA1 = "1.3.14.3.2.26";

    // Names (X.520)
    COMMON_NAME = "2.5.4.3";
    COUNTRY = "2.5.4.6";
    ORGANIZATION = "2.5.4.10";
    ORGANIZATIONAL_UNIT = "2.5.4.11";

    // Extensions (RFC 5280, 4.2 and 5.2)
    SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
    KEY_USAGE = "2.5.29.15";
    BASIC_CONSTRAINTS = "2.5.29.19";
    CRL_NUMBER = "2.5.29.20";
    REASON_CODE = "2.5.29.21";
    DELTA_CRL_INDICATOR = "2.5.29.27";
    ISSUING_DISTRIBUTION_POINT = "2.5.29.28";
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
    EXTENDED_KEY_USAGE = "2.5.29.37";
    FRESHEST_CRL = "2.5.29.46";
    AUTHORITY_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.1";
    CA_ISSUERS = "1.3.6.1.5.5.7.48.2";

    // Status of certificates (RFC 6960)
    OCSP = "1.3.6.1.5.5.7.48.1";
    OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1";
    OCSP_NONCE = "1.3.6.1.5.5.7.48.1.2";
    OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5";

    // Purposes of a key (RFC 5280, 4.2.1.12; RFC 9336)
    SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
    TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
    OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";
    DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36";
    ANY_PURPOSE = "2.5.29.37.0";

    // Signed messages (RFC 5652, RFC 5035, RFC 6211)
    DATA = "1.2.840.113549.1.7.1";
    SIGNED_DATA = "1.2.840.113549.1.7.2";
    CONTENT_TYPE = "1.2.840.113549.1.9.3";
    MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
    SIGNING_TIME = "1.2.840.113549.1.9.5";
    SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";
    ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52";
    /// id-ct-TSTInfo (RFC 3161).
    TST_INFO = "1.2.840.113549.1.9.16.1.4";
    /// data (GM/T 0010).
    GM_DATA = "1.2.156.10197.6.1.4.2.1";
    /// signedData (GM/T 0010).
    GM_SIGNED_DATA = "1.2.156.10197.6.1.4.2.2";
}
