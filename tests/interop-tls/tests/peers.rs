//! OpenSSL 4 and Tongsuo as client and as server: both suites, both ends with certificates of three levels, resumption, and
//! what each of them refuses.

#![expect(clippy::unwrap_used, reason = "the helpers of a test end where the test does")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock},
    time::Duration,
};

use ca::{Certificate, Profile};
use hsm::{Sm2Signer, sm2::SecretKey};
use national_tls::{
    CannotSign, HandshakeKey, SM4_CCM_SM3, SM4_GCM_SM3, certified, client_with, provider, server,
};
use rustls::{
    ClientConnection, Error, HandshakeKind, ServerConnection, StreamOwned, SupportedCipherSuite,
    crypto::CryptoProvider,
    pki_types::ServerName,
    sign::{CertifiedKey, SingleCertAndKey},
};
use tempfile::TempDir;

use county::{Clients, County, der, lent, now};

#[path = "../../../tls/tests/county/mod.rs"]
mod county;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// An implementation of others, by its folder; what it calls the curve; and the program that speaks for it.
struct Library {
    name: &'static str,
    curve: &'static str,
}

const LIBRARIES: [Library; 2] =
    [Library { name: "openssl", curve: "curveSM2" }, Library { name: "tongsuo", curve: "SM2" }];

const SUITES: [(&str, SupportedCipherSuite); 2] =
    [("TLS_SM4_GCM_SM3", SM4_GCM_SM3), ("TLS_SM4_CCM_SM3", SM4_CCM_SM3)];

