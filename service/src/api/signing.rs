//! `Signing`: signing medical records with the clinician's own key.

use proto::v1::{self, signing_server::Signing};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{id, plain_word, receipt, timestamp},
};
use crate::catalogue::Needs;
use crate::registrar::{Error, Verdict};

#[tonic::async_trait]
impl Signing for Desk {
    async fn prepare(
        &self,
        request: Request<v1::PrepareSignatureRequest>,
    ) -> Reply<v1::PrepareSignatureResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let visit = id("visit_id", &asked.visit_id)?;
        let digest = digest(&asked.record_digest)?;
        let record_type =
            plain_word("record_type", asked.record_type, 64, b"-", Needs::RecordType)?;
        let prepared =
            self.registrar.prepare_signature(&caller, visit, digest, record_type).await?;
        Ok(Response::new(v1::PrepareSignatureResponse {
            signing_id: prepared.id.to_string(),
            signed_attributes: prepared.attributes,
            expires_at: Some(timestamp(prepared.expires_at)),
        }))
    }

    async fn complete(
        &self,
        request: Request<v1::CompleteSignatureRequest>,
    ) -> Reply<v1::CompleteSignatureResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let signing = id("signing_id", &asked.signing_id)?;
        let (signed_data, recorded) =
            self.registrar.complete_signature(&caller, signing, &asked.signature).await?;
        Ok(Response::new(v1::CompleteSignatureResponse { signed_data, receipt: receipt(recorded) }))
    }

    async fn verify(
        &self,
        request: Request<v1::VerifySignatureRequest>,
    ) -> Reply<v1::VerifySignatureResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let digest = digest(&asked.record_digest)?;
        let verdict = self.registrar.verify_signature(&caller, &asked.signed_data, &digest).await?;
        Ok(Response::new(match verdict {
            Verdict::Valid { signer } => v1::VerifySignatureResponse {
                valid: true,
                signer: signer.certificate.subject().common_name().unwrap_or_default().to_owned(),
                certificate_serial: signer.certificate.serial().to_string(),
                signed_at: Some(timestamp(signer.signing_time)),
                ..v1::VerifySignatureResponse::default()
            },
            Verdict::Invalid(why) => v1::VerifySignatureResponse {
                invalid_reason: why.reason.to_owned(),
                message_zh: why.zh.to_owned(),
                message_en: why.en.to_owned(),
                ..v1::VerifySignatureResponse::default()
            },
        }))
    }
}

fn digest(octets: &[u8]) -> Result<[u8; 32], Error> {
    octets.try_into().map_err(|_| Error::Field { field: "record_digest", needs: Needs::Sm3Digest })
}
