//! `healthcard key monitor`: what was certified in one's name, held against what this device asked for.

use audit::{Entry, Outcome as Ended, checkpoint::VerifierKey};
use clap::Args;
use der::{Decode as _, Encode as _};
use proto::v1::{
    ListOwnCertificatesRequest, ListOwnCertificatesResponse, OwnCertificate,
    ProveAuditEntryResponse, identities_client::IdentitiesClient,
};
use serde_json::{Value, json};

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
    /// Digests of the keys that were made here.
    keys: Vec<String>,
    /// Digest of the encryption key that was accepted here.
    encryption_key: Option<String>,
    /// Subject of the certificate held here.
    subject: String,
}

/// One certificate, judged.
struct Judged {
    serial: String,
    /// Of an encryption certificate, the signing certificate of its pair.
    pair_of: Option<String>,
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
        let asked: Vec<bool> = judged.iter().map(|it| known.asked_for(it, &judged)).collect();
        let strange = asked.iter().filter(|asked| !**asked).count();
        let unproved = judged.iter().filter(|it| it.position.is_none() && !it.draft).count();
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
        if unproved > 0 {
            page = page.note(text::SOME_NOT_PROVED);
        }
        page = page.note(if strange > 0 { text::SOME_NOT_ASKED } else { text::ALL_ASKED });
        context.screen.show(&json, &page);
        Ok(if strange > 0 { Exit::Refused } else { Exit::Done })
    }
}

impl Known {
    fn of(home: &Home) -> Result<Self, Failure> {
        let certificate = home.certificate()?;
        let mut keys = home.made_keys()?;
        // The key of before keys were remembered.
        keys.push(digest(&certificate.public_key_der()));
        let encryption_key = home.encryption_certificate()?;
        let encryption_key = encryption_key.map(|it| digest(&it.public_key_der()));
        Ok(Self { keys, encryption_key, subject: certificate.subject() })
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

    /// Whether a certificate rests on a key of this device: its own, or that of the signing certificate
    /// which it makes a pair with.
    fn asked_for(&self, certificate: &Judged, all: &[Judged]) -> bool {
        let Some(signing) = &certificate.pair_of else {
            return self.keys.contains(&certificate.key);
        };
        let accepted = self.encryption_key.as_ref().is_none_or(|key| *key == certificate.key);
        let of_ours = all.iter().any(|it| it.serial == *signing && self.keys.contains(&it.key));
        accepted && of_ours
    }
}

fn judge(
    found: &ListOwnCertificatesResponse,
    certificate: &OwnCertificate,
    key: &VerifierKey,
) -> Result<Judged, Failure> {
    let malformed = || Failure::of(problems::SERVICE_ANSWER_MALFORMED);
    let state = certificate.state.as_ref().ok_or_else(malformed)?;
    let body = x509_cert::TbsCertificate::from_der(&certificate.body).map_err(|_| malformed())?;
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
        pair_of: Some(state.pair_of.clone()).filter(|serial| !serial.is_empty()),
        key: digest(&public_key),
        draft,
        position,
    })
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
        Cell::from(if judged.pair_of.is_some() { text::USE_ENCRYPTION } else { text::USE_SIGNING }),
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
    fn what_rests_on_a_key_of_this_device_was_asked_for_here() {
        let judged = |serial: &str, key: &str, pair_of: Option<&str>| Judged {
            serial: serial.to_owned(),
            pair_of: pair_of.map(str::to_owned),
            key: key.to_owned(),
            draft: false,
            position: None,
        };
        let known = |encryption_key: Option<&str>| Known {
            keys: vec!["mine".to_owned(), "older".to_owned()],
            encryption_key: encryption_key.map(str::to_owned),
            subject: String::new(),
        };
        let all = [
            judged("1", "mine", None),
            judged("2", "held", Some("1")),
            judged("3", "older", None),
            judged("4", "strange", None),
            judged("5", "other", Some("4")),
            judged("6", "other", Some("1")),
            judged("7", "held", Some("0")),
        ];
        let asked = |known: Known| all.each_ref().map(|it| known.asked_for(it, &all));
        assert_eq!(asked(known(Some("held"))), [true, true, true, false, false, false, false]);
        assert_eq!(asked(known(None)), [true, true, true, false, false, true, false]);
    }
}
