//! The TOML form of an image.

use std::collections::BTreeMap;
use std::str::FromStr;

use ::card::data::{CardClass, ContactData, HolderData, IssuerCertificate, IssuerData, Photo};
use ::card::layout::FileName;
use ::card::{CardFactor, CardKey, EthnicGroup, Payment, Sex};
use serde::{Deserialize, Serialize};
use time::Date;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use zeroize::Zeroizing;

use super::{Answers, Image, ImageError};

const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");

/// The image as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    card: RawCard,
    keys: BTreeMap<String, Zeroizing<String>>,
    issuer: RawIssuer,
    holder: RawHolder,
    contact: RawContact,
    #[serde(default)]
    overrides: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCard {
    /// Eight bytes, hex.
    historical_bytes: String,
    /// `direct` or `in-parts`.
    #[serde(default = "direct")]
    answers: String,
}

fn direct() -> String {
    "direct".to_owned()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIssuer {
    class: char,
    version: String,
    name: String,
    code: String,
    /// 180 bytes, hex; zeros when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    issued_on: String,
    card_number: String,
    security_code: String,
    chip_serial: String,
    city: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHolder {
    name: String,
    sex: u8,
    /// 0 when not stated.
    ethnic_group: u8,
    birth_date: String,
    id_number: String,
    /// JPEG, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    photo: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawContact {
    valid_until: String,
    #[serde(default)]
    phones: Vec<String>,
    #[serde(default)]
    payments: Vec<u8>,
}

fn wrong(field: &str) -> ImageError {
    ImageError::Field { field: field.to_owned() }
}

fn parsed<T: FromStr>(field: &str, text: &str) -> Result<T, ImageError> {
    text.parse().map_err(|_| wrong(field))
}

fn day(field: &str, text: &str) -> Result<Date, ImageError> {
    Date::parse(text, DAY).map_err(|_| wrong(field))
}

fn bytes<const N: usize>(field: &str, text: &str) -> Result<[u8; N], ImageError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| wrong(field))?;
    Ok(bytes)
}

/// Up to `N` values of a list.
fn listed<T, R, const N: usize>(
    field: &str,
    values: &[R],
    read: impl Fn(&R) -> Option<T>,
) -> Result<[Option<T>; N], ImageError> {
    if values.len() > N {
        return Err(wrong(field));
    }
    let mut list = std::array::from_fn(|_| None);
    for (place, value) in list.iter_mut().zip(values) {
        *place = Some(read(value).ok_or_else(|| wrong(field))?);
    }
    Ok(list)
}

pub(super) fn read(text: &str) -> Result<Image, ImageError> {
    let raw: Raw = toml::from_str(text).map_err(|error| {
        // The message may quote the value; the line is enough.
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
        ImageError::Syntax { line }
    })?;
    let mut keys = BTreeMap::new();
    for (name, value) in &raw.keys {
        let key = CardKey::named(name).ok_or_else(|| wrong(name))?;
        keys.insert(key, Zeroizing::new(bytes::<16>(name, value)?));
    }
    let mut overrides = BTreeMap::new();
    for (place, value) in &raw.overrides {
        let place = record(place).ok_or_else(|| wrong("overrides"))?;
        overrides.insert(place, hex::decode(value).map_err(|_| wrong("overrides"))?);
    }
    Ok(Image {
        factor: CardFactor(bytes("historical_bytes", &raw.card.historical_bytes)?),
        answers: match raw.card.answers.as_str() {
            "direct" => Answers::Direct,
            "in-parts" => Answers::InParts,
            _ => return Err(wrong("answers")),
        },
        keys,
        issuer: issuer(&raw.issuer)?,
        photo: match &raw.holder.photo {
            None => None,
            Some(jpeg) => {
                let jpeg = hex::decode(jpeg).map_err(|_| wrong("photo"))?;
                Some(Photo::new(jpeg).map_err(|_| wrong("photo"))?)
            }
        },
        holder: holder(&raw.holder)?,
        contact: ContactData {
            valid_until: day("valid_until", &raw.contact.valid_until)?,
            phones: listed("phones", &raw.contact.phones, |phone| phone.parse().ok())?,
            payments: listed("payments", &raw.contact.payments, |code| Payment::from_code(*code))?,
        },
        overrides,
    })
}

