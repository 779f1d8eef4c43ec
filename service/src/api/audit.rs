//! `Audit`: the tamper-evident log, for auditors.

use proto::v1::{self, audit_server::Audit};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    Desk, Reply,
    convert::{id, moment, page},
};
use crate::{
    catalogue::Needs,
    clock,
    config::is_service_name,
    policy::Act,
    registrar::{Error, Growth, Proof},
    store::{IdentityId, LogEntry, ResidentId, SearchFilter, VisitId},
};

#[tonic::async_trait]
impl Audit for Desk {
    async fn search(
        &self,
        request: Request<v1::SearchAuditRequest>,
    ) -> Reply<v1::SearchAuditResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (after, size) = page(asked.page_size, 50, &asked.page_token)?;
        let filter = filter(asked)?;
        let (entries, next) = self.registrar.search_log(&caller, filter, after, size).await?;
        Ok(Response::new(v1::SearchAuditResponse {
            entries: entries.into_iter().map(message).collect(),
            next_page_token: next.map(|cursor| cursor.to_string()).unwrap_or_default(),
        }))
    }

    async fn get(&self, request: Request<v1::GetAuditEntryRequest>) -> Reply<v1::AuditEntry> {
        let caller = self.caller(&request).await?;
        let position = request.get_ref().position;
        Ok(Response::new(message(self.registrar.log_entry(&caller, position).await?)))
    }

    async fn prove(
        &self,
        request: Request<v1::ProveAuditEntryRequest>,
    ) -> Reply<v1::ProveAuditEntryResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let (position, size) = (asked.position, asked.tree_size);
        let Proof { tree_size, entry, path, checkpoint } =
            self.registrar.prove_entry(&caller, position, size).await?;
        Ok(Response::new(v1::ProveAuditEntryResponse {
            position,
            tree_size,
            entry,
            path: path.iter().map(|hash| hash.to_vec()).collect(),
            checkpoint: checkpoint.unwrap_or_default(),
        }))
    }

    async fn consistency(
        &self,
        request: Request<v1::ConsistencyRequest>,
    ) -> Reply<v1::ConsistencyResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let (first_size, second_size) = (asked.first_size, asked.second_size);
        let Proof { tree_size, path, checkpoint, .. } =
            self.registrar.prove_consistency(&caller, first_size, second_size).await?;
        Ok(Response::new(v1::ConsistencyResponse {
            first_size,
            second_size: tree_size,
            path: path.iter().map(|hash| hash.to_vec()).collect(),
            checkpoint: checkpoint.unwrap_or_default(),
        }))
    }

    async fn checkpoint(
        &self,
        _request: Request<v1::CheckpointRequest>,
    ) -> Reply<v1::CheckpointResponse> {
        let (checkpoint, verifier_key) = self.registrar.checkpoint();
        // Whoever checks the log is not kept from that by what others said of it.
        let cosigned = self.registrar.cosigned_checkpoint().await.unwrap_or_else(|error| {
            let cause = crate::telemetry::chain(&error);
            tracing::error!(cause, "reading what witnesses signed");
            None
        });
        let cosigned = cosigned.unwrap_or_default();
        Ok(Response::new(v1::CheckpointResponse { checkpoint, verifier_key, cosigned }))
    }

    async fn growth(&self, request: Request<v1::GrowthRequest>) -> Reply<v1::GrowthResponse> {
        self.admit_stranger(&request)?;
        let Growth { checkpoint, path } =
            self.registrar.growth(&request.get_ref().held, clock::now()).await?;
        let path = path.iter().map(|hash| hash.to_vec()).collect();
        Ok(Response::new(v1::GrowthResponse { checkpoint, path }))
    }

    async fn cosign(&self, request: Request<v1::CosignRequest>) -> Reply<v1::CosignResponse> {
        self.admit_stranger(&request)?;
        let v1::CosignRequest { checkpoint, cosignature } = request.get_ref();
        self.registrar.take_cosignature(checkpoint, cosignature, clock::now()).await?;
        Ok(Response::new(v1::CosignResponse {}))
    }

    type ExportStream = ReceiverStream<Result<v1::ExportAuditResponse, Status>>;

    async fn export(&self, request: Request<v1::ExportAuditRequest>) -> Reply<Self::ExportStream> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let mut chunks = self.registrar.export_log(&caller, asked.from, asked.until).await?;
        let (answers, stream) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(chunk) = chunks.recv().await {
                let answer = chunk
                    .map(|chunk| v1::ExportAuditResponse { chunk })
                    .map_err(|error| Error::Store(error).into());
                if answers.send(answer).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn filter(asked: v1::SearchAuditRequest) -> Result<SearchFilter, Error> {
    let outcome = match asked.outcome.as_str() {
        "" => None,
        "granted" => Some(audit::Outcome::Granted),
        "refused" => Some(audit::Outcome::Refused),
        "failed" => Some(audit::Outcome::Failed),
        _ => return Err(Error::Field { field: "outcome", needs: Needs::Outcome }),
    };
    Ok(SearchFilter {
        resident: given(asked.resident_id, |text| id::<ResidentId>("resident_id", text))?,
        actor: given(asked.actor_id, |text| {
            let known = text.parse::<IdentityId>().is_ok() || is_service_name(text);
            known.then_some(()).ok_or(Error::Field { field: "actor_id", needs: Needs::Actor })
        })?,
        action: given(asked.action, |text| {
            Act::from_word(text).ok_or(Error::Field { field: "action", needs: Needs::Action })
        })?,
        visit: given(asked.visit_id, |text| id::<VisitId>("visit_id", text))?,
        outcome,
        from: moment("from", asked.from)?,
        until: moment("until", asked.until)?,
        alerts: asked.alerts,
    })
}

/// A condition that was given, if it can match anything. What a search asked for stands in the log,
/// so nothing but identifiers and words of ours gets there.
fn given<T>(
    text: String,
    check: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    check(&text)?;
    Ok(Some(text))
}

pub(super) fn message(entry: LogEntry) -> v1::AuditEntry {
    v1::AuditEntry { position: entry.position, entry: entry.entry }
}
