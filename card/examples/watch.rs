//! Watches real readers and reads health cards whose masters are the root of the test vectors:
//! `cargo run -p card --features pcsc --example watch [--times N]`. Prints what happens, how many commands a
//! reading took and how long, and no personal data. Ends after N readings, or on Ctrl-C.

use std::sync::Arc;
use std::time::Instant;

use card::transport::pcsc::{Event, Monitor, PcscCard};
use card::{CardKey, KeyVersion, SoftSecurityModule, read_identity};
use hsm::sm4::Sm4Key;
use hsm::{CardMaster, KeyError};
use time::macros::date;

/// The root of the SM4 profile's vectors: no secret.
struct Root(Sm4Key);

impl CardMaster for Root {
    fn derive(&self, blocks: &[[u8; 16]]) -> Result<Sm4Key, KeyError> {
        Ok(self.0.derive(blocks))
    }

    fn derive_wrapped(&self, _: &[[u8; 16]], _: &Sm4Key) -> Result<[u8; 16], KeyError> {
        Err(KeyError::Locked)
    }
}

fn module() -> SoftSecurityModule {
    let root = Sm4Key::fill::<std::convert::Infallible>(|key| {
        *key = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
        Ok(())
    });
    let Ok(root) = root;
    let root: Arc<dyn CardMaster> = Arc::new(Root(root));
    [CardKey::IrkDdf1, CardKey::Rk1Ddf1]
        .into_iter()
        .fold(SoftSecurityModule::new(), |module, key| {
            module.with(key, KeyVersion::FIRST, root.clone())
        })
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let times = match &arguments[1..] {
        [flag, times] if flag == "--times" => times.parse().ok(),
        _ => None,
    };
    let mut readings = 0;
    let mut monitor = Monitor::new();
    let stopper = monitor.stopper();
    let start = Instant::now();
    for event in &mut monitor {
        let Event::CardInserted { reader, .. } = &event else {
            println!("{:8.1?} {event:?}", start.elapsed());
            continue;
        };
        println!("{:8.1?} {event:?}", start.elapsed());
        for _ in 0..times.unwrap_or(1) {
            let begun = Instant::now();
            // A counter is fit for a trial alone: a desk draws its randomness from the system.
            let mut random = |bytes: &mut [u8; 8]| *bytes = [readings as u8 + 1; 8];
            let outcome = PcscCard::connect(reader).map(|mut card| {
                let connected = begun.elapsed();
                let outcome =
                    read_identity(&mut card, &module(), &mut random, date!(2026 - 03 - 01));
                (connected, outcome)
            });
            readings += 1;
            match outcome {
                Ok((connected, Ok(reading))) => println!(
                    "{:8.1?} read: {} commands, connecting {connected:.1?}, in all {:.1?}",
                    start.elapsed(),
                    reading.commands,
                    begun.elapsed()
                ),
                Ok((_, Err(error))) => println!("{:8.1?} not read: {error:?}", start.elapsed()),
                Err(error) => println!("{:8.1?} no card: {error:?}", start.elapsed()),
            }
        }
        if times.is_some_and(|times| readings >= times) {
            stopper.stop();
        }
    }
}
