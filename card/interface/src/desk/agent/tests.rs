use std::fs::Permissions;
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};

use card::agent::MAX_REQUEST;
use card::layout::{df01, df02, df03};
use tempfile::TempDir;

use super::*;

const ATR: [u8; 3] = [0x3B, 0x00, 0x81];

/// An agent that gives these answers, one a connection, and hangs up on whoever else comes.
struct Agent {
    _directory: TempDir,
    socket: PathBuf,
    asked: JoinHandle<Vec<Request>>,
}

/// What comes back for one request.
enum Says {
    Answer(Answer),
    Octets(Vec<u8>),
    /// Nothing, and the connection stays.
    Nothing,
}

impl From<Refusal> for Says {
    fn from(why: Refusal) -> Self {
        Self::Answer(Answer::Refused(why))
    }
}

impl Agent {
    fn start(says: Vec<Says>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        let socket = directory.path().join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
        let asked = thread::spawn(move || serve(&listener, says));
        Self { _directory: directory, socket, asked }
    }

    fn station(&self) -> AgentStation {
        let patience = Duration::from_millis(500);
        AgentStation { patience, ..AgentStation::open(self.socket.clone()).unwrap() }
    }
}

fn serve(listener: &UnixListener, says: Vec<Says>) -> Vec<Request> {
    // Who opens the station looks whether there is somebody.
    drop(listener.accept().unwrap());
    let mut kept = Vec::new();
    let asked = says.into_iter().map(|says| {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4];
        stream.read_exact(&mut head).unwrap();
        let mut message = vec![0; length(head, MAX_REQUEST).unwrap()];
        stream.read_exact(&mut message).unwrap();
        match says {
            Says::Answer(answer) => stream.write_all(&answer.encode().unwrap()).unwrap(),
            Says::Octets(octets) => stream.write_all(&octets).unwrap(),
            Says::Nothing => kept.push(stream),
        }
        Request::decode(&message).unwrap()
    });
    asked.collect()
}

fn card(insertion: u8) -> Says {
    Says::Answer(Answer::Card { card: Insertion([insertion; 8]), atr: ATR.to_vec() })
}

fn insertions(asked: Vec<Request>) -> Vec<u8> {
    let named = asked.into_iter().filter_map(|request| match request {
        Request::Card(card, _) => Some(card.0[0]),
        Request::PowerOn { .. } => None,
    });
    named.collect()
}

fn spelled() -> Vec<Spelled> {
    vec![Spelled { item: 22, text: Zeroizing::new("a".to_owned()) }]
}

#[test]
fn a_request_names_the_card_that_was_powered() {
    let agent = Agent::start(vec![
        card(1),
        Says::Answer(Answer::Changed(Vec::new())),
        Refusal::NoCard.into(),
        card(2),
        Says::Answer(Answer::Changed(Vec::new())),
    ]);
    let mut station = agent.station();
    let write = |station: &mut AgentStation| station.set(&df01::ef05::FILE, spelled());
    assert_eq!(write(&mut station), Ok(()), "the first call finds the card itself");
    assert_eq!(write(&mut station), Err(Code::Card), "the card was taken out");
    // Whatever is there now, it is not the card of before: nobody is asked.
    assert_eq!(write(&mut station), Err(Code::Card));
    assert_eq!(station.power_on(Slot::User), Ok(ATR.to_vec()));
    assert_eq!(write(&mut station), Ok(()));
    assert_eq!(insertions(agent.asked.join().unwrap()), [1, 1, 2]);
}

#[test]
fn each_refusal_has_its_code() {
    let cases = [
        (Refusal::Request, Code::Parameter),
        (Refusal::SeveralCards, Code::Card),
        (Refusal::CardFailed, Code::Card),
        (Refusal::NotGenuine, Code::Authentication),
        (Refusal::NotPermitted, Code::Authentication),
        (Refusal::NoFile, Code::NoFile),
        (Refusal::MarkedInvalid, Code::Invalid),
        (Refusal::Failed, Code::WriteRecord),
        (Refusal::Away, Code::Sam),
    ];
    let says = cases.iter().map(|(why, _)| Says::from(*why));
    let agent = Agent::start([card(1)].into_iter().chain(says).collect());
    let mut station = agent.station();
    for (why, code) in cases {
        assert_eq!(station.set(&df01::ef05::FILE, spelled()), Err(code), "{why:?}");
    }
}

