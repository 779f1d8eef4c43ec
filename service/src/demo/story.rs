//! The visit itself: from the first key to the auditor's proof.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::DemoError;
use super::people::{
    AUDITOR, CLERK, COLLEAGUE, DEPARTMENT, DESK, DOCTOR, HOSPITAL, PATIENT, RECORDS, Resident,
    SOMEBODY_ELSE, STAFF,
};
use super::readers::{Desk, VirtualReaders};
use super::report::{Report, Text, text};
use super::stage::{CardKeys, OPERATOR, REVIEWER, Stage, field};

/// Resource server that the tokens of the demo are for.
pub(super) const AUDIENCE: &str = "emr.example";

/// How long an emergency access lasts here.
const EMERGENCY_SECONDS: u32 = 15;

/// What has happened so far.
pub(super) struct Story {
    pub(super) stage: Stage,
    pub(super) readers: VirtualReaders,
    pub(super) desk: Desk,
    pub(super) institution_id: String,
    pub(super) doctor_id: String,
    pub(super) resident_id: String,
    pub(super) card_id: String,
    pub(super) visit_id: String,
    pub(super) token_position: u64,
}

fn operator() -> Text {
    text("管理员", "operator")
}

pub(super) fn who(staff: &super::people::Staff) -> Text {
    text(format!("{}（{}）", staff.zh, staff.name), staff.en)
}

impl Story {
    /// Keys, service, people and cards: everything that is there before a patient comes.
    pub(super) fn begin(mut stage: Stage, report: &mut Report) -> Result<Self, DemoError> {
        report.step(
            "init",
            text("生成密钥、根证书和签发证书", "keys and certificate authorities"),
            operator(),
            || {
                stage.init()?;
                Ok(text(
                    "密钥库已加密保存；根 CA、各签发 CA、数据库和首两位管理员已就绪。",
                    "The keystore is sealed; root CA, issuing CAs, database and the first two operators exist.",
                ))
            },
        )?;
        report.step(
            "policy.sign",
            text("签署授权规则", "the rules of access are signed"),
            operator(),
            || {
                stage.exercise(EMERGENCY_SECONDS)?;
                Ok(text(
                    "采用随附的规则；为演练，紧急访问 15 秒后自行结束，无诊疗关系而查阅一次即预警。未签名或被改动的规则，服务拒绝启动。",
                    "The shipped ones; for the exercise an emergency access ends after 15 seconds, and one refusal for want of a relation is warned of. By rules that are unsigned or were changed the service does not start.",
                ))
            },
        )?;
        report.step("serve", text("启动服务", "the service starts"), operator(), || {
            stage.serve()?;
            Ok(text(
                format!("gRPC 服务（TLS 1.3）在 {}", stage.url()),
                format!("gRPC over TLS 1.3 at {}", stage.url()),
            ))
        })?;
        let mut institution = String::new();
        report.step(
            "institution.register",
            text("登记医疗机构", "the institution is registered"),
            operator(),
            || {
                institution = stage.register_institution(&HOSPITAL)?;
                Ok(text(
                    format!("{}，统一社会信用代码 {}", HOSPITAL.name, HOSPITAL.credit_code),
                    format!("{}, credit code {}", HOSPITAL.name, HOSPITAL.credit_code),
                ))
            },
        )?;
        let mut doctor_id = String::new();
        for staff in STAFF {
            report.step(
                "identity.enroll",
                text(format!("登记{}并签发证书", staff.zh), format!("{} gets a certificate", staff.en)),
                operator(),
                || {
                    let id = stage.engage(&institution, &staff)?;
                    let told = text(
                        format!("{} 自己生成 SM2 密钥；一位管理员录入其 PKCS#10 申请，另一位复核，均签名留证。", staff.name),
                        "The key was made by its holder; one operator entered its PKCS#10 request, another reviewed it, and both signed.",
                    );
                    if staff.key == DOCTOR.key {
                        doctor_id = id;
                    }
                    Ok(told)
                },
            )?;
        }
        let mut resident_id = String::new();
        report.step(
            "resident.register",
            text("登记居民", "the resident is registered"),
            who(&CLERK),
            || {
                resident_id = stage.register_resident(CLERK.key, &PATIENT)?;
                Ok(text(
                    format!("{}，登记后只用假名 {resident_id}", PATIENT.name),
                    format!("{}, from here on only the pseudonym {resident_id}", PATIENT.name),
                ))
            },
        )?;
        report.step("card.make", text("制卡", "the card is personalised"), operator(), || {
            stage.make_card(&PATIENT, CardKeys::Genuine)?;
            stage.make_card(&SOMEBODY_ELSE, CardKeys::Genuine)?;
            Ok(text(
                "按 SM4 规则由主密钥分散出卡密钥，写入虚拟卡。",
                "Card keys are diversified from the SM4 masters and written to the emulated card.",
            ))
        })?;
        let mut card_id = String::new();
        report.step(
            "card.register",
            text("登记卡", "the card is registered"),
            who(&CLERK),
            || {
                card_id = stage.register_card(CLERK.key, &resident_id, &PATIENT)?;
                Ok(text(
                    format!("发卡序列号 {}，状态：正常", PATIENT.chip_serial),
                    format!("chip serial {}, active", PATIENT.chip_serial),
                ))
            },
        )?;
        let readers = VirtualReaders::start(&stage)?;
        let desk = Desk::start(&stage, DESK.key, &[])?;
        Ok(Self {
            stage,
            readers,
            desk,
            institution_id: institution,
            doctor_id,
            resident_id,
            card_id,
            visit_id: String::new(),
            token_position: 0,
        })
    }

