//! National TLS: the certificate that the service shows there, and who its callers are by theirs.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use audit::{Actor, Outcome};
use ca::chain::Purpose;
use ca::{Authority, Certificate, Order, Profile};
use national_tls::certified;
use rustls::{pki_types::CertificateDer, sign::CertifiedKey};

use super::{
    Caller, Error, Holder, Registrar, certificate_status::lasts, entry_by, revocation_lists::fault,
    sessions::chain_reason,
};
use crate::{catalogue::Reason, clock::UtcTime, policy::Act, token};

/// The authority that certifies the service.
const ISSUER: Authority = Authority::Devices;
/// Name of the service's certificate: in the store and in the certificate.
const NAME: &str = "national";
/// How long the certificate is good for. Callers ask nobody whether it was revoked: a key that was given up is
/// believed no longer than that.
const DAYS: u32 = 14;
/// The certificate is renewed when it ends within this time.
const AHEAD: time::Duration = time::Duration::days(7);

/// Whether there is a national listener, and what it shows.
pub(super) struct Shown {
    wanted: bool,
    current: RwLock<Option<Own>>,
}

#[derive(Clone)]
struct Own {
    certificate: Certificate,
    certified: Arc<CertifiedKey>,
}

impl Shown {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, current: RwLock::default() }
    }

    fn current(&self) -> Option<Own> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this is the number of the service's own certificate.
    pub(super) fn is(&self, issuer: &Certificate, serial: &ca::Serial) -> bool {
        self.current().is_some_and(|own| {
            own.certificate.issuer() == issuer.subject() && own.certificate.serial() == serial
        })
    }
}

/// Where a call comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Network address.
    pub address: IpAddr,
    /// Who opened the connection, where that takes a certificate.
    pub peer: Option<Arc<Peer>>,
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self { address, peer: None }
    }
}

/// Who is at the other end of a connection, by the certificate it was opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Serial number, hexadecimal.
    certificate: String,
    /// SM3 of the whole certificate.
    thumbprint: [u8; 32],
    /// Thumbprint of its key, as tokens name it.
    key_thumbprint: String,
}

impl Peer {
    /// Whoever has this certificate.
    pub(crate) fn of(certificate: &Certificate) -> Self {
        Self {
            certificate: certificate.serial().to_string(),
            thumbprint: certificate.thumbprint(),
            key_thumbprint: token::thumbprint(certificate.public_key()),
        }
    }

    /// Whether this is the certificate.
    pub(super) fn is(&self, certificate: &Certificate) -> bool {
        self.thumbprint == certificate.thumbprint()
    }

    fn holds(&self, holder: &Holder) -> bool {
        self.certificate == holder.certificate && self.key_thumbprint == holder.key_thumbprint
    }
}

impl Registrar {
    /// What the service shows on the national listener; nothing while it has no certificate.
    #[must_use]
    pub(crate) fn shown(&self) -> Option<Arc<CertifiedKey>> {
        self.shown.current().map(|own| own.certified)
    }

    /// Whether whoever has this certificate may connect: it is for logging in, valid, and on no list. What
    /// is looked at is in memory.
    ///
    /// # Errors
    /// CERTIFICATE_…, REVOCATION_LIST_STALE.
    pub(crate) fn admit_peer(&self, certificate: &Certificate, now: UtcTime) -> Result<(), Error> {
        self.authorities.verify(certificate, Purpose::Login, now).map(drop).map_err(chain_reason)
    }

    /// Leaves a peer that was refused in the log, as a login is that was: strangers are not, and of one
    /// certificate one a minute.
    pub(crate) async fn record_refused_peer(
        &self,
        certificate: &Certificate,
        reason: Reason,
        address: IpAddr,
        now: UtcTime,
    ) -> Result<(), Error> {
        let serial = certificate.serial().to_string();
        if reason == Reason::CERTIFICATE_UNTRUSTED || !self.refused_logins.admit(&serial, now) {
            return Ok(());
        }
        let actor = Actor {
            certificate: Some(serial),
            address: Some(address.to_string()),
            ..Actor::default()
        };
        let entry = entry_by(actor, Act::SessionOpen, Outcome::Refused, now)
            .with("listener", NAME)
            .with("reason", reason.text().reason);
        self.record_act(entry).await.map(drop)
    }

    /// Whether the session belongs to whoever opened the connection. A session in other hands is an alert.
    pub(super) async fn check_peer(&self, caller: &Caller) -> Result<(), Error> {
        let Some(peer) = &caller.origin.peer else { return Ok(()) };
        if peer.holds(&caller.holder) {
            return Ok(());
        }
        let reason = Reason::PEER_MISMATCH;
        if !self.refused_logins.admit(&peer.certificate, caller.now) {
            return Err(reason.into());
        }
        let entry = self
            .entry(caller, Act::SessionOpen, Outcome::Refused)
            .with("peer", peer.certificate.as_str())
            .with("alert", "session-of-another");
        self.refuse(entry, reason).await
    }

    /// Takes the service's certificate from the record. When it has none for its key, or one that ends
    /// soon, it gets a new one, with an entry in the log before and after it is signed. Without a national
    /// listener nothing is done.
    ///
    /// # Errors
    /// [`Error`] when it could not be made or recorded; the one in use goes on to its end.
    pub async fn keep_shown(&self, now: UtcTime) -> Result<(), Error> {
        if !self.shown.wanted {
            return Ok(());
        }
        let key = self.keys.national()?;
        let by = self.authorities.current(ISSUER).map_err(fault)?;
        let issuer = by.certificate();
        let records = self.store.authorities().await?;
        let record = records.iter().find(|record| record.name == NAME);
        let held = record.and_then(|record| Certificate::parse(&record.der).ok()).filter(|held| {
            held.public_key() == key.public_key()
                && held.is_signed_by(issuer.public_key())
                && lasts(held, issuer, now + AHEAD)
        });
        let certificate = match held {
            Some(held) => held,
            None => {
                let order = Order {
                    profile: Profile::Service,
                    subject: ca::Name::of_authority(&self.name, NAME)
                        .map_err(|e| Error::internal("naming the service", e))?,
                    public_key: key.public_key().clone(),
                    days: Some(DAYS),
                    identifiers: Vec::new(),
                };
                self.certify_own(by, order, NAME, now).await?
            }
        };
        // Whoever still trusts a root of before gets from there to this one.
        let links = self.succeeded_roots().iter().rev().map(|root| root.new_with_old.clone());
        let chain = [certificate.der().to_vec(), issuer.der().to_vec()].into_iter().chain(links);
        let certified = certified(chain.map(CertificateDer::from).collect(), key)
            .map_err(|e| Error::internal("taking up the service's certificate", e))?;
        let own = Own { certificate, certified: Arc::new(certified) };
        *self.shown.current.write().unwrap_or_else(PoisonError::into_inner) = Some(own);
        Ok(())
    }
}
