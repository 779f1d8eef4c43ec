//! An entry as a syslog message (RFC 5424) with an audit message in it (DICOM PS3.15, A.5; RFC 3881): what repositories of
//! audit messages collect.

use std::borrow::Cow;

use audit::Entry;
use quick_xml::{
    events::BytesText,
    writer::{ElementWriter, Writer},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::super::written::event::{outcome, verb};

/// The mark of UTF-8 that a message in it begins with (RFC 5424, 6.4).
const BOM: char = '\u{feff}';
/// Security and authorisation messages (RFC 5424, 6.2.1).
const AUTHPRIV: u8 = 10;
/// Codes that are in no dictionary: this program's own words.
const OWN: &str = "healthcard";
const DCM: &str = "DCM";

/// MSGID: printable ASCII, at most 32 characters (RFC 5424, 6).
pub(super) fn id(text: &str) -> Result<String, String> {
    let printable = text.bytes().all(|octet| octet.is_ascii_graphic());
    match printable && (1..=32).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err("1 to 32 printable ASCII characters".to_owned()),
    }
}

/// A leaf of the log of this name. What is no entry is passed on as something that was found there.
pub(super) fn of(
    log: &str,
    position: u64,
    leaf: &[u8],
    message_id: &str,
    now: OffsetDateTime,
) -> String {
    let entry = Entry::decode(leaf).ok();
    let severity = match entry.as_ref().map(|entry| outcome(entry.outcome)) {
        Some("0") => 5,
        Some("4") => 4,
        _ => 3,
    };
    let now = now.format(&Rfc3339).unwrap_or_default();
    let at = entry.as_ref().map_or(&now, |entry| &entry.at);
    let host = if log.bytes().all(|octet| octet.is_ascii_graphic()) { log } else { "-" };
    let priority = AUTHPRIV * 8 + severity;
    let body = body(log, position, entry.as_ref(), at);
    format!("<{priority}>1 {at} {host} healthcard - {message_id} - {BOM}{body}")
}

/// A code, and the dictionary and words for it.
type Code<'a> = (&'a str, &'a str, &'a str);

fn body(log: &str, position: u64, entry: Option<&Entry>, at: &str) -> String {
    let mut writer = Writer::new(Vec::new());
    let written = writer.create_element("AuditMessage").write_inner_content(|writer| {
        event(writer, entry, at)?;
        if let Some(entry) = entry {
            participant(writer, entry)?;
        }
        writer
            .create_element("AuditSourceIdentification")
            .with_attribute(("AuditSourceID", log))
            .write_inner_content(|writer| {
            coded(writer, "AuditSourceTypeCode", ("4", DCM, "Application Server"))
        })?;
        objects(writer, log, position, entry)
    });
    // Memory takes whatever is written to it.
    written.map(|writer| String::from_utf8_lossy(writer.get_ref()).into_owned()).unwrap_or_default()
}

type Written = std::io::Result<()>;

fn coded(writer: &mut Writer<Vec<u8>>, element: &str, (code, system, words): Code<'_>) -> Written {
    let attributes = [("csd-code", code), ("codeSystemName", system), ("originalText", words)];
    writer.create_element(element).with_attributes(attributes.map(legal)).write_empty().map(drop)
}

fn event(writer: &mut Writer<Vec<u8>>, entry: Option<&Entry>, at: &str) -> Written {
    let action = entry.map_or("log.damaged", |entry| &entry.action);
    let kind = kind(action, entry.is_some_and(|entry| entry.resident.is_some()));
    writer
        .create_element("EventIdentification")
        .with_attribute(("EventActionCode", verb(action)))
        .with_attribute(("EventDateTime", at))
        .with_attribute((
            "EventOutcomeIndicator",
            entry.map_or("12", |entry| outcome(entry.outcome)),
        ))
        .write_inner_content(|writer| {
            coded(writer, "EventID", kind)?;
            if let Some(known) = known_type(action) {
                coded(writer, "EventTypeCode", known)?;
            }
            coded(writer, "EventTypeCode", (action, OWN, action))?;
            if let Some(reason) = entry.and_then(|entry| entry.detail.get("reason")) {
                let (_, reason) = legal(("", reason));
                let reason = BytesText::new(&reason);
                writer.create_element("EventOutcomeDescription").write_text_content(reason)?;
            }
            if let Some(purpose) = entry.and_then(|entry| entry.purpose.as_deref()) {
                coded(writer, "PurposeOfUse", (purpose, OWN, purpose))?;
            }
            Ok(())
        })
        .map(drop)
}

