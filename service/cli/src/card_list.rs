//! The signed list of cards that are not to be served: checked without the service, and brought up to
//! date with it. The form is in [`card::status_list`].

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use card::status_list::{BadSignature, ListError, MAX_BYTES, SIGNER_ID, StatusList};
use proto::v1::{StatusListRequest, cards_client::CardsClient};
use sm2::dsa::{Signature, signature::Verifier as _};

use crate::{failure::Failure, jws, service::Service, text::problems};

/// Reads a snapshot that one of the published keys signed.
pub(crate) fn open(bytes: &[u8], jwks: &str) -> Result<StatusList, Failure> {
    StatusList::open(bytes, &|id, signed, signature| check(jwks, id, signed, signature))
        .map_err(failure)
}

/// The service's newest list, by the shortest way from the one that is held. It is never older than
/// that, nor of another service.
pub(crate) async fn fetch(
    service: &Service,
    held: Option<StatusList>,
    jwks: &str,
) -> Result<StatusList, Failure> {
    let request = StatusListRequest { held_number: held.as_ref().map_or(0, |held| held.number()) };
    let answer = service
        .ask_openly(async |channel| {
            // A message has a few octets around its field.
            let client = CardsClient::new(channel);
            client.max_decoding_message_size(MAX_BYTES + 1024).status_list(request).await
        })
        .await?;
    match held {
        Some(held) if answer.list.is_empty() => Ok(held),
        Some(held) => held
            .updated(&answer.list, &|id, signed, signature| check(jwks, id, signed, signature))
            .map_err(failure),
        None => open(&answer.list, jwks),
    }
}

fn check(
    jwks: &str,
    key_id: &[u8; 32],
    signed: &[u8],
    signature: &[u8; 64],
) -> Result<(), BadSignature> {
    let kid = URL_SAFE_NO_PAD.encode(key_id);
    let key = jws::key(jwks, |name| name == kid, SIGNER_ID).ok().flatten();
    let (_, key) = key.ok_or(BadSignature::UnknownKey)?;
    let signature = Signature::from_slice(signature).map_err(|_| BadSignature::Wrong)?;
    key.verify(signed, &signature).map_err(|_| BadSignature::Wrong)
}

/// Why a list is not relied on, as told to people.
fn failure(error: ListError) -> Failure {
    let problem = match error {
        ListError::UnknownKey => problems::CARD_LIST_KEY_UNKNOWN,
        ListError::Signature => problems::CARD_LIST_SIGNATURE,
        ListError::Older { .. } | ListError::BackInTime => problems::CARD_LIST_OLDER,
        ListError::Contradiction { .. } => problems::CARD_LIST_CONTRADICTION,
        ListError::OtherService => problems::CARD_LIST_OTHER_SERVICE,
        ListError::DeltaAlone | ListError::OtherBase { .. } | ListError::DoesNotFit => {
            problems::CARD_LIST_DELTA
        }
        ListError::FromTheFuture => problems::CARD_LIST_FROM_THE_FUTURE,
        _ => problems::CARD_LIST_MALFORMED,
    };
    Failure::of(problem).about(error)
}

/// How old a list is.
pub(crate) fn age(
    list: &StatusList,
    now: time::OffsetDateTime,
) -> Result<std::time::Duration, Failure> {
    list.age(now).map_err(failure)
}

#[cfg(test)]
mod tests {
    use card::status_list::{Contents, Entry, Heading, Level, Listing, Reason, Tag};
    use serde_json::json;
    use sm2::SecretKey;
    use sm2::dsa::{SigningKey, signature::Signer as _};
    use time::macros::datetime;

    use super::*;

    const SALT: [u8; 16] = [1; 16];
    const KEY_ID: [u8; 32] = [2; 32];
    const LOST: Listing = Listing { level: Level::Black, reason: Reason::Loss };

    fn key() -> SecretKey {
        SecretKey::from_slice(&[7; 32]).unwrap()
    }

    fn jwks(identifier: &str) -> String {
        let point = key().public_key().to_sec1_bytes();
        json!({"keys": [{
            "kty": "EC", "crv": "SM2-P-256", "alg": "SGD_SM3_SM2", "use": "sig",
            "kid": URL_SAFE_NO_PAD.encode(KEY_ID),
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
            "sm2_id": identifier,
        }]})
        .to_string()
    }

    fn list(identifier: &str, number: u64) -> StatusList {
        let serial = "0000000001".parse().unwrap();
        let heading = Heading {
            origin: "desk.example".to_owned(),
            number,
            issued_at: datetime!(2026-11-26 08:00 UTC),
            salt: SALT,
            key_id: KEY_ID,
        };
        let entry = Entry { tag: Tag::of(&SALT, &serial), listing: LOST };
        let contents = Contents::new(heading, vec![entry]).unwrap();
        let key = SigningKey::new(identifier, &key()).unwrap();
        let signature: Signature = key.sign(&contents.signed_bytes());
        contents.signed(signature.to_bytes().as_slice().try_into().unwrap())
    }

    #[test]
    fn a_list_is_believed_with_its_key_and_identifier_alone() {
        let good = list(SIGNER_ID, 1).to_bytes();
        let opened = open(&good, &jwks(SIGNER_ID)).unwrap();
        assert_eq!(opened.listing(&"0000000001".parse().unwrap()), Some(LOST));
        let changed = {
            let mut bytes = good.clone();
            bytes[26] ^= 1;
            bytes
        };
        #[rustfmt::skip]
        let cases = [
            ("changed", changed, jwks(SIGNER_ID), "CARD_LIST_MALFORMED"),
            ("cut short", good[..good.len() - 1].to_vec(), jwks(SIGNER_ID), "CARD_LIST_MALFORMED"),
            ("signed as a token is", list(crate::identity::DEFAULT_IDENTIFIER, 1).to_bytes(), jwks(SIGNER_ID), "CARD_LIST_SIGNATURE"),
            ("a key for tokens", good.clone(), jwks(crate::identity::DEFAULT_IDENTIFIER), "CARD_LIST_KEY_UNKNOWN"),
            ("no key", good, json!({"keys": []}).to_string(), "CARD_LIST_KEY_UNKNOWN"),
        ];
        for (what, bytes, jwks, reason) in cases {
            assert_eq!(open(&bytes, &jwks).unwrap_err().reason, reason, "{what}");
        }
    }

    #[test]
    fn a_held_list_gives_way_to_later_ones_only() {
        let jwks = jwks(SIGNER_ID);
        let held = list(SIGNER_ID, 5);
        let update = |bytes: &[u8]| {
            held.updated(bytes, &|id, signed, signature| check(&jwks, id, signed, signature))
                .map_err(|error| failure(error).reason.clone())
        };
        let later = list(SIGNER_ID, 6);
        assert_eq!(update(&later.delta_from(&held).unwrap()), Ok(later.clone()));
        assert_eq!(update(&list(SIGNER_ID, 4).to_bytes()), Err("CARD_LIST_OLDER".to_owned()));
        let other = later.delta_from(&list(SIGNER_ID, 3)).unwrap();
        assert_eq!(update(&other), Err("CARD_LIST_DELTA".to_owned()));
    }
}
