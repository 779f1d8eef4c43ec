//! What each field is (分类分级, GB/T 39725-2020), and how much of it a token opens.

use access_token::Claims;
use access_token::words::{DataClass, Grade, Mask};
use serde_json::{Map, Value, json};

/// Somebody, as this system has them.
#[derive(Debug, Clone)]
pub struct Person {
    /// Name.
    pub name: &'static str,
    /// ID number (公民身份号码).
    pub id_number: &'static str,
    /// Mobile phone.
    pub phone: &'static str,
    /// Address.
    pub address: &'static str,
    /// `YYYY-MM-DD`.
    pub birth_date: &'static str,
    /// `male` or `female`.
    pub gender: &'static str,
}

/// Something that was seen or measured.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Identifier.
    pub id: &'static str,
    /// LOINC.
    pub code: &'static str,
    /// What it is called.
    pub display: &'static str,
    /// Value and unit.
    pub value: (f64, &'static str),
    /// Kind of data.
    pub class: DataClass,
    /// Grade, 1 to 5.
    pub grade: u32,
}

/// What a field tells about who it is.
#[derive(Debug, Clone, Copy)]
enum Tells {
    Name,
    Number,
    Phone,
    Address,
    Birth,
    Little,
}

/// Field of a Patient, kind of data, grade, and what it tells.
const PATIENT: [(&str, DataClass, u32, Tells); 6] = [
    ("name", DataClass::Personal, 3, Tells::Name),
    ("identifier", DataClass::Personal, 4, Tells::Number),
    ("telecom", DataClass::Personal, 3, Tells::Phone),
    ("address", DataClass::Personal, 3, Tells::Address),
    ("birthDate", DataClass::Personal, 2, Tells::Birth),
    ("gender", DataClass::Personal, 2, Tells::Little),
];

/// Whether the token covers data of this kind and grade.
pub(super) fn covers(claims: &Claims, class: DataClass, grade: u32) -> bool {
    let grade = Grade::new(grade).expect("labels have grades of 1 to 5");
    claims.data.classes.contains(&class) && grade <= claims.data.grade
}

/// A field of a Patient, as far as the token opens it.
pub(super) fn shown(person: &Person, field: &str, claims: &Claims) -> Option<String> {
    let (_, class, grade, tells) = PATIENT.into_iter().find(|(known, ..)| *known == field)?;
    let value = match field {
        "name" => person.name,
        "identifier" => person.id_number,
        "telecom" => person.phone,
        "address" => person.address,
        "birthDate" => person.birth_date,
        _ => person.gender,
    };
    covers(claims, class, grade).then(|| masked(value, tells, claims.mask)).flatten()
}

/// A Patient with what the token opens of it.
#[must_use]
pub fn patient(id: &str, person: &Person, claims: &Claims) -> Value {
    let mut resource = Map::new();
    for (field, ..) in PATIENT {
        let Some(text) = shown(person, field, claims) else { continue };
        let value = match field {
            "name" => json!([{ "text": text }]),
            "identifier" => json!([{ "system": "urn:oid:2.16.156.10011.1.3", "value": text }]),
            "telecom" => json!([{ "system": "phone", "value": text }]),
            "address" => json!([{ "text": text }]),
            _ => json!(text),
        };
        resource.insert(field.to_owned(), value);
    }
    resource.insert("resourceType".to_owned(), "Patient".into());
    resource.insert("id".to_owned(), id.into());
    resource.insert(
        "meta".to_owned(),
        labels(DataClass::Personal, claims.data.grade.level().into(), claims),
    );
    resource.into()
}

/// An Observation, if the token opens it.
#[must_use]
pub fn observation(subject: &str, seen: &Observation, claims: &Claims) -> Option<Value> {
    let (value, unit) = seen.value;
    covers(claims, seen.class, seen.grade).then(|| {
        json!({
            "resourceType": "Observation", "id": seen.id, "status": "final",
            "meta": labels(seen.class, seen.grade, claims),
            "code": { "coding": [{ "system": "http://loinc.org", "code": seen.code, "display": seen.display }] },
            "subject": { "reference": format!("Patient/{subject}") },
            "valueQuantity": { "value": value, "unit": unit },
        })
    })
}

fn labels(class: DataClass, grade: u32, claims: &Claims) -> Value {
    let label = |system: &str, code: String| json!({ "system": format!("urn:gb-t-39725:{system}"), "code": code });
    json!({ "security": [
        label("class", class.to_string()), label("grade", grade.to_string()), label("mask", claims.mask.to_string()),
    ]})
}

/// The value as it is shown; nothing where it is left out.
fn masked(value: &str, tells: Tells, mask: Mask) -> Option<String> {
    let characters: Vec<char> = value.chars().collect();
    let keep = |first: usize, last: usize| -> String {
        let end = characters.len().saturating_sub(last);
        let shown = |at: usize| at < first || at >= end;
        characters.iter().enumerate().map(|(at, c)| if shown(at) { *c } else { '*' }).collect()
    };
    match (mask, tells) {
        (Mask::None, _) | (_, Tells::Little) | (Mask::Partial, Tells::Birth) => {
            Some(value.to_owned())
        }
        (Mask::Partial, Tells::Name) => Some(format!("{}*", characters.first()?)),
        (Mask::Partial, Tells::Number) => Some(keep(3, 4)),
        (Mask::Partial, Tells::Phone) => Some(keep(3, 2)),
        // Province and city.
        (Mask::Partial, Tells::Address) => Some(characters.iter().take(6).collect()),
        (Mask::Full, Tells::Birth) => Some(characters.iter().take(4).collect()),
        (Mask::Full, Tells::Name | Tells::Number | Tells::Phone | Tells::Address) => None,
    }
}
