//! The work itself: sessions, identities, residents, cards, visits, tokens, signatures, the log.
//!
//! Each act goes one way: the policy is asked, the facts are gathered, and the change is recorded
//! together with its audit entry in one transaction. Only then is there an answer.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use access_token::Proofs;
use audit::{Actor, Entry, Outcome};
use hsm::{key::Label, self_test::SelfTestError, sm2::VerifiedSignatures, soft::Iterations};
use uuid::Uuid;

use crate::{
    card_issuer::CardIssuer,
    ceremony,
    clock::{self, UtcTime},
    code::CodeKeys,
    config::{
        self, CardRules, CardSecurity, CertificateRules, EnrolmentRules, Lifetimes, LoginRules,
    },
    devices::Devices,
    disk::Disk,
    keys::Keys,
    policy::{Act, Policy},
    rate::Buckets,
    rules::Bundle,
    store::{IdentityId, InstitutionId, Receipt, Store, StoreError},
    token::TokenKeys,
    vocabulary::Role,
};

mod asking;
mod auditing;
mod authorities;
mod authority_succession;
mod bindings;
mod card_changes;
mod card_life;
mod card_list;
mod card_security;
mod card_writes;
mod cards;
mod certificate_reports;
mod certificate_status;
mod certificates;
mod challenges;
mod codes;
mod consents;
mod desks;
mod emergencies;
mod enrolments;
mod erasures;
mod error;
mod figures;
mod guardians;
mod histories;
mod identifiers;
mod identities;
mod in_person;
mod issuing;
mod key_centre;
mod key_recoveries;
mod list_names;
mod login_locks;
mod look_alikes;
mod national;
mod operators;
mod personal;
mod referrals;
mod refused_logins;
mod renewals;
mod residents;
mod retention;
mod revocation_lists;
mod root_succession;
mod rules;
mod scrub;
mod session_cache;
pub(crate) mod sessions;
mod signing;
mod staff;
mod status;
mod time_stamps;
mod token_exchange;
mod token_keys;
mod token_revocations;
mod tokens;
mod transparency;
mod visits;
mod warnings;
mod witnesses;

pub use asking::Within;
pub use auditing::{KeysOverTime, Proof};
pub use authorities::{Authorities, AuthorityError, ListPlan};
pub(crate) use authority_succession::certify_next;
pub use bindings::{BindingRecord, Bound, History, NumberOrder};
pub use card_changes::ReviewedChange;
pub use card_list::ListUpdate;
pub use card_security::{Module, SamTransport};
pub use card_writes::{WritableCard, WriteOrder, WriteOutcome};
pub use cards::{CardFailure, DumpOrder, NewCard, Presence, Reading};
pub use certificate_reports::{AskedCertificate, CertificateTold, ReportPart};
pub use certificate_status::StatusResponse;
pub use certificates::{Enrolled, new_serial};
pub use codes::{CodeForm, CodeOrder, CreatedCode, ShownCode, VerifiedCode};
pub use consents::{ConsentNames, ConsentOrder, ConsentRecord, Listed};
pub use desks::{Contradiction, Reconciled, TaskResult};
pub use emergencies::{EmergencyNotes, EmergencyNotice, EmergencyOrder, EmergencyRecord, Whom};
pub use enrolments::{
    EnrolmentEvidence, EnrolmentKey, EnrolmentOrder, EnteredEnrolment, IssuedCertificates,
    ListedEnrolments, ReviewOrder, ReviewedEnrolment,
};
pub(crate) use erasures::erase_again;
pub use erasures::{ErasureOrder, ErasureVerdict, ReviewedErasure};
pub use error::Error;
pub(crate) use figures::Figures;
pub use guardians::{GuardianshipOrder, GuardianshipRecord, Guardianships};
pub use histories::{AccessHistory, HistoryActor};
pub use identities::{IdentityRecord, NewIdentity, NewInstitution, SoughtIdentity};
pub use issuing::{
    BatchOrder, BatchView, Begun, HandedRow, Job, Made, MakeFailure, RowVerdict,
    Verdict as CardVerdict,
};
pub use key_centre::MOST_MADE;
pub use key_recoveries::{RecoveryTo, ReviewedRecovery};
pub use list_names::{BadListName, ListName};
pub use look_alikes::{Alike, Decision, DecisionRecord};
pub use national::{Origin, Peer};
pub use operators::Founding;
pub use renewals::Renewed;
pub use residents::{NewResident, Registered, ResidentRecord};
pub(crate) use retention::Tried;
pub use retention::{SegmentInfo, SegmentState};
pub use revocation_lists::Published;
pub use root_succession::SucceededRoot;
pub(crate) use root_succession::take_over;
pub use rules::RulesInForce;
pub(crate) use rules::{rules_shipped, rules_signed};
pub use scrub::ScrubState;
pub use sessions::{Challenge, OpenedSession};
pub use signing::{Prepared, Verdict};
pub use staff::{IdentityOrder, StaffChanged};
pub use status::ServiceStatus;
pub use token_exchange::{ExchangeOrder, SubjectToken};
pub(crate) use token_keys::hold_token_key_back;
pub use tokens::{Explained, Introspection, IssuedToken, ShownToken, TokenOrder, Wanted};
pub use transparency::{OwnCertificate, OwnCertificates};
pub use visits::NewVisit;
pub use warnings::{LogWatch, WarningAgain, WarningRecord};
pub use witnesses::{Growth, WitnessState};

