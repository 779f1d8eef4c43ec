//! Judging a package.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use audit::{
    check::{Report, Verdict},
    checkpoint::VerifierKey,
    cosignature::{WitnessKey, Witnessed},
    package::{
        self, Container, Gap, Manifest, PackageError, Selection,
        vouchers::{self, WitnessVoucher},
    },
};
use der::Encode as _;
use serde_json::{Value, json};
use sm3::{Digest as _, Sm3};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use x509_cert::Certificate;

use super::vouched::{self, Missing, Vouched, serial};
use crate::{
    clock,
    exit::Exit,
    failure::Failure,
    page::{Cell, Page, instant},
    show::finding,
    text::{self, problems},
};

/// A package, and what was found out about it.
pub(in super::super) struct Judged {
    pub(in super::super) checked: package::Checked,
    vouched: Vouched,
    root_given: bool,
    /// The key given is another one of the log than the one that signed the package's checkpoint.
    given_differs: bool,
    /// Since when the certificate of whoever made it is revoked, as its issuer says today.
    revoked: Option<OffsetDateTime>,
}

/// Whether a file begins like one.
pub(in super::super) fn is_package(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut head)?;
    Ok(head.starts_with(b"PK"))
}

/// Checks a package with the key and the root that are given, or else with those that it has itself.
pub(in super::super) fn judge(
    path: &Path,
    key: Option<&VerifierKey>,
    held: &[String],
    root: Option<&Certificate>,
) -> Result<Judged, Failure> {
    let unreadable = |error| Failure::of(problems::FILE_UNREADABLE).about(error);
    let file = File::open(path).map_err(unreadable)?;
    let mut container = Container::open(file).map_err(|error| refused(error.into()))?;
    let checked = package::check(&mut container, key, held).map_err(refused)?;
    let vouched = vouched::check(&mut container, &checked, root, clock::now())?;
    let given_differs = key.is_some_and(|key| Some(key) != checked.key.as_ref());
    Ok(Judged { checked, vouched, root_given: root.is_some(), given_differs, revoked: None })
}

fn refused(error: PackageError) -> Failure {
    let problem = match &error {
        PackageError::Container(package::ContainerError::Io(_)) => problems::FILE_UNREADABLE,
        _ => problems::PACKAGE_UNREADABLE,
    };
    Failure::of(problem).about(error)
}

impl Judged {
    /// What was found about the entries.
    pub(in super::super) fn report(&self) -> Report {
        let nothing = Report {
            leaves: 0,
            size: self.checked.manifest.selection.size(),
            root: None,
            checkpoints: 0,
            removed: None,
            verdict: Verdict::Valid,
        };
        self.checked.report.clone().unwrap_or(nothing)
    }

    /// The key given is not the one of the package, and nothing in it shows that it is of the same log.
    pub(in super::super) fn is_foreign(&self) -> bool {
        !self.checked.gaps.is_empty()
    }

    /// Today's log, which the key given signed, goes on from that of the package.
    pub(in super::super) fn shown_by_today(&mut self) {
        self.checked.gaps.clear();
    }

    /// The verdict over all but the entries.
    pub(in super::super) fn exit(&self) -> Exit {
        let findings = self.checked.findings.is_empty() && self.vouched.findings.is_empty();
        let missing = self.checked.gaps.is_empty() && self.vouched.missing.is_empty();
        match (findings, missing && !self.was_revoked_before()) {
            (false, _) => Exit::Tampered,
            (true, false) => Exit::Unverifiable,
            (true, true) => Exit::Done,
        }
    }

    /// Takes note of what the issuers say today.
    pub(in super::super) fn look(&mut self, lists: Vec<Vec<u8>>) {
        self.revoked = self.vouched.revoked_by(lists);
    }

    /// Whoever made it.
    fn signer(&self) -> Option<&Certificate> {
        self.vouched.signer.as_ref()
    }

    fn was_revoked_before(&self) -> bool {
        let stamped = self.vouched.stamp.as_ref().map(|stamp| stamp.at);
        self.revoked.zip(stamped).is_some_and(|(since, at)| vouched::is_before(since, at))
    }

    /// What these witnesses signed of the log: those given, or else those that the package names.
    pub(in super::super) fn witnessed(&self, given: &[WitnessKey]) -> Vec<super::super::Cosigned> {
        let Some(own) = self.checked.signed_checkpoint() else { return Vec::new() };
        let said = |it: &WitnessVoucher| {
            let signed = it.witnessed(&own).flatten();
            signed.map(|(checkpoint, time)| Witnessed { checkpoint, time })
        };
        let of = |key: &WitnessKey| {
            let signed = vouchers::of_key(&self.checked.witnesses, key).and_then(said);
            (key.name().to_owned(), signed)
        };
        match given {
            [] => self
                .checked
                .witnesses
                .iter()
                .map(|it| (it.key.name().to_owned(), said(it)))
                .collect(),
            given => given.iter().map(of).collect(),
        }
    }

