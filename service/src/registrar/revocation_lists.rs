//! What vouches for all certificates, and the lists of those that were revoked.

use audit::Outcome;
use ca::Authority;
use ca::crl::Revocation;

use super::{Error, Registrar, authorities::AuthorityError, entry_by, service_actor};
use crate::{
    clock::{self, UtcTime},
    keys::authority_name,
    policy::Act,
    store::RevocationList,
};

/// The certificates that vouch for all others, DER.
pub struct Published {
    /// The root.
    pub root: Vec<u8>,
    /// The authorities below it.
    pub issuers: Vec<Vec<u8>>,
    /// Their newest lists.
    pub lists: Vec<Vec<u8>>,
}

impl Registrar {
    /// The certificates that vouch for all others, and their newest lists. Public.
    #[must_use]
    pub fn published(&self) -> Published {
        self.authorities.with_anchors(|anchors| Published {
            root: anchors.root().der().to_vec(),
            issuers: anchors.issuers().map(|issuer| issuer.der().to_vec()).collect(),
            lists: anchors.crls().map(|list| list.der().to_vec()).collect(),
        })
    }

    /// The newest list of an authority, DER. Public.
    #[must_use]
    pub fn newest_list(&self, authority: Authority) -> Option<Vec<u8>> {
        let issuer = self.authorities.issuer(authority).ok()?;
        let subject = issuer.certificate().subject();
        self.authorities.with_anchors(|anchors| {
            anchors.crls().find(|list| list.issuer() == subject).map(|list| list.der().to_vec())
        })
    }

    /// The certificate of an authority, DER. Public.
    #[must_use]
    pub fn authority_certificate(&self, authority: Authority) -> Option<Vec<u8>> {
        self.authorities.issuer(authority).ok().map(|issuer| issuer.certificate().der().to_vec())
    }

    /// Replaces the lists that are due within `ahead`, dated after `now`, or say of a certificate
    /// something else than the record does.
    ///
    /// # Errors
    /// [`Error`] when a list could not be made or recorded; the old ones stay in use.
    pub async fn renew_lists(&self, now: UtcTime, ahead: time::Duration) -> Result<(), Error> {
        for issuer in self.authorities.issuers() {
            let authority = issuer.authority();
            let revoked = self.revoked(authority).await?;
            let good = self.authorities.with_anchors(|anchors| {
                anchors.crls().any(|list| {
                    let edition = list.edition();
                    list.issuer() == issuer.certificate().subject()
                        && list.len() == revoked.len()
                        && revoked.iter().all(|it| list.revocation(&it.serial).as_ref() == Some(it))
                        && edition.this_update <= now
                        && edition.next_update > now + ahead
                })
            });
            if !good {
                self.renew_list(authority, now).await?;
            }
        }
        Ok(())
    }

    /// Says in the process log which lists end within `ahead`, dated after `now`, because renewing
    /// them fails: when one is over, nobody whom its authority certified gets in.
    pub fn tell_ending_lists(&self, now: UtcTime, ahead: time::Duration) {
        for (authority, end) in self.authorities.lists_over_by(now + ahead) {
            let (authority, end) = (authority_name(authority), end.map(clock::rfc3339));
            tracing::error!(authority, end, "a revocation list ends soon and was not renewed");
        }
    }

    /// The certificates of an authority that are revoked or suspended, as the record has them.
    async fn revoked(&self, authority: Authority) -> Result<Vec<Revocation>, Error> {
        let rows = self.store.revoked_serials(authority_name(authority)).await?;
        rows.into_iter()
            .map(|row| {
                Ok(Revocation {
                    serial: row
                        .serial
                        .parse()
                        .map_err(|e| Error::internal("a serial number", e))?,
                    at: row.revoked_at.truncate_to_second(),
                    reason: u8::try_from(row.reason)
                        .ok()
                        .and_then(ca::crl::Reason::from_code)
                        .ok_or(Error::Internal { what: "an unknown reason", source: None })?,
                })
            })
            .collect::<Result<Vec<_>, Error>>()
    }

    pub(super) async fn renew_list(&self, authority: Authority, now: UtcTime) -> Result<(), Error> {
        let _one_at_a_time = self.lists.lock().await;
        let name = authority_name(authority);
        let number = self.store.crl(name).await?.map_or(1, |list| list.number + 1);
        let revoked = self.revoked(authority).await?;
        let list = self
            .authorities
            .next_list(&self.keys, authority, number, &revoked, now)
            .map_err(fault)?;
        let entry = entry_by(service_actor(&self.name), Act::ListIssue, Outcome::Granted, now)
            .on("revocation-list", name)
            .with("number", number.to_string());
        let record = RevocationList { issuer: name.to_owned(), number, der: list.der().to_vec() };
        self.store.record_crl(record, entry).await?;
        self.authorities.adopt(list).map_err(fault)
    }
}

pub(super) fn fault(error: AuthorityError) -> Error {
    match error {
        AuthorityError::Key(error) => Error::Key(error),
        error => Error::internal("working as an authority", error),
    }
}
