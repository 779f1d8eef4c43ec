//! `healthcard desk`.

use clap::Args;

use crate::{
    context::{Context, Outcome},
    desk::{self, Until},
};

#[derive(Debug, Args)]
pub(crate) struct Desk {
    /// 只用名称含此文字的读卡器 | Only readers whose name contains this
    #[arg(long, value_name = "TEXT")]
    reader: Option<String>,
    /// 读一张卡后结束 | End after one card
    #[arg(long)]
    once: bool,
}

impl Desk {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let until = if self.once { Until::FirstCard } else { Until::Interrupted };
        desk::run(context, self.reader, until).await
    }
}
