//! `healthcard consent`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use proto::v1::{
    Consent, ConsentKind, DataClass, GetConsentRequest, GrantConsentRequest, ListConsentsRequest,
    Purpose, WithdrawConsentRequest, WitnessConsentRequest, consents_client::ConsentsClient,
};
use serde_json::json;

use super::{Pages, token::key_set};
use crate::{
    clock,
    consent::{list, paper, shown},
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    jws,
    page::{Cell, Page},
    text::{self, Text, parser, problems},
};

/// Largest receipt that is read.
const LIMIT: u64 = 16 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum ConsentCommand {
    /// 登记到场居民（或其监护人）的授权、拒绝或家庭医生签约 | Record what the resident who is here, or their guardian, agrees or objects to
    Grant(Grant),
    /// 以第二人身份见证授权，使其生效 | Say as a second person that it was seen given, which puts it in force
    Witness(Named),
    /// 为到场居民（或其监护人）撤回授权 | Withdraw a consent for the resident who is here, or their guardian
    Withdraw {
        #[command(flatten)]
        named: Named,
        /// 读卡得到的到场凭据 | Presence from the reading of the card
        #[arg(long, value_name = "PRESENCE")]
        presence: String,
    },
    /// 查看授权及其签名回执 | Show a consent and its signed receipt
    Get(Named),
    /// 列出居民的授权；不填居民时为本人可据以查看的授权 | List consents of a resident; without one, those by which you may see data
    List {
        /// 居民编号 | Number of the resident
        #[arg(long, value_name = "RESIDENT", default_value = "", hide_default_value = true)]
        resident: String,
        #[command(flatten)]
        pages: Pages,
    },
    /// 离线核验签名回执 | Check a signed receipt offline
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// 居民编号 | Number of the resident
    #[arg(long, value_name = "RESIDENT")]
    resident: String,
    /// 居民或其监护人读卡得到的到场凭据 | Presence from the reading of the card of the resident, or of their guardian
    #[arg(long, value_name = "PRESENCE")]
    presence: String,
    /// 类别 | Kind
    #[arg(long, value_name = "KIND", default_value = "permit", value_parser = parser::<ConsentKind>())]
    kind: ConsentKind,
    /// 用途 | Purpose
    #[arg(long, value_name = "PURPOSE", default_value = "treatment", value_parser = parser::<Purpose>())]
    purpose: Purpose,
    /// 数据分类，逗号分隔；家庭医生签约不填 | Classes of data, separated by commas; not with a family doctor
    #[arg(long, value_name = "CLASS", value_delimiter = ',', value_parser = parser::<DataClass>())]
    classes: Vec<DataClass>,
    /// 同意的数据分级上限，拒绝时为下限，1 至 5；家庭医生签约不填 | Highest grade agreed to, lowest objected to, 1 to 5; not with a family doctor
    #[arg(long, value_name = "GRADE", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u32).range(0..=5))]
    grade: u32,
    /// 可查看的机构；拒绝时可不填，即任何机构 | Institution that may see it; of an objection it may be left out: every one
    #[arg(long, value_name = "INSTITUTION", default_value = "", hide_default_value = true)]
    recipient: String,
    /// 仅限其中一人 | The one person there who may
    #[arg(long, value_name = "IDENTITY", default_value = "", hide_default_value = true)]
    only: String,
    /// 仅限此机构保管的数据 | Only data that this institution keeps
    #[arg(long, value_name = "INSTITUTION", default_value = "", hide_default_value = true)]
    records: String,
    /// 天数，最多 1830；缺省 365，拒绝缺省 1830 | Days, at most 1830; 365 when absent, of an objection 1830
    #[arg(long, value_name = "DAYS", default_value_t = 0, hide_default_value = true)]
    days: u32,
    #[command(flatten)]
    paper: Paper,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// 授权编号 | Number of the consent
    #[arg(value_name = "CONSENT")]
    id: String,
    #[command(flatten)]
    paper: Paper,
}

