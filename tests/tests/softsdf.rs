//! A C program on `libsoftsdf` alone; what it signed, our own code verifies.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

use hsm::sm2::{Signature, SignerId};
use tests::programs::{Library, compile, libraries};
use tests::softsdf::{ACCESS_CODE, LOCKED, SoftSdf};

#[test]
fn a_c_program_uses_the_device() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "sdf.c", Library::SoftSdf);
    let device = SoftSdf::new(512);
    let run = || -> Output {
        Command::new(&program)
            .arg(ACCESS_CODE)
            .env("LD_LIBRARY_PATH", libraries())
            .env("SOFTSDF_CONFIG", device.folder().join("softsdf.toml"))
            .output()
            .unwrap()
    };
    let output = run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let facts: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!((facts["device"], facts["serial"]), ("softsdf", "2026112600100001"));
    let octets = |names: [&str; 2]| hex::decode(names.map(|name| facts[name]).concat()).unwrap();
    let public = device.public_key(LOCKED);
    assert_eq!(octets(["x", "y"]), public.as_sec1()[1..]);
    let e = public.digest(&SignerId::DEFAULT, b"message digest");
    assert_eq!(facts["e"], hex::encode(e));
    let signature = Signature::from_raw(&octets(["r", "s"])).unwrap();
    assert_eq!(public.verify(&e, &signature), Ok(()));

    // Why there is no device is said.
    for (spoil, said) in [
        ("ecc_bits = 384\n", "setting `ecc_bits`: 512 or 256"),
        ("[keys.x]\n", "the index of a key is a number"),
        ("colour = 1\n", "unknown field `colour`"),
        ("[keys.3]\nsign = \"soft:none\"\n", "there is no key soft:none"),
        ("[keys.3]\nsign = \"soft:decrypts\"\n", "decrypt is not a use of a signing key"),
        ("[keys.3]\ndecrypt = \"soft:signs\"\n", "is for sign-tokens, not for decrypt"),
    ] {
        let basis = "keystore = \"keystore.hck\"\npassphrase_file = \"passphrase\"\n";
        fs::write(device.folder().join("softsdf.toml"), format!("{basis}{spoil}")).unwrap();
        let output = run();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(said), "{spoil}: {stderr}");
        assert!(stderr.contains("answered 0x1000005"), "{spoil}: {stderr}");
    }
}
