//! What the status of a certificate is, for whoever asks (OCSP). Each generation of an authority has a
//! responder that answers for it, with a short-lived certificate that is renewed here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ca::ocsp::{Answer, CertificateId, Failure, Period, Question, Responder, Status};
use ca::{Certificate, Order, Profile, Serial};

use super::{Error, Registrar, authorities::Member};
use crate::{clock::UtcTime, generation::Generation, telemetry};

/// How long an answer is good for: as long as a revocation may go unnoticed by somebody who keeps
/// one.
const LIFE: time::Duration = time::Duration::hours(1);
/// Whoever asks gets an answer that is good for this long at least.
const REST: time::Duration = time::Duration::minutes(30);
/// A responder's certificate is renewed when it ends within this time.
const AHEAD: time::Duration = time::Duration::days(30);
/// Answers that are kept; past that, all are forgotten.
const MOST: usize = 20_000;

/// What is sent back to somebody who asked.
#[derive(Debug)]
pub struct StatusResponse {
    /// The response, DER.
    pub der: Vec<u8>,
    /// When it may be given to others who ask the same; `None` for one that is for this question
    /// alone.
    pub period: Option<Period>,
}

/// Who answers for the authorities, and what they said.
#[derive(Default)]
pub(super) struct Responders {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    current: Vec<(Generation, Arc<Responder>)>,
    /// By serial number, so that a revocation finds all of one certificate.
    answers: HashMap<Serial, Vec<(CertificateId, Arc<StatusResponse>)>>,
    count: usize,
    /// Counts what made answers false. One that was begun before is not kept.
    changes: u64,
}

impl Responders {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn adopt(&self, of: Generation, responder: Responder) {
        let mut inner = self.lock();
        inner.current.retain(|(held, _)| *held != of);
        inner.current.push((of, Arc::new(responder)));
    }

    /// When the first certificate ends that answers are signed with.
    pub(super) fn first_end(&self) -> Option<UtcTime> {
        self.lock().current.iter().map(|(_, who)| who.certificate().not_after()).min()
    }

    fn of(&self, of: Generation) -> Option<Arc<Responder>> {
        let inner = self.lock();
        inner.current.iter().find(|(held, _)| *held == of).map(|(_, who)| Arc::clone(who))
    }

    /// An answer that was given before and is good for a while.
    fn kept(&self, id: &CertificateId, now: UtcTime) -> Option<Arc<StatusResponse>> {
        let inner = self.lock();
        let (_, kept) = inner.answers.get(id.serial())?.iter().find(|(held, _)| held == id)?;
        let period = kept.period?;
        (period.this_update <= now && now + REST <= period.next_update).then(|| Arc::clone(kept))
    }

    fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Keeps an answer, unless something changed since it was begun.
    fn keep(&self, id: CertificateId, response: &Arc<StatusResponse>, begun: u64) {
        let mut inner = self.lock();
        if inner.changes != begun {
            return;
        }
        if inner.count >= MOST {
            inner.answers.clear();
            inner.count = 0;
        }
        let of_serial = inner.answers.entry(id.serial().clone()).or_default();
        let before = of_serial.len();
        of_serial.retain(|(held, _)| *held != id);
        of_serial.push((id, Arc::clone(response)));
        let after = of_serial.len();
        inner.count = inner.count + after - before;
    }

    /// Forgets what was said about a certificate.
    pub(super) fn forget(&self, serial: &str) {
        let mut inner = self.lock();
        inner.changes += 1;
        if let Ok(serial) = serial.parse::<Serial>()
            && let Some(forgotten) = inner.answers.remove(&serial)
        {
            inner.count -= forgotten.len();
        }
    }
}

impl Registrar {
    /// Answers a question about certificates, DER, in the same form. Anybody may ask, and nothing is
    /// recorded. When nothing can be said, the answer says that. `admit` is asked before one is signed
    /// anew; what it does not admit is to be tried later.
    pub async fn certificate_status(
        &self,
        question: &[u8],
        admit: impl FnOnce() -> bool,
        now: UtcTime,
    ) -> Arc<StatusResponse> {
        let answer = match Question::parse(question) {
            Ok(question) => self.answer(question, admit, now).await,
            Err(_) => Err(Failure::MalformedRequest),
        };
        answer.unwrap_or_else(|failure| {
            Arc::new(StatusResponse { der: failure.response(), period: None })
        })
    }