#[derive(Debug, Args)]
pub(crate) struct Paper {
    /// 另存为可打印的网页（A5，含二维码） | Save as a page to be printed (A5, with a QR code) as well
    #[arg(long = "page", value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// 回执文件；- 为标准输入（扫码枪） | File with the receipt; - is standard input (a scanner)
    #[arg(long = "receipt", value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// 公钥集文件（JWKS）；缺省向服务取得 | Key set (JWKS); by default fetched from the service
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl ConsentCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let service = &context.service;
        match self {
            Self::Grant(order) => order.run(context).await,
            Self::Witness(Named { id, paper }) => {
                let request = WitnessConsentRequest { consent_id: id };
                let consent = service
                    .ask(async |channel| {
                        ConsentsClient::new(channel).witness(request.clone()).await
                    })
                    .await?;
                paper.told(context, text::CONSENT_WITNESSED, &consent)
            }
            Self::Withdraw { named: Named { id, paper }, presence } => {
                let request = WithdrawConsentRequest { consent_id: id, presence_id: presence };
                let consent = service
                    .ask(async |channel| {
                        ConsentsClient::new(channel).withdraw(request.clone()).await
                    })
                    .await?;
                paper.told(context, text::CONSENT_WITHDRAWN, &consent)
            }
            Self::Get(Named { id, paper }) => {
                let request = GetConsentRequest { consent_id: id };
                let consent = service
                    .ask(async |channel| ConsentsClient::new(channel).get(request.clone()).await)
                    .await?;
                paper.told(context, text::CONSENT, &consent)
            }
            Self::List { resident, pages: Pages { page_size, page_token } } => {
                let request = ListConsentsRequest { resident_id: resident, page_size, page_token };
                let found = service
                    .ask(async |channel| ConsentsClient::new(channel).list(request.clone()).await)
                    .await?;
                context.answer("ListConsentsResponse", &found, &list(&found))
            }
            Self::Check(order) => order.run(context).await,
        }
    }
}

impl Grant {
    async fn run(self, context: &Context) -> Outcome {
        let request = GrantConsentRequest {
            resident_id: self.resident,
            presence_id: self.presence,
            kind: self.kind.into(),
            purpose: self.purpose.into(),
            classes: self.classes.into_iter().map(i32::from).collect(),
            grade: self.grade,
            recipient_id: self.recipient,
            person_id: self.only,
            records_institution_id: self.records,
            days: self.days,
        };
        let consent = context
            .service
            .ask(async |channel| ConsentsClient::new(channel).grant(request.clone()).await)
            .await?;
        self.paper.told(context, text::CONSENT_GIVEN, &consent)
    }
}

impl Paper {
    /// Shows the consent, and saves the page where that was asked for.
    fn told(&self, context: &Context, title: Text, consent: &Consent) -> Outcome {
        if let Some(file) = &self.file {
            let page = paper(consent, context.screen.lang)?;
            files::write(file, page.as_bytes(), Audience::Owner)?;
        }
        let saved = self.file.as_deref().map(Path::display);
        let page = shown(title, consent).maybe(text::FILE, saved.map(|file| file.to_string()));
        context.answer("Consent", consent, &page)
    }
}

impl Check {
    /// Form and signature: what it said when it was made out.
    async fn run(self, context: &Context) -> Outcome {
        let bytes = files::read(&self.file, LIMIT)?;
        let receipt = std::str::from_utf8(&bytes).map_err(|_| problems::TOKEN_MALFORMED)?.trim();
        let jwks = key_set(context, self.keys.as_deref()).await?;
        let genuine = jws::statement(receipt, &jwks, "consent-receipt+jwt").map_err(Failure::of)?;
        let claims = serde_json::Value::Object(genuine.claims);
        let claim = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let at = |name: &str| {
            let seconds = claims[name].as_i64()?;
            crate::page::timestamp(Some(&prost_types::Timestamp { seconds, nanos: 0 }))
        };
        let word = |name: &str, words: fn(&str) -> Option<Text>| words(&claim(name));
        let classes = claims["classes"].as_array().into_iter().flatten();
        let classes = classes.filter_map(|it| text::word_named::<DataClass>(it.as_str()?));
        let page = Page::titled(text::CONSENT_RECEIPT_GENUINE)
            .row(text::CONSENT_ID, claim("jti"))
            .maybe(text::CONSENT_OUT_OF, word("state", text::word_named::<proto::v1::ConsentState>))
            .maybe(text::CONSENT_MADE_OUT, at("iat"))
            .maybe(text::CONSENT_KIND, word("kind", text::word_named::<ConsentKind>))
            .row(text::RESIDENT_ID, claim("resident"))
            .maybe(text::PURPOSE, word("purpose", text::word_named::<Purpose>))
            .row(text::CLASSES, Cell::Listed(classes.collect()))
            .maybe(text::GRADE, claims["grade"].as_u64().map(|it| it.to_string()))
            .row(text::RECIPIENT, claim("recipient"))
            .row(text::RECIPIENT_PERSON, claim("person"))
            .row(text::RECORDS_OF, claim("records"))
            .maybe(text::CONSENT_UNTIL, at("exp"))
            .row(text::KEY_ID, &genuine.key_id);
        let json = json!({ "genuine": true, "kid": genuine.key_id, "claims": claims });
        context.screen.show(&json, &page);
        // Genuine, and good for something: what waits for a witness, was withdrawn or is over is not.
        let over = claims["exp"].as_i64().is_none_or(|end| end <= clock::now().unix_timestamp());
        Ok(if claim("state") == "in-force" && !over { Exit::Done } else { Exit::Refused })
    }
}
