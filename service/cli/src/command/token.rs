//! `healthcard token`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use prost_types::Timestamp;
use proto::v1::{
    DataClass, ExplainTokenRequest, IntrospectTokenRequest, IssueTokenRequest, Purpose,
    RevokeAllTokensRequest, RevokeTokenRequest, TokenKeysRequest, revoke_all_tokens_request::Of,
    tokens_client::TokensClient,
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files, json as render, jws,
    page::{Page, timestamp},
    possession, show,
    text::{self, parser, problems},
};

/// Largest token or key set, bytes.
const LIMIT: u64 = 64 * 1024;
/// Longest address of a request, bytes.
const LONGEST_URI: usize = 2048;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// 申请访问令牌 | Ask for an access token
    Issue(Issue),
    /// 查看能否取得令牌及其理由，不签发 | Ask whether a token would be issued, and why; none is
    Explain(Wanted),
    /// 向服务查询令牌此刻是否有效 | Ask the service whether a token is good now
    Introspect {
        #[command(flatten)]
        token: TokenFile,
        /// 受理方，如 emr.example | Who was shown the token, such as emr.example
        #[arg(long, value_name = "AUDIENCE")]
        audience: String,
        /// 随令牌出示的持有者证明文件；核验后即失效 | File with the proof of possession that came with it; it is used up
        #[arg(long, value_name = "FILE", requires = "uri")]
        proof: Option<PathBuf>,
        /// 该证明对应的请求方法 | Method of the request that it came with
        #[arg(long, value_name = "METHOD", default_value = "GET")]
        method: String,
        /// 该证明对应的请求地址 | Address of that request
        #[arg(long, value_name = "URI", requires = "proof")]
        uri: Option<String>,
    },
    /// 用本人密钥制作持有者证明，随令牌出示，只可用一次 | Prove with one's own key that a token is one's own; good once, beside it
    Prove {
        #[command(flatten)]
        token: TokenFile,
        #[command(flatten)]
        request: ProvenRequest,
    },
    /// 撤销一个令牌，或某次就诊、人员、证书、授权、居民的全部有效令牌 | End a token, or all that go on of a visit, a person, a certificate, a consent or a resident
    Revoke(Revoked),
    /// 离线核对令牌的签名、期限和受理方 | Check a token's signature, dates and audience offline
    Check(Check),
    /// 取得核对令牌和电子健康卡二维码的公钥集 | Get the keys that tokens and codes of electronic cards are checked with
    Keys,
}

/// What is to be seen.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    #[command(flatten)]
    within: Within,
    /// 保管数据的机构编号；缺省为就诊所在机构，紧急访问时为居民的登记机构 | Institution that keeps the data; by default that of the visit, in an emergency the one that registered the resident
    #[arg(long, value_name = "INSTITUTION", default_value = "", hide_default_value = true)]
    records: String,
    /// 用途 | Purpose
    #[arg(long, value_name = "PURPOSE", default_value = "treatment", value_parser = parser::<Purpose>())]
    purpose: Purpose,
    /// 数据分级上限，1 至 5 | Highest grade of data, 1 to 5
    #[arg(long, value_name = "GRADE", value_parser = clap::value_parser!(u32).range(1..=5))]
    grade: u32,
    /// 数据分类，逗号分隔 | Classes of data, separated by commas
    #[arg(long, value_name = "CLASS", required = true, value_delimiter = ',', value_parser = parser::<DataClass>())]
    classes: Vec<DataClass>,
}

/// What it is within.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Within {
    /// 就诊编号 | Number of the visit
    #[arg(long, value_name = "VISIT", default_value = "", hide_default_value = true)]
    visit: String,
    /// 无就诊时依据的授权编号 | Consent it rests on, where there is no visit
    #[arg(long, value_name = "CONSENT", default_value = "", hide_default_value = true)]
    consent: String,
    /// 本人发起的紧急访问的编号 | Number of an emergency access that you began
    #[arg(long, value_name = "EMERGENCY", default_value = "", hide_default_value = true)]
    emergency: String,
}

#[derive(Debug, Args)]
pub(crate) struct Issue {
    #[command(flatten)]
    wanted: Wanted,
    /// 受理方，如 emr.example | Who will be shown the token, such as emr.example
    #[arg(long, value_name = "AUDIENCE")]
    audience: String,
    /// 有效秒数；0 为最长 | Life in seconds; 0 gives the most
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    lifetime_seconds: u32,
}

