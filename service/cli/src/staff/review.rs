//! What one operator entered for many, reviewed by another who has a copy of the staff file: approved is what agrees
//! with it, and everything else is left to wait.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use audit::approval::Statement;
use proto::v1::{
    Enrolment, GetEnrolmentRequest, Identity, IssuedCertificates, ReviewEnrolmentRequest,
    enrolments_client::EnrolmentsClient, get_enrolment_request::Key,
};
use sm3::{Digest as _, Sm3};
use x509_cert::Certificate as Issuer;

use super::{
    file::{StaffFile, StaffRow},
    plan::OnRecord,
    record::{self, Sought},
    requests::Requests,
    results::Verdict,
    work::{self, Told, Worked},
};
use crate::{
    approval, clock,
    context::Context,
    failure::Failure,
    identity::ClientKey,
    service::Service,
    text::{Text, name_of, problems},
};

/// Enrolments that wait, told apart.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Those that agree with the file.
    pub(crate) approvable: Vec<Approvable>,
    /// Those that do not, and why.
    pub(crate) left: Vec<(Enrolment, String, Left)>,
}

/// An enrolment that agrees with a row of the file.
#[derive(Debug)]
pub(crate) struct Approvable {
    pub(crate) enrolment: Enrolment,
    /// What was signed when it was entered.
    pub(crate) stated: Statement,
    pub(crate) row: StaffRow,
}

