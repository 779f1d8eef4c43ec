//! One identity on this machine: a directory with its key, request, certificate, chain and session.

mod certificate;
mod key;
mod pair;
mod passphrase;
mod protection;
mod request;
#[cfg(test)]
pub(crate) mod sample;
mod session;

use std::{
    env, io,
    path::{Path, PathBuf},
};

use time::OffsetDateTime;
use zeroize::Zeroizing;

pub(crate) use self::{
    certificate::{Certificate, pem_chain},
    key::{ClientKey, DEFAULT_IDENTIFIER},
    pair::Pair,
    passphrase::Passphrase,
    request::certificate_request,
    session::Session,
};
use crate::{
    clock,
    failure::Failure,
    files::{self, Audience},
    screen::Screen,
    text::problems,
};

/// Largest file of an identity, bytes.
const LIMIT: u64 = 64 * 1024;

/// The directory of one identity.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    dir: PathBuf,
    passphrase_file: Option<PathBuf>,
    screen: Screen,
}

impl Home {
    /// The directory named, or the user's own.
    pub(crate) fn new(
        named: Option<PathBuf>,
        passphrase_file: Option<PathBuf>,
        screen: Screen,
    ) -> Result<Self, Failure> {
        let own = || Some(PathBuf::from(env::var_os("HOME")?).join(".config/healthcard"));
        let dir = named.or_else(own).ok_or(problems::HOME_UNKNOWN)?;
        Ok(Self { dir, passphrase_file, screen })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn key_path(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    pub(crate) fn request_path(&self) -> PathBuf {
        self.dir.join("request.der")
    }

    pub(crate) fn certificate_path(&self) -> PathBuf {
        self.dir.join("certificate.der")
    }

    pub(crate) fn encryption_key_path(&self) -> PathBuf {
        self.dir.join("encryption-key.pem")
    }

    pub(crate) fn encryption_certificate_path(&self) -> PathBuf {
        self.dir.join("encryption-certificate.der")
    }

    /// Digests of the keys that were made or accepted here, one a line.
    fn made_keys_path(&self) -> PathBuf {
        self.dir.join("made-keys")
    }

    /// Remembers the digest of a key that was made here, or came in the answer to a request of here.
    pub(crate) fn remember_key(&self, digest: &str) -> Result<(), Failure> {
        let mut made = self.made_keys()?;
        if made.iter().any(|it| it == digest) {
            return Ok(());
        }
        made.push(digest.to_owned());
        let text: String = made.iter().map(|digest| format!("{digest}\n")).collect();
        files::write(&self.made_keys_path(), text.as_bytes(), Audience::Owner)
    }

    /// Digests of the keys that were remembered, the first first.
    pub(crate) fn made_keys(&self) -> Result<Vec<String>, Failure> {
        let path = self.made_keys_path();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = files::read(&path, LIMIT)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Authority of the server's certificate, when kept with the identity.
    pub(crate) fn tls_ca_path(&self) -> PathBuf {
        self.dir.join("tls-ca.pem")
    }

    /// The root of the service's authorities, when kept with the identity.
    pub(crate) fn root_path(&self) -> PathBuf {
        self.dir.join("root.pem")
    }

    /// The passphrase as given in a file, if one was named.
    pub(crate) fn named_passphrase(&self) -> Result<Option<Passphrase>, Failure> {
        self.passphrase_file.as_deref().map(Passphrase::from_file).transpose()
    }

    /// Loads the key, asking for its passphrase if it has one.
    pub(crate) fn key(&self) -> Result<ClientKey, Failure> {
        Ok(self.key_and_passphrase()?.0)
    }

    /// Loads the key, and the passphrase that protects it, if one does.
    pub(crate) fn key_and_passphrase(&self) -> Result<(ClientKey, Option<Passphrase>), Failure> {
        let path = self.key_path();
        if !path.exists() {
            return Err(Failure::of(problems::KEY_MISSING).about(path.display()));
        }
        let pem = self.secret_file(&path)?;
        let passphrase = ClientKey::is_encrypted(&pem).then(|| match self.named_passphrase()? {
            Some(passphrase) => Ok(passphrase),
            None => Passphrase::ask(self.screen),
        });
        let passphrase = passphrase.transpose()?;
        let key = ClientKey::from_pem(&pem, passphrase.as_ref())
            .map_err(|failure| failure.about(path.display()))?;
        Ok((key, passphrase))
    }

    /// Keeps a certificate pair: the encryption key, protected as the key of this identity is, before the
    /// certificates. An encryption key that is here stays: what was encrypted to it needs it.
    pub(crate) fn keep_pair(
        &self,
        pair: &Pair,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), Failure> {
        let path = self.encryption_key_path();
        if path.exists() {
            let held = ClientKey::from_pem(&self.secret_file(&path)?, passphrase)
                .map_err(|failure| failure.about(path.display()))?;
            if held.public_key_der() != pair.encryption_key.public_key_der() {
                return Err(Failure::of(problems::FILE_EXISTS).about(path.display()));
            }
        } else {
            let pem = pair.encryption_key.to_pem(passphrase)?;
            files::write(&path, pem.as_bytes(), Audience::Owner)?;
        }
        let encryption = self.encryption_certificate_path();
        files::write(&encryption, pair.encryption.der(), Audience::Everyone)?;
        files::write(&self.certificate_path(), pair.signing.der(), Audience::Everyone)
    }

    /// Reads a file that only its owner may read.
    fn secret_file(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if files::is_exposed(path).unwrap_or(true) {
            return Err(Failure::of(problems::KEY_EXPOSED).about(path.display()));
        }
        files::read(path, LIMIT)
    }

    /// Whether nobody logs in from here without typing a passphrase.
    pub(crate) fn asks_for_passphrase(&self) -> Result<bool, Failure> {
        Ok(self.passphrase_file.is_none() && self.key_is_encrypted()?)
    }

    /// Whether the key file is protected by a passphrase.
    pub(crate) fn key_is_encrypted(&self) -> Result<bool, Failure> {
        Ok(ClientKey::is_encrypted(&self.key_pem()?))
    }

    fn key_pem(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        files::read(&self.key_path(), LIMIT)
    }

    pub(crate) fn certificate(&self) -> Result<Certificate, Failure> {
        let path = self.certificate_path();
        if !path.exists() {
            return Err(Failure::of(problems::CERTIFICATE_MISSING).about(path.display()));
        }
        Certificate::parse(files::read(&path, LIMIT)?.to_vec())
            .map_err(|failure| failure.about(path.display()))
    }

    /// The encryption certificate that was accepted here, if there is one.
    pub(crate) fn encryption_certificate(&self) -> Result<Option<Certificate>, Failure> {
        let path = self.encryption_certificate_path();
        if !path.exists() {
            return Ok(None);
        }
        Certificate::parse(files::read(&path, LIMIT)?.to_vec())
            .map(Some)
            .map_err(|failure| failure.about(path.display()))
    }

    /// The key and its certificate, found to belong together.
    pub(crate) fn credentials(&self) -> Result<(ClientKey, Certificate), Failure> {
        let certificate = self.certificate()?;
        let key = self.key()?;
        if key.public_key_der() != certificate.public_key_der() {
            return Err(problems::CERTIFICATE_OTHER_KEY.into());
        }
        Ok((key, certificate))
    }

    fn session_path(&self) -> PathBuf {
        self.dir.join("session")
    }

    /// The session last saved, whatever its state.
    pub(crate) fn session(&self) -> Option<Session> {
        Session::parse(&files::read(&self.session_path(), LIMIT).ok()?)
    }

    /// When the session was last saved or used from here.
    pub(crate) fn session_used(&self) -> Option<OffsetDateTime> {
        let modified = std::fs::metadata(self.session_path()).and_then(|it| it.modified());
        modified.ok().map(OffsetDateTime::from)
    }

    /// Notes that the session is used now.
    pub(crate) fn use_session(&self) {
        // Whoever holds it takes it for left when this fails again and again.
        let _ = std::fs::File::open(self.session_path())
            .and_then(|file| file.set_modified(clock::now().into()));
    }

    pub(crate) fn save_session(&self, session: &Session) -> Result<(), Failure> {
        files::make_directory(&self.dir)?;
        files::write(&self.session_path(), &session.encode(), Audience::Owner)
    }

    /// Nobody here uses the saved session any more.
    pub(crate) fn forget_session(&self) -> Result<(), Failure> {
        files::remove(&self.session_path())
    }

    fn held_path(&self) -> PathBuf {
        self.dir.join("held")
    }

    /// Whether sessions are held here: then no command logs in by itself. Also when nobody can say; but in what is no
    /// directory, as when a key file is named, there is no session at all.
    pub(crate) fn is_held(&self) -> bool {
        match self.held_path().try_exists() {
            Ok(held) => held,
            Err(error) => error.kind() != io::ErrorKind::NotADirectory,
        }
    }

    /// From now on sessions are held here, until somebody logs in by hand. What it answers is another as soon as the
    /// desk is locked.
    pub(crate) fn hold(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if !self.is_held() {
            self.lock_held()?;
        }
        files::read(&self.held_path(), LIMIT)
    }

    /// Whether the desk was neither locked since, nor did somebody log in by hand.
    pub(crate) fn holds(&self, since: &[u8]) -> bool {
        files::read(&self.held_path(), LIMIT).is_ok_and(|now| *now == since)
    }

    /// Tells whoever holds a session here, or is about to, that the desk was left.
    pub(crate) fn lock_held(&self) -> Result<(), Failure> {
        let mut turn = [0; 16];
        getrandom::fill(&mut turn).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
        files::make_directory(&self.dir)?;
        files::write(&self.held_path(), hex::encode(turn).as_bytes(), Audience::Owner)
    }

    /// Commands log in by themselves again.
    pub(crate) fn hold_no_more(&self) -> Result<(), Failure> {
        files::remove(&self.held_path())
    }
}
