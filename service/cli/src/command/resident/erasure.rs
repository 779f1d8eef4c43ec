//! Erasure of residents: one person enters, another reviews.

use std::path::PathBuf;

use clap::Args;
use proto::v1::{
    ErasureBasis, ErasuresRequest, OrderErasureRequest, ReviewErasureRequest,
    residents_client::ResidentsClient, review_erasure_request::Verdict,
};

use crate::{
    command::Pages,
    context::{Context, Outcome},
    files, show,
    text::{self, parser},
};

#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// 居民编号 | Number of the resident
    #[arg(value_name = "RESIDENT")]
    id: String,
    /// 依据 | What it rests on
    #[arg(long, value_name = "BASIS", value_parser = parser::<ErasureBasis>())]
    basis: ErasureBasis,
    /// 写有文书编号的文件，仅用于依文书删除；- 为标准输入 | File with the number of the order, for an erasure by an order; - is standard input
    #[arg(long, value_name = "FILE", required_if_eq("basis", "order"))]
    order: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Review {
    /// 删除编号 | Number of the erasure
    #[arg(value_name = "ERASURE")]
    id: String,
    /// 通过：该居民的个人信息随即删除，不可恢复 | Approve: the resident's personal data is erased at once, for good
    #[arg(long, conflicts_with = "reject", required_unless_present = "reject")]
    approve: bool,
    /// 驳回 | Reject
    #[arg(long)]
    reject: bool,
}

impl Erase {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let order_reference = self.order.as_deref().map(files::remark).transpose()?;
        let request = OrderErasureRequest {
            resident_id: self.id,
            basis: self.basis.into(),
            order_reference: order_reference.unwrap_or_default(),
        };
        let entered = context
            .service
            .ask(async |channel| ResidentsClient::new(channel).order_erasure(request.clone()).await)
            .await?;
        let page =
            show::erasure(text::ERASURE_ENTERED, &entered.erasure.clone().unwrap_or_default());
        let page = show::receipt(page, entered.receipt.as_ref());
        context.answer("OrderErasureResponse", &entered, &page)
    }
}

impl Review {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let verdict = if self.approve { Verdict::Approve } else { Verdict::Reject };
        let request = ReviewErasureRequest { erasure_id: self.id, verdict: verdict.into() };
        let reviewed = context
            .service
            .ask(async |channel| {
                ResidentsClient::new(channel).review_erasure(request.clone()).await
            })
            .await?;
        context.answer("ReviewErasureResponse", &reviewed, &show::erasure_reviewed(&reviewed))
    }
}

pub(crate) async fn list(context: &Context, pages: Pages) -> Outcome {
    let request = ErasuresRequest { page_size: pages.page_size, page_token: pages.page_token };
    let found = context
        .service
        .ask(async |channel| ResidentsClient::new(channel).erasures(request.clone()).await)
        .await?;
    context.answer("ErasuresResponse", &found, &show::erasures(&found))
}
