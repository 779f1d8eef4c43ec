//! Time stamps (RFC 3161, GM/T 0033): draft, record, sign. Each is in the log before it exists, so
//! that none that was handed out can be missing there, whatever is lost afterwards.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use audit::{Actor, Outcome};
use ca::timestamp::{Failure, Query, Stamper};
use ca::{Authority, Certificate, Digest, Order, Profile};

use super::{
    Caller, Error, Registrar, authorities::Member, certificate_status::lasts, entry_by, new_serial,
    revocation_lists::fault, service_actor,
};
use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    clock_watch::ClockWatch,
    config::{Clients, TimeStamps},
    policy::Act,
    store::{self, Obstacle, StoreError},
    telemetry,
};

/// Whether this member certified the stamper.
fn is_by(certificate: &Certificate, member: &Member) -> bool {
    certificate.issuer() == member.certificate().subject()
}

/// The authority that certifies the stamper.
const ISSUER: Authority = Authority::Devices;
/// Name of the stamper: in the store and in its certificate.
const STAMPER: &str = "tsa";
/// The stamper's certificate is renewed when it ends within this time.
const AHEAD: time::Duration = time::Duration::days(180);

/// Who stamps, and how.
pub(super) struct Stamping {
    settings: TimeStamps,
    stamper: RwLock<Option<Arc<Stamper>>>,
    watch: ClockWatch,
}

impl Stamping {
    pub(super) fn new(settings: TimeStamps) -> Self {
        let watch = ClockWatch::new(clock::now(), clock::count());
        Self { settings, stamper: RwLock::default(), watch }
    }

    fn stamper(&self) -> Option<Arc<Stamper>> {
        self.stamper.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn adopt(&self, stamper: Stamper) {
        let stamper = Some(Arc::new(stamper));
        *self.stamper.write().unwrap_or_else(PoisonError::into_inner) = stamper;
    }

    /// When the certificate ends that times are stamped with.
    pub(super) fn end(&self) -> Option<UtcTime> {
        self.stamper().map(|stamper| stamper.certificate().not_after())
    }

    /// Whether this is the number of the stamper's certificate.
    pub(super) fn is(&self, issuer: &Certificate, serial: &ca::Serial) -> bool {
        self.stamper().is_some_and(|stamper| {
            let own = stamper.certificate();
            own.issuer() == issuer.subject() && own.serial() == serial
        })
    }
}

impl Registrar {
    /// Whether stamps are given to those who have no session.
    pub(crate) fn stamps_for_anybody(&self) -> bool {
        self.stamping.settings.clients == Clients::Anybody
    }

    /// Answers a query, DER, in the same form. When no time is stamped, the answer says why.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED; SESSION_MISSING for somebody without a session, unless stamps are given to
    /// anybody.
    pub async fn stamp_time(
        &self,
        caller: Option<&Caller>,
        address: IpAddr,
        query: &[u8],
    ) -> Result<Vec<u8>, Error> {
        match caller {
            Some(caller) => self.allow(caller, Act::TimeStampIssue).await?,
            None if self.stamps_for_anybody() => {}
            None => return Err(Reason::SESSION_MISSING.into()),
        }
        let stamped = self.stamp(caller, address, query).await;
        Ok(stamped.unwrap_or_else(Failure::reply))
    }

    async fn stamp(
        &self,
        caller: Option<&Caller>,
        address: IpAddr,
        query: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let query = Query::parse(query).map_err(|error| error.failure())?;
        let terms = &self.stamping.settings.terms;
        if query.policy().is_some_and(|asked| *asked != terms.policy) {
            return Err(Failure::UnacceptedPolicy);
        }
        // The time of the stamp is that of now, not of when the call came.
        let at = clock::now();
        self.watch_clock(at).map_err(|_| Failure::TimeNotAvailable)?;
        let failed = |error: Error| {
            tracing::error!(cause = telemetry::chain(&error), "stamping a time");
            Failure::SystemFailure
        };
        let valid = |stamper: &Arc<Stamper>| {
            let certificate = stamper.certificate();
            (certificate.not_before()..=certificate.not_after()).contains(&at)
        };
        let stamper = self.stamping.stamper().filter(valid).ok_or(Failure::SystemFailure)?;
        let serial = new_serial().map_err(failed)?;
        let number = serial.to_string();
        let draft = stamper.draft(&query, terms, serial, at);

        let imprint = query.imprint();
        let digest = match imprint.digest() {
            Digest::Sm3 => "sm3",
            Digest::Sha256 => "sha-256",
            Digest::Sha1 => return Err(Failure::BadAlgorithm),
        };
        let entry = match caller {
            Some(caller) => self.entry(caller, Act::TimeStampIssue, Outcome::Granted),
            None => {
                let actor = Actor { address: Some(address.to_string()), ..Actor::default() };
                entry_by(actor, Act::TimeStampIssue, Outcome::Granted, at)
            }
        };
        let entry = entry
            .on("time-stamp", number.as_str())
            .with("time", clock::rfc3339(at))
            .with("digest", digest)
            .with("imprint", hex::encode(imprint.octets()));
        match self.store.record_time_stamp(number, at, terms.accuracy, entry).await {
            Ok(_) => {}
            Err(StoreError::Conflict(Obstacle::LaterTimeStamp)) => {
                tracing::error!("a later time was stamped before: the clock was set back");
                return Err(Failure::TimeNotAvailable);
            }
            Err(error) => return Err(failed(error.into())),
        }
        let key = self.keys.time_stamps().map_err(|error| failed(error.into()))?;
        draft.sign(&*key).map_err(|error| failed(Error::internal("signing a time stamp", error)))
    }

