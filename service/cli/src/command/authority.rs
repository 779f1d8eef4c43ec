//! `healthcard authority`: what others need to check our certificates and signatures.

mod ministry;
mod status;
pub(super) mod trust;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Subcommand};
use der::{Decode as _, DecodePem as _, Encode as _};
use proto::v1::{
    AuthoritiesRequest, AuthoritiesResponse, SucceededRoot, identities_client::IdentitiesClient,
};
use x509_cert::{Certificate, crl::CertificateList, name::Name};

use crate::{
    certificate_status::verify,
    clock,
    context::{Context, Outcome},
    failure::Failure,
    files::{self, Audience},
    identity::pem_chain,
    page::Page,
    text::{self, problems},
};

#[derive(Debug, Subcommand)]
pub(crate) enum AuthorityCommand {
    /// 导出 root.pem、issuers.pem，以及各机构的 .cer 和 .crl，更换过根密钥的另有 links.pem；或向主管平台报送的证书信息和黑名单 | Save root.pem, issuers.pem and each authority's .cer and .crl, and links.pem where the root got another key; or what the ministry's platform is told of certificates
    #[command(group(ArgGroup::new("told").args(["ministry", "form"])))]
    Export {
        /// 已信任的根证书（PEM）；导出的一切须由它担保，根密钥更换过的经链接证书 | Root certificate that is trusted already, PEM: it must vouch for all that is saved, over link certificates where the root got another key
        #[arg(long, value_name = "FILE", conflicts_with = "told")]
        known: Option<PathBuf>,
        /// 目录 | Directory
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// 改为导出上次以来的证书信息和黑名单，供报送主管平台，用内置报文格式 | What changed about certificates since the last time, for the ministry's platform, in the shipped form
        #[arg(long)]
        ministry: bool,
        /// 同上，用此报文格式（TOML；见 authority form） | The same in this form, TOML (see authority form)
        #[arg(long, value_name = "FILE")]
        form: Option<PathBuf>,
        /// 目录为空时，从此变动之后开始 | Where the directory is empty, begin after this change
        #[arg(long, value_name = "CHANGE", requires = "told")]
        since: Option<u64>,
    },
    /// 以平台的报文格式回答证书查询 | Answer what the ministry's platform asks about a certificate, in its form
    Query(ministry::Query),
    /// 输出内置的报文格式，供按平台要求修改 | Print the shipped form of documents, to be corrected for a platform
    Form,
    /// 在线查询证书状态（OCSP）；返回码 0 为有效，1 为已吊销、无记录或不在有效期内，4 为伪造 | Ask for the status of a certificate (OCSP); exit code 0 if good, 1 if revoked, unknown or out of its validity, 4 if forged
    Status {
        /// 证书（DER）；缺省为本身份的证书 | Certificate, DER; by default this identity's own
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
}

impl AuthorityCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Export { known, out, ministry: false, form: None, .. } => {
                export(context, known.as_deref(), out).await
            }
            Self::Export { out, form, since, .. } => {
                ministry::export(context, &out, form.as_deref(), since).await
            }
            Self::Query(order) => ministry::query(context, order).await,
            Self::Form => ministry::print_form(context),
            Self::Status { certificate } => status::status(context, certificate.as_deref()).await,
        }
    }
}

/// Largest answer about the authorities, bytes: four lists of 160,000 certificates.
const LARGEST: usize = 40 << 20;

/// What the service publishes about its authorities.
pub(super) async fn authorities(context: &Context) -> Result<AuthoritiesResponse, Failure> {
    context
        .service
        .ask_openly(async |channel| {
            let client = IdentitiesClient::new(channel);
            client.max_decoding_message_size(LARGEST).authorities(AuthoritiesRequest {}).await
        })
        .await
}

/// The certificates of the authorities: from a file, or as the service gives them.
pub(super) async fn known_issuers(
    context: &Context,
    file: Option<&Path>,
) -> Result<Vec<Certificate>, Failure> {
    if let Some(file) = file {
        let pem = files::read(file, 256 * 1024)?;
        return Certificate::load_pem_chain(&pem)
            .map_err(|_| Failure::of(problems::CERTIFICATE_MALFORMED).about(file.display()));
    }
    let found = authorities(context).await?;
    let read = found.issuers.iter().map(|der| Certificate::from_der(der));
    read.collect::<Result<_, _>>().map_err(|_| problems::SERVICE_ANSWER_MALFORMED.into())
}