/// What kind of event it is (DICOM PS3.16, CID 400).
fn kind(action: &str, of_patient: bool) -> Code<'static> {
    match action.split_once('.') {
        Some(("session", _)) => ("110114", DCM, "User Authentication"),
        Some(("audit", _)) => ("110101", DCM, "Audit Log Used"),
        Some(("emergency", "begin")) => ("110113", DCM, "Security Alert"),
        _ if of_patient => ("110110", DCM, "Patient Record"),
        _ => ("110113", DCM, "Security Alert"),
    }
}

/// And more exactly (CID 401), where that has a word for it.
fn known_type(action: &str) -> Option<Code<'static>> {
    match action {
        "session.open" => Some(("110122", DCM, "Login")),
        "session.close" => Some(("110123", DCM, "Logout")),
        "emergency.begin" => Some(("110127", DCM, "Emergency Override Started")),
        _ => None,
    }
}

/// Who asked for it.
fn participant(writer: &mut Writer<Vec<u8>>, entry: &Entry) -> Written {
    let actor = &entry.actor;
    let mut element = writer
        .create_element("ActiveParticipant")
        .with_attribute(legal(("UserID", actor.identity.as_deref().unwrap_or("unknown"))));
    if let Some(certificate) = &actor.certificate {
        element = element.with_attribute(legal(("AlternativeUserID", certificate)));
    }
    element = element.with_attribute(("UserIsRequestor", "true"));
    if let Some(address) = &actor.address {
        element = element
            .with_attribute(legal(("NetworkAccessPointID", address)))
            .with_attribute(("NetworkAccessPointTypeCode", "2"));
    }
    match &actor.role {
        None => element.write_empty().map(drop),
        Some(role) => element
            .write_inner_content(|writer| coded(writer, "RoleIDCode", (role, OWN, role)))
            .map(drop),
    }
}

/// What it was about: the patient, the visit, the thing, and the place in the log where the entry is and what it says
/// besides.
fn objects(
    writer: &mut Writer<Vec<u8>>,
    log: &str,
    position: u64,
    entry: Option<&Entry>,
) -> Written {
    let object =
        |writer: &mut Writer<Vec<u8>>, id: &str, [kind, role]: [&str; 2], code, details| {
            let attributes = [
                ("ParticipantObjectID", id),
                ("ParticipantObjectTypeCode", kind),
                ("ParticipantObjectTypeCodeRole", role),
            ];
            let element: ElementWriter<'_, _> = writer
                .create_element("ParticipantObjectIdentification")
                .with_attributes(attributes.map(legal));
            element
                .write_inner_content(|writer| {
                    coded(writer, "ParticipantObjectIDTypeCode", code)?;
                    named(writer, details)
                })
                .map(drop)
        };
    let nothing = &[];
    if let Some(resident) = entry.and_then(|entry| entry.resident.as_deref()) {
        let code = ("2", "RFC-3881", "Patient Number");
        object(writer, resident, ["1", "1"], code, nothing)?;
    }
    if let Some(visit) = entry.and_then(|entry| entry.visit.as_deref()) {
        let code = ("visit", OWN, "visit");
        object(writer, visit, ["2", "20"], code, nothing)?;
    }
    if let Some(thing) = entry.and_then(|entry| entry.object.as_ref()) {
        let code = (&*thing.kind, OWN, &*thing.kind);
        object(writer, &thing.id, ["2", "4"], code, nothing)?;
    }
    let mut details: Vec<(&str, String)> = Vec::new();
    if let Some(entry) = entry {
        details.push(("entry", entry.id.clone()));
        if let Some(institution) = &entry.actor.institution {
            details.push(("institution", institution.clone()));
        }
        if let Some(policy) = &entry.policy {
            details.push(("policy", policy.hash.clone()));
            details.push(("rule", policy.rule.clone()));
        }
        let more = entry.detail.iter().filter(|(name, _)| *name != "reason");
        details.extend(more.map(|(name, value)| (name.as_str(), value.clone())));
    }
    // 13: a security resource; 12: a URI.
    let place = format!("urn:healthcard:log:{log}:{position}");
    object(writer, &place, ["2", "13"], ("12", "RFC-3881", "URI"), &details)
}

