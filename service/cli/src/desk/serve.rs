//! What software on this machine asks of a card, done at a seat. The service decides what is
//! permitted; here its messages become those of [`card::agent`].

use card::{
    CardError, FreeField, ReadError, TransportError,
    agent::{Answer, Change, Field, Order, Purpose, Refusal, Spelled, VisitId},
    data::{Value, write},
    layout::{self, Element, Place, ddf1::ef06},
    read_free_fields, tlv,
    write::VisitKind,
};
use proto::v1::{
    CardChanges, CardDump, CardField, CardFieldProblem, CardFile, CardFileState, CardReading,
    CardWritten, ItemChange, NewCardRecord, NewVisitRecord, VisitRecordKind, WholeCard,
};
use zeroize::Zeroizing;

use super::{
    reader::{Quarantine, Trouble},
    relay::{Outcome, Refused},
    seat::Seat,
};
use crate::{exit::Exit, failure::Failure, service::Service};

/// What came of a request.
pub(super) struct Served {
    pub(super) answer: Answer,
    /// Why the card is to be left alone from now on.
    pub(super) quarantine: Option<Quarantine>,
    /// The service was lost.
    pub(super) lost: Option<Failure>,
}

impl From<Answer> for Served {
    fn from(answer: Answer) -> Self {
        Self { answer, quarantine: None, lost: None }
    }
}

impl From<Refusal> for Served {
    fn from(why: Refusal) -> Self {
        Answer::Refused(why).into()
    }
}

impl From<Refused> for Served {
    fn from(refused: Refused) -> Self {
        let quarantine = refused.quarantine;
        Self { quarantine, ..refusal(&refused.failure.reason).into() }
    }
}

impl Served {
    fn aside(why: Refusal, quarantine: Quarantine) -> Self {
        Self { quarantine: Some(quarantine), ..why.into() }
    }
}

impl Seat {
    /// Does what is asked of the card that answered so to its reset.
    pub(super) async fn serve(&mut self, service: &Service, atr: Vec<u8>, order: Order) -> Served {
        let asked = match order {
            Order::Free => return self.serve_free(&atr).await,
            Order::Holder => self.serve_holder(service, atr).await,
            Order::File { visit, purpose, file } => {
                self.serve_file(service, atr, wanted(visit, purpose, file.to_string())).await
            }
            Order::Change { visit, change } => {
                self.serve_change(service, atr, changes(visit, change)).await
            }
        };
        asked.unwrap_or_else(|failure| match failure.exit {
            Exit::Unreachable => Served { lost: Some(failure), ..Served::from(Refusal::Away) },
            _ => refusal(&failure.reason).into(),
        })
    }

    async fn serve_free(&mut self, atr: &[u8]) -> Served {
        match self.free_fields(atr).await {
            Ok(Ok(fields)) => {
                let field = |FreeField { element, bytes }| Field {
                    item: element.item,
                    record: element.record(),
                    bytes,
                };
                Answer::Fields(fields.into_iter().map(field).collect()).into()
            }
            Ok(Err(ReadError::Removed { .. }))
            | Err(Trouble::Transport(TransportError::CardRemoved)) => Refusal::NoCard.into(),
            Ok(Err(ReadError::Refused { source: CardError::Endless, .. })) => {
                Served::aside(Refusal::CardFailed, Quarantine::Flooding)
            }
            Ok(Err(ReadError::Refused { .. } | ReadError::MalformedRecord(_))) => {
                Refusal::Failed.into()
            }
            Err(Trouble::Quarantine(why)) => Served::aside(Refusal::CardFailed, why),
            Ok(Err(_)) | Err(_) => Refusal::CardFailed.into(),
        }
    }

