//! The log as a repository of audit messages gets it (IHE ATNA): rsyslog, which others wrote, over TLS.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use service::demo::people::DOCTOR;
use service::demo::programs::{Background, Program};
use service::demo::stage::PATIENCE;
use tests::hospital::{Hospital, text};
use tests::private::repository;
use tests::python::python;
use tests::relay::open_visit;
use tests::syslog::Repository;

/// What a node of the hospital is asked to do.
struct Node<'a> {
    hospital: &'a Hospital,
    repository: Repository,
    state: String,
}

impl<'a> Node<'a> {
    fn new(hospital: &'a Hospital) -> Self {
        let repository = Repository::start(hospital.stage.path("repository"));
        let state = hospital.stage.path("log/forwarded.json").display().to_string();
        Self { hospital, repository, state }
    }

    /// The order, with the certificate of `who` and the repository's authority as `ca`.
    fn order(&self, who: &str, ca: &str) -> Vec<String> {
        let file = |name: String| self.repository.file(&name);
        let order = [
            ("--to", self.repository.address()),
            ("--repository-ca", file(format!("{ca}.pem"))),
            ("--node-certificate", file(format!("{who}.pem"))),
            ("--node-key", file(format!("{who}.key"))),
            ("--state", self.state.clone()),
        ];
        let order = order.into_iter().flat_map(|(word, value)| [word.to_owned(), value]);
        ["audit", "forward"].map(str::to_owned).into_iter().chain(order).collect()
    }

    fn once(&self) -> Value {
        let mut order = self.order("node", "ca");
        order.push("--once".to_owned());
        self.hospital.granted("auditor", &order.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Goes on until it is ended.
    fn keep_on(&self) -> Background {
        let order = self.order("node", "ca");
        let order: Vec<_> = order.iter().map(String::as_str).collect();
        let command = self.hospital.stage.healthcard("auditor", &order);
        let log = self.hospital.stage.path("log/forward");
        Background::start(Program::Healthcard.name(), command, &log).unwrap()
    }

    fn kept(&self) -> Value {
        serde_json::from_slice(&fs::read(&self.state).unwrap()).unwrap()
    }

    /// How often each position of the log arrived, as a program in Python reads messages.
    fn arrived(&self, at_least: usize) -> BTreeMap<u64, u64> {
        let _ = self.repository.messages(at_least);
        let read = Command::new(python())
            .arg(repository().join("tests/interop/audit_messages.py"))
            .arg(self.repository.file("messages"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(read.status.success(), "messages are not well-formed");
        let events: Vec<Value> = serde_json::from_slice(&read.stdout).unwrap();
        let mut arrived = BTreeMap::new();
        for event in events {
            *arrived.entry(event["position"].as_u64().unwrap()).or_default() += 1;
        }
        arrived
    }
}

#[tokio::test]
async fn each_entry_is_passed_on_once_and_says_what_it_said() {
    let hospital = Hospital::open();
    let visit = open_visit(&hospital).await;
    let order = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    hospital.granted(DOCTOR.key, &[&order[..], &["--audience", "emr"]].concat());
    let node = Node::new(&hospital);
    let sent = node.once();
    let next = sent["next"].as_u64().unwrap();
    assert_eq!(sent["entries"], sent["next"]);
    let arrived = node.arrived(next as usize);
    assert!(arrived.into_iter().eq((0..next).map(|position| (position, 1))), "{next}");
    assert_eq!(node.kept()["open"], false);

    // On from there, and nothing twice.
    let more = node.once();
    let next = more["next"].as_u64().unwrap();
    assert!(more["entries"].as_u64().unwrap() < next, "{more}");
    let arrived = node.arrived(next as usize);
    assert!(arrived.into_iter().eq((0..next).map(|position| (position, 1))), "{next}");

    // What one of them says.
    let messages = node.repository.messages(next as usize);
    let token = messages.iter().find(|it| it.contains(r#"csd-code="token.issue""#)).unwrap();
    assert!(token.starts_with("<85>1 20"), "{token}");
    for said in [
        " demo.healthcard healthcard - DICOM+RFC3881 - \u{feff}<AuditMessage>",
        r#"EventOutcomeIndicator="0""#,
        r#"csd-code="110110" codeSystemName="DCM" originalText="Patient Record""#,
        r#"<RoleIDCode csd-code="doctor""#,
        &format!(r#"ParticipantObjectID="{}""#, hospital.resident_id),
        &format!(r#"ParticipantObjectID="{visit}""#),
    ] {
        assert!(token.contains(said), "{said}: {token}");
    }
}

#[test]
fn nothing_is_lost_where_the_line_breaks_or_either_end_is_killed() {
    let hospital = Hospital::open();
    let mut node = Node::new(&hospital);
    let size = || {
        let checkpoint = hospital.granted("auditor", &["audit", "checkpoint"]);
        checkpoint["size"].as_u64().unwrap()
    };
    let forwarding = node.keep_on();
    let _ = node.repository.messages(size() as usize);
    // The repository dies, acts go on, and it comes back.
    node.repository.kill();
    for _ in 0..20 {
        hospital.granted("auditor", &["audit", "get", "0"]);
    }
    node.repository.resume();
    let now = size();
    let all = |node: &Node<'_>, until: u64| {
        let begin = std::time::Instant::now();
        while !(0..until).all(|position| node.arrived(0).contains_key(&position)) {
            assert!(begin.elapsed() < PATIENCE, "some never arrived");
        }
    };
    all(&node, now);
    // So does the node itself.
    drop(forwarding);
    assert_eq!(node.kept()["open"], true);
    hospital.granted("auditor", &["audit", "get", "0"]);
    let forwarding = node.keep_on();
    all(&node, size());
    drop(forwarding);
}

#[test]
fn strangers_other_logs_and_wrong_files_are_refused() {
    let hospital = Hospital::open();
    let node = Node::new(&hospital);
    let refused = |who: &str, ca: &str, key: &str, reason: &str| {
        let mut order = node.order(who, ca);
        order.push("--once".to_owned());
        let order: Vec<_> = order.iter().map(String::as_str).collect();
        hospital.refused(key, &order, reason);
    };
    refused("node", "other-ca", "auditor", "REPOSITORY_UNTRUSTED");
    refused("nobody", "ca", "auditor", "FILE_UNREADABLE");
    refused("node", "ca", DOCTOR.key, "ROLE_NOT_ALLOWED");
    assert!(!Path::new(&node.state).exists(), "nothing was sent");
    let mut order = node.order("stranger", "ca");
    order.push("--once".to_owned());
    let order: Vec<_> = order.iter().map(String::as_str).collect();
    // It may close the line at once or a little later.
    assert_eq!(hospital.stage.ask("auditor", &order).unwrap().code, 3);
    assert!(!Path::new(&node.repository.file("messages")).exists(), "a stranger was heard");

    fs::write(&node.state, r#"{"log":"another","next":1,"open":false}"#).unwrap();
    refused("node", "ca", "auditor", "FORWARD_STATE_WRONG");
    fs::write(&node.state, r#"{"log":"demo.healthcard","next":100000,"open":false}"#).unwrap();
    refused("node", "ca", "auditor", "FORWARD_STATE_WRONG");
    let kept = node.kept();
    assert_eq!(text(&kept, "log"), "demo.healthcard");
}
