//! `healthcard key monitor`: what was certified in one's name, held against what this device asked for.

use audit::{Entry, Outcome as Ended, checkpoint::VerifierKey};
use clap::Args;
use der::{Decode as _, Encode as _};
use proto::v1::{
    ListOwnCertificatesRequest, ListOwnCertificatesResponse, OwnCertificate,
    ProveAuditEntryResponse, identities_client::IdentitiesClient,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use x509_cert::{TbsCertificate, ext::pkix::KeyUsage};

use super::digest;
use crate::{
    command::audit::Key,
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    identity::{Certificate, Home},
    json,
    page::{Cell, Page, timestamp},
    proof,
    text::{self, Text, problems},
};

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    #[command(flatten)]
    key: Key,
}

/// What this device knows of its own.
struct Known {
    /// Digests of the keys that were made here, and of the encryption keys that were accepted here.
    keys: Vec<String>,
    /// Subject of the certificate held here.
    subject: String,
}

/// One certificate, judged.
struct Judged {
    serial: String,
    /// Whether its key encrypts.
    encrypts: bool,
    /// First second of its validity.
    not_before: OffsetDateTime,
    /// Digest of its key.
    key: String,
    /// Whether it was only drafted, as far as the record knows.
    draft: bool,
    /// Where the log has it, if it was proved.
    position: Option<u64>,
}

impl Monitor {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let known = Known::of(context.service.home())?;
        let key = self.key.resolve(context).await?;
        let found = context
            .service
            .ask(async |channel| {
                IdentitiesClient::new(channel).list_own(ListOwnCertificatesRequest {}).await
            })
            .await?;
        let judged = known.judge(&found, &key)?;
        let asked: Vec<bool> = judged.iter().map(|it| known.keys.contains(&it.key)).collect();
        let strange = asked.iter().filter(|asked| !**asked).count();
        let unproved = judged.iter().filter(|it| it.position.is_none() && !it.draft).count();
        let withheld = withheld(&judged);
        let (mut lines, mut items) = (Vec::new(), Vec::new());
        for ((certificate, judged), asked) in found.certificates.iter().zip(&judged).zip(&asked) {
            lines.push(line(certificate, judged, *asked));
            items.push(item(certificate, judged, *asked));
        }
        let json = json!({
            "identity_id": found.identity_id,
            "log_size": found.tree_size,
            "verifier_key": key.to_string(),
            "certificates": items,
            "not_asked_for": strange,
            "not_proved": unproved,
            "proof_withheld": withheld,
        });
        let headings = [
            text::SERIAL,
            text::USE,
            text::NOT_AFTER,
            text::STATE,
            text::POSITION,
            text::ASKED_HERE,
        ];
        let mut page = Page::titled(text::OWN_CERTIFICATES)
            .row(text::IDENTITY_ID, found.identity_id.as_str())
            .row(text::LOG_SIZE, found.tree_size)
            .table(&headings, lines);
        if withheld > 0 {
            page = page.note(text::PROOF_WITHHELD);
        } else if unproved > 0 {
            page = page.note(text::SOME_NOT_PROVED);
        }
        page = page.note(if strange > 0 { text::SOME_NOT_ASKED } else { text::ALL_ASKED });
        if self.key.given()?.is_none() {
            page = page.note(text::KEY_OF_SERVICE);
        }
        context.screen.show(&json, &page);
        Ok(if strange + withheld > 0 { Exit::Refused } else { Exit::Done })
    }
}

impl Known {
    fn of(home: &Home) -> Result<Self, Failure> {
        let certificate = home.certificate()?;
        let mut keys = home.made_keys()?;
        // Those of before keys were remembered.
        keys.push(digest(&certificate.public_key_der()));
        keys.extend(home.encryption_certificate()?.map(|it| digest(&it.public_key_der())));
        Ok(Self { keys, subject: certificate.subject() })
    }

    /// Checks what the service says of each certificate against the log.
    fn judge(
        &self,
        found: &ListOwnCertificatesResponse,
        key: &VerifierKey,
    ) -> Result<Vec<Judged>, Failure> {
        let named = format!("CN={}", found.identity_id);
        if !self.subject.split(',').any(|part| part == named) {
            return Err(problems::SERVICE_ANSWER_MALFORMED.into());
        }
        found.certificates.iter().map(|it| judge(found, it, key)).collect()
    }
}

