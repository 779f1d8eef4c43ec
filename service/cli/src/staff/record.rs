//! What is on record of an institution, and what of a file goes with it.

use std::{collections::BTreeSet, ops::ControlFlow, path::Path};

use proto::v1::{
    Enrolment, FindIdentitiesRequest, ListEnrolmentsRequest, ListIdentitiesRequest,
    enrolments_client::EnrolmentsClient, find_identities_request::By,
    identities_client::IdentitiesClient,
};
use std::sync::Arc;

use super::{
    file::{BadRow, BadStaffFile, Column, Fault, MAX_FILE, MAX_ROWS, StaffFile, StaffRow},
    plan::{OnRecord, Plan},
    pool,
    requests::Requests,
};
use crate::{
    clock,
    context::Context,
    failure::{Both, Failure, RowFault},
    files,
    service::Service,
    text::problems,
};

/// Records a page.
const PAGE: u32 = 500;
/// Faults that are told; of the others only how many there are.
const MOST_TOLD: usize = 100;

/// Reads a staff file, all of it.
pub(crate) fn read(path: &Path) -> Result<StaffFile, Failure> {
    let bytes = files::read(path, MAX_FILE)?;
    StaffFile::read(&bytes).map_err(|bad| {
        let malformed = |what: String| Failure::of(problems::STAFF_FILE_MALFORMED).about(what);
        let failure = match bad {
            BadStaffFile::NotUtf8 => problems::STAFF_FILE_NOT_UTF8.into(),
            BadStaffFile::NoHead => malformed("1: ?".to_owned()),
            BadStaffFile::Column(at) => malformed(format!("1: {at}?")),
            BadStaffFile::ColumnMissing(name) => malformed(name.to_owned()),
            BadStaffFile::Empty => problems::STAFF_FILE_EMPTY.into(),
            BadStaffFile::TooManyRows => malformed(format!("> {MAX_ROWS}")),
            BadStaffFile::Rows(rows) => bad_rows(&rows),
        };
        failure.about(path.display())
    })
}

/// The requests that there are for people of the file.
pub(crate) fn requests(directory: Option<&Path>, file: &StaffFile) -> Result<Requests, Failure> {
    Requests::of_staff(directory, file)?.map_err(|bad| bad_rows(&bad))
}

/// Rows that keep all of it from being done.
fn bad_rows(bad: &[BadRow]) -> Failure {
    let told = bad.iter().take(MOST_TOLD).map(|row| {
        let (zh, en) = row.fault.words();
        let code = row.fault.code();
        RowFault { row: row.line, column: row.column, code, text: Both::new(zh, en) }
    });
    let failure = Failure::of(problems::STAFF_ROWS_BAD).at_rows(told.collect());
    match bad.len() {
        count if count > MOST_TOLD => failure.about(format_args!("{MOST_TOLD} / {count}")),
        _ => failure,
    }
}

/// Compares a file with the record. A mover with another name is looked for by ID number: a number that was handed
/// on to somebody new would hand on certificates with it.
pub(crate) async fn plan(
    context: &Context,
    institution: &str,
    file: &StaffFile,
    requests: &Requests,
) -> Result<Plan, Failure> {
    let record = on_record(context, institution).await?;
    let plan = Plan::of(file, &record, requests, clock::now()).map_err(|bad| bad_rows(&bad))?;
    let sought = plan.renamed().filter_map(|step| {
        Sought::of(step.row.as_ref()?, step.identity.as_ref()?.identity_id.clone())
    });
    let others = of_others(context, sought.collect()).await?;
    let other = |line| BadRow::of(line, Column::IdNumber, Fault::OtherPerson);
    let bad: Vec<_> = others.into_iter().map(other).collect();
    if bad.is_empty() { Ok(plan) } else { Err(bad_rows(&bad)) }
}

/// Whose ID number a row says somebody's is.
pub(super) struct Sought {
    line: u32,
    identity: String,
    by: By,
}

impl Sought {
    /// `None` when the row has no ID number.
    pub(super) fn of(row: &StaffRow, identity: String) -> Option<Self> {
        let by = By::IdNumber(row.id_number.as_ref()?.as_str().to_owned());
        Some(Self { line: row.line, identity, by })
    }
}

/// Lines of those whose ID number on record is another one, or is not there.
pub(super) async fn of_others(
    context: &Context,
    sought: Vec<Sought>,
) -> Result<BTreeSet<u32>, Failure> {
    let service = Arc::clone(&context.service);
    let find = async move |Sought { line, identity, by }: Sought| {
        let request = FindIdentitiesRequest { by: Some(by) };
        let ask = async |channel| IdentitiesClient::new(channel).find(request.clone()).await;
        let found = service.ask(ask).await?;
        Ok::<_, Failure>((line, found.identities.iter().any(|it| it.identity_id == identity)))
    };
    let (mut others, mut failed) = (BTreeSet::new(), None);
    pool::each(sought, find, |found| {
        match found {
            Ok((_, true)) => {}
            Ok((line, false)) => drop(others.insert(line)),
            Err(failure) => {
                failed = Some(failure);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })
    .await;
    failed.map_or(Ok(others), Err)
}

/// Everybody on record at an institution, and the enrolments that wait.
pub(crate) async fn on_record(context: &Context, institution: &str) -> Result<OnRecord, Failure> {
    let service: &Service = &context.service;
    // What waits is approved and then signed: in this order nothing is missed that goes on meanwhile.
    let mut record = OnRecord {
        waiting: enrolments(service, institution, false).await?,
        unsigned: enrolments(service, institution, true).await?,
        identities: Vec::new(),
    };
    let mut page_token = String::new();
    loop {
        let institution_id = institution.to_owned();
        let request = ListIdentitiesRequest { institution_id, page_size: PAGE, page_token };
        let ask = async |channel| IdentitiesClient::new(channel).list(request.clone()).await;
        let found = service.ask(ask).await?;
        record.identities.extend(found.identities);
        page_token = found.next_page_token;
        if page_token.is_empty() {
            return Ok(record);
        }
    }
}

/// Enrolments that wait for a review, or those that were approved and are not signed.
async fn enrolments(
    service: &Service,
    institution: &str,
    unsigned: bool,
) -> Result<Vec<Enrolment>, Failure> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListEnrolmentsRequest {
            rejected: false,
            page_size: PAGE,
            page_token,
            institution_id: institution.to_owned(),
            unsigned,
        };
        let ask = async |channel| EnrolmentsClient::new(channel).list(request.clone()).await;
        let found = service.ask(ask).await?;
        all.extend(found.enrolments);
        page_token = found.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}
