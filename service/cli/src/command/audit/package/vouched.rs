//! What of a package rests on certificates: who made it, when, and whoever acted.

use std::io::{Read, Seek};

use audit::package::{self, Checked, Container, Finding};
use sm3::{Digest as _, Sm3};
use time::{Duration, OffsetDateTime};
use x509_cert::Certificate;

use super::{
    chain::{Issuer, Trusted, read, was_valid},
    signature,
    status::{Lists, answered},
};
use crate::{
    certificate_status::Standing,
    command::authority::decoded,
    failure::Failure,
    text::problems,
    time_stamp::{self, Stamp},
};

/// How far what a package says of its time may be from its time stamp.
const TOLERANCE: Duration = Duration::minutes(10);
/// Largest member that is read here, bytes: a revocation list.
const LIMIT: u64 = 16 << 20;

/// What is needed to believe who made a package and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The root that was given vouches for nobody in the package.
    Root,
    /// No authority that is trusted made this certificate.
    Issuer(String),
    /// The certificate of whoever made it was not valid, or was revoked before.
    SignerOut,
    /// There is no word on how that certificate stood.
    SignerStatus,
    /// The certificate of whoever stamped the time was revoked.
    StamperOut,
}

/// Who vouches for a package.
#[derive(Default)]
pub(super) struct Vouched {
    pub(super) findings: Vec<Finding>,
    pub(super) missing: Vec<Missing>,
    /// Whoever made it.
    pub(super) signer: Option<Certificate>,
    pub(super) stamp: Option<Stamp>,
    /// Who vouches for all.
    pub(super) trusted: Option<Trusted>,
    /// Certificates of whoever acted that lead to the root.
    pub(super) certificates: usize,
    /// Of those that were revoked when it was made: serial number, and since when.
    pub(super) revoked: Vec<(String, OffsetDateTime)>,
}

/// Checks the certificates of a package and what was signed with them, from the root that is given or else from the one
/// that is enclosed.
pub(super) fn check<R: Read + Seek>(
    container: &mut Container<R>,
    checked: &Checked,
    root: Option<&Certificate>,
    now: OffsetDateTime,
) -> Result<Vouched, Failure> {
    let mut vouched = Vouched::default();
    let members = Members::read(container)?;
    let Some(enclosed) = read(&members.authorities) else {
        vouched.findings.push(Finding::Malformed(package::AUTHORITIES.to_owned()));
        return Ok(vouched);
    };
    // The time stamp says for which time all else is judged, and is judged itself for that time.
    let digest: [u8; 32] = Sm3::digest(&members.signature).into();
    let stamp =
        |issuers: &[Certificate]| time_stamp::read(&members.stamp, &digest, None, issuers, now);
    let at = stamp(&enclosed).map_or(now, |stamp| stamp.at);
    let trusted = match root {
        Some(root) => Trusted::from(root.clone(), &enclosed, at),
        None => Trusted::enclosed(&enclosed, at),
    };
    let Some(trusted) = trusted else {
        vouched.missing.push(Missing::Root);
        return Ok(vouched);
    };
    // Whom an authority certified whose certificate was revoked is not believed.
    let (lists, _) = Lists::read(&members.lists, &trusted);
    let trusted = trusted.without(|authority| lists.revoked(authority).is_some());
    match stamp(trusted.authorities()) {
        Ok(stamp) => {
            if lists.name(&stamp.stamper) {
                vouched.missing.push(Missing::StamperOut);
            }
            vouched.stamp = Some(stamp);
        }
        Err(why) if why == problems::STAMP_ISSUER_UNKNOWN => vouched.missing.push(Missing::Root),
        Err(_) => vouched.findings.push(Finding::NotSigned(package::TIME_STAMP.to_owned())),
    }
    let (lists, forged) = Lists::read(&members.lists, &trusted);
    if root.is_some() && trusted.authorities().len() == 1 {
        // Nothing follows from this root; that somebody else's lists are no forgery is for theirs to say.
        vouched.missing = vec![Missing::Root];
        return Ok(vouched);
    }
    vouched.findings.extend(forged.into_iter().map(Finding::Forged));
    vouched.acted(&members.certificates, &trusted, &lists);
    vouched.made(&members, checked, &trusted, &lists, at);
    vouched.trusted = Some(trusted);
    Ok(vouched)
}

/// What is read of a package here.
struct Members {
    authorities: Vec<u8>,
    signature: Vec<u8>,
    stamp: Vec<u8>,
    certificates: Vec<(String, Vec<u8>)>,
    lists: Vec<(String, Vec<u8>)>,
    answers: Vec<(String, Vec<u8>)>,
}

impl Members {
    fn read<R: Read + Seek>(container: &mut Container<R>) -> Result<Self, Failure> {
        let names: Vec<_> = container.members().iter().map(|it| it.name.clone()).collect();
        let mut octets = |name: &str| {
            let read = container.read(name, LIMIT).map(Option::unwrap_or_default);
            read.map_err(|error| Failure::of(problems::FILE_UNREADABLE).about(error))
        };
        let [authorities, signature, stamp] =
            [package::AUTHORITIES, package::SIGNATURE, package::TIME_STAMP].map(&mut octets);
        let mut all = |is: &dyn Fn(&str) -> bool| {
            let found = names.iter().filter(|name| is(name));
            found.map(|name| Ok((name.clone(), octets(name)?))).collect::<Result<_, Failure>>()
        };
        let own = |name: &str| name.starts_with("certificates/") && name != package::AUTHORITIES;
        Ok(Self {
            authorities: authorities?,
            signature: signature?,
            stamp: stamp?,
            certificates: all(&own)?,
            lists: all(&|name| name.ends_with(".crl"))?,
            answers: all(&|name| name.ends_with(".ocsp"))?,
        })
    }
}