/// How many certificates have no proof though one that began to be valid no later has: the log has kept
/// digests since that one.
fn withheld(judged: &[Judged]) -> usize {
    let first = judged.iter().filter(|it| it.position.is_some()).map(|it| it.not_before).min();
    let after = |it: &&Judged| first.is_some_and(|first| it.not_before > first);
    judged.iter().filter(|it| it.position.is_none() && !it.draft).filter(after).count()
}

fn judge(
    found: &ListOwnCertificatesResponse,
    certificate: &OwnCertificate,
    key: &VerifierKey,
) -> Result<Judged, Failure> {
    let malformed = || Failure::of(problems::SERVICE_ANSWER_MALFORMED);
    let state = certificate.state.as_ref().ok_or_else(malformed)?;
    let body = TbsCertificate::from_der(&certificate.body).map_err(|_| malformed())?;
    let public_key = body.subject_public_key_info().to_der().map_err(|_| malformed())?;
    let draft = certificate.certificate.is_empty();
    let mut position = None;
    if !draft {
        let signed = Certificate::parse(certificate.certificate.clone())?;
        if signed.serial() != state.serial || signed.public_key_der() != public_key {
            return Err(malformed());
        }
        if let Some(logged) = &certificate.logged {
            let answer = ProveAuditEntryResponse {
                position: logged.position,
                tree_size: found.tree_size,
                entry: logged.entry.clone(),
                path: logged.path.clone(),
                checkpoint: found.checkpoint.clone(),
            };
            proof::inclusion(&answer, logged.position, None, key)?;
            if !speaks_of(&logged.entry, &found.identity_id, &signed) {
                return Err(Failure::of(problems::PROOF_INVALID).about(&state.serial));
            }
            position = Some(logged.position);
        }
    }
    Ok(Judged {
        serial: state.serial.clone(),
        encrypts: encrypts(&body),
        not_before: not_before(&body),
        key: digest(&public_key),
        draft,
        position,
    })
}

/// Whether a certificate says that its key encrypts, and does not sign.
fn encrypts(body: &TbsCertificate) -> bool {
    let usage = body.get_extension::<KeyUsage>().ok().flatten();
    usage.is_some_and(|(_, usage)| usage.key_encipherment() && !usage.digital_signature())
}

fn not_before(body: &TbsCertificate) -> OffsetDateTime {
    OffsetDateTime::from(body.validity().not_before.to_system_time())
}

/// Whether an entry says that this very certificate was signed for this identity.
fn speaks_of(entry: &[u8], identity: &str, signed: &Certificate) -> bool {
    let Ok(entry) = Entry::decode(entry) else { return false };
    let detail = |name: &str| entry.detail.get(name).map(String::as_str);
    let serial = signed.serial();
    let of_object = |object: &audit::Object| object.kind == "certificate" && object.id == serial;
    let name = match entry.object.as_ref().is_some_and(of_object) {
        true => "certificate-sm3",
        false if detail("encryption-certificate") == Some(&serial) => "encryption-certificate-sm3",
        false => return false,
    };
    entry.outcome == Ended::Granted
        && detail("step") == Some("signed")
        && detail("identity") == Some(identity)
        && detail(name) == Some(&hex::encode(signed.digest()))
}

/// How a certificate stands, in a word.
fn standing(certificate: &OwnCertificate) -> Text {
    let state = certificate.state.clone().unwrap_or_default();
    match (certificate.certificate.is_empty(), state.revoked_at, state.suspended) {
        (true, ..) => text::CERTIFICATE_DRAFTED,
        (_, Some(_), true) => text::CERTIFICATE_IS_SUSPENDED,
        (_, Some(_), false) => text::CERTIFICATE_IS_REVOKED,
        (_, None, _) => text::CERTIFICATE_IN_FORCE,
    }
}

fn line(certificate: &OwnCertificate, judged: &Judged, asked: bool) -> Vec<Cell> {
    let state = certificate.state.clone().unwrap_or_default();
    vec![
        Cell::from(&judged.serial),
        Cell::from(if judged.encrypts { text::USE_ENCRYPTION } else { text::USE_SIGNING }),
        Cell::from(timestamp(state.not_after.as_ref()).unwrap_or_default()),
        Cell::from(standing(certificate)),
        Cell::from(judged.position.map(|at| at.to_string()).unwrap_or_default()),
        Cell::from(if asked { text::YES } else { text::NO }),
    ]
}