/// Everything the service does, behind one value that handlers share.
pub struct Registrar {
    name: String,
    store: Store,
    keys: Keys,
    authorities: Authorities,
    policy: Policy,
    policy_hash: String,
    /// Where an institution's own rules come from.
    bundle: Option<Bundle>,
    lifetimes: Lifetimes,
    card_rules: CardRules,
    enrolment_rules: EnrolmentRules,
    certificate_rules: CertificateRules,
    /// Extensions that are read as identifiers.
    identifier_oids: Vec<ca::IdentifierOid>,
    tokens: TokenKeys,
    revocations: token_revocations::Revocations,
    /// Proofs of possession that were shown.
    proofs: Proofs,
    personal: personal::Seals,
    card_keys: card::SoftSecurityModule,
    /// What desks seal readings to that they make without the service.
    sealing: hsm::sm2::SecretKey,
    /// Calls in which desks told what they read meanwhile.
    reconciliations: Buckets<IdentityId>,
    /// `None` with a keystore that lacks what cards are made with.
    issuing: Option<issuing::Issuing>,
    card_security: CardSecurity,
    card_issuer: CardIssuer,
    challenges: challenges::Challenges,
    codes: codes::Codes,
    card_lists: card_list::CardLists,
    sessions: session_cache::SessionCache,
    /// Logins that were refused a moment ago.
    refused_logins: refused_logins::RefusedLogins,
    /// Those that failed again and again.
    login_locks: login_locks::LoginLocks,
    /// Locks that were recorded a moment ago.
    locked_logins: refused_logins::RefusedLogins,
    responders: certificate_status::Responders,
    stamping: time_stamps::Stamping,
    metrics: config::MetricsReaders,
    shown: national::Shown,
    /// What is warned of.
    warned_of: crate::warnings::Settings,
    /// Where the newest warning stands in the log, for whoever follows them.
    newest_warning: tokio::sync::watch::Sender<u64>,
    /// How far the log was looked at for warnings.
    watched: AtomicU64,
    witnesses: witnesses::Witnesses,
    scrub: scrub::Scrub,
    retention: config::Retention,
    disk: Disk,
    key_centre: key_centre::KeyCentre,
    /// Signatures of requests, operators' certificates and statements.
    verified: VerifiedSignatures,
    /// One revocation list is made at a time, so that none is made from old serial numbers.
    lists: tokio::sync::Mutex<()>,
    started_at: UtcTime,
}

/// How many signatures are remembered to have verified: of some thousand enrolments under way, in less than 1 MiB.
const VERIFIED: usize = 4096;

