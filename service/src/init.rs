//! `healthcardd init`: everything a new service needs, made once in an empty directory: settings,
//! keys, authorities, database, TLS certificate, and the first two operators.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use ca::request::CertificateRequest;
use hsm::{
    Sm2Signer as _,
    key::Label,
    random::SystemRandom,
    self_test::{self, SelfTestError},
    sm2::{PublicKey, SecretKey},
    soft::{Iterations, KeystoreError, Passphrase, SoftKeystore},
};

use crate::{
    clock::{self, UtcTime},
    config::{self, Config, ConfigError, RawConfig},
    keys::{self, Keys},
    registrar::{Authorities, AuthorityError, Enrolled, Error, Founding, Registrar, new_serial},
    start::{self, StartError},
    store::{self, Store, StoreError},
    telemetry, warnings,
};

/// Directory of the first operator's identity, within the data directory.
pub const OPERATOR: &str = "operator";

/// Directory of the second operator's identity, within the data directory: for another person.
pub const REVIEWER: &str = "reviewer";

/// The root's certificate, PEM, within the data directory: for all who are to trust it.
pub const ROOT: &str = "root.pem";

/// The card issuer's certificate (发卡机构证书), 180 bytes, within the data directory.
pub const CARD_ISSUER: &str = "card-issuer.cer";

/// The transcript of the key ceremony, within the data directory.
pub const TRANSCRIPT: &str = "ceremony.txt";

/// Life of the TLS authority's certificate, and of the listener's.
const TLS_AUTHORITY_LIFE: time::Duration = time::Duration::days(10 * 365);
const TLS_LIFE: time::Duration = time::Duration::days(2 * 365);

/// What is to be made.
pub struct InitOptions {
    /// The data directory: absent or empty.
    pub data: PathBuf,
    /// Passphrase of the keystore.
    pub passphrase: Passphrase,
    /// What a guess of it costs.
    pub iterations: Iterations,
    /// Name of the service.
    pub name: String,
    /// Address to listen on.
    pub listen: String,
    /// Further names and addresses that the TLS certificate is for.
    pub hosts: Vec<String>,
    /// The first operator's certification request, when the operator made the key.
    pub operator_request: Option<PathBuf>,
    /// The second operator's, of whom the same is true.
    pub reviewer_request: Option<PathBuf>,
    /// Who is present, by role: they get a transcript of the keys that were made.
    pub participants: Vec<Label>,
}

