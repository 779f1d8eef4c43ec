//! What a refusal is missing, the consent that opens it, and its withdrawal; and the emergency that ends by itself.

use std::time::Instant;

use serde_json::Value;

use super::DemoError;
use super::people::{AUDITOR, CLERK, COLLEAGUE, DOCTOR, PATIENT, RECORDS};
use super::report::{Report, Text, text};
use super::stage::{Answer, PATIENCE, field};
use super::story::{AUDIENCE, Story, same, who};

impl Story {
    /// Data of the highest grade: refused with the reason, opened by the resident, closed again.
    pub(super) fn consent(&mut self, report: &mut Report) -> Result<(), DemoError> {
        report.say(&text(
            "下面由居民本人决定谁能看最敏感的数据：",
            "Now the resident decides who sees the most sensitive data:",
        ))?;
        report.step(
            "refusal.grade",
            text("求取 5 级数据", "data of grade 5 are asked for"),
            who(&DOCTOR),
            || {
                let refusal = self.ask_for_grade_5()?.refused("GRADE_TOO_HIGH")?;
                Ok(missing(&refusal))
            },
        )?;
        let (presence, consent) = self.grant(report)?;
        report.step(
            "consent.witness",
            text("另一人见证", "a second person saw it given"),
            who(&COLLEAGUE),
            || {
                let order = ["consent", "witness", &consent];
                let seen = self.stage.ask(COLLEAGUE.key, &order)?.granted()?;
                same("state", field(&seen, "state")?, "CONSENT_STATE_IN_FORCE")?;
                Ok(text(
                    "授权生效；居民得到签名回执，可打印，附二维码。",
                    "The consent is in force; the resident gets a signed receipt, on paper with a QR code.",
                ))
            },
        )?;
        let mut token = String::new();
        report.step(
            "token.issue",
            text("再次求取", "they are asked for again"),
            who(&DOCTOR),
            || {
                let issued = self.ask_for_grade_5()?.granted()?;
                token = field(&issued, "token")?.to_owned();
                let rule = field(&issued, "rule")?;
                same("rule", rule, "doctor-treats-with-consent")?;
                Ok(text(
                    format!("依据规则 {rule}，关系：接诊、居民的授权确认。"),
                    format!("Granted by rule {rule}: attending, with the resident's consent."),
                ))
            },
        )?;
        report.step(
            "consent.withdraw",
            text("居民撤回授权", "the resident withdraws it"),
            who(&CLERK),
            || {
                let order = ["consent", "withdraw", &consent, "--presence", &presence];
                self.stage.ask(CLERK.key, &order)?.granted()?;
                same("reason", &self.why_inactive(&token)?, "CONSENT_OVER")?;
                self.ask_for_grade_5()?.refused("GRADE_TOO_HIGH")?;
                Ok(text(
                    "依据它的令牌随即失效（CONSENT_OVER）。",
                    "The token that rests on it is over at once (CONSENT_OVER).",
                ))
            },
        )?;
        self.history(report, &presence)
    }

    /// The clerk reads the card and records what the resident agrees to; presence and consent.
    fn grant(&mut self, report: &mut Report) -> Result<(String, String), DemoError> {
        // The clerk's own reading: what watches the readers for the desk ends first.
        self.desk.end()?;
        let image = self.card(PATIENT.key);
        self.readers.insert(0, &image)?;
        let (mut presence, mut consent) = (String::new(), String::new());
        report.step(
            "consent.grant",
            text("居民持卡授权", "the resident agrees, card in the reader"),
            who(&CLERK),
            || {
                let reading = self.stage.ask(CLERK.key, &["card", "read"])?.granted()?;
                presence = field(&reading, "presence_id")?.to_owned();
                let person = self.doctor_id.clone();
                let institution = self.institution_id.clone();
                let order = [
                    "consent", "grant", "--resident", &self.resident_id, "--presence", &presence,
                    "--classes", "health", "--grade", "5", "--recipient", &institution,
                    "--only", &person, "--days", "30",
                ];
                let given = self.stage.ask(CLERK.key, &order)?.granted()?;
                same("state", field(&given, "state")?, "CONSENT_STATE_AWAITS_WITNESS")?;
                consent = field(&given, "consent_id")?.to_owned();
                Ok(text(
                    format!("同意{}为诊疗查看健康状况数据，最高 5 级，30 天；5 级数据须另一人见证。", DOCTOR.name),
                    "The doctor may see health data up to grade 5 to treat, for 30 days; grade 5 takes a witness.",
                ))
            },
        )?;
        Ok((presence, consent))
    }