    /// A patient comes: card, visit, token, signature, and the auditor's questions afterwards.
    pub(super) fn visit(&mut self, report: &mut Report) -> Result<(), DemoError> {
        let presence = self.read_card(report)?;
        self.open_visit(report, &presence)?;
        let token = self.issue_token(report)?;
        self.check_token(report, &token)?;
        self.sign_entry(report)?;
        self.trace(report)
    }

    /// The image of somebody's card.
    pub(super) fn card(&self, key: &str) -> PathBuf {
        self.stage.path("cards").join(format!("{key}.toml"))
    }

    /// Puts a card into the first reader; what the desk then shows.
    pub(super) fn present(&mut self, image: &Path) -> Result<Value, DemoError> {
        self.readers.insert(0, image)?;
        self.desk.outcome()
    }

    /// Takes the card out, and waits until the desk has seen it: the daemon looks every 400 ms.
    pub(super) fn take_out(&mut self) -> Result<(), DemoError> {
        self.readers.remove(0)?;
        self.desk.event("removed")?;
        Ok(())
    }

    fn read_card(&mut self, report: &mut Report) -> Result<String, DemoError> {
        let mut presence = String::new();
        report.step(
            "card.read",
            text("居民放卡，窗口读卡", "the card is put in a reader"),
            who(&DESK),
            || {
                let image = self.card(PATIENT.key);
                let event = self.present(&image)?;
                let reading = &event["reading"];
                same("name", field(reading, "name")?, PATIENT.name)?;
                same("resident_id", field(reading, "resident_id")?, &self.resident_id)?;
                presence = field(reading, "presence_id")?.to_owned();
                let screen = event["screen_ms"].as_f64().unwrap_or_default();
                let card = reading["card_microseconds"].as_u64().unwrap_or_default();
                let (screen, card) = (screen, card / 1000);
                let commands = &reading["commands"];
                let Resident { name, birth_date, .. } = PATIENT;
                Ok(text(
                    format!("{name}，{birth_date} 出生，身份真实、卡有效。\n从插卡到显示 {screen:.1} ms：{commands} 条指令，其中卡和读卡器 {card} ms。"),
                    format!("{name}, born {birth_date}; the card is genuine, valid and on record.\nInsertion to screen {screen:.1} ms: {commands} commands, {card} ms of it card and reader."),
                ))
            },
        )?;
        self.take_out()?;
        Ok(presence)
    }

