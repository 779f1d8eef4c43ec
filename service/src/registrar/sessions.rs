//! Logging in: a challenge, the holder's signature over it, and a session.

use std::{sync::Arc, time::Duration};

use audit::{Actor, Outcome};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ca::{Certificate, ChainError, chain::Purpose};
use hsm::sm2::{Signature, SignerId};
use zeroize::Zeroizing;

use super::{
    Caller, Error, Holder, Origin, Registrar, entry_by,
    login_locks::{Kept, Tried},
    service_actor, uncut,
};
use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    policy::Act,
    store::{HOLD, IdentityId, NewSession, Receipt, Session},
    token,
    vocabulary::Role,
};

/// First line of what a login signs, so that the signature can mean nothing else.
const PURPOSE: &str = "healthcard.v1.Sessions/Open";
/// Octets of a session's token before base64url.
const TOKEN_OCTETS: usize = 32;

/// A login challenge.
pub struct Challenge {
    /// 32 random octets.
    pub octets: [u8; 32],
    /// When it ends.
    pub expires_at: UtcTime,
}

/// A session that was just opened.
pub struct OpenedSession {
    /// The secret, shown this once.
    pub token: Zeroizing<String>,
    /// Who holds it.
    pub holder: Arc<Holder>,
    /// Its place in the log.
    pub receipt: Receipt,
}

impl Registrar {
    /// Opens a challenge for whoever holds the key of this certificate. Cheap: the certificate is
    /// parsed, and checked only when the challenge is answered.
    ///
    /// # Errors
    /// CERTIFICATE_MALFORMED, RATE_LIMITED.
    pub fn challenge(&self, certificate: &[u8], now: UtcTime) -> Result<Challenge, Error> {
        let certificate = parse(certificate)?;
        let mut octets = [0; 32];
        fill_random(&mut octets)?;
        let expires_at = self
            .challenges
            .open(octets, certificate.thumbprint(), now)
            .map_err(|_| Reason::RATE_LIMITED)?;
        Ok(Challenge { octets, expires_at })
    }

