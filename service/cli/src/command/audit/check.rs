//! The checker: a database file, an export or a package, and the log's key. It asks a service only where it is told to.

mod shown;

use std::path::{Path, PathBuf};

use audit::{
    check::{Report, Verdict},
    checkpoint::{Checkpoint, VerifierKey},
    history::Header,
    receipt::Receipt,
};
use clap::Args;
use serde_json::Value;
use x509_cert::Certificate;

use self::shown::{page, report_json, summary};
use super::{
    Key, Witnesses, all_signed, bundle, cosigned, cosigned_json, database, held, newest,
    package::{Judged, is_package, judge, root},
    parse, running,
    today::{Today, today},
};
use crate::{
    command::authority::authorities,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files,
    page::Page,
    text::{self, problems},
};

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// 数据库文件的副本、导出文件、查阅记录、回执或证据包；不给出而用 --online 时核对运行中服务的日志 | Copies of the database file, exports, access histories, receipts, or packages; without any, and with --online, the log of the running service
    #[arg(value_name = "FILE", required_unless_present = "online")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    key: Key,
    /// 此前保存的检查点，可多次给出 | A checkpoint held earlier; may be repeated
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    #[command(flatten)]
    witnesses: Witnesses,
    /// 所信任的根证书，核对证据包时使用 | Root certificate that is trusted, for packages
    #[arg(long = "ca", value_name = "FILE")]
    root: Option<PathBuf>,
    /// 另由服务（--server）证明其今日的日志由此增长而来 | Have the service (--server) prove that its log of today goes on from this
    #[arg(long)]
    online: bool,
}

/// One file and what was found.
pub(super) struct Checked {
    pub(super) report: Report,
    /// The key came with the file, which then vouches for itself only.
    pub(super) key_in_file: bool,
    pub(super) kind: Kind,
    /// The signed note that it leads to, where it is one.
    pub(super) note: Option<String>,
    /// The key given signed nothing of it: it is of the log if today's log, which that key signed, goes on from it.
    pub(super) foreign: bool,
    pub(super) package: Option<Box<Judged>>,
    pub(super) today: Option<Today>,
}

/// What a file is, or what a package has.
pub(super) enum Kind {
    /// The log, or a range of it.
    Log,
    /// An access history, with what it says of itself.
    History(Box<Header>),
    /// A receipt for an entry.
    Receipt(Box<Receipt>),
}

/// What files are checked with.
struct With<'a> {
    key: Option<&'a VerifierKey>,
    root: Option<&'a Certificate>,
    online: bool,
}

impl Check {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let key = self.key.given()?;
        let root = self.root.as_deref().map(root_in).transpose()?;
        let held: Vec<String> =
            self.checkpoint.iter().map(|path| held(path)).collect::<Result<_, _>>()?;
        if self.files.is_empty() {
            return self.running(context, key, held).await;
        }
        let witnesses = self.witnesses.parsed()?;
        let packages = self.files.iter().any(|path| is_package(path).unwrap_or_default());
        let signed = match &key {
            None if witnesses.is_empty() || packages => Vec::new(),
            None => return Err(Failure::of(problems::VERIFIER_KEY_NEEDED)),
            Some(_) if packages && held.is_empty() => Vec::new(),
            Some(key) => self.witnesses.signed(&held, key)?,
        };
        let mut exit = all_signed(&signed);
        let mut files = Vec::new();
        // What speaks of a log and the log, when they are checked together, have to be of one log.
        let brought = self.files.iter().filter_map(|path| bundle::brought_note(path));
        let whole: Vec<_> = held.iter().cloned().chain(brought).collect();
        let with = With { key: key.as_ref(), root: root.as_ref(), online: self.online };
        for path in &self.files {
            let brings = bundle::brought_note(path).is_some();
            let mut checked = check(path, &with, if brings { &held } else { &whole })?;
            if self.online && (checked.note.is_some() || checked.package.is_none()) {
                checked.compare(context, key.as_ref()).await?;
            }
            let signed = match &checked.package {
                Some(package) => package.witnessed(&witnesses),
                None => signed.clone(),
            };
            if !witnesses.is_empty() {
                exit = worse(exit, all_signed(&signed));
            }
            exit = worse(exit, checked.exit());
            if !context.screen.json {
                // What witnesses signed says something of a log that was compared with it and is whole.
                let page = page(path, &checked);
                let whole = checked.exit() == Exit::Done;
                let page = if whole { cosigned(page, &signed) } else { page };
                let enclosed = witnesses.is_empty() && !signed.is_empty();
                let page = match checked.package.as_ref().filter(|_| whole) {
                    Some(package) => package.notes(page, enclosed),
                    None => page,
                };
                context.screen.show(&Value::Null, &page);
            }
            let mut report = report_json(path, &checked);
            report["witnesses"] = cosigned_json(&signed);
            files.push(report);
        }
        if context.screen.json {
            context.screen.show(&summary(exit, files), &Page::default());
        }
        Ok(exit)
    }

    /// Checks the log of the running service.
    async fn running(
        &self,
        context: &Context,
        given: Option<VerifierKey>,
        mut held: Vec<String>,
    ) -> Outcome {
        let newest = newest(context).await?;
        let key = match &given {
            Some(key) => key.clone(),
            None => parse(&newest.verifier_key)?,
        };
        let signed = self.witnesses.signed(&newest.cosigned, &key)?;
        // What witnesses signed has to be of this log, too.
        held.extend(
            newest.cosigned.iter().filter(|note| Checkpoint::verify(note, &key).is_ok()).cloned(),
        );
        context.screen.hint(text::SERVICE_READING);
        let (report, note) = running::check(context, &key, &held).await?;
        // Where residents stood in what was removed is not given out.
        let index_checked = report.removed.is_none();
        let mut checked = Checked { note: Some(note), ..Checked::of(report) };
        // What it gave out is what it has.
        checked.compare(context, Some(&key)).await?;
        let exit = worse(all_signed(&signed), checked.exit());
        let server = PathBuf::from(context.service.address().origin());
        let mut page = page(&server, &checked);
        if !index_checked {
            page = page.row(text::INDEX_OF_RESIDENTS, text::INDEX_NOT_CHECKED);
        }
        if checked.exit() == Exit::Done {
            page = cosigned(page, &signed);
            page = if given.is_none() { page.note(text::KEY_OF_SERVICE) } else { page };
        }
        let mut json = report_json(&server, &checked);
        json["witnesses"] = cosigned_json(&signed);
        json["index_checked"] = index_checked.into();
        json["verifier_key_source"] = if given.is_some() { "given" } else { "service" }.into();
        context.screen.show(&json, &page);
        Ok(exit)
    }
}