fn issuer(raw: &RawIssuer) -> Result<IssuerData, ImageError> {
    let class = u8::try_from(raw.class).map_err(|_| wrong("class"))?;
    Ok(IssuerData {
        class: CardClass(class),
        version: parsed("version", &raw.version)?,
        name: raw.name.clone(),
        code: parsed("code", &raw.code)?,
        certificate: match &raw.certificate {
            Some(text) => IssuerCertificate(bytes("certificate", text)?),
            None => IssuerCertificate([0; 180]),
        },
        issued_on: day("issued_on", &raw.issued_on)?,
        card_number: parsed("card_number", &raw.card_number)?,
        security_code: parsed("security_code", &raw.security_code)?,
        chip_serial: parsed("chip_serial", &raw.chip_serial)?,
        city: parsed("city", &raw.city)?,
    })
}

fn holder(raw: &RawHolder) -> Result<HolderData, ImageError> {
    Ok(HolderData {
        name: parsed("name", &raw.name)?,
        sex: Sex::from_code(raw.sex).ok_or_else(|| wrong("sex"))?,
        ethnic_group: match raw.ethnic_group {
            0 => None,
            code => Some(EthnicGroup::from_code(code).ok_or_else(|| wrong("ethnic_group"))?),
        },
        birth_date: day("birth_date", &raw.birth_date)?,
        id_number: parsed("id_number", &raw.id_number)?,
    })
}

/// `DDF1/EF06/3`: file and record.
fn record(place: &str) -> Option<(FileName, u8)> {
    let (file, record) = place.rsplit_once('/')?;
    Some((file.parse().ok()?, record.parse().ok()?))
}

fn spelled(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

pub(super) fn write(image: &Image) -> Zeroizing<String> {
    let Image { issuer, holder, contact, .. } = image;
    let certificate = &issuer.certificate.0;
    let raw = Raw {
        card: RawCard {
            historical_bytes: image.factor.to_string(),
            answers: match image.answers {
                Answers::Direct => "direct",
                Answers::InParts => "in-parts",
            }
            .to_owned(),
        },
        keys: image
            .keys
            .iter()
            .map(|(key, bytes)| (key.to_string(), Zeroizing::new(hex::encode_upper(**bytes))))
            .collect(),
        issuer: RawIssuer {
            class: char::from(issuer.class.0),
            version: issuer.version.as_str().to_owned(),
            name: issuer.name.clone(),
            code: issuer.code.as_str().to_owned(),
            certificate: (*certificate != [0; 180]).then(|| hex::encode_upper(certificate)),
            issued_on: spelled(issuer.issued_on),
            card_number: issuer.card_number.as_str().to_owned(),
            security_code: issuer.security_code.expose().to_owned(),
            chip_serial: issuer.chip_serial.as_str().to_owned(),
            city: issuer.city.as_str().to_owned(),
        },
        holder: RawHolder {
            name: holder.name.as_str().to_owned(),
            sex: holder.sex.code(),
            ethnic_group: holder.ethnic_group.map_or(0, EthnicGroup::code),
            birth_date: spelled(holder.birth_date),
            id_number: holder.id_number.as_str().to_owned(),
            photo: image.photo.as_ref().map(|photo| hex::encode_upper(photo.jpeg())),
        },
        contact: RawContact {
            valid_until: spelled(contact.valid_until),
            phones: contact.phones.iter().flatten().map(|p| p.as_str().to_owned()).collect(),
            payments: contact.payments.iter().flatten().map(|p| p.code()).collect(),
        },
        overrides: image
            .overrides
            .iter()
            .map(|((file, record), bytes)| (format!("{file}/{record}"), hex::encode_upper(bytes)))
            .collect(),
    };
    Zeroizing::new(toml::to_string(&raw).expect("strings, numbers and tables of them"))
}
