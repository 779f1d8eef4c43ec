//! `healthcard staff`: joiners, movers and leavers (入职、调岗、离职) from a staff file.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use proto::v1::{CertificateSet, RevocationReason};
use serde_json::{Value, json};

use super::{authority::known_issuers, enrolment::keep};
use crate::{
    clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    page::Page,
    show,
    staff::{
        apply,
        plan::{Kind, Plan},
        record,
        results::{self, Verdict},
        review,
        work::Worked,
    },
    text::{self, parser, problems},
};

#[derive(Debug, Subcommand)]
pub(crate) enum StaffCommand {
    /// 比较人员名册与登记，列出变动；不做任何变更 | Compare a staff file with the record and list what would change; changes nothing
    Plan(Source),
    /// 按人员名册登记入职、变更调岗、终止离职，并录入证书申请；中断后以同一命令继续 | Put joiners on record, change movers, end what leavers have, and enter certificate requests; after an interruption the same command goes on
    Apply(Apply),
    /// 复核与本人所持人员名册一致的证书申请；不带 --approve 时只列出 | Review enrolments that agree with the own copy of the staff file; without --approve only list them
    Review(Review),
}

#[derive(Debug, Args)]
pub(crate) struct Source {
    /// 人员名册（CSV，UTF-8），首行为列名：工号、姓名、角色，可有科室、公民身份号码、执业资格到期日 | Staff file (CSV, UTF-8) whose first line names the columns: number, name, role, and possibly department, id_number, qualified_until
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// 机构编号 | Number of the institution
    #[arg(long, value_name = "INSTITUTION")]
    institution: String,
    /// 证书申请所在目录，文件名为“工号.der” | Directory of certificate requests, named NUMBER.der
    #[arg(long, value_name = "DIR")]
    requests: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    source: Source,
    /// 签发证书对：签名证书，以及密钥管理中心密钥的加密证书 | Issue pairs: for signing, and for an encryption key of the key management centre
    #[arg(long)]
    pair: bool,
    /// 离职人数，须与 plan 所列相同 | How many leave: exactly as many as `plan` listed
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    leavers: usize,
    /// 离职者证书的吊销原因 | Why certificates of leavers are revoked
    #[arg(long, value_name = "REASON", default_value = "cessation-of-operation",
        value_parser = parser::<RevocationReason>())]
    reason: RevocationReason,
    /// 保存逐人结果的文件（CSV） | File for the verdict of each person (CSV)
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Review {
    #[command(flatten)]
    source: Source,
    /// 通过所列的申请，须为其数目；须有本人从持有人处取得的 --requests | Approve those that are listed: how many they are. Takes --requests, as you have them from their holders
    #[arg(long, value_name = "COUNT", requires = "requests")]
    approve: Option<usize>,
    /// 存放所签发证书的目录，每人一个以工号命名的子目录 | Directory for what is issued, with one for each person, named after the number
    #[arg(long, value_name = "DIR", requires = "approve")]
    out: Option<PathBuf>,
    /// 保存逐人结果的文件（CSV） | File for the verdict of each person (CSV)
    #[arg(long, value_name = "FILE", requires = "approve")]
    results: Option<PathBuf>,
    /// 签发机构证书（issuers.pem）；缺省取自服务 | Certificates of the authorities (issuers.pem); by default as the service gives them
    #[arg(long, value_name = "ISSUERS")]
    issuers: Option<PathBuf>,
}

impl StaffCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Plan(source) => {
                let plan = planned(context, &source).await?;
                let now = clock::now();
                context.screen.show(&show::plan_json(&plan, now), &show::plan(&plan, now));
                Ok(Exit::Done)
            }
            Self::Apply(order) => apply(context, order).await,
            Self::Review(order) => review(context, order).await,
        }
    }
}

async fn planned(context: &Context, source: &Source) -> Result<Plan, Failure> {
    let file = record::read(&source.file)?;
    let requests = record::requests(source.requests.as_deref(), &file)?;
    record::plan(context, &source.institution, &file, &requests).await
}

