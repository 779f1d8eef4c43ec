//! `healthcard token`.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use prost_types::Timestamp;
use proto::v1::{
    DataClass, ExchangeTokenRequest, ExplainTokenRequest, IntrospectTokenRequest,
    IssueTokenRequest, Purpose, RevokeAllTokensRequest, RevokeTokenRequest, TokenKeysRequest,
    exchange_token_request::Subject, revoke_all_tokens_request::Of, tokens_client::TokensClient,
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
    /// 以本人令牌或居民的授权回执换取代表居民的令牌，只缩小不扩大 | Exchange a token of your own, or the receipt of a consent, for one to act for the resident: no more than that opens
    Exchange(Exchange),
    /// 查看能否取得令牌及其理由，不签发 | Ask whether a token would be issued, and why; none is
    Explain(Wanted),
    /// 向服务查询令牌此刻是否有效 | Ask the service whether a token is good now
    Introspect(Introspect),
    /// 用本人密钥制作持有者证明，随令牌出示，只可用一次 | Prove with one's own key that a token is one's own; good once, beside it
    Prove(Prove),
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

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("subject").required(true)))]
pub(crate) struct Exchange {
    /// 本人的访问令牌文件；- 为标准输入 | File with a token of your own; - is standard input
    #[arg(long, value_name = "FILE", group = "subject")]
    token: Option<PathBuf>,
    /// 居民授权的签名回执文件；- 为标准输入 | File with the signed receipt of a consent; - is standard input
    #[arg(long, value_name = "FILE", group = "subject", requires = "audience")]
    receipt: Option<PathBuf>,
    /// 受理方，如 emr.example；以令牌交换时不可改变，可不填 | Who will be shown the token, such as emr.example; that of a token stays, and may be left out
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// 数据分级上限，1 至 5；缺省同被交换者 | Highest grade of data, 1 to 5; by default that of what is exchanged
    #[arg(long, value_name = "GRADE", value_parser = clap::value_parser!(u32).range(1..=5))]
    grade: Option<u32>,
    /// 数据分类，逗号分隔；缺省同被交换者 | Classes of data, separated by commas; by default those of what is exchanged
    #[arg(long, value_name = "CLASS", value_delimiter = ',', value_parser = parser::<DataClass>())]
    classes: Vec<DataClass>,
    /// 有效秒数；0 为最长，不超过被交换者 | Life in seconds; 0 gives the most, and what is exchanged ends it
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

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("request")))]
pub(crate) struct Introspect {
    #[command(flatten)]
    token: TokenFile,
    /// 受理方，如 emr.example | Who was shown the token, such as emr.example
    #[arg(long, value_name = "AUDIENCE")]
    audience: String,
    /// 随令牌出示的持有者证明文件；核验后即失效 | File with the proof of possession that came with it; it is used up
    #[arg(long, value_name = "FILE", requires = "request")]
    proof: Option<PathBuf>,
    /// 该证明对应的请求方法 | Method of the request that it came with
    #[arg(long, value_name = "METHOD", default_value = "GET", conflicts_with = "rpc")]
    method: String,
    /// 该证明对应的请求地址 | Address of that request
    #[arg(long, value_name = "URI", group = "request", requires = "proof")]
    uri: Option<String>,
    /// 该证明对应的 gRPC 方法的完整地址 | Full address of the gRPC method that it came with
    #[arg(long, value_name = "URI", group = "request", requires = "proof")]
    rpc: Option<String>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("request").required(true)))]
pub(crate) struct Prove {
    #[command(flatten)]
    token: TokenFile,
    /// 请求方法 | Method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET", conflicts_with = "rpc")]
    method: String,
    /// 请求的完整地址 | Full address of the request
    #[arg(long, value_name = "URI", group = "request")]
    uri: Option<String>,
    /// gRPC 方法的完整地址：服务地址加 /包.服务/方法；请求方法为 POST | Full address of a gRPC method: the server's and /package.Service/Method; the method of the request is POST
    #[arg(long, value_name = "URI", group = "request")]
    rpc: Option<String>,
}

/// Method of a gRPC call (RFC 9113; gRPC over HTTP/2).
const POST: &str = "POST";

