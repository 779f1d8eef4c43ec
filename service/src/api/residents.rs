//! `Residents`: residents on record, their other numbers, who cares for whom, and erasure.

mod bindings;
mod erasures;
mod guardians;

use std::vec::IntoIter;

use card::{EthnicGroup, Name, Phone, ResidentIdNumber};
use proto::v1::{self, residents_server::Residents};
use tokio_stream::Iter;
use tonic::{Request, Response, Status};

use super::{
    Desk, Reply,
    convert::{binding_end, id, page, parsed, receipt, sex_number, short_text, timestamp},
    emergencies::notice,
};
use crate::{
    catalogue::Needs,
    registrar::{
        AccessHistory, Bound, Error, HistoryActor, NewResident, Registered, ResidentRecord,
    },
    store::Receipt,
};

/// Bytes of a history in one message.
const PIECE: usize = 64 * 1024;
/// Most bytes of a remark of staff: grounds of a decision, why something ended.
const MOST_REMARK: usize = 512;

#[tonic::async_trait]
impl Residents for Desk {
    async fn register(
        &self,
        request: Request<v1::RegisterResidentRequest>,
    ) -> Reply<v1::RegisterResidentResponse> {
        let caller = self.caller(&request).await?;
        let mut message = request.into_inner();
        let decision = message.decision.take().map(bindings::decision).transpose()?;
        let order = order(&message)?;
        let answer = self.registrar.register_resident(&caller, order, decision).await?;
        let (registered, recorded) = answer;
        let (resident_id, stopped) = match registered {
            Registered::Resident(id) => (id.to_string(), false),
            Registered::Stopped => (String::new(), true),
        };
        let receipt = receipt(recorded);
        Ok(Response::new(v1::RegisterResidentResponse { resident_id, receipt, stopped }))
    }

    async fn get(&self, request: Request<v1::GetResidentRequest>) -> Reply<v1::Resident> {
        let caller = self.caller(&request).await?;
        let resident = id("resident_id", &request.get_ref().resident_id)?;
        let (record, recorded) = self.registrar.resident(&caller, resident).await?;
        self.shown(record, recorded).await
    }

    async fn find(&self, request: Request<v1::FindResidentRequest>) -> Reply<v1::Resident> {
        let caller = self.caller(&request).await?;
        let number = id_number(&request.get_ref().id_number)?;
        let (record, recorded) = self.registrar.find_resident(&caller, &number).await?;
        self.shown(record, recorded).await
    }

    async fn find_by_number(
        &self,
        request: Request<v1::FindByNumberRequest>,
    ) -> Reply<v1::Resident> {
        let caller = self.caller(&request).await?;
        let number = bindings::number_found(&caller, request.into_inner().number)?;
        let (record, recorded) = self.registrar.find_by_number(&caller, &number).await?;
        self.shown(record, recorded).await
    }

    async fn bind(&self, request: Request<v1::BindNumberRequest>) -> Reply<v1::BindNumberResponse> {
        let caller = self.caller(&request).await?;
        let mut message = request.into_inner();
        let decision = message.decision.take().map(bindings::decision).transpose()?;
        let order = bindings::order(&caller, message)?;
        let (bound, recorded) = self.registrar.bind_number(&caller, order, decision).await?;
        let (binding_id, stopped) = match bound {
            Bound::Binding(id) => (id.to_string(), false),
            Bound::Stopped => (String::new(), true),
        };
        let receipt = receipt(recorded);
        Ok(Response::new(v1::BindNumberResponse { binding_id, receipt, stopped }))
    }