async fn export(context: &Context, known: Option<&Path>, out: PathBuf) -> Outcome {
    let found = authorities(context).await?;
    if let Some(file) = known {
        let pem = files::read(file, 16 * 1024)?;
        let known = Certificate::from_pem(&*pem)
            .map_err(|_| Failure::of(problems::CERTIFICATE_MALFORMED).about(file.display()))?;
        trust::follows(&known, &found, clock::now()).ok_or(problems::ROOT_NOT_VOUCHED_FOR)?;
    }
    let root = pem_chain(std::slice::from_ref(&found.root))?;
    let issuers = pem_chain(&found.issuers)?;
    let named = by_authority(&found).ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
    files::make_directory(&out)?;
    let write = |name: &str, bytes: &[u8]| -> Result<(), Failure> {
        files::write(&out.join(name), bytes, Audience::Everyone)
    };
    write("root.pem", root.as_bytes())?;
    write("issuers.pem", issuers.as_bytes())?;
    named.iter().try_for_each(|(name, der)| write(name, der))?;
    if !found.succeeded.is_empty() {
        let both = |root: &SucceededRoot| [root.new_with_old.clone(), root.old_with_new.clone()];
        let links: Vec<_> = found.succeeded.iter().flat_map(both).collect();
        write("links.pem", pem_chain(&links)?.as_bytes())?;
    }
    for (root, number) in found.succeeded.iter().zip(1..) {
        write(&format!("root-before-{number}.cer"), &root.root)?;
        write(&format!("root-before-{number}.crl"), &root.last_list)?;
    }
    let page = Page::titled(text::AUTHORITIES_SAVED).row(text::FOLDER, out.display().to_string());
    context.answer("AuthoritiesResponse", &found, &page)
}

/// Whether the authority signed these very octets.
pub(crate) fn is_made_by(issuer: &Certificate, certificate: &Certificate) -> Option<()> {
    let body = certificate.tbs_certificate().to_der().ok()?;
    let algorithm = certificate.signature_algorithm();
    verify(issuer, &body, certificate.signature().as_bytes()?, algorithm)
}

pub(super) fn decoded(der: &[u8]) -> Option<Certificate> {
    Certificate::from_der(der).ok()
}

/// Certificates and lists by the names of their files, the authority's own as below the service's
/// public address (`/ca/ca-people.cer`, `/crl/ca-people.crl`). `None` unless every one has a name
/// that is its own.
fn by_authority(found: &AuthoritiesResponse) -> Option<BTreeMap<String, &[u8]>> {
    let mut named = BTreeMap::new();
    let mut add = |name: String, der| match named.insert(name, der) {
        Some(other) if other != der => None,
        _ => Some(()),
    };
    for der in std::iter::once(&found.root).chain(&found.issuers) {
        let certificate = Certificate::from_der(der).ok()?;
        let name = common_name(certificate.tbs_certificate().subject())?;
        add(format!("{name}.cer"), der.as_slice())?;
    }
    for der in &found.revocation_lists {
        let list: CertificateList = CertificateList::from_der(der).ok()?;
        let name = common_name(&list.tbs_cert_list.issuer)?;
        add(format!("{name}.crl"), der.as_slice())?;
    }
    Some(named)
}

/// The common name, if it can name a file wherever this runs.
pub(super) fn common_name(name: &Name) -> Option<String> {
    let name = name.common_name().ok()??.value().into_owned();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    ((1..=64).contains(&name.len()) && name.bytes().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{ClientKey, sample};

    #[test]
    fn files_are_named_after_their_authority() {
        let key = ClientKey::generate().unwrap();
        let authority = |name| sample::certificate_of(&key, 1, name).der().to_vec();
        let other = |name| sample::certificate_of(&key, 2, name).der().to_vec();
        let (root, people) = (authority("CN=ca-root"), authority("O=county,CN=ca-people"));
        let list = sample::revocation_list("O=county,CN=ca-people");
        let whole = AuthoritiesResponse {
            root: root.clone(),
            issuers: vec![people.clone()],
            revocation_lists: vec![list.clone()],
            ..AuthoritiesResponse::default()
        };
        let expected = [
            ("ca-people.cer".to_owned(), people.as_slice()),
            ("ca-people.crl".to_owned(), list.as_slice()),
            ("ca-root.cer".to_owned(), root.as_slice()),
        ];
        assert_eq!(by_authority(&whole), Some(BTreeMap::from(expected)));
        let refused = [
            ("two of one name", vec![people.clone(), other("CN=ca-people")], vec![]),
            ("the root's name", vec![other("CN=ca-root")], vec![]),
            ("another folder", vec![authority(r"CN=..\2fca-root")], vec![]),
            ("a dot", vec![authority("CN=.profile")], vec![]),
            ("no common name", vec![authority("O=county")], vec![]),
            ("no certificate", vec![list.clone()], vec![]),
            ("no list", vec![], vec![people.clone()]),
            (
                "two lists of one authority",
                vec![],
                vec![
                    sample::revocation_list("CN=ca-root"),
                    sample::revocation_list("CN=ca-root,O=county"),
                ],
            ),
        ];
        for (why, issuers, revocation_lists) in refused {
            let found = AuthoritiesResponse {
                root: root.clone(),
                issuers,
                revocation_lists,
                ..AuthoritiesResponse::default()
            };
            assert_eq!(by_authority(&found), None, "{why}");
        }
    }
}
