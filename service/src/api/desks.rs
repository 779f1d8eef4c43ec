//! `Desks`: how they go on without the service, and what happens at them.

use proto::v1::{self, desks_server::Desks};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    Desk, Reply,
    convert::{id, page, receipt, timestamp},
    events::{self, Happened, Kind},
};
use crate::{
    catalogue::Needs,
    registrar::{Contradiction, Error, Reconciled, TaskResult},
    store::{Task, TaskId},
};

/// Most readings of one call.
const MOST_READINGS: usize = 64;

#[tonic::async_trait]
impl Desks for Desk {
    async fn prepare(
        &self,
        request: Request<v1::PrepareDeskRequest>,
    ) -> Reply<v1::PrepareDeskResponse> {
        let caller = self.caller(&request).await?;
        let key = self.registrar.prepare_desk(&caller).await?;
        Ok(Response::new(v1::PrepareDeskResponse {
            sealing_key: key.as_sec1().to_vec(),
            identity_id: caller.holder.identity.to_string(),
        }))
    }

    async fn reconcile(
        &self,
        request: Request<v1::ReconcileRequest>,
    ) -> Reply<v1::ReconcileResponse> {
        let caller = self.caller(&request).await?;
        let readings = request.into_inner().readings;
        let fits = |reading: &Vec<u8>| reading.len() <= card::offline::MAX_SEALED;
        if readings.len() > MOST_READINGS || !readings.iter().all(fits) {
            return Err(Error::Field { field: "readings", needs: Needs::SealedReadings }.into());
        }
        let reconciled = self.registrar.reconcile(&caller, &readings).await?;
        for reading in reconciled.iter().filter(|reading| reading.receipt.is_some()) {
            let happened = Happened::at(&caller, "", Kind::Reconciled);
            self.events.publish(happened.reconciled(reading));
        }
        let readings = reconciled.into_iter().map(reconciled_message).collect();
        Ok(Response::new(v1::ReconcileResponse { readings }))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Reply<v1::ListTasksResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let tasks = self.registrar.tasks(&caller, asked.with_closed, after, size).await?;
        let full = tasks.len() == size as usize;
        let next = tasks.last().filter(|_| full).map(|task| task.id.to_string());
        Ok(Response::new(v1::ListTasksResponse {
            next_page_token: next.unwrap_or_default(),
            tasks: tasks.into_iter().map(message).collect(),
        }))
    }

    async fn close_task(&self, request: Request<v1::CloseTaskRequest>) -> Reply<v1::ClosedTask> {
        let caller = self.caller(&request).await?;
        let asked = request.get_ref();
        let task: TaskId = id("task_id", &asked.task_id)?;
        let result = result(asked.result())?;
        let (task, recorded) = self.registrar.close_task(&caller, task, result).await?;
        let task = Some(message(task));
        Ok(Response::new(v1::ClosedTask { task, receipt: receipt(recorded) }))
    }

    type EventsStream = ReceiverStream<Result<v1::CardEvent, Status>>;

    async fn events(&self, request: Request<v1::CardEventsRequest>) -> Reply<Self::EventsStream> {
        let caller = self.caller(&request).await?;
        self.registrar.watch_cards(&caller).await?;
        let stream = events::serve(self, &caller, &request)?;
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn contradiction(word: Contradiction) -> i32 {
    use v1::Contradiction as Said;
    match word {
        Contradiction::Unreadable => Said::Unreadable,
        Contradiction::UnknownCard => Said::UnknownCard,
        Contradiction::NotActive => Said::NotActive,
        Contradiction::Holder => Said::Holder,
        Contradiction::Factor => Said::Factor,
        Contradiction::Expired => Said::Expired,
        Contradiction::Time => Said::Time,
        Contradiction::OtherDesk => Said::OtherDesk,
        Contradiction::NotGenuine => Said::NotGenuine,
        Contradiction::Inconsistent => Said::Inconsistent,
    }
    .into()
}

fn result(said: v1::TaskResult) -> Result<TaskResult, Error> {
    use v1::TaskResult as Said;
    Ok(match said {
        Said::HolderVerified => TaskResult::HolderVerified,
        Said::RecordCorrected => TaskResult::RecordCorrected,
        Said::CardKept => TaskResult::CardKept,
        Said::Reported => TaskResult::Reported,
        Said::DeskRepaired => TaskResult::DeskRepaired,
        Said::Unspecified => {
            return Err(Error::Field { field: "result", needs: Needs::ListedValue });
        }
    })
}

fn result_number(word: &str) -> i32 {
    use v1::TaskResult as Said;
    match TaskResult::from_word(word) {
        Some(TaskResult::HolderVerified) => Said::HolderVerified,
        Some(TaskResult::RecordCorrected) => Said::RecordCorrected,
        Some(TaskResult::CardKept) => Said::CardKept,
        Some(TaskResult::Reported) => Said::Reported,
        Some(TaskResult::DeskRepaired) => Said::DeskRepaired,
        None => Said::Unspecified,
    }
    .into()
}

fn reconciled_message(reading: Reconciled) -> v1::Reconciled {
    v1::Reconciled {
        reading_id: reading.reading,
        recorded_now: reading.receipt.is_some(),
        contradictions: reading.contradictions.into_iter().map(contradiction).collect(),
        task_id: reading.task.map(String::from).unwrap_or_default(),
        receipt: reading.receipt.and_then(receipt),
    }
}

fn message(task: Task) -> v1::Task {
    let contradictions = Contradiction::list(&task.contradictions);
    let (closed_at, closed_by, result) = match task.closed {
        Some(closed) => {
            (Some(timestamp(closed.at)), closed.by.to_string(), result_number(&closed.result))
        }
        None => Default::default(),
    };
    v1::Task {
        task_id: task.id.to_string(),
        reading_id: task.reading,
        desk_id: task.desk.to_string(),
        card_id: task.card.map(String::from).unwrap_or_default(),
        resident_id: task.resident.map(String::from).unwrap_or_default(),
        chip_serial: task.chip_serial,
        contradictions: contradictions.into_iter().map(contradiction).collect(),
        read_at: Some(timestamp(task.read_at)),
        opened_at: Some(timestamp(task.opened_at)),
        closed_at,
        closed_by,
        result,
    }
}
