//! `healthcardd warnings`: what other settings would warn of. The service may be running, and no key is needed.

use std::{
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::json;
use service::{
    clock, config,
    demo::Language,
    warnings::again::{self, Said, Tried},
};

use super::Failure;

/// What is asked about warnings.
#[derive(Args)]
pub(crate) struct Warnings {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// 按设置文件中 `[warnings]` 的参数重新查看最近若干天的日志，列出会增加和不再出现的预警；不作任何更改，服务可照常运行 · Look at the log of the last days with the `[warnings]` of a settings file, and list the warnings that would come and go; nothing is changed, and the service may go on running.
    Try(Trial),
}

#[derive(Args)]
struct Trial {
    /// 数据目录 · Data directory.
    #[arg(long, value_name = "DIR", env = "HEALTHCARD_DATA")]
    data: PathBuf,
    /// 设置文件；省略时为数据目录中的 healthcard.toml · Settings file; `healthcard.toml` of the data directory when absent.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// 最近若干天，含今天 · So many days, today among them.
    #[arg(long, value_name = "NUMBER", default_value = "14")]
    days: NonZeroU32,
    /// 语言 · Language: zh-CN, en.
    #[arg(long, env = "LANG_UI", default_value = "zh-CN")]
    lang: Language,
    /// 输出一个 JSON 对象 · One JSON object.
    #[arg(long)]
    json: bool,
}

impl Warnings {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Order::Try(trial) = self.order;
        let tried = trial.run()?;
        trial.tell(&tried);
        Ok(())
    }
}

impl Trial {
    fn run(&self) -> Result<Tried, Failure> {
        let in_use = self.data.join(config::FILE);
        let file: &Path = self.settings.as_deref().unwrap_or(&in_use);
        let text = fs::read_to_string(file)
            .map_err(|error| -> Failure { format!("{}: {error}", file.display()).into() })?;
        let settings = again::settings(&text)?;
        Ok(again::tried(&self.data, &settings, self.days, clock::now())?)
    }

    fn tell(&self, tried: &Tried) {
        let Tried { same, new, gone, familiar_unknown } = tried;
        if self.json {
            let said = |list: &[Said]| {
                let one = |it: &Said| {
                    let (day, rule) = (it.day.to_string(), it.rule.as_str());
                    json!({ "day": day, "rule": rule, "subject": it.subject })
                };
                list.iter().map(one).collect::<Vec<_>>()
            };
            let told = json!({
                "same": same, "new": said(new), "gone": said(gone), "familiar_unknown": familiar_unknown,
            });
            println!("{told}");
            return;
        }
        let (new_count, gone_count) = (new.len(), gone.len());
        println!(
            "{}",
            match self.lang {
                Language::Chinese =>
                    format!("相同 {same} 个，会增加 {new_count} 个，不再出现 {gone_count} 个"),
                Language::English =>
                    format!("{same} the same, {new_count} would be new, {gone_count} would be gone"),
            }
        );
        if *familiar_unknown {
            println!(
                "{}",
                match self.lang {
                    Language::Chinese =>
                        "  服务未启用对查阅本人、同事和同名者的预警；启用后会增加哪些，须由服务凭密钥判断",
                    Language::English =>
                        "  the service does not warn of who looks up themselves, colleagues and namesakes; which would be new takes its keys to see",
                }
            );
        }
        let lists = [("会增加", "would be new", new), ("不再出现", "would be gone", gone)];
        for (zh, en, list) in lists {
            for Said { day, rule, subject } in list {
                let what = match self.lang {
                    Language::Chinese => zh,
                    Language::English => en,
                };
                println!("  {what}  {day}  {rule}  {subject}");
            }
        }
    }
}