    fn open_visit(&mut self, report: &mut Report, presence: &str) -> Result<(), DemoError> {
        report.step("visit.open", text("办理就诊", "the visit is opened"), who(&DESK), || {
            let visit = self.stage.ask(
                DESK.key,
                &[
                    "visit",
                    "open",
                    "--presence",
                    presence,
                    "--department",
                    DEPARTMENT,
                    "--reason",
                    "outpatient",
                    "--attending",
                    &self.doctor_id,
                ],
            )?;
            self.visit_id = field(&visit.granted()?, "visit_id")?.to_owned();
            Ok(text(
                format!("{DEPARTMENT}，接诊：{}；凭刚读到的卡办理。", DOCTOR.name),
                "Internal medicine; the card just read is the proof that the resident is here.",
            ))
        })
    }

    fn issue_token(&mut self, report: &mut Report) -> Result<String, DemoError> {
        report.step(
            "session.open",
            text("医师登录", "the doctor logs in"),
            who(&DOCTOR),
            || {
                self.stage.ask(DOCTOR.key, &["session", "open"])?.granted()?;
                Ok(text(
                    "用自己的 SM2 密钥回答一次性挑战。",
                    "By answering a fresh challenge with the own SM2 key.",
                ))
            },
        )?;
        let mut token = String::new();
        report.step(
            "token.issue",
            text("取得访问令牌", "an access token"),
            who(&DOCTOR),
            || {
                let issued = self.ask_for_token(DOCTOR.key)?.granted()?;
                token = field(&issued, "token")?.to_owned();
                self.token_position = number(&issued["receipt"]["position"])?;
                let rule = field(&issued, "rule")?;
                let relation = issued["relations"][0].as_str().unwrap_or_default();
                same("relation", relation, "attending")?;
                let position = self.token_position;
                Ok(text(
                    format!("依据规则 {rule}，关系：接诊；日志第 {position} 条已落盘。"),
                    format!(
                        "Granted by rule {rule}: attending; entry {position} of the log is on disk."
                    ),
                ))
            },
        )?;
        Ok(token)
    }

    /// Asks for a token for the visit's resident.
    pub(super) fn ask_for_token(&self, who: &str) -> Result<super::stage::Answer, DemoError> {
        Ok(self.stage.ask(
            who,
            &[
                "token",
                "issue",
                "--visit",
                &self.visit_id,
                "--purpose",
                "treatment",
                "--grade",
                "3",
                "--classes",
                "health,care",
                "--audience",
                AUDIENCE,
            ],
        )?)
    }

    fn check_token(&mut self, report: &mut Report, token: &str) -> Result<(), DemoError> {
        let file = self.stage.write("records/token.jws", token.as_bytes())?;
        let file = file.to_string_lossy();
        report.step(
            "token.introspect",
            text("病历系统在线查验令牌", "the token is checked online"),
            who(&RECORDS),
            || {
                let said = self.stage.ask(
                    RECORDS.key,
                    &["token", "introspect", "--token", &file, "--audience", AUDIENCE],
                )?;
                let said = said.granted()?;
                same("active", &said["active"].to_string(), "true")?;
                same("resident_id", field(&said, "resident_id")?, &self.resident_id)?;
                Ok(text("有效。", "Active."))
            },
        )?;
        report.step(
            "token.check",
            text("病历系统离线查验令牌", "the token is checked offline"),
            who(&RECORDS),
            || {
                let keys = self.stage.ask(RECORDS.key, &["token", "keys"])?.granted()?;
                let keys =
                    self.stage.write("records/token-keys.json", keys.to_string().as_bytes())?;
                self.stage
                    .ask(
                        RECORDS.key,
                        &[
                            "token",
                            "check",
                            "--token",
                            &file,
                            "--audience",
                            AUDIENCE,
                            "--keys",
                            &keys.to_string_lossy(),
                        ],
                    )?
                    .granted()?;
                Ok(text(
                    "只凭公布的公钥：SM2 签名、受众和有效期都对。",
                    "With the published key alone: signature, audience and time are right.",
                ))
            },
        )
    }

