//! A whole service in this process, over TLS on a free port, with people to serve.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use ca::Certificate;
use hsm::{
    Sm2Signer as _,
    sm2::SecretKey,
    soft::{Iterations, Passphrase},
};
use proto::v1::{self, sessions_client::SessionsClient};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{sync::watch, task::JoinHandle};
use tonic::transport::Channel;
use zeroize::Zeroizing;

use super::{
    BenchError,
    national::Line,
    two_persons::{Wanted, identifiers_of},
};
use crate::{
    clock,
    config::Config,
    init::{self, InitOptions},
    national::National,
    registrar::sessions::login_message,
    registrar::{
        Caller, EnrolmentOrder, Holder, NewCard, NewIdentity, NewInstitution, NewResident,
        NewVisit, Registered, Registrar, ReviewOrder,
    },
    serve::{self, Protection},
    start,
    store::{
        Activation, EnrolmentId, IdentityId, InstitutionId, NewSession, Presence, PresenceId,
        ResidentId, Store, VisitId,
    },
    vocabulary::{CertificateSet, Role},
};

/// Department of the doctor and of the visit.
const DEPARTMENT: &str = "内科";

/// A service with a hospital in it.
pub(super) struct Ground {
    pub(super) registrar: Arc<Registrar>,
    pub(super) address: SocketAddr,
    pub(super) visit: VisitId,
    pub(super) operator: Person,
    pub(super) reviewer: Person,
    pub(super) hospital: InstitutionId,
    pub(super) doctor_id: IdentityId,
    pub(super) doctor: Person,
    pub(super) auditor: Person,
    tls: Arc<rustls::ClientConfig>,
    national: SocketAddr,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

/// Somebody with a key and a certificate.
pub(super) struct Person {
    pub(super) key: Arc<SecretKey>,
    pub(super) certificate: Vec<u8>,
}

impl Person {
    /// One of the first two operators, whom `init` made.
    fn founder(data: &Path, name: &str) -> Result<Self, BenchError> {
        let directory = data.join(name);
        let pem = Zeroizing::new(fs::read_to_string(directory.join("key.pem"))?);
        let key = SecretKey::from_pkcs8_pem(&pem)?;
        Ok(Self { key: Arc::new(key), certificate: fs::read(directory.join("certificate.der"))? })
    }
}

/// How a service was opened whose log has grown.
pub(super) struct Opened {
    /// Bytes of the database, and entries of its log.
    pub(super) bytes: u64,
    pub(super) entries: u64,
    /// What opening the database took.
    pub(super) database: Duration,
    /// What the service took until it was ready to serve, keystore and self-tests included.
    pub(super) service: Duration,
}

impl Ground {
    /// Makes it in `data`.
    pub(super) async fn make(data: &Path) -> Result<Self, BenchError> {
        make_service(data).await?;
        let registrar = open(data).await?;
        let operator = Person::founder(data, init::OPERATOR)?;
        let reviewer = Person::founder(data, init::REVIEWER)?;
        let made = people(&registrar, [&operator, &reviewer]).await?;
        let (hospital, visit, doctor_id, doctor, auditor) = made;
        let tls = client_tls(&data.join("tls/ca.pem"))?;
        let Listening { address, national, stop, mut serving } = listen(&registrar, data).await?;
        // As a service does beside its calls.
        let watch = start::watch_log(Arc::clone(&registrar), stop.subscribe());
        serving.push(tokio::spawn(watch));
        Ok(Self {
            registrar,
            address,
            visit,
            operator,
            reviewer,
            hospital,
            doctor_id,
            doctor,
            auditor,
            tls,
            national,
            stop,
            serving,
        })
    }

    /// Closes the service, has `work` done on its records alone, and opens it again. It then looks for nothing to be
    /// warned of: people who are made up are not on record.
    pub(super) async fn reopen(
        self,
        data: &Path,
        work: impl AsyncFnOnce(&Store) -> Result<(), BenchError>,
    ) -> Result<(Self, Opened), BenchError> {
        let Self { registrar, stop, serving, .. } = self;
        end(&stop, serving).await?;
        drop(registrar);
        let passphrase = Passphrase::from_file(&passphrase_file(data))?;
        let unlocked = start::unlock(Config::load(data)?, &passphrase, Ok(())).await?;
        let (keys, config) = (unlocked.keys, unlocked.config);
        work(&unlocked.store).await?;
        drop(unlocked.store);
        let bytes = fs::metadata(&config.database)?.len();
        let begin = Instant::now();
        let store = Store::open(&config.database, keys.of_log()?, &config.name)?;
        let (database, entries) = (begin.elapsed(), store.log_size());
        drop((store, keys));
        let begin = Instant::now();
        let registrar = open(data).await?;
        let Listening { address, national, stop, serving } = listen(&registrar, data).await?;
        let opened = Opened { bytes, entries, database, service: begin.elapsed() };
        Ok((Self { registrar, address, national, stop, serving, ..self }, opened))
    }

    pub(super) fn store(&self) -> &Store {
        self.registrar.store()
    }