    /// Opens a session for the holder of the certificate's key. With a lease it is over unless it is renewed in time.
    ///
    /// # Errors
    /// CERTIFICATE_…, CHALLENGE_INVALID, SIGNATURE_INVALID; PEER_MISMATCH when the connection was opened
    /// with another certificate; RATE_LIMITED and LOGIN_LOCKED after signatures that were wrong. Refusals of a
    /// certificate that this service issued leave an entry in the log; strangers do not, so that they cannot fill it.
    pub async fn open_session(
        &self,
        challenge: &[u8],
        certificate: &[u8],
        signature: &[u8],
        lease: Option<Duration>,
        origin: &Origin,
        now: UtcTime,
    ) -> Result<OpenedSession, Error> {
        let certificate = parse(certificate)?;
        let serial = certificate.serial().to_string();
        let trusted = self.authorities.verify(&certificate, Purpose::Login, now);
        if let Err(error @ (ChainError::UnknownIssuer { .. } | ChainError::BadSignature { .. })) =
            trusted
        {
            tracing::info!(address = %origin.address, "a certificate of strangers was refused");
            return Err(chain_reason(error));
        }
        let foreign = origin.peer.as_ref().is_some_and(|peer| !peer.is(&certificate));
        // Who opened the connection with this key has shown that they hold it: what others tried is none of theirs.
        let shown = origin.peer.is_some() && !foreign;
        let tried = (!shown).then(|| Tried::new(certificate.thumbprint(), origin.address));
        let actor = Actor {
            certificate: Some(serial.clone()),
            address: Some(origin.address.to_string()),
            ..Actor::default()
        };
        let refused = |actor| entry_by(actor, Act::SessionOpen, Outcome::Refused, now);
        // What is kept out here says nothing of other places, which have records of their own.
        let place = format!("{serial} {}", origin.address);
        match tried.map_or(Ok(()), |tried| self.login_locks.admit(tried, now)) {
            Ok(()) => {}
            Err(Kept::Waiting) => return Err(Reason::RATE_LIMITED.into()),
            Err(Kept::Locked(until)) => {
                let locked = Error::Locked { until };
                if !self.refused_logins.admit(&place, now) {
                    return Err(locked);
                }
                let entry = refused(actor).with("until", clock::rfc3339(until));
                return self.refuse(entry, locked).await;
            }
        }
        // The challenge is used up either way; what is wrong with the certificate itself is said first.
        let proven = self.prove_key(challenge, &certificate, signature, now);
        let locks = tried
            .filter(|_| trusted.is_ok() && proven.is_err())
            .and_then(|tried| self.login_locks.refused(tried, now));
        let checked = match (trusted, proven) {
            (Ok(_), Ok(())) if foreign => Err(Reason::PEER_MISMATCH.into()),
            (Ok(_), Ok(())) => self.known_holder(&certificate, now).await,
            (Ok(_), Err(error)) => Err(error),
            (Err(error), _) => Err(chain_reason(error)),
        };
        if let Some(until) = locks {
            let locked = Error::Locked { until };
            if !self.locked_logins.admit(&place, now) {
                return Err(locked);
            }
            let entry = refused(actor).with("until", clock::rfc3339(until));
            return self.refuse(entry.with("alert", "login-locked"), locked).await;
        }
        let mut holder = match checked {
            Ok(holder) => holder,
            Err(error) if self.refused_logins.admit(&serial, now) => {
                return self.refuse(refused(actor), error).await;
            }
            Err(error) => return Err(error),
        };
        let mut secret = Zeroizing::new([0; TOKEN_OCTETS]);
        fill_random(&mut *secret)?;
        let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(*secret));
        holder.session = hsm::sm3::digest(token.as_bytes());
        let actor = Actor {
            identity: Some(holder.identity.to_string()),
            role: Some(holder.role.to_string()),
            institution: Some(holder.institution.to_string()),
            ..actor
        };
        let mut entry = entry_by(actor, Act::SessionOpen, Outcome::Granted, now);
        if let Some(lease) = lease {
            entry = entry.with("lease", lease.as_secs().to_string());
        }
        holder.leased_until = lease.map(|lease| now + lease);
        holder.lease = lease;
        let session = NewSession {
            digest: holder.session,
            identity: holder.identity,
            certificate: serial,
            opened_at: now,
            expires_at: holder.expires_at,
            address: origin.address.to_string(),
            lease,
        };
        let receipt = self.store.record_session_opened(session, entry).await?;
        if let Some(tried) = tried {
            self.login_locks.opened(tried);
        }
        Ok(OpenedSession { token, holder: Arc::new(holder), receipt })
    }

    /// Whether the holder of the certificate's key answers a challenge that was open for it.
    fn prove_key(
        &self,
        challenge: &[u8],
        certificate: &Certificate,
        signature: &[u8],
        now: UtcTime,
    ) -> Result<(), Error> {
        if !self.challenges.take(challenge, &certificate.thumbprint(), now) {
            return Err(Reason::CHALLENGE_INVALID.into());
        }
        let message = login_message(&self.name, challenge);
        let key = certificate.public_key();
        Signature::from_raw(signature)
            .ok()
            .filter(|signature| {
                key.verify(&key.digest(&SignerId::DEFAULT, &message), signature).is_ok()
            })
            .map(drop)
            .ok_or(Reason::SIGNATURE_INVALID.into())
    }

    /// Who holds a certificate that is on record and not revoked.
    async fn known_holder(&self, certificate: &Certificate, now: UtcTime) -> Result<Holder, Error> {
        let record = self
            .store
            .certificate(&certificate.serial().to_string())
            .await?
            .filter(|record| record.der.as_deref() == Some(certificate.der()))
            .ok_or(Reason::CERTIFICATE_UNKNOWN)?;
        match record.revocation_reason {
            None => {}
            Some(HOLD) => return Err(Reason::CERTIFICATE_SUSPENDED.into()),
            Some(_) => return Err(Reason::CERTIFICATE_REVOKED.into()),
        }
        let identity = record.identity.ok_or(Reason::CERTIFICATE_UNKNOWN)?;
        let expires_at = (now + self.lifetimes.session).min(certificate.not_after());
        self.holder(identity, certificate, [0; 32], expires_at).await
    }

    async fn holder(
        &self,
        identity: IdentityId,
        certificate: &Certificate,
        session: [u8; 32],
        expires_at: UtcTime,
    ) -> Result<Holder, Error> {
        let record = self.store.identity(identity).await?.ok_or(Reason::CERTIFICATE_UNKNOWN)?;
        // The certificate says who its holder is, and its signature cannot be edited in a database.
        let (institution, id) = (record.institution.to_string(), identity.to_string());
        let subject = ca::Name::of_identity(&institution, &record.role, &id).ok();
        if subject.as_ref() != Some(certificate.subject()) {
            return Err(Error::Internal {
                what: "an identity on record is not the one its certificate was issued to",
                source: None,
            });
        }
        let place = self.store.institution(record.institution).await?;
        let place = place.ok_or(Reason::INSTITUTION_NOT_FOUND)?;
        Ok(Holder {
            session,
            identity,
            certificate: certificate.serial().to_string(),
            key_thumbprint: token::thumbprint(certificate.public_key()),
            role: stored_role(&record.role)?,
            institution: record.institution,
            region: place.region,
            department: record.department,
            expires_at,
            leased_until: None,
            lease: None,
        })
    }

    /// The caller behind a session's token.
    ///
    /// # Errors
    /// SESSION_INVALID when the session is unknown, closed or over, or its certificate revoked;
    /// PEER_MISMATCH when the connection was opened with another certificate.
    pub async fn caller(&self, token: &str, origin: Origin, now: UtcTime) -> Result<Caller, Error> {
        let digest = hsm::sm3::digest(token.as_bytes());
        let holder = match self.sessions.find(&digest) {
            Some(holder) if holder.is_there(now) => holder,
            // A lease that looks over may have been renewed since it was remembered.
            _ => self.look_up_session(digest).await?,
        };
        if !holder.is_there(now) {
            return Err(Reason::SESSION_INVALID.into());
        }
        let caller = Caller { holder, origin, now };
        self.check_peer(&caller).await?;
        Ok(caller)
    }

    async fn look_up_session(&self, digest: [u8; 32]) -> Result<Arc<Holder>, Error> {
        let since = self.sessions.since();
        let session = self
            .store
            .session(&digest)
            .await?
            .filter(|session| session.closed_at.is_none())
            .ok_or(Reason::SESSION_INVALID)?;
        let record = self
            .store
            .certificate(&session.certificate)
            .await?
            .filter(|record| record.revoked_at.is_none())
            .ok_or(Reason::SESSION_INVALID)?;
        let certificate = record.der.as_deref().ok_or(Reason::SESSION_INVALID)?;
        let certificate = Certificate::parse(certificate)
            .map_err(|e| Error::internal("reading a certificate on record", e))?;
        let expires_at = session.expires_at.min(certificate.not_after());
        let mut holder = self.holder(session.identity, &certificate, digest, expires_at).await?;
        holder.leased_until = session.leased_until;
        holder.lease = session.lease;
        let holder = Arc::new(holder);
        self.sessions.remember(digest, Arc::clone(&holder), since);
        Ok(holder)
    }

    /// The caller's sessions that go on, wherever they were opened. The reading is in the log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn own_sessions(&self, caller: &Caller) -> Result<(Vec<Session>, Receipt), Error> {
        self.allow(caller, Act::SessionList).await?;
        let found = self.store.sessions_of(caller.holder.identity, caller.now).await?;
        let entry = self
            .entry(caller, Act::SessionList, Outcome::Granted)
            .with("sessions", found.len().to_string());
        Ok((found, self.record_act(entry).await?))
    }

    /// Ends another session of the caller's, as of a workstation that was left; and with it the tokens it asked for.
    ///
    /// # Errors
    /// SESSION_NOT_FOUND, also for somebody else's; [`Error::Store`] when it could not be recorded: it then goes on.
    pub async fn end_session(
        self: Arc<Self>,
        caller: Caller,
        name: &str,
    ) -> Result<Receipt, Error> {
        self.allow(&caller, Act::SessionEnd).await?;
        let own = self.store.sessions_of(caller.holder.identity, caller.now).await?;
        let Some(session) = own.into_iter().find(|session| session.name() == name) else {
            let entry = self.entry(&caller, Act::SessionEnd, Outcome::Refused);
            return self.refuse(entry, Reason::SESSION_NOT_FOUND).await;
        };
        uncut(async move {
            let entry = self
                .entry(&caller, Act::SessionEnd, Outcome::Granted)
                .on("session", session.name());
            let digest = session.digest;
            let closed = self.store.record_session_closed(&digest, caller.now, entry).await;
            self.sessions.forget(|holder| holder.session == digest);
            Ok(closed?)
        })
        .await
    }

    /// Lets a certificate log in again from wherever it was slowed down or locked: at how many addresses it was.
    ///
    /// # Errors
    /// CERTIFICATE_NOT_FOUND; ROLE_NOT_ALLOWED; [`Error::Store`] when it could not be recorded: it stays locked then.
    pub async fn unlock_logins(
        &self,
        caller: &Caller,
        serial: &str,
    ) -> Result<(u32, Receipt), Error> {
        self.allow(caller, Act::SessionUnlock).await?;
        let entry =
            |outcome| self.entry(caller, Act::SessionUnlock, outcome).on("certificate", serial);
        let found = self.store.certificate(serial).await?;
        let Some(certificate) = found.and_then(|record| record.der) else {
            return self.refuse(entry(Outcome::Refused), Reason::CERTIFICATE_NOT_FOUND).await;
        };
        let certificate = Certificate::parse(&certificate)
            .map_err(|e| Error::internal("reading a certificate on record", e))?;
        let receipt = self.record_act(entry(Outcome::Granted)).await?;
        Ok((self.login_locks.unlock(certificate.thumbprint(), caller.now), receipt))
    }

    /// Renews the lease of the caller's session; until when it is good now. Whoever asks again within a sixth of it is
    /// told until when it is good, and nothing is written.
    ///
    /// # Errors
    /// SESSION_NOT_LEASED; SESSION_INVALID when it was over meanwhile; [`Error::Store`] when it could not be recorded:
    /// it then is over when it would have been.
    pub async fn renew_session(&self, caller: &Caller) -> Result<UtcTime, Error> {
        let Holder { lease: Some(lease), leased_until: Some(until), .. } = *caller.holder else {
            return Err(Reason::SESSION_NOT_LEASED.into());
        };
        if caller.now + lease * 5 / 6 < until {
            return Ok(until);
        }
        // Looking the session up may have taken a while.
        let digest = &caller.holder.session;
        let until = self.store.renew_lease(digest, clock::now()).await?;
        self.sessions.renewed(digest, until);
        Ok(until)
    }

    /// Says in the log which sessions are over because nobody renewed their lease. They were over before. A clock that is
    /// set back makes no lease go on for longer than one more.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn keep_sessions(&self, now: UtcTime) -> Result<(), Error> {
        let cut = self.store.cut_leases(now).await?;
        if cut > 0 {
            tracing::warn!(cut, "the clock was set back: leases of sessions were cut");
            self.sessions.forget(|holder| holder.lease.is_some());
        }
        let left = self.store.sessions_left(now).await?;
        for session in &left {
            let entry = entry_by(service_actor(&self.name), Act::SessionEnd, Outcome::Granted, now)
                .on("session", session.name())
                .with("how", "lease")
                .with("of", session.identity.to_string());
            self.store.record_session_left(&session.digest, now, entry).await?;
            // At once: the next one may not be recorded.
            self.sessions.forget(|holder| holder.session == session.digest);
        }
        Ok(())
    }

    /// Ends the caller's own session.
    ///
    /// # Errors
    /// [`Error::Store`] when it could not be recorded; the session then goes on.
    pub async fn close_session(self: Arc<Self>, caller: Caller) -> Result<Receipt, Error> {
        self.allow(&caller, Act::SessionClose).await?;
        uncut(async move {
            let entry = self.entry(&caller, Act::SessionClose, Outcome::Granted);
            let digest = caller.holder.session;
            let closed = self.store.record_session_closed(&digest, caller.now, entry).await;
            self.sessions.forget(|holder| holder.session == digest);
            Ok(closed?)
        })
        .await
    }
}

