//! The suite of card security modules, over masters in a keystore's form, with a SAM in memory, and with a SAM in the
//! second slot of a real PC/SC daemon's reader.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use card::transport::pcsc::{Event, Monitor, PcscCard};
use card::{CardKey, Sam, SamSecurityModule, SecurityModule, SoftSecurityModule};
use card_emulator::personalise::LooseMaster;
use card_emulator::slot::Slot;
use card_emulator::{InMemory, sample};
use hsm::sm4::Sm4Key;
use tests::contract::security::{Master, suite};
use tests::private::{PcscDaemon, in_private_space};

#[test]
fn masters_of_a_keystore() {
    suite(&mut |master: &Master| {
        let mut module = SoftSecurityModule::new();
        for (key, version) in CardKey::all_versions() {
            if let Some(octets) = master(key, version) {
                let octets = Sm4Key::fill(|place| {
                    *place = octets;
                    Ok::<(), std::fmt::Error>(())
                });
                module = module.with(key, version, Arc::new(LooseMaster(octets.unwrap())));
            }
        }
        Box::new(module) as Box<dyn SecurityModule>
    });
}

#[test]
fn a_sam_in_memory() {
    suite(&mut |master: &Master| {
        let sam = Sam::open(InMemory::new(sample::sam_of(master))).unwrap();
        Box::new(SamSecurityModule::new(sam)) as Box<dyn SecurityModule>
    });
}

#[test]
fn a_sam_in_the_second_slot() {
    in_private_space(|| {
        let log = tempfile::tempdir().unwrap();
        let mut daemon = PcscDaemon::start(&log.path().join("pcscd")).unwrap();
        let slot = Slot::open(SocketAddr::from((Ipv4Addr::LOCALHOST, 35964)), |_| {});
        let mut monitor = Monitor::new();
        let mut filled = false;
        suite(&mut |master: &Master| {
            if filled {
                slot.remove();
                monitor.by_ref().find(|event| matches!(event, Event::CardRemoved { .. })).unwrap();
                daemon.saw_removal().unwrap();
            }
            filled = true;
            slot.insert(sample::sam_of(master));
            let inserted = |event| match event {
                Event::CardInserted { reader, .. } => Some(reader),
                _ => None,
            };
            let reader = monitor.by_ref().find_map(inserted).unwrap();
            assert!(reader.ends_with("00 01"), "{reader}");
            let sam = Sam::open(PcscCard::connect(&reader).unwrap()).unwrap();
            Box::new(SamSecurityModule::new(sam)) as Box<dyn SecurityModule>
        });
    });
}
