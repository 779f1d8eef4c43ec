//! Access tokens over gRPC: a records system in tonic is shown token and proof in the metadata of a call.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use access_token::jws;
use access_token::proof::{self, Request as Proven};
use hsm::Sm2Signer;
use serde_json::Value;
use service::demo::people::{COLLEAGUE, DEPARTMENT, DOCTOR, Staff};
use tests::grpc::Holder;
use tests::hospital::Hospital;
use tests::relay;
use tests::resource_server::rpc::RpcServer;
use tests::resource_server::rpc::v1::observations_client::ObservationsClient;
use tests::resource_server::rpc::v1::{ListRequest, ReadRequest};
use tests::resource_server::sample::{PERSON, PRESSURE, RARE, REPORT};
use tests::resource_server::{Chart, now};
use tests::tokens::{Issued, issue, prove, snapshot, verifier};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// Not named in the visit, but of its department: sees it partly masked.
const BESIDE: Staff = Staff { key: "beside", number: "D003", department: DEPARTMENT, ..COLLEAGUE };
const READ: &str = "/records.v1.Observations/Read";
const LIST: &str = "/records.v1.Observations/List";

/// A proof that says what it likes, with a good signature.
fn proof_of(key: &dyn Sm2Signer, token: &str, method: &str, uri: &str, at: i64) -> String {
    let name = format!("{at}-{method}-{}", hex::encode(hsm::sm3::digest(uri.as_bytes())));
    let request = Proven { method, uri };
    let input = proof::signing_input(key.public_key(), token, request, &name, at);
    let e = key.public_key().digest(&proof::signer_id(), input.as_bytes());
    jws::signed(input, &key.sign(&e).unwrap())
}

/// Metadata of a call: names and values.
type Shows<'a> = &'a [(&'static str, &'a str)];