/// What a login signs.
pub(crate) fn login_message(service: &str, challenge: &[u8]) -> Vec<u8> {
    [PURPOSE.as_bytes(), b"\n", service.as_bytes(), b"\n", challenge].concat()
}

fn parse(certificate: &[u8]) -> Result<Certificate, Error> {
    Certificate::parse(certificate).map_err(|_| Reason::CERTIFICATE_MALFORMED.into())
}

/// The reason that stands for a chain that does not hold.
pub(super) fn chain_reason(error: ChainError) -> Error {
    match error {
        ChainError::Expired { .. } => Reason::CERTIFICATE_EXPIRED,
        ChainError::NotYetValid { .. } => Reason::CERTIFICATE_NOT_YET_VALID,
        ChainError::Revoked { reason: ca::crl::Reason::Hold, .. } => Reason::CERTIFICATE_SUSPENDED,
        ChainError::Revoked { .. } => Reason::CERTIFICATE_REVOKED,
        ChainError::WrongKeyUsage { .. } | ChainError::WrongPurpose { .. } => {
            Reason::CERTIFICATE_WRONG_USE
        }
        // Our own lists are late: nobody is let in until they are renewed.
        ChainError::CrlMissing { .. }
        | ChainError::CrlStale { .. }
        | ChainError::CrlNotYetValid { .. } => Reason::REVOCATION_LIST_STALE,
        _ => Reason::CERTIFICATE_UNTRUSTED,
    }
    .into()
}

/// The role of a record of ours.
pub(super) fn stored_role(word: &str) -> Result<Role, Error> {
    Role::from_word(word).ok_or(Error::Internal { what: "an unknown role on record", source: None })
}

/// Fills with randomness of the system.
pub(super) fn fill_random(octets: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(octets).map_err(|e| Error::internal("drawing random octets", e))
}