/// How many proofs of possession are remembered, of two minutes: as many as 830 a second.
const PROOFS: usize = 100_000;

/// Who holds a session, as far as every call needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// SM3 of the session's token.
    pub session: [u8; 32],
    /// The identity on record.
    pub identity: IdentityId,
    /// Serial number of the certificate that opened the session, hexadecimal.
    pub certificate: String,
    /// Thumbprint of the holder's key, as tokens name it.
    pub key_thumbprint: String,
    /// The one role the identity has.
    pub role: Role,
    /// Where it works.
    pub institution: InstitutionId,
    /// Where that lies: region code of GB/T 2260, six digits.
    pub region: String,
    /// Department of a doctor or nurse; empty for others.
    pub department: String,
    /// When the session ends.
    pub expires_at: UtcTime,
    /// When it is over unless it is renewed before, if it has to be.
    pub leased_until: Option<UtcTime>,
    /// For how long it goes on without being renewed, if it has to be.
    pub lease: Option<Duration>,
}

impl Holder {
    /// Whether the session goes on at `now`.
    fn is_there(&self, now: UtcTime) -> bool {
        now < self.expires_at && self.leased_until.is_none_or(|until| now < until)
    }
}

/// A call: who, from where, when.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Holder of the session.
    pub holder: Arc<Holder>,
    /// Where the call came from.
    pub origin: Origin,
    /// The time of the call.
    pub now: UtcTime,
}

/// What the registrar is made of.
pub struct Parts {
    /// Name of the service.
    pub name: String,
    /// The records and the log.
    pub store: Store,
    /// The keys.
    pub keys: Keys,
    /// The certificates that vouch for others.
    pub authorities: Authorities,
    /// The rules.
    pub policy: Policy,
    /// Where they come from; from the program when absent.
    pub bundle: Option<Bundle>,
    /// Lives of things that end by themselves.
    pub lifetimes: Lifetimes,
    /// When logins that fail again and again are locked out.
    pub login_rules: LoginRules,
    /// Times in the life of a card.
    pub card_rules: CardRules,
    /// How certificates are issued.
    pub enrolment_rules: EnrolmentRules,
    /// How certificates say who their holders are.
    pub certificate_rules: CertificateRules,
    /// Who computes with card keys, and how.
    pub card_keys: config::CardKeys,
    /// The service as card issuer.
    pub card_issuer: CardIssuer,
    /// How blank cards are made into cards, when not by our own commands.
    pub card_script: Option<card::personalise::Script>,
    /// How times are stamped.
    pub time_stamps: config::TimeStamps,
    /// Who is given the numbers of `/metrics`.
    pub metrics: config::MetricsReaders,
    /// Whether there is a national listener.
    pub national: bool,
    /// What is warned of.
    pub warned_of: crate::warnings::Settings,
    /// Whoever signs the log as a witness.
    pub witnesses: config::Witnesses,
    /// How the service goes over its own log.
    pub scrub: config::Scrub,
    /// How long the log and records are kept.
    pub retention: config::Retention,
    /// The disk that the records are on.
    pub disk: Disk,
}

