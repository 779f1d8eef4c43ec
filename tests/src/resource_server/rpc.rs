//! The same records system over gRPC.

use std::net::SocketAddr;
use std::sync::Arc;

use access_token::proof::Request as Proven;
use access_token::shown::{Shown, rpc};
use access_token::{Checked, Claims, Refusal, Verifier};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetail, ErrorInfo, LocalizedMessage, StatusExt as _};

use self::v1::observations_server::{Observations, ObservationsServer, SERVICE_NAME};
use super::labels::{self, covers};
use super::{Chart, Observation, now};

/// Package `records.v1`.
pub mod v1 {
    #![allow(missing_docs, clippy::all, reason = "generated code")]
    tonic::include_proto!("records.v1");
}

/// The system: the chart of one resident, and the one who checks.
#[derive(Debug)]
pub struct RpcServer {
    /// Checks tokens; the test gives it keys and snapshots.
    pub verifier: Verifier,
    /// The resident's pseudonym.
    pub resident: String,
    /// What is on record of them.
    pub chart: Chart,
    /// The institution whose system it is.
    pub institution: String,
}

/// It, and where it is reached: never what a caller says that is.
struct Served(Arc<RpcServer>, String);

impl RpcServer {
    /// Serves on a free port until the test ends, and says where.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn serve(self) -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = Arc::new(self);
        let served = Served(Arc::clone(&server), format!("http://{address}"));
        let router = Server::builder().add_service(ObservationsServer::new(served));
        tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        (server, address)
    }
}

impl Served {
    /// What the token opens of this resident, for a call of this method.
    fn open(&self, method: &str, metadata: &MetadataMap, resident: &str) -> Result<Claims, Status> {
        let Self(server, base) = self;
        let values = |name| metadata.get_all(name).iter().map(|value| value.as_encoded_bytes());
        let uri = rpc(base, &format!("/{SERVICE_NAME}/{method}"));
        let request = Proven { method: "POST", uri: &uri };
        let checked = Shown::read(values("authorization"), values("dpop"))
            .and_then(|shown| server.verifier.check(shown.token, shown.proof, request, now()));
        let Checked { claims, .. } = checked.map_err(refused)?;
        // Whose data the token is for, and who keeps it, whatever is asked for.
        let covered = claims.resident == resident && claims.data.domain == server.institution;
        if covered && resident == server.resident { Ok(claims) } else { Err(not_opened()) }
    }

    fn observations<'a>(&'a self, claims: &'a Claims) -> impl Iterator<Item = &'a Observation> {
        self.0.chart.observations.iter().filter(|it| covers(claims, it.class, it.grade))
    }
}

#[tonic::async_trait]
impl Observations for Served {
    async fn read(
        &self,
        request: Request<v1::ReadRequest>,
    ) -> Result<Response<v1::Observation>, Status> {
        let asked = request.get_ref();
        let claims = self.open("Read", request.metadata(), &asked.resident)?;
        let found = self.observations(&claims).find(|it| it.id == asked.id);
        // Nor does anybody learn that there is one which they may not see.
        let seen = found.ok_or_else(not_opened)?;
        let [name, id_number] = ["name", "identifier"]
            .map(|field| labels::shown(&self.0.chart.person, field, &claims).unwrap_or_default());
        Ok(Response::new(v1::Observation {
            id: seen.id.to_owned(),
            code: seen.code.to_owned(),
            value: seen.value.0,
            unit: seen.value.1.to_owned(),
            name,
            id_number,
            class: seen.class.to_string(),
            grade: seen.grade,
            mask: claims.mask.to_string(),
        }))
    }

    async fn list(
        &self,
        request: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListResponse>, Status> {
        let claims = self.open("List", request.metadata(), &request.get_ref().resident)?;
        let ids = self.observations(&claims).map(|it| it.id.to_owned()).collect();
        Ok(Response::new(v1::ListResponse { ids }))
    }
}

/// As [`access_token::shown`] has it.
fn refused(refusal: Refusal) -> Status {
    let code = match refusal {
        Refusal::SnapshotMissing | Refusal::SnapshotTooOld => Code::Unavailable,
        Refusal::ProofsTooMany => Code::ResourceExhausted,
        _ => Code::Unauthenticated,
    };
    status(code, refusal.reason(), refusal.zh(), refusal.en())
}

fn not_opened() -> Status {
    let (zh, en) = ("令牌不涵盖此数据", "the token does not open this");
    status(Code::PermissionDenied, "TOKEN_NOT_FOR_THIS", zh, en)
}

fn status(code: Code, reason: &str, zh: &str, en: &str) -> Status {
    let details: [ErrorDetail; 2] = [
        ErrorInfo::new(reason, "records.example", []).into(),
        LocalizedMessage::new("zh-CN", zh).into(),
    ];
    Status::with_error_details_vec(code, en, details)
}
