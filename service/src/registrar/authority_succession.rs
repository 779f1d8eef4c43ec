//! How an issuing authority gets another key (签发机构密钥更换): the root certifies the next one under the name of the
//! next generation, which issues everything from then on. The one before issues nothing more, and goes on telling how
//! stands what it issued: with its lists, and by its responder. If its key is in other hands, the root revokes it.

use audit::{Entry, Outcome};
use ca::{Authority, Certificate, Issuer, crl::Reason};
use hsm::sm2::PublicKey;

use super::{
    Error, Registrar,
    authorities::{AuthorityError, Founded, draft_below, subject},
    entry_by, new_serial,
    revocation_lists::fault,
    service_actor,
};
use crate::{
    clock::UtcTime,
    generation::Generation,
    keys::Keys,
    policy::Act,
    store::{self, Store},
    token::thumbprint,
};

impl Registrar {
    /// The entry for the key of a generation that is about to be made, with which the one before it is
    /// restricted to lists.
    ///
    /// # Errors
    /// [`Error`] when the root could not certify it: then nothing is to be changed.
    pub(crate) fn plan_succession(
        &self,
        (before, next): (Generation, Generation),
        key: &PublicKey,
        now: UtcTime,
    ) -> Result<Entry, Error> {
        let root = &self.authorities.member(Generation::ROOT).map_err(fault)?.issuer;
        draft_below(root, founded(&self.name, next)?, key, now).map_err(fault)?;
        Ok(succession(&self.name, next, "key", now)
            .with("succeeds", before.to_string())
            .with("thumbprint", thumbprint(key)))
    }

    /// Whether this generation issues: none has succeeded it.
    pub(crate) fn issues(&self, of: Generation) -> bool {
        self.authorities.member(of).is_ok_and(|member| !member.issuer.is_succeeded())
    }

    /// Since when the key of this generation may be in other hands.
    pub(crate) fn authority_revoked(&self, of: Generation) -> Option<UtcTime> {
        self.authorities.member(of).ok()?.revoked
    }

    /// Records that the key of a generation may be in other hands, and revokes whatever it certified. The
    /// root's list has it from the next start on.
    ///
    /// # Errors
    /// [`Error`] when it could not be recorded.
    pub(crate) async fn revoke_authority(&self, of: Generation, now: UtcTime) -> Result<(), Error> {
        let certificate = self.authorities.member(of).map_err(fault)?.certificate();
        let (root, serial) = (Generation::ROOT.to_string(), certificate.serial().to_string());
        let entry =
            entry_by(service_actor(&self.name), Act::AuthorityRevoke, Outcome::Granted, now)
                .on("authority", of.to_string())
                .with("serial", serial.as_str())
                .with("thumbprint", hex::encode(certificate.thumbprint()))
                .with("revocation", Reason::AuthorityCompromise.code().to_string())
                .with("alert", "authority-revoked");
        let name = of.to_string();
        self.store.record_authority_revoked((&root, &serial), &name, now, entry).await?;
        Ok(())
    }
}

/// Has the root certify the generations that the keystore has keys of, and the record no certificates: all
/// authorities as they are then.
///
/// # Errors
/// [`Error`] when a certificate could not be made or recorded.
pub(crate) async fn certify_next(
    store: &Store,
    keys: &Keys,
    name: &str,
    mut certified: Vec<(Generation, Certificate)>,
    now: UtcTime,
) -> Result<Vec<(Generation, Certificate)>, Error> {
    if keys.tested().is_err() {
        // Nothing is signed; the generations before tell how they stand.
        return Ok(certified);
    }
    for (generation, key) in keys.generations() {
        if certified.iter().any(|(known, _)| *known == generation) {
            continue;
        }
        let (_, root) =
            certified.first().ok_or_else(|| fault(AuthorityError::Record("root certificate")))?;
        let root = Issuer::new(root.clone(), Authority::Root).map_err(|e| fault(e.into()))?;
        let draft = draft_below(&root, founded(name, generation)?, &key, now).map_err(fault)?;
        let serial = draft.serial().to_string();
        let entry = |step| succession(name, generation, step, now).with("serial", serial.as_str());
        store.record_act(entry("draft")).await?;
        let certificate =
            draft.sign(&*keys.authority(Generation::ROOT)?).map_err(|e| fault(e.into()))?;
        let signed = entry("signed").with("thumbprint", hex::encode(certificate.thumbprint()));
        let der = certificate.der().to_vec();
        store
            .record_authority(store::Authority { name: generation.to_string(), der }, signed)
            .await?;
        certified.push((generation, certificate));
    }
    certified.sort_by_key(|(generation, _)| *generation);
    Ok(certified)
}

fn founded(organization: &str, generation: Generation) -> Result<Founded, Error> {
    let subject = subject(organization, generation).map_err(fault)?;
    Ok(Founded { generation, subject, serial: new_serial()?, until: None })
}

fn succession(name: &str, next: Generation, step: &str, now: UtcTime) -> Entry {
    entry_by(service_actor(name), Act::AuthoritySucceed, Outcome::Granted, now)
        .on("authority", next.to_string())
        .with("step", step)
}