macro_rules! left {
    ($($(#[$doc:meta])* $name:ident $word:literal $zh:literal $en:literal;)+) => {
        /// Why an enrolment is left to wait.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Left {
            $($(#[$doc])* $name,)+
        }

        impl Left {
            /// Stable name for programs.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            pub(crate) fn text(self) -> Text {
                match self { $(Self::$name => Text::new($zh, $en),)+ }
            }
        }
    };
}

left! {
    /// The identity is not of this institution, or not known.
    Unknown "unknown" "不是本机构在册人员" "is not on record at this institution";
    /// No row has the number.
    NotInFile "not-in-file" "不在人员名册中" "is not in the staff file";
    /// The name on record is not that of the row.
    Name "name" "姓名与名册不同" "has another name in the staff file";
    /// The role on record, or the one that was stated, is not that of the row.
    Role "role" "角色与名册不同" "has another role in the staff file";
    /// The department on record is not that of the row.
    Department "department" "科室与名册不同" "has another department in the staff file";
    /// The ID number on record is not that of the row.
    OtherPerson "other-person" "登记的公民身份号码与名册不同，或未登记" "has another ID number on record than in the staff file, or none";
    /// What the certificate would say of its holder is not what was stated.
    Identifiers "identifiers" "证书将写入的标识与录入时签名的不同" "would say something else about its holder than what was signed";
    /// The reviewer entered it.
    Own "own" "由本人录入" "was entered by you";
    /// Several wait for the same person.
    Several "several" "此人有多份申请待复核" "has several enrolments that wait";
    /// The statement of who entered it does not hold.
    NotGenuine "not-genuine" "录入的签名或内容不符，可能被改动" "is not what was signed when it was entered: it may have been altered";
    /// The reviewer's copy of the request is another, or there is none.
    Request "request" "与手中的证书申请文件不同" "is not for the certificate request that is at hand";
}

/// Compares what waits with the file, and with the requests where there are some.
pub(crate) async fn compare(
    context: &Context,
    record: OnRecord,
    file: &StaffFile,
    requests: Option<&Requests>,
    issuers: &[Issuer],
) -> Result<Waiting, Failure> {
    let own = context.service.home().certificate()?;
    let service = own.issuing_service().ok_or(problems::CERTIFICATE_MALFORMED)?;
    let me = approval::part(&own, "CN=").ok_or(problems::CERTIFICATE_MALFORMED)?;
    let people: BTreeMap<&str, &Identity> =
        record.identities.iter().map(|it| (it.identity_id.as_str(), it)).collect();
    let rows: BTreeMap<&str, &StaffRow> =
        file.rows.iter().map(|row| (row.number.as_str(), row)).collect();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for it in &record.waiting {
        *count.entry(it.identity_id.clone()).or_default() += 1;
    }
    let mut signers = Signers { service: &context.service, certificates: BTreeMap::new() };
    let mut waiting = Waiting::default();
    for enrolment in record.waiting {
        let identity = people.get(enrolment.identity_id.as_str()).copied();
        let several = count.get(&enrolment.identity_id).is_some_and(|count| *count > 1);
        let number = identity.map(|it| it.number.clone()).unwrap_or_default();
        let row = match agrees(&enrolment, identity, &rows, &me) {
            Ok(_) if several => Err(Left::Several),
            row => row,
        };
        let checked = match row {
            Err(left) => Err(left),
            Ok(row) => {
                signers.checked(&enrolment, &service, issuers).await?.and_then(|(full, stated)| {
                    let at_hand = |all: &Requests| {
                        let digest =
                            all.of(&row.number).map(|it| <[u8; 32]>::from(Sm3::digest(it)));
                        digest == Some(stated.request)
                    };
                    if stated.role != row.role.word() {
                        return Err(Left::Role);
                    }
                    let said = identity.and_then(|it| approval::told(&it.identifiers).ok());
                    if stated.identifiers.is_some() && stated.identifiers != said {
                        return Err(Left::Identifiers);
                    }
                    if !requests.is_none_or(at_hand) {
                        return Err(Left::Request);
                    }
                    Ok(Approvable { enrolment: full, stated, row: row.clone() })
                })
            }
        };
        match checked {
            Ok(approvable) => waiting.approvable.push(approvable),
            Err(left) => waiting.left.push((enrolment, number, left)),
        }
    }
    // A name and a number are soon those of somebody else.
    let sought = waiting
        .approvable
        .iter()
        .filter_map(|it| Sought::of(&it.row, it.enrolment.identity_id.clone()));
    let others = record::of_others(context, sought.collect()).await?;
    let (others, mut approvable): (Vec<_>, Vec<_>) =
        waiting.approvable.into_iter().partition(|it| others.contains(&it.row.line));
    let other = |it: Approvable| (it.enrolment, it.row.number, Left::OtherPerson);
    waiting.left.extend(others.into_iter().map(other));
    approvable.sort_by_key(|it| it.row.line);
    waiting.approvable = approvable;
    Ok(waiting)
}

/// The row that the identity of an enrolment agrees with.
fn agrees<'a>(
    enrolment: &Enrolment,
    identity: Option<&Identity>,
    rows: &BTreeMap<&str, &'a StaffRow>,
    me: &str,
) -> Result<&'a StaffRow, Left> {
    let identity = identity.ok_or(Left::Unknown)?;
    let row = *rows.get(identity.number.as_str()).ok_or(Left::NotInFile)?;
    let checks = [
        (name_of::<proto::v1::Role>(identity.role) == Some(row.role.word()), Left::Role),
        (identity.name == row.name, Left::Name),
        (identity.department == row.department, Left::Department),
        (enrolment.entry.as_ref().is_some_and(|it| it.identity_id != me), Left::Own),
    ];
    match checks.into_iter().find(|(good, _)| !good) {
        Some((_, left)) => Err(left),
        None => Ok(row),
    }
}

/// Certificates of those who entered, each fetched once.
struct Signers<'a> {
    service: &'a Service,
    certificates: BTreeMap<String, Vec<u8>>,
}

impl Signers<'_> {
    /// The enrolment with the certificate of who entered it, and what they stated, when that holds.
    async fn checked(
        &mut self,
        listed: &Enrolment,
        service: &str,
        issuers: &[Issuer],
    ) -> Result<Result<(Enrolment, Statement), Left>, Failure> {
        let by = listed.entry.as_ref().map(|it| it.identity_id.clone()).unwrap_or_default();
        if let Some(certificate) = self.certificates.get(&by) {
            let mut enrolment = listed.clone();
            enrolment.entry.get_or_insert_default().certificate = certificate.clone();
            if let Ok(approvals) = approval::approvals(&enrolment, service, issuers) {
                return Ok(Ok((enrolment, approvals.entry)));
            }
        }
        // Not seen yet, or signed with another certificate of theirs.
        let key = Some(Key::EnrolmentId(listed.enrolment_id.clone()));
        let request = GetEnrolmentRequest { key };
        let ask = async |channel| EnrolmentsClient::new(channel).get(request.clone()).await;
        let enrolment = self.service.ask(ask).await?;
        let Ok(approvals) = approval::approvals(&enrolment, service, issuers) else {
            return Ok(Err(Left::NotGenuine));
        };
        let certificate = enrolment.entry.as_ref().map(|it| it.certificate.clone());
        self.certificates.insert(by, certificate.unwrap_or_default());
        Ok(Ok((enrolment, approvals.entry)))
    }
}