impl Registrar {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`Error::Key`] when a key of the service is missing.
    pub fn new(parts: Parts) -> Result<Self, Error> {
        let Parts { name, store, keys, authorities, policy, lifetimes, card_rules, .. } = parts;
        let Parts { card_keys, card_issuer, card_script, time_stamps, metrics, national, .. } =
            parts;
        let Parts { bundle, login_rules, enrolment_rules, certificate_rules, .. } = parts;
        let Parts { warned_of, witnesses, scrub, retention, disk, .. } = parts;
        Ok(Self {
            tokens: TokenKeys::new(keys.token()?, keys.earlier_token_keys()),
            revocations: token_revocations::Revocations::default(),
            proofs: Proofs::new(PROOFS),
            personal: personal::Seals::new(&keys)?,
            sealing: desks::sealing_key(&*keys.index()?)?,
            reconciliations: desks::reconciliations(),
            issuing: issuing::Issuing::new(&keys, card_script).ok(),
            card_keys: cards::security_module(&keys, card_keys.diversification)?,
            challenges: challenges::Challenges::of_logins(lifetimes.challenge),
            codes: codes::Codes::new(CodeKeys::new(&keys)?, lifetimes.code),
            card_lists: card_list::CardLists::new(&keys)?,
            sessions: session_cache::SessionCache::default(),
            refused_logins: refused_logins::RefusedLogins::default(),
            login_locks: login_locks::LoginLocks::new(login_rules),
            locked_logins: refused_logins::RefusedLogins::default(),
            responders: certificate_status::Responders::default(),
            stamping: time_stamps::Stamping::new(time_stamps),
            shown: national::Shown::new(national),
            warned_of,
            newest_warning: tokio::sync::watch::Sender::default(),
            watched: AtomicU64::default(),
            witnesses: witnesses::Witnesses::new(witnesses),
            scrub: scrub::Scrub::new(scrub),
            retention,
            disk,
            key_centre: key_centre::KeyCentre::new(keys.key_centre()?),
            verified: VerifiedSignatures::new(VERIFIED),
            lists: tokio::sync::Mutex::default(),
            policy_hash: hex::encode(policy.digest()),
            started_at: clock::now(),
            name,
            store,
            keys,
            authorities,
            policy,
            bundle,
            lifetimes,
            card_rules,
            enrolment_rules,
            identifier_oids: certificate_rules.oids(),
            certificate_rules,
            card_security: card_keys.security,
            card_issuer,
            metrics,
        })
    }

    /// The service as card issuer.
    #[must_use]
    pub fn card_issuer(&self) -> &CardIssuer {
        &self.card_issuer
    }

    /// Name of the service.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cryptographic devices that some of its keys are in.
    #[must_use]
    pub fn devices(&self) -> &Devices {
        self.keys.devices()
    }

    /// The disk that the records are on.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Looks how that disk stands, and sees to its reserve. It waits for the disk.
    pub fn look_at_disk(&self, now: UtcTime) {
        self.disk.look(self.store.trouble(), now);
    }

    /// The device that signs the log, when it is lost: nothing is recorded then.
    #[must_use]
    pub fn lost_log_device(&self) -> Option<&str> {
        self.keys.lost_log_device()
    }

    /// How the self-tests ended at the start.
    ///
    /// # Errors
    /// What failed: nothing is signed, sealed or recorded, and what was is verified.
    pub fn tested(&self) -> Result<(), SelfTestError> {
        self.keys.tested()
    }

    /// The signed transcript of a key ceremony, and the entry that has its digest.
    ///
    /// # Errors
    /// [`KeyError`](hsm::KeyError) when the root does not sign.
    pub(crate) fn hold_ceremony(
        &self,
        participants: &[Label],
        began: UtcTime,
        ended: UtcTime,
    ) -> Result<(String, Entry), hsm::KeyError> {
        let transcript = ceremony::transcript(&self.keys, &self.name, participants, began, ended)?;
        let digest = hex::encode(hsm::sm3::digest(transcript.as_bytes()));
        let entry = entry_by(service_actor(&self.name), Act::KeyCeremony, Outcome::Granted, ended)
            .on("keystore", &self.name)
            .with("transcript", digest)
            .with("participants", participants.len().to_string());
        Ok((transcript, entry))
    }

    /// The records, for whoever measures or checks them in this process.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Lets a caller do something, or leaves a refusal in the log.
    async fn allow(&self, caller: &Caller, act: Act) -> Result<(), Error> {
        let Err(denial) = self.policy.may(caller.holder.role, act) else { return Ok(()) };
        self.refuse(self.entry(caller, act, Outcome::Refused), denial).await
    }

    /// Leaves a refusal in the log, and says no. `entry` tells who asked for what.
    async fn refuse<T>(&self, entry: Entry, error: impl Into<Error>) -> Result<T, Error> {
        let error = error.into();
        let entry = match &error {
            Error::Denied(denial) => entry.under(self.policy_hash.as_str(), denial.rule()),
            _ => entry,
        };
        self.record_act(entry.with("reason", error.reason().text().reason)).await?;
        Err(error)
    }

    /// An answer of the store. What it refused leaves `entry` in the log; what failed does not.
    async fn settle<T>(&self, entry: Entry, answer: Result<T, StoreError>) -> Result<T, Error> {
        match answer {
            Err(error @ (StoreError::Duplicate(_) | StoreError::Conflict(_))) => {
                self.refuse(entry, error).await
            }
            answer => Ok(answer?),
        }
    }

    /// An entry of the log for an act of this caller.
    fn entry(&self, caller: &Caller, act: Act, outcome: Outcome) -> Entry {
        let holder = &caller.holder;
        let actor = Actor {
            identity: Some(holder.identity.to_string()),
            certificate: Some(holder.certificate.clone()),
            role: Some(holder.role.as_str().to_owned()),
            institution: Some(holder.institution.to_string()),
            address: Some(caller.origin.address.to_string()),
        };
        entry_by(actor, act, outcome, caller.now)
    }

    /// Puts an act that changes nothing else into the log.
    async fn record_act(&self, entry: Entry) -> Result<Receipt, Error> {
        Ok(self.store.record_act(entry).await?)
    }
}