    /// What anyone may read of the card, as bytes.
    async fn free_fields(
        &mut self,
        atr: &[u8],
    ) -> Result<Result<Vec<FreeField>, ReadError>, Trouble> {
        self.reader.connect_to(atr).await?;
        let read = self.reader.ask(|place| {
            let read = place.card().map(|card| read_free_fields(card));
            place.release();
            read
        });
        Ok(read.await??)
    }

    async fn serve_holder(&mut self, service: &Service, atr: Vec<u8>) -> Result<Served, Failure> {
        let ended = self.read(service, atr).await?;
        let answer = match ended.outcome {
            Outcome::Reading(reading) => holder(&reading),
            Outcome::Refused(failure) => Answer::Refused(refusal(&failure.reason)),
        };
        Ok(Served { answer, quarantine: ended.quarantine, lost: None })
    }

    async fn serve_file(
        &mut self,
        service: &Service,
        atr: Vec<u8>,
        order: WholeCard,
    ) -> Result<Served, Failure> {
        let mut relay = self.stream(service).await?;
        let dump = relay.dump(&mut self.reader, self.sam.as_ref(), atr, order).await?;
        self.relay = Some(relay);
        Ok(dump.map_or_else(Served::from, |dump| file(dump).into()))
    }

    async fn serve_change(
        &mut self,
        service: &Service,
        atr: Vec<u8>,
        changes: CardChanges,
    ) -> Result<Served, Failure> {
        let mut relay = self.stream(service).await?;
        let written = relay.write(&mut self.reader, self.sam.as_ref(), atr, changes).await?;
        self.relay = Some(relay);
        Ok(written.map_or_else(Served::from, |written| changed(&written).into()))
    }
}

/// Which reason is which refusal. What the catalogue may have later is a no of the service's.
fn refusal(reason: &str) -> Refusal {
    match reason {
        "FIELD_INVALID" => Refusal::Request,
        "CARD_REMOVED" => Refusal::NoCard,
        "NOT_HEALTH_CARD" | "READER_GONE" | "CARD_TIMEOUT" | "CARD_GARBAGE" | "CARD_UNREADABLE"
        | "CARD_HUNG" | "CARD_FLOODING" | "CARD_BUSY" | "READERS_EXHAUSTED" => Refusal::CardFailed,
        "CARD_NOT_GENUINE" | "CARD_READ_REFUSED" | "CARD_WRITE_REFUSED" | "CARD_INCONSISTENT" => {
            Refusal::NotGenuine
        }
        "CARD_MALFORMED" | "CARD_WRITE_DIFFERS" => Refusal::Failed,
        "CARD_HAS_NO_PLACE" => Refusal::NoFile,
        "SAM_MISSING" | "SAM_UNAVAILABLE" | "SAM_PIN_NEEDED" | "SAM_UNREADABLE"
        | "KEY_UNAVAILABLE" | "UNAVAILABLE" | "OUTCOME_UNKNOWN" | "INTERNAL" | "RATE_LIMITED" => {
            Refusal::Away
        }
        _ => Refusal::NotPermitted,
    }
}

fn wanted(visit: VisitId, purpose: Purpose, file: String) -> WholeCard {
    let purpose = match purpose {
        Purpose::Treatment => proto::v1::Purpose::Treatment,
        Purpose::PatientRequest => proto::v1::Purpose::PatientRequest,
    };
    let purpose = purpose.into();
    WholeCard { purpose, visit_id: visit.to_string(), files: vec![file], raw: true }
}

fn changes(visit: Option<VisitId>, change: Change) -> CardChanges {
    let items = |spelled: Vec<Spelled>| {
        let items = spelled.into_iter().map(|Spelled { item, text }| ItemChange {
            item: item.into(),
            value: String::clone(&text),
        });
        items.collect()
    };
    let visit_id = visit.map(|visit| visit.to_string()).unwrap_or_default();
    let mut changes = CardChanges { visit_id, ..CardChanges::default() };
    match change {
        Change::Items(spelled) => changes.items = items(spelled),
        Change::Record { file, items: spelled } => {
            let record = NewCardRecord { file: file.to_string(), items: items(spelled) };
            changes.records = vec![record];
        }
        Change::Visit { kind, items: spelled } => {
            let kind = match kind {
                VisitKind::Inpatient => VisitRecordKind::Inpatient,
                VisitKind::Outpatient => VisitRecordKind::Outpatient,
            };
            changes.visits = vec![NewVisitRecord { kind: kind.into(), items: items(spelled) }];
        }
    }
    changes
}

