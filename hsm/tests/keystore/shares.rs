//! A keystore that custodians open together.

use super::{Place, key, passphrase, write_private};
use hsm::soft::{Iterations, KeystoreError, SecretFileError, Share, ShareError, SoftKeystore};
use hsm::{KeyUse, Keystore};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn refusal(place: &Place, shares: &[Share]) -> ShareError {
    match SoftKeystore::open(&place.path, shares) {
        Err(KeystoreError::Shares(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_of_three_open_it_and_one_does_not() {
    let place = Place::new();
    let mut keystore = place.create();
    keystore.generate(&key("soft:log"), KeyUse::SignLog).unwrap();
    keystore.save().unwrap();
    let mut shares = keystore.shares(2, 3).unwrap();
    let last = shares.pop().unwrap();
    let mut opened = SoftKeystore::open(&place.path, &shares[..]).unwrap();
    assert_eq!(opened.list(), keystore.list());
    let one = refusal(&place, &shares[..1]);
    assert!(matches!(one, ShareError::TooFew { given: 1, needed: 2 }), "{one}");
    // What was opened by shares is saved under the same passphrase, and shared once more.
    opened.rotate(&key("soft:log")).unwrap();
    opened.save().unwrap();
    assert_eq!(place.open().unwrap().list(), opened.list());
    let more = opened.shares(2, 2).unwrap();
    SoftKeystore::open(&place.path, &more[..]).unwrap();
    let mixed = refusal(&place, &[more.into_iter().next().unwrap(), last]);
    assert!(matches!(mixed, ShareError::OtherSet { .. }), "{mixed}");
}

#[test]
fn shares_end_with_the_passphrase_and_open_no_other_keystore() {
    let (place, other) = (Place::new(), Place::new());
    let mut keystore = place.create();
    let shares = keystore.shares(2, 2).unwrap();
    other.create();
    let foreign = refusal(&other, &shares);
    assert!(matches!(foreign, ShareError::OtherKeystore { index: 1 }), "{foreign}");
    keystore.change_passphrase(&passphrase("left"), Iterations::MINIMUM);
    keystore.save().unwrap();
    let ended = refusal(&place, &shares);
    assert!(matches!(ended, ShareError::OtherKeystore { index: 1 }), "{ended}");
}

/// Somebody who computes the check anew: then it is the keystore that says no.
#[test]
fn a_forged_share_does_not_open() {
    let place = Place::new();
    let shares = place.create().shares(2, 3).unwrap();
    let text = shares[0].to_text();
    let (above, _) = text.split_once("\nshare ").unwrap();
    let above = format!("{above}\nshare {}\n", "5a".repeat(32));
    let check = hex::encode(&hsm::sm3::digest(above.as_bytes())[..8]);
    let forged: Share = format!("{above}check {check}\n").parse().unwrap();
    let genuine: Share = shares[1].to_text().parse().unwrap();
    let refused = refusal(&place, &[forged, genuine]);
    assert!(matches!(refused, ShareError::Forged), "{refused}");
}

#[test]
fn the_file_of_a_share_is_private() {
    let place = Place::new();
    let shares = place.create().shares(2, 2).unwrap();
    let file = place.path.with_extension("share");
    write_private(&file, shares[1].to_text().as_bytes());
    assert_eq!(Share::from_file(&file).unwrap().index(), 2);
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let open = Share::from_file(&file).unwrap_err();
    assert!(matches!(open, ShareError::File(SecretFileError::OpenToOthers { .. })), "{open}");
    write_private(&file, &[b'x'; 513]);
    let long = Share::from_file(&file).unwrap_err();
    assert!(matches!(long, ShareError::File(SecretFileError::TooLong(512))), "{long}");
}