fn root_in(path: &Path) -> Result<Certificate, Failure> {
    let octets = files::read(path, 16 * 1024)?;
    root(&octets).ok_or_else(|| Failure::of(problems::CERTIFICATE_MALFORMED).about(path.display()))
}

/// Checks one file, and shows what was found unless it is as it was signed.
pub(in crate::command) fn judged(context: &Context, path: &Path, key: &VerifierKey) -> Outcome {
    let checked = check(path, &With { key: Some(key), root: None, online: false }, &[])?;
    let exit = checked.exit();
    if exit != Exit::Done {
        context.screen.show(&report_json(path, &checked), &page(path, &checked));
    }
    Ok(exit)
}

/// Shows what is wrong with entries that were to become a package.
pub(super) fn spoiled(context: &Context, path: &Path, report: &Report) -> Exit {
    let checked = Checked::of(report.clone());
    context.screen.show(&report_json(path, &checked), &page(path, &checked));
    checked.exit()
}

fn check(path: &Path, with: &With<'_>, held: &[String]) -> Result<Checked, Failure> {
    let about = |failure: Failure| failure.about(path.display());
    let unreadable = |error| about(Failure::of(problems::FILE_UNREADABLE).about(error));
    if is_package(path).map_err(unreadable)? {
        let judged = judge(path, with.key, held, with.root).map_err(about)?;
        return Ok(Checked {
            report: judged.report(),
            key_in_file: with.key.is_none(),
            kind: judged
                .checked
                .history
                .clone()
                .map_or(Kind::Log, |it| Kind::History(Box::new(it))),
            note: Some(judged.checked.checkpoint.clone()).filter(|note| !note.is_empty()),
            foreign: judged.is_foreign(),
            package: Some(Box::new(judged)),
            today: None,
        });
    }
    if database::is_database(path).map_err(about)? {
        let key = with.key.ok_or_else(|| Failure::of(problems::VERIFIER_KEY_NEEDED))?;
        database::check(path, key, held).map_err(about)
    } else {
        bundle::check(path, with.key, held, with.online).map_err(about)
    }
}

impl Checked {
    /// Of what has nothing but entries.
    pub(super) fn of(report: Report) -> Self {
        let (kind, note, package, today) = (Kind::Log, None, None, None);
        Self { report, key_in_file: false, kind, note, foreign: false, package, today }
    }

    fn exit(&self) -> Exit {
        let entries = match &self.report.verdict {
            Verdict::Valid => Exit::Done,
            Verdict::Tampered(_) => Exit::Tampered,
            Verdict::Unverifiable(_) => Exit::Unverifiable,
        };
        let package = self.package.as_ref().map_or(Exit::Done, |it| it.exit());
        let today = self.today.as_ref().map_or(Exit::Done, |today| match today.differs {
            Some(_) => Exit::Tampered,
            None => Exit::Done,
        });
        let foreign = if self.foreign { Exit::Unverifiable } else { Exit::Done };
        [entries, package, today, foreign].into_iter().fold(Exit::Done, worse)
    }

    /// Has the service show that its log goes on from this one.
    async fn compare(
        &mut self,
        context: &Context,
        given: Option<&VerifierKey>,
    ) -> Result<(), Failure> {
        let Some(note) = &self.note else { return Err(problems::ONLINE_NEEDS_EXPORT.into()) };
        let today = today(context, note, given).await?;
        if today.by_given && today.differs.is_none() {
            self.foreign = false;
            if let Some(package) = &mut self.package {
                package.shown_by_today();
            }
        }
        if let Some(package) = &mut self.package {
            package.look(authorities(context).await?.revocation_lists);
        }
        self.today = Some(today);
        Ok(())
    }
}

/// Tampering outweighs what cannot be told, and that outweighs what is well.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Tampered, _) | (_, Exit::Tampered) => Exit::Tampered,
        (Exit::Done, other) => other,
        (one, _) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_verdict_is_the_answer() {
        use Exit::{Done, Tampered, Unverifiable};
        let cases = [
            (Done, Done, Done),
            (Done, Unverifiable, Unverifiable),
            (Unverifiable, Done, Unverifiable),
            (Unverifiable, Tampered, Tampered),
            (Tampered, Unverifiable, Tampered),
        ];
        for (one, other, expected) in cases {
            assert_eq!(worse(one, other), expected);
        }
    }
}
