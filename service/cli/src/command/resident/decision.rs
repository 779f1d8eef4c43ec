//! What staff decided about residents who look alike.

use std::path::PathBuf;

use clap::Args;
use proto::v1::{LookAlikeDecision, LookAlikeVerdict};

use crate::{failure::Failure, files, text::parser};

#[derive(Debug, Args)]
pub(crate) struct Decision {
    /// 提示相似时给出的编号 | What the refusal gave
    #[arg(long, value_name = "HEX", requires_all = ["decide", "grounds"])]
    case: Option<String>,
    /// 查验证件后的判断 | What you decided after seeing the documents
    #[arg(long, value_name = "DECISION", value_parser = parser::<LookAlikeVerdict>(), requires = "case")]
    decide: Option<LookAlikeVerdict>,
    /// 写有判断依据的文本文件；- 为标准输入 | Text file with the grounds; - is standard input
    #[arg(long, value_name = "FILE", requires = "case")]
    grounds: Option<PathBuf>,
}

impl Decision {
    /// The decision, if one was given.
    pub(crate) fn read(self) -> Result<Option<LookAlikeDecision>, Failure> {
        let (Some(case), Some(verdict), Some(grounds)) = (self.case, self.decide, self.grounds)
        else {
            return Ok(None);
        };
        let grounds = files::remark(&grounds)?;
        Ok(Some(LookAlikeDecision { case, verdict: verdict.into(), grounds }))
    }
}
