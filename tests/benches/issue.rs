//! How many emulated cards a second one service makes: rows checked and sealed, keys derived and loaded, cards read
//! back, everything on record in SQLite with its entries in the log. Run with
//! `cargo bench -p tests --bench issue -- [CARDS]`.

#![expect(clippy::unwrap_used, reason = "a bench ends where something is wrong")]

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use card::CardFactor;
use card::batch::Row;
use card::layout::Profile;
use card_emulator::personalise::{blank, transport_master};
use card_emulator::{Card, InMemory};
use hsm::soft::{Iterations, Passphrase, SoftKeystore};
use service::clock;
use service::config::Config;
use service::init::{self, InitOptions};
use service::registrar::{
    BatchOrder, Caller, CardVerdict, HandedRow, Holder, NewInstitution, Registrar,
};
use service::store::{BatchId, IdentityId, InstitutionId};
use service::vocabulary::Role;
use tokio::task::JoinSet;

/// Cards that are made when no number is given.
const CARDS: u32 = 2000;
/// Cards in the making at once.
const AT_ONCE: usize = 64;

fn caller(role: Role, institution: InstitutionId) -> Caller {
    let now = clock::now();
    let holder = Holder {
        session: [0; 32],
        identity: IdentityId::generate(),
        certificate: "00".to_owned(),
        key_thumbprint: String::new(),
        role,
        institution,
        region: String::new(),
        department: String::new(),
        expires_at: now + time::Duration::HOUR,
        leased_until: None,
        lease: None,
    };
    Caller { holder: Arc::new(holder), origin: IpAddr::from(Ipv4Addr::LOCALHOST).into(), now }
}

/// A number with its check character (GB 11643-1999).
fn id_number(serial: u32) -> String {
    let (serial, day) = (serial % 1000, serial / 1000);
    let digits = format!(
        "990000{}{:02}{:02}{serial:03}",
        1950 + day % 50,
        1 + day / 50 % 12,
        1 + day / 600 % 28
    );
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = weights.iter().zip(digits.bytes()).map(|(w, d)| w * u32::from(d - b'0')).sum();
    format!("{digits}{}", char::from(b"10X98765432"[(sum % 11) as usize]))
}

/// A name for each of a thousand people born on one day.
fn name(number: u32) -> String {
    let sign = |at: u32| char::from_u32(0x4E00 + at).expect("a Chinese character");
    [sign(number % 1000 / 32), sign(64 + number % 32)].iter().collect()
}