/// Which tokens are ended.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Revoked {
    /// 令牌编号（jti） | Number of the token (jti)
    #[arg(value_name = "TOKEN_ID")]
    id: Option<String>,
    /// 就诊编号 | Number of the visit
    #[arg(long, value_name = "VISIT")]
    visit: Option<String>,
    /// 持有令牌的人员编号 | Number of the person who holds them
    #[arg(long = "identity", value_name = "IDENTITY")]
    holder: Option<String>,
    /// 令牌所依据的证书的序列号 | Serial number of the certificate that they rest on
    #[arg(long, value_name = "SERIAL")]
    certificate: Option<String>,
    /// 令牌所依据的授权编号 | Number of the consent that they rest on
    #[arg(long, value_name = "CONSENT")]
    consent: Option<String>,
    /// 数据所属居民的编号 | Number of the resident whose data they open
    #[arg(long, value_name = "RESIDENT")]
    resident: Option<String>,
}

impl Revoked {
    /// All of something, where it is not one token.
    fn of(&self) -> Option<Of> {
        let Self { visit, holder, certificate, consent, resident, .. } = self;
        let given = [
            visit.clone().map(Of::VisitId),
            holder.clone().map(Of::IdentityId),
            certificate.clone().map(Of::CertificateSerial),
            consent.clone().map(Of::ConsentId),
            resident.clone().map(Of::ResidentId),
        ];
        given.into_iter().flatten().next()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    token: TokenFile,
    /// 受理方，如 emr.example | Who was shown the token, such as emr.example
    #[arg(long, value_name = "AUDIENCE")]
    audience: String,
    /// 公钥集文件（JWKS）；缺省向服务取得 | Key set (JWKS); by default fetched from the service
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

/// What the token will be shown with.
#[derive(Debug, Args)]
pub(crate) struct ProvenRequest {
    /// 请求方法；gRPC 为 POST | Method of the request; over gRPC POST
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// 请求的完整地址；gRPC 为方法的完整地址 | Full address of the request; over gRPC that of the method
    #[arg(long, value_name = "URI")]
    uri: String,
}

/// Whether a proof can name this address.
fn can_be_named(uri: &str) -> bool {
    let host = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    uri.len() <= LONGEST_URI && host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
}

#[derive(Debug, Args)]
pub(crate) struct TokenFile {
    /// 令牌文件；- 为标准输入 | File with the token; - is standard input
    #[arg(long = "token", alias = "file", value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

impl TokenFile {
    /// The token, which is a secret of its holder: never an argument.
    fn read(&self) -> Result<Zeroizing<String>, Failure> {
        let bytes = files::read(&self.file, LIMIT)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| problems::TOKEN_MALFORMED)?;
        Ok(Zeroizing::new(text.trim().to_owned()))
    }
}

impl TokenCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Issue(order) => issue(context, order).await,
            Self::Explain(wanted) => explain(context, wanted).await,
            Self::Introspect { token, audience, proof, method, uri } => {
                let proof = match proof {
                    Some(file) => TokenFile { file }.read()?,
                    None => Zeroizing::default(),
                };
                let htm = if proof.is_empty() { String::new() } else { method };
                let request = IntrospectTokenRequest {
                    token: token.read()?.to_string(),
                    audience,
                    proof: proof.to_string(),
                    htm,
                    htu: uri.unwrap_or_default(),
                };
                introspect(context, request).await
            }
            Self::Prove { token, request } => prove(context, &token.read()?, &request),
            Self::Check(order) => check(context, order).await,
            Self::Revoke(revoked) => revoke(context, revoked).await,
            Self::Keys => {
                let jwks = keys(context).await?;
                let parsed =
                    serde_json::from_str(&jwks).map_err(|_| problems::SERVICE_ANSWER_MALFORMED)?;
                context.screen.show(&parsed, &Page::default().note(jwks));
                Ok(Exit::Done)
            }
        }
    }
}

async fn issue(context: &Context, order: Issue) -> Outcome {
    let request = IssueTokenRequest {
        visit_id: order.wanted.within.visit,
        consent_id: order.wanted.within.consent,
        emergency_id: order.wanted.within.emergency,
        records_institution_id: order.wanted.records,
        purpose: order.wanted.purpose.into(),
        grade: order.wanted.grade,
        classes: order.wanted.classes.into_iter().map(i32::from).collect(),
        audience: order.audience,
        lifetime_seconds: order.lifetime_seconds,
    };
    let issued = context
        .service
        .ask(async |channel| TokensClient::new(channel).issue(request.clone()).await)
        .await?;
    context.answer("IssueTokenResponse", &issued, &show::issued_token(&issued))
}