    fn sign_entry(&mut self, report: &mut Report) -> Result<(), DemoError> {
        let record = self.stage.write("records/progress-note.txt", NOTE.as_bytes())?;
        let signature = self.stage.path("records/progress-note.p7s");
        let (record, signature) = (record.to_string_lossy(), signature.to_string_lossy());
        report.step("sign", text("签署病程记录", "an entry is signed"), who(&DOCTOR), || {
            self.stage
                .ask(DOCTOR.key, &[
                    "sign", "--visit", &self.visit_id, "--file", &record,
                    "--type", "progress-note", "--out", &signature,
                ])?
                .granted()?;
            Ok(text(
                "记录和私钥都不离开医师：只交出摘要和签名，得到 CMS 签名文件。",
                "Neither record nor key left the doctor: a digest and a signature went, a CMS file came back.",
            ))
        })?;
        report.step(
            "verify",
            text("验证签名", "the signature is verified"),
            who(&RECORDS),
            || {
                let verified = self
                    .stage
                    .ask(RECORDS.key, &["verify", "--file", &record, "--signature", &signature])?
                    .granted()?;
                same("valid", &verified["valid"].to_string(), "true")?;
                Ok(text("签名有效。", "Valid."))
            },
        )
    }

    fn trace(&mut self, report: &mut Report) -> Result<(), DemoError> {
        report.step(
            "audit.search",
            text("审计：谁看过该居民", "audit: who touched this resident"),
            who(&AUDITOR),
            || {
                let found = self
                    .stage
                    .ask(AUDITOR.key, &["audit", "search", "--resident", &self.resident_id])?
                    .granted()?;
                let entries = found["entries"].as_array().map_or(0, Vec::len);
                at_least("entries about the resident", entries, 5)?;
                Ok(text(
                    format!("共 {entries} 条，只有假名，没有姓名和号码。"),
                    format!("{entries} entries, by pseudonym; no name and no number."),
                ))
            },
        )?;
        report.step(
            "audit.prove",
            text("审计：证明令牌在日志中", "audit: proof of the token's entry"),
            who(&AUDITOR),
            || {
                let position = self.token_position.to_string();
                self.stage.ask(AUDITOR.key, &["audit", "prove", &position])?.granted()?;
                Ok(text(
                    "命令行自己验算了包含证明和签名的检查点。",
                    "The command line checked the inclusion proof and the signed checkpoint by itself.",
                ))
            },
        )
    }

    /// Leaves settings for `scripts/demo-shell`.
    pub(super) fn write_shell_settings(&self) -> Result<(), DemoError> {
        let mut settings = format!(
            "export HEALTHCARD_SERVER='{}'\nexport HEALTHCARD_TLS_CA='{}'\nexport HEALTHCARD_AS='{}'\nexport PATH='{}':$PATH\n",
            self.stage.url(),
            self.stage.tls_authority().display(),
            self.stage.identity(DESK.key).display(),
            self.stage.programs().directory().display(),
        );
        for key in [
            OPERATOR,
            REVIEWER,
            CLERK.key,
            DESK.key,
            DOCTOR.key,
            COLLEAGUE.key,
            AUDITOR.key,
            RECORDS.key,
        ] {
            let directory = self.stage.identity(key);
            settings += &format!("export {}='{}'\n", key.to_uppercase(), directory.display());
        }
        self.stage.write("shell", settings.as_bytes())?;
        Ok(())
    }
}

/// The entry that the doctor signs; as fictitious as its patient.
const NOTE: &str = "病程记录（演示）：患者一般情况好，体温 36.5 ℃，继续观察。\n";

pub(super) fn same(what: &str, got: &str, expected: &str) -> Result<(), DemoError> {
    if got == expected {
        return Ok(());
    }
    Err(DemoError::unexpected(format!("{what} {expected}"), got))
}

pub(super) fn at_least(what: &str, got: usize, expected: usize) -> Result<(), DemoError> {
    if got >= expected {
        return Ok(());
    }
    Err(DemoError::unexpected(format!("at least {expected} {what}"), got.to_string()))
}

/// A whole number, which JSON of 64-bit fields writes as a number or as a text.
pub(super) fn number(value: &Value) -> Result<u64, DemoError> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse().ok())
        .ok_or_else(|| DemoError::unexpected("a number", value.to_string()))
}
