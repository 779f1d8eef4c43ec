//! From a root that somebody trusts to the one in force: a root that gets another key certifies it with the one
//! before (link certificates, RFC 4210, 4.4).

use der::Encode as _;
use proto::v1::AuthoritiesResponse;
use time::OffsetDateTime;
use x509_cert::{Certificate, ext::pkix::BasicConstraints};

use super::{decoded, is_made_by};

/// Whether `known` is the root in force, or vouches for its key over the links; each is valid now.
pub(super) fn leads_to_root(
    known: &Certificate,
    found: &AuthoritiesResponse,
    now: OffsetDateTime,
) -> Option<()> {
    let root = decoded(&found.root)?;
    let mut at = known.clone();
    for link in &found.succeeded {
        let link = decoded(&link.new_with_old)?;
        // The roots before the one that is known are passed over.
        if is_link(&at, &link, now).is_some() {
            at = link;
        }
    }
    same_holder(&at, &root)
}

fn is_link(from: &Certificate, link: &Certificate, now: OffsetDateTime) -> Option<()> {
    let body = link.tbs_certificate();
    (body.issuer() == body.subject()).then_some(())?;
    (body.subject() == from.tbs_certificate().subject()).then_some(())?;
    let (_, constraints) = body.get_extension::<BasicConstraints>().ok()??;
    constraints.ca.then_some(())?;
    let [begin, end] = [body.validity().not_before, body.validity().not_after]
        .map(|time| OffsetDateTime::UNIX_EPOCH + time.to_unix_duration());
    (begin..=end).contains(&now).then_some(())?;
    is_made_by(from, link)
}

/// Whether both are certificates of one name and key.
fn same_holder(one: &Certificate, other: &Certificate) -> Option<()> {
    let [one, other] = [one, other].map(Certificate::tbs_certificate);
    let keys = [one, other].map(|body| body.subject_public_key_info().to_der().ok());
    (one.subject() == other.subject() && keys[0].is_some() && keys[0] == keys[1]).then_some(())
}
