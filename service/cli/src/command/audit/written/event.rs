//! An entry as a FHIR R4 AuditEvent: what other systems collect and show.
//!
//! What FHIR has no code for is told in our own words, under `urn:healthcard:`.

use audit::{Entry, Outcome};
use serde_json::{Value, json};

/// Dictionaries of FHIR and DICOM.
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";

/// An entry of a Bundle.
pub(super) fn of(position: u64, entry: &Entry) -> Value {
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": entry.id,
        "type": kind(&entry.action),
        "subtype": subtypes(&entry.action),
        "action": verb(&entry.action),
        "recorded": entry.at,
        "outcome": outcome(entry.outcome),
        "agent": [agent(entry)],
        "source": {
            "observer": identified("urn:healthcard:log-position", &position.to_string()),
            "type": [{ "system": SOURCE_TYPE, "code": "4", "display": "Application Server" }],
        },
    });
    if let Some(reason) = entry.detail.get("reason") {
        event["outcomeDesc"] = reason.as_str().into();
    }
    if let Some(purpose) = &entry.purpose {
        event["purposeOfEvent"] = json!([{ "coding": [why(purpose)] }]);
    }
    let entities = entities(entry);
    if !entities.is_empty() {
        event["entity"] = entities.into();
    }
    json!({ "fullUrl": format!("urn:uuid:{}", entry.id), "resource": event })
}

fn coding(system: &str, code: &str) -> Value {
    json!({ "system": system, "code": code })
}

fn identified(system: &str, value: &str) -> Value {
    json!({ "identifier": { "system": system, "value": value } })
}

fn kind(action: &str) -> Value {
    match action.split_once('.') {
        Some(("session", _)) => {
            json!({ "system": DICOM, "code": "110114", "display": "User Authentication" })
        }
        Some(("audit", _)) => {
            json!({ "system": DICOM, "code": "110101", "display": "Audit Log Used" })
        }
        Some(("emergency", "begin")) => {
            json!({ "system": DICOM, "code": "110113", "display": "Security Alert" })
        }
        _ => json!({ "system": EVENT_TYPE, "code": "rest", "display": "RESTful Operation" }),
    }
}

fn subtypes(action: &str) -> Vec<Value> {
    let own = coding("urn:healthcard:action", action);
    match action {
        "emergency.begin" => {
            let begun = json!({
                "system": DICOM, "code": "110127", "display": "Emergency Override Started",
            });
            vec![begun, own]
        }
        _ => vec![own],
    }
}

/// How it ended: 0 well, 4 and 8 not.
pub(in crate::command::audit) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Granted => "0",
        Outcome::Refused => "4",
        Outcome::Failed => "8",
    }
}

/// C, R, U, D, or E for whatever is neither of them.
pub(in crate::command::audit) fn verb(action: &str) -> &'static str {
    match action.split_once('.').map_or("", |(_, verb)| verb) {
        "read" | "list" | "own" | "dump" | "explain" | "introspect" | "verify" | "status" => "R",
        "register" | "enter" | "add" | "issue" | "open" | "grant" | "make" | "begin" | "bind"
        | "create" | "sign" => "C",
        "change" | "qualify" | "renew" | "review" | "witness" | "account" => "U",
        "unbind" => "D",
        _ => "E",
    }
}

fn why(purpose: &str) -> Value {
    let code = match purpose {
        "treatment" => "TREAT",
        "emergency" => "ETREAT",
        "patient-request" => "PATRQT",
        "research" => "HRESCH",
        "payment" => "HPAYMT",
        "operations" => "HOPERAT",
        other => return coding("urn:healthcard:purpose", other),
    };
    coding(ACT_REASON, code)
}

/// Who acted. The one agent of an entry is who asked for it.
fn agent(entry: &Entry) -> Value {
    let actor = &entry.actor;
    let mut agent = json!({ "requestor": true });
    if let Some(identity) = &actor.identity {
        agent["who"] = identified("urn:healthcard:identity", identity);
    }
    if let Some(certificate) = &actor.certificate {
        agent["altId"] = certificate.as_str().into();
    }
    if let Some(role) = &actor.role {
        agent["role"] = json!([{ "coding": [coding("urn:healthcard:role", role)] }]);
    }
    if let Some(address) = &actor.address {
        // 2: an IP address.
        agent["network"] = json!({ "address": address, "type": "2" });
    }
    if let Some(policy) = &entry.policy {
        agent["policy"] = json!([format!("urn:healthcard:policy:{}:{}", policy.hash, policy.rule)]);
    }
    agent
}

fn entities(entry: &Entry) -> Vec<Value> {
    let mut entities = Vec::new();
    let entity = |what: Value, kind: (&str, &str), role: (&str, &str)| {
        json!({
            "what": what,
            "type": { "system": ENTITY_TYPE, "code": kind.0, "display": kind.1 },
            "role": { "system": OBJECT_ROLE, "code": role.0, "display": role.1 },
        })
    };
    if let Some(resident) = &entry.resident {
        let what = identified("urn:healthcard:resident", resident);
        entities.push(entity(what, ("1", "Person"), ("1", "Patient")));
    }
    if let Some(visit) = &entry.visit {
        let what = identified("urn:healthcard:visit", visit);
        entities.push(entity(what, ("2", "System Object"), ("20", "Job")));
    }
    let object = entry.object.as_ref().map(|object| {
        let what = identified(&format!("urn:healthcard:{}", object.kind), &object.id);
        entity(what, ("2", "System Object"), ("4", "Domain Resource"))
    });
    // What else it says belongs to the thing, or to the act itself.
    let details: Vec<_> = entry
        .detail
        .iter()
        .filter(|(name, _)| *name != "reason")
        .map(|(name, value)| json!({ "type": name, "valueString": value }))
        .collect();
    let object = match (object, details.is_empty()) {
        (object, true) => object,
        (object, false) => {
            let what = || identified("urn:healthcard:entry", &entry.id);
            let mut object = object.unwrap_or_else(|| {
                entity(what(), ("2", "System Object"), ("4", "Domain Resource"))
            });
            object["detail"] = details.into();
            Some(object)
        }
    };
    entities.extend(object);
    entities
}