/// What follows the scheme of an address that a proof can name.
fn named(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let usable = |rest: &&str| !rest.is_empty() && !rest.starts_with('/');
    rest.filter(usable).filter(|_| uri.len() <= LONGEST_URI)
}

/// Whether it is the address of a gRPC method: host, `package.Service`, `Method`.
fn is_of_rpc(uri: &str) -> bool {
    let parts: Vec<_> = named(uri).unwrap_or_default().split('/').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty()) && !uri.contains(['?', '#'])
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
            Self::Exchange(order) => exchange(context, order).await,
            Self::Introspect(asked) => introspect(context, asked).await,
            Self::Prove(order) => prove(context, order),
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
    context.answer("IssueTokenResponse", &issued, &show::issued_token(text::TOKEN_ISSUED, &issued))
}

async fn exchange(context: &Context, order: Exchange) -> Outcome {
    let read = |file| TokenFile { file }.read().map(|text| text.to_string());
    let subject = match (order.token, order.receipt) {
        (Some(token), _) => Some(Subject::Token(read(token)?)),
        (None, Some(receipt)) => Some(Subject::ConsentReceipt(read(receipt)?)),
        (None, None) => None,
    };
    let request = ExchangeTokenRequest {
        subject,
        audience: order.audience.unwrap_or_default(),
        grade: order.grade.unwrap_or_default(),
        classes: order.classes.into_iter().map(i32::from).collect(),
        lifetime_seconds: order.lifetime_seconds,
    };
    let issued = context
        .service
        .ask(async |channel| TokensClient::new(channel).exchange(request.clone()).await)
        .await?;
    context.answer(
        "IssueTokenResponse",
        &issued,
        &show::issued_token(text::TOKEN_EXCHANGED, &issued),
    )
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
fn prove(context: &Context, order: Prove) -> Outcome {
    let (method, uri) = match (order.rpc, order.uri.unwrap_or_default()) {
        (Some(rpc), _) if is_of_rpc(&rpc) => (POST.to_owned(), rpc),
        (Some(_), _) => return Err(problems::RPC_UNUSABLE.into()),
        (None, uri) if named(&uri).is_some() => (order.method, uri),
        (None, _) => return Err(problems::URI_UNUSABLE.into()),
    };
    let token = order.token.read()?;
    let key = context.service.home().key()?;
    let mut name = [0; 16];
    getrandom::fill(&mut name).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
    let proof = possession::prove(&key, &token, &method, &uri, &name, clock::now());
    context.screen.show(&json!({ "proof": proof }), &Page::default().note(proof.as_str()));
    Ok(Exit::Done)
}

async fn introspect(context: &Context, asked: Introspect) -> Outcome {
    let proof = asked.proof.map(|file| TokenFile { file }.read()).transpose()?;
    let (htm, htu) = match (&proof, asked.rpc, asked.uri) {
        (None, ..) => (String::new(), String::new()),
        (Some(_), Some(rpc), _) => (POST.to_owned(), rpc),
        (Some(_), None, uri) => (asked.method, uri.unwrap_or_default()),
    };
    let request = IntrospectTokenRequest {
        token: asked.token.read()?.to_string(),
        audience: asked.audience,
        proof: proof.map(|proof| proof.to_string()).unwrap_or_default(),
        htm,
        htu,
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_whole_and_those_of_grpc_name_a_method() {
        let long = format!("https://emr.example/{}", "a".repeat(LONGEST_URI));
        let cases = [
            ("https://emr.example/records.v1.Observations/Read", true, true),
            ("http://127.0.0.1:9000/records.v1.Observations/Read", true, true),
            ("https://emr.example/fhir/Patient/1", true, false),
            ("https://emr.example/records.v1.Observations/Read?x", true, false),
            ("https://emr.example/records.v1.Observations/", true, false),
            ("https://emr.example//Read", true, false),
            ("https://emr.example", true, false),
            ("https:///records.v1.Observations/Read", false, false),
            ("/records.v1.Observations/Read", false, false),
            ("emr.example/records.v1.Observations/Read", false, false),
            (&long, false, false),
        ];
        for (uri, whole, rpc) in cases {
            assert_eq!((named(uri).is_some(), is_of_rpc(uri)), (whole, rpc), "{uri}");
        }
    }
}