    async fn unbind(&self, request: Request<v1::UnbindNumberRequest>) -> Reply<v1::Binding> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let binding = id("binding_id", &message.binding_id)?;
        let reason = binding_end(message.reason)?;
        let note = match message.note.is_empty() {
            true => None,
            false => Some(short_text("note", message.note, MOST_REMARK)?),
        };
        let (record, recorded) =
            self.registrar.unbind_number(&caller, binding, reason, note).await?;
        Ok(Response::new(bindings::message(record, Some(recorded))))
    }

    async fn bindings(&self, request: Request<v1::BindingsRequest>) -> Reply<v1::BindingsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let resident = id("resident_id", &asked.resident_id)?;
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let history = self.registrar.bindings(&caller, resident, after, size).await?;
        Ok(Response::new(bindings::history(history, size)))
    }

    async fn add_guardian(
        &self,
        request: Request<v1::AddGuardianRequest>,
    ) -> Reply<v1::Guardianship> {
        let caller = self.caller(&request).await?;
        let order = guardians::order(request.into_inner())?;
        let (record, recorded) = self.registrar.add_guardian(&caller, order).await?;
        Ok(Response::new(guardians::message(record, Some(recorded))))
    }

    async fn end_guardian(
        &self,
        request: Request<v1::EndGuardianRequest>,
    ) -> Reply<v1::Guardianship> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let guardianship = id("guardianship_id", &message.guardianship_id)?;
        let note = short_text("note", message.note, MOST_REMARK)?;
        let (record, recorded) = self.registrar.end_guardian(&caller, guardianship, &note).await?;
        Ok(Response::new(guardians::message(record, Some(recorded))))
    }

    async fn guardians(
        &self,
        request: Request<v1::GuardiansRequest>,
    ) -> Reply<v1::GuardiansResponse> {
        let caller = self.caller(&request).await?;
        let resident = id("resident_id", &request.get_ref().resident_id)?;
        let found = self.registrar.guardians(&caller, resident).await?;
        Ok(Response::new(guardians::both_ways(found)))
    }

    type HistoryStream = Iter<IntoIter<Result<v1::ResidentHistoryResponse, Status>>>;

    async fn history(
        &self,
        request: Request<v1::ResidentHistoryRequest>,
    ) -> Reply<Self::HistoryStream> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let resident = id("resident_id", &asked.resident_id)?;
        let presence = id("presence_id", &asked.presence_id)?;
        let AccessHistory { file, actors } =
            self.registrar.resident_history(&caller, resident, presence).await?;
        let actors = actors.into_iter().map(actor).collect();
        let first = v1::ResidentHistoryResponse { actors, chunk: Vec::new() };
        let pieces = file
            .chunks(PIECE)
            .map(|piece| v1::ResidentHistoryResponse { actors: Vec::new(), chunk: piece.to_vec() });
        let pieces: Vec<_> = std::iter::once(first).chain(pieces).map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(pieces)))
    }

    async fn order_erasure(
        &self,
        request: Request<v1::OrderErasureRequest>,
    ) -> Reply<v1::OrderErasureResponse> {
        let caller = self.caller(&request).await?;
        let order = erasures::order(request.into_inner())?;
        let (erasure, recorded) = self.registrar.order_erasure(&caller, order).await?;
        Ok(Response::new(v1::OrderErasureResponse {
            erasure: Some(erasures::message(erasure)),
            receipt: receipt(recorded),
        }))
    }

    async fn review_erasure(
        &self,
        request: Request<v1::ReviewErasureRequest>,
    ) -> Reply<v1::ReviewErasureResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let verdict = erasures::verdict(asked.verdict)?;
        let erasure = id("erasure_id", &asked.erasure_id)?;
        let reviewed = self.registrar.review_erasure(&caller, erasure, verdict).await?;
        Ok(Response::new(erasures::reviewed(reviewed)))
    }

    async fn erasures(&self, request: Request<v1::ErasuresRequest>) -> Reply<v1::ErasuresResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let found = self.registrar.erasures(&caller, after, size).await?;
        Ok(Response::new(erasures::list(found, size)))
    }
}

impl Desk {
    /// A resident's record, with what the resident is still to be told.
    async fn shown(&self, record: ResidentRecord, recorded: Receipt) -> Reply<v1::Resident> {
        let notices = self.registrar.notices(record.id).await?;
        let notices = notices.into_iter().map(notice).collect();
        Ok(Response::new(v1::Resident { notices, ..message(record, recorded) }))
    }
}

fn order(message: &v1::RegisterResidentRequest) -> Result<NewResident, Error> {
    let name: Name = parsed("name", &message.name, Needs::Name)?;
    let phone = match message.phone.as_str() {
        "" => None,
        text => Some(parsed::<Phone>("phone", text, Needs::Phone)?),
    };
    let ethnic_group = match message.ethnic_group {
        0 => None,
        code => Some(
            u8::try_from(code)
                .ok()
                .and_then(EthnicGroup::from_code)
                .ok_or(Error::Field { field: "ethnic_group", needs: Needs::EthnicGroup })?,
        ),
    };
    Ok(NewResident { name, id_number: id_number(&message.id_number)?, phone, ethnic_group })
}

fn id_number(text: &str) -> Result<ResidentIdNumber, Error> {
    parsed("id_number", text, Needs::IdNumber)
}

fn message(record: ResidentRecord, recorded: Receipt) -> v1::Resident {
    v1::Resident {
        resident_id: record.id.to_string(),
        sex: sex_number(record.sex().code()),
        birth_date: record.birth_date().to_string(),
        id_number: record.id_number.as_str().to_owned(),
        name: record.name,
        phone: record.phone,
        ethnic_group: record.ethnic_group.into(),
        registered_at: Some(timestamp(record.registered_at)),
        receipt: receipt(recorded),
        notices: Vec::new(),
    }
}

/// Somebody who acted, for the message.
fn actor(actor: HistoryActor) -> v1::HistoryActor {
    v1::HistoryActor {
        identity_id: actor.identity.to_string(),
        name: actor.name,
        institution_id: actor.institution.to_string(),
        institution: actor.institution_name,
    }
}