/// The files that were written. One that is not of the table is none of ours to tell.
fn changed(written: &CardWritten) -> Answer {
    let files = written.records.iter().map(|record| record.file.parse());
    files.collect::<Result<_, _>>().map_or(Answer::Refused(Refusal::Failed), Answer::Changed)
}

/// The fields of the holder's file, as they stand on a card that says this.
fn holder(reading: &CardReading) -> Answer {
    let said: [(&Element, &str); 5] = [
        (&ef06::NAME, &reading.name),
        (&ef06::SEX, &reading.sex.to_string()),
        (&ef06::ETHNIC_GROUP, &format!("{:02}", reading.ethnic_group)),
        (&ef06::BIRTH_DATE, &reading.birth_date),
        (&ef06::ID_NUMBER, &reading.id_number),
    ];
    let fields = said.into_iter().map(|(element, text)| {
        // The service says 0 for a group that the card leaves open.
        let text = if element.item == ef06::ETHNIC_GROUP.item && text == "00" { "" } else { text };
        let value = Value::parse(element, text).ok()?;
        let bytes = Zeroizing::new(write(element, &value).ok()?);
        Some(Field { item: element.item, record: element.record(), bytes })
    });
    fields.collect::<Option<_>>().map_or(Answer::Refused(Refusal::Failed), Answer::Fields)
}

/// The one file that was asked for.
fn file(dump: CardDump) -> Answer {
    let refused = Answer::Refused;
    // Cards of this kind may not have it.
    let Some(file) = dump.files.into_iter().next() else { return refused(Refusal::NoFile) };
    match file.state() {
        CardFileState::Read => content(file).unwrap_or(refused(Refusal::Failed)),
        CardFileState::NotOnCard => refused(Refusal::NoFile),
        CardFileState::MarkedInvalid => refused(Refusal::MarkedInvalid),
        CardFileState::NotAllowed => refused(Refusal::NotGenuine),
        CardFileState::Failed | CardFileState::Unspecified => refused(Refusal::Failed),
    }
}

/// What it says; nothing when a record of it was withheld or is none.
fn content(file: CardFile) -> Option<Answer> {
    let known = layout::file(file.name.parse().ok()?)?;
    if known.name == layout::ddf1::ef07::FILE.name {
        return Some(Answer::Photo(Zeroizing::new(file.photo)));
    }
    let items = known.items(layout::Profile::Full);
    let said = file.fields.into_iter().filter(|it| it.problem() != CardFieldProblem::Missing);
    let fields = said.map(|said| {
        let item = items.iter().find(|item| u32::from(item.element.item) == said.item)?;
        field(&item.element, said)
    });
    fields.collect::<Option<_>>().map(Answer::Fields)
}

fn field(element: &Element, said: CardField) -> Option<Field> {
    use CardFieldProblem as Problem;
    let raw = Zeroizing::new(said.raw.clone());
    let bytes = match (said.problem(), element.place) {
        // A value that makes no sense is the reader's to show.
        (Problem::None | Problem::Value, Place::Offset(_)) => raw,
        (Problem::None | Problem::Value, Place::Record { .. }) => {
            Zeroizing::new(tlv::unwrap(element, &raw).ok()?.to_vec())
        }
        _ => return None,
    };
    let record = u8::try_from(said.record).ok()?;
    Some(Field { item: element.item, record, bytes })
}

#[cfg(test)]
mod tests;