impl Vouched {
    /// Since when the certificate of whoever made the package is revoked by these lists, if it is.
    pub(super) fn revoked_by(&self, lists: Vec<Vec<u8>>) -> Option<OffsetDateTime> {
        let lists: Vec<_> = lists.into_iter().map(|list| (String::new(), list)).collect();
        let (lists, _) = Lists::read(&lists, self.trusted.as_ref()?);
        lists.revoked(self.signer.as_ref()?)
    }

    /// The certificates of whoever acted.
    fn acted(&mut self, found: &[(String, Vec<u8>)], trusted: &Trusted, lists: &Lists) {
        for (name, pem) in found {
            let Some([certificate]) =
                read(pem).as_deref().and_then(|it| it.first_chunk::<1>()).cloned()
            else {
                self.findings.push(Finding::Malformed(name.clone()));
                continue;
            };
            let serial = serial(&certificate);
            if *name != package::certificate(&serial) {
                self.findings.push(Finding::Disagrees(name.clone()));
            }
            match trusted.issuer(&certificate) {
                Issuer::Known(_) => self.certificates += 1,
                Issuer::Forged => self.findings.push(Finding::Forged(name.clone())),
                Issuer::Unknown => self.missing.push(Missing::Issuer(name.clone())),
            }
            self.revoked.extend(lists.revoked(&certificate).map(|at| (serial, at)));
        }
    }

    /// Whoever made the package.
    fn made(
        &mut self,
        members: &Members,
        checked: &Checked,
        trusted: &Trusted,
        lists: &Lists,
        at: OffsetDateTime,
    ) {
        let not_signed = || Finding::NotSigned(package::SIGNATURE.to_owned());
        let Some(signer) = signature::signer(&members.signature, &checked.signed, at) else {
            // Whoever altered the manifest did not alter the signature.
            self.findings.push(not_signed());
            return;
        };
        if serial(&signer) != checked.manifest.certificate {
            self.findings.push(Finding::Disagrees(package::SIGNATURE.to_owned()));
        }
        // Certificates name their holders by identity, which the manifest repeats.
        let subject = signer.tbs_certificate().subject().to_string();
        let by = format!("CN={}", checked.manifest.by);
        if !is_near(&checked.manifest.made, at) || !subject.split(',').any(|part| part == by) {
            self.findings.push(Finding::Disagrees(package::MANIFEST.to_owned()));
        }
        match trusted.issuer(&signer) {
            Issuer::Known(_) => {}
            Issuer::Forged => self.findings.push(not_signed()),
            Issuer::Unknown => self.missing.push(Missing::Issuer(package::SIGNATURE.to_owned())),
        }
        let revoked = lists.revoked(&signer).is_some_and(|since| is_before(since, at));
        let name = package::answer(&serial(&signer));
        let answer = members.answers.iter().find(|(answer, _)| *answer == name);
        // Of whom nobody trusted knows, nobody's answer is believed, nor called forged.
        let known = matches!(trusted.issuer(&signer), Issuer::Known(_));
        let answer = answer.filter(|_| known);
        let answer = answer.map(|(_, octets)| answered(&signer, octets, trusted, at));
        let good = match answer {
            Some(Some(answer)) => answer.standing == Standing::Good,
            Some(None) => {
                self.findings.push(Finding::Forged(name));
                true
            }
            None if !lists.cover(&signer, at) => {
                self.missing.push(Missing::SignerStatus);
                true
            }
            None => true,
        };
        if revoked || !good || !was_valid(&signer, at) {
            self.missing.push(Missing::SignerOut);
        }
        self.signer = Some(signer);
    }
}

/// Serial number, hexadecimal, as the service writes it.
pub(super) fn serial(certificate: &Certificate) -> String {
    hex::encode(certificate.tbs_certificate().serial_number().as_bytes())
}

/// Whether a certificate was revoked before a time. Lists have whole seconds; of what was in the same one the answer in
/// the package (OCSP), which was asked for before, says the rest.
pub(super) fn is_before(since: OffsetDateTime, at: OffsetDateTime) -> bool {
    since.unix_timestamp() < at.unix_timestamp()
}

/// Whether a time as entries write it is about this one.
fn is_near(made: &str, at: OffsetDateTime) -> bool {
    let made = OffsetDateTime::parse(made, &time::format_description::well_known::Rfc3339);
    made.is_ok_and(|made| (made - at).abs() <= TOLERANCE)
}

/// A root certificate in a file, PEM or DER.
pub(in super::super) fn root(octets: &[u8]) -> Option<Certificate> {
    match read(octets) {
        Some(found) => <[Certificate; 1]>::try_from(found).ok().map(|[root]| root),
        None => decoded(octets),
    }
}