async fn explain(context: &Context, wanted: Wanted) -> Outcome {
    let request = ExplainTokenRequest {
        visit_id: wanted.within.visit,
        consent_id: wanted.within.consent,
        emergency_id: wanted.within.emergency,
        records_institution_id: wanted.records,
        purpose: wanted.purpose.into(),
        grade: wanted.grade,
        classes: wanted.classes.into_iter().map(i32::from).collect(),
    };
    let explained = context
        .service
        .ask(async |channel| TokensClient::new(channel).explain(request.clone()).await)
        .await?;
    context.answer("ExplainTokenResponse", &explained, &show::explained_token(&explained))
}

async fn revoke(context: &Context, revoked: Revoked) -> Outcome {
    if let Some(of) = revoked.of() {
        let request = RevokeAllTokensRequest { of: Some(of) };
        let ended = context
            .service
            .ask(async |channel| TokensClient::new(channel).revoke_all(request.clone()).await)
            .await?;
        let number = (text::TOKENS_ENDED, ended.ended.to_string());
        let title = match ended.ended {
            0 => text::TOKENS_NONE,
            _ => text::TOKENS_REVOKED,
        };
        let (message, receipt) = (("RevokeAllTokensResponse", &ended), ended.receipt.as_ref());
        return context.made(message, title, (number.0, &number.1), receipt);
    }
    let request = RevokeTokenRequest { token_id: revoked.id.unwrap_or_default() };
    let ended = context
        .service
        .ask(async |channel| TokensClient::new(channel).revoke(request.clone()).await)
        .await?;
    let title = match ended.receipt {
        Some(_) => text::TOKEN_REVOKED,
        None => text::TOKEN_ENDED_ALREADY,
    };
    let id = (text::TOKEN_ID, request.token_id.as_str());
    context.made(("RevokeTokenResponse", &ended), title, id, ended.receipt.as_ref())
}

/// Made here; nobody is asked.
fn prove(context: &Context, token: &str, request: &ProvenRequest) -> Outcome {
    let ProvenRequest { method, uri } = request;
    if !can_be_named(uri) {
        return Err(problems::URI_UNUSABLE.into());
    }
    let key = context.service.home().key()?;
    let mut name = [0; 16];
    getrandom::fill(&mut name).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
    let proof = possession::prove(&key, token, method, uri, &name, clock::now());
    context.screen.show(&json!({ "proof": proof }), &Page::default().note(proof.as_str()));
    Ok(Exit::Done)
}

async fn introspect(context: &Context, request: IntrospectTokenRequest) -> Outcome {
    let found = context
        .service
        .ask(async |channel| TokensClient::new(channel).introspect(request.clone()).await)
        .await?;
    let page = show::introspected(&found);
    context.screen.show(&render::of("IntrospectTokenResponse", &found), &page);
    Ok(if found.active { Exit::Done } else { Exit::Refused })
}

/// The service's current keys, as a JSON Web Key Set.
async fn keys(context: &Context) -> Result<String, Failure> {
    let found = context
        .service
        .ask_openly(async |channel| TokensClient::new(channel).keys(TokenKeysRequest {}).await)
        .await?;
    Ok(found.jwks)
}

/// The key set of a file, or the service's.
pub(super) async fn key_set(context: &Context, file: Option<&Path>) -> Result<String, Failure> {
    match file {
        Some(file) => String::from_utf8(files::read(file, LIMIT)?.to_vec())
            .map_err(|_| problems::TOKEN_KEYS_MALFORMED.into()),
        None => keys(context).await,
    }
}

/// The offline check: form, signature, dates and audience, with keys in hand or fetched.
async fn check(context: &Context, order: Check) -> Outcome {
    let token = order.token.read()?;
    let jwks = key_set(context, order.keys.as_deref()).await?;
    let genuine = jws::check(&token, &jwks, &order.audience, clock::now()).map_err(Failure::of)?;
    let claims = serde_json::Value::Object(genuine.claims);
    let claim = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let until = claims["exp"].as_i64().map(|seconds| Timestamp { seconds, nanos: 0 });
    // Of a token that was exchanged, who acts; `sub` is then the resident.
    let holder = claims["act"]["sub"].as_str().map_or_else(|| claim("sub"), str::to_owned);
    let page = Page::titled(text::TOKEN_GENUINE)
        .row(text::TOKEN_ID, claim("jti"))
        .row(text::IDENTITY_ID, holder)
        .row(text::RESIDENT_ID, claim("resident"))
        .row(text::VISIT_ID, claim("visit"))
        .row(text::EMERGENCY_ID, claim("emergency"))
        .row(text::AUDIENCE, claim("aud"))
        .maybe(text::EXPIRES_AT, timestamp(until.as_ref()))
        .row(text::KEY_ID, &genuine.key_id);
    let json = json!({ "genuine": true, "kid": genuine.key_id, "claims": claims });
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}
