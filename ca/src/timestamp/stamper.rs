use hsm::Sm2Signer;
use time::{Duration, OffsetDateTime};

use super::{Policy, Query, Statement};
use crate::{
    Certificate, ExtendedKeyUsage, IssueError, KeyUsage, Serial,
    cms::{Attributes, World, envelope},
    der::{oid, sequence, tag, tlv},
    issuer::sign_body,
    oid,
};

/// Who stamps times (时间戳服务机构, TSA): its certificate. It holds no key.
#[derive(Clone, Debug)]
pub struct Stamper {
    certificate: Certificate,
}

/// The certificate does not let its holder stamp times, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate is not for stamping times and nothing else")]
pub struct StamperError;

/// How a time is stamped.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Under which policy.
    pub policy: Policy,
    /// How far the time may be off either way.
    pub accuracy: Duration,
    /// Under whose numbers the token goes.
    pub world: World,
}

/// A token of which every signed octet is fixed, and which nobody has signed yet.
#[derive(Debug)]
pub struct StampDraft<'a> {
    statement: Vec<u8>,
    world: World,
    with_certificate: bool,
    stamper: &'a Stamper,
}

impl Stamper {
    /// Who stamps, from its certificate: its purposes are stamping times alone, and critical (RFC
    /// 3161, 2.3).
    ///
    /// # Errors
    /// [`StamperError`].
    pub fn new(certificate: Certificate) -> Result<Self, StamperError> {
        if may_stamp(&certificate) { Ok(Self { certificate }) } else { Err(StamperError) }
    }

    /// The stamper's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Fixes a token. `serial` must never have been used by this stamper.
    pub fn draft(
        &self,
        query: &Query,
        terms: &Terms,
        serial: Serial,
        at: OffsetDateTime,
    ) -> StampDraft<'_> {
        let statement = Statement {
            policy: terms.policy.clone(),
            imprint: query.imprint().clone(),
            serial,
            at,
            accuracy: Some(terms.accuracy),
            ordered: false,
            nonce: query.nonce().cloned(),
            stamper: Some(self.certificate.subject().clone()),
        };
        StampDraft {
            statement: statement.write(),
            world: terms.world,
            with_certificate: query.wants_certificate(),
            stamper: self,
        }
    }
}

/// RFC 3161, 2.3: the key is for stamping times and nothing else, and readers must know that.
pub(super) fn may_stamp(certificate: &Certificate) -> bool {
    certificate.purposes() == [ExtendedKeyUsage::TimeStamping]
        && certificate.purposes_are_critical()
        && !certificate.is_ca()
        && certificate.key_usage().is_some_and(|has| has.contains(KeyUsage::DIGITAL_SIGNATURE))
}

impl StampDraft<'_> {
    /// What is stated (TSTInfo, DER), to be recorded before the key is touched.
    pub fn statement(&self) -> &[u8] {
        &self.statement
    }

    /// Signs the statement, and checks what comes back. DER of the whole reply, which grants what
    /// was asked.
    ///
    /// # Errors
    /// [`IssueError::WrongKey`], [`IssueError::Sign`], [`IssueError::FalseSignature`].
    pub fn sign(self, key: &dyn Sm2Signer) -> Result<Vec<u8>, IssueError> {
        let certificate = &self.stamper.certificate;
        let digest = hsm::sm3::digest(&self.statement);
        let attributes = Attributes::write(&oid::TST_INFO, &digest, certificate);
        let signature = sign_body(&attributes, certificate.public_key(), key)?;
        let content = tlv(tag::OCTET_STRING, &[&self.statement]);
        let encapsulated =
            sequence(&[&oid(&oid::TST_INFO), &tlv(tag::constructed(0), &[&content])]);
        let certificates = match self.with_certificate {
            true => vec![certificate.der().to_vec()],
            false => Vec::new(),
        };
        // RFC 5652, 5.1: version 3, as the content is not plain data. GM/T 0010 has version 1 alone.
        let version = match self.world {
            World::Rfc5652 => 3,
            World::Gm0010 => 1,
        };
        let token = envelope::write(
            self.world,
            version,
            &encapsulated,
            certificates,
            certificate,
            &attributes,
            &signature,
        );
        Ok(sequence(&[&sequence(&[&[tag::INTEGER, 1, 0]]), &token]))
    }
}