#[test]
fn an_agent_that_makes_no_sense_is_as_good_as_none() {
    let cases: [(&str, Says); 5] = [
        ("hangs up", Says::Octets(Vec::new())),
        ("half an answer", Says::Octets(vec![0, 0, 0, 9, 1, 1])),
        ("more than any answer", Says::Octets(vec![0xFF; 64])),
        ("no answer", Says::Octets(vec![0, 0, 0, 2, 9, 9])),
        ("silent", Says::Nothing),
    ];
    for (what, says) in cases {
        let agent = Agent::start(vec![says]);
        let mut station = agent.station();
        assert_eq!(station.power_on(Slot::User), Err(Code::Sam), "{what}");
    }
    // An answer to another question.
    let agent = Agent::start(vec![card(1), card(1), Says::Answer(Answer::Photo(vec![1].into()))]);
    let mut station = agent.station();
    assert_eq!(station.fields(&ddf1::ef05::FILE), Err(Code::ReadRecord));
    assert_eq!(station.fields(&ddf1::ef05::FILE), Err(Code::ReadRecord));
}

#[test]
fn an_agent_of_somebody_else_is_none() {
    let agent = Agent::start(Vec::new());
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let directory = agent.socket.parent().unwrap();
    let open = || AgentStation::open(agent.socket.clone()).map(drop);
    for mode in [0o660, 0o606, 0o666] {
        set(&agent.socket, mode);
        assert_eq!(open(), Err(Code::Sam), "a socket of mode {mode:o}");
    }
    set(&agent.socket, 0o600);
    set(directory, 0o755);
    assert_eq!(open(), Err(Code::Sam), "a directory that others may enter");
    set(directory, 0o700);
    let file = directory.join("file");
    fs::write(&file, "").unwrap();
    set(&file, 0o600);
    assert_eq!(AgentStation::open(file).map(drop), Err(Code::Sam), "a file");
    assert_eq!(AgentStation::open(directory.join("none")).map(drop), Err(Code::Sam));
    assert_eq!(open(), Ok(()));
}

#[test]
fn what_takes_a_sam_is_refused_without_asking() {
    let agent = Agent::start(Vec::new());
    let mut station = agent.station();
    let part = Body::named(&df03::outpatient::FILES[0], 0, 4, 0).unwrap();
    assert_eq!(station.power_on(Slot::Sam), Err(Code::Sam));
    assert_eq!(station.send(Slot::User, &[0, 0x84, 0, 0, 8]), Err(Code::Card));
    assert_eq!(station.send(Slot::Sam, &[0, 0x84, 0, 0, 8]), Err(Code::Sam));
    let refused = station.verify_pin(b"123456").unwrap_err();
    assert_eq!((refused.code, refused.tries_left), (Code::Sam, None));
    assert_eq!(station.change_pin(b"123456", b"654321"), Err(Code::Sam));
    assert_eq!(station.sam_file(SamFile::Public), Err(Code::Sam));
    assert_eq!(station.sign(&[0; 32]), Err(Code::Sam));
    assert_eq!(station.write_part(&part, b"abcd"), Err(Code::WriteBinary));
    assert_eq!(agent.asked.join().unwrap(), []);
}

#[test]
fn a_record_is_made_of_its_items_and_nothing_less() {
    let field = |item, length| Field { item, record: 1, bytes: vec![7; length].into() };
    let ring = &df02::ef07::FILE;
    let whole = joined(ring, &[field(59, 100), field(58, 20)], Code::ReadRecord).unwrap();
    assert_eq!(whole.len(), usize::from(ring.size(Profile::Full)));
    for broken in [vec![], vec![field(58, 20)], vec![field(58, 19), field(59, 100)]] {
        assert_eq!(joined(ring, &broken, Code::ReadRecord), Err(Code::ReadRecord));
    }
}