/// Why a service could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// The directory holds something.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// One key cannot be two people's.
    #[error("the first two operators ask for certificates with the same key")]
    OneKey,
    /// The name cannot name a service.
    #[error("a service is named by 1 to 64 letters, digits, dots and hyphens")]
    Name,
    /// The operator's request could not be read, or is none.
    #[error("reading the operator's certification request {}", path.display())]
    Request {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The keys would not be good ones.
    #[error("testing the algorithms and the random generator")]
    SelfTest(#[from] SelfTestError),
    /// A file could not be written.
    #[error("writing {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The keystore could not be made.
    #[error("making the keystore")]
    Keystore(#[from] KeystoreError),
    /// The database could not be made.
    #[error("making the database")]
    Store(#[from] StoreError),
    /// The authorities could not be founded.
    #[error("founding the authorities")]
    Authorities(#[from] AuthorityError),
    /// The first operators could not be put on record.
    #[error("putting the first operators on record")]
    Operator(#[from] Error),
    /// The TLS certificate could not be made.
    #[error("making the TLS certificate")]
    Tls(#[from] rcgen::Error),
    /// The settings that were written are not accepted.
    #[error("reading back the settings")]
    Config(#[from] ConfigError),
    /// What was made does not start.
    #[error("starting what was made")]
    Start(#[from] Box<StartError>),
}

/// Makes a service. The settings are written last: a directory without them is not a service.
///
/// # Errors
/// [`InitError`]; what was written so far then stays, and the directory is not used again.
pub async fn init(options: InitOptions) -> Result<(), InitError> {
    let began = clock::now();
    let InitOptions {
        data,
        passphrase,
        iterations,
        name,
        listen,
        hosts,
        operator_request,
        reviewer_request,
        participants,
    } = options;
    self_test::run(&mut SystemRandom)?;
    if !config::is_service_name(&name) {
        return Err(InitError::Name);
    }
    // All that can be wrong with what was asked for comes before anything is written.
    let asked = |request: Option<&Path>| request.map(requested_key).transpose();
    let operators = [asked(operator_request.as_deref())?, asked(reviewer_request.as_deref())?];
    if operators[0].is_some() && operators[0] == operators[1] {
        return Err(InitError::OneKey);
    }
    let hosts = rcgen::CertificateParams::new(hosts)?.subject_alt_names;
    make_empty(&data)?;
    let raw = RawConfig {
        name,
        listen,
        keystore: config::default_keystore(),
        database: config::default_database(),
        tls: config::RawTls::default(),
        national: None,
        policy: None,
        card_script: None,
        enrolment: config::RawEnrolment::default(),
        certificates: config::RawCertificates::default(),
        public_url: None,
        lifetimes: config::RawLifetimes::default(),
        logins: config::RawLogins::default(),
        cards: config::RawCards::default(),
        devices: BTreeMap::new(),
        keys: BTreeMap::new(),
        time_stamps: config::RawTimeStamps::default(),
        metrics: config::RawMetrics::default(),
        revocation_lists: config::RawRevocationLists::default(),
        warnings: warnings::Settings::default(),
        witnesses: config::RawWitnesses::default(),
        scrub: config::RawScrub::default(),
        disk: config::RawDisk::default(),
        retention: config::RawRetention::default(),
        card_security: config::default_card_security(),
        card_diversification: config::default_card_diversification(),
    };
    let settings = toml::to_string_pretty(&raw).expect("settings are plain strings and numbers");
    let config = Config::check(raw, &data)?;

    let mut keystore = SoftKeystore::create_with(&config.keystore, &passphrase, iterations)?;
    for (key, key_use) in keys::required() {
        keystore.generate(&key, key_use)?;
    }
    keystore.save()?;
    tls(&config, hosts)?;
    let ceremony = Ceremony { participants, began };
    found(config, Keys::new(keystore, Ok(())), &data, operators, ceremony).await?;
    write(&data.join(config::FILE), settings.as_bytes(), Secrecy::Public)
}

/// Sees to it that the card issuer's certificate is in the data directory: installations of before
/// have none. The one on record is what counts; a service runs without the file, so that what is
/// wrong with it is only told.
pub fn keep_card_issuer(data: &Path, registrar: &Registrar) {
    let path = data.join(CARD_ISSUER);
    let certificate = registrar.card_issuer().certificate.to_bytes();
    match fs::read(&path) {
        Ok(kept) if kept == certificate => {}
        Ok(_) => tracing::warn!(
            file = CARD_ISSUER,
            "is not the card issuer's certificate on record; move it away and start again"
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match write(&path, &certificate, Secrecy::Public) {
                Ok(()) => {
                    tracing::info!(file = CARD_ISSUER, "the issuer's certificate was written")
                }
                Err(error) => {
                    let cause = telemetry::chain(&error);
                    tracing::warn!(cause, file = CARD_ISSUER, "could not be written");
                }
            }
        }
        Err(error) => {
            let cause = telemetry::chain(&error);
            tracing::warn!(cause, file = CARD_ISSUER, "could not be read");
        }
    }
}

/// Says so when `root.pem` in the data directory is of a root that another one has succeeded.
pub fn look_at_root(data: &Path, registrar: &Registrar) {
    let read = fs::read_to_string(data.join(ROOT)).ok();
    let held = read.and_then(|text| ca::Certificate::from_pem(&text).ok());
    let is_old = |held: &ca::Certificate| {
        registrar.succeeded_roots().iter().any(|root| root.before == held.der())
    };
    if held.is_some_and(|held| is_old(&held)) {
        tracing::warn!(
            file = ROOT,
            "is of a root that was succeeded; `healthcardd keys succeed-root` replaces it"
        );
    }
}

/// The key that the operator asks a certificate for.
fn requested_key(path: &Path) -> Result<PublicKey, InitError> {
    let read = || -> Result<PublicKey, Box<dyn std::error::Error + Send + Sync>> {
        if fs::metadata(path)?.len() > 16 * 1024 {
            return Err("larger than 16 KiB".into());
        }
        Ok(CertificateRequest::parse(&fs::read(path)?)?.public_key().clone())
    };
    read().map_err(|source| InitError::Request { path: path.to_owned(), source })
}

/// Who was there when the keys were made, and since when.
struct Ceremony {
    participants: Vec<Label>,
    began: UtcTime,
}

/// Authorities, their first lists, and the first two operators: each with a key of their own where one is
/// given, otherwise with one that is made here.
async fn found(
    config: Config,
    keys: Keys,
    data: &Path,
    operators: [Option<PublicKey>; 2],
    Ceremony { participants, began }: Ceremony,
) -> Result<(), InitError> {
    let now = clock::now();
    let log_keys = keys.of_log().map_err(Error::from)?;
    let store = Store::open(&config.database, log_keys, &config.name)?;
    let founding = Founding::new(&config.name, now);
    let certificates = Authorities::found(&keys, &config.name, new_serial, now)?;
    for (generation, certificate) in &certificates {
        let name = generation.to_string();
        let entry = founding.entry("authority", &name);
        let record = store::Authority { name, der: certificate.der().to_vec() };
        store.record_authority(record, entry).await?;
    }
    let root = certificates[0].1.to_pem();
    let plan = start::list_plan(&store, &keys, &config).await?;
    let authorities =
        Authorities::load(&keys, certificates, [], config.public_url.as_deref(), plan)?;
    let registrar: Registrar =
        start::registrar(config, keys, authorities, store).await.map_err(Box::new)?;

    let issuer = registrar.card_issuer().certificate.to_bytes();
    write(&data.join(CARD_ISSUER), &issuer, Secrecy::Public)?;

    let directories = [OPERATOR, REVIEWER].map(|name| data.join(name));
    let mut keys = Vec::new();
    for (directory, key) in directories.iter().zip(operators) {
        make_empty(directory)?;
        keys.push(match key {
            Some(key) => key,
            None => {
                let key = SecretKey::generate();
                write(&directory.join("key.pem"), key.to_pkcs8_pem().as_bytes(), Secrecy::Secret)?;
                key.public_key().clone()
            }
        });
    }
    let [first, second] = [keys[0].clone(), keys[1].clone()];
    let founded = registrar.found_operators(&founding, [first, second]).await?;
    for (directory, operator) in directories.iter().zip(founded) {
        write_certificate(directory, &operator)?;
    }
    write(&data.join(ROOT), root.as_bytes(), Secrecy::Public)?;
    if participants.is_empty() {
        return Ok(());
    }
    let (transcript, entry) =
        registrar.hold_ceremony(&participants, began, clock::now()).map_err(Error::from)?;
    registrar.store().record_act(entry).await?;
    write(&data.join(TRANSCRIPT), transcript.as_bytes(), Secrecy::Public)
}

/// Makes an operator where there are not two in force, for the key of a request; the certificate goes into
/// `out`, a new directory.
///
/// # Errors
/// [`InitError`]; STATE_CONFLICT within it while there are two.
pub async fn another_operator(
    registrar: &Registrar,
    request: &Path,
    out: &Path,
) -> Result<(), InitError> {
    let key = requested_key(request)?;
    make_empty(out)?;
    let founding = Founding::new(registrar.name(), clock::now());
    write_certificate(out, &registrar.found_another_operator(&founding, key).await?)
}

fn write_certificate(directory: &Path, operator: &Enrolled) -> Result<(), InitError> {
    let certificate = operator.certificate.der();
    write(&directory.join("certificate.der"), certificate, Secrecy::Public)?;
    let chain: String =
        operator.chain.iter().map(|der| ca::pem::encode("CERTIFICATE", der)).collect();
    write(&directory.join("chain.pem"), chain.as_bytes(), Secrecy::Public)
}

/// An ordinary certificate for the TLS listener, under an authority of its own.
fn tls(config: &Config, hosts: Vec<rcgen::SanType>) -> Result<(), InitError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    // A service name with a dot may be one that clients connect to.
    names.extend(config.name.contains('.').then(|| config.name.clone()));
    if !config.listen.ip().is_unspecified() {
        names.push(IpAddr::to_string(&config.listen.ip()));
    }
    names.sort();
    names.dedup();

    let authority_key = rcgen::KeyPair::generate()?;
    let now = clock::now();
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    (authority.not_before, authority.not_after) = (now, now + TLS_AUTHORITY_LIFE);
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(rcgen::DnType::CommonName, format!("{} TLS", config.name));
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = rcgen::Issuer::new(authority, authority_key);

    let key = rcgen::KeyPair::generate()?;
    let mut server = rcgen::CertificateParams::new(names)?;
    server.subject_alt_names.extend(hosts);
    (server.not_before, server.not_after) = (now, now + TLS_LIFE);
    server.distinguished_name.push(rcgen::DnType::CommonName, config.name.as_str());
    server.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = server.signed_by(&key, &issuer)?;

    let directory = config.tls_certificate.parent().unwrap_or(Path::new("."));
    make_empty(directory)?;
    let chain = format!("{}{}", certificate.pem(), authority_certificate.pem());
    write(&config.tls_certificate, chain.as_bytes(), Secrecy::Public)?;
    write(&config.tls_key, key.serialize_pem().as_bytes(), Secrecy::Secret)?;
    write(&directory.join("ca.pem"), authority_certificate.pem().as_bytes(), Secrecy::Public)
}

#[derive(Clone, Copy)]
enum Secrecy {
    Public,
    Secret,
}

/// Writes a new file and waits until it is on disk.
fn write(path: &Path, content: &[u8], secrecy: Secrecy) -> Result<(), InitError> {
    let mode = match secrecy {
        Secrecy::Public => 0o644,
        Secrecy::Secret => 0o600,
    };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| match path.parent() {
            // The name of the file is on disk once its directory is.
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        })
        .map_err(|source| InitError::Write { path: path.to_owned(), source })
}

/// Puts a public file into the place of the one before, which is the old or the new one at every moment.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// A directory for its owner only, which must not hold anything.
fn make_empty(path: &Path) -> Result<(), InitError> {
    let failed = |source| InitError::Write { path: path.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    match fs::read_dir(path).map_err(failed)?.next() {
        None => Ok(()),
        Some(_) => Err(InitError::NotEmpty { path: path.to_owned() }),
    }
}