    /// Somebody without any tie sees data at once, for seconds here, and answers for it.
    pub(super) fn emergency(&mut self, report: &mut Report) -> Result<(), DemoError> {
        report.say(&text(
            "下面是一次紧急访问（演练：15 秒后自行结束）：",
            "Now an emergency access (an exercise: it ends by itself after 15 seconds):",
        ))?;
        let (mut emergency, mut token) = (String::new(), String::new());
        report.step(
            "emergency.begin",
            text("发起紧急访问", "it is begun"),
            who(&COLLEAGUE),
            || {
                let note = self.written("昏迷送医，急需用药史")?;
                let order = [
                    "emergency", "begin", "--resident", &self.resident_id, "--reason",
                    "unconscious", "--note", &note,
                ];
                let begun = self.stage.ask(COLLEAGUE.key, &order)?.granted()?;
                emergency = field(&begun, "emergency_id")?.to_owned();
                let order = [
                    "token", "issue", "--emergency", &emergency, "--purpose", "emergency",
                    "--grade", "4", "--classes", "health,care", "--audience", AUDIENCE,
                ];
                let issued = self.stage.ask(COLLEAGUE.key, &order)?.granted()?;
                token = field(&issued, "token")?.to_owned();
                same("rule", field(&issued, "rule")?, "doctor-in-emergency")?;
                Ok(text(
                    "无诊疗关系的医师说明事由后立即取得令牌，限这一位居民；须事后说明并接受复核。",
                    "A doctor without any tie says why and gets a token at once, for this one resident; an account and a review are owed.",
                ))
            },
        )?;
        report.step(
            "emergency.over",
            text("到时自行结束", "it ends by itself"),
            text("服务", "the service"),
            || {
                let over = self.until_inactive(&token)?;
                same("reason", &over, "EMERGENCY_OVER")?;
                Ok(text("令牌已失效（EMERGENCY_OVER）。", "The token is over (EMERGENCY_OVER)."))
            },
        )?;
        report.step(
            "emergency.account",
            text("书面说明", "it is accounted for"),
            who(&COLLEAGUE),
            || {
                let note = self.written("查阅既往用药后处置")?;
                let order = ["emergency", "account", &emergency, "--note", &note];
                self.stage.ask(COLLEAGUE.key, &order)?.granted()?;
                Ok(text(
                    "说明加密保存，不进日志。",
                    "What was written is sealed, and not in the log.",
                ))
            },
        )?;
        report.step(
            "emergency.review",
            text("另一人复核", "another person reviews it"),
            who(&AUDITOR),
            || {
                let note = self.written("与急诊记录相符")?;
                let order = [
                    "emergency", "review", &emergency, "--finding", "justified", "--note", &note,
                ];
                self.stage.ask(AUDITOR.key, &order)?.granted()?;
                let told = self.stage.ask(CLERK.key, &["resident", "get", &self.resident_id])?;
                let told = told.granted()?;
                let notices = told["notices"].as_array().map_or(0, Vec::len);
                same("notices", &notices.to_string(), "1")?;
                Ok(text(
                    "结论：合理。窗口下次读该居民的卡或打开其登记时显示待告知事项。",
                    "Justified. The desk is shown what the resident is to be told when their card is next read or their record opened.",
                ))
            },
        )
    }

