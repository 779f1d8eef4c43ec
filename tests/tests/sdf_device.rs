//! A device behind the C interface of GM/T 0018 that is pulled out, exchanged, set up wrongly, or answers wrongly.

use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroU8;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hsm::sdf::{Code, Layout};
use hsm::sm2::Ciphertext;
use hsm::{KeyError, KeyUse, Keystore, Sm2Signer};
use hsm_device::DeviceState;
use hsm_device::sdf::{DecryptOrder, Dialect, SdfDevice, SdfError, SdfSettings, SignatureNumber};
use tests::softsdf::{self, ACCESS_CODE, ENVELOPE, LOCKED, OPEN, SoftSdf};

/// Signatures that have to be made, whatever happens to the device.
const SIGNATURES: usize = 1000;

#[test]
fn a_device_unplugged_in_the_middle_gives_no_wrong_answer_and_comes_back() {
    let plugged = SoftSdf::new(512);
    let device = SdfDevice::new(plugged.settings());
    let signer = device.signer(&"sdf:3".parse().unwrap(), KeyUse::SignTokens).unwrap();
    let public = plugged.public_key(LOCKED);
    let before = (signer.digest(b"before"), signer.sign(&signer.digest(b"before")).unwrap());
    let (signed, failed) = (AtomicUsize::new(0), [const { AtomicUsize::new(0) }; 4]);
    let start = Instant::now();
    thread::scope(|scope| {
        for (worker, failed) in (0_u8..).zip(&failed) {
            let (signer, public, signed) = (&signer, &public, &signed);
            scope.spawn(move || {
                for number in 0_u64.. {
                    // What fails out here must not go on for ever in there.
                    let late = start.elapsed() > Duration::from_secs(120);
                    if late || signed.load(Ordering::Relaxed) >= SIGNATURES {
                        break;
                    }
                    let e = signer.digest(&[&[worker][..], &number.to_be_bytes()].concat());
                    match signer.sign(&e) {
                        Ok(signature) => {
                            assert_eq!(public.verify(&e, &signature), Ok(()));
                            signed.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            let error = sdf_error(error);
                            assert!(is_lost(&error), "{error:?}");
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        for share in [3, 2] {
            wait_until(|| signed.load(Ordering::Relaxed) >= SIGNATURES / share);
            let failures = || failed.each_ref().map(|failed| failed.load(Ordering::Relaxed));
            // Two of each worker: the second of them began after this.
            let wait_for_failures = || {
                let before = failures();
                wait_until(|| failures().iter().zip(before).all(|(now, then)| *now >= then + 2));
            };
            plugged.unplug();
            wait_for_failures();
            assert_eq!(device.state(), DeviceState::Lost);
            // Nobody needs the device to verify.
            assert_eq!(signer.public_key().verify(&before.0, &before.1), Ok(()));
            device.signer(&"sdf:3".parse().unwrap(), KeyUse::SignTokens).unwrap();
            let signatures = signed.load(Ordering::Relaxed);
            wait_for_failures();
            assert_eq!(signed.load(Ordering::Relaxed), signatures, "nothing is signed meanwhile");
            plugged.plug_in();
        }
    });
    let (signed, failed) =
        (signed.into_inner(), failed.map(AtomicUsize::into_inner).iter().sum::<usize>());
    println!("{signed} signatures, {failed} failures, none of them wrong");
    assert!(signed >= SIGNATURES && failed >= 16);
    assert_eq!(device.state(), DeviceState::Ready);
}

#[test]
fn whoever_looks_after_a_lost_device_finds_it_again() {
    let plugged = SoftSdf::new(512);
    plugged.unplug();
    let device = SdfDevice::new(plugged.settings());
    assert_eq!(device.state(), DeviceState::Unused);
    let refused = device.check().unwrap_err();
    assert!(matches!(refused, SdfError::Refused { code: Code::OpenDevice, .. }), "{refused}");
    assert_eq!(device.state(), DeviceState::Lost);
    // Not everybody who needs it looks for it.
    let signer = device.signer(&"sdf:4".parse().unwrap(), KeyUse::SignLog).err().unwrap();
    assert!(matches!(sdf_error(signer), SdfError::Lost | SdfError::Refused { .. }));
    plugged.plug_in();
    wait_until(|| device.check().is_ok());
    assert_eq!(device.state(), DeviceState::Ready);
    // It sat in the pool while it was pulled out and back: its handles are dead.
    plugged.unplug();
    assert!(device.check().is_err());
    plugged.plug_in();
    device.check().unwrap();
}

#[test]
fn a_key_that_is_known_needs_no_device_to_verify() {
    let plugged = SoftSdf::new(512);
    plugged.unplug();
    let mut settings = plugged.settings();
    settings.keys.get_mut(&OPEN).unwrap().public_key = Some(plugged.public_key(OPEN));
    let device = SdfDevice::new(settings);
    let signer = device.signer(&"sdf:4".parse().unwrap(), KeyUse::SignLog).unwrap();
    assert_eq!(*signer.public_key(), plugged.public_key(OPEN));
    assert_eq!(code(&signer.sign(&[1; 32]).unwrap_err()), Code::OpenDevice);
    plugged.plug_in();
    wait_until(|| signer.sign(&[1; 32]).is_ok());
}

#[test]
fn a_wrong_signature_is_never_given_out() {
    let plugged = SoftSdf::new(512);
    let device = SdfDevice::new(plugged.settings());
    let signer = device.signer(&"sdf:4".parse().unwrap(), KeyUse::SignLog).unwrap();
    signer.sign(&[1; 32]).unwrap();
    plugged.garble();
    let refused = sdf_error(signer.sign(&[1; 32]).unwrap_err());
    assert!(matches!(refused, SdfError::WrongSignature { index: OPEN }), "{refused}");
    assert_eq!(device.state(), DeviceState::Lost);
    plugged.plug_in();
    signer.sign(&[1; 32]).unwrap();
}

#[test]
fn another_device_in_its_place_is_refused() {
    let (one, other) = (SoftSdf::new(512), SoftSdf::new(512));
    let mut settings = one.settings();
    settings.keys.get_mut(&OPEN).unwrap().public_key = Some(other.public_key(OPEN));
    let device = SdfDevice::new(settings);
    let signer = device.signer(&"sdf:4".parse().unwrap(), KeyUse::SignLog).unwrap();
    let refused = sdf_error(signer.sign(&[1; 32]).unwrap_err());
    assert!(matches!(refused, SdfError::OtherKey { index: OPEN }), "{refused}");

    // Exchanged while it runs.
    let device = SdfDevice::new(one.settings());
    let signer = device.signer(&"sdf:3".parse().unwrap(), KeyUse::SignTokens).unwrap();
    signer.sign(&[1; 32]).unwrap();
    one.unplug();
    signer.sign(&[1; 32]).unwrap_err();
    std::fs::copy(other.folder().join("keystore.hck"), one.folder().join("keystore.hck")).unwrap();
    one.plug_in();
    let refused = sdf_error(signer.sign(&[1; 32]).unwrap_err());
    assert!(matches!(refused, SdfError::OtherKey { index: LOCKED }), "{refused}");
}

#[test]
fn private_keys_ask_for_their_access_code() {
    let plugged = SoftSdf::new(512);
    for code in [None, Some("wrong")] {
        let mut settings = plugged.settings();
        settings.keys.insert(LOCKED, softsdf::key(KeyUse::SignTokens, code));
        let device = SdfDevice::new(settings);
        let signer = device.signer(&"sdf:3".parse().unwrap(), KeyUse::SignTokens).unwrap();
        for _ in 0..2 {
            let refused = signer.sign(&[1; 32]);
            assert!(matches!(refused, Err(KeyError::Locked)), "{code:?}: {refused:?}");
        }
        // The device is there all the same, and its other keys are.
        assert_eq!(device.state(), DeviceState::Ready);
        let other = device.signer(&"sdf:4".parse().unwrap(), KeyUse::SignLog).unwrap();
        other.sign(&[1; 32]).unwrap();
    }
}

#[test]
fn peculiarities_of_makers_are_settings() {
    let plugged = SoftSdf::new(512);
    let with = |dialect| {
        let mut settings = plugged.settings();
        settings.dialect = dialect;
        settings.keys.insert(ENVELOPE, softsdf::key(KeyUse::Decrypt, Some(ACCESS_CODE)));
        SdfDevice::new(settings)
    };
    use SignatureNumber::{Sm2, Sm3Sm2, Sm3Sm2Old};
    for signature_number in [Sm2, Sm3Sm2, Sm3Sm2Old] {
        with(Dialect { signature_number, ..Dialect::default() }).check().unwrap();
    }
    // What a device does not understand is told when it is opened, and not by a signature that fails.
    let narrow = with(Dialect { layout: Layout::Bits256, ..Dialect::default() });
    assert!(matches!(narrow.check(), Err(SdfError::Dialect)));

    let decrypted = |decrypt_order| {
        let device = with(Dialect { decrypt_order, ..Dialect::default() });
        let decrypter = device.decrypter(&"sdf:5".parse().unwrap()).unwrap();
        let der = decrypter.public_key().encrypt(b"a key").unwrap();
        decrypter.decrypt(&Ciphertext::from_der(&der).unwrap())
    };
    assert_eq!(**decrypted(DecryptOrder::IndexFirst).unwrap(), *b"a key");
    let refused = decrypted(DecryptOrder::AlgorithmFirst).unwrap_err();
    assert_eq!(code(&refused), Code::AlgorithmNotSupported);
}

#[test]
fn what_is_not_there_is_told() {
    let plugged = SoftSdf::new(512);
    let mut settings = plugged.settings();
    settings.library = plugged.folder().join("libmissing.so");
    let refused = SdfDevice::new(settings).check().unwrap_err();
    assert!(matches!(refused, SdfError::Library { .. }), "{refused}");
    assert!(refused.source().is_some());
    // A library, but none of a device.
    let mut settings = plugged.settings();
    settings.library = tests::programs::libraries().join("libhealthcard.so");
    let refused = SdfDevice::new(settings).check().unwrap_err();
    assert!(matches!(refused, SdfError::Library { .. }), "{refused}");

    let mut settings = plugged.settings();
    settings.keys = BTreeMap::from([(9, softsdf::key(KeyUse::SignLog, None))]);
    let missing = SdfDevice::new(settings).signer(&"sdf:9".parse().unwrap(), KeyUse::SignLog);
    assert!(matches!(missing.err(), Some(KeyError::Gone)));
    // One name for one key.
    for name in ["sdf:03", "sdf:x", "sdf:4294967299", "soft:3"] {
        let refused = SdfDevice::new(plugged.settings())
            .signer(&name.parse().unwrap(), KeyUse::SignTokens)
            .err();
        assert!(matches!(refused, Some(KeyError::Unknown(_))), "{name}: {refused:?}");
    }
}

/// One session, and many who want it: each gets it in turn.
#[test]
fn sessions_are_bounded_and_shared() {
    let plugged = SoftSdf::new(512);
    let with = |wait| SdfSettings { sessions: NonZeroU8::MIN, wait, ..plugged.settings() };
    let device = SdfDevice::new(with(Duration::from_secs(10)));
    let signer = device.signer(&"sdf:4".parse().unwrap(), KeyUse::SignLog).unwrap();
    let sign = |signer: &dyn Sm2Signer| {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| (0..8).map(|_| signer.sign(&[1; 32])).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        })
    };
    assert!(sign(&*signer).iter().all(Result::is_ok));
    // Nobody waits longer than the settings allow.
    let device = SdfDevice::new(with(Duration::ZERO));
    let signer = device.signer(&"sdf:4".parse().unwrap(), KeyUse::SignLog).unwrap();
    let busy = sign(&*signer).into_iter().filter_map(Result::err).map(sdf_error);
    let busy: Vec<_> = busy.collect();
    assert!(
        !busy.is_empty() && busy.iter().all(|error| matches!(error, SdfError::Busy(_))),
        "{busy:?}"
    );
    assert_eq!(device.state(), DeviceState::Ready);
}

fn is_lost(error: &SdfError) -> bool {
    let codes = [Code::Communication, Code::OpenDevice, Code::InArgument];
    match error {
        SdfError::Refused { code, .. } => codes.contains(code),
        SdfError::Lost => true,
        _ => false,
    }
}

fn sdf_error(error: KeyError) -> SdfError {
    match error {
        KeyError::Device(error) => *error.downcast().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn code(error: &KeyError) -> Code {
    let KeyError::Device(error) = error else { panic!("{error:?}") };
    match error.downcast_ref() {
        Some(SdfError::Refused { code, .. }) => *code,
        other => panic!("{other:?}"),
    }
}

fn wait_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never came");
        thread::yield_now();
    }
}
