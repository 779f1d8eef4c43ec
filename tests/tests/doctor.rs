//! `healthcard doctor sm2`: what others made, and the lines it prints for OpenSSL, run as printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::hospital::programs;
use tests::private::repository;

fn vector(file: &str) -> String {
    repository().join("tests/vectors").join(file).display().to_string()
}

fn doctor(arguments: &[&str]) -> Output {
    let mut command = programs().command(service::demo::programs::Program::Healthcard);
    command.arg("doctor").arg("sm2").args(arguments).output().unwrap()
}

/// How it ended, and what it told.
fn told(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = doctor(&[arguments, &["--json"]].concat());
    let told = serde_json::from_slice(&output.stdout);
    let told = told.unwrap_or_else(|_| panic!("{arguments:?}: {output:?}"));
    (output.status.code(), told)
}

#[test]
fn signatures_of_openssl_and_gmssl_are_told_apart() {
    let [message, key] = ["openssl/message.bin", "openssl/sign.pem"].map(vector);
    let of = |signature: &str, message: &str, key: &str| {
        let signature = vector(signature);
        let arguments =
            ["signature", "--signature", &signature, "--message", message, "--key", key];
        told(&arguments)
    };
    let (code, standard) = of("openssl/message.sig", &message, &key);
    assert_eq!((code, &standard["standard"]), (Some(0), &json!(true)), "{standard}");
    let found = &standard["conventions"][0];
    assert_eq!(
        (&found["form"], &found["identifier_hex"]),
        (&json!("der"), &json!(hex::encode("1234567812345678")))
    );
    // Made without the option: the identifier is empty. The lines say so to OpenSSL, and it agrees.
    let (code, empty) = of("openssl/message.no-distid.sig", &message, &key);
    let found = &empty["conventions"][0];
    assert_eq!((code, &found["identifier_hex"]), (Some(1), &json!("")));
    let place = TempDir::new().unwrap();
    fs::copy(&message, place.path().join("MESSAGE")).unwrap();
    let lines: Vec<_> =
        found["openssl"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let script = format!("set -e\n{}", lines.join("\n"));
    let output =
        Command::new("bash").arg("-c").arg(script).current_dir(place.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let (code, gmssl) =
        of("gmssl/message.sig", &vector("gmssl/message.bin"), &vector("gmssl/sign.pub.pem"));
    assert_eq!((code, &gmssl["verifies"]), (Some(0), &json!(true)), "{gmssl}");
    // Somebody else's.
    let (code, nowhere) = of("openssl/message.sig", &message, &vector("gmssl/sign.pub.pem"));
    assert_eq!(
        (code, &nowhere["verifies"], &nowhere["forms"]),
        (Some(1), &json!(false), &json!(["der", "swapped-der"]))
    );
}

#[test]
fn a_ciphertext_a_key_and_a_certificate_are_told_and_nothing_secret_is() {
    let (key, ciphertext) = (vector("openssl/sign.key"), vector("openssl/message.enc.der"));
    let (code, opened) = told(&["ciphertext", &ciphertext, "--key", &key]);
    assert_eq!((code, &opened["readings"][0]["decrypts"]), (Some(0), &json!(true)), "{opened}");
    let secret = secret_of(&key);
    for arguments in [&["key", &key][..], &["ciphertext", &ciphertext, "--key", &key]] {
        for lang in ["zh-CN", "en"] {
            let output = doctor(&[arguments, &["--lang", lang]].concat());
            let said = String::from_utf8(output.stdout).unwrap().to_lowercase();
            assert!(!said.contains(&secret), "the private key is told");
            assert!(!said.contains("emr document"), "the plaintext is told");
        }
    }
    let [certificate, issuer] = ["openssl/sign.pem", "openssl/inter.pem"].map(vector);
    let (code, told_of) = told(&["certificate", &certificate, "--issuer", &issuer]);
    assert_eq!((code, &told_of["role"]), (Some(0), &json!("signing")), "{told_of}");
    let (code, encrypted) = told(&["key", &vector("openssl/sign.enc-sm4-sha256.pem")]);
    assert_eq!((code, &encrypted["encrypted"]["prf"]), (Some(1), &json!("1.2.840.113549.2.9")));
}

#[test]
fn what_is_nothing_of_sm2_is_refused_with_the_reason() {
    let place = TempDir::new().unwrap();
    let junk: PathBuf = place.path().join("junk");
    fs::write(&junk, [0x30, 0x80]).unwrap();
    let junk = junk.display().to_string();
    let key = vector("openssl/sign.pem");
    let signature = ["signature", "--signature", &junk, "--message", &junk, "--key", &key];
    let cases: [(&[&str], &str); 5] = [
        (&["key", &junk], "SM2_NOT_RECOGNIZED"),
        (&["ciphertext", &junk], "SM2_NOT_RECOGNIZED"),
        (&["certificate", &junk], "SM2_NOT_RECOGNIZED"),
        (&signature, "SM2_NOT_RECOGNIZED"),
        (&["ciphertext", &junk, "--key", &junk], "SM2_KEY_UNKNOWN"),
    ];
    for (arguments, reason) in cases {
        let (code, told) = told(arguments);
        assert_eq!((code, &told["error"]["reason"]), (Some(1), &json!(reason)), "{told}");
    }
    let (code, told) = told(&[&signature[..], &["--id-hex", "xy"]].concat());
    assert_eq!(
        (code, &told["error"]["reason"]),
        (Some(2), &json!("SM2_IDENTIFIER_UNUSABLE")),
        "{told}"
    );
}

/// The private number in hexadecimal, as OpenSSL shows it.
fn secret_of(key: impl AsRef<Path>) -> String {
    let shown = Command::new("openssl")
        .args(["pkey", "-noout", "-text", "-in"])
        .arg(key.as_ref())
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let (_, rest) = shown.split_once("priv:").unwrap();
    let (digits, _) = rest.split_once("pub:").unwrap();
    let digits: String = digits.chars().filter(char::is_ascii_hexdigit).collect();
    digits.trim_start_matches("00").to_owned()
}