    async fn answer(
        &self,
        question: Question,
        admit: impl FnOnce() -> bool,
        now: UtcTime,
    ) -> Result<Arc<StatusResponse>, Failure> {
        // What many ask is answered once.
        let common = match (question.ids(), question.nonce()) {
            ([id], None) => Some(id),
            _ => None,
        };
        if let Some(kept) = common.and_then(|id| self.responders.kept(id, now)) {
            return Ok(kept);
        }
        if !admit() {
            return Err(Failure::TryLater);
        }
        // One who answers for all of it: a response has one signature.
        let all_of =
            |member: &&Member| question.ids().iter().all(|id| id.is_of(member.certificate()));
        let member = self.authorities.members().iter().find(all_of);
        let member = member.ok_or(Failure::Unauthorized)?;

        let begun = self.responders.changes();
        let this_update = now.replace_nanosecond(0).unwrap_or(now);
        let period = Period { this_update, next_update: this_update + LIFE };
        let responder = self.responders.of(member.generation);
        let responder = responder
            .filter(|responder| responder.certificate().not_after() >= period.next_update)
            .ok_or(Failure::InternalError)?;
        let mut answers = Vec::with_capacity(question.ids().len());
        for id in question.ids() {
            let status = self.status_of(member, id.serial()).await.map_err(|error| {
                tracing::warn!(cause = telemetry::chain(&error), "looking for a certificate");
                Failure::TryLater
            })?;
            answers.push(Answer { id: id.clone(), status });
        }
        let signed = self.keys.status().map_err(Error::Key).and_then(|key| {
            let draft = responder.draft(&answers, period, question.nonce());
            draft.sign(&*key).map_err(|e| Error::internal("signing an answer", e))
        });
        let der = signed.map_err(|error| {
            tracing::error!(cause = telemetry::chain(&error), "answering about a certificate");
            Failure::InternalError
        })?;
        let response = Arc::new(StatusResponse { der, period: common.is_some().then_some(period) });
        // Numbers that nobody has are as many as somebody likes to ask for.
        let known = answers.iter().all(|answer| answer.status != Status::Unknown);
        if let Some(id) = common.filter(|_| known) {
            self.responders.keep(id.clone(), &response, begun);
        }
        Ok(response)
    }

    /// What is on record about a serial number of an authority. A draft that was never signed is no
    /// certificate.
    async fn status_of(&self, member: &Member, serial: &Serial) -> Result<Status, Error> {
        let issuer = member.certificate();
        if member.generation == Generation::ROOT
            && let Some(revoked) = self.authorities.revocations().find(|it| it.serial == *serial)
        {
            return Ok(Status::Revoked { at: revoked.at, reason: revoked.reason });
        }
        if let Some(at) = member.revoked
            && (self.is_own(issuer, serial) || self.was_own(issuer, serial).await?)
        {
            // What a lost key certified for the service counts for no more than what it certified for others.
            return Ok(Status::Revoked { at, reason: ca::crl::Reason::AuthorityCompromise });
        }
        if self.is_own(issuer, serial) {
            return Ok(Status::Good);
        }
        let name = member.generation.to_string();
        let standing = self.store.certificate_standing(&name, &serial.to_string()).await?;
        Ok(match standing {
            None if self.was_own(issuer, serial).await? => Status::Good,
            None => Status::Unknown,
            Some(None) => Status::Good,
            Some(Some(revoked)) => Status::Revoked {
                at: revoked.revoked_at,
                reason: u8::try_from(revoked.reason)
                    .ok()
                    .and_then(ca::crl::Reason::from_code)
                    .ok_or(Error::Internal { what: "an unknown reason", source: None })?,
            },
        })
    }

    /// Whether this is the number of an authority, link, responder or stamper of ours: they are not among
    /// the certificates on record, and, but for authorities that were succeeded, never revoked.
    fn is_own(&self, issuer: &Certificate, serial: &Serial) -> bool {
        let is = |own: &Certificate| own.issuer() == issuer.subject() && own.serial() == serial;
        let authorities = || self.authorities.members().iter().any(|at| is(at.certificate()));
        let responders =
            || self.responders.lock().current.iter().any(|(_, at)| is(at.certificate()));
        let links = || {
            let links = self.succeeded_roots().iter();
            let mut links = links.filter_map(|it| Certificate::parse(&it.old_with_new).ok());
            links.any(|link| is(&link))
        };
        authorities()
            || links()
            || responders()
            || self.stamping.is(issuer, serial)
            || self.shown.is(issuer, serial)
    }

    /// Whether this is the number of a certificate of the service's own that was replaced, and whose key
    /// is still believed: time stamps are checked years after.
    async fn was_own(&self, issuer: &Certificate, serial: &Serial) -> Result<bool, Error> {
        let before = self.store.authorities_before().await?;
        let mut before = before.iter().filter_map(|record| Certificate::parse(&record.der).ok());
        Ok(before.any(|own| {
            own.issuer() == issuer.subject()
                && own.serial() == serial
                && self.keys.believes(own.public_key())
        }))
    }