    /// Looks whether the clock goes as time does. To be called every minute or so.
    ///
    /// # Errors
    /// A fault when it was set, told in the process log as well.
    pub fn watch_clock(&self, now: UtcTime) -> Result<(), Error> {
        self.stamping.watch.look(now, clock::count()).map_err(|jumped| {
            tracing::error!(cause = telemetry::chain(&jumped), "no times are stamped");
            Error::internal("watching the clock", jumped)
        })
    }

    /// Whether the clock was set in this run, or jumped.
    pub(super) fn is_clock_in_doubt(&self) -> bool {
        self.stamping.watch.look(clock::now(), clock::count()).is_err()
    }

    /// Takes the stamper from the record. When it has no certificate for its key, or one that ends
    /// soon, it gets a new one, with an entry in the log before and after it is signed.
    ///
    /// # Errors
    /// [`Error`] when it could not be made or recorded; the one in use goes on to its end.
    pub async fn keep_stamper(&self, now: UtcTime) -> Result<(), Error> {
        let key = self.keys.time_stamps()?;
        let records = self.store.authorities().await?;
        let record = records.iter().find(|record| record.name == STAMPER);
        let issuer = self.authorities.current(ISSUER).map_err(fault)?;
        let held = record
            .and_then(|record| Certificate::parse(&record.der).ok())
            .and_then(|held| Stamper::new(held).ok())
            .filter(|held| {
                let certificate = held.certificate();
                // By the authority with any of its keys that is believed.
                let mut by = self.authorities.members().iter();
                by.any(|it| it.revoked.is_none() && is_by(certificate, it))
                    && certificate.public_key() == key.public_key()
                    && lasts(certificate, issuer.certificate(), now + AHEAD)
            });
        let stamper = match held {
            Some(held) => held,
            None => {
                let order = Order {
                    profile: Profile::TimeStamping,
                    subject: ca::Name::of_authority(&self.name, STAMPER)
                        .map_err(|e| Error::internal("naming the stamper", e))?,
                    public_key: key.public_key().clone(),
                    days: None,
                    identifiers: Vec::new(),
                };
                let certificate = self.certify_own(issuer, order, STAMPER, now).await?;
                Stamper::new(certificate)
                    .map_err(|e| Error::internal("taking up the stamper", e))?
            }
        };
        self.stamping.adopt(stamper);
        Ok(())
    }

    /// Certifies a key of the service itself, with an entry in the log before and after it is signed,
    /// and puts it on record under `name`. It ends with its issuer at the latest.
    pub(super) async fn certify_own(
        &self,
        by: &Member,
        order: Order,
        name: &str,
        now: UtcTime,
    ) -> Result<Certificate, Error> {
        let left = (by.certificate().not_after() - now).whole_days();
        let days = u32::try_from(left).unwrap_or(0).min(order.profile.days());
        let draft = by
            .issuer
            .draft(Order { days: Some(days), ..order }, new_serial()?, now)
            .map_err(|e| Error::internal("drafting a certificate of the service's own", e))?;
        let serial = draft.serial().to_string();
        let entry = |step| {
            entry_by(service_actor(&self.name), Act::CertificateIssue, Outcome::Granted, now)
                .on("certificate", serial.as_str())
                .with("issuer", by.generation.to_string())
                .with("authority", name)
                .with("step", step)
        };
        self.record_act(entry("draft")).await?;
        let signer = by.signer(&self.keys)?;
        let certificate = draft
            .sign(&*signer)
            .map_err(|e| Error::internal("signing a certificate of the service's own", e))?;
        let record = store::Authority { name: name.to_owned(), der: certificate.der().to_vec() };
        self.store.record_authority(record, entry("signed")).await?;
        Ok(certificate)
    }
}
