//! Certificate pairs (双证书): a signing certificate for a key that its holder made, and an encryption certificate
//! for a key pair of the key management centre, which the holder gets enveloped to the signing key.

use std::sync::Arc;

use audit::{Entry, Outcome};
use ca::{Authority, Certificate, Draft, request};
use hsm::sm2::{PublicKey, seal_envelope};

use super::{
    Caller, Error, Registrar,
    certificates::{Prepared, profile, requested_key},
    sessions::stored_role,
    uncut,
};
use crate::{
    keys::authority_name,
    policy::Act,
    store::{
        Identity, IdentityId, NewEscrowedKey, Obstacle, PairDraft, Receipt, SignedDraft, StoreError,
    },
    telemetry,
};

/// A certificate pair that was issued.
pub struct EnrolledPair {
    /// The answer for the holder: both certificates and the enveloped encryption key (CSRResponse, GM/T
    /// 0092-2020), DER.
    pub answer: Vec<u8>,
    /// The signing certificate.
    pub signing: Certificate,
    /// The encryption certificate.
    pub encryption: Certificate,
    /// The authorities above both, without the root, DER.
    pub chain: Vec<Vec<u8>>,
    /// Its place in the log.
    pub receipt: Receipt,
}

/// A pair of which every octet is fixed and recorded.
struct DraftedPair {
    authority: Authority,
    signing: Draft,
    encryption: Draft,
    /// The encryption key, for the holder.
    envelope: Vec<u8>,
    /// What the entries of both steps say.
    details: [(&'static str, String); 4],
}

impl Registrar {
    /// Issues a certificate pair: for a key that its holder made, and for one of the centre's. It runs to
    /// its end even when the call is cut off.
    ///
    /// # Errors
    /// As for [`enroll`](Self::enroll).
    pub async fn enroll_pair(
        self: Arc<Self>,
        caller: Caller,
        identity: IdentityId,
        request: &[u8],
        days: Option<u32>,
    ) -> Result<EnrolledPair, Error> {
        self.allow(&caller, Act::CertificateIssue).await?;
        let holder = self.known_identity(identity).await?;
        let key = requested_key(request)?;
        let registrar = Arc::clone(&self);
        let now = caller.now;
        let issued = uncut(async move {
            let centre = &registrar.key_centre;
            let made = || registrar.centre_entry(Act::KeyCentreMake, now);
            let spare = centre.take(&registrar.store, made, now).await?;
            match registrar.draft_pair(&caller, &holder, key, &spare, days).await {
                Ok(drafted) => registrar.sign_pair(&caller, drafted).await,
                Err(error) => {
                    if !matches!(error, Error::Store(StoreError::Conflict(Obstacle::KeyNotSpare))) {
                        centre.give_back(spare).await;
                    }
                    let Error::Store(error) = error else { return Err(error) };
                    let refused = registrar
                        .entry(&caller, Act::CertificateIssue, Outcome::Refused)
                        .with("identity", identity.to_string());
                    registrar.settle(refused, Err(error)).await
                }
            }
        })
        .await?;
        // Nobody waits for what is made ahead.
        tokio::spawn(async move {
            let made = || self.centre_entry(Act::KeyCentreMake, now);
            if let Err(error) = self.key_centre.refill(&self.store, made, now).await {
                tracing::error!(cause = telemetry::chain(&error), "making key pairs ahead");
            }
        });
        Ok(issued)
    }

    /// Fixes both certificates and records them, with the key pair that is put into use.
    async fn draft_pair(
        &self,
        caller: &Caller,
        holder: &Identity,
        key: PublicKey,
        spare: &NewEscrowedKey,
        days: Option<u32>,
    ) -> Result<DraftedPair, Error> {
        let profile = profile(stored_role(&holder.role)?);
        let encryption_profile = profile
            .encryption()
            .ok_or(Error::Internal { what: "a role without a certificate pair", source: None })?;
        // Before anything is recorded: a key pair that does not open is not certified.
        let secret = self.key_centre.open(spare)?;
        let envelope = seal_envelope(&key, &secret);
        let encryption_key = secret.public().clone();
        drop(secret);

        let Prepared { authority, draft: signing, record: signing_record } =
            self.prepare(holder, profile, key, days, caller.now)?;
        let Prepared { draft: encryption, record: encryption_record, .. } =
            self.prepare(holder, encryption_profile, encryption_key, days, caller.now)?;
        let details = [
            ("encryption-certificate", encryption_record.serial.clone()),
            ("encryption-key", spare.id.to_string()),
            ("identity", holder.id.to_string()),
            ("issuer", authority_name(authority).to_owned()),
        ];
        let pair = DraftedPair { authority, signing, encryption, envelope, details };
        let record = PairDraft {
            holder: holder.id,
            signing: signing_record,
            encryption: encryption_record,
            key: spare.id,
        };
        self.store.record_pair_draft(record, self.pair_entry(caller, &pair, "draft")).await?;
        Ok(pair)
    }

    /// Signs both certificates and records them. After a crash before that there is a record of what may
    /// have been signed, and the key pair is nobody else's.
    async fn sign_pair(&self, caller: &Caller, pair: DraftedPair) -> Result<EnrolledPair, Error> {
        let entry = self.pair_entry(caller, &pair, "signed");
        let DraftedPair { authority, signing, encryption, envelope, .. } = pair;
        let authority_key = self.keys.authority(authority)?;
        let sign = |draft: Draft| {
            let serial = draft.serial().to_string();
            let certificate = draft
                .sign(&*authority_key)
                .map_err(|e| Error::internal("signing a certificate of a pair", e))?;
            let der = certificate.der().to_vec();
            Ok::<_, Error>((certificate, SignedDraft { serial, der }))
        };
        let (signing, first) = sign(signing)?;
        let (encryption, second) = sign(encryption)?;
        let answer = request::answer(&signing, &envelope, &encryption)
            .map_err(|e| Error::internal("writing the answer to a request", e))?;
        let receipt = self.store.record_all_signed(vec![first, second], entry).await?;
        let chain = self.chain(authority)?;
        Ok(EnrolledPair { answer, signing, encryption, chain, receipt })
    }

    fn pair_entry(&self, caller: &Caller, pair: &DraftedPair, step: &str) -> Entry {
        let entry = self
            .entry(caller, Act::CertificateIssue, Outcome::Granted)
            .on("certificate", pair.signing.serial().to_string())
            .with("step", step);
        pair.details.iter().fold(entry, |entry, (kind, value)| entry.with(*kind, value.as_str()))
    }
}