/// Lets work run to its end even when the call that asked for it is cut off: what has to follow a
/// commit must not be lost with a connection.
async fn uncut<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(|e| Error::internal("finishing a change", e))?
}

/// The role of the service itself in the log.
const ITSELF: &str = "service";

/// The service as an actor: what it does without being asked.
fn service_actor(name: &str) -> Actor {
    Actor { identity: Some(name.to_owned()), role: Some(ITSELF.to_owned()), ..Actor::default() }
}

/// The entry for a key that the service made for itself at start.
pub(crate) fn key_made(name: &str, key: &hsm::KeyRef, now: UtcTime) -> Entry {
    entry_by(service_actor(name), Act::KeyMake, Outcome::Granted, now).on("key", key.to_string())
}

/// The entry for an address below which certificates say from now on that their lists are.
pub(crate) fn list_address(name: &str, url: &str, now: UtcTime) -> Entry {
    entry_by(service_actor(name), Act::ListIssue, Outcome::Granted, now)
        .on("revocation-lists", url.to_owned())
}

/// The entry for what happens to a version of a key, and what tells it from all others.
pub(crate) fn key_changed(
    name: &str,
    act: Act,
    key: &hsm::KeyRef,
    version: u32,
    named: Option<(&str, String)>,
    now: UtcTime,
) -> Entry {
    let entry = entry_by(service_actor(name), act, Outcome::Granted, now)
        .on("key", key.to_string())
        .with("version", version.to_string());
    named.into_iter().fold(entry, |entry, (kind, value)| entry.with(kind, value))
}

/// The entry for shares that were made of what opens the keystore.
pub(crate) fn keystore_shared(name: &str, threshold: u8, count: u8, now: UtcTime) -> Entry {
    entry_by(service_actor(name), Act::KeystoreShare, Outcome::Granted, now)
        .on("keystore", name)
        .with("threshold", threshold.to_string())
        .with("shares", count.to_string())
}

/// The entry for a new passphrase, with which all shares ended.
pub(crate) fn passphrase_changed(name: &str, iterations: Iterations, now: UtcTime) -> Entry {
    entry_by(service_actor(name), Act::KeystorePassphrase, Outcome::Granted, now)
        .on("keystore", name)
        .with("iterations", iterations.to_string())
}

/// The entry for what a key is called from now on.
pub(crate) fn key_labelled(name: &str, key: &hsm::KeyRef, label: &Label, now: UtcTime) -> Entry {
    entry_by(service_actor(name), Act::KeyLabel, Outcome::Granted, now)
        .on("key", key.to_string())
        .with("label", label.to_string())
}

fn entry_by(actor: Actor, act: Act, outcome: Outcome, now: UtcTime) -> Entry {
    Entry::new(Uuid::now_v7().to_string(), clock::rfc3339(now), act.as_str(), outcome, actor)
}