    /// All findings beside those of the entries, in words.
    pub(in super::super) fn findings(&self) -> impl Iterator<Item = &package::Finding> {
        let more = self.vouched.findings.iter().filter(|it| !self.checked.findings.contains(it));
        self.checked.findings.iter().chain(more)
    }

    /// What is missing beside that, in words.
    pub(in super::super) fn missing(&self) -> Vec<Cell> {
        let gaps = self.checked.gaps.iter().map(|gap: &Gap| finding::package_gap(*gap));
        let root = if self.root_given { text::GAP_ROOT } else { text::GAP_NO_ROOT };
        let vouched = self.vouched.missing.iter().map(|it| match it {
            Missing::Root => root.into(),
            Missing::Issuer(name) => Cell::Filled(text::GAP_ISSUER, vec![name.clone()]),
            Missing::SignerOut => text::GAP_SIGNER_OUT.into(),
            Missing::SignerStatus => text::GAP_SIGNER_STATUS.into(),
            Missing::StamperOut => text::GAP_STAMPER_OUT.into(),
        });
        let before = self.revoked.filter(|_| self.was_revoked_before());
        let before = before.map(|at| Cell::Filled(text::SIGNER_REVOKED_BEFORE, vec![instant(at)]));
        gaps.chain(vouched).chain(before).collect()
    }

    /// What it is, as rows.
    pub(in super::super) fn rows(&self, page: Page) -> Page {
        let Manifest { by, certificate, selection, reason, .. } = &self.checked.manifest;
        let subject = self.signer().map(|it| it.tbs_certificate().subject().to_string());
        let by = vec![subject.unwrap_or_default(), by.clone(), certificate.clone()];
        let has = match selection {
            Selection::Range { from, until, .. } => {
                Cell::Filled(text::PACKAGE_RANGE, vec![from.to_string(), until.to_string()])
            }
            Selection::History { resident, entries, .. } => Cell::Both(crate::failure::Both {
                zh: text::PACKAGE_HISTORY.fill(text::Lang::Zh, &[resident, &entries.to_string()]),
                en: text::PACKAGE_HISTORY.fill(text::Lang::En, &[&entries.to_string(), resident]),
            }),
        };
        let Vouched { stamp, trusted, certificates, revoked, .. } = &self.vouched;
        let page = page
            .row(text::PACKAGE_RANGE_IS, has)
            .row(text::PACKAGE_BY, Cell::Filled(text::PACKAGE_BY_IDENTITY, by))
            .maybe(text::PACKAGE_AT, stamp.as_ref().map(|stamp| instant(stamp.at)))
            .maybe(text::PACKAGE_FOR, reason.clone())
            .row(
                text::PACKAGE_CERTIFICATES,
                Cell::Filled(text::PACKAGE_CERTIFICATES_OF, vec![certificates.to_string()]),
            )
            .maybe(text::PACKAGE_ROOT, trusted.as_ref().and_then(|it| digest(&it.root)));
        revoked.iter().fold(page, |page, (serial, at)| {
            let since = vec![serial.clone(), instant(*at)];
            page.row(text::PACKAGE_REVOKED, Cell::Filled(text::PACKAGE_REVOKED_SINCE, since))
        })
    }

    /// What is to be said of a package that is whole.
    pub(in super::super) fn notes(&self, page: Page, by_witnesses: bool) -> Page {
        let page = if self.given_differs { page.note(text::PACKAGE_KEY_EARLIER) } else { page };
        let page = if self.root_given { page } else { page.note(text::PACKAGE_ROOT_ENCLOSED) };
        let page = if by_witnesses { page.note(text::PACKAGE_WITNESS_ENCLOSED) } else { page };
        match self.revoked {
            Some(at) => page.note(Cell::Filled(text::SIGNER_REVOKED_SINCE, vec![instant(at)])),
            None => page,
        }
    }

    /// The same for programs.
    pub(in super::super) fn json(&self) -> Value {
        let Manifest { made, by, certificate, selection, reason, .. } = &self.checked.manifest;
        let Vouched { stamp, trusted, certificates, revoked, .. } = &self.vouched;
        let written = |at: &OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        let revoked =
            revoked.iter().map(|(serial, at)| json!({ "serial": serial, "since": written(at) }));
        let selection = match selection {
            Selection::Range { from, until, .. } => json!({ "from": from, "until": until }),
            Selection::History { resident, entries, .. } => {
                json!({ "resident": resident, "entries": entries })
            }
        };
        json!({
            "made_at": made,
            "stamped_at": stamp.as_ref().map(|stamp| written(&stamp.at)),
            "by": by,
            "certificate": certificate,
            "signer": self.signer().map(serial),
            "reason": reason,
            "selection": selection,
            "root_source": if self.root_given { "given" } else { "file" },
            "root_sm3": trusted.as_ref().and_then(|it| digest(&it.root)),
            "certificates": certificates,
            "revoked": revoked.collect::<Vec<_>>(),
            "signer_revoked_since": self.revoked.as_ref().map(written),
        })
    }
}

fn digest(certificate: &Certificate) -> Option<String> {
    Some(hex::encode(Sm3::digest(certificate.to_der().ok()?)))
}
