//! `healthcard sign` and `healthcard verify`: the record and the key stay here; a digest goes out,
//! and nothing is signed that was not read and found to be about this record.

use std::path::PathBuf;

use clap::Args;
use proto::v1::{
    CompleteSignatureRequest, PrepareSignatureRequest, VerifySignatureRequest,
    signing_client::SigningClient,
};
use sm2::dsa::Signature;

use crate::{
    attributes, clock,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    json,
    page::{Page, timestamp},
    show,
    text::{self, problems},
};

/// Largest record, bytes. It is read whole, to be hashed once.
const RECORD_LIMIT: u64 = 256 * 1024 * 1024;
/// Largest signature file, bytes.
const SIGNATURE_LIMIT: u64 = 64 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// 就诊编号 | Number of the visit
    #[arg(long, value_name = "VISIT")]
    visit: String,
    /// 病历文件；只提交其 SM3 摘要 | The record; only its SM3 digest is sent
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// 病历类型，如 progress-note，不含个人信息 | Type of record, such as progress-note, without personal data
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// 签名文件（CMS SignedData） | File for the signature (CMS SignedData)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// 病历文件 | The record
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// 签名文件（CMS SignedData） | The signature (CMS SignedData)
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
}

impl Sign {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let (key, certificate) = context.service.home().credentials()?;
        let digest = files::sm3(&self.file, RECORD_LIMIT)?;
        let request = PrepareSignatureRequest {
            visit_id: self.visit,
            record_digest: digest.to_vec(),
            record_type: self.kind,
        };
        let prepared = context
            .service
            .ask(async |channel| SigningClient::new(channel).prepare(request.clone()).await)
            .await?;
        attributes::check(&prepared.signed_attributes, &digest, &certificate, clock::now())
            .map_err(Failure::of)?;
        let signature = key.sign(&prepared.signed_attributes);
        let request = CompleteSignatureRequest {
            signing_id: prepared.signing_id.clone(),
            signature: signature.to_vec(),
        };
        let completed = context
            .service
            .ask(async |channel| SigningClient::new(channel).complete(request.clone()).await)
            .await?;
        // What is kept for years must carry this very signature and the certificate it rests on.
        let carries = |part: &[u8]| completed.signed_data.windows(part.len()).any(|it| it == part);
        let signature = Signature::from_slice(&signature).map(|it| it.to_der());
        if !carries(certificate.der()) || !signature.is_ok_and(|der| carries(der.as_bytes())) {
            return Err(problems::SERVICE_ANSWER_MALFORMED.into());
        }
        files::write(&self.out, &completed.signed_data, Audience::Everyone)?;
        let page = Page::titled(text::SIGNED)
            .row(text::FILE, self.out.display().to_string())
            .row(text::DIGEST, hex::encode(digest))
            .row(text::SIGNER, certificate.subject())
            .row(text::SERIAL, certificate.serial());
        let page = show::receipt(page, completed.receipt.as_ref());
        let mut json = json::of("CompleteSignatureResponse", &completed);
        json["signing_id"] = prepared.signing_id.into();
        json["record_digest"] = hex::encode(digest).into();
        json["file"] = self.out.display().to_string().into();
        context.screen.show(&json, &page);
        Ok(Exit::Done)
    }
}

impl Verify {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let request = VerifySignatureRequest {
            signed_data: files::read(&self.signature, SIGNATURE_LIMIT)?.to_vec(),
            record_digest: files::sm3(&self.file, RECORD_LIMIT)?.to_vec(),
        };
        let found = context
            .service
            .ask(async |channel| SigningClient::new(channel).verify(request.clone()).await)
            .await?;
        let why = match context.screen.lang {
            text::Lang::Zh => &found.message_zh,
            text::Lang::En => &found.message_en,
        };
        let title = if found.valid { text::SIGNATURE_VALID } else { text::SIGNATURE_INVALID };
        let page = Page::titled(title)
            .row(text::WHY, why)
            .row(text::SIGNER, &found.signer)
            .row(text::SERIAL, &found.certificate_serial)
            .maybe(text::SIGNED_AT, timestamp(found.signed_at.as_ref()));
        context.screen.show(&json::of("VerifySignatureResponse", &found), &page);
        Ok(if found.valid { Exit::Done } else { Exit::Refused })
    }
}
