//! A file of format 1, made by the program as it was before there were states (passphrase `right`).

use super::{Place, key, write_private};
use hex::FromHex;
use hsm::Keystore;
use hsm::key::VersionState;
use hsm::sm2::Signature;

const FORMAT_1: &[u8] = include_bytes!("golden/format1.hck");

/// What the tokens' key signed as version 1, of three.
const SIGNED: &str = "b73c4076bbec4dd4b9d9ec23062e91280f6a6f8898a6cc2a3a3756699ca38f21\
                      b03fcb5a7ca97d0b53c5da0e3b4c99bf98e3cd30c5409e18273e345078caa30e";
/// What the data key sealed as version 1 and 2, in its place `row 7`.
const SEALED: [&str; 2] = [
    "010000000177e76ca16a5892c20c41f81ebb5e541475bd36390dc20f1c40171cdf87f7e429e1b4",
    "0100000002fefcb930368b627db3b2b8cbc5b8ccf57409264d7854b6ec1165ffc3ba201392962a",
];
const INDEXED: &str = "3a03fc82314b2e36f77afad535d35a669118827169e3a5486dab3ac9965de074";
const AUTHENTICATED: &str = "24cdf736e3889fd4447c78f2c0b0872147d0a0ad1fdc43540a3521eb39252722";

#[test]
fn a_file_of_format_1_is_read_and_becomes_one_of_format_2() {
    let place = Place::new();
    write_private(&place.path, FORMAT_1);
    let mut keystore = place.open().unwrap();
    assert_eq!(std::fs::read(&place.path).unwrap(), FORMAT_1, "reading writes nothing");
    does_what_it_did(&keystore);
    let listed = keystore.list();
    keystore.save().unwrap();
    assert_eq!(std::fs::read(&place.path).unwrap()[8..10], [0, 2]);
    let keystore = place.open().unwrap();
    assert_eq!(keystore.list(), listed);
    does_what_it_did(&keystore);
}

fn does_what_it_did(keystore: &dyn Keystore) {
    let states = |name| -> Vec<_> {
        let of = keystore.list().into_iter().filter(|version| version.reference == key(name));
        of.map(|version| (version.version, version.state)).collect()
    };
    use VersionState::{Active, Retired};
    assert_eq!(states("soft:sign-tokens"), [(3, Active), (2, Retired), (1, Retired)]);
    assert_eq!(states("soft:seal-data"), [(2, Active), (1, Retired)]);
    assert_eq!(states("soft:index"), [(1, Active)]);
    assert_eq!(keystore.list().len(), 16);

    let first = keystore
        .list()
        .into_iter()
        .find(|version| version.reference == key("soft:sign-tokens") && version.version == 1)
        .and_then(|version| version.public_key)
        .unwrap();
    let signature = Signature::from_raw(&Vec::from_hex(SIGNED).unwrap()).unwrap();
    let e = first.digest(&hsm::sm2::SignerId::DEFAULT, b"header.payload");
    assert_eq!(first.verify(&e, &signature), Ok(()));

    let sealer = keystore.sealer(&key("soft:seal-data")).unwrap();
    for sealed in SEALED {
        let opened = sealer.open(b"row 7", &Vec::from_hex(sealed).unwrap()).unwrap();
        assert_eq!(**opened, *b"a name");
    }
    assert_eq!(sealer.seal(b"row 7", b"").unwrap()[..5], [1, 0, 0, 0, 2]);
    let index = keystore.index_key(&key("soft:index")).unwrap().index("d", b"v").unwrap();
    assert_eq!(hex::encode(index), INDEXED);
    let mac = keystore.mac_key(&key("soft:mac-codes")).unwrap().mac(&[b"m"]).unwrap();
    assert_eq!(hex::encode(mac), AUTHENTICATED);
    // OpenSSL's SM4 of a block of zeros under the example key of GB/T 32907.
    let irk = keystore.list().into_iter().find(|version| version.reference == key("soft:irk"));
    assert_eq!(irk.unwrap().check_value.unwrap().to_string(), "2677F4");
}