/// Approves them, and keeps what is issued.
pub(crate) async fn approve(
    context: &Context,
    approvable: Vec<Approvable>,
    out: Option<&Path>,
    keep: impl Fn(&IssuedCertificates, &Statement, &Path) -> Result<(), Failure> + 'static,
) -> Result<Worked, Failure> {
    let (key, _) = context.service.home().credentials()?;
    let hand = Hand { service: Arc::clone(&context.service), key };
    let out: Option<PathBuf> = out.map(Path::to_owned);
    let mut told = Told::new(context.screen, approvable.len());
    let work = async move |it: Approvable| {
        let attempt = async {
            let issued = hand.review(&it).await?;
            match &out {
                Some(out) => keep(&issued, &it.stated, &out.join(&it.row.number)),
                None => Ok(()),
            }
        };
        let attempt = attempt.await;
        (verdict(&it), attempt)
    };
    Ok(work::run(&mut told, approvable, verdict, work).await)
}

struct Hand {
    service: Arc<Service>,
    key: ClientKey,
}

impl Hand {
    async fn review(&self, it: &Approvable) -> Result<IssuedCertificates, Failure> {
        let entry = it.enrolment.entry.clone().unwrap_or_default();
        let statement = approval::review(&it.stated, &entry, None, clock::now());
        let message = ReviewEnrolmentRequest {
            enrolment_id: it.enrolment.enrolment_id.clone(),
            statement: Some(approval::sign(&self.key, &statement)),
            rejection: String::new(),
        };
        let ask = async |channel| EnrolmentsClient::new(channel).review(message.clone()).await;
        let reviewed = self.service.ask(ask).await?;
        reviewed.issued.ok_or(problems::SERVICE_ANSWER_MALFORMED.into())
    }
}

/// Whom an approval is about.
fn verdict(it: &Approvable) -> Verdict {
    Verdict {
        line: Some(it.row.line),
        number: it.row.number.clone(),
        kind: "enrolment",
        identity_id: it.enrolment.identity_id.clone(),
        enrolment_id: it.enrolment.enrolment_id.clone(),
        ..Verdict::default()
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::{Role, SignedStatement};

    use super::*;

    #[test]
    fn an_enrolment_agrees_with_the_row_of_its_number_in_every_part() {
        let file = "工号,姓名,角色,科室\nN1,王,护士,内科\n";
        let file = StaffFile::read(file.as_bytes()).unwrap();
        let rows = BTreeMap::from([("N1", &file.rows[0])]);
        let entry = SignedStatement { identity_id: "enterer".into(), ..SignedStatement::default() };
        let enrolment = Enrolment { entry: Some(entry), ..Enrolment::default() };
        let good = Identity {
            number: "N1".into(),
            name: "王".into(),
            role: Role::Nurse.into(),
            department: "内科".into(),
            ..Identity::default()
        };
        let judged = |identity: &Identity| agrees(&enrolment, Some(identity), &rows, "reviewer");
        assert_eq!(judged(&good).map(|row| row.line), Ok(2));
        let cases = [
            (Identity { number: "N2".into(), ..good.clone() }, Left::NotInFile),
            (Identity { name: "赵".into(), ..good.clone() }, Left::Name),
            (Identity { role: Role::Doctor.into(), ..good.clone() }, Left::Role),
            (Identity { department: "外科".into(), ..good.clone() }, Left::Department),
        ];
        for (identity, left) in cases {
            assert_eq!(judged(&identity), Err(left));
        }
        assert_eq!(agrees(&enrolment, None, &rows, "reviewer"), Err(Left::Unknown));
        assert_eq!(agrees(&enrolment, Some(&good), &rows, "enterer"), Err(Left::Own));
    }
}
