//! `vcard make-sam`.

use std::path::{Path, PathBuf};

use ::card::certificate::{Body, CardCertificate, Holder, SamSerial};
use ::card::sam::{ApplicationFile, PublicFile, TerminalNumber};
use ::card::{CardKey, Pin};
use card_emulator::sam::{MasterPlace, SamImage};
use clap::Args;
use hsm::sm2::SecretKey;
use hsm::soft::{Passphrase, SoftKeystore};
use hsm::{KeyUse, Keystore as _, Sm2Signer};
use time::Date;
use zeroize::Zeroizing;

use super::Failure;
use super::make::{day, hex_octets, write_new};

/// PIN that SAMs are delivered with.
const INITIAL_PIN: &str = "123456";

#[derive(Args)]
pub(super) struct MakeSam {
    /// Where to write the image; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keystore with the card masters and the card issuer's key. The image names it, and the SAM
    /// opens it when it is powered.
    #[arg(
        long,
        value_name = "FILE",
        requires = "passphrase_file",
        requires = "issuer_certificate",
        conflicts_with = "master_key_file",
        required_unless_present = "master_key_file"
    )]
    keystore: Option<PathBuf>,
    /// File with the keystore's passphrase.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// File with the card issuer's certificate (发卡机构证书), 180 bytes.
    #[arg(long, value_name = "FILE")]
    issuer_certificate: Option<PathBuf>,
    /// File with one master for all keys, 32 hex digits, readable by its owner alone. The SAM then
    /// has an issuer of its own.
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
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
    let serial = SamSerial(hex_octets(&make.serial, "--serial has 20 hex digits")?);
    let terminal = TerminalNumber(hex_octets(&make.terminal, "--terminal has 12 hex digits")?);
    let key = SecretKey::generate();
    let text = match (&make.keystore, &make.passphrase_file, &make.issuer_certificate) {
        (Some(file), Some(passphrase_file), Some(certificate)) => {
            let passphrase = Passphrase::from_file(passphrase_file)?;
            let keystore = SoftKeystore::open(file, &passphrase)?;
            let signer = keystore.signer(&"soft:card-issuer".parse()?, KeyUse::SignCertificates)?;
            let issuer = CardCertificate::parse(&std::fs::read(certificate)?)?;
            if issuer.body().key != *signer.public_key() {
                return Err("the certificate is not the one of the keystore's card issuer".into());
            }
            let image = image(&issuer, &*signer, key, (serial, terminal), days)?;
            let (file, passphrase_file) = (absolute(file)?, absolute(passphrase_file)?);
            let place = MasterPlace::Keystore { file: &file, passphrase_file: &passphrase_file };
            image.to_toml(INITIAL_PIN, place)
        }
        _ => {
            let path = make.master_key_file.as_deref();
            let path = path.ok_or("give --keystore and its companions, or --master-key-file")?;
            let master = super::make::hex_octets_of(path)?;
            let signer = SecretKey::generate();
            let issuer = self_issued(&signer, days)?;
            let image = image(&issuer, &signer, key, (serial, terminal), days)?;
            let masters =
                CardKey::all_versions().map(|place| (place, Zeroizing::new(*master))).collect();
            image.to_toml(INITIAL_PIN, MasterPlace::Here(&masters))
        }
    };
    write_new(&make.out, text.as_bytes())?;
    println!("made {}", make.out.display());
    Ok(())
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