    /// Takes the responders from the record. One that has no certificate for its key, or whose
    /// certificate ends soon, gets a new one, with an entry in the log before and after it is signed.
    ///
    /// # Errors
    /// [`Error`] when one could not be made or recorded; those in use go on to the end of their
    /// certificates.
    pub async fn keep_responders(&self, now: UtcTime) -> Result<(), Error> {
        let key = self.keys.status()?;
        let records = self.store.authorities().await?;
        for member in self.authorities.members() {
            let issuer = member.certificate();
            if issuer.not_after() < now {
                // Nothing below it is good any more, and nobody is certified by it.
                continue;
            }
            let name = responder_name(member.generation);
            let record = records.iter().find(|record| record.name == name);
            let held = record
                .and_then(|record| Certificate::parse(&record.der).ok())
                .and_then(|held| Responder::new(held, issuer).ok())
                .filter(|held| {
                    let certificate = held.certificate();
                    certificate.public_key() == key.public_key()
                        && lasts(certificate, issuer, now + AHEAD)
                });
            let responder = match held {
                Some(held) => held,
                None => {
                    let order = Order {
                        profile: Profile::StatusResponder,
                        subject: ca::Name::of_authority(&self.name, &name)
                            .map_err(|e| Error::internal("naming a responder", e))?,
                        public_key: key.public_key().clone(),
                        days: None,
                        identifiers: Vec::new(),
                    };
                    let made = self.certify_own(member, order, &name, now).await?;
                    Responder::new(made, issuer)
                        .map_err(|e| Error::internal("taking up a responder", e))?
                }
            };
            self.responders.adopt(member.generation, responder);
        }
        Ok(())
    }
}

/// Whether a certificate of the service's own is good until then, or as long as its issuer can make
/// one: another would not last longer.
pub(super) fn lasts(certificate: &Certificate, issuer: &Certificate, until: UtcTime) -> bool {
    let end = certificate.not_after();
    end > until || end + time::Duration::DAY > issuer.not_after()
}

/// Name of who answers for a generation of an authority: in the store and in its certificate.
fn responder_name(of: Generation) -> String {
    format!("{of}-ocsp")
}

#[cfg(test)]
mod tests {
    use ca::{Digest, Issuer};
    use hsm::sm2::SecretKey;
    use time::macros::datetime;

    use super::*;

    const NOW: UtcTime = datetime!(2026-11-26 08:00 UTC);

    /// The certificate of an authority that has this number.
    fn id(digest: Digest, number: u8) -> CertificateId {
        let key = SecretKey::from_be_bytes(&[7; 32]).unwrap();
        let order = Order {
            profile: Profile::Root,
            subject: ca::Name::of_authority("county", "root").unwrap(),
            public_key: key.public().clone(),
            days: None,
            identifiers: Vec::new(),
        };
        let serial = Serial::from_random([1; 16]);
        let root = Issuer::draft_root(order, serial, NOW).unwrap().sign(&key).unwrap();
        CertificateId::new(digest, &root, &Serial::from_random([number; 16]))
    }

    fn response() -> Arc<StatusResponse> {
        let period = Some(Period { this_update: NOW, next_update: NOW + LIFE });
        Arc::new(StatusResponse { der: vec![1], period })
    }

    #[test]
    fn an_answer_is_kept_for_its_question_while_it_is_good_for_long_enough() {
        let responders = Responders::default();
        let (asked, other) = (id(Digest::Sm3, 2), id(Digest::Sha1, 2));
        responders.keep(asked.clone(), &response(), responders.changes());
        let kept = |id, now| responders.kept(id, now).is_some();
        assert!(kept(&asked, NOW) && kept(&asked, NOW + LIFE - REST));
        assert!(!kept(&asked, NOW + LIFE - REST + time::Duration::SECOND));
        // A clock that was set back does not make it newer.
        assert!(!kept(&asked, NOW - time::Duration::SECOND));
        assert!(!kept(&other, NOW) && !kept(&id(Digest::Sm3, 3), NOW));
    }

    #[test]
    fn what_was_said_goes_with_a_revocation_and_so_does_what_was_about_to_be() {
        let responders = Responders::default();
        let (sm3, sha1) = (id(Digest::Sm3, 2), id(Digest::Sha1, 2));
        let bystander = id(Digest::Sm3, 3);
        let begun = responders.changes();
        for id in [&sm3, &sha1, &bystander] {
            responders.keep(id.clone(), &response(), begun);
        }
        responders.forget(&sm3.serial().to_string());
        let kept = |id| responders.kept(id, NOW).is_some();
        assert!(!kept(&sm3) && !kept(&sha1) && kept(&bystander));
        assert_eq!(responders.lock().count, 1);
        // Read before the revocation and signed after it.
        responders.keep(sm3.clone(), &response(), begun);
        assert!(!kept(&sm3));
        responders.keep(sm3.clone(), &response(), responders.changes());
        assert!(kept(&sm3));
        // Twice is once.
        responders.keep(sm3.clone(), &response(), responders.changes());
        assert_eq!(responders.lock().count, 2);
    }
}