    /// Whoever asked for what nothing ties them to is warned of; somebody looks into it and says what came of it.
    pub(super) fn warning(&mut self, report: &mut Report) -> Result<(), DemoError> {
        report.say(&text(
            "服务查看自己的日志，对应当核查的情形预警：",
            "The service looks at its own log, and warns of what somebody should look into:",
        ))?;
        let mut warning = String::new();
        report.step(
            "warning.list",
            text("待核查的预警", "what is to be looked into"),
            who(&AUDITOR),
            || {
                let first = self.first_warning()?;
                warning = field(&first, "warning_id")?.to_owned();
                let (zh, en) = (field(&first, "found_zh")?, field(&first, "found_en")?);
                Ok(text(format!("{}：{zh}。", COLLEAGUE.name), format!("A doctor {en}.")))
            },
        )?;
        report.step(
            "warning.replay",
            text("按日志重新判断", "the log is asked again"),
            who(&AUDITOR),
            || {
                let again =
                    self.stage.ask(AUDITOR.key, &["warning", "replay", &warning])?.granted()?;
                same("same", &again["same"].to_string(), "true")?;
                Ok(text("结果相同。", "It says the same."))
            },
        )?;
        report.step(
            "warning.close",
            text("登记核查结论", "what came of it"),
            who(&AUDITOR),
            || {
                let note = self.written("误选患者，已当面核实")?;
                let order =
                    ["warning", "close", &warning, "--verdict", "explained", "--note", &note];
                self.stage.ask(AUDITOR.key, &order)?.granted()?;
                Ok(text(
                    "结论：有正当理由；依据加密保存。",
                    "Explained; what it rests on is sealed.",
                ))
            },
        )
    }

    /// The first that somebody without relation brought about, once there is one.
    fn first_warning(&self) -> Result<Value, DemoError> {
        let begin = Instant::now();
        loop {
            let order = ["warning", "list", "--rule", "without-relation"];
            let list = self.stage.ask(AUDITOR.key, &order)?.granted()?;
            match list["warnings"].get(0) {
                Some(first) => return Ok(first.clone()),
                None if begin.elapsed() < PATIENCE => {}
                None => return Err(DemoError::unexpected("a warning", list.to_string())),
            }
        }
    }

    /// A file with a few words.
    fn written(&self, words: &str) -> Result<String, DemoError> {
        let file = self.stage.write("records/note.txt", words.as_bytes())?;
        Ok(file.to_string_lossy().into_owned())
    }

    /// Why a token is not good any more, once it is not.
    fn until_inactive(&self, token: &str) -> Result<String, DemoError> {
        let begin = Instant::now();
        loop {
            match self.why_inactive(token)? {
                reason if reason.is_empty() && begin.elapsed() < PATIENCE => {}
                reason => return Ok(reason),
            }
        }
    }

    fn ask_for_grade_5(&self) -> Result<Answer, DemoError> {
        let order = [
            "token",
            "issue",
            "--visit",
            &self.visit_id,
            "--grade",
            "5",
            "--classes",
            "health",
            "--audience",
            AUDIENCE,
        ];
        Ok(self.stage.ask(DOCTOR.key, &order)?)
    }

    /// Why a token is not good any more, as the record system is told.
    pub(super) fn why_inactive(&self, token: &str) -> Result<String, DemoError> {
        let file = self.stage.write("records/over.jws", token.as_bytes())?;
        let file = file.to_string_lossy();
        let order = ["token", "introspect", "--token", &file, "--audience", AUDIENCE];
        let said = self.stage.ask(RECORDS.key, &order)?.body;
        Ok(said["inactive_reason"].as_str().unwrap_or_default().to_owned())
    }
}

/// What a refusal is missing, and who can grant it.
pub(super) fn missing(refusal: &Value) -> Text {
    let said = |name: &str| refusal[name].as_str().unwrap_or("-").to_owned();
    let (rule, missing, grantor) = (said("rule"), said("missing"), said("grantor"));
    text(
        format!("已拒绝（规则 {rule}）。缺少：{missing}。\n可由其办理：{grantor}。"),
        format!("Refused by {rule}. Missing: {missing}.\nWho can grant it: {grantor}."),
    )
}