    /// The ordinary listener.
    pub(super) fn ordinary(&self) -> Line {
        Line { address: self.address, config: Arc::clone(&self.tls) }
    }

    /// The national listener, as the doctor.
    pub(super) fn national(&self) -> Result<Line, BenchError> {
        let root = self.registrar.published().root;
        Line::national(self.national, &root, &self.doctor)
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Channel, BenchError> {
        self.ordinary().channel().await
    }

    /// Logs somebody in; the value of `authorization`.
    pub(super) async fn log_in(
        &self,
        channel: &Channel,
        person: &Person,
    ) -> Result<tonic::metadata::MetadataValue<tonic::metadata::Ascii>, BenchError> {
        let mut sessions = SessionsClient::new(channel.clone());
        let certificate = person.certificate.clone();
        let request = v1::ChallengeRequest { certificate: certificate.clone() };
        let given = sessions.challenge(request).await?.into_inner();
        let message = login_message(&given.service, &given.challenge);
        let signature = person.key.sign(&person.key.digest(&message))?;
        let answer = v1::OpenSessionRequest {
            challenge: given.challenge,
            certificate,
            signature: signature.as_raw().to_vec(),
            lease_seconds: 0,
        };
        let opened = sessions.open(answer).await?.into_inner();
        Ok(format!("Bearer {}", opened.token).parse()?)
    }

    /// Ends the service and closes its store.
    pub(super) async fn end(self) -> Result<(), BenchError> {
        end(&self.stop, self.serving).await
    }
}

/// A service that answers.
struct Listening {
    address: SocketAddr,
    national: SocketAddr,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

async fn open(data: &Path) -> Result<Arc<Registrar>, BenchError> {
    let mut config = Config::load(data)?;
    config.national = Some(anywhere());
    let passphrase = Passphrase::from_file(&passphrase_file(data))?;
    Ok(Arc::new(start::open(config, &passphrase).await?))
}

async fn listen(registrar: &Arc<Registrar>, data: &Path) -> Result<Listening, BenchError> {
    let config = Config::load(data)?;
    let Protection::Tls(server) = serve::tls(&config.tls_certificate, &config.tls_key)? else {
        return Err("TLS settings without TLS".into());
    };
    let [listener, nationally] = [serve::bind(anywhere()).await?, serve::bind(anywhere()).await?];
    let (address, national) = (listener.local_addr()?, nationally.local_addr()?);
    let (stop, stopped) = watch::channel(false);
    let router = crate::api::router(Arc::clone(registrar)).await?.merge(super::echo::router());
    let people = National::new(Arc::clone(registrar))?;
    let both =
        [(listener, Protection::Tls(server)), (nationally, Protection::National(Arc::new(people)))];
    let serving = both.map(|(listener, protection)| {
        tokio::spawn(serve::serve(listener, protection, router.clone(), stopped.clone()))
    });
    Ok(Listening { address, national, stop, serving: serving.into() })
}

/// Ends the service and closes its store, unless somebody else has it.
async fn end(stop: &watch::Sender<bool>, serving: Vec<JoinHandle<()>>) -> Result<(), BenchError> {
    stop.send_replace(true);
    for serving in serving {
        serving.await?;
    }
    Ok(())
}

/// `healthcardd init` in `data`, with a passphrase that nobody will need again.
pub(super) async fn make_service(data: &Path) -> Result<(), BenchError> {
    let mut passphrase = Zeroizing::new([0_u8; 16]);
    getrandom::fill(&mut *passphrase)?;
    let file = passphrase_file(data);
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(file)?;
    std::io::Write::write_all(&mut &file, hex::encode(*passphrase).as_bytes())?;
    let options = InitOptions {
        data: data.to_owned(),
        passphrase: Passphrase::from_file(&passphrase_file(data))?,
        iterations: Iterations::DEFAULT,
        name: "bench.localhost".to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        hosts: Vec::new(),
        operator_request: None,
        reviewer_request: None,
        participants: Vec::new(),
    };
    Ok(init::init(options).await?)
}

/// Beside the data directory, which has to be empty.
pub(super) fn passphrase_file(data: &Path) -> std::path::PathBuf {
    data.with_extension("passphrase")
}

/// A hospital, a doctor, an auditor, a resident with a card, and an open visit. The card is not
/// read here: its presence is put on record as if it had been.
async fn people(
    registrar: &Arc<Registrar>,
    operators: [&Person; 2],
) -> Result<(InstitutionId, VisitId, IdentityId, Person, Person), BenchError> {
    let as_caller = |person: &Person| -> Result<Caller, BenchError> {
        let [identity, institution, serial] = person.names()?;
        Ok(caller(Role::Operator, identity.parse()?, institution.parse()?, &serial))
    };
    let (operator, reviewer) = (as_caller(operators[0])?, as_caller(operators[1])?);
    let order = NewInstitution {
        credit_code: "91350100M000100Y43".parse()?,
        name: "县医院".to_owned(),
        region: "990000".parse()?,
    };
    let (hospital, _) = registrar.register_institution(&operator, order).await?;
    let enroll = async |role, number: &str| {
        let department = if role == Role::Doctor { DEPARTMENT } else { "" };
        let order = NewIdentity {
            institution: hospital,
            role,
            name: Zeroizing::new(number.to_owned()),
            number: number.to_owned(),
            department: department.to_owned(),
            id_number: None,
            qualified_until: None,
        };
        let (id, _) = registrar.register_identity(&operator, order).await?;
        let key = SecretKey::generate();
        let name = ca::Name::of_authority("bench", number)?;
        let request = ca::request::request(&name, &key)?;
        let wanted = Wanted {
            service: registrar.name(),
            identity: id.to_string(),
            institution: hospital.to_string(),
            role,
            certificates: CertificateSet::Signing,
            request,
            identifiers: identifiers_of(registrar, id).await?,
        };
        let enrolment = EnrolmentId::generate();
        let entry = wanted.entry(enrolment, operators[0])?;
        let approval = wanted.approval(enrolment, &entry, operators[1])?;
        let order = EnrolmentOrder {
            id: enrolment,
            identity: id,
            certificates: CertificateSet::Signing,
            days: None,
            request: wanted.request,
            statement: entry.text,
            signature: entry.signature,
        };
        Arc::clone(registrar).enter_enrolment(operator.clone(), order).await?;
        let order = ReviewOrder {
            id: enrolment,
            rejection: None,
            statement: approval.text,
            signature: approval.signature,
        };
        let reviewed = Arc::clone(registrar).review_enrolment(reviewer.clone(), order).await?;
        let issued = reviewed.issued.ok_or("an approval without a certificate")?;
        let certificate = issued.signing.der().to_vec();
        Ok::<_, BenchError>((id, Person { key: Arc::new(key), certificate }))
    };
    let (doctor_id, doctor) = enroll(Role::Doctor, "doctor").await?;
    let (_, auditor) = enroll(Role::Auditor, "auditor").await?;
    let (clerk_id, clerk_person) = enroll(Role::Clerk, "clerk").await?;

    let clerk = caller(Role::Clerk, clerk_id, hospital, "00");
    let session = NewSession {
        digest: clerk.holder.session,
        identity: clerk_id,
        certificate: Certificate::parse(&clerk_person.certificate)?.serial().to_string(),
        opened_at: clerk.now,
        expires_at: clerk.holder.expires_at,
        address: clerk.origin.address.to_string(),
        lease: None,
    };
    let entry = super::log::entry("bench", "session.open", clerk.now);
    registrar.store().record_session_opened(session, entry).await?;
    let resident = NewResident {
        name: "测试".parse()?,
        id_number: "11010519491231002X".parse()?,
        phone: None,
        ethnic_group: None,
    };
    let registered = registrar.register_resident(&clerk, resident, None).await?;
    let (Registered::Resident(resident), _) = registered else {
        return Err("the resident was not registered".into());
    };
    let card = NewCard {
        resident,
        chip_serial: "0000000001".parse()?,
        factor: card::CardFactor([1; 8]),
        valid_until: (clerk.now + time::Duration::days(365)).date(),
        application: None,
        activation: Activation::Done,
    };
    let (card, _) = registrar.register_card(&clerk, card).await?;
    let presence = PresenceId::generate();
    put_presence(registrar, &clerk, presence, card, resident).await?;
    let order = NewVisit {
        presence,
        department: DEPARTMENT.to_owned(),
        reason: "bench".to_owned(),
        attending: vec![doctor_id],
    };
    let (visit, _) = registrar.open_visit(&clerk, order).await?;
    Ok((hospital, visit.id, doctor_id, doctor, auditor))
}

async fn put_presence(
    registrar: &Registrar,
    clerk: &Caller,
    id: PresenceId,
    card: crate::store::CardId,
    resident: ResidentId,
) -> Result<(), BenchError> {
    let presence = Presence {
        id,
        evidence: crate::store::Evidence::Card(card),
        resident,
        session: clerk.holder.session,
        sealed_reading: Vec::new(),
        read_at: clerk.now,
        expires_at: clerk.now + time::Duration::HOUR,
    };
    let entry = super::log::entry(&resident.to_string(), "card.read", clerk.now);
    registrar.store().record_presence(presence, entry).await?;
    Ok(())
}

/// A caller as if logged in. The service itself never makes one but from a session.
fn caller(
    role: Role,
    identity: IdentityId,
    institution: InstitutionId,
    certificate: &str,
) -> Caller {
    let now = clock::now();
    let holder = Holder {
        session: [0; 32],
        identity,
        certificate: certificate.to_owned(),
        key_thumbprint: String::new(),
        role,
        institution,
        region: String::new(),
        department: String::new(),
        expires_at: now + time::Duration::HOUR,
        leased_until: None,
        lease: None,
    };
    Caller { holder: Arc::new(holder), origin: IpAddr::from(Ipv4Addr::LOCALHOST).into(), now }
}

fn client_tls(authority: &Path) -> Result<Arc<rustls::ClientConfig>, BenchError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}
