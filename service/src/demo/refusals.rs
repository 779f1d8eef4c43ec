//! What must be refused, and the log that must not be edited.

use serde_json::Value;

use super::people::{AUDITOR, CLERK, COLLEAGUE, DESK, PATIENT};
use super::report::{Report, Text, text};
use super::stage::{CardKeys, field};
use super::story::{Story, same};
use super::{DemoError, tamper};

impl Story {
    /// A lost card, a doctor without relation, a forged card: each refused, and for its own reason.
    pub(super) fn refusals(&mut self, report: &mut Report) -> Result<(), DemoError> {
        report.say(&text("下面三件事必须被拒绝：", "Three things that must be refused:"))?;
        let image = self.card(PATIENT.key);
        report.step(
            "refusal.lost-card",
            text("已挂失的卡", "a lost card"),
            text("捡到卡的人", "whoever found the card"),
            || {
                self.stage.ask(CLERK.key, &["card", "report-loss", &self.card_id])?.granted()?;
                let failure = self.present(&image)?;
                let told = refused(&failure, "CARD_LOST")?;
                self.stage.ask(CLERK.key, &["card", "release", &self.card_id])?.granted()?;
                Ok(told)
            },
        )?;
        self.take_out()?;
        report.step(
            "refusal.no-relation",
            text("与患者无诊疗关系的医师", "a doctor without relation to the patient"),
            text(format!("{}（{}）", COLLEAGUE.zh, COLLEAGUE.name), COLLEAGUE.en),
            || {
                let refusal = self.ask_for_token(COLLEAGUE.key)?.refused("NO_RELATION")?;
                let rule = refusal["rule"].as_str().unwrap_or("-");
                let message = field(&refusal, "message")?;
                Ok(text(
                    format!("已拒绝：{message}（NO_RELATION，规则 {rule}）"),
                    format!("Refused: {message} (NO_RELATION, rule {rule})"),
                ))
            },
        )?;
        let forged = self.stage.make_card(&PATIENT, CardKeys::Forged)?;
        report.step(
            "refusal.forged-card",
            text("密钥不对的伪造卡", "a forged card whose keys are wrong"),
            text("伪造者", "a forger"),
            || refused(&self.present(&forged)?, "CARD_NOT_GENUINE"),
        )?;
        self.take_out()
    }

    /// One byte of a copy of the log is changed, and the checker names the entry.
    pub(super) fn tampering(&mut self, report: &mut Report) -> Result<(), DemoError> {
        report.say(&text(
            "下面在日志的副本上改动一个字节：",
            "Now one byte is changed in a copy of the log:",
        ))?;
        let copy = self.stage.path("log/copy.db");
        let keys = self.stage.ask(AUDITOR.key, &["audit", "checkpoint"])?.granted()?;
        let verifier = field(&keys, "verifier_key")?.to_owned();
        let file = copy.to_string_lossy().into_owned();
        let check = ["audit", "check", &file, "--verifier-key", &verifier];
        let who = || text(AUDITOR.zh, AUDITOR.en);
        report.step(
            "audit.check",
            text("校验日志副本", "the copy is checked"),
            who(),
            || {
                tamper::copy(&self.stage.path("data/healthcard.db"), &copy)?;
                let verdict = self.stage.ask(AUDITOR.key, &check)?.granted()?;
                same("verdict", field(&verdict, "verdict")?, "valid")?;
                Ok(text("未改动：完整有效。", "Untouched: valid."))
            },
        )?;
        let position = self.token_position;
        report.step(
            "audit.tamper",
            text("改动一个字节后再校验", "one byte is changed, and it is checked again"),
            who(),
            || {
                tamper::change_byte(&copy, position, 40)?;
                let verdict = self.stage.ask(AUDITOR.key, &check)?;
                same("exit code", &verdict.code.to_string(), "4")?;
                same("verdict", field(&verdict.body, "verdict")?, "tampered")?;
                let named = verdict.body["findings"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|f| f["position"] == position));
                if !named {
                    let got = verdict.body.to_string();
                    return Err(DemoError::unexpected(format!("entry {position} named"), got));
                }
                Ok(text(
                    format!("已发现：第 {position} 条被改动。"),
                    format!("Found: entry {position} was altered."),
                ))
            },
        )
    }
}

/// The desk must show this failure, and nothing of the holder.
fn refused(event: &Value, reason: &str) -> Result<Text, DemoError> {
    let failure = &event["failure"];
    same("reason", failure["reason"].as_str().unwrap_or("no refusal"), reason)?;
    let (zh, en) = (field(failure, "message_zh")?, field(failure, "message_en")?);
    let desk = DESK.name;
    Ok(text(format!("{desk}：已拒绝，{zh}（{reason}）"), format!("Refused: {en} ({reason})")))
}
