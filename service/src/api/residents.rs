//! `Residents`: residents on record.

use card::{EthnicGroup, Name, Phone, ResidentIdNumber};
use proto::v1::{self, residents_server::Residents};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{id, parsed, receipt, sex_number, timestamp},
};
use crate::{
    catalogue::Needs,
    registrar::{Error, NewResident, ResidentRecord},
    store::Receipt,
};

#[tonic::async_trait]
impl Residents for Desk {
    async fn register(
        &self,
        request: Request<v1::RegisterResidentRequest>,
    ) -> Reply<v1::RegisterResidentResponse> {
        let caller = self.caller(&request).await?;
        let order = order(&request.into_inner())?;
        let (resident, recorded) = self.registrar.register_resident(&caller, order).await?;
        Ok(Response::new(v1::RegisterResidentResponse {
            resident_id: resident.to_string(),
            receipt: receipt(recorded),
        }))
    }

    async fn get(&self, request: Request<v1::GetResidentRequest>) -> Reply<v1::Resident> {
        let caller = self.caller(&request).await?;
        let resident = id("resident_id", &request.get_ref().resident_id)?;
        let (record, recorded) = self.registrar.resident(&caller, resident).await?;
        Ok(Response::new(message(record, recorded)))
    }

    async fn find(&self, request: Request<v1::FindResidentRequest>) -> Reply<v1::Resident> {
        let caller = self.caller(&request).await?;
        let number = id_number(&request.get_ref().id_number)?;
        let (record, recorded) = self.registrar.find_resident(&caller, &number).await?;
        Ok(Response::new(message(record, recorded)))
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
    }
}
