//! `vcard make-sam`.

use std::path::{Path, PathBuf};

use ::card::Pin;
use ::card::certificate::{Body, CardCertificate, Holder, SamSerial};
use ::card::sam::{ApplicationFile, PublicFile, TerminalNumber};
use card_emulator::sam::{MasterPlace, SamImage};
use clap::Args;
use hsm::sm2::SecretKey;
use hsm::{KeyUse, Keystore as _, Sm2Signer};
use time::Date;

use super::Failure;
use super::make::{day, write_text};
use super::masters::{Place, Source};

/// PIN that SAMs are delivered with.
const INITIAL_PIN: &str = "123456";

#[derive(Args)]
pub(super) struct MakeSam {
    /// Where to write the image; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    source: Source,
    /// File with the card issuer's certificate (发卡机构证书), 180 bytes: the keystore has its key. A
    /// SAM with a master key file has an issuer of its own.
    #[arg(long, value_name = "FILE", conflicts_with = "master_key_file")]
    issuer_certificate: Option<PathBuf>,
    /// Serial of the SAM, 20 hex digits.
    #[arg(long, default_value = "00000000000000000001")]
    serial: String,
    /// Terminal number, 12 hex digits.
    #[arg(long, default_value = "990101000001")]
    terminal: String,
    /// First day, YYYY-MM-DD.
    #[arg(long, value_name = "DAY")]
    valid_from: String,
    /// Last day, YYYY-MM-DD.
    #[arg(long, value_name = "DAY")]
    valid_until: String,
}

pub(super) fn make(make: &MakeSam) -> Result<(), Failure> {
    let days = (day(&make.valid_from)?, day(&make.valid_until)?);
    let (mut serial, mut terminal) = (SamSerial([0; 10]), TerminalNumber([0; 6]));
    hex::decode_to_slice(&make.serial, &mut serial.0).map_err(|_| "--serial: 20 hex digits")?;
    hex::decode_to_slice(&make.terminal, &mut terminal.0)
        .map_err(|_| "--terminal: 12 hex digits")?;
    let key = SecretKey::generate();
    let numbers = (serial, terminal);
    let text = match make.source.place()? {
        Place::Keystore { keystore, file, passphrase_file } => {
            let path = make.issuer_certificate.as_deref();
            let issuer = CardCertificate::parse(&std::fs::read(
                path.ok_or("a SAM of a keystore needs --issuer-certificate")?,
            )?)?;
            let signer = keystore.signer(&"soft:card-issuer".parse()?, KeyUse::SignCertificates)?;
            if issuer.body().key != *signer.public_key() {
                return Err("the certificate is not the one of the keystore's card issuer".into());
            }
            let image = image(&issuer, &*signer, key, numbers, days)?;
            let (file, passphrase_file) = (absolute(file)?, absolute(passphrase_file)?);
            let place = MasterPlace::Keystore { file: &file, passphrase_file: &passphrase_file };
            image.to_toml(INITIAL_PIN, place)
        }
        Place::Single(master) => {
            let signer = SecretKey::generate();
            let issuer = self_issued(&signer, days)?;
            let image = image(&issuer, &signer, key, numbers, days)?;
            image.to_toml(INITIAL_PIN, MasterPlace::Single(&master))
        }
    };
    write_text(&make.out, &text)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The certificate of an issuer that exists for this SAM alone.
fn self_issued(key: &SecretKey, days: (Date, Date)) -> Result<CardCertificate, Failure> {
    let code: ::card::data::IssuerCode = "9900000000000000000000".parse()?;
    let (valid_from, valid_until) = days;
    let (authority, subject, serial) = (code.clone(), code, [0, 0, 0, 0, 0, 0, 0, 1]);
    let holder = Holder::Issuer;
    let key_of = key.public().clone();
    let body = Body { holder, authority, subject, serial, valid_from, valid_until, key: key_of };
    Ok(body.sign(key)?)
}

fn image(
    issuer: &CardCertificate,
    signer: &dyn Sm2Signer,
    key: SecretKey,
    (serial, terminal): (SamSerial, TerminalNumber),
    (valid_from, valid_until): (Date, Date),
) -> Result<SamImage, Failure> {
    let code = &issuer.body().subject;
    let mut number = [0; 8];
    number.copy_from_slice(&serial.0[2..]);
    let body = Body {
        holder: Holder::Sam(serial),
        authority: code.clone(),
        subject: code.clone(),
        serial: number,
        valid_from,
        valid_until,
        key: key.public().clone(),
    };
    let certificate = body.sign(signer)?.to_bytes();
    Ok(SamImage {
        public: PublicFile { serial, version: 1, key_card: 1, commands: 1, issuer_fci: 0 },
        terminal,
        application: ApplicationFile {
            key_index: 1,
            issuer: [0x99; 8],
            receiver: [0x99; 8],
            valid_from,
            valid_until,
        },
        issuer_certificate: issuer.to_bytes().try_into().map_err(|_| "an issuer's certificate")?,
        certificate: certificate.try_into().map_err(|_| "a SAM's certificate")?,
        pin: Pin::from_digits(INITIAL_PIN)?,
        key,
    })
}
