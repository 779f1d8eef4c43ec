//! `healthcardd keys succeed-authority`: an issuing authority gets another key, and what it issued stays good.
//!
//! In two steps, each on disk before the next: the key of the next generation is made, and in the same file the one
//! before is restricted to lists, so that it certifies nobody from then on; then the root certifies the next one. The
//! last step is also done by any start of the service, so that a crash between the two is mended by the same command
//! or by starting.
//!
//! `healthcardd keys revoke-authority`: the root revokes a generation whose key may be in other hands, and with it all
//! that it certified: recorded in one transaction, and put on the root's list by the start that follows.

use std::path::Path;

use ca::Certificate;
use hsm::{KeyError, KeyUse, soft::Unseal};

use super::{KeyChangeError, Opened, open, versions};
use crate::{
    clock::{self, UtcTime},
    generation::Generation,
    registrar::Registrar,
};

/// What there is after a succession.
pub struct SucceededAuthority {
    /// Whether the authority got another key now. Otherwise it had before.
    pub now: bool,
    /// The generation that issues from then on, or the next one if that was succeeded as well.
    pub next: Generation,
    /// Its certificate.
    pub certificate: Certificate,
    /// The generation that was succeeded.
    pub before: Generation,
    /// Its certificate: until it ends there are lists.
    pub certificate_before: Certificate,
}

/// Gives an issuing authority of a data directory another key. The name says which of its keys is to be succeeded: one
/// that was already is not succeeded again.
///
/// # Errors
/// [`KeyChangeError`]; what was done so far stands, and the same order goes on from there.
pub async fn succeed_authority(
    data: &Path,
    unseal: Unseal<'_>,
    name: &str,
) -> Result<SucceededAuthority, KeyChangeError> {
    let unknown = || KeyChangeError::NotAnAuthority { name: name.to_owned() };
    let before = issuing(name)?;
    let next = before.next().ok_or_else(unknown)?;
    // Whatever was begun is finished by this.
    let Opened { registrar, mut keystore, .. } = open(data, unseal).await?;
    let certificate = |registrar: &Registrar, of| registrar.authority_certificate(of).cloned();
    let certificate_before = certificate(&registrar, before).ok_or_else(unknown)?;
    let succeeded = |now, certificate| SucceededAuthority {
        now,
        next,
        certificate,
        before,
        certificate_before: certificate_before.clone(),
    };
    if let Some(certificate) = certificate(&registrar, next) {
        return Ok(succeeded(false, certificate));
    }
    keystore.generate(&next.key(), KeyUse::SignCertificates)?;
    keystore.restrict(&before.key())?;
    let made = versions(&keystore, &next.key()).into_iter().find_map(|made| made.public_key);
    let made = made.ok_or_else(|| KeyError::Unknown(next.key()))?;
    let entry = registrar.plan_succession((before, next), &made, clock::now()).map_err(Box::new)?;
    registrar.store().record_act(entry).await?;
    keystore.save()?;
    drop((registrar, keystore));
    let Opened { registrar, .. } = open(data, unseal).await?;
    let made = certificate(&registrar, next).ok_or_else(|| KeyError::Unknown(next.key()))?;
    Ok(succeeded(true, made))
}

/// What there is after a revocation.
pub struct RevokedAuthority {
    /// Whether it was revoked now. Otherwise it had been before.
    pub now: bool,
    /// The generation.
    pub generation: Generation,
    /// Since when it is revoked.
    pub at: UtcTime,
}

/// Revokes a generation of an issuing authority of a data directory, which another has succeeded, and whatever it
/// certified.
///
/// # Errors
/// [`KeyChangeError`]; nothing is then revoked, but for [`KeyChangeError::Revoked`].
pub async fn revoke_authority(
    data: &Path,
    unseal: Unseal<'_>,
    name: &str,
) -> Result<RevokedAuthority, KeyChangeError> {
    let generation = issuing(name)?;
    let Opened { registrar, .. } = open(data, unseal).await?;
    if registrar.authority_certificate(generation).is_none() {
        return Err(KeyChangeError::NotAnAuthority { name: name.to_owned() });
    }
    if let Some(at) = registrar.authority_revoked(generation) {
        return Ok(RevokedAuthority { now: false, generation, at });
    }
    if registrar.issues(generation) {
        return Err(KeyChangeError::Issues(generation));
    }
    let at = clock::now();
    registrar.revoke_authority(generation, at).await.map_err(Box::new)?;
    drop(registrar);
    // The root's list.
    open(data, unseal).await.map_err(|error| KeyChangeError::Revoked(Box::new(error)))?;
    Ok(RevokedAuthority { now: true, generation, at })
}

/// The issuing authority with this name.
fn issuing(name: &str) -> Result<Generation, KeyChangeError> {
    let of = name.parse().map_err(|_| KeyChangeError::NotAnAuthority { name: name.to_owned() })?;
    if of == Generation::ROOT { Err(KeyChangeError::IsTheRoot) } else { Ok(of) }
}
