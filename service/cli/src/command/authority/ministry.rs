//! `healthcard authority export --form`, `query` and `form`: what a ministry's platform is told about certificates.

use std::path::{Path, PathBuf};

use audit::report::{MAX_RECORDS, Report, ReportLine};
use clap::{ArgGroup, Args};
use prost::Message as _;
use proto::v1::{
    AnswerCertificatesRequest, CertificateRecord, ReportCertificatesRequest,
    ReportCertificatesResponse, answer_certificates_request::By, certificate_record::Change,
    identities_client::IdentitiesClient,
};
use serde_json::json;

use crate::{
    clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    ministry::{
        Asked, Folder, Form, MAX_FORM, MAX_QUERY, Part, SHIPPED, answer, read_query, report,
    },
    page::Page,
    text::{self, problems},
};

/// Largest answer of the service, bytes.
const LARGEST: usize = 8 << 20;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("asked").required(true)))]
pub(crate) struct Query {
    /// 证书序列号，十六进制 | Serial number of the certificate, hexadecimal
    #[arg(long, value_name = "HEX", group = "asked")]
    serial: Option<String>,
    /// 证书扩展项中的标识，如实体唯一标识 | Identifier in an extension, such as the entity unique identifier
    #[arg(long, value_name = "TEXT", group = "asked")]
    identifier: Option<String>,
    /// 平台的查询报文（SOAP）；- 为标准输入 | The platform's question, a SOAP document; - is standard input
    #[arg(long, value_name = "FILE", group = "asked")]
    request: Option<PathBuf>,
    /// 报文格式（TOML）；缺省为内置格式 | Form of the documents, TOML; by default the shipped one
    #[arg(long, value_name = "FILE")]
    form: Option<PathBuf>,
    /// 保存应答报文的文件 | File to keep the answer in
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn form(path: Option<&Path>) -> Result<Form, Failure> {
    let text = match path {
        None => SHIPPED.to_owned(),
        Some(path) => {
            let octets = files::read(path, MAX_FORM)?;
            let malformed = |_| Failure::of(problems::INPUT_MALFORMED).about(path.display());
            str::from_utf8(&octets).map_err(malformed)?.to_owned()
        }
    };
    Form::parse(&text).map_err(|error| Failure::of(problems::FORM_MALFORMED).about(error))
}

/// Prints the shipped form, to be copied and corrected.
pub(super) fn print_form(context: &Context) -> Outcome {
    context.screen.raw(&json!({ "form": SHIPPED }), SHIPPED);
    Ok(Exit::Done)
}

/// Writes what changed since the last part in the directory.
pub(super) async fn export(
    context: &Context,
    out: &Path,
    form_file: Option<&Path>,
    since: Option<u64>,
) -> Outcome {
    let form = form(form_file)?;
    let mut folder = Folder::open(out)?;
    let mut since = match (folder.last(), since) {
        (None, since) => since.unwrap_or_default(),
        (Some(last), since) if since.is_none_or(|since| since == last.until) => last.until,
        (Some(_), _) => return Err(Failure::of(problems::REPORT_ELSEWHERE).about(out.display())),
    };
    let (mut certificates, mut blacklist, mut parts) = (0, 0, Vec::new());
    loop {
        let told = ask(context, since).await?;
        let (report, records) = checked(&told, since)?;
        since = report.until;
        if records.is_empty() {
            break;
        }
        let (issued, changed) = split(records);
        let part =
            Part { documents: documents(&form, &issued, &changed)?, manifest: told.manifest };
        parts.push(folder.add(report, &part)?.display().to_string());
        certificates += issued.len();
        blacklist += changed.len();
        if !told.more {
            break;
        }
    }
    let page = Page::titled(text::CERTIFICATES_TOLD)
        .row(text::CERTIFICATES, certificates as u64)
        .row(text::BLACKLISTED, blacklist as u64)
        .row(text::REPORT_UNTIL, since)
        .row(text::FOLDER, parts.join("\n"));
    let json = json!({
        "certificates": certificates, "blacklist": blacklist, "until": since, "parts": parts,
    });
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

async fn ask(context: &Context, since: u64) -> Result<ReportCertificatesResponse, Failure> {
    let request = ReportCertificatesRequest { since, page_size: MAX_RECORDS as u32 };
    context
        .service
        .ask(async |channel| {
            let client = IdentitiesClient::new(channel);
            client.max_decoding_message_size(LARGEST).report_certificates(request).await
        })
        .await
}

/// The records of a part, which have to be those that its manifest has, after this change.
fn checked(
    told: &ReportCertificatesResponse,
    since: u64,
) -> Result<(Report, Vec<CertificateRecord>), Failure> {
    let malformed = || Failure::of(problems::SERVICE_ANSWER_MALFORMED);
    let report = Report::read(&told.manifest).map_err(|_| malformed())?;
    let mut records = Vec::with_capacity(told.records.len());
    for (at, octets) in told.records.iter().enumerate() {
        let record = CertificateRecord::decode(octets.as_slice()).map_err(|_| malformed())?;
        let kind = match record.change() {
            Change::Issued => "issued",
            Change::Revoked => "revoked",
            Change::Suspended => "suspended",
            Change::Released => "released",
            Change::Unspecified => return Err(malformed()),
        };
        let line = ReportLine::new(record.number, kind, &record.serial, octets);
        if report.lines.get(at) != Some(&line) {
            return Err(malformed());
        }
        records.push(record);
    }
    let whole = report.since == since && report.lines.len() == records.len();
    if whole && (report.until > since || !told.more) {
        Ok((report, records))
    } else {
        Err(malformed())
    }
}

fn split(records: Vec<CertificateRecord>) -> (Vec<CertificateRecord>, Vec<CertificateRecord>) {
    records.into_iter().partition(|record| record.change() == Change::Issued)
}

fn documents(
    form: &Form,
    issued: &[CertificateRecord],
    changed: &[CertificateRecord],
) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
    let interfaces = [
        ("certificates.xml", &form.certificates, issued),
        ("blacklist.xml", &form.blacklist, changed),
    ];
    let told = interfaces.into_iter().filter(|(.., records)| !records.is_empty());
    let told = told.map(|(name, interface, records)| {
        let document = report(form, interface, records);
        let malformed = |_| Failure::of(problems::SERVICE_ANSWER_MALFORMED);
        document.map(|octets| (name, octets)).map_err(malformed)
    });
    told.collect()
}

/// Answers what a platform asks about a certificate, in its words.
pub(super) async fn query(context: &Context, order: Query) -> Outcome {
    let form = form(order.form.as_deref())?;
    let asked = match (order.serial, order.identifier, &order.request) {
        (Some(serial), ..) => Asked::Serial(serial),
        (None, Some(identifier), _) => Asked::Identifier(identifier),
        (None, None, file) => {
            let file = file.as_deref().unwrap_or(Path::new("-"));
            let octets = files::read(file, MAX_QUERY as u64)?;
            read_query(&octets, form.names())
                .map_err(|error| Failure::of(problems::QUERY_MALFORMED).about(error))?
        }
    };
    let by = match asked {
        Asked::Serial(serial) => By::Serial(serial),
        Asked::Identifier(identifier) => By::Identifier(identifier),
    };
    let request = AnswerCertificatesRequest { by: Some(by) };
    let told = context
        .service
        .ask(async |channel| {
            let client = IdentitiesClient::new(channel);
            client.max_decoding_message_size(LARGEST).answer_certificates(request.clone()).await
        })
        .await?;
    let malformed = |_| Failure::of(problems::SERVICE_ANSWER_MALFORMED);
    let document = answer(&form, &told.certificates, clock::now()).map_err(malformed)?;
    let document = String::from_utf8(document).expect("XML is written in UTF-8");
    match &order.out {
        Some(path) => {
            files::write(path, document.as_bytes(), Audience::Owner)?;
            let page = Page::titled(text::QUERY_ANSWERED)
                .row(text::CERTIFICATES, told.certificates.len() as u64)
                .row(text::FILE, path.display().to_string());
            let json = json!({
                "certificates": told.certificates.len(), "file": path.display().to_string(),
            });
            context.screen.show(&json, &page);
        }
        None => context.screen.raw(&json!({ "answer": document }), &document),
    }
    Ok(Exit::Done)
}