async fn apply(context: &Context, order: Apply) -> Outcome {
    let plan = planned(context, &order.source).await?;
    // A file that was cut off makes leavers of those who are missing.
    if plan.count(Kind::Leaver) != order.leavers {
        return Err(problems::STAFF_LEAVERS_DIFFER.into());
    }
    let counts = [
        (text::STAFF_JOINERS, "joiners", plan.count(Kind::Joiner)),
        (text::STAFF_MOVERS, "movers", plan.count(Kind::Mover)),
        (text::STAFF_LEAVERS, "leavers", plan.count(Kind::Leaver)),
        (text::STAFF_UNCHANGED, "unchanged", plan.count(Kind::Unchanged)),
        (text::STAFF_ENROLMENTS, "enrolments", plan.enrolments()),
        (text::STAFF_UNSIGNED, "unsigned", plan.unsigned()),
    ];
    let certificates = match order.pair {
        true => CertificateSet::Pair,
        false => CertificateSet::Signing,
    };
    let institution = order.source.institution;
    let how = apply::Order { institution, certificates, reason: order.reason };
    let worked = apply::run(context, plan, how).await?;
    let mut page = Page::titled(text::STAFF_APPLIED);
    let mut answer = json!({});
    for (label, field, count) in counts {
        page = page.row(label, count.to_string());
        answer[field] = json!(count);
    }
    ended(context, worked, order.results.as_deref(), (answer, page))
}

async fn review(context: &Context, order: Review) -> Outcome {
    let Source { file, institution, requests } = &order.source;
    let file = record::read(file)?;
    let at_hand = match requests {
        Some(directory) => Some(record::requests(Some(directory), &file)?),
        None => None,
    };
    let issuers = known_issuers(context, order.issuers.as_deref()).await?;
    let on_record = record::on_record(context, institution).await?;
    let waiting = review::compare(context, on_record, &file, at_hand.as_ref(), &issuers).await?;
    let answer = show::waiting_json(&waiting);
    match order.approve {
        None => {
            let page = show::waiting(text::STAFF_REVIEW, &waiting);
            context.screen.show(&answer, &page);
            return Ok(Exit::Done);
        }
        Some(count) if count != waiting.approvable.len() => {
            return Err(problems::STAFF_APPROVALS_DIFFER.into());
        }
        Some(_) => {}
    }
    let kept = |issued: &_, stated: &_, out: &Path| {
        keep(issued, Some(stated), Some(out), Page::default(), &mut Value::Null).map(drop)
    };
    let left: Vec<Verdict> = waiting.left.iter().map(left_verdict).collect();
    let page = show::left(Page::default(), &waiting.left);
    let mut worked =
        review::approve(context, waiting.approvable, order.out.as_deref(), kept).await?;
    worked.verdicts.extend(left);
    let page = Page::titled(text::STAFF_REVIEWED).below(page);
    ended(context, worked, order.results.as_deref(), (answer, page))
}

/// Whom an enrolment that is left to wait is about, and why.
fn left_verdict(
    (enrolment, number, why): &(proto::v1::Enrolment, String, review::Left),
) -> Verdict {
    Verdict {
        line: None,
        number: number.clone(),
        kind: "enrolment",
        verdict: "left",
        reason: why.word().to_owned(),
        identity_id: enrolment.identity_id.clone(),
        enrolment_id: enrolment.enrolment_id.clone(),
    }
}

/// Tells what came of it. However it ended, what is known is worth keeping.
fn ended(
    context: &Context,
    worked: Worked,
    results: Option<&Path>,
    (mut answer, mut page): (Value, Page),
) -> Outcome {
    let counts = [
        (text::STAFF_DONE, "done"),
        (text::STAFF_REFUSED, "refused"),
        (text::STAFF_NOT_DONE, "not-done"),
    ];
    for (label, verdict) in counts {
        let count = worked.count(verdict);
        page = page.row(label, count.to_string());
        answer[verdict.replace('-', "_")] = json!(count);
    }
    let refused = worked.count("refused");
    if let Some(path) = results {
        results::write(path, worked.verdicts)?;
        page = page.row(text::STAFF_RESULTS, path.display().to_string());
        answer["results"] = json!(path.display().to_string());
    }
    if let Some(failure) = worked.stopped {
        context.screen.hint(text::STAFF_STOPPED);
        return Err(failure);
    }
    context.screen.show(&answer, &page);
    Ok(if refused == 0 { Exit::Done } else { Exit::Refused })
}
