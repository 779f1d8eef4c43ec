//! `KeyCentre`: encryption key pairs that are held for their owners.

use proto::v1::{self, key_centre_server::KeyCentre};
use tonic::{Request, Response};

use super::{Desk, Reply, convert::receipt};
use crate::{
    catalogue::Needs,
    registrar::{Error, MOST_MADE},
    store::KeyCounts,
};

#[tonic::async_trait]
impl KeyCentre for Desk {
    async fn counts(&self, request: Request<v1::KeyCountsRequest>) -> Reply<v1::KeyCounts> {
        let caller = self.caller(&request).await?;
        Ok(Response::new(message(self.registrar.key_counts(&caller).await?)))
    }

    async fn make(&self, request: Request<v1::MakeKeysRequest>) -> Reply<v1::MakeKeysResponse> {
        let caller = self.caller(&request).await?;
        let count = request.get_ref().count as usize;
        if !(1..=MOST_MADE).contains(&count) {
            return Err(Error::Field { field: "count", needs: Needs::KeyCount }.into());
        }
        let (counts, recorded) = self.registrar.make_spare_keys(&caller, count).await?;
        Ok(Response::new(v1::MakeKeysResponse {
            counts: Some(message(counts)),
            receipt: receipt(recorded),
        }))
    }
}

fn message(counts: KeyCounts) -> v1::KeyCounts {
    let KeyCounts { spare, in_use, history } = counts;
    v1::KeyCounts { spare, in_use, history }
}
