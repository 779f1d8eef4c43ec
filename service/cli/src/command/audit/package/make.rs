//! Making a package.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use audit::{
    checkpoint::Checkpoint,
    cosignature::WitnessKey,
    package::{
        self, Manifest,
        vouchers::{self, LogVoucher, MAX_KEYS, Voucher, WitnessVoucher},
    },
    page::PAGE,
    tree::Hash,
};
use axum::http::StatusCode;
use clap::Args;
use der::Decode as _;
use proto::v1::{
    AuditCertificatesRequest, AuditKeysRequest, AuditKeysResponse, AuthoritiesResponse,
    ConsistencyRequest, audit_client::AuditClient,
};
use serde_json::json;
use x509_cert::crl::CertificateList;

use super::{
    super::{export::Range, parse},
    archive::{Archive, Entries},
    readme,
    vouched::serial,
};
use crate::{
    certificate_status::{LIMIT, Question},
    clock,
    command::authority::{authorities, common_name, decoded, is_made_by},
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    identity::{self, pem_chain},
    page::Page,
    proof,
    service::post,
    text::{self, problems},
};

/// Certificates that are asked for at once.
const AT_ONCE: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct Package {
    /// 证据包文件（ZIP） | File to write (ZIP)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    range: Range,
    /// 改为放入一位居民的查阅记录 | Instead the access history of a resident
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "until"])]
    history: Option<PathBuf>,
    /// 事由，写入清单，不含个人信息 | What for; it stands in the manifest: no personal data
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// 另加见证公钥，可多次给出；服务所知的已在其中 | Key of a witness besides those that the service knows; may be repeated
    #[arg(long = "witness", value_name = "KEY")]
    witnesses: Vec<String>,
}

impl Package {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        if self.reason.as_deref().is_some_and(|reason| !Manifest::is_reason(reason)) {
            return Err(problems::REASON_UNUSABLE.into());
        }
        let malformed = |error| Failure::of(problems::WITNESS_KEY_MALFORMED).about(error);
        let given = self.witnesses.iter().map(|key| key.trim().parse().map_err(malformed));
        let given = given.collect::<Result<Vec<WitnessKey>, _>>()?;
        let (key, certificate) = context.service.home().credentials()?;
        // What witnesses signed has to be there before the checkpoint that goes on from it.
        let cosigned = super::super::newest(context).await?.cosigned;
        let mut file = Archive::create(&self.out)?;
        let entries = match &self.history {
            Some(path) => file.history(path)?,
            None => file.export(context, self.range).await?,
        };
        context.screen.hint(text::PACKAGE_ENTRIES_IN);
        let entries = file.checked(entries)?;
        if entries.selection.is_empty() {
            return Err(problems::PACKAGE_EMPTY.into());
        }
        if let Some(report) = &entries.spoiled {
            return Ok(super::super::check::spoiled(context, &self.out, report));
        }
        let made = Making { context, own: &entries.checkpoint };
        let keys = made.keys().await?;
        let mut members = BTreeMap::new();
        members.insert(
            package::CHECKPOINT.to_owned(),
            made.cosigned(&keys, &given, &cosigned, &entries).into_bytes(),
        );
        let (logs, witnesses) = made.vouchers(&keys, &given, &cosigned, &entries).await?;
        members.insert(package::LOG_KEYS.to_owned(), logs.into_bytes());
        members.insert(package::WITNESSES.to_owned(), witnesses.into_bytes());
        let found = authorities(context).await?;
        made.certificates(&entries.serials, &certificate, &mut members).await?;
        made.status(&found, &certificate, &mut members).await?;
        members.insert(package::PAGE.to_owned(), PAGE.as_bytes().to_vec());

        let mut manifest = Manifest {
            log: entries.key.name().to_owned(),
            made: clock::written(clock::now()),
            by: keys.identity_id,
            certificate: certificate.serial(),
            selection: entries.selection,
            reason: self.reason.clone(),
            members: Vec::new(),
        };
        let [english, chinese] = readme::written(&manifest);
        members.insert(package::README.to_owned(), english.into_bytes());
        members.insert(package::README_ZH.to_owned(), chinese.into_bytes());
        let listed = file.add_all(manifest.selection.member(), entries.contents, &members)?;
        manifest.members = listed;
        let bytes = file.sign(context, &manifest, &key, &certificate).await?;
        show(context, &self.out, &manifest, bytes);
        Ok(Exit::Done)
    }
}