/// A call with this metadata, in the order in which they stand.
fn shown<T>(message: T, metadata: Shows<'_>) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// Code and stable reason; of what no handler saw there is no reason.
fn why(status: &Status) -> (Code, String) {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

struct Records {
    resident: String,
    client: ObservationsClient<Channel>,
    base: String,
}

impl Records {
    async fn at(address: SocketAddr, resident: &str) -> Self {
        let base = format!("http://{address}");
        let channel = Endpoint::from_shared(base.clone()).unwrap().connect().await.unwrap();
        Self { resident: resident.to_owned(), client: ObservationsClient::new(channel), base }
    }

    fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn read(&mut self, metadata: Shows<'_>) -> Result<Value, Status> {
        self.read_of(PRESSURE.id, metadata).await
    }

    async fn read_of(&mut self, id: &str, metadata: Shows<'_>) -> Result<Value, Status> {
        let message = ReadRequest { resident: self.resident.clone(), id: id.to_owned() };
        let seen = self.client.read(shown(message, metadata)).await?.into_inner();
        Ok(serde_json::json!([seen.id, seen.value, seen.name, seen.id_number, seen.mask]))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_answered_with_a_token_and_a_proof_of_this_call_until_the_token_ends() {
    let hospital = Hospital::open();
    hospital.stage.engage(&hospital.institution_id, &BESIDE).unwrap();
    let visit = relay::open_visit(&hospital).await;
    let verifier = verifier(&hospital).demand_snapshot(Duration::from_secs(120));
    let chart = Chart { person: PERSON, observations: vec![PRESSURE, REPORT, RARE] };
    let (resident, institution) = (hospital.resident_id.clone(), hospital.institution_id.clone());
    let served = RpcServer { verifier, resident: resident.clone(), chart, institution };
    let (server, address) = served.serve().await;
    let mut records = Records::at(address, &resident).await;
    let Issued { token, id, file } = issue(&hospital, DOCTOR.key, &visit, "4", "personal,health");
    let bearing = format!("DPoP {token}");
    let authorization = ("authorization", &*bearing);
    let read_at = records.uri(READ);
    let fresh = || prove(&hospital, DOCTOR.key, &file, &["--rpc", &read_at]);

    // Without a snapshot the server says that it is its own affair, and the proof stays good.
    let proof = fresh();
    let refused = records.read(&[authorization, ("dpop", &proof)]).await.unwrap_err();
    assert_eq!(why(&refused), (Code::Unavailable, "SNAPSHOT_MISSING".to_owned()));
    server.verifier.take_snapshot(&snapshot(&hospital), now()).unwrap();
    let seen = records.read(&[authorization, ("dpop", &proof)]).await.unwrap();
    let whole =
        serde_json::json!([PRESSURE.id, PRESSURE.value.0, PERSON.name, PERSON.id_number, "none"]);
    assert_eq!(seen, whole);
    let refused = records.read(&[authorization, ("dpop", &proof)]).await.unwrap_err();
    assert_eq!(why(&refused), (Code::Unauthenticated, "PROOF_REPLAYED".to_owned()));
    assert!(refused.get_details_localized_message().unwrap().message.contains("已被使用过"));

    // A colleague of the department sees the same with who it is masked.
    let masked = issue(&hospital, BESIDE.key, &visit, "4", "personal,health");
    let proof = prove(&hospital, BESIDE.key, &masked.file, &["--rpc", &read_at]);
    let masked = format!("DPoP {}", masked.token);
    let seen = records.read(&[("authorization", &masked), ("dpop", &proof)]).await.unwrap();
    let partly =
        serde_json::json!([PRESSURE.id, PRESSURE.value.0, "张*", "990***********1234", "partial"]);
    assert_eq!(seen, partly);

    // What the token does not open: of another grade, of another kind, of another resident.
    let nothing = (Code::PermissionDenied, "TOKEN_NOT_FOR_THIS".to_owned());
    for id in [RARE.id, REPORT.id, "none"] {
        let refused = records.read_of(id, &[authorization, ("dpop", &fresh())]).await;
        assert_eq!(why(&refused.unwrap_err()), nothing, "{id}");
    }
    let list_at = records.uri(LIST);
    let listed = |resident: &str, proof: &str| {
        let message = ListRequest { resident: resident.to_owned() };
        shown(message, &[authorization, ("dpop", proof)])
    };
    let list = ["--uri", &list_at, "--method", "POST"];
    let proof = prove(&hospital, DOCTOR.key, &file, &list);
    let ids = records.client.list(listed(&resident, &proof)).await.unwrap().into_inner().ids;
    assert_eq!(ids, [PRESSURE.id]);
    let proof = prove(&hospital, DOCTOR.key, &file, &list);
    let refused = records.client.list(listed("somebody-else", &proof)).await.unwrap_err();
    assert_eq!(why(&refused), nothing);

    // Proofs of something else, all with a good signature, and what is shown twice, wrongly or without measure.
    let doctor = Holder::read(&hospital.stage.identity(DOCTOR.key)).key();
    let colleague = Holder::read(&hospital.stage.identity(COLLEAGUE.key)).key();
    let by = |key: &dyn Sm2Signer, method: &str, uri: &str, at: i64| {
        proof_of(key, &token, method, uri, at)
    };
    let doctors = |method: &str, uri: &str| by(&*doctor, method, uri, now());
    let port = address.port();
    let good = doctors("POST", &read_at);
    let cut = good[..good.len() - 2].to_owned();
    let (long, far) = ("a".repeat(4097), "a".repeat(20_000));
    let too_long = format!("DPoP {long}");
    let other_token = proof_of(&*doctor, &token[1..], "POST", &read_at, now());
    #[rustfmt::skip]
    let proofs: [(&str, &str, String); 17] = [
        ("another method", "PROOF_OTHER_REQUEST", doctors("GET", &read_at)),
        ("lower case", "PROOF_OTHER_REQUEST", doctors("post", &read_at)),
        ("another RPC", "PROOF_OTHER_REQUEST", doctors("POST", &list_at)),
        ("another service", "PROOF_OTHER_REQUEST", doctors("POST", &records.uri("/records.v2.Observations/Read"))),
        ("another case", "PROOF_OTHER_REQUEST", doctors("POST", &records.uri("/records.v1.observations/read"))),
        ("a path alone", "PROOF_OTHER_REQUEST", doctors("POST", READ)),
        ("another port", "PROOF_OTHER_REQUEST", doctors("POST", &format!("http://127.0.0.1:1{READ}"))),
        ("another scheme", "PROOF_OTHER_REQUEST", doctors("POST", &format!("https://{address}{READ}"))),
        ("another name", "PROOF_OTHER_REQUEST", doctors("POST", &format!("http://localhost:{port}{READ}"))),
        ("a trailing dot", "PROOF_OTHER_REQUEST", doctors("POST", &format!("http://127.0.0.1.:{port}{READ}"))),
        ("somebody at it", "PROOF_OTHER_REQUEST", doctors("POST", &format!("http://emr@{address}{READ}"))),
        ("another key", "PROOF_OTHER_KEY", by(&*colleague, "POST", &read_at, now())),
        ("another token", "PROOF_OTHER_TOKEN", other_token),
        ("long ago", "PROOF_STALE", by(&*doctor, "POST", &read_at, now() - 120)),
        ("to come", "PROOF_STALE", by(&*doctor, "POST", &read_at, now() + 120)),
        ("cut off", "PROOF_SIGNATURE", cut),
        ("too long", "PROOF_MALFORMED", long),
    ];
    for (what, reason, proof) in &proofs {
        let refused = records.read(&[authorization, ("dpop", proof)]).await.unwrap_err();
        assert_eq!(why(&refused), (Code::Unauthenticated, (*reason).to_owned()), "{what}");
    }
    let bearer = format!("Bearer {token}");
    let dpop = ("dpop", &*good);
    #[rustfmt::skip]
    let metadata: [(&str, &str, Shows<'_>); 8] = [
        ("nothing", "TOKEN_MISSING", &[]),
        ("no token", "TOKEN_MISSING", &[dpop]),
        ("as a bearer's", "TOKEN_MISSING", &[("authorization", &bearer), dpop]),
        ("two tokens", "TOKEN_MALFORMED", &[authorization, authorization, dpop]),
        ("a bearer's beside it", "TOKEN_MALFORMED", &[authorization, ("authorization", &bearer), dpop]),
        ("a token that is too long", "TOKEN_TOO_LONG", &[("authorization", &too_long), dpop]),
        ("no proof", "PROOF_MISSING", &[authorization]),
        ("two proofs", "PROOF_MALFORMED", &[authorization, dpop, dpop]),
    ];
    for (what, reason, metadata) in metadata {
        let refused = records.read(metadata).await.unwrap_err();
        assert_eq!(why(&refused), (Code::Unauthenticated, reason.to_owned()), "{what}");
    }
    // More than a connection takes does not come to anybody's eyes.
    assert!(records.read(&[authorization, ("dpop", &far)]).await.is_err());
    // None of that used the good one up; and the address may be written as one likes that means the same.
    records.read(&[authorization, dpop]).await.unwrap();
    let upper = doctors("POST", &read_at.replacen("http", "HTTP", 1));
    records.read(&[authorization, ("dpop", &upper)]).await.unwrap();

    // Ended, it opens nothing as soon as a snapshot says so.
    hospital.granted(DOCTOR.key, &["token", "revoke", &id]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let refused = loop {
        // One made before is handed out for a second; it is then no later than the one that is held.
        server.verifier.take_snapshot(&snapshot(&hospital), now()).unwrap();
        let answer = records.read(&[authorization, ("dpop", &fresh())]).await;
        if answer.is_err() || Instant::now() > deadline {
            break answer.unwrap_err();
        }
    };
    assert_eq!(why(&refused), (Code::Unauthenticated, "TOKEN_ENDED".to_owned()));
}

#[tokio::test]
async fn the_command_line_proves_whole_addresses_of_grpc_methods_alone() {
    let hospital = Hospital::open();
    let file = hospital.stage.write("token", b"a.b.c").unwrap();
    let prove = ["token", "prove", "--token", file.to_str().unwrap()];
    let uri = "https://emr.example/fhir/Patient/1";
    hospital.refused(DOCTOR.key, &[&prove[..], &["--rpc", uri]].concat(), "RPC_UNUSABLE");
    hospital.refused(DOCTOR.key, &[&prove[..], &["--uri", READ]].concat(), "URI_UNUSABLE");
}
