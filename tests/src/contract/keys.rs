//! What every keystore promises, wherever its keys are: in a file, behind GM/T 0018, behind PKCS#11.

use std::collections::BTreeMap;
use std::thread;

use hsm::sm2::{Ciphertext, SignerId};
use hsm::sm4::Sm4Key;
use hsm::{KeyError, KeyRef, KeyUse, Keystore};

/// The kinds of keys that are tried: one use of each trait of `hsm`.
pub const KINDS: [KeyUse; 6] = [
    KeyUse::SignTokens,
    KeyUse::Decrypt,
    KeyUse::SealData,
    KeyUse::Index,
    KeyUse::MacCodes,
    KeyUse::CardMaster,
];

/// A keystore to be tried.
pub struct Subject<'a> {
    /// The keystore.
    pub keystore: Box<dyn Keystore>,
    /// A key of each kind. Where the keystore has no such keys, a name that its settings give to one.
    pub names: BTreeMap<KeyUse, KeyRef>,
    /// What it has keys for. All else it must refuse as not supported.
    pub supports: &'a [KeyUse],
    /// A name that nothing has.
    pub unknown: KeyRef,
}

/// Tries all promises.
///
/// # Panics
/// At the first that is not kept.
pub fn suite(subject: Subject<'_>) {
    for asked in KINDS {
        let name = &subject.names[&asked];
        match (lookup(&*subject.keystore, name, asked), subject.supports.contains(&asked)) {
            (Ok(()), true) => {}
            (Err(KeyError::NotSupported(refused)), false) if refused == asked => {}
            (outcome, supported) => panic!("{name}, which is supported: {supported}: {outcome:?}"),
        }
    }
    refuses_other_uses(&subject);
    refuses_what_is_not_there(&subject);
    lists_what_it_has(&subject);
    // Keys outlive the keystore that gave them out.
    let Subject { keystore, names, supports, .. } = subject;
    for kind in supports {
        match kind {
            KeyUse::SignTokens => signs(&*keystore, &names[kind]),
            KeyUse::Decrypt => decrypts(&*keystore, &names[kind]),
            KeyUse::SealData => seals(&*keystore, &names[kind]),
            KeyUse::Index => indexes(&*keystore, &names[kind]),
            KeyUse::MacCodes => authenticates(&*keystore, &names[kind]),
            KeyUse::CardMaster => diversifies(&*keystore, &names[kind]),
            other => panic!("{other} is tried by nothing here"),
        }
    }
    outlives(keystore, &names, supports);
}

fn lookup(keystore: &dyn Keystore, name: &KeyRef, asked: KeyUse) -> Result<(), KeyError> {
    match asked {
        KeyUse::Decrypt => keystore.decrypter(name).map(drop),
        KeyUse::SealData => keystore.sealer(name).map(drop),
        KeyUse::Index => keystore.index_key(name).map(drop),
        KeyUse::MacCodes => keystore.mac_key(name).map(drop),
        KeyUse::CardMaster => keystore.card_master(name).map(drop),
        signs => keystore.signer(name, signs).map(drop),
    }
}

fn refuses_other_uses(subject: &Subject<'_>) {
    for (has, name) in &subject.names {
        for asked in KINDS.into_iter().chain([KeyUse::SignLog]).filter(|asked| asked != has) {
            match lookup(&*subject.keystore, name, asked) {
                Err(KeyError::WrongUse { key, asked: a, has: h }) => {
                    assert_eq!((&key, a, &h), (name, asked, has));
                }
                other => panic!("{name} as {asked}: {other:?}"),
            }
        }
    }
}

fn refuses_what_is_not_there(subject: &Subject<'_>) {
    let scheme = subject.unknown.scheme();
    let elsewhere = if scheme == "soft" { "sdf:3" } else { "soft:token" };
    for name in [&subject.unknown, &elsewhere.parse().expect("a name")] {
        for asked in KINDS {
            match lookup(&*subject.keystore, name, asked) {
                Err(KeyError::Unknown(key)) => assert_eq!(key, *name),
                other => panic!("{name} as {asked}: {other:?}"),
            }
        }
    }
}

fn lists_what_it_has(subject: &Subject<'_>) {
    let listed = subject.keystore.list();
    for kind in subject.supports {
        let of_kind = listed.iter().find(|key| key.reference == subject.names[kind]);
        let key = of_kind.unwrap_or_else(|| panic!("no key for {kind} is listed"));
        assert_eq!(key.key_use, *kind);
        if let KeyUse::SignTokens = kind {
            let signer = subject.keystore.signer(&key.reference, *kind).expect("supported");
            assert_eq!(key.public_key.as_ref(), Some(signer.public_key()));
        }
    }
}

fn signs(keystore: &dyn Keystore, name: &KeyRef) {
    let signer = keystore.signer(name, KeyUse::SignTokens).expect("supported");
    let public = signer.public_key().clone();
    let e = signer.digest(b"header.payload");
    assert_eq!(e, public.digest(&SignerId::DEFAULT, b"header.payload"));
    // e is any number of 256 bits, above the order as well (GB/T 32918.2-2016, 6.1, A5).
    for e in [e, [0; 32], [0xFF; 32]] {
        let (one, two) = (signer.sign(&e).expect("it signs"), signer.sign(&e).expect("it signs"));
        assert_eq!(public.verify(&e, &one), Ok(()));
        assert_eq!(public.verify(&e, &two), Ok(()));
        assert_ne!(one, two, "a nonce is never used twice");
        assert!(public.verify(&[7; 32], &one).is_err());
    }
    thread::scope(|scope| {
        for number in 0..8_u8 {
            let (signer, public) = (&signer, &public);
            scope.spawn(move || {
                for round in 0..8_u8 {
                    let e = signer.digest(&[number, round]);
                    assert_eq!(public.verify(&e, &signer.sign(&e).expect("it signs")), Ok(()));
                }
            });
        }
    });
}

