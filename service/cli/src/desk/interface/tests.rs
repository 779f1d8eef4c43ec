use card::agent::{Insertion, MAX_ANSWER, Order};
use tempfile::TempDir;
use tokio::process::Command;

use super::*;

/// A directory of this user's alone.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("desk/agent");
    (directory, path)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn reason(opened: Result<Interface, Failure>) -> String {
    opened.map(drop).unwrap_err().reason.clone()
}

/// What the desk answers to these octets, which are followed by nothing.
async fn told(path: &Path, octets: &[u8]) -> Option<Answer> {
    let mut stream = UnixStream::connect(path).await.unwrap();
    // The other end may have closed already.
    let _ = stream.write_all(octets).await;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.ok()?;
    let mut message = vec![0; length(head, MAX_ANSWER).unwrap()];
    stream.read_exact(&mut message).await.unwrap();
    Answer::decode(&message)
}

#[tokio::test]
async fn the_socket_is_its_owners_and_goes_with_the_desk() {
    let (_directory, path) = place();
    let interface = Interface::open(&path).unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(reason(Interface::open(&path)), "INTERFACE_IN_USE", "two desks at one place");
    drop(interface);
    assert!(fs::symlink_metadata(&path).is_err(), "the socket is still there");
}

#[tokio::test]
async fn what_a_desk_left_behind_is_replaced_and_nothing_else() {
    let (_directory, path) = place();
    files::make_directory(path.parent().unwrap()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(Interface::open(&path).is_ok(), "a socket that nobody serves");
    files::write(&path, b"mine", files::Audience::Owner).unwrap();
    assert_eq!(reason(Interface::open(&path)), "INTERFACE_IN_USE", "a file");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    let long = path.with_file_name("a".repeat(120));
    assert_eq!(reason(Interface::open(&long)), "INTERFACE_UNAVAILABLE", "longer than any socket");
}

#[tokio::test]
async fn a_directory_that_others_may_enter_is_refused() {
    let (_directory, path) = place();
    let directory = path.parent().unwrap();
    files::make_directory(directory).unwrap();
    for open in [0o755, 0o710, 0o701] {
        fs::set_permissions(directory, Permissions::from_mode(open)).unwrap();
        assert_eq!(reason(Interface::open(&path)), "INTERFACE_EXPOSED", "{open:o}");
        assert!(fs::symlink_metadata(&path).is_err());
    }
}

#[tokio::test]
async fn a_request_is_told_and_answered() {
    let (_directory, path) = place();
    let mut interface = Interface::open(&path).unwrap();
    let request = Request::Card(Insertion([7; 8]), Order::Holder);
    let sent = request.encode().unwrap();
    let answering = async {
        let asked = interface.next().await.unwrap();
        assert_eq!(asked.request, request);
        asked.answer.send(Answer::Refused(Refusal::NoCard)).unwrap();
    };
    let (answer, ()) = tokio::join!(told(&path, &sent), answering);
    assert_eq!(answer, Some(Answer::Refused(Refusal::NoCard)));
    // Who hangs up is no longer waited for.
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(&sent).await.unwrap();
    let mut asked = interface.next().await.unwrap();
    drop(stream);
    asked.answer.closed().await;
}

#[tokio::test]
async fn rubbish_is_answered_as_such_and_reaches_nobody() {
    let (_directory, path) = place();
    let mut interface = Interface::open(&path).unwrap();
    let cases: [(&str, Vec<u8>); 5] = [
        ("no length at all", vec![0; 4]),
        ("a length beyond any", vec![0xFF; 64]),
        ("another form", vec![0, 0, 0, 2, 2, 1]),
        ("no request", vec![0, 0, 0, 3, 1, 9, 9]),
        ("a request and more", [&[0, 0, 0, 4][..], &[1, 1, 0, 0]].concat()),
    ];
    for (what, octets) in cases {
        let answer = told(&path, &octets).await;
        assert_eq!(answer, Some(Answer::Refused(Refusal::Request)), "{what}");
    }
    assert!(interface.asked.try_recv().is_err());
}

#[tokio::test]
async fn a_crowd_waits_its_turn() {
    let (_directory, path) = place();
    let mut interface = Interface::open(&path).unwrap();
    let crowd: Vec<_> = (0..40)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move {
                let sent = Request::PowerOn { reader: String::new() }.encode().unwrap();
                told(&path, &sent).await
            })
        })
        .collect();
    let mut waiting = Vec::new();
    for _ in 0..MOST_CONNECTIONS {
        waiting.push(interface.next().await.unwrap());
    }
    // All places are taken; the next one is let in when one of them is free.
    assert!(interface.asked.try_recv().is_err());
    for served in 0..40 {
        let asked = waiting.remove(0);
        asked.answer.send(Answer::Refused(Refusal::NoCard)).unwrap();
        if served + MOST_CONNECTIONS < 40 {
            waiting.push(interface.next().await.unwrap());
        }
    }
    for one in crowd {
        assert_eq!(one.await.unwrap(), Some(Answer::Refused(Refusal::NoCard)));
    }
}

#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let (_directory, path) = place();
    let mut interface = Interface::with(&path, Duration::from_millis(20)).unwrap();
    assert_eq!(told(&path, &[0, 0, 0, 9, 1]).await, None);
    assert!(interface.asked.try_recv().is_err());
}

#[tokio::test]
async fn another_users_process_gets_no_answer() {
    let (directory, path) = place();
    let mut interface = Interface::open(&path).unwrap();
    // Even if it gets at the socket.
    for open in [directory.path(), path.parent().unwrap(), &path] {
        fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
    }
    let ask = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); \
               s.sendall(bytes([0, 0, 0, 2, 1, 0])); sys.exit(len(s.recv(64)))";
    let asks = async |user: Option<u32>| {
        let mut python = Command::new("python3");
        python.args(["-c", ask]).arg(&path).kill_on_drop(true);
        if let Some(user) = user {
            python.uid(user).gid(user);
        }
        python.status().await.map(|status| status.code())
    };
    assert_eq!(asks(None).await.unwrap(), Some(7), "the refusal of what is no request");
    match asks(Some(65534)).await {
        Ok(code) => assert_ne!(code, Some(7), "an answer"),
        Err(error) => println!("skipped: only root can be another user ({error})"),
    }
    assert!(interface.asked.try_recv().is_err());
}
