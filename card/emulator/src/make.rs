//! `vcard make`.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ::card::certificate::{CardCertificate, Holder};
use ::card::data::Photo;
use ::card::layout::Profile;
use ::card::layout::ddf1::ef05;
use ::card::{CardFactor, CardKey, EthnicGroup, KeyVersion, Payment};
use card_emulator::Image;
use card_emulator::image::FileText;
use card_emulator::personalise::{Person, personalise};
use clap::Args;
use hsm::KeyRef;
use serde::Deserialize;
use time::Date;
use time::macros::format_description;

use super::Failure;
use super::masters::Source;

#[derive(Args)]
pub(super) struct Make {
    /// Where to write the image; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Name of a master in the keystore, when it is not the usual one (soft:card-irk,
    /// soft:card-rk1-df02, soft:card-rk1-df02-v2); KEY is IRK_DDF1, RK1_DF02 or RK1_DF02/2.
    #[arg(long = "key", value_name = "KEY=REFERENCE", value_parser = named_key)]
    keys: Vec<((CardKey, KeyVersion), KeyRef)>,
    /// TOML with name, id_number and, if wanted, ethnic_group (1 to 56), phones, payments (1 to 8)
    /// and photo (a JPEG file of at most 3072 bytes); it may also have any of the fields below,
    /// with underscores for hyphens, and further contents as an image has them, such as
    /// [files."DF01/EF05"]. - is standard input.
    #[arg(long, value_name = "FILE")]
    person: PathBuf,
    /// File with the card issuer's certificate (发卡机构证书), 180 bytes; the card has none when absent.
    #[arg(long, value_name = "FILE")]
    issuer_certificate: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// What is asked about a card. Flags win over the file; the person is in the file only, since every
/// process can read the flags of another.
#[derive(Args, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Form {
    /// Name (姓名).
    #[arg(skip)]
    name: Option<String>,
    /// ID number (公民身份号码).
    #[arg(skip)]
    id_number: Option<String>,
    /// Ethnic group (民族), 1 to 56.
    #[arg(skip)]
    ethnic_group: Option<u8>,
    /// Phones (电话), at most two.
    #[arg(skip)]
    phones: Vec<String>,
    /// Means of payment (医疗费用支付方式), 1 to 8, at most three.
    #[arg(skip)]
    payments: Vec<u8>,
    /// File with a JPEG of at most 3072 bytes.
    #[arg(skip)]
    photo: Option<PathBuf>,
    /// What else is on the card, by file.
    #[arg(skip)]
    files: BTreeMap<String, FileText>,
    /// First day, YYYY-MM-DD.
    #[arg(long, value_name = "DAY")]
    issued_on: Option<String>,
    /// Last day, YYYY-MM-DD.
    #[arg(long, value_name = "DAY")]
    valid_until: Option<String>,
    /// Issuer (发卡机构名称).
    #[arg(long)]
    issuer_name: Option<String>,
    /// Application city code (应用城市代码), six digits.
    #[arg(long)]
    city: Option<String>,
    /// Issuing serial (发卡序列号), ten digits.
    #[arg(long)]
    chip_serial: Option<String>,
    /// Historical bytes of the answer to reset, 16 hex digits.
    #[arg(long)]
    historical_bytes: Option<String>,
    /// 32K (the default) or 16K.
    #[arg(long)]
    profile: Option<String>,
}

fn named_key(text: &str) -> Result<((CardKey, KeyVersion), KeyRef), String> {
    let (key, reference) = text.split_once('=').ok_or("expected KEY=REFERENCE")?;
    let key = CardKey::spelled(key).ok_or("no such key; IRK_DDF1 is one, RK1_DF02/2 another")?;
    Ok((key, reference.parse().map_err(|error| format!("{error}"))?))
}

pub(super) fn make(make: &Make) -> Result<(), Failure> {
    let masters = make.source.masters(&make.keys)?;
    let mut form = form(&make.person)?;
    let mut files = std::mem::take(&mut form.files);
    let person = person(&make.form, form)?;
    // A 16K card has no place for it.
    if let Some(path) = &make.issuer_certificate
        && person.profile == Profile::Full
    {
        let bytes = std::fs::read(path)?;
        let certificate = CardCertificate::parse(&bytes)?;
        if certificate.body().holder != Holder::Issuer {
            return Err("the certificate is not one of a card issuer".into());
        }
        let file = files.entry(ef05::FILE.name.to_string()).or_default();
        file.set(ef05::CERTIFICATE.item, hex::encode_upper(bytes));
    }
    write_new(&make.out, &personalise(&person, &masters, &files)?)
}

