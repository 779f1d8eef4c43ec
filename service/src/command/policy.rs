//! `healthcardd policy`: rules of access. They are looked at without service or key, and signed with the service's.
//! What they decided, or would have, is in [`decisions`](super::decisions).

use std::{
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use audit::rules::Manifest;
use clap::{Args, Subcommand};
use hsm::key::Label;
use serde_json::json;
use service::{
    config,
    demo::Language,
    policy::{self, Case, Policy, SHIPPED, Texts},
    rules::{
        changes::{self, FileChange},
        signing::{self, SignOrder, Signed, SigningError},
    },
    start::StartError,
    store::{Change, StoreError},
};

use super::{Failure, Place, decisions::Look, runtime};

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
    /// 试用后以服务的规则密钥签名，记入日志；只有签名的规则才能启用 · Try rules on their cases, and sign them with the service's key; only signed rules are used.
    Sign {
        #[command(flatten)]
        common: Common,
        /// 规则目录 · Directory of rules.
        directory: PathBuf,
        /// 规则名称；省略时沿用原名，首次为目录名 · What they are called; as before when absent, at first as their directory.
        #[arg(long)]
        name: Option<Label>,
        /// 版本；省略时为下一版 · Their version; the next one when absent.
        #[arg(long, value_name = "NUMBER")]
        version: Option<NonZeroU32>,
    },
    /// 按服务启动时的要求核对签名的规则，服务可照常运行 · Check signed rules as a start of the service does; it may go on running.
    Check {
        #[command(flatten)]
        common: Common,
        /// 规则目录 · Directory of rules.
        directory: PathBuf,
    },
    /// 按当时的规则重新作出日志中的决定并比较，不作任何更改，服务可照常运行 · Make the decisions of the log again by the rules of then, and compare; nothing is changed, and the service may go on running.
    Replay(Look),
    /// 按目录中的规则（无须签名）重新作出日志中的决定，列出会改变的 · Make the decisions of the log by the rules in a directory, which need not be signed, and list those that change.
    Try {
        /// 规则目录 · Directory of rules.
        directory: PathBuf,
        #[command(flatten)]
        look: Look,
    },
    /// 改回随服务提供的规则，记入日志 · Go back to the rules that the service ships with; the log has that.
    Shipped(Common),
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    place: Place,
    /// 输出一个 JSON 对象 · One JSON object.
    #[arg(long)]
    json: bool,
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
            Order::Sign { common, directory, name, version } => {
                sign(&common, &directory, SignOrder { name, version })?;
            }
            Order::Check { common, directory } => check(&common, &directory)?,
            Order::Replay(look) => look.replay()?,
            Order::Try { directory, look } => look.tried(&directory)?,
            Order::Shipped(common) => shipped(&common)?,
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

fn sign(common: &Common, directory: &Path, order: SignOrder) -> Result<(), Failure> {
    let opening = common.place.opening()?;
    let signed = runtime()?
        .block_on(signing::sign(&common.place.data, opening.unseal(), directory, order))
        .map_err(explained)?;
    let Signed { manifest, in_use, before, after } = &signed;
    let changes = changes::between(before, after);
    if common.json {
        let changes: Vec<_> = changes
            .iter()
            .map(|FileChange { file, gone, new }| json!({ "file": file, "gone": gone, "new": new }))
            .collect();
        let mut said = said(manifest);
        said["in_use"] = json!(in_use);
        said["changes"] = changes.into();
        println!("{said}");
        return Ok(());
    }
    let against = match in_use {
        Some(version) => {
            format!("在用的第 {version} 版 · compared with version {version}, which is in use")
        }
        None => "随服务提供的规则 · compared with the rules that the service ships with".to_owned(),
    };
    println!("相比{against}：");
    if changes.is_empty() {
        println!("  没有差别 · no difference");
    }
    for FileChange { file, gone, new } in changes {
        println!("  {file}");
        if gone.is_empty() && new.is_empty() {
            println!("    各行次序或空行不同 · lines stand in another order, or blank ones differ");
        }
        gone.iter().for_each(|line| println!("    - {line}"));
        new.iter().for_each(|line| println!("    + {line}"));
    }
    tell_manifest("规则已签名 · the rules are signed", manifest);
    println!(
        "启用：在 healthcard.toml 中以 policy 指向该目录，然后启动服务 · to use them: let `policy` in healthcard.toml name the directory, and start the service"
    );
    Ok(())
}

fn check(common: &Common, directory: &Path) -> Result<(), Failure> {
    let opening = common.place.opening()?;
    let (manifest, in_use) =
        signing::check(&common.place.data, opening.unseal(), directory).map_err(explained)?;
    if common.json {
        let mut said = said(&manifest);
        said["in_use"] = in_use.into();
        println!("{said}");
        return Ok(());
    }
    let verdict = match in_use {
        true => "签名有效，即在用的规则 · good, and the rules in use",
        false => "签名有效，下次启动时启用 · good, and come into use at a start",
    };
    tell_manifest(verdict, &manifest);
    Ok(())
}

fn shipped(common: &Common) -> Result<(), Failure> {
    let opening = common.place.opening()?;
    let change = runtime()?
        .block_on(signing::go_back(&common.place.data, opening.unseal()))
        .map_err(explained)?;
    let now = change != Change::None;
    if common.json {
        println!("{}", json!({ "changed": now }));
        return Ok(());
    }
    println!(
        "{}",
        match now {
            true =>
                "已记入日志；请从 healthcard.toml 删去 policy，然后启动服务 · it is in the log; remove `policy` from healthcard.toml, and start the service",
            false => "在用的就是随附规则 · they are the rules in use",
        }
    );
    Ok(())
}

fn said(manifest: &Manifest) -> serde_json::Value {
    let Manifest { name, version, made, digest, .. } = manifest;
    json!({ "name": name, "version": version, "made": made, "digest": hex::encode(digest) })
}

fn tell_manifest(verdict: &str, manifest: &Manifest) {
    let Manifest { name, version, made, digest, .. } = manifest;
    println!(
        "{verdict}\n\
         名称 · name      {name}\n\
         版本 · version   {version}\n\
         时间 · made      {made}\n\
         摘要 · SM3       {}",
        hex::encode(digest)
    );
}

/// The failure with what to do about it, where that is known.
fn explained(error: SigningError) -> Failure {
    let advice = match &error {
        SigningError::Service(start) if matches!(**start, StartError::Store(StoreError::InUse)) => {
            "服务正在运行，请先停止 · the service is running: stop it first"
        }
        SigningError::Policy(_) => {
            "请用 healthcardd policy tell 试用规则 · try the rules with `healthcardd policy tell`"
        }
        SigningError::File { .. } => {
            "日志中已有签名记录，请排除故障后再次签名 · the log has that it was signed: mend this, and sign once more"
        }
        _ => return error.into(),
    };
    format!("{}（{advice}）", service::telemetry::chain(&error)).into()
}
