//! A token in software: SoftHSM2, which knows AES, HMAC and ECDSA, and neither SM2 nor SM3 nor SM4.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use hsm::sm2::PublicKey;

/// The label of the token.
pub const TOKEN: &str = "healthcard";
/// The PIN of its user.
pub const PIN: &str = "5718-2046";
/// The variable that names its configuration.
pub const VARIABLE: &str = "SOFTHSM2_CONF";
/// The module.
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// Makes a token in `folder`; its configuration, for [`VARIABLE`].
///
/// # Panics
/// When SoftHSM2 is not installed (scripts/setup).
#[must_use]
pub fn make(folder: &Path) -> PathBuf {
    let tokens = folder.join("tokens");
    fs::create_dir(&tokens).expect("the folder can be written");
    let configuration = folder.join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    fs::write(&configuration, text).expect("the folder can be written");
    let output = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", TOKEN, "--so-pin", "12345678", "--pin", PIN])
        .env(VARIABLE, &configuration)
        .output()
        .expect("softhsm2 is installed: scripts/setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    configuration
}

/// Puts keys of these labels on the token, which this process finds by [`VARIABLE`]: AES keys that encrypt, keys
/// for HMAC, and pairs for ECDSA on P-256, with `says` in place of the public key for a pair of that label: the token
/// knows no SM2.
///
/// # Panics
/// When the token does not take them.
pub fn fill(aes: &[&str], hmac: &[&str], pairs: &[&str], says: (&str, &PublicKey)) {
    let module = Pkcs11::new(MODULE).expect("softhsm2 is installed");
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .expect("nobody else initialized it");
    let slot = module.get_slots_with_initialized_token().expect("it lists slots")[0];
    let session = module.open_rw_session(slot).expect("it opens a session");
    session.login(UserType::User, Some(&AuthPin::from(PIN))).expect("the PIN is right");
    for label in aes {
        let sealing = [Attribute::Encrypt(true), Attribute::Decrypt(true)];
        secret(&session, label, KeyType::AES, &sealing);
    }
    for label in hmac {
        let authenticating = [Attribute::Sign(true)];
        secret(&session, label, KeyType::GENERIC_SECRET, &authenticating);
    }
    for label in pairs {
        // prime256v1 as an OBJECT IDENTIFIER in DER.
        let curve = vec![0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
        let named = [Attribute::Token(true), Attribute::Label(label.as_bytes().to_vec())];
        let mut public = vec![Attribute::EcParams(curve.clone())];
        if *label == says.0 {
            // An OCTET STRING in DER.
            let point = [&[0x04, 0x41][..], says.1.as_sec1()].concat();
            let kind = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::KeyType(KeyType::EC)];
            let key = [Attribute::EcParams(curve), Attribute::EcPoint(point)];
            session.create_object(&[&named[..], &kind, &key].concat()).expect("it takes a key");
        } else {
            public.extend_from_slice(&named);
        }
        let private = [&named[..], &[Attribute::Sign(true), Attribute::Sensitive(true)]].concat();
        session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
            .expect("it makes pairs");
    }
}

fn secret(session: &Session, label: &str, kind: KeyType, permits: &[Attribute]) {
    let octets = session.generate_random_vec(32).expect("it gives random octets");
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(kind),
        Attribute::Token(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Value(octets),
    ];
    session.create_object(&[&template[..], permits].concat()).expect("it takes a key");
}
