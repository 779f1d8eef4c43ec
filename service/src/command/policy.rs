//! `healthcardd policy`: rules of access, looked at before a service uses them. Needs no service and no key.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use service::{
    config,
    demo::Language,
    policy::{self, Case, Policy, SHIPPED, Texts},
};

use super::Failure;

/// What is asked about rules.
#[derive(Args)]
pub(crate) struct Rules {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// 规则中可用的词汇（Cedar schema） · The words that may stand in rules, as a Cedar schema.
    Schema,
    /// 把随服务提供的规则写入新目录，供修改 · Write the shipped rules into a new directory, to be changed.
    New {
        /// 新目录 · New directory.
        directory: PathBuf,
    },
    /// 按案例试用规则，并说明每个决定及其理由 · Try rules on their cases, and tell each decision with its ground.
    Tell {
        /// 规则目录（rules.toml、access.cedar、cases.toml），省略时为随服务提供的规则 · Directory of rules; the shipped ones when absent.
        directory: Option<PathBuf>,
        /// 语言 · Language: zh-CN, en.
        #[arg(long, env = "LANG_UI", default_value = "zh-CN")]
        lang: Language,
    },
}

impl Rules {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.order {
            Order::Schema => print!("{}", policy::schema()),
            Order::New { directory } => {
                fs::create_dir(&directory)?;
                for (name, text) in SHIPPED.files() {
                    fs::write(directory.join(name), text.as_bytes())?;
                }
            }
            Order::Tell { directory, lang } => {
                let texts = match directory {
                    Some(directory) => config::policy_texts(&directory)?,
                    None => SHIPPED,
                };
                tell(&texts, lang)?;
            }
        }
        Ok(())
    }
}

fn tell(texts: &Texts<'_>, language: Language) -> Result<(), Failure> {
    let policy = Policy::read(texts)?;
    let cases = Case::read(texts)?;
    for (at, case) in cases.iter().enumerate() {
        let [zh, en] = policy.told(case);
        println!(
            "{}. {}\n",
            at + 1,
            match language {
                Language::Chinese => zh,
                Language::English => en,
            }
        );
    }
    let (count, digest) = (cases.len(), hex::encode(policy.digest()));
    println!(
        "{}",
        match language {
            Language::Chinese => format!("{count} 个案例均符合。规则摘要（SM3）：{digest}"),
            Language::English =>
                format!("All {count} cases come out as they say. SM3 of the rules: {digest}"),
        }
    );
    Ok(())
}
