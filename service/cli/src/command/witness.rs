//! `healthcard witness`: another party signs that the log only grows. Its key is that of the identity.

use std::{net::SocketAddr, time::Duration};

use audit::{checkpoint::VerifierKey, cosignature::Witnessed};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    context::{Context, Outcome},
    desk::Interruption,
    exit::Exit,
    failure::Failure,
    json,
    page::{Page, instant},
    text::{self, Text, problems},
    witness::{Held, Memory, Turn, View, Why, Witness},
};

#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// 以本身份的密钥成为一个日志的见证方；给出的公钥交服务登记 | Become a witness of a log with the key of this identity; the service is told the key that this gives
    Begin {
        /// 见证方名称，如 witness.example | What the witness is called, e.g. witness.example
        #[arg(long, value_name = "LABEL")]
        label: String,
        #[command(flatten)]
        log: Log,
    },
    /// 日志更换密钥后，也采信新的验证公钥 | Believe another key of the log as well, after it was changed
    Accept(Log),
    /// 定时核对日志只增未改，并签署最新检查点 | Check again and again that the log only grows, and sign its newest checkpoint
    Run(Run),
    /// 显示最近签署的检查点，以及日志不一致的证据 | Show what was signed last, and what shows that the log is another one
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    /// 日志的验证公钥，应从服务以外的途径取得或核对 | Verifier key of the log; get or compare it another way than from the service
    #[arg(long, value_name = "KEY", env = "HEALTHCARD_VERIFIER_KEY")]
    verifier_key: String,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// 每隔多少秒核对一次 | Seconds from one look to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86400))]
    every: u32,
    /// 只核对一次 | Look once
    #[arg(long)]
    once: bool,
    /// 以 HTTP 公开最近签署的检查点（/checkpoint）和证据（/evidence）的地址 | Address at which anybody is shown over HTTP what was signed last (/checkpoint), and evidence (/evidence)
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    listen: Option<SocketAddr>,
}

impl Log {
    fn key(&self) -> Result<VerifierKey, Failure> {
        let key = self.verifier_key.trim().parse();
        key.map_err(|error| Failure::of(problems::VERIFIER_KEY_MALFORMED).about(error))
    }
}

impl WitnessCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let home = context.service.home();
        let memory = Memory::of(home);
        match self {
            Self::Begin { label, log } => {
                let key = memory.begin(&label, &home.key()?, &log.key()?)?;
                let page =
                    Page::titled(text::WITNESS_BEGUN).row(text::WITNESS_KEY, key.to_string());
                context.screen.show(&json!({ "witness_key": key.to_string() }), &page);
                Ok(Exit::Done)
            }
            Self::Accept(log) => {
                memory.key()?;
                memory.accept(&log.key()?)?;
                show(context, &memory)
            }
            Self::Run(order) => order.run(context, memory).await,
            Self::Show => show(context, &memory),
        }
    }
}

impl Run {
    async fn run(self, context: &Context, memory: Memory) -> Outcome {
        let witness = Witness::open(memory, context.service.home().key()?)?;
        if self.once {
            return Ok(told(context, &witness.turn(&context.service).await?));
        }
        let mut view = None;
        if let Some(address) = self.listen {
            let (offered, bound) = View::offer(address).await?;
            offered.show(witness.memory());
            view = Some(offered);
            let page =
                Page::default().row(text::WITNESS_VIEW, format!("http://{bound}/checkpoint"));
            let json = json!({ "event": "listening", "address": bound.to_string() });
            context.screen.show(&json, &page);
        }
        let mut interrupted = Interruption::new()?;
        let mut beat = interval(Duration::from_secs(self.every.into()));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut exit = Exit::Done;
        loop {
            tokio::select! {
                biased;
                () = interrupted.came() => return Ok(exit),
                _ = beat.tick() => {}
            }
            let turn = tokio::select! {
                biased;
                () = interrupted.came() => return Ok(exit),
                turn = witness.turn(&context.service) => turn,
            };
            if let Some(view) = &view {
                view.show(witness.memory());
            }
            match turn {
                // Whoever runs it learns it from how it ends, too: what was seen stays seen.
                Ok(turn) if told(context, &turn) == Exit::Tampered => exit = Exit::Tampered,
                Ok(_) => {}
                Err(failure) => context.screen.fail(&failure),
            }
        }
    }
}

/// Tells what a turn came to.
fn told(context: &Context, turn: &Turn) -> Exit {
    let (signed, title) = match turn {
        Turn::First(signed) => (signed, text::WITNESS_SIGNED_FIRST),
        Turn::Grew(signed) => (signed, text::WITNESS_SIGNED),
        Turn::Differs(why, file) => {
            let json = json!({ "event": "differs", "why": why.word(), "evidence": file });
            let page = Page::titled(text::WITNESS_DIFFERS)
                .row(text::FINDING, why_text(*why))
                .row(text::WITNESS_EVIDENCE, file.display().to_string())
                .row(text::ADVICE, problems::LOG_TAMPERED.advice);
            context.screen.show(&json, &page);
            return Exit::Tampered;
        }
    };
    let mut json = signed_json(signed);
    json["event"] = "signed".into();
    context.screen.show(&json, &signed_page(Page::titled(title), signed));
    Exit::Done
}

/// What was seen, in words.
pub(super) fn why_text(why: Why) -> Text {
    match why {
        Why::SaidShorter => text::WITNESS_SAID_SHORTER,
        Why::SaidForked => text::WITNESS_SAID_FORKED,
        Why::Unknown => text::WITNESS_UNKNOWN_THERE,
        Why::Shorter => text::WITNESS_SHORTER,
        Why::Forked => text::WITNESS_FORKED,
        Why::NotProved => text::WITNESS_NOT_PROVED,
    }
}

fn show(context: &Context, memory: &Memory) -> Outcome {
    let (key, held, evidence) = (memory.key()?, memory.held()?, memory.evidence());
    let mut page = Page::titled(text::LOG_WITNESS).row(text::WITNESS_KEY, key.to_string());
    for log in memory.logs()? {
        page = page.row(text::VERIFIER_KEY, log.to_string());
    }
    let mut json = json!({ "witness_key": key.to_string(), "held": null, "evidence": evidence });
    if let Some(Held { signed, note }) = &held {
        json["held"] = signed_json(signed);
        json["held"]["note"] = note.as_str().into();
        page = signed_page(page, signed);
    }
    for file in &evidence {
        page = page.row(text::WITNESS_EVIDENCE, file.display().to_string());
    }
    context.screen.show(&json, &page);
    Ok(if evidence.is_empty() { Exit::Done } else { Exit::Tampered })
}

fn signed_json(signed: &Witnessed) -> Value {
    let Witnessed { checkpoint, time } = signed;
    json!({
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": hex::encode(checkpoint.root),
        "signed_at": json::instant(moment(*time)),
    })
}

fn signed_page(page: Page, signed: &Witnessed) -> Page {
    let Witnessed { checkpoint, time } = signed;
    page.row(text::LABEL, &checkpoint.origin)
        .row(text::LOG_SIZE, checkpoint.size)
        .row(text::ROOT, hex::encode(checkpoint.root))
        .row(text::WITNESS_SIGNED_AT, instant(moment(*time)))
}

/// A time of a cosignature, which may be any number.
pub(super) fn moment(seconds: u64) -> OffsetDateTime {
    let at =
        i64::try_from(seconds).ok().and_then(|it| OffsetDateTime::from_unix_timestamp(it).ok());
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
