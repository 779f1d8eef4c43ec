//! `healthcard key`: the key is made here and stays here.

use clap::Subcommand;
use serde_json::json;
use sm3::{Digest as _, Sm3};

use crate::{
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    identity::{ClientKey, certificate_request},
    json,
    page::{Page, instant},
    text::{self, problems},
};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// 生成 SM2 密钥和证书申请；给出 --passphrase-file 则以口令保护 | Make an SM2 key and a certificate request; protected if --passphrase-file is given
    New,
    /// 显示密钥和证书的情况 | Show the key and its certificate
    Show,
}

impl KeyCommand {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        match self {
            Self::New => new(context),
            Self::Show => show(context),
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
    let digest = digest(&key);
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
    let digest = digest(&key);
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
fn digest(key: &ClientKey) -> String {
    hex::encode(Sm3::digest(key.public_key_der()))
}
