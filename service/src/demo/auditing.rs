//! What is asked of the log: by a resident at the desk, and by an auditor, who gives it to others to be checked.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::people::{AUDITOR, CLERK, DOCTOR};
use super::programs::ProgramError;
use super::report::{Report, text};
use super::stage::field;
use super::story::{Story, at_least, same, who};
use super::{DemoError, tamper};

impl Story {
    /// The resident whose card is in the reader asks who looked at their records.
    pub(super) fn history(&self, report: &mut Report, presence: &str) -> Result<(), DemoError> {
        let (file, page) =
            (self.stage.path("log/history.txt"), self.stage.path("log/history.html"));
        report.step(
            "resident.history",
            text("居民查问谁看过自己的病历", "the resident asks who looked at their records"),
            who(&CLERK),
            || {
                let order = [
                    "resident", "history", &self.resident_id, "--presence", presence,
                    "--out", &file.to_string_lossy(), "--page", &page.to_string_lossy(),
                ];
                let history = self.stage.ask(CLERK.key, &order)?.granted()?;
                same("verdict", field(&history, "verdict")?, "valid")?;
                let all = history["accesses"].as_array().map_or(&[][..], Vec::as_slice);
                at_least("entries about the resident", all.len(), 10)?;
                let doctor = all.iter().filter(|it| it["name"] == DOCTOR.name).count();
                at_least("entries of the doctor", doctor, 2)?;
                Ok(text(
                    format!("共 {} 条，其中{} {doctor} 条；已在本机核对，无一遗漏。可打印：log/history.html", all.len(), DOCTOR.name),
                    format!("{} entries, {doctor} of the doctor; checked here, none is left out. To be printed: log/history.html", all.len()),
                ))
            },
        )
    }

    /// An auditor's question, and the export that anybody can check with a browser.
    pub(super) fn auditing(&self, report: &mut Report) -> Result<(), DemoError> {
        report.step(
            "audit.question",
            text("审计：谁看过该居民的病历", "audit: who opened this resident's records"),
            who(&AUDITOR),
            || {
                let order =
                    ["audit", "search", "--question", "who-opened", "--resident", &self.resident_id];
                let found = self.stage.ask(AUDITOR.key, &order)?.granted()?;
                let entries = found["entries"].as_array().map_or(0, Vec::len);
                at_least("answers", entries, 3)?;
                let by_rule = ["audit", "count", "--by", "reason", "--question", "refusals"];
                let refused = self.stage.ask(AUDITOR.key, &by_rule)?.granted()?;
                let refused = refused["total"].as_u64().unwrap_or(0);
                at_least("refusals", refused as usize, 3)?;
                Ok(text(
                    format!("查看 {entries} 次；全部拒绝 {refused} 次。查询本身也记入日志。"),
                    format!("{entries} times; {refused} refusals in all. The questions are in the log, too."),
                ))
            },
        )?;
        let export = self.stage.path("log/export.txt");
        report.step(
            "audit.export",
            text("导出日志并核对", "the log is exported and checked"),
            who(&AUDITOR),
            || {
                let out = export.to_string_lossy();
                self.stage.ask(AUDITOR.key, &["audit", "export", "--out", &out])?.granted()?;
                let checked = self.stage.ask(AUDITOR.key, &["audit", "check", &out])?.granted()?;
                same("verdict", field(&checked, "verdict")?, "valid")?;
                Ok(text("完整有效：log/export.txt", "Valid: log/export.txt"))
            },
        )?;
        report.step(
            "audit.page",
            text("用浏览器离线核对导出文件", "the export is checked in a browser, offline"),
            who(&AUDITOR),
            || {
                let page = self.checker_page(&export, "log/checker.html")?;
                same("verdict", &judged(&page, &self.stage.path("browser"))?.verdict, "valid")?;
                Ok(text(
                    "网页结论：完好。打开即可再核对：log/checker.html",
                    "The page says: intact. Open it to see: log/checker.html",
                ))
            },
        )?;
        let position = self.token_position;
        report.step(
            "audit.page-tamper",
            text(
                "改动导出文件的一条后再核对",
                "one entry of the export is changed, and it is checked again",
            ),
            who(&AUDITOR),
            || {
                let altered = self.stage.path("log/altered.txt");
                tamper::change_line(&export, &altered, position)?;
                let page = self.checker_page(&altered, "log/checker-altered.html")?;
                let judged = judged(&page, &self.stage.path("browser"))?;
                same("verdict", &judged.verdict, "tampered")?;
                same("entry", &judged.position, &position.to_string())?;
                Ok(text(
                    format!("网页发现：第 {position} 条被改动。log/checker-altered.html"),
                    format!(
                        "The page found it: entry {position} was altered. log/checker-altered.html"
                    ),
                ))
            },
        )
    }

    /// What a court is given: one file, which is checked with nothing else.
    pub(super) fn package(&self, report: &mut Report) -> Result<(), DemoError> {
        report.step(
            "audit.package",
            text("为法庭制作证据包并核对", "evidence for a court is made and checked"),
            who(&AUDITOR),
            || {
                let out = self.stage.path("log/package.zip");
                let out = out.to_string_lossy();
                let order = ["audit", "package", "--out", &out, "--reason", "演示 demo"];
                let made = self.stage.ask(AUDITOR.key, &order)?.granted()?;
                let files = made["members"].as_array().map_or(0, Vec::len);
                at_least("files in the package", files, 10)?;
                let order = ["audit", "check", &out, "--online"];
                let checked = self.stage.ask(AUDITOR.key, &order)?.granted()?;
                same("verdict", field(&checked, "verdict")?, "valid")?;
                Ok(text(
                    "证据包完好，今日的日志由此增长而来：log/package.zip",
                    "Intact, and the log of today goes on from it: log/package.zip",
                ))
            },
        )
    }

    /// The checker page with an export in it.
    fn checker_page(&self, export: &Path, page: &str) -> Result<PathBuf, DemoError> {
        let page = self.stage.path(page);
        let order = [
            "audit",
            "checker",
            "--bundle",
            &export.to_string_lossy(),
            "--out",
            &page.to_string_lossy(),
        ];
        self.stage.ask(AUDITOR.key, &order)?.granted()?;
        Ok(page)
    }
}

/// What a page says.
struct Judged {
    verdict: String,
    /// Of what was found first.
    position: String,
}

/// Opens a checker page in a browser without a window, and reads what it came to.
fn judged(page: &Path, profile: &Path) -> Result<Judged, DemoError> {
    let mut chromium = Command::new("timeout");
    chromium
        .args([
            "120",
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        // Its clock waits for what the page computes.
        .args(["--virtual-time-budget=600000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()));
    let output =
        chromium.output().map_err(|source| ProgramError::Run { program: "chromium", source })?;
    let shown = String::from_utf8_lossy(&output.stdout);
    // The page's own element comes first, and what was found is a list.
    let value = |after: &str, name: &str| {
        let (_, rest) = shown.split_once(after)?.1.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    Ok(Judged {
        verdict: value("<html", "data-verdict").unwrap_or_default(),
        position: value("<li data-kind", "data-position").unwrap_or_default(),
    })
}
