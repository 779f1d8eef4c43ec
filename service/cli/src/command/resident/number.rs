//! Other numbers of a resident. The numbers themselves are read from a file.

use std::path::{Path, PathBuf};

use clap::Args;
use proto::v1::{
    Basis, BindNumberRequest, BindingEnd, BindingsRequest, FindByNumberRequest, NumberKind,
    ResidentNumber, UnbindNumberRequest, residents_client::ResidentsClient,
};

use super::decision::Decision;
use crate::{
    command::Pages,
    context::{Context, Outcome},
    failure::Failure,
    files, input, show,
    text::{self, parser},
};

/// Largest scan, bytes. It is read whole, to be hashed once.
const SCAN_LIMIT: u64 = 64 * 1024 * 1024;

/// A number on a document or card.
#[derive(Debug, Args)]
pub(crate) struct Number {
    /// 证件或卡的类别 | Kind of document or card
    #[arg(long, value_name = "KIND", value_parser = parser::<NumberKind>())]
    kind: NumberKind,
    /// JSON 或 TOML 文件：number，可含 issuer（护照为签发国，卡为地区，医院号码为机构）；- 为标准输入 | JSON or TOML with number and, where the kind has one, issuer (state, region or institution); - is standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

impl Number {
    fn read(&self) -> Result<ResidentNumber, Failure> {
        let mut number: ResidentNumber = input::message("ResidentNumber", &self.file)?;
        number.set_kind(self.kind);
        Ok(number)
    }
}

/// What an act rests on.
#[derive(Debug, Args)]
pub(crate) struct Ground {
    /// 依据 | What it rests on
    #[arg(long, value_name = "BASIS", value_parser = parser::<Basis>())]
    pub(crate) basis: Basis,
    /// 证件扫描件；只提交其 SM3 摘要 | Scan of the document; only its SM3 digest is sent
    #[arg(long, value_name = "FILE")]
    scan: Option<PathBuf>,
}

impl Ground {
    /// SM3 of the scan; empty without one.
    pub(crate) fn digest(&self) -> Result<Vec<u8>, Failure> {
        let digest = |path: &PathBuf| files::sm3(path, SCAN_LIMIT).map(Vec::from);
        self.scan.as_ref().map_or(Ok(Vec::new()), digest)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Find {
    #[command(flatten)]
    number: Number,
}

impl Find {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let request = FindByNumberRequest { number: Some(self.number.read()?) };
        let found = context
            .service
            .ask(async |channel| {
                ResidentsClient::new(channel).find_by_number(request.clone()).await
            })
            .await?;
        context.answer("Resident", &found, &show::resident(&found))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Bind {
    /// 居民编号 | Number of the resident
    #[arg(long, value_name = "RESIDENT")]
    resident: String,
    #[command(flatten)]
    number: Number,
    #[command(flatten)]
    ground: Ground,
    #[command(flatten)]
    decision: Decision,
}

impl Bind {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let request = BindNumberRequest {
            resident_id: self.resident,
            number: Some(self.number.read()?),
            basis: self.ground.basis.into(),
            scan_digest: self.ground.digest()?,
            decision: self.decision.read()?,
        };
        let made = context
            .service
            .ask(async |channel| ResidentsClient::new(channel).bind(request.clone()).await)
            .await?;
        if made.stopped {
            let page = show::stopped(made.receipt.as_ref());
            return context.answer("BindNumberResponse", &made, &page);
        }
        context.made(
            ("BindNumberResponse", &made),
            text::NUMBER_BOUND,
            (text::BINDING_ID, &made.binding_id),
            made.receipt.as_ref(),
        )
    }
}

#[derive(Debug, Args)]
pub(crate) struct Unbind {
    /// 绑定编号 | Number of the binding
    #[arg(value_name = "BINDING")]
    id: String,
    /// 原因 | Reason
    #[arg(long, value_name = "REASON", value_parser = parser::<BindingEnd>())]
    reason: BindingEnd,
    /// 写有说明的文本文件，误绑时必填；- 为标准输入 | Text file with a few words, needed for a mistake; - is standard input
    #[arg(long, value_name = "FILE")]
    note: Option<PathBuf>,
}

impl Unbind {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let request = UnbindNumberRequest {
            binding_id: self.id,
            reason: self.reason.into(),
            note: self.note.as_deref().map(Path::new).map_or(Ok(String::new()), files::remark)?,
        };
        let ended = context
            .service
            .ask(async |channel| ResidentsClient::new(channel).unbind(request.clone()).await)
            .await?;
        context.answer("Binding", &ended, &show::binding(text::NUMBER_UNBOUND, &ended))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Bindings {
    /// 居民编号 | Number of the resident
    #[arg(value_name = "RESIDENT")]
    id: String,
    #[command(flatten)]
    pages: Pages,
}

impl Bindings {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let request = BindingsRequest {
            resident_id: self.id,
            page_size: self.pages.page_size,
            page_token: self.pages.page_token,
        };
        let found = context
            .service
            .ask(async |channel| ResidentsClient::new(channel).bindings(request.clone()).await)
            .await?;
        context.answer("BindingsResponse", &found, &show::bindings(&found))
    }
}
