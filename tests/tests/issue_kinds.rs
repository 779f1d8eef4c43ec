//! Cards of both capacities from one batch, the issuer's certificate on them, and who cannot make cards.

use card::certificate::CardCertificate;
use card::layout::{FILES, Profile};
use card::session::{Dump, read_whole};
use card::{CardKey, SoftSecurityModule};
use card_emulator::{Card, InMemory, sample};
use hsm::Keystore as _;
use hsm::soft::{Passphrase, SoftKeystore};
use proto::v1::{BatchRow, CardCapacity, RowState};
use service::clock;
use service::demo::people::CLERK;
use tests::grpc::reason;
use tests::hospital::Hospital;
use tests::issuing::{Bench, Stack, row};
use tests::openssl::{Over, verifies};

const BATCH: &str = "01936f00-0000-7000-8000-0000000000c1";

/// Who reads all of a card: the masters of the hospital's keystore.
fn module(hospital: &Hospital) -> SoftSecurityModule {
    let passphrase = Passphrase::from_file(&hospital.stage.path("passphrase")).unwrap();
    let keystore = hospital.stage.path("data/keystore.hck");
    let keystore = SoftKeystore::open(&keystore, &passphrase).unwrap();
    CardKey::all_versions().fold(SoftSecurityModule::new(), |module, (key, version)| {
        let name = format!("soft:{}", key.master_name(version)).parse().unwrap();
        module.with(key, version, keystore.card_master(&name).unwrap())
    })
}

fn dump(card: Card, module: &SoftSecurityModule) -> Dump {
    let mut random = sample::counter(1);
    let today = clock::date_at_desk(clock::now());
    let mut card = InMemory::new(card);
    read_whole(&mut card, module, &mut random, today, &[], &mut clock::now).unwrap().1
}

/// A small picture, as a card holds it.
fn photo() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(120, 150, |x, y| image::Rgb([x as u8, y as u8, 99]));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    card::picture::fit(&png.into_inner()).unwrap().jpeg().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_of_both_capacities_are_made_and_carry_the_issuers_certificate() {
    let hospital = Hospital::open();
    let full = [("capacity", "32K"), ("address_2", "演示路 2 号")];
    let rows = [
        row(1, &[("phone_1", "13800138000")]),
        BatchRow { photo: photo(), ..row(2, &full) },
        BatchRow { photo: photo(), ..row(3, &[]) },
        row(4, &[("capacity", "64K")]),
        row(5, &[]),
    ];
    let capacity = CardCapacity::CardCapacity16k;
    let mut bench = Bench::open_for(&hospital, CLERK.key, BATCH, &rows, capacity).await.unwrap();
    bench.handed_in(rows.len()).await.unwrap();
    let reasons = |row: u32| {
        let reasons = bench.verdicts[&row].reasons.iter();
        reasons.map(|why| format!("{}:{}", why.field, why.code)).collect::<Vec<_>>()
    };
    assert_eq!(reasons(3), ["photo:NO_PLACE"]);
    assert_eq!(reasons(4), ["capacity:NOT_A_CAPACITY"]);

    // One reader, so that each blank meets the row that is next; the third is one too small a row.
    let mut stack = Stack::new(&hospital);
    stack.profiles =
        [Profile::Reduced, Profile::Full, Profile::Full, Profile::Reduced].into_iter().collect();
    bench.slots = 1;
    bench.make(&mut stack, None).await.unwrap().unwrap();
    assert_eq!(bench.failures, ["BLANK_OTHER_CAPACITY"]);
    let states: Vec<RowState> = bench.verdicts.values().map(|verdict| verdict.state()).collect();
    let (issued, refused) = (RowState::Issued, RowState::Refused);
    assert_eq!(states, [issued, issued, refused, refused, issued]);
    let refused = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.err().unwrap();
    assert_eq!(reason(&refused), "BATCH_DIFFERS", "the same rows for other cards");

    // Each is what it should be, read out whole with the keys of its issuer.
    let module = module(&hospital);
    let kept = std::fs::read(hospital.stage.path("data/card-issuer.cer")).unwrap();
    let issuer = CardCertificate::parse(&kept).unwrap();
    let expected = [Profile::Reduced, Profile::Full, Profile::Reduced];
    for (card, profile) in stack.made.drain(..).zip(expected) {
        let dump = dump(card, &module);
        assert_eq!(dump.profile, profile);
        let there = FILES.iter().filter(|file| file.exists(profile)).count();
        assert_eq!(dump.files.len(), there);
        let fields = || dump.files.iter().flat_map(|file| &file.fields);
        let item = |number: u16| fields().find(|field| field.item.element.item == number);
        match profile {
            Profile::Full => {
                assert_eq!(
                    item(24).unwrap().value.as_ref().unwrap().to_text().as_str(),
                    "演示路 2 号"
                );
                assert!(dump.files.iter().any(|file| file.photo.is_some()));
                // Whoever reads the card checks with it what the issuer's key has signed.
                let carried = &item(5).unwrap().raw[2..];
                assert_eq!(carried, kept);
                let (body, signature) = carried.split_at(carried.len() - 64);
                let place = tempfile::tempdir().unwrap();
                let key = &issuer.body().key;
                assert!(verifies(place.path(), key, signature, Over::Message(body)));
                let mut changed = body.to_vec();
                changed[40] ^= 1;
                assert!(!verifies(place.path(), key, signature, Over::Message(&changed)));
            }
            Profile::Reduced => assert!(item(24).is_none() && item(5).is_none()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_sams_compute_no_cards_are_made() {
    let mut hospital = Hospital::open();
    hospital.use_sams();
    let rows = [row(1, &[])];
    let refused = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.err().unwrap();
    assert_eq!(reason(&refused), "SAM_CANNOT_ISSUE");
    let log = hospital.ask("auditor", &["audit", "search", "--action", "card.batch"]);
    let found = log.granted().unwrap();
    assert!(found.to_string().contains("SAM_CANNOT_ISSUE"), "{found}");
}

#[test]
fn an_installation_without_the_issuers_certificate_gets_it_at_start() {
    let mut hospital = Hospital::open();
    let file = hospital.stage.path("data/card-issuer.cer");
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    hospital.restart();
    assert_eq!(std::fs::read(&file).unwrap(), kept);
    // One that is another is not overwritten.
    std::fs::write(&file, b"another").unwrap();
    hospital.restart();
    assert_eq!(std::fs::read(&file).unwrap(), b"another");
}