/// A portrait as cards hold it.
fn photo() -> Vec<u8> {
    let picture =
        image::RgbImage::from_fn(300, 400, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    card::picture::fit(&png.into_inner()).unwrap().jpeg().to_vec()
}

#[tokio::main]
async fn main() {
    let cards = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(CARDS);
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let file = directory.path().join("passphrase");
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(&file).unwrap();
    std::io::Write::write_all(&mut &opened, b"nobody needs it again").unwrap();
    let passphrase = || Passphrase::from_file(&file).unwrap();
    let options = InitOptions {
        data: data.clone(),
        passphrase: passphrase(),
        iterations: Iterations::DEFAULT,
        name: "bench.localhost".to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        hosts: Vec::new(),
        operator_request: None,
        reviewer_request: None,
        participants: Vec::new(),
    };
    init::init(options).await.unwrap();
    let config = Config::load(&data).unwrap();
    let transport = {
        let keystore = SoftKeystore::open(&config.keystore, &passphrase()).unwrap();
        transport_master(&keystore).unwrap()
    };
    let registrar = Arc::new(service::start::open(config, &passphrase()).await.unwrap());
    let operator = caller(Role::Operator, InstitutionId::generate());
    let order = NewInstitution {
        credit_code: "91350100M000100Y43".parse().unwrap(),
        name: "县医院".to_owned(),
        region: "990000".parse().unwrap(),
    };
    let (hospital, _) = registrar.register_institution(&operator, order).await.unwrap();
    let clerk = caller(Role::Clerk, hospital);

    let photo = photo();
    let batch: BatchId = "01936f00-0000-7000-8000-0000000000bb".parse().unwrap();
    let order =
        BatchOrder { id: batch, input_digest: [1; 32], rows: cards, profile: Profile::Full };
    registrar.open_batch(&clerk, order).await.unwrap();
    let begin = Instant::now();
    for from in (1..=cards).step_by(256) {
        let rows = (from..=cards.min(from + 255)).map(|number| {
            let id = id_number(number);
            // Whoever has the name and the birth date or phone of somebody else is held.
            let (name, phone) = (name(number), format!("0009{number:07}"));
            let cells = [
                ("name", name.as_str()),
                ("id_number", &id),
                ("city", "990000"),
                ("valid_until", "2046-01-01"),
                ("phone_1", phone.as_str()),
                ("address_1", "演示路一号"),
            ];
            HandedRow { number, row: Row::of(cells).map(|row| row.with_photo(photo.clone())) }
        });
        registrar.hand_in(&clerk, batch, rows.collect()).await.unwrap();
    }
    let handed_in = begin.elapsed();

    let blanks: Vec<InMemory> = (1..=cards)
        .map(|number| {
            let factor = (0x9901_0001_0000_0000 + u64::from(number)).to_be_bytes();
            let image = blank(CardFactor(factor), Profile::Full, &*transport).unwrap();
            let mut start = u64::from(number) << 32;
            let random = move |challenge: &mut [u8; 8]| {
                start += 1;
                *challenge = start.to_be_bytes();
            };
            InMemory::new(Card::new(image, Box::new(random)))
        })
        .collect();

    let before = registrar.store().stats();
    let (begin, mut tasks, mut made, mut at_cards) =
        (Instant::now(), JoinSet::new(), 0, Duration::ZERO);
    for blank in blanks {
        if tasks.len() == AT_ONCE {
            at_cards += tasks.join_next().await.unwrap().unwrap();
            made += 1;
        }
        tasks.spawn(one(Arc::clone(&registrar), clerk.clone(), batch, blank));
    }
    while let Some(taken) = tasks.join_next().await {
        at_cards += taken.unwrap();
        made += 1;
    }
    let elapsed = begin.elapsed();
    let after = registrar.store().stats();
    let (manifest, _) = registrar.close_batch(&clerk, batch).await.unwrap();
    let rate = f64::from(made) / elapsed.as_secs_f64();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("cards made                                   {made}");
    println!("cards/s, {AT_ONCE} at once, {cores} cores                    {rate:.0}");
    println!(
        "rows checked and sealed/s                    {:.0}",
        f64::from(cards) / handed_in.as_secs_f64()
    );
    println!(
        "time of a card and its keys, of all cores    {:.0} %",
        100.0 * at_cards.as_secs_f64() / elapsed.as_secs_f64() / cores as f64
    );
    println!(
        "commits to disk for each card                {:.3}",
        (after.commits - before.commits) as f64 / f64::from(made)
    );
    println!(
        "leaves for each card                         {:.1}",
        (after.committed_leaves - before.committed_leaves) as f64 / f64::from(made)
    );
    println!(
        "manifest, bytes a row                        {:.0}",
        manifest.len() as f64 / f64::from(cards)
    );
}

/// One card; how long its making took of a core.
async fn one(
    registrar: Arc<Registrar>,
    clerk: Caller,
    batch: BatchId,
    mut blank: InMemory,
) -> Duration {
    let factor = card::Transport::atr(&blank).card_factor().unwrap();
    let job = registrar.begin_card(&clerk, batch, factor, None).await.unwrap();
    let job = job.job.expect("a row waits");
    let maker = Arc::clone(&registrar);
    let (job, outcome, taken) = tokio::task::spawn_blocking(move || {
        let begin = cpu_time();
        let outcome = maker.make_card(&job, &mut blank);
        (job, outcome, cpu_time() - begin)
    })
    .await
    .unwrap();
    let verdict = registrar.card_made(&clerk, job, outcome).await.unwrap();
    assert!(matches!(verdict, CardVerdict::Issued { .. }));
    taken
}

/// Time that this thread has had of a core.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}
