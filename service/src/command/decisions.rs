//! `healthcardd policy replay` and `try`: decisions of the log, made again. The service may be running, and no key is needed.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};
use service::{
    demo::Language,
    policy::{self, Ruling},
    rules::again::{self, Again, Change, Changed, Differing, Unclear},
};

use super::Failure;

/// Which decisions are looked at, and how they are told.
#[derive(Args)]
pub(crate) struct Look {
    /// 数据目录 · Data directory.
    #[arg(long, value_name = "DIR", env = "HEALTHCARD_DATA")]
    data: PathBuf,
    /// 只看最近若干天的决定；省略时为全部 · Only decisions of so many days; all of them when absent.
    #[arg(long, value_name = "NUMBER")]
    days: Option<NonZeroU32>,
    /// 每类差别最多列出若干个 · The most that are listed of each kind of difference.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16))]
    most: u16,
    /// 语言 · Language: zh-CN, en.
    #[arg(long, env = "LANG_UI", default_value = "zh-CN")]
    lang: Language,
    /// 输出一个 JSON 对象 · One JSON object.
    #[arg(long)]
    json: bool,
}

impl Look {
    /// Fails when a decision does not come out as the log has it.
    pub(crate) fn replay(&self) -> Result<(), Failure> {
        let again = again::replay(&self.data, self.look())?;
        self.tell(&again);
        match again.differing() {
            0 => Ok(()),
            some => Err(format!(
                "{some} 个决定与日志所记不同 · {some} decisions come out otherwise than the log has them"
            )
            .into()),
        }
    }

    pub(crate) fn tried(&self, folder: &Path) -> Result<(), Failure> {
        self.tell(&again::tried(&self.data, folder, self.look())?);
        Ok(())
    }

    fn look(&self) -> again::Look {
        again::Look { days: self.days, most: self.most.into() }
    }

    fn tell(&self, again: &Again) {
        if self.json {
            println!("{}", as_json(again));
            return;
        }
        let (same, differing) = (again.same, again.differing());
        let unclear: u64 = again.unclear.values().sum();
        println!(
            "{}",
            match self.lang {
                Language::Chinese => format!(
                    "重新作出的决定中，{same} 个结果相同，{differing} 个不同；另有 {unclear} 个无法重新作出"
                ),
                Language::English => format!(
                    "Decisions made again: {same} come out the same, {differing} differ; {unclear} could not be made again"
                ),
            }
        );
        for (change, Changed { count, first }) in &again.changed {
            println!("{}  {count}", self.change(*change));
            first.iter().for_each(|differing| self.tell_one(differing));
            let more = count - first.len() as u64;
            if more > 0 {
                println!("  {}", self.say(format!("另有 {more} 个"), format!("and {more} more")));
            }
        }
        if !again.unclear.is_empty() {
            println!("{}", self.say("无法重新作出", "could not be made again"));
        }
        for (why, count) in &again.unclear {
            println!("  {count}  {}", self.why(why));
        }
    }

    fn tell_one(&self, differing: &Differing) {
        let Differing { position, at, act, identity, resident, then, now } = differing;
        let person = |id: &Option<String>| id.clone().unwrap_or_else(|| "-".to_owned());
        let (identity, resident) = (person(identity), person(resident));
        println!(
            "  {position}  {at}  {act}  {} {identity}  {} {resident}",
            self.say("人员", "by"),
            self.say("居民", "about")
        );
        println!("      {} → {}", self.ruling(then), self.ruling(now));
    }

    fn ruling(&self, ruling: &Ruling) -> String {
        match ruling {
            Ruling::Allowed { rule, relations, mask } => {
                let relations: Vec<_> = relations.iter().map(|it| it.as_str()).collect();
                let relations = match &relations[..] {
                    [] => "-".to_owned(),
                    relations => relations.join(", "),
                };
                self.say(
                    format!("准许 {rule}（依据 {relations}；脱敏 {mask}）"),
                    format!("allowed by {rule} (rests on {relations}; mask {mask})"),
                )
            }
            Ruling::Refused { rule } => {
                self.say(format!("拒绝 {rule}"), format!("refused by {rule}"))
            }
        }
    }

