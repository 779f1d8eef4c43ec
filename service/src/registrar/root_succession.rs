//! How the root gets another key (根密钥更换, RFC 4210, 4.4): the key before certifies the next one and makes its last
//! list, then the next one takes over, certifies the authorities below it anew, and the key before. Whoever trusts
//! either certificate of the root finds from it to the other; what the authorities issued stays as it is.

use audit::Outcome;
use ca::crl::{Edition, Scope};
use ca::{Authority, Certificate, Issuer};
use hsm::{Sm2Signer, sm2::PublicKey};

use super::{
    Error, Registrar,
    authorities::{AuthorityError, CLOCK_SKEW, Founded, Member, certify},
    entry_by,
    list_names::ListName,
    new_serial,
    revocation_lists::fault,
    service_actor,
};
use crate::{
    clock::UtcTime,
    generation::Generation,
    keys::Keys,
    policy::Act,
    store::{self, RootSuccession, Store},
    token::thumbprint,
};

/// A root that another one has succeeded, DER. Public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SucceededRoot {
    /// Its certificate.
    pub before: Vec<u8>,
    /// The next key of the root, certified by this one.
    pub new_with_old: Vec<u8>,
    /// This key, certified by the next one.
    pub old_with_new: Vec<u8>,
    /// Its last list, good for ever.
    pub last_list: Vec<u8>,
}

impl Registrar {
    /// The root's certificate.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is none, which does not happen in a service that was started.
    pub fn root(&self) -> Result<&Certificate, Error> {
        self.authorities.member(Generation::ROOT).map(Member::certificate).map_err(fault)
    }

    /// The roots that were succeeded, the oldest first. Public.
    #[must_use]
    pub fn succeeded_roots(&self) -> &[SucceededRoot] {
        self.authorities.succeeded()
    }

    /// The last list of a root that was succeeded, by the name of its file: `ca-root-before-1` is the oldest, and
    /// numbers stay. The list of the root in force has another name.
    #[must_use]
    pub fn last_list(&self, name: &str) -> Option<&[u8]> {
        let number = name.strip_prefix(&Generation::ROOT.to_string())?.strip_prefix("-before-")?;
        let plain = !number.starts_with('0') && number.bytes().all(|it| it.is_ascii_digit());
        let at = number.parse::<usize>().ok().filter(|_| plain)?.checked_sub(1)?;
        self.succeeded_roots().get(at).map(|root| root.last_list.as_slice())
    }

    /// Has the root's key sign what it leaves for the next one: its certificate, and the last list.
    ///
    /// # Errors
    /// [`Error`] when it could not be signed or recorded.
    pub async fn link_root(
        &self,
        signer: &dyn Sm2Signer,
        next: &PublicKey,
        now: UtcTime,
    ) -> Result<(), Error> {
        let root = &self.authorities.member(Generation::ROOT).map_err(fault)?.issuer;
        let end = root.certificate().not_after();
        let begin = now.replace_nanosecond(0).unwrap_or(now);
        let issue = |e| fault(AuthorityError::from(e));
        let link = root.draft_link(next, new_serial()?, (begin, end)).map_err(issue)?;
        let entry = || {
            entry_by(service_actor(&self.name), Act::RootLink, Outcome::Granted, now)
                .on("authority", Generation::ROOT.to_string())
                .with("before", hex::encode(root.certificate().thumbprint()))
                .with("thumbprint", thumbprint(next))
        };
        let drafted = entry().with("step", "draft").with("link", link.serial().to_string());
        self.record_act(drafted).await?;
        let link = link.sign(signer).map_err(issue)?;
        let name = ListName::complete(Generation::ROOT, None);
        let last = self.store.last_list_number(&name.part().issuer).await?;
        let number = last.unwrap_or_default() + 1;
        let (revoked, _) = self.revocations(name, now).await?;
        let this_update = begin - CLOCK_SKEW;
        // What was signed below this root is judged long after it ended.
        let edition = Edition { number, this_update, next_update: Edition::NEVER };
        let list = root.draft_crl(edition, &Scope::All, None, &revoked).map_err(issue)?;
        let list = list.sign(signer).map_err(issue)?;
        let signed = entry().with("step", "signed").with("link", hex::encode(link.thumbprint()));
        let record = RootSuccession {
            before: root.certificate().der().to_vec(),
            new_with_old: link.der().to_vec(),
            last_list: list.der().to_vec(),
            old_with_new: None,
        };
        self.store.record_root_link(record, signed).await?;
        Ok(())
    }
}

/// Has the root's key take over where the keystore has one that the root on record has signed for, and its
/// certificate is of the key before; the authorities as they are then.
///
/// # Errors
/// [`Error`] when the new certificates could not be made or recorded.
pub(crate) async fn take_over(
    store: &Store,
    keys: &Keys,
    name: &str,
    before: Vec<(Generation, Certificate)>,
    now: UtcTime,
) -> Result<Vec<(Generation, Certificate)>, Error> {
    let key = keys.authority(Generation::ROOT)?;
    let Some((_, root)) = before.first().filter(|(_, root)| root.public_key() != key.public_key())
    else {
        return Ok(before);
    };
    let links = store.root_successions().await?;
    let signed_for = links.iter().filter(|link| link.before == root.der()).any(|link| {
        Certificate::parse(&link.new_with_old).is_ok_and(|it| it.public_key() == key.public_key())
    });
    if !signed_for {
        // What is wrong is said when the certificates are taken up.
        return Ok(before);
    }
    let entry = |step| {
        entry_by(service_actor(name), Act::RootSucceed, Outcome::Granted, now)
            .on("authority", Generation::ROOT.to_string())
            .with("before", hex::encode(root.thumbprint()))
            .with("step", step)
    };
    // What is signed without being recorded after was recorded before, by its number.
    let link_serial = new_serial()?;
    let mut drafted = entry("draft").with("link", link_serial.to_string());
    let mut orders = Vec::new();
    for (generation, certificate) in &before {
        let (generation, serial) = (*generation, new_serial()?);
        drafted = drafted.with(generation.to_string(), serial.to_string());
        // One that was succeeded is not good for longer than it was.
        let succeeded = before.iter().any(|(other, _)| generation.next() == Some(*other));
        let until = succeeded.then(|| certificate.not_after());
        orders.push(Founded { generation, subject: certificate.subject().clone(), serial, until });
    }
    store.record_act(drafted).await?;
    let after = certify(keys, orders, now).map_err(fault)?;
    let issue = |e| fault(AuthorityError::from(e));
    let next = &after[0].1;
    let until = root.not_after().min(next.not_after());
    let validity = (root.not_before(), until);
    let link = Issuer::new(next.clone(), Authority::Root)
        .and_then(|issuer| issuer.draft_link(root.public_key(), link_serial, validity))
        .and_then(|draft| draft.sign(&*key))
        .map_err(issue)?;
    let signed = entry("signed").with("link", hex::encode(link.thumbprint()));
    let signed = after
        .iter()
        .fold(signed, |entry, (of, it)| entry.with(of.to_string(), hex::encode(it.thumbprint())));
    let records = after.iter().map(|(generation, certificate)| store::Authority {
        name: generation.to_string(),
        der: certificate.der().to_vec(),
    });
    let (before, link) = (root.der().to_vec(), link.der().to_vec());
    store.record_root_succession(before, link, records.collect(), signed).await?;
    Ok(after)
}
