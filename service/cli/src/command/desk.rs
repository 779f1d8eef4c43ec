//! `healthcard desk`.

use clap::Args;

use crate::{
    context::{Context, Outcome},
    desk::{self, Options, Until, Windows},
};

#[derive(Debug, Args)]
pub(crate) struct Desk {
    /// 只用名称含此文字的读卡器 | Only readers whose name contains this
    #[arg(long, value_name = "TEXT")]
    reader: Option<String>,
    /// 读一张卡后结束 | End after one card
    #[arg(long)]
    once: bool,
    /// 每个读卡器各是一个窗口：同时有几张卡也不询问 | Each reader is a desk of its own: do not ask when there are several cards
    #[arg(long)]
    each: bool,
}

impl Desk {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let options = Options {
            reader: self.reader,
            until: if self.once { Until::FirstCard } else { Until::Interrupted },
            windows: if self.each { Windows::Each } else { Windows::One },
        };
        desk::run(context, options).await
    }
}