fn decrypts(keystore: &dyn Keystore, name: &KeyRef) {
    let decrypter = keystore.decrypter(name).expect("supported");
    for length in [1, 16, 32, 100] {
        let plaintext = vec![0x5A; length];
        let der = decrypter.public_key().encrypt(&plaintext).expect("not empty");
        let ciphertext = Ciphertext::from_der(&der).expect("just made");
        assert_eq!(**decrypter.decrypt(&ciphertext).expect("it decrypts"), *plaintext);
        let mut changed = ciphertext.to_c1c3c2();
        changed[97] ^= 1;
        let changed = Ciphertext::from_c1c3c2(&changed).expect("C2 is any octets");
        let refused = decrypter.decrypt(&changed);
        assert!(matches!(refused, Err(KeyError::NotAuthentic)), "{refused:?}");
    }
}

fn seals(keystore: &dyn Keystore, name: &KeyRef) {
    let sealer = keystore.sealer(name).expect("supported");
    let sealed = sealer.seal(b"row 7", b"a name").expect("it seals");
    assert_eq!(**sealer.open(b"row 7", &sealed).expect("it opens"), *b"a name");
    assert_ne!(sealer.seal(b"row 7", b"a name").expect("it seals"), sealed, "a fresh nonce");
    let elsewhere = sealer.open(b"row 8", &sealed);
    assert!(matches!(elsewhere, Err(KeyError::NotAuthentic)), "{elsewhere:?}");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let refused = [sealer.open(b"row 7", &changed), sealer.open(b"row 7", &sealed[..at])];
        let typed = |opened: &Result<_, KeyError>| {
            matches!(opened, Err(KeyError::NotAuthentic | KeyError::UnknownVersion(_)))
        };
        assert!(refused.iter().all(typed), "{at}: {refused:?}");
    }
    let key = sealer.seal_key(b"row 9", &Sm4Key::generate()).expect("it seals");
    sealer.open_key(b"row 9", &key).expect("it opens");
}

fn indexes(keystore: &dyn Keystore, name: &KeyRef) {
    let index = keystore.index_key(name).expect("supported");
    let number = index.index("identity", b"number").expect("it indexes");
    assert_eq!(index.index("identity", b"number").expect("it indexes"), number);
    for (domain, value) in
        [("phone", b"number".as_slice()), ("identityn", b"umber"), ("", b"identitynumber")]
    {
        assert_ne!(index.index(domain, value).expect("it indexes"), number, "{domain}");
    }
}

fn authenticates(keystore: &dyn Keystore, name: &KeyRef) {
    let key = keystore.mac_key(name).expect("supported");
    let mac = key.mac(&[b"code", b"now"]).expect("it authenticates");
    assert_eq!(key.mac(&[b"cod", b"enow"]).expect("it authenticates"), mac, "no separators");
    assert_ne!(key.mac(&[b"code", b"later"]).expect("it authenticates"), mac);
}

fn diversifies(keystore: &dyn Keystore, name: &KeyRef) {
    let master = keystore.card_master(name).expect("supported");
    let blocks = [[1; 16], [2; 16]];
    let transport = Sm4Key::generate();
    let mut wrapped = master.derive_wrapped(&blocks, &transport).expect("it derives");
    transport.decrypt_block(&mut wrapped);
    let unwrapped = Sm4Key::fill(|key| {
        *key = wrapped;
        Ok::<(), KeyError>(())
    });
    let (mut ours, mut theirs) = ([3; 16], [3; 16]);
    master.derive(&blocks).expect("it derives").encrypt_block(&mut ours);
    unwrapped.expect("16 octets").encrypt_block(&mut theirs);
    assert_eq!(ours, theirs);
    assert!(matches!(master.derive(&[]), Err(KeyError::NothingToDeriveFrom)));
    assert_eq!(master.check_value().expect("it computes"), master.check_value().expect("again"));
}

/// The objects that a keystore hands out do not need it.
fn outlives(keystore: Box<dyn Keystore>, names: &BTreeMap<KeyUse, KeyRef>, supports: &[KeyUse]) {
    if supports.contains(&KeyUse::SignTokens) {
        let name = &names[&KeyUse::SignTokens];
        let signer = keystore.signer(name, KeyUse::SignTokens).expect("supported");
        drop(keystore);
        let signature = signer.sign(&[1; 32]).expect("it signs");
        assert_eq!(signer.public_key().verify(&[1; 32], &signature), Ok(()));
    } else if supports.contains(&KeyUse::SealData) {
        let sealer = keystore.sealer(&names[&KeyUse::SealData]).expect("supported");
        drop(keystore);
        let sealed = sealer.seal(b"row", b"x").expect("it seals");
        assert_eq!(**sealer.open(b"row", &sealed).expect("it opens"), *b"x");
    }
}
