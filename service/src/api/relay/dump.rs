//! More of a card than who holds it, as messages.

use card::{
    certificate::CardCertificate,
    data::{Malformed, Value},
    layout::Profile,
    record_signature::BadRecordSignature,
    session::{Dump, Field, FileOutcome, FileReading},
};
use proto::v1;

use super::super::convert::{id, purpose, receipt, timestamp};
use crate::{
    catalogue::Needs,
    clock,
    registrar::{DumpOrder, Error},
    store::{CardId, Receipt, Visit},
};

/// Most files that are named: all that there are.
const MOST_FILES: usize = card::layout::FILES.len();

/// What is asked for.
///
/// # Errors
/// FIELD_INVALID.
pub(super) fn order(message: &v1::WholeCard) -> Result<DumpOrder, Error> {
    let wrong = Error::Field { field: "files", needs: Needs::CardFiles };
    if message.files.len() > MOST_FILES {
        return Err(wrong);
    }
    let files = message.files.iter().map(|name| name.parse());
    Ok(DumpOrder {
        purpose: purpose(message.purpose)?,
        visit: id("visit_id", &message.visit_id)?,
        files: files.collect::<Result<_, _>>().map_err(|_| wrong)?,
    })
}

/// What a card said.
pub(super) fn dumped(
    dump: &Dump,
    raw: bool,
    issuer: &CardCertificate,
    card_microseconds: u64,
    (card, visit, recorded): (CardId, Visit, Receipt),
) -> v1::CardDump {
    let profile = match dump.profile {
        Profile::Full => v1::CardProfile::Full,
        Profile::Reduced => v1::CardProfile::Reduced,
    };
    v1::CardDump {
        resident_id: visit.resident.to_string(),
        card_id: card.to_string(),
        visit_id: visit.id.to_string(),
        profile: profile.into(),
        files: dump.files.iter().map(|read| file(read, raw, issuer)).collect(),
        commands: dump.commands,
        card_microseconds,
        receipt: receipt(recorded),
    }
}

fn file(read: &FileReading, raw: bool, issuer: &CardCertificate) -> v1::CardFile {
    use v1::CardFileState as State;
    let (state, problem) = match read.outcome {
        FileOutcome::Read => (State::Read, String::new()),
        FileOutcome::NotOnCard => (State::NotOnCard, String::new()),
        FileOutcome::MarkedInvalid => (State::MarkedInvalid, String::new()),
        FileOutcome::NotAllowed => (State::NotAllowed, String::new()),
        FileOutcome::Failed(error) => (State::Failed, error.to_string()),
        FileOutcome::Damaged(why) => (State::Failed, why.to_string()),
    };
    v1::CardFile {
        name: read.file.name.to_string(),
        title_zh: read.file.zh.to_owned(),
        title_en: read.file.en.to_owned(),
        state: state.into(),
        read_at: Some(timestamp(read.read_at)),
        fields: read.fields.iter().map(|field| item(read, field, raw)).collect(),
        photo: read.photo.as_ref().map_or_else(Vec::new, |photo| photo.jpeg().to_vec()),
        problem,
        signature: signature(read, issuer).into(),
    }
}

fn signature(read: &FileReading, issuer: &CardCertificate) -> v1::RecordSignature {
    use v1::RecordSignature as Signature;
    if !read.is_visit() || !matches!(read.outcome, FileOutcome::Read) {
        return Signature::Unspecified;
    }
    match read.signature(issuer, clock::date_at_desk(read.read_at)) {
        None => Signature::None,
        Some(Ok(_)) => Signature::Good,
        Some(Err(BadRecordSignature::Wrong)) => Signature::Wrong,
        Some(Err(BadRecordSignature::NotTrusted(_))) => Signature::NotVouchedFor,
        // Malformations that come later are of certificates.
        Some(Err(_)) => Signature::Unreadable,
    }
}

fn item(read: &FileReading, field: &Field, raw: bool) -> v1::CardField {
    use v1::CardFieldProblem as Problem;
    let problem = match &field.value {
        Ok(_) => Problem::None,
        Err(Malformed::Record(_)) => Problem::Record,
        Err(Malformed::Missing) => Problem::Missing,
        Err(Malformed::Withheld(_)) => Problem::Withheld,
        // Malformations that come later are of values.
        Err(_) => Problem::Value,
    };
    let element = &field.item.element;
    let said = field.value.as_ref().ok();
    let (label_zh, label_en) = said.and_then(Value::labels).unwrap_or_default();
    v1::CardField {
        item: element.item.into(),
        name_zh: element.zh.to_owned(),
        name_en: element.en.to_owned(),
        repetition: field.item.repetition.unwrap_or(0).into(),
        file: read.file.name.to_string(),
        record: field.record.into(),
        read_at: Some(timestamp(read.read_at)),
        value: said.map(|value| String::clone(&value.to_text())).unwrap_or_default(),
        label_zh: label_zh.to_owned(),
        label_en: label_en.to_owned(),
        unknown_code: said.is_some_and(Value::is_unknown_code),
        problem: problem.into(),
        problem_detail: field.value.as_ref().err().map(ToString::to_string).unwrap_or_default(),
        raw: if raw { field.raw.to_vec() } else { Vec::new() },
    }
}
