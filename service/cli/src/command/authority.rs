//! `healthcard authority`: what others need to check our certificates and signatures.

use std::path::PathBuf;

use clap::Subcommand;
use der::pem::LineEnding;
use proto::v1::{AuthoritiesRequest, identities_client::IdentitiesClient};

use crate::{
    context::{Context, Outcome},
    failure::Failure,
    files::{self, Audience},
    page::Page,
    text::{self, problems},
};

#[derive(Debug, Subcommand)]
pub(crate) enum AuthorityCommand {
    /// 导出 root.pem、issuers.pem 和各 crl-N.der | Save root.pem, issuers.pem and each crl-N.der
    Export {
        /// 目录 | Directory
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

impl AuthorityCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let Self::Export { out } = self;
        let found = context
            .service
            .ask_openly(async |channel| {
                IdentitiesClient::new(channel).authorities(AuthoritiesRequest {}).await
            })
            .await?;
        files::make_directory(&out)?;
        let root = pem(std::slice::from_ref(&found.root))?;
        files::write(&out.join("root.pem"), root.as_bytes(), Audience::Everyone)?;
        let issuers = pem(&found.issuers)?;
        files::write(&out.join("issuers.pem"), issuers.as_bytes(), Audience::Everyone)?;
        for (index, list) in found.revocation_lists.iter().enumerate() {
            files::write(&out.join(format!("crl-{index}.der")), list, Audience::Everyone)?;
        }
        let page =
            Page::titled(text::AUTHORITIES_SAVED).row(text::DIRECTORY, out.display().to_string());
        context.answer("AuthoritiesResponse", &found, &page)
    }
}

fn pem(certificates: &[Vec<u8>]) -> Result<String, Failure> {
    let texts: Result<Vec<_>, _> = certificates
        .iter()
        .map(|der| der::pem::encode_string("CERTIFICATE", LineEnding::LF, der))
        .collect();
    texts.map(|texts| texts.concat()).map_err(|_| problems::SERVICE_ANSWER_MALFORMED.into())
}
