//! Writing revocation lists.

use hsm::{Sm2Signer, sm2::PublicKey};
use time::OffsetDateTime;

use super::{Crl, Edition, RELEASED, Reason, Revocation, Scope};
use crate::{
    IssueError, Issuer, Serial, algorithm,
    algorithm::Signed,
    der::{sequence, tag, tlv, unsigned, write_time},
    extension,
    issuer::{checked_url, sign_body},
    oid,
};

/// What has changed since a complete list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Revoked or suspended since.
    pub revoked: Vec<Revocation>,
    /// Suspended then or later, and in force now.
    pub released: Vec<Serial>,
}

/// A revocation list of which every signed octet is fixed, and which nobody has signed yet.
#[derive(Debug)]
pub struct CrlDraft {
    body: Vec<u8>,
    signer: PublicKey,
}

impl Issuer {
    /// Fixes a complete revocation list with all certificates of the scope that were ever revoked,
    /// expired ones included: a signature of ten years ago is judged by today's list.
    ///
    /// `delta_url` is where what has changed since is told, if anywhere.
    ///
    /// # Errors
    /// [`IssueError::BadList`], when the period is empty or a serial number occurs twice;
    /// [`IssueError::BadUrl`].
    pub fn draft_crl(
        &self,
        edition: Edition,
        scope: &Scope,
        delta_url: Option<&str>,
        revoked: &[Revocation],
    ) -> Result<CrlDraft, IssueError> {
        let delta_url = delta_url.map(checked_url).transpose()?;
        let freshest = delta_url
            .map(|url| extension::write(&oid::FRESHEST_CRL, &extension::write_point(&url)));
        self.draft_list(edition, scope, &freshest.unwrap_or_default(), write_entries(revoked, &[]))
    }

    /// Fixes a delta list (增量列表): what has changed since the complete list of number `base`, of this
    /// scope. It has the number of the complete list that says the same in full (RFC 5280, 5.2.4),
    /// and serves whoever holds `base` or a later one.
    ///
    /// # Errors
    /// [`IssueError::BadList`], when the period is empty, a serial number occurs twice, or `base`
    /// is not before this one.
    pub fn draft_delta_crl(
        &self,
        edition: Edition,
        scope: &Scope,
        base: u64,
        changes: &Changes,
    ) -> Result<CrlDraft, IssueError> {
        if base >= edition.number {
            return Err(IssueError::BadList);
        }
        let indicator = unsigned(&base.to_be_bytes());
        let indicator = extension::write_critical(&oid::DELTA_CRL_INDICATOR, &indicator);
        let released: Vec<_> = changes
            .released
            .iter()
            .map(|serial| (serial, write(serial, edition.this_update, Some(RELEASED))))
            .collect();
        self.draft_list(edition, scope, &indicator, write_entries(&changes.revoked, &released))
    }

    fn draft_list(
        &self,
        edition: Edition,
        scope: &Scope,
        more: &[u8],
        entries: Option<Vec<u8>>,
    ) -> Result<CrlDraft, IssueError> {
        let entries = entries.ok_or(IssueError::BadList)?;
        if edition.next_update <= edition.this_update {
            return Err(IssueError::BadList);
        }
        // The list is absent, not empty, when nothing is revoked (5.1.2.6).
        let entries = if entries.is_empty() { entries } else { sequence(&[&entries]) };
        // The authority's own key identifier, not the one of the authority above it (5.2.1).
        let extensions = sequence(&[
            &extension::write(
                &oid::AUTHORITY_KEY_IDENTIFIER,
                &self.key_identifier().write_authority(),
            ),
            &extension::write(&oid::CRL_NUMBER, &unsigned(&edition.number.to_be_bytes())),
            &scope.write()?,
            more,
        ]);
        let body = sequence(&[
            &[tag::INTEGER, 1, 1],
            &algorithm::sm2_with_sm3(),
            self.certificate().subject().der(),
            &write_time(edition.this_update),
            &write_time(edition.next_update),
            &entries,
            &tlv(tag::constructed(0), &[&extensions]),
        ]);
        Ok(CrlDraft { body, signer: self.certificate().public_key().clone() })
    }
}

/// Entries in the order of their serial numbers; `None` when one occurs twice.
fn write_entries(revoked: &[Revocation], released: &[(&Serial, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut entries: Vec<(&Serial, Vec<u8>)> = revoked
        .iter()
        .map(|it| {
            // An absent reason says the same as none, and should be preferred (5.3.1).
            let code = Some(it.reason.code()).filter(|_| it.reason != Reason::Unspecified);
            (&it.serial, write(&it.serial, it.at, code))
        })
        .collect();
    entries.extend(released.iter().cloned());
    entries.sort_by_key(|(serial, _)| *serial);
    let twice = entries.windows(2).any(|pair| pair[0].0 == pair[1].0);
    (!twice).then(|| entries.into_iter().flat_map(|(_, entry)| entry).collect())
}

/// One entry with its reason code.
pub(super) fn write(serial: &Serial, at: OffsetDateTime, code: Option<u8>) -> Vec<u8> {
    let reason = code.map(|code| {
        let code = tlv(tag::ENUMERATED, &[&[code]]);
        sequence(&[&extension::write(&oid::REASON_CODE, &code)])
    });
    sequence(&[&serial.write(), &write_time(at), &reason.unwrap_or_default()])
}

impl CrlDraft {
    /// The list's body (TBSCertList, DER), to be recorded before the key is touched.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Signs the body, and reads back what was made.
    ///
    /// # Errors
    /// [`IssueError::WrongKey`], [`IssueError::Sign`], [`IssueError::FalseSignature`], or
    /// [`IssueError::BadList`] when the list has grown beyond [`Crl::MAX_LEN`].
    pub fn sign(self, key: &dyn Sm2Signer) -> Result<Crl, IssueError> {
        let signature = sign_body(&self.body, &self.signer, key)?;
        Crl::parse(&Signed::write(&self.body, &signature)).map_err(|_| IssueError::BadList)
    }
}