static PROGRAMS: LazyLock<TempDir> = LazyLock::new(|| {
    let place = tempfile::tempdir().unwrap();
    for Library { name, curve } in LIBRARIES {
        let built = Path::new(env!("PEERS")).join(name).join("install");
        let output = Command::new("cc")
            .args(["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(place.path().join(name))
            .arg(format!("-DGROUP=\"{curve}\""))
            .arg("-I")
            .arg(built.join("include"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peer.c"))
            .args(["lib/libssl.a", "lib/libcrypto.a"].map(|library| built.join(library)))
            .args(["-lpthread", "-ldl"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    place
});

/// Somebody's chain and key in files, as the programs read them.
struct Files {
    place: TempDir,
    leaf: Certificate,
}

impl Files {
    fn of(county: &County, profile: Profile) -> Self {
        let place = tempfile::tempdir().unwrap();
        let key = SecretKey::generate();
        let chain = county.certify(profile, &key, now());
        let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
        write("chain.pem", &chain.iter().map(Certificate::to_pem).collect::<String>());
        write("key.pem", &key.to_pkcs8_pem());
        write("root.pem", &county.root.to_pem());
        let [leaf, _] = chain;
        Self { place, leaf }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// The program, about to show this.
    fn command(&self, library: &Library, end: &str, suite: &str) -> Command {
        let mut command = Command::new(PROGRAMS.path().join(library.name));
        command
            .args([end, suite])
            .args(["chain.pem", "key.pem", "root.pem"].map(|it| self.path(it)));
        command.stdout(Stdio::piped());
        command
    }
}

/// What a program says, line by line, until it ends.
struct Said {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Said {
    fn by(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().map_or_else(String::new, |line| line.unwrap())
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        // One that has ended cannot be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Lets a program connect to a server of ours: what both say of each of two connections.
fn ask_us(
    library: &Library,
    suite: &str,
    files: &Files,
    clients: Arc<Clients>,
    own: CertifiedKey,
) -> Vec<(String, Result<(HandshakeKind, Vec<u8>), Error>)> {
    let config = Arc::new(server(clients, Arc::new(SingleCertAndKey::from(own))).unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut command = files.command(library, "client", suite);
    command.arg(listener.local_addr().unwrap().port().to_string());
    let mut program = Said::by(command);
    let mut met = Vec::new();
    for _ in 0..2 {
        let stream = patient(listener.accept().unwrap().0);
        let mut stream =
            StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        let ours = serve(&mut stream);
        let theirs = program.next();
        let ended = ours.is_err() || theirs.starts_with("failed");
        met.push((theirs, ours));
        if ended {
            break;
        }
    }
    met
}

fn serve(
    stream: &mut StreamOwned<ServerConnection, TcpStream>,
) -> Result<(HandshakeKind, Vec<u8>), Error> {
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).and_then(|()| stream.write_all(&heard)).map_err(tls)?;
    let connection = &stream.conn;
    let leaf = connection.peer_certificates().unwrap()[0].to_vec();
    Ok((connection.handshake_kind().unwrap(), leaf))
}

/// What of TLS was wrong; what the network says otherwise.
fn tls(error: std::io::Error) -> Error {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(told) => told.clone(),
        None => Error::General(error.to_string()),
    }
}

/// Connects to a program that serves; what it says, and whether it answered.
fn ask_them(
    library: &Library,
    (name, suite): (&str, SupportedCipherSuite),
    files: &Files,
    list: Option<&Path>,
    county: &County,
    own: CertifiedKey,
) -> (String, Result<(), Error>) {
    let mut command = files.command(library, "server", name);
    command.args(list);
    let mut program = Said::by(command);
    let said = program.next();
    let port = said.strip_prefix("port ").unwrap_or_else(|| panic!("{}: {said}", library.name));
    let provider = CryptoProvider { cipher_suites: vec![suite], ..provider() };
    let config = Arc::new(client_with(provider, county.roots(), own).unwrap());
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
    let service = ServerName::try_from("service").unwrap();
    let mut stream =
        StreamOwned::new(ClientConnection::new(config, service).unwrap(), patient(stream));
    let mut heard = [0; 5];
    let answered =
        stream.write_all(b"hello").and_then(|()| stream.read_exact(&mut heard)).map_err(tls);
    assert!(answered.is_err() || &heard == b"hello");
    (program.next(), answered)
}

#[test]
fn they_come_in_and_resume_with_both_suites() {
    let county = County::found("county");
    for library in &LIBRARIES {
        for (suite, _) in SUITES {
            let files = Files::of(&county, Profile::System);
            let own = county.holder(Profile::Service);
            let met = ask_us(library, suite, &files, county.clients(), own);
            let leaf = files.leaf.der().to_vec();
            let full = (format!("done {suite} full"), Ok((HandshakeKind::Full, leaf.clone())));
            let resumed = (format!("done {suite} resumed"), Ok((HandshakeKind::Resumed, leaf)));
            assert_eq!(met, [full, resumed], "{}", library.name);
        }
    }
}

#[test]
fn they_let_us_in_with_both_suites() {
    let county = County::found("county");
    for library in &LIBRARIES {
        for (name, suite) in SUITES {
            let files = Files::of(&county, Profile::Service);
            let own = county.holder(Profile::Person);
            let met = ask_them(library, (name, suite), &files, None, &county, own);
            assert_eq!(met, (format!("done {name} full"), Ok(())), "{}", library.name);
        }
    }
}

/// Signs handshakes with the identifier of certificates.
struct WrongIdentifier(Arc<dyn Sm2Signer>);

impl HandshakeKey for WrongIdentifier {
    fn public_key(&self) -> Vec<u8> {
        HandshakeKey::public_key(&self.0)
    }

    fn sign(&self, _: &str, message: &[u8]) -> Result<Vec<u8>, CannotSign> {
        HandshakeKey::sign(&self.0, "1234567812345678", message)
    }
}

#[test]
fn the_wrong_identifier_is_refused_by_them_as_by_us() {
    let county = County::found("county");
    let wrong = |profile| {
        let key = SecretKey::generate();
        let chain = county.certify(profile, &key, now());
        certified(chain.iter().map(der).collect(), WrongIdentifier(lent(key))).unwrap()
    };
    for library in &LIBRARIES {
        let files = Files::of(&county, Profile::System);
        let own = wrong(Profile::Service);
        let met = ask_us(library, SUITES[0].0, &files, county.clients(), own);
        assert!(met[0].0.starts_with("failed") && met[0].1.is_err(), "{}: {met:?}", library.name);
        let files = Files::of(&county, Profile::Service);
        let own = wrong(Profile::Person);
        let (said, answered) = ask_them(library, SUITES[0], &files, None, &county, own);
        assert!(said.contains("bad signature"), "{}: {said}", library.name);
        assert!(answered.is_err());
    }
}

#[test]
fn whoever_is_revoked_or_foreign_is_refused_on_either_side() {
    let (county, other) = (County::found("county"), County::found("county"));
    for library in &LIBRARIES {
        // Theirs, by us.
        let files = Files::of(&county, Profile::System);
        let clients = county.clients();
        county.revoke(&clients, &files.leaf);
        let own = county.holder(Profile::Service);
        let met = ask_us(library, SUITES[0].0, &files, clients, own);
        assert!(met[0].0.contains("alert certificate revoked"), "{}: {met:?}", library.name);
        let foreign = Files::of(&other, Profile::System);
        fs::write(foreign.path("root.pem"), county.root.to_pem()).unwrap();
        let own = county.holder(Profile::Service);
        let met = ask_us(library, SUITES[0].0, &foreign, county.clients(), own);
        assert!(met[0].0.contains("alert unknown ca"), "{}: {met:?}", library.name);

        // Ours, by them.
        let files = Files::of(&county, Profile::Service);
        let stranger = other.holder(Profile::Person);
        let (said, answered) = ask_them(library, SUITES[0], &files, None, &county, stranger);
        assert!(said.contains("certificate verify failed"), "{}: {said}", library.name);
        assert!(answered.is_err());
        let revoked = county.holder(Profile::Person);
        let certificate = Certificate::parse(&revoked.cert[0]).unwrap();
        let lists = county.revoke(&county.clients(), &certificate);
        let file = files.path("lists.pem");
        fs::write(&file, lists).unwrap();
        let (said, answered) = ask_them(library, SUITES[0], &files, Some(&file), &county, revoked);
        assert!(said.contains("certificate verify failed"), "{}: {said}", library.name);
        assert!(answered.is_err());
        // With these lists the others are let in.
        let good = county.holder(Profile::Person);
        let (said, answered) = ask_them(library, SUITES[0], &files, Some(&file), &county, good);
        assert_eq!(
            (said.as_str(), answered),
            ("done TLS_SM4_GCM_SM3 full", Ok(())),
            "{}",
            library.name
        );
    }
}