/// Details, whose values are octets (base64).
fn named(writer: &mut Writer<Vec<u8>>, details: &[(&str, String)]) -> Written {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    // The schema wants a name or a query, and there is none to tell.
    writer.create_element("ParticipantObjectName").write_text_content(BytesText::new(""))?;
    for (name, value) in details {
        let attributes = [("type", *name), ("value", &STANDARD.encode(value))];
        let element = writer.create_element("ParticipantObjectDetail");
        element.with_attributes(attributes.map(legal)).write_empty()?;
    }
    Ok(())
}

/// An attribute of XML, which has no place for two characters that text may have (XML 1.0, 2.2). Entries have no control
/// characters.
fn legal<'a>((name, value): (&'a str, &'a str)) -> (&'a str, Cow<'a, str>) {
    let illegal = ['\u{fffe}', '\u{ffff}'];
    match value.contains(illegal) {
        true => (name, value.replace(illegal, "\u{fffd}").into()),
        false => (name, value.into()),
    }
}

#[cfg(test)]
mod tests {
    use audit::{Actor, Outcome};
    use proptest::prelude::*;
    use quick_xml::{Reader, events::Event};

    use super::*;

    const ID: &str = "01936b1e-7c00-7000-8000-000000000001";

    /// The names of the elements, if it is well-formed.
    fn elements(message: &str) -> Option<Vec<String>> {
        let mut reader = Reader::from_str(message.split_once(BOM)?.1);
        let mut names = Vec::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(element) | Event::Empty(element) => {
                    for attribute in element.attributes() {
                        attribute
                            .ok()?
                            .normalized_value(quick_xml::XmlVersion::Explicit1_0)
                            .ok()?;
                    }
                    names.push(element.name().as_ref().to_owned());
                }
                Event::Eof => return Some(names),
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_no_entry_is_passed_on_as_a_serious_event() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let message = of("log", 7, b"{", "DICOM+RFC3881", now);
        assert!(message.starts_with("<83>1 1970-01-01T00:00:00Z log healthcard - "), "{message}");
        assert!(message.contains(r#"EventOutcomeIndicator="12""#), "{message}");
        assert!(message.contains("urn:healthcard:log:log:7"), "{message}");
        assert!(elements(&message).is_some(), "{message}");
        assert!(of("日志", 7, b"{", "x", now).contains("Z - healthcard - x - "));
    }

    #[test]
    fn message_ids_are_what_rfc_5424_allows() {
        assert!(id("IHE+RFC-3881").is_ok() && id(&"x".repeat(32)).is_ok());
        for refused in ["", "a b", "日志", &"x".repeat(33)] {
            assert!(id(refused).is_err(), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn whatever_an_entry_says_is_well_formed(
            name in "[a-z-]{1,12}",
            value in "[^\\p{Cc}]{1,40}",
            outcome in prop::sample::select(vec![Outcome::Granted, Outcome::Refused, Outcome::Failed]),
        ) {
            let at = "2026-11-23T08:00:00.000000Z";
            let actor = Actor { identity: Some(value.clone()), ..Actor::default() };
            let mut entry = Entry::new(ID, at, "token.issue", outcome, actor).about(&value);
            entry.detail.insert(name, value);
            if let Ok(leaf) = entry.encode() {
                let message = of("log", 1, &leaf, "x", OffsetDateTime::UNIX_EPOCH);
                let names = elements(&message);
                prop_assert!(names.is_some_and(|it| it.len() > 5), "{}", message);
            }
        }
    }
}
