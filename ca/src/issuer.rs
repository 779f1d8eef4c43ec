use hsm::{
    KeyError, Sm2Signer,
    sm2::{PublicKey, SignerId},
};
use time::{Duration, OffsetDateTime};

use crate::{
    Certificate, CertificateError, IdentifyingExtension, Name, Profile, Serial, algorithm,
    crl::SerialRange,
    der::{Text, read_text, sequence, tag, tlv, write_time},
    extension::{BasicConstraints, Extensions, KeyIdentifier, KeyUsage, OtherExtension},
    lint::{self, LintError},
    profile::{Authority, Rules, Subject},
};

/// Why a certificate or a revocation list was not issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The certificate given for an issuer is not one that may sign certificates and revocation
    /// lists.
    #[error("the issuer's certificate is not that of an authority")]
    NotAnAuthority,
    /// This authority does not issue certificates of this kind.
    #[error("a certificate of kind {profile:?} is issued by {by:?}, not by {asked:?}")]
    WrongAuthority {
        /// Kind that was ordered.
        profile: Profile,
        /// Authority that issues it.
        by: Authority,
        /// Authority that was asked.
        asked: Authority,
    },
    /// Another key has taken this authority's place: it makes lists and certifies who answers about
    /// the status of its certificates, and nobody else.
    #[error("a certificate of kind {profile:?} is not issued by a key that was succeeded")]
    Succeeded {
        /// Kind that was ordered.
        profile: Profile,
    },
    /// The subject is empty, or an identity's name lacks its pseudonym, institution or role.
    #[error("the subject's name is not what the profile asks for")]
    BadSubject,
    /// The key is the issuer's own, so that holder and issuer could not be told apart.
    #[error("the key to be certified is the issuer's own")]
    BadKey,
    /// No validity, or more than the profile gives.
    #[error("asked for {asked} days, where 1 to {most} can be given")]
    BadPeriod {
        /// Days that were asked for.
        asked: u32,
        /// Most days of the profile.
        most: u32,
    },
    /// The issuer's certificate is not valid yet, or no longer.
    #[error("the issuer is valid from {from} to {to} only")]
    IssuerNotValid {
        /// Begin of the issuer's certificate.
        from: OffsetDateTime,
        /// End of the issuer's certificate.
        to: OffsetDateTime,
    },
    /// The certificate would be valid for longer than the one that vouches for it.
    #[error("asked to end {requested}, after the issuer itself ends {issuer}")]
    OutlivesIssuer {
        /// End of the certificate that was ordered.
        requested: OffsetDateTime,
        /// End of the issuer's certificate.
        issuer: OffsetDateTime,
    },
    /// What would be signed breaks a rule that every certificate has to keep.
    #[error("checking the certificate before it is signed")]
    Lint(#[from] LintError),
    /// A URL is not plain printable ASCII of at most 256 octets.
    #[error("a URL is not plain ASCII text")]
    BadUrl,
    /// The revocation list would be valid no longer than an instant, or names a certificate twice.
    #[error("the revocation list has no period, or names a certificate twice")]
    BadList,
    /// The key that was to sign is not the issuer's.
    #[error("the signing key is not the one in the issuer's certificate")]
    WrongKey,
    /// The issuer's key refused or could not be reached.
    #[error("signing the body")]
    Sign(#[source] KeyError),
    /// The key returned something that is not its signature: a broken device, or a fault induced in
    /// it.
    #[error("the key returned a signature that does not verify")]
    FalseSignature,
    /// What was made could not be read back.
    #[error("reading back the certificate that was made")]
    SelfCheck(#[from] CertificateError),
}

/// Authorities that may follow below a link certificate: those below a root, and further links.
const LINK_LENGTH: u8 = 4;

/// A certificate that is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// Kind of certificate.
    pub profile: Profile,
    /// The holder's name, of the form the profile asks for.
    pub subject: Name,
    /// The holder's key, from a [`CertificateRequest`](crate::request::CertificateRequest) or a
    /// keystore of ours.
    pub public_key: PublicKey,
    /// Days of validity; `None` for as many as the profile gives.
    pub days: Option<u32>,
    /// What else says who the holder is, of different kinds; only of an identity.
    pub identifiers: Vec<IdentifyingExtension>,
}

/// An authority that can issue (签发机构): its certificate and which kinds it signs. It holds no key.
#[derive(Clone, Debug)]
pub struct Issuer {
    certificate: Certificate,
    authority: Authority,
    succeeded: bool,
    crl_url: Option<ListUrl>,
    issuer_url: Option<String>,
    status_url: Option<String>,
}

/// Where the lists of an authority are offered.
#[derive(Clone, Debug)]
enum ListUrl {
    /// One list for all certificates.
    One(String),
    /// One for each range of serial numbers, which stands between the two.
    Ranged(String, String),
}

impl ListUrl {
    fn of(&self, serial: &Serial) -> String {
        match self {
            Self::One(url) => url.clone(),
            Self::Ranged(before, after) => format!("{before}{}{after}", SerialRange::of(serial)),
        }
    }
}

/// A certificate of which every signed octet is fixed, and which nobody has signed yet.
///
/// The order of work is draft, record, sign, record: after a crash there is a record of everything
/// that may have been signed.
#[derive(Debug)]
pub struct Draft {
    body: Vec<u8>,
    signer: PublicKey,
    serial: Serial,
    validity: (OffsetDateTime, OffsetDateTime),
}

impl Issuer {
    /// An authority from its certificate.
    ///
    /// # Errors
    /// [`IssueError::NotAnAuthority`], when the certificate does not allow what the authority does.
    pub fn new(certificate: Certificate, authority: Authority) -> Result<Self, IssueError> {
        let may = KeyUsage::CERTIFICATE_SIGNING | KeyUsage::CRL_SIGNING;
        let allowed = certificate.key_usage().is_some_and(|usage| usage.contains(may));
        let below = certificate.path_length();
        if !certificate.is_ca() || !allowed || (authority == Authority::Root && below == Some(0)) {
            return Err(IssueError::NotAnAuthority);
        }
        let (crl_url, issuer_url, status_url) = (None, None, None);
        Ok(Self { certificate, authority, succeeded: false, crl_url, issuer_url, status_url })
    }

    /// The same after another key has taken its place: it tells how stands what it issued, with lists
    /// and by its responders, and issues nothing else ever again.
    #[must_use]
    pub fn succeeded(self) -> Self {
        Self { succeeded: true, ..self }
    }

    /// Whether another key has taken its place.
    #[must_use]
    pub fn is_succeeded(&self) -> bool {
        self.succeeded
    }

    /// Writes into each certificate where this authority's revocation list is offered.
    ///
    /// # Errors
    /// [`IssueError::BadUrl`], when it is not plain ASCII of at most 256 octets.
    pub fn with_crl_url(self, url: &str) -> Result<Self, IssueError> {
        Ok(Self { crl_url: Some(ListUrl::One(checked_url(url)?)), ..self })
    }

    /// Writes into each certificate where the list of its [`SerialRange`] is offered: the range
    /// stands between these two. What is offered there may be a list of all certificates as well.
    ///
    /// # Errors
    /// [`IssueError::BadUrl`], when it is not plain ASCII of at most 256 octets.
    pub fn with_ranged_crl_url(self, before: &str, after: &str) -> Result<Self, IssueError> {
        checked_url(&format!("{before}00{after}"))?;
        Ok(Self { crl_url: Some(ListUrl::Ranged(before.to_owned(), after.to_owned())), ..self })
    }

    /// Writes into each certificate where this authority's own certificate is offered.
    ///
    /// # Errors
    /// [`IssueError::BadUrl`], when it is not plain ASCII of at most 256 octets.
    pub fn with_issuer_url(self, url: &str) -> Result<Self, IssueError> {
        Ok(Self { issuer_url: Some(checked_url(url)?), ..self })
    }

    /// Writes into each certificate where its status is told (OCSP), except into those of who tells
    /// it.
    ///
    /// # Errors
    /// [`IssueError::BadUrl`], when it is not plain ASCII of at most 256 octets.
    pub fn with_status_url(self, url: &str) -> Result<Self, IssueError> {
        Ok(Self { status_url: Some(checked_url(url)?), ..self })
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Which authority this is.
    pub fn authority(&self) -> Authority {
        self.authority
    }

    /// Checks the order against its profile and fixes every octet that will be signed. Validity
    /// begins with `now`, not earlier, so that no signature can claim a time before its certificate
    /// existed.
    ///
    /// `serial` must never have been used by this authority: sixteen fresh random octets.
    ///
    /// # Errors
    /// [`IssueError`], for what is wrong with the order.
    pub fn draft(
        &self,
        order: Order,
        serial: Serial,
        now: OffsetDateTime,
    ) -> Result<Draft, IssueError> {
        let rules = order.profile.rules();
        let (profile, asked) = (order.profile, self.authority);
        let by = rules.issued_by.unwrap_or(asked);
        if profile == Profile::Root || by != asked {
            return Err(IssueError::WrongAuthority { profile, by, asked });
        }
        if self.succeeded && profile != Profile::StatusResponder {
            return Err(IssueError::Succeeded { profile });
        }
        if order.public_key == *self.certificate.public_key() {
            return Err(IssueError::BadKey);
        }
        let (from, to) = (self.certificate.not_before(), self.certificate.not_after());
        if !(from..=to).contains(&now) {
            return Err(IssueError::IssuerNotValid { from, to });
        }
        let validity = validity(&order, rules, now)?;
        if validity.1 > to {
            return Err(IssueError::OutlivesIssuer { requested: validity.1, issuer: to });
        }
        let mut extensions = extensions(&order, rules);
        extensions.authority_key = Some(self.key_identifier());
        extensions.crl_url = self.crl_url.as_ref().map(|url| url.of(&serial));
        extensions.issuer_url.clone_from(&self.issuer_url);
        if !rules.no_check {
            extensions.status_url.clone_from(&self.status_url);
        }
        let name = self.certificate.subject();
        let body = body(&order, rules, name, &serial, validity, &extensions)?;
        lint::check(&body, name, self.certificate.public_key(), self.key_identifier())?;
        Ok(Draft { body, signer: self.certificate.public_key().clone(), serial, validity })
    }

    /// Fixes the root's own certificate, which the same key will sign.
    ///
    /// # Errors
    /// [`IssueError::WrongAuthority`] when another profile than [`Profile::Root`] is ordered;
    /// otherwise as for [`draft`](Self::draft).
    pub fn draft_root(
        order: Order,
        serial: Serial,
        now: OffsetDateTime,
    ) -> Result<Draft, IssueError> {
        let rules = order.profile.rules();
        if order.profile != Profile::Root {
            let (profile, asked) = (order.profile, Authority::Root);
            let by = rules.issued_by.unwrap_or(asked);
            return Err(IssueError::WrongAuthority { profile, by, asked });
        }
        let validity = validity(&order, rules, now)?;
        let extensions = extensions(&order, rules);
        let body = body(&order, rules, &order.subject, &serial, validity, &extensions)?;
        let identifier = KeyIdentifier::of(&order.public_key);
        lint::check(&body, &order.subject, &order.public_key, identifier)?;
        Ok(Draft { body, signer: order.public_key, serial, validity })
    }

    /// Fixes a link certificate (RFC 4210, 4.4): this root, by the key of this certificate, vouches for
    /// another key that it has at another time, its next or the one before. Who trusts one of the two
    /// certificates of the root finds from it to the other.
    ///
    /// # Errors
    /// [`IssueError::WrongAuthority`] when this is no root; [`IssueError::BadKey`] when it is the same
    /// key; [`IssueError::OutlivesIssuer`] when it would be valid for longer than this certificate;
    /// otherwise as for [`draft`](Self::draft).
    pub fn draft_link(
        &self,
        key: &PublicKey,
        serial: Serial,
        validity: (OffsetDateTime, OffsetDateTime),
    ) -> Result<Draft, IssueError> {
        let (profile, asked) = (Profile::Root, self.authority);
        if asked != Authority::Root {
            return Err(IssueError::WrongAuthority { profile, by: Authority::Root, asked });
        }
        if self.succeeded {
            return Err(IssueError::Succeeded { profile });
        }
        if key == self.certificate.public_key() {
            return Err(IssueError::BadKey);
        }
        let (requested, issuer) = (validity.1, self.certificate.not_after());
        if requested > issuer {
            return Err(IssueError::OutlivesIssuer { requested, issuer });
        }
        let name = self.certificate.subject().clone();
        let (public_key, identifiers) = (key.clone(), Vec::new());
        let order = Order { profile, subject: name, public_key, days: None, identifiers };
        let rules = profile.rules();
        let mut extensions = extensions(&order, rules);
        // Where RFC 5280 does not count a link as one that follows, some verifiers do.
        extensions.constraints = BasicConstraints::Authority { path_length: Some(LINK_LENGTH) };
        extensions.authority_key = Some(self.key_identifier());
        let body = body(&order, rules, &order.subject, &serial, validity, &extensions)?;
        lint::check(&body, &order.subject, self.certificate.public_key(), self.key_identifier())?;
        Ok(Draft { body, signer: self.certificate.public_key().clone(), serial, validity })
    }

    /// Identifier of this authority's key, as its own certificate gives it.
    pub(crate) fn key_identifier(&self) -> KeyIdentifier {
        let given = self.certificate.key_identifier().cloned();
        given.unwrap_or_else(|| KeyIdentifier::of(self.certificate.public_key()))
    }
}

impl Draft {
    /// The certificate body (TBSCertificate, DER), to be recorded before the key is touched.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The serial number it will have.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// First second of its validity.
    pub fn not_before(&self) -> OffsetDateTime {
        self.validity.0
    }

    /// Last second of its validity.
    pub fn not_after(&self) -> OffsetDateTime {
        self.validity.1
    }

    /// Signs the body. Takes the draft, so that one draft yields one certificate:
    ///
    /// ```compile_fail,E0382
    /// # fn twice(draft: ca::Draft, key: &dyn hsm::Sm2Signer) {
    /// let first = draft.sign(key);
    /// let second = draft.sign(key);
    /// # }
    /// ```
    ///
    /// The certificate is read back and its signature checked before anybody sees it.
    ///
    /// # Errors
    /// [`IssueError::WrongKey`], [`IssueError::Sign`], [`IssueError::FalseSignature`].
    pub fn sign(self, key: &dyn Sm2Signer) -> Result<Certificate, IssueError> {
        let signature = sign_body(&self.body, &self.signer, key)?;
        Ok(Certificate::assemble(&self.body, &signature)?)
    }
}

/// Signs `body` with `key`, which must be the one that `signer` says, and checks what comes back.
pub(crate) fn sign_body(
    body: &[u8],
    signer: &PublicKey,
    key: &dyn Sm2Signer,
) -> Result<hsm::sm2::Signature, IssueError> {
    if key.public_key() != signer {
        return Err(IssueError::WrongKey);
    }
    let e = signer.digest(&SignerId::DEFAULT, body);
    let signature = key.sign(&e).map_err(IssueError::Sign)?;
    signer.verify(&e, &signature).map_err(|_| IssueError::FalseSignature)?;
    Ok(signature)
}

pub(crate) fn checked_url(url: &str) -> Result<String, IssueError> {
    let text = read_text(Text::Ia5, url.as_bytes()).map_err(|_| IssueError::BadUrl)?;
    if text.contains(' ') { Err(IssueError::BadUrl) } else { Ok(text.to_owned()) }
}

/// First and last second of validity.
fn validity(
    order: &Order,
    rules: &Rules,
    now: OffsetDateTime,
) -> Result<(OffsetDateTime, OffsetDateTime), IssueError> {
    let days = order.days.unwrap_or(rules.days);
    if !(1..=rules.days).contains(&days) {
        return Err(IssueError::BadPeriod { asked: days, most: rules.days });
    }
    let from = now - Duration::nanoseconds(i64::from(now.nanosecond()));
    Ok((from, from + Duration::days(i64::from(days)) - Duration::SECOND))
}

fn extensions(order: &Order, rules: &Rules) -> Extensions {
    Extensions {
        constraints: match rules.path_length {
            Some(length) => BasicConstraints::Authority { path_length: Some(length) },
            None => BasicConstraints::EndEntity,
        },
        key_usage: Some(rules.key_usage),
        purposes: rules.purposes.to_vec(),
        purposes_critical: rules.purposes_critical,
        no_check: rules.no_check,
        subject_key: Some(KeyIdentifier::of(&order.public_key)),
        others: order.identifiers.iter().map(other).collect(),
        ..Extensions::none()
    }
}

fn other(identifier: &IdentifyingExtension) -> OtherExtension {
    OtherExtension { oid: identifier.oid().as_bytes().to_vec(), value: identifier.value().to_vec() }
}

/// TBSCertificate (RFC 5280, 4.1).
fn body(
    order: &Order,
    rules: &Rules,
    issuer: &Name,
    serial: &Serial,
    (from, to): (OffsetDateTime, OffsetDateTime),
    extensions: &Extensions,
) -> Result<Vec<u8>, IssueError> {
    let subject = &order.subject;
    let named = match rules.subject {
        Subject::Authority => subject.organization().is_some() && subject.common_name().is_some(),
        Subject::Identity => subject.is_identity(),
    };
    if !named {
        return Err(IssueError::BadSubject);
    }
    Ok(sequence(&[
        &tlv(tag::constructed(0), &[&[tag::INTEGER, 1, 2]]),
        &serial.write(),
        &algorithm::sm2_with_sm3(),
        issuer.der(),
        &sequence(&[&write_time(from), &write_time(to)]),
        subject.der(),
        &order.public_key.to_spki_der(),
        &tlv(tag::constructed(3), &[&extensions.write()]),
    ]))
}

#[cfg(test)]
mod tests;