/// Writes an image where none is yet.
pub(super) fn write_new(path: &Path, image: &Image) -> Result<(), Failure> {
    write_text(path, &image.to_toml())
}

/// Writes the text of an image where none is yet, for its owner alone.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| format!("creating {}: {error}", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    println!("made {}", path.display());
    Ok(())
}

/// The form in a file, or in what comes on the standard input.
fn form(path: &Path) -> Result<Form, Failure> {
    let text = match path.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(path),
    };
    let text = text.map_err(|error| format!("reading {}: {error}", path.display()))?;
    // The parser's own message quotes the line, and with it the person.
    toml::from_str(&text)
        .map_err(|_| format!("{} is not a file of a person: see --help", path.display()).into())
}

fn person(flags: &Form, file: Form) -> Result<Person, Failure> {
    let given = |flag: &Option<String>, filed: Option<String>| flag.clone().or(filed);
    let name = file.name.ok_or("the person has no name")?;
    let id_number = file.id_number.ok_or("the person has no id_number")?;
    let valid_until = given(&flags.valid_until, file.valid_until).ok_or("give --valid-until")?;
    let issued_on = given(&flags.issued_on, file.issued_on).ok_or("give --issued-on")?;
    let chip_serial = given(&flags.chip_serial, file.chip_serial).ok_or("give --chip-serial")?;
    let historical = given(&flags.historical_bytes, file.historical_bytes);
    let historical = historical.ok_or("give --historical-bytes")?;
    let issuer_name = given(&flags.issuer_name, file.issuer_name);
    let city = given(&flags.city, file.city).ok_or("give --city")?;

    let profile = given(&flags.profile, file.profile);
    Ok(Person {
        name: name.parse()?,
        id_number: id_number.parse()?,
        ethnic_group: match file.ethnic_group {
            None | Some(0) => None,
            Some(code) => Some(EthnicGroup::from_code(code).ok_or("ethnic_group is 1 to 56")?),
        },
        phones: up_to(&file.phones, |phone| phone.parse().ok())
            .ok_or("there are at most two phones, 20 characters each")?,
        payments: up_to(&file.payments, |code| Payment::from_code(*code))
            .ok_or("there are at most three payments, 1 to 8")?,
        photo: match &file.photo {
            None => None,
            Some(path) => Some(Photo::new(std::fs::read(path)?)?),
        },
        issued_on: day(&issued_on)?,
        valid_until: day(&valid_until)?,
        issuer_name: issuer_name.unwrap_or_else(|| "居民健康卡发卡中心".to_owned()),
        city: city.parse()?,
        chip_serial: chip_serial.parse()?,
        factor: factor(&historical)?,
        profile: match profile.as_deref() {
            None => Profile::Full,
            Some(profile) => self::profile(profile)?,
        },
    })
}

pub(super) fn factor(historical: &str) -> Result<CardFactor, Failure> {
    let mut factor = CardFactor([0; 8]);
    hex::decode_to_slice(historical, &mut factor.0)
        .map_err(|_| "--historical-bytes has 16 hex digits")?;
    Ok(factor)
}

pub(super) fn profile(text: &str) -> Result<Profile, Failure> {
    Profile::named(text).ok_or_else(|| "--profile is 32K or 16K".into())
}

pub(super) fn day(text: &str) -> Result<Date, Failure> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| "days are written YYYY-MM-DD".into())
}

/// At most `N` values, each read by `read`.
fn up_to<T, R, const N: usize>(
    values: &[R],
    read: impl Fn(&R) -> Option<T>,
) -> Option<[Option<T>; N]> {
    let mut list = std::array::from_fn(|_| None);
    if values.len() > N {
        return None;
    }
    for (place, value) in list.iter_mut().zip(values) {
        *place = Some(read(value)?);
    }
    Some(list)
}