fn item(certificate: &OwnCertificate, judged: &Judged, asked: bool) -> Value {
    let state = certificate.state.clone().unwrap_or_default();
    json!({
        "state": json::of("CertificateState", &state),
        "public_key_sm3": judged.key,
        "drafted_only": judged.draft,
        "position": judged.position,
        "asked_for_here": asked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{ClientKey, sample};

    #[test]
    fn an_entry_speaks_of_the_certificate_whose_digest_it_has() {
        let key = ClientKey::generate().unwrap();
        let signed = sample::certificate(&key, 7);
        let (serial, digest) = (signed.serial(), hex::encode(signed.digest()));
        let of = |kind: &str, id: &str, details: &[(&str, &str)]| {
            let at = "2026-11-23T08:00:00.000000Z";
            let by = audit::Actor::default();
            let uuid = "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21";
            let mut entry = Entry::new(uuid, at, "certificate.issue", Ended::Granted, by);
            entry.object = Some(audit::Object { kind: kind.to_owned(), id: id.to_owned() });
            entry.detail =
                details.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned())).collect();
            entry
        };
        let good = [("step", "signed"), ("identity", "me"), ("certificate-sm3", digest.as_str())];
        let pair = [
            ("step", "signed"),
            ("identity", "me"),
            ("encryption-certificate", serial.as_str()),
            ("encryption-certificate-sm3", digest.as_str()),
        ];
        for (what, entry, expected) in [
            ("its own", of("certificate", &serial, &good), true),
            ("that of its pair", of("certificate", "00", &pair), true),
            ("another serial number", of("certificate", "00", &good), false),
            ("another kind of thing", of("token", &serial, &good), false),
            ("no digest", of("certificate", &serial, &good[..2]), false),
            ("the draft's", of("certificate", &serial, &good[1..]), false),
            (
                "another's digest",
                of("certificate", &serial, &[good[0], good[1], ("certificate-sm3", "00")]),
                false,
            ),
            (
                "another holder",
                of("certificate", &serial, &[good[0], ("identity", "you"), good[2]]),
                false,
            ),
        ] {
            assert_eq!(speaks_of(&entry.encode().unwrap(), "me", &signed), expected, "{what}");
        }
        let mut refused = of("certificate", &serial, &good);
        refused.outcome = Ended::Refused;
        assert!(!speaks_of(&refused.encode().unwrap(), "me", &signed));
        assert!(!speaks_of(b"{}", "me", &signed));
    }

    #[test]
    fn a_proof_that_is_missing_is_told_where_there_should_be_one() {
        let judged = |day: u8, position: Option<u64>, draft: bool| Judged {
            serial: String::new(),
            encrypts: false,
            not_before: time::macros::datetime!(2026-11-01 08:00 UTC)
                + time::Duration::days(day.into()),
            key: String::new(),
            draft,
            position,
        };
        for (what, all, expected) in [
            (
                "before the log kept digests",
                vec![judged(1, None, false), judged(2, Some(7), false)],
                0,
            ),
            (
                "after one that is proved",
                vec![judged(2, Some(7), false), judged(3, None, false)],
                1,
            ),
            ("a draft has no proof", vec![judged(2, Some(7), false), judged(3, None, true)], 0),
            ("none is proved", vec![judged(1, None, false), judged(2, None, false)], 0),
        ] {
            assert_eq!(withheld(&all), expected, "{what}");
        }
    }

    #[test]
    fn what_a_key_is_for_stands_in_its_certificate() {
        let key = ClientKey::generate().unwrap();
        let usage = |bits: u8| {
            let usage = sample::tlv(3, &[bits.trailing_zeros() as u8, bits]);
            let usage = [sample::tlv(6, &[0x55, 0x1d, 0x0f]), sample::tlv(4, &usage)].concat();
            sample::tlv(0x30, &sample::tlv(0x30, &usage))
        };
        for (bits, expected) in [(0xc0, false), (0x38, true), (0xa0, false)] {
            let body = sample::body_of(&key, 7, "CN=x", &usage(bits));
            let body = TbsCertificate::from_der(&body).unwrap();
            assert_eq!(encrypts(&body), expected, "{bits:02x}");
        }
    }
}
