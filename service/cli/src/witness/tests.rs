use std::{collections::VecDeque, sync::Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proto::v1::{
    AuditCertificatesRequest, AuditCertificatesResponse, AuditKeysRequest, AuditKeysResponse,
    CheckpointResponse, ConsistencyRequest, ConsistencyResponse, CosignResponse, CountAuditRequest,
    CountAuditResponse, EnterRemovalRequest, EnterRemovalResponse, ExportAuditRequest,
    ExportAuditResponse, GetAuditEntryRequest, ProveAuditEntryRequest, ProveAuditEntryResponse,
    ReviewRemovalRequest, ReviewRemovalResponse, SearchAuditRequest, SearchAuditResponse,
    SegmentsRequest, SegmentsResponse,
    audit_server::{Audit, AuditServer},
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, transport::Server};

use super::*;
use crate::{
    screen::Screen,
    service::{Address, TlsCa},
    testing::{Log, refused},
    text::Lang,
};

fn checkpoint(size: u64, root: [u8; 32]) -> Checkpoint {
    Checkpoint { origin: "log.example".to_owned(), size, root }
}

#[test]
fn only_what_grew_from_what_is_held_agrees_with_it() {
    let leaf = |n: u8| tree::leaf_hash(&[n]);
    let (one, two) = (leaf(1), tree::node_hash(&leaf(1), &leaf(2)));
    let proof = |path: &[[u8; 32]]| GrowthResponse {
        checkpoint: String::new(),
        path: path.iter().map(|hash| hash.to_vec()).collect(),
    };
    let good = proof(&[leaf(2)]);
    #[rustfmt::skip]
    let cases = [
        ("it grew", checkpoint(1, one), checkpoint(2, two), good.clone(), None),
        ("it is the same", checkpoint(2, two), checkpoint(2, two), proof(&[]), None),
        ("from nothing", checkpoint(0, tree::empty_root()), checkpoint(2, two), proof(&[]), None),
        ("shorter", checkpoint(2, two), checkpoint(1, one), good.clone(), Some(Why::Shorter)),
        ("another of that size", checkpoint(2, two), checkpoint(2, [9; 32]), proof(&[]), Some(Why::Forked)),
        ("another history", checkpoint(1, leaf(9)), checkpoint(2, two), good.clone(), Some(Why::NotProved)),
        ("another future", checkpoint(1, one), checkpoint(2, [9; 32]), good, Some(Why::NotProved)),
        ("no proof", checkpoint(1, one), checkpoint(2, two), proof(&[]), Some(Why::NotProved)),
        ("not hashes", checkpoint(1, one), checkpoint(2, two), GrowthResponse { path: vec![vec![1; 31]], ..proof(&[]) }, Some(Why::NotProved)),
    ];
    for (case, held, newest, shown, expected) in cases {
        assert_eq!(disagreement(&held, &newest, &shown), expected, "{case}");
    }
}

/// A service that says what it is told to say, and keeps what it is given.
#[derive(Clone, Default)]
struct Liar {
    says: std::sync::Arc<Mutex<VecDeque<Result<GrowthResponse, &'static str>>>>,
    given: std::sync::Arc<Mutex<Vec<CosignRequest>>>,
}

type Reply<T> = Result<Response<T>, Status>;

fn never<T>() -> Reply<T> {
    Err(Status::unimplemented("nobody asks for it"))
}

#[tonic::async_trait]
impl Audit for Liar {
    async fn growth(&self, _: Request<GrowthRequest>) -> Reply<GrowthResponse> {
        let next = self.says.lock().unwrap().pop_front().unwrap();
        next.map(Response::new).map_err(refused)
    }

    async fn cosign(&self, request: Request<CosignRequest>) -> Reply<CosignResponse> {
        self.given.lock().unwrap().push(request.into_inner());
        Ok(Response::new(CosignResponse {}))
    }

    async fn checkpoint(&self, _: Request<CheckpointRequest>) -> Reply<CheckpointResponse> {
        Ok(Response::new(CheckpointResponse::default()))
    }

    async fn search(&self, _: Request<SearchAuditRequest>) -> Reply<SearchAuditResponse> {
        never()
    }

    async fn count(&self, _: Request<CountAuditRequest>) -> Reply<CountAuditResponse> {
        never()
    }

    type FollowStream = ReceiverStream<Result<proto::v1::AuditEntry, Status>>;

    async fn follow(&self, _: Request<SearchAuditRequest>) -> Reply<Self::FollowStream> {
        never()
    }

    async fn get(&self, _: Request<GetAuditEntryRequest>) -> Reply<proto::v1::AuditEntry> {
        never()
    }

    async fn prove(&self, _: Request<ProveAuditEntryRequest>) -> Reply<ProveAuditEntryResponse> {
        never()
    }

    async fn consistency(&self, _: Request<ConsistencyRequest>) -> Reply<ConsistencyResponse> {
        never()
    }

    type ExportStream = ReceiverStream<Result<ExportAuditResponse, Status>>;

    async fn export(&self, _: Request<ExportAuditRequest>) -> Reply<Self::ExportStream> {
        never()
    }

    async fn keys(&self, _: Request<AuditKeysRequest>) -> Reply<AuditKeysResponse> {
        never()
    }

    async fn certificates(
        &self,
        _: Request<AuditCertificatesRequest>,
    ) -> Reply<AuditCertificatesResponse> {
        never()
    }

    async fn segments(&self, _: Request<SegmentsRequest>) -> Reply<SegmentsResponse> {
        never()
    }

    async fn enter_removal(&self, _: Request<EnterRemovalRequest>) -> Reply<EnterRemovalResponse> {
        never()
    }

    async fn review_removal(
        &self,
        _: Request<ReviewRemovalRequest>,
    ) -> Reply<ReviewRemovalResponse> {
        never()
    }
}

struct Stage {
    liar: Liar,
    service: Service,
    witness: Witness,
    _dir: TempDir,
}

impl Stage {
    /// A witness of a log of which it was shown nothing yet.
    async fn of(log: &Log) -> Self {
        let liar = Liar::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server::builder()
            .add_service(AuditServer::new(liar.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        let dir = tempfile::tempdir().unwrap();
        let screen = Screen { lang: Lang::En, json: true };
        let home = Home::new(Some(dir.path().to_owned()), None, screen).unwrap();
        let key = ClientKey::generate().unwrap();
        let memory = Memory::of(&home);
        memory.begin("witness.example", &key, &log.key).unwrap();
        let address = Address::parse(&format!("http://127.0.0.1:{port}"), true).unwrap();
        let tls_ca = TlsCa { named: None, beside: home.tls_ca_path() };
        let service = Service::new(address, tls_ca, home, None);
        Self { liar, service, witness: Witness::open(memory, key).unwrap(), _dir: dir }
    }

    async fn shown(&self, says: Result<GrowthResponse, &'static str>) -> Result<Turn, Failure> {
        self.liar.says.lock().unwrap().push_back(says);
        self.witness.turn(&self.service).await
    }
}

fn shows(checkpoint: String, path: &[[u8; 32]]) -> GrowthResponse {
    GrowthResponse { checkpoint, path: path.iter().map(|hash| hash.to_vec()).collect() }
}

#[tokio::test]
async fn a_lying_service_gets_no_signature_and_spoils_no_memory() {
    let log = Log::of(2);
    let leaves: Vec<_> = log.leaves().iter().map(|leaf| tree::leaf_hash(leaf)).collect();
    let stage = Stage::of(&log).await;
    let own = stage.witness.key.to_string();
    let own = own.split('+').nth(1).unwrap();
    // A line in the witness's own name below the checkpoint, which it never wrote.
    let id: Vec<u8> =
        (0..4).map(|at| u8::from_str_radix(&own[2 * at..2 * at + 2], 16).unwrap()).collect();
    let forged = STANDARD.encode([&id[..], &[7; 72]].concat());
    let first = format!("{}\u{2014} witness.example {forged}\n", log.checkpoint(1));
    assert!(matches!(stage.shown(Ok(shows(first, &[]))).await.unwrap(), Turn::First(_)));
    let held = stage.witness.memory().held().unwrap().unwrap();
    assert_eq!(held.signed.checkpoint.size, 1);
    assert!(!held.note.contains(&forged));
    assert_eq!(stage.liar.given.lock().unwrap().len(), 1);

    let lies = [
        (shows(log.note(1, [9; 32]), &[]), Some(Why::Forked)),
        (shows(log.note(0, tree::empty_root()), &[]), Some(Why::Shorter)),
        (shows(log.note(2, [9; 32]), &[leaves[1]]), Some(Why::NotProved)),
        (shows(log.checkpoint(2), &[]), Some(Why::NotProved)),
        (shows(log.checkpoint(2).replacen("\n2\n", "\n3\n", 1), &[leaves[1]]), None),
        (shows(String::new(), &[]), None),
    ];
    for (lie, expected) in lies {
        match (stage.shown(Ok(lie.clone())).await, expected) {
            (Ok(Turn::Differs(why, file)), Some(expected)) => {
                assert_eq!(why, expected, "{lie:?}");
                let evidence = std::fs::read_to_string(file).unwrap();
                assert!(evidence.contains(&held.note), "{evidence}");
            }
            (Err(failure), None) => assert_eq!(failure.reason, "CHECKPOINT_UNUSABLE", "{lie:?}"),
            (turn, _) => panic!("{lie:?}: {turn:?}"),
        }
        assert_eq!(stage.witness.memory().held().unwrap().unwrap(), held);
    }
    for (reason, expected) in [
        ("LOG_FORKED", Why::SaidForked),
        ("LOG_ROLLED_BACK", Why::SaidShorter),
        ("CHECKPOINT_UNKNOWN", Why::Unknown),
    ] {
        let turn = stage.shown(Err(reason)).await.unwrap();
        assert!(matches!(turn, Turn::Differs(why, _) if why == expected), "{turn:?}");
    }
    assert_eq!(stage.shown(Err("RATE_LIMITED")).await.unwrap_err().reason, "RATE_LIMITED");
    // Each kind leaves one file, and nothing was signed meanwhile.
    assert_eq!(stage.witness.memory().evidence().len(), 6);
    assert_eq!(stage.liar.given.lock().unwrap().len(), 1);

    // What it is shown in the end is what it holds, and one more.
    let turn = stage.shown(Ok(shows(log.checkpoint(2), &[leaves[1]]))).await.unwrap();
    assert!(matches!(turn, Turn::Grew(signed) if signed.checkpoint.size == 2));
    assert_eq!(stage.liar.given.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_memory_that_is_lost_is_not_taken_for_a_new_one() {
    let log = Log::of(1);
    let stage = Stage::of(&log).await;
    let memory = stage.witness.memory().clone();
    assert_eq!(memory.held().unwrap(), None);
    std::fs::remove_file(memory.held_path()).unwrap();
    assert_eq!(memory.held().unwrap_err().reason, "WITNESS_MEMORY_SPOILED");
    let turn = stage.shown(Ok(shows(log.checkpoint(1), &[]))).await;
    assert_eq!(turn.unwrap_err().reason, "WITNESS_MEMORY_SPOILED");
    assert!(stage.liar.given.lock().unwrap().is_empty());
}