    fn change(&self, change: Change) -> &'static str {
        match change {
            Change::Opened => self.say("原先拒绝，现在准许", "refused before, allowed now"),
            Change::Closed => self.say("原先准许，现在拒绝", "allowed before, refused now"),
            Change::AllowedOtherwise => self.say(
                "准许，但规则、脱敏或所依据的关系不同",
                "allowed by another rule, with another mask, or resting on other relations",
            ),
            Change::RefusedOtherwise => self.say("由另一规则拒绝", "refused by another rule"),
        }
    }

    fn why(&self, why: &Unclear) -> String {
        let (zh, en) = match why {
            Unclear::Rules(digest) => (
                format!("当时的规则不在记录中，也不是本程序所带：{digest}"),
                format!("rules that are neither on record nor those of this program: {digest}"),
            ),
            Unclear::OldRules(digest) => (
                format!("本程序不能读取当时的规则：{digest}"),
                format!("rules on record that this program does not read: {digest}"),
            ),
            Unclear::Leaf(why @ policy::Unclear::Missing(name)) => {
                (format!("日志条目缺少 {name}"), why.to_string())
            }
            Unclear::Leaf(why @ policy::Unclear::Unknown(name)) => {
                (format!("日志条目的 {name} 无法识别"), why.to_string())
            }
            Unclear::Leaf(why @ policy::Unclear::RoleAlone) => {
                ("当时只看角色即拒绝，现在该角色可以请求".to_owned(), why.to_string())
            }
            Unclear::Leaf(why @ policy::Unclear::NotLookedFor(relation)) => {
                (format!("当时未查明请求者是否为 {relation}，现在有关系"), why.to_string())
            }
            Unclear::NoEntry => ("不是日志条目".to_owned(), "not an entry of the log".to_owned()),
        };
        self.say(zh, en)
    }

    fn say<T>(&self, zh: T, en: T) -> T {
        match self.lang {
            Language::Chinese => zh,
            Language::English => en,
        }
    }
}

fn as_json(again: &Again) -> Value {
    let of = |change| {
        let none = Changed::default();
        let Changed { count, first } = again.changed.get(&change).unwrap_or(&none);
        let first: Vec<_> = first.iter().map(one_as_json).collect();
        json!({ "count": count, "first": first })
    };
    let unclear: Vec<_> = again.unclear.iter().map(unclear_as_json).collect();
    json!({
        "same": again.same,
        "opened": of(Change::Opened),
        "closed": of(Change::Closed),
        "allowed_otherwise": of(Change::AllowedOtherwise),
        "refused_otherwise": of(Change::RefusedOtherwise),
        "unclear": unclear,
    })
}

fn one_as_json(differing: &Differing) -> Value {
    let Differing { position, at, act, identity, resident, then, now } = differing;
    json!({
        "position": position, "at": at, "act": act, "identity": identity, "resident": resident,
        "then": ruling_as_json(then), "now": ruling_as_json(now),
    })
}

fn ruling_as_json(ruling: &Ruling) -> Value {
    match ruling {
        Ruling::Allowed { rule, relations, mask } => {
            json!({ "allowed": true, "rule": rule, "relations": relations, "mask": mask })
        }
        Ruling::Refused { rule } => json!({ "allowed": false, "rule": rule }),
    }
}

fn unclear_as_json((why, count): (&Unclear, &u64)) -> Value {
    let (why, what) = match why {
        Unclear::Rules(digest) => ("rules-not-on-record", Some(digest.as_str())),
        Unclear::OldRules(digest) => ("rules-not-read", Some(digest.as_str())),
        Unclear::Leaf(policy::Unclear::Missing(name)) => ("missing", Some(*name)),
        Unclear::Leaf(policy::Unclear::Unknown(name)) => ("unknown", Some(*name)),
        Unclear::Leaf(policy::Unclear::RoleAlone) => ("role-alone", None),
        Unclear::Leaf(policy::Unclear::NotLookedFor(tie)) => ("not-looked-for", Some(tie.as_str())),
        Unclear::NoEntry => ("no-entry", None),
    };
    json!({ "why": why, "what": what, "count": count })
}
