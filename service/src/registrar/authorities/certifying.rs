//! The certificates of the authorities: at the founding, and whenever one gets another key.

use ca::{Authority, Certificate, Draft, Issuer, Order, Profile, Serial};
use hsm::{KeyError, sm2::PublicKey};

use super::{super::Error, Authorities, AuthorityError};
use crate::{clock::UtcTime, generation::Generation, keys::Keys};

impl Authorities {
    /// Makes the certificates of the root and of the authorities below it, root first.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn found(
        keys: &Keys,
        organization: &str,
        serial: impl Fn() -> Result<Serial, Error>,
        now: UtcTime,
    ) -> Result<Vec<(Generation, Certificate)>, AuthorityError> {
        let mut orders = Vec::new();
        for generation in Generation::first() {
            let subject = subject(organization, generation)?;
            let serial = serial().map_err(Box::new)?;
            orders.push(Founded { generation, subject, serial, until: None });
        }
        certify(keys, orders, now)
    }
}

/// An authority that is to be certified.
pub(in crate::registrar) struct Founded {
    pub(in crate::registrar) generation: Generation,
    pub(in crate::registrar) subject: ca::Name,
    pub(in crate::registrar) serial: Serial,
    /// When it ends at the latest.
    pub(in crate::registrar) until: Option<UtcTime>,
}

/// What a generation is called in its certificate.
pub(in crate::registrar) fn subject(
    organization: &str,
    generation: Generation,
) -> Result<ca::Name, AuthorityError> {
    ca::Name::of_authority(organization, &generation.to_string()).map_err(AuthorityError::Name)
}

/// The certificates of authorities by their keys of today, the root first.
pub(in crate::registrar) fn certify(
    keys: &Keys,
    orders: Vec<Founded>,
    now: UtcTime,
) -> Result<Vec<(Generation, Certificate)>, AuthorityError> {
    let root_key = keys.authority(Generation::ROOT)?;
    let known = keys.generations();
    let mut certificates = Vec::new();
    let mut root: Option<Issuer> = None;
    for order in orders {
        let generation = order.generation;
        let key = known.get(&generation).ok_or_else(|| KeyError::Unknown(generation.key()))?;
        let draft = match &root {
            None => Issuer::draft_root(
                Order {
                    profile: Profile::Root,
                    subject: order.subject,
                    public_key: key.clone(),
                    days: None,
                    identifiers: Vec::new(),
                },
                order.serial,
                now,
            )?,
            Some(root) => draft_below(root, order, key, now)?,
        };
        let certificate = draft.sign(&*root_key)?;
        if root.is_none() {
            root = Some(Issuer::new(certificate.clone(), Authority::Root)?);
        }
        certificates.push((generation, certificate));
    }
    Ok(certificates)
}

/// Fixes the certificate of an authority below the root. It ends with the root at the latest.
pub(in crate::registrar) fn draft_below(
    root: &Issuer,
    Founded { subject, serial, until, .. }: Founded,
    key: &PublicKey,
    now: UtcTime,
) -> Result<Draft, AuthorityError> {
    let profile = Profile::IssuingAuthority;
    let end = root.certificate().not_after();
    let left = until.map_or(end, |until| until.min(end)) - now;
    // One that is over is known by a certificate as well.
    let days = u32::try_from(left.whole_days()).unwrap_or(0).clamp(1, profile.days());
    let (public_key, identifiers) = (key.clone(), Vec::new());
    let order = Order { profile, subject, public_key, days: Some(days), identifiers };
    Ok(root.draft(order, serial, now)?)
}
