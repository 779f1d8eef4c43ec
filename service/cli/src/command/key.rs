//! `healthcard key`: the key is made here and stays here.

mod monitor;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use sm3::{Digest as _, Sm3};

use crate::{
    context::{Context, Outcome},
    csr_response,
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    identity::{ClientKey, Pair, certificate_request},
    json,
    page::{Page, instant},
    text::{self, problems},
};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// 生成 SM2 密钥和证书申请；给出 --passphrase-file 则以口令保护 | Make an SM2 key and a certificate request; protected if --passphrase-file is given
    New,
    /// 收下证书对：用签名密钥取出加密密钥，并保存两张证书 | Take a certificate pair: open the encryption key with the signing key, and store both certificates
    Accept {
        /// 答复文件（healthcard enrolment review 或 collect 给出的 answer.der） | File with the answer: answer.der of healthcard enrolment review or collect
        #[arg(long, value_name = "FILE")]
        answer: PathBuf,
    },
    /// 显示密钥和证书的情况 | Show the key and its certificate
    Show,
    /// 列出以本人名义签发的全部证书，核对日志证明，指出并非由此设备申请的 | List all certificates issued in one's name, check that the log has them, and tell those that this device did not ask for
    Monitor(monitor::Monitor),
}

impl KeyCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::New => new(context),
            Self::Accept { answer } => accept(context, &answer),
            Self::Show => show(context),
            Self::Monitor(monitor) => monitor.run(context).await,
        }
    }
}

fn new(context: &Context) -> Outcome {
    let home = context.service.home();
    let path = home.key_path();
    if path.exists() {
        return Err(Failure::of(problems::FILE_EXISTS).about(path.display()));
    }
    let passphrase = home.named_passphrase()?;
    let key = ClientKey::generate()?;
    let request = certificate_request(&key)?;
    files::make_directory(home.dir())?;
    files::write(&path, key.to_pem(passphrase.as_ref())?.as_bytes(), Audience::Owner)?;
    files::write(&home.request_path(), &request, Audience::Everyone)?;
    let digest = digest(&key.public_key_der());
    home.remember_key(&digest)?;
    let json = json!({
        "key_file": path,
        "request_file": home.request_path(),
        "public_key_sm3": digest,
        "encrypted": passphrase.is_some(),
    });
    let page = Page::titled(text::KEY_MADE)
        .row(text::KEY_FILE, path.display().to_string())
        .row(text::REQUEST_FILE, home.request_path().display().to_string())
        .row(text::PUBLIC_KEY, digest)
        .row(text::ENCRYPTED, if passphrase.is_some() { text::YES } else { text::NO });
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

fn accept(context: &Context, answer: &Path) -> Outcome {
    let home = context.service.home();
    let answer = files::read(answer, csr_response::LIMIT as u64)?;
    let (key, passphrase) = home.key_and_passphrase()?;
    let pair = Pair::open(&answer, &key)?;
    home.keep_pair(&pair, passphrase.as_ref())?;
    home.remember_key(&digest(&pair.encryption.public_key_der()))?;
    let key_file = home.encryption_key_path();
    let json = json!({
        "serial": pair.signing.serial(),
        "encryption_serial": pair.encryption.serial(),
        "subject": pair.signing.subject(),
        "certificate_file": home.certificate_path(),
        "encryption_certificate_file": home.encryption_certificate_path(),
        "encryption_key_file": key_file,
        "encrypted": passphrase.is_some(),
    });
    let page = Page::titled(text::PAIR_ACCEPTED)
        .row(text::SUBJECT, pair.signing.subject())
        .row(text::SERIAL, pair.signing.serial())
        .row(text::ENCRYPTION_SERIAL, pair.encryption.serial())
        .row(text::NOT_AFTER, instant(pair.signing.not_after()))
        .row(text::ENCRYPTION_KEY_FILE, key_file.display().to_string())
        .row(text::ENCRYPTED, if passphrase.is_some() { text::YES } else { text::NO });
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

fn show(context: &Context) -> Outcome {
    let home = context.service.home();
    let key = home.key()?;
    let encrypted = home.key_is_encrypted()?;
    let certificate = match home.certificate() {
        Ok(certificate) => Some(certificate),
        Err(failure) if failure.reason == problems::CERTIFICATE_MISSING.reason => None,
        Err(failure) => return Err(failure),
    };
    if certificate.as_ref().is_some_and(|held| held.public_key_der() != key.public_key_der()) {
        return Err(problems::CERTIFICATE_OTHER_KEY.into());
    }
    let digest = digest(&key.public_key_der());
    let json = json!({
        "key_file": home.key_path(),
        "public_key_sm3": digest,
        "encrypted": encrypted,
        "certificate": certificate.as_ref().map(|held| json!({
            "serial": held.serial(),
            "subject": held.subject(),
            "not_before": json::instant(held.not_before()),
            "not_after": json::instant(held.not_after()),
        })),
    });
    let page = Page::titled(text::KEY_HELD)
        .row(text::DIRECTORY, home.dir().display().to_string())
        .row(text::PUBLIC_KEY, digest)
        .row(text::ENCRYPTED, if encrypted { text::YES } else { text::NO })
        .maybe(text::SUBJECT, certificate.as_ref().map(|held| held.subject()))
        .maybe(text::SERIAL, certificate.as_ref().map(|held| held.serial()))
        .maybe(text::NOT_AFTER, certificate.as_ref().map(|held| instant(held.not_after())));
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

/// SM3 of the SubjectPublicKeyInfo, hexadecimal: to compare a key by telephone.
fn digest(public_key_der: &[u8]) -> String {
    hex::encode(Sm3::digest(public_key_der))
}