fn show(context: &Context, path: &Path, manifest: &Manifest, bytes: u64) {
    let path = path.display().to_string();
    let size = manifest.selection.size();
    let page = Page::titled(text::PACKAGE_MADE)
        .row(text::FILE, &path)
        .row(text::BYTES, bytes)
        .row(text::LOG_SIZE, size)
        .row(text::PACKAGE_MEMBERS, manifest.members.len() as u64 + 3)
        .note(text::PACKAGE_CHECK);
    let json = json!({
        "file": path, "bytes": bytes, "size": size, "made_at": manifest.made,
        "members": manifest.members.iter().map(|(name, _)| name).collect::<Vec<_>>(),
    });
    context.screen.show(&json, &page);
}

/// What is asked of the service for a package with this checkpoint.
struct Making<'a> {
    context: &'a Context,
    own: &'a Checkpoint,
}

impl Making<'_> {
    async fn keys(&self) -> Result<AuditKeysResponse, Failure> {
        let service = &self.context.service;
        service.ask(async |it| AuditClient::new(it).keys(AuditKeysRequest {}).await).await
    }

    /// The checkpoint of the entries, with the lines of witnesses that signed this very one.
    fn cosigned(
        &self,
        keys: &AuditKeysResponse,
        given: &[WitnessKey],
        cosigned: &[String],
        entries: &Entries,
    ) -> String {
        let text = self.own.text();
        let own = |note: &&String| note.starts_with(&format!("{text}\n"));
        let lines: BTreeSet<&str> = witnesses(keys, given)
            .iter()
            .filter_map(|key| cosigned.iter().filter(own).find(|note| key.time_of(note).is_ok()))
            .filter_map(|note| note.split_inclusive('\n').next_back())
            .collect();
        let lines: Vec<_> = lines.into_iter().collect();
        audit::cosignature::cosigned(&entries.note, &lines).unwrap_or_else(|_| entries.note.clone())
    }

    /// The keys of the log over time, and the witnesses.
    async fn vouchers(
        &self,
        keys: &AuditKeysResponse,
        given: &[WitnessKey],
        cosigned: &[String],
        entries: &Entries,
    ) -> Result<(String, String), Failure> {
        let mut logs: Vec<LogVoucher> = Vec::new();
        for it in keys.keys.iter().take(MAX_KEYS) {
            let key = parse(&it.verifier_key)?;
            let note = if key == entries.key { &entries.note } else { &it.checkpoint };
            logs.push(self.voucher(key, Some(note.clone()).filter(|note| !note.is_empty())).await?);
        }
        if logs.iter().all(|it| it.key != entries.key) {
            // The service does not believe the key any more that signed the history.
            return Err(Failure::of(problems::CHECKPOINT_UNUSABLE).about(&entries.key));
        }
        let mut signed: Vec<WitnessVoucher> = Vec::new();
        for key in witnesses(keys, given).into_iter().take(MAX_KEYS) {
            let note = cosigned.iter().find(|note| key.time_of(note).is_ok()).cloned();
            signed.push(self.voucher(key, note).await?);
        }
        let logs = vouchers::write(vouchers::LOG_KEYS, &logs);
        Ok((logs, vouchers::write(vouchers::WITNESSES, &signed)))
    }

    /// What a key signed, with the proof that it is of the log of this package.
    async fn voucher<K: audit::note::Kind>(
        &self,
        key: audit::note::NoteKey<K>,
        note: Option<String>,
    ) -> Result<Voucher<K>, Failure> {
        let malformed = |_| Failure::of(problems::SERVICE_ANSWER_MALFORMED);
        let other =
            note.as_deref().map(Checkpoint::read_unverified).transpose().map_err(malformed)?;
        let proof = match other.map(|other| other.size) {
            Some(size) if size != self.own.size && size.min(self.own.size) > 0 => {
                self.consistency(size.min(self.own.size), size.max(self.own.size)).await?
            }
            _ => Vec::new(),
        };
        Ok(Voucher { key, note, proof })
    }

    async fn consistency(&self, first: u64, second: u64) -> Result<Vec<Hash>, Failure> {
        let request = ConsistencyRequest { first_size: first, second_size: second };
        let service = &self.context.service;
        let answer =
            service.ask(async |it| AuditClient::new(it).consistency(request).await).await?;
        proof::hashes(&answer.path).ok_or_else(|| problems::SERVICE_ANSWER_MALFORMED.into())
    }

    /// The certificates of whoever acted, as far as they are on record, and that of whoever makes the package.
    async fn certificates(
        &self,
        serials: &BTreeSet<String>,
        own: &identity::Certificate,
        members: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), Failure> {
        let mut found = vec![own.der().to_vec()];
        let serials: Vec<String> = serials.iter().cloned().collect();
        for serials in serials.chunks(AT_ONCE) {
            let request = AuditCertificatesRequest { serials: serials.to_vec() };
            let ask = async |it| AuditClient::new(it).certificates(request.clone()).await;
            found.extend(self.context.service.ask(ask).await?.certificates);
        }
        for der in found {
            let certificate = decoded(&der).ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
            let name = package::certificate(&serial(&certificate));
            members.insert(name, pem_chain(&[der])?.into_bytes());
        }
        Ok(())
    }

    /// Who vouches for the certificates, and which were revoked.
    async fn status(
        &self,
        found: &AuthoritiesResponse,
        own: &identity::Certificate,
        members: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), Failure> {
        let malformed = || Failure::of(problems::SERVICE_ANSWER_MALFORMED);
        let links =
            found.succeeded.iter().flat_map(|it| [it.root.clone(), it.new_with_old.clone()]);
        let mut all = vec![found.root.clone()];
        all.extend(found.issuers.iter().cloned().chain(links));
        members.insert(package::AUTHORITIES.to_owned(), pem_chain(&all)?.into_bytes());
        let before = found
            .succeeded
            .iter()
            .zip(1..)
            .map(|(root, n)| (format!("-before-{n}"), &root.last_list));
        let lists = found.revocation_lists.iter().map(|list| (String::new(), list)).chain(before);
        for (before, der) in lists {
            let list: CertificateList = CertificateList::from_der(der).map_err(|_| malformed())?;
            let name = common_name(&list.tbs_cert_list.issuer).ok_or_else(malformed)?;
            members.insert(package::list(&(name + &before)), der.clone());
        }
        let own = decoded(own.der()).ok_or(problems::CERTIFICATE_MALFORMED)?;
        let issuers = found.issuers.iter().filter_map(|der| decoded(der));
        let issuer =
            issuers.filter(|it| it.tbs_certificate().subject() == own.tbs_certificate().issuer());
        let issuer = issuer.into_iter().find(|it| is_made_by(it, &own).is_some());
        let issuer = issuer.ok_or(problems::STATUS_FOREIGN)?;
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
        let number = own.tbs_certificate().serial_number();
        let question = Question::new(&issuer, number, &nonce).ok_or_else(malformed)?;
        let channel = self.context.service.channel().await?;
        let ocsp = ("/ocsp", "application/ocsp-request");
        let answer = match post(channel, ocsp, question.der(), LIMIT).await? {
            (StatusCode::OK, answer) => answer,
            _ => return Err(problems::STATUS_UNAVAILABLE.into()),
        };
        question.read(&answer, clock::now())?;
        members.insert(package::answer(&serial(&own)), answer);
        Ok(())
    }
}

/// The witnesses that the service knows, and those given.
fn witnesses(keys: &AuditKeysResponse, given: &[WitnessKey]) -> Vec<WitnessKey> {
    let mut all: Vec<WitnessKey> =
        keys.witnesses.iter().filter_map(|key| key.parse().ok()).collect();
    all.extend(given.iter().filter(|key| !all.contains(key)).cloned().collect::<Vec<_>>());
    all
}
