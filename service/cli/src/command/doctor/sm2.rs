//! `healthcard doctor sm2`: reads what others refuse, names its convention, and prints how OpenSSL and GmSSL come to the
//! same. Nothing is asked of the service, and nothing secret is shown.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sm2_doctor::{
    certificate, ciphertext,
    key::{self, Curve, Key},
    reproduce::{self, Lines},
    signature::{self, Convention, Identifier, Message, Preimage},
    wrapping,
};
use zeroize::Zeroizing;

use crate::{
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files,
    page::{Cell, Page},
    text::{problems, sm2 as text},
};

/// Largest message, bytes: every way to sign it is tried.
const MESSAGE_LIMIT: u64 = 16 * 1024 * 1024;
/// Largest key, signature, ciphertext or certificate, bytes.
const LIMIT: u64 = 256 * 1024;
/// Most identifiers to try.
const MOST_IDENTIFIERS: usize = 16;
/// Most octets of an identifier (GB/T 32918.2-2016, 5.5).
const LONGEST_IDENTIFIER: usize = 8191;

#[derive(Debug, Subcommand)]
pub(crate) enum Sm2Command {
    /// 签名：写法、签名者标识、有无 Z | A signature: how it is written, the signer's identifier, Z or none
    Signature {
        /// 签名文件：DER、r‖s、设备格式，可为 PEM、Base64、十六进制 | The signature: DER, r and s alone, as devices write it; also in PEM, Base64, hexadecimal
        #[arg(long, value_name = "FILE")]
        signature: PathBuf,
        /// 被签名的原文，或其 32 字节摘要 | What was signed, or its digest of 32 octets
        #[arg(long, value_name = "FILE")]
        message: PathBuf,
        /// 签名者的公钥或证书 | The signer's public key or certificate
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        identifiers: Identifiers,
    },
    /// 密文：C1C3C2 或 C1C2C3，写法 | A ciphertext: C1C3C2 or C1C2C3, and how it is written
    Ciphertext {
        /// 密文文件 | The ciphertext
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// 私钥文件；没有它无法判断顺序。不显示明文 | The private key; without it the order cannot be told. The plaintext is not shown
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// 公钥或私钥：写法、曲线参数、加密方式；不显示私钥 | A public or private key: how it is written, named curve or not, how it is encrypted; a private key is not shown
    Key {
        /// 密钥文件 | The key
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// 证书：算法标识、颁发者签名的约定、身份扩展的写法 | A certificate: names of algorithms, the convention of the issuer's signature, how identity extensions are written
    Certificate {
        /// 证书文件 | The certificate
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// 颁发者的证书或公钥；自签名证书不需要 | The issuer's certificate or public key; not needed for one that is its own issuer
        #[arg(long, value_name = "FILE")]
        issuer: Option<PathBuf>,
        #[command(flatten)]
        identifiers: Identifiers,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Identifiers {
    /// 另外尝试的签名者标识，可多次给出 | A signer's identifier to try as well; may be given several times
    #[arg(long = "id", value_name = "TEXT")]
    texts: Vec<String>,
    /// 同上，十六进制 | The same in hexadecimal
    #[arg(long = "id-hex", value_name = "HEX")]
    digits: Vec<String>,
}

impl Identifiers {
    fn octets(self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut identifiers: Vec<_> = self.texts.into_iter().map(String::into_bytes).collect();
        for digits in self.digits {
            identifiers.push(hex::decode(digits).map_err(|_| problems::SM2_IDENTIFIER_UNUSABLE)?);
        }
        let usable = identifiers.len() <= MOST_IDENTIFIERS
            && identifiers.iter().all(|id| id.len() <= LONGEST_IDENTIFIER);
        if usable { Ok(identifiers) } else { Err(problems::SM2_IDENTIFIER_UNUSABLE.into()) }
    }
}

/// What was found.
struct Finding {
    /// Whether it is what the standards ask for.
    standard: bool,
    json: Value,
    page: Page,
}

impl Sm2Command {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let finding = match self {
            Self::Signature { signature, message, key, identifiers } => {
                of_signature(&signature, &message, &key, identifiers)?
            }
            Self::Ciphertext { file, key } => of_ciphertext(&file, key.as_deref())?,
            Self::Key { file } => of_key(&file)?,
            Self::Certificate { file, issuer, identifiers } => {
                of_certificate(&file, issuer.as_deref(), identifiers)?
            }
        };
        let Finding { standard, mut json, page } = finding;
        json["standard"] = standard.into();
        let verdict = if standard { text::STANDARD } else { text::NOT_STANDARD };
        context.screen.show(&json, &page.note(verdict));
        Ok(if standard { Exit::Done } else { Exit::Refused })
    }
}

/// The octets of a file, out of what they are wrapped in.
fn unwrapped(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    Ok(wrapping::unwrap(&files::read(path, LIMIT)?).0)
}

fn public_key(path: &Path) -> Result<key::PublicKey, Failure> {
    let unknown = || Failure::of(problems::SM2_KEY_UNKNOWN).about(path.display());
    key::public(&unwrapped(path)?).ok_or_else(unknown)
}

fn unknown(path: &Path) -> Failure {
    Failure::of(problems::SM2_NOT_RECOGNIZED).about(path.display())
}

fn of_signature(
    file: &Path,
    message: &Path,
    key: &Path,
    identifiers: Identifiers,
) -> Result<Finding, Failure> {
    let suggested = identifiers.octets()?;
    let key = public_key(key)?;
    let octets = unwrapped(file)?;
    let message = files::read(message, MESSAGE_LIMIT)?;
    let forms = signature::forms(&octets);
    if forms.is_empty() {
        return Err(unknown(file));
    }
    let conventions = signature::conventions(&key, &octets, &message, &suggested);
    let mut page = Page::titled(text::SIGNATURE);
    if conventions.is_empty() {
        let written: Vec<_> = forms.iter().map(|(form, _)| text::signature_form(*form)).collect();
        page = page
            .row(text::COULD_BE, Cell::Listed(written.iter().map(|it| it.text).collect()))
            .note(text::VERIFIES_NOWHERE);
        let words: Vec<_> = written.iter().map(|it| it.word).collect();
        return Ok(Finding {
            standard: false,
            json: json!({ "verifies": false, "forms": words, "conventions": [] }),
            page,
        });
    }
    let mut told = Vec::new();
    for convention in &conventions {
        let made = forms.iter().find(|(form, _)| *form == convention.form);
        let lines = made.map(|(_, made)| reproduce::signature(&key, made, convention, &message));
        let lines = lines.unwrap_or_default();
        page = reproduced(convention_rows(page, convention), &lines);
        told.push(with_lines(convention_json(convention), &lines));
    }
    let standard = conventions.iter().any(Convention::is_standard);
    let default = |it: &Convention| matches!(it.preimage, Preimage::WithZ(Identifier::Default, ..));
    if standard && !conventions.iter().any(default) {
        page = page.note(text::AGREED);
    }
    Ok(Finding { standard, json: json!({ "verifies": true, "conventions": told }), page })
}

fn convention_rows(page: Page, convention: &Convention) -> Page {
    let page = page.row(text::WRITTEN, text::signature_form(convention.form).text);
    let page = match convention.message {
        Message::AsGiven => page,
        message => page.row(text::MESSAGE, text::message(message).text),
    };
    match &convention.preimage {
        Preimage::WithZ(id, z, hashed) => page
            .row(text::IDENTIFIER, identifier(id))
            .row(text::Z, text::z(*z).text)
            .row(text::SIGNED, text::hashed(*hashed).text),
        Preimage::WithoutZ(hashed) => {
            page.row(text::Z, text::NO_Z).row(text::SIGNED, text::hashed(*hashed).text)
        }
        Preimage::Itself => page.row(text::Z, text::NO_Z).row(text::SIGNED, text::ITSELF),
    }
}

fn identifier(id: &Identifier) -> Cell {
    match id {
        Identifier::Default => text::DEFAULT_IDENTIFIER.into(),
        Identifier::Empty => text::EMPTY_IDENTIFIER.into(),
        Identifier::Tls13 => text::TLS_IDENTIFIER.into(),
        Identifier::Other(octets) => match std::str::from_utf8(octets) {
            Ok(text) => text.into(),
            Err(_) => hex::encode(octets).into(),
        },
    }
}

fn convention_json(convention: &Convention) -> Value {
    let mut json = json!({
        "form": text::signature_form(convention.form).word,
        "message": text::message(convention.message).word,
        "standard": convention.is_standard(),
    });
    match &convention.preimage {
        Preimage::WithZ(id, z, hashed) => {
            json["identifier_hex"] = hex::encode(id.octets()).into();
            json["z"] = text::z(*z).word.into();
            json["signed"] = text::hashed(*hashed).word.into();
        }
        Preimage::WithoutZ(hashed) => {
            json["z"] = "none".into();
            json["signed"] = text::hashed(*hashed).word.into();
        }
        Preimage::Itself => {
            json["z"] = "none".into();
            json["signed"] = "itself".into();
        }
    }
    json
}

fn reproduced(page: Page, lines: &Lines) -> Page {
    let page = page.row(text::WITH_OPENSSL, lines.openssl.join("\n"));
    page.row(text::WITH_GMSSL, lines.gmssl.join("\n"))
}

fn with_lines(mut json: Value, lines: &Lines) -> Value {
    json["openssl"] = lines.openssl.clone().into();
    json["gmssl"] = lines.gmssl.clone().into();
    json
}

fn of_ciphertext(file: &Path, key: Option<&Path>) -> Result<Finding, Failure> {
    let octets = unwrapped(file)?;
    let secret = match key {
        None => None,
        Some(path) => {
            let unknown = || Failure::of(problems::SM2_KEY_UNKNOWN).about(path.display());
            Some(key::secret(&unwrapped(path)?).ok_or_else(unknown)?)
        }
    };
    let readings = ciphertext::readings(&octets, secret.as_ref());
    if readings.is_empty() {
        return Err(unknown(file));
    }
    let mut page = Page::titled(text::CIPHERTEXT);
    let mut told = Vec::new();
    let opened = readings.iter().any(|it| it.decrypts == Some(true));
    for reading in readings.iter().filter(|it| !opened || it.decrypts == Some(true)) {
        let form = text::ciphertext_form(reading.form);
        let lines = reproduce::ciphertext(&reading.ciphertext);
        let opens = reading.decrypts.map(|opens| if opens { text::OPENS } else { text::SHUT });
        page = page
            .row(text::WRITTEN, form.text)
            .row(text::LENGTH, reading.length as u64)
            .maybe(text::WITH_THE_KEY, opens);
        page = reproduced(page, &lines);
        let json = json!({
            "form": form.word, "octets": reading.length, "decrypts": reading.decrypts,
        });
        told.push(with_lines(json, &lines));
    }
    let standard = readings.iter().any(ciphertext::Reading::is_standard);
    if secret.is_none() && readings.len() > 1 {
        page = page.note(text::ORDER_UNKNOWN);
    }
    if secret.is_some() && !opened {
        page = page.note(text::DECRYPTS_NOWHERE);
    }
    Ok(Finding { standard, json: json!({ "readings": told }), page })
}

fn of_key(file: &Path) -> Result<Finding, Failure> {
    let read = key::read(&unwrapped(file)?).ok_or_else(|| unknown(file))?;
    let mut page = Page::titled(text::KEY);
    let mut json = json!({ "trailing": read.trailing });
    let standard = read.is_standard();
    let (written, public) = match &read.key {
        Key::Public { form, point, key } => {
            let point = text::point_form(*point);
            page = page.row(text::POINT, point.text);
            json["point"] = point.word.into();
            json["private"] = false.into();
            (text::public_form(form), key.as_ref())
        }
        Key::Private { form, key, matches } => {
            json["private"] = true.into();
            if *matches == Some(false) {
                page = page.note(text::OTHER_PUBLIC_KEY);
            }
            json["public_key_matches"] = (*matches).into();
            (text::private_form(form), key.as_ref())
        }
        Key::Encrypted(encryption) => {
            let prf = encryption.prf.as_deref();
            page = page
                .row(text::WRITTEN, text::ENCRYPTED)
                .row(text::CIPHER, text::cipher(&encryption.cipher))
                .row(text::PRF, text::prf(prf))
                .row(text::ROUNDS, encryption.rounds);
            json["encrypted"] = json!({
                "cipher": encryption.cipher, "prf": prf, "rounds": encryption.rounds,
            });
            return Ok(Finding { standard, json, page });
        }
    };
    page = page.row(text::WRITTEN, written.text);
    json["form"] = written.word.into();
    if let Some(curve) = curve_of(&read.key) {
        page = page.row(text::CURVE, curve_cell(curve));
        json["curve"] = curve_word(curve).into();
    }
    match public {
        Some(key) => {
            let lines = reproduce::key(key);
            page = page.row(text::PUBLIC_KEY, hex::encode(key.as_sec1()));
            page = reproduced(page, &lines);
            json["public_key"] = hex::encode(key.as_sec1()).into();
            json = with_lines(json, &lines);
        }
        None => page = page.note(text::NO_KEY_OF_THE_CURVE),
    }
    if read.trailing {
        page = page.note(text::TRAILING);
    }
    Ok(Finding { standard, json, page })
}

fn curve_of(key: &Key) -> Option<&Curve> {
    match key {
        Key::Public {
            form: key::PublicForm::Info(curve) | key::PublicForm::Certificate(curve),
            ..
        }
        | Key::Private { form: key::PrivateForm::Info(curve), .. } => Some(curve),
        _ => None,
    }
}

fn curve_cell(curve: &Curve) -> Cell {
    match curve {
        Curve::Other(oid) => Cell::Filled(text::OTHER_CURVE, vec![oid.clone()]),
        curve => text::curve(curve).text.into(),
    }
}

fn curve_word(curve: &Curve) -> String {
    match curve {
        Curve::Other(oid) => oid.clone(),
        curve => text::curve(curve).word.to_owned(),
    }
}

fn of_certificate(
    file: &Path,
    issuer: Option<&Path>,
    identifiers: Identifiers,
) -> Result<Finding, Failure> {
    let suggested = identifiers.octets()?;
    let issuer = issuer.map(public_key).transpose()?;
    let octets = unwrapped(file)?;
    let read =
        certificate::read(&octets, issuer.as_ref(), &suggested).ok_or_else(|| unknown(file))?;
    let algorithm = |it: &certificate::Algorithm| {
        Cell::Filled(text::parameters(it.parameters).text, vec![it.oid.clone()])
    };
    let mut page = Page::titled(text::CERTIFICATE)
        .row(text::INNER_ALGORITHM, algorithm(&read.inner))
        .row(text::OUTER_ALGORITHM, algorithm(&read.outer))
        .maybe(text::CURVE, read.curve.as_ref().map(curve_cell))
        .maybe(text::ROLE, read.role.map(|role| text::role(role).text));
    let algorithm = |it: &certificate::Algorithm| json!({ "oid": it.oid, "parameters": text::parameters(it.parameters).word });
    let mut json = json!({
        "inner_algorithm": algorithm(&read.inner),
        "outer_algorithm": algorithm(&read.outer),
        "curve": read.curve.as_ref().map(curve_word),
        "role": read.role.map(|role| text::role(role).word),
        "self_issued": read.self_issued,
        "trailing": read.trailing,
    });
    let mut identities = Vec::new();
    for identity in &read.identities {
        let tagging = text::tagging(identity.tagging);
        page = page.row(text::IDENTITY, Cell::Marked(identity.oid, Box::new(tagging.text.into())));
        identities.push(json!({ "oid": identity.oid, "tagging": tagging.word }));
    }
    json["identities"] = identities.into();
    if read.inner != read.outer {
        page = page.note(text::ALGORITHMS_DIFFER);
    }
    match read.signature.as_deref() {
        None => page = page.note(text::ISSUER_NEEDED),
        Some([]) => {
            page = page.note(text::ISSUER_DOES_NOT_VERIFY);
            json["signature"] = json!([]);
        }
        Some(conventions) => {
            let mut told = Vec::new();
            for convention in conventions {
                let lines = reproduce::certificate(convention);
                page = reproduced(convention_rows(page, convention), &lines);
                told.push(with_lines(convention_json(convention), &lines));
            }
            json["signature"] = told.into();
        }
    }
    if read.trailing {
        page = page.note(text::TRAILING);
    }
    Ok(Finding { standard: read.is_standard(), json, page })
}
