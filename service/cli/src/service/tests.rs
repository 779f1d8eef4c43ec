use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use proto::v1::{
    ChallengeResponse, CloseSessionResponse, EndSessionRequest, ListSessionsRequest,
    ListSessionsResponse, RenewSessionRequest, RenewSessionResponse, StatusRequest, StatusResponse,
    UnlockLoginsRequest, UnlockLoginsResponse,
    admin_client::AdminClient,
    admin_server::{Admin, AdminServer},
    sessions_server::{Sessions, SessionsServer},
};
use sm2::{
    dsa::{Signature, VerifyingKey, signature::Verifier as _},
    pkcs8::DecodePublicKey as _,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use super::*;
use crate::{
    files::{self, Audience},
    identity::{DEFAULT_IDENTIFIER, sample},
    screen::Screen,
    testing::refused,
    text::Lang,
};

#[test]
fn login_signs_context_service_and_challenge() {
    let message = login_message("county", &[7; 32]).unwrap();
    assert!(message.starts_with(b"healthcard.v1.Sessions/Open\ncounty\n\x07"));
    assert_eq!(message.len(), 27 + 1 + 6 + 1 + 32);
    for (service, challenge) in [("", 32), ("a\nb", 32), ("a", 31), ("a", 33)] {
        assert_eq!(login_message(service, &vec![0; challenge]), None, "{service:?}");
    }
}

/// A service that knows logging in and its own status. The session that was opened last is good.
#[derive(Clone, Default)]
struct County {
    /// What it calls itself in place of `county`.
    name: Option<&'static str>,
    opened: Arc<AtomicU32>,
    asked: Arc<AtomicU32>,
}

#[tonic::async_trait]
impl Sessions for County {
    async fn challenge(
        &self,
        _: Request<ChallengeRequest>,
    ) -> Result<Response<ChallengeResponse>, Status> {
        Ok(Response::new(ChallengeResponse {
            challenge: vec![7; 32],
            service: self.name.unwrap_or("county").to_owned(),
            expires_at: None,
        }))
    }

    async fn open(
        &self,
        request: Request<OpenSessionRequest>,
    ) -> Result<Response<OpenSessionResponse>, Status> {
        let request = request.into_inner();
        let certificate = Certificate::parse(request.certificate).unwrap();
        let key = sm2::PublicKey::from_public_key_der(&certificate.public_key_der()).unwrap();
        let message = [b"healthcard.v1.Sessions/Open\ncounty\n".as_slice(), &[7; 32]].concat();
        VerifyingKey::new(DEFAULT_IDENTIFIER, key)
            .unwrap()
            .verify(&message, &Signature::from_slice(&request.signature).unwrap())
            .map_err(|_| refused("SIGNATURE_INVALID"))?;
        let number = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
        let expires_at = clock::now() + time::Duration::hours(8);
        Ok(Response::new(OpenSessionResponse {
            token: format!("secret-{number}"),
            identity_id: "identity".to_owned(),
            expires_at: Some(prost_types::Timestamp {
                seconds: expires_at.unix_timestamp(),
                nanos: 0,
            }),
            ..OpenSessionResponse::default()
        }))
    }

    async fn close(
        &self,
        _: Request<CloseSessionRequest>,
    ) -> Result<Response<CloseSessionResponse>, Status> {
        Err(refused("SESSION_INVALID"))
    }

    async fn renew(
        &self,
        _: Request<RenewSessionRequest>,
    ) -> Result<Response<RenewSessionResponse>, Status> {
        Err(refused("SESSION_INVALID"))
    }

    async fn list(
        &self,
        _: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        Err(refused("SESSION_INVALID"))
    }

    async fn end(
        &self,
        _: Request<EndSessionRequest>,
    ) -> Result<Response<CloseSessionResponse>, Status> {
        Err(refused("SESSION_INVALID"))
    }

    async fn unlock(
        &self,
        _: Request<UnlockLoginsRequest>,
    ) -> Result<Response<UnlockLoginsResponse>, Status> {
        Err(refused("SESSION_INVALID"))
    }
}

#[tonic::async_trait]
impl Admin for County {
    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let given = request.metadata().get("authorization").and_then(|it| it.to_str().ok());
        match given == Some(&format!("Bearer secret-{}", self.opened.load(Ordering::SeqCst))) {
            true => Ok(Response::new(StatusResponse::default())),
            false => Err(refused("SESSION_INVALID")),
        }
    }
}

/// An identity's directory and the service it talks to.
struct Stage {
    county: County,
    service: Service,
    dir: TempDir,
}

async fn stage() -> Stage {
    stage_of(County::default()).await
}

async fn stage_of(county: County) -> Stage {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::builder()
        .add_service(SessionsServer::new(county.clone()))
        .add_service(AdminServer::new(county.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let dir = tempfile::tempdir().unwrap();
    let screen = Screen { lang: Lang::En, json: true };
    let home = Home::new(Some(dir.path().to_owned()), None, screen).unwrap();
    let key = ClientKey::generate().unwrap();
    let certificate = sample::certificate(&key, 5);
    let pem = key.to_pem(None).unwrap();
    files::write(&home.key_path(), pem.as_bytes(), Audience::Owner).unwrap();
    files::write(&home.certificate_path(), certificate.der(), Audience::Everyone).unwrap();
    let address = Address::parse(&format!("http://127.0.0.1:{port}"), true).unwrap();
    let tls_ca = TlsCa { named: None, beside: home.tls_ca_path() };
    Stage { county, service: Service::new(address, tls_ca, home, None), dir }
}

impl Stage {
    async fn status(&self) -> Result<StatusResponse, Failure> {
        self.service
            .ask(async |channel| AdminClient::new(channel).status(StatusRequest {}).await)
            .await
    }

    fn counts(&self) -> (u32, u32) {
        (self.county.opened.load(Ordering::SeqCst), self.county.asked.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn sessions_open_by_themselves_and_are_kept() {
    let stage = stage().await;
    stage.status().await.unwrap();
    stage.status().await.unwrap();
    assert_eq!(stage.counts(), (1, 2));
    let saved = stage.dir.path().join("session");
    assert!(!files::is_exposed(&saved).unwrap());
    assert!(
        String::from_utf8(files::read(&saved, 4096).unwrap().to_vec())
            .unwrap()
            .contains("secret-1")
    );
}

#[tokio::test]
async fn session_that_the_service_ended_is_opened_anew() {
    let stage = stage().await;
    stage.status().await.unwrap();
    // Elsewhere, somebody logs in and out: the saved session is no longer the last one.
    stage.county.opened.fetch_add(1, Ordering::SeqCst);
    stage.status().await.unwrap();
    assert_eq!(stage.counts(), (3, 3));
}

#[tokio::test]
async fn session_of_another_server_is_not_sent() {
    let (one, other) = (stage().await, stage().await);
    one.status().await.unwrap();
    let session = one.service.home().session().unwrap();
    other.service.home().save_session(&session).unwrap();
    other.status().await.unwrap();
    // The first call already carried a session of its own: none was refused.
    assert_eq!(other.counts(), (1, 1));
}

#[tokio::test]
async fn a_service_that_did_not_issue_the_certificate_gets_no_signature() {
    let stage = stage_of(County { name: Some("city"), ..County::default() }).await;
    assert_eq!(stage.status().await.unwrap_err().reason, "SERVICE_OTHER");
    assert_eq!(stage.counts(), (0, 0));
}

#[tokio::test]
async fn key_must_belong_to_the_certificate() {
    let stage = stage().await;
    let other = ClientKey::generate().unwrap().to_pem(None).unwrap();
    let path = stage.service.home().key_path();
    files::write(&path, other.as_bytes(), Audience::Owner).unwrap();
    assert_eq!(stage.status().await.unwrap_err().reason, "CERTIFICATE_OTHER_KEY");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(stage.status().await.unwrap_err().reason, "KEY_MISSING");
    assert_eq!(stage.counts(), (0, 0));
}

#[tokio::test]
async fn logging_out_of_an_ended_session_forgets_it() {
    let stage = stage().await;
    assert!(stage.service.log_out().await.unwrap().is_none());
    stage.status().await.unwrap();
    assert!(stage.service.home().session().is_some());
    assert!(stage.service.log_out().await.unwrap().is_none());
    assert!(stage.service.home().session().is_none());
}

#[tokio::test]
async fn where_sessions_are_held_no_command_opens_another() {
    let stage = stage().await;
    let home = stage.service.home();
    home.hold().unwrap();
    let refused = stage.status().await.unwrap_err();
    assert_eq!((refused.reason.as_str(), stage.counts()), ("HELD_SESSION_OVER", (0, 0)));
    stage.service.hold(Duration::from_secs(30)).await.unwrap();
    stage.status().await.unwrap();
    // Its lease ran out: the service knows it no more.
    stage.county.opened.fetch_add(1, Ordering::SeqCst);
    assert_eq!(stage.status().await.unwrap_err().reason, "HELD_SESSION_OVER");
    assert_eq!(stage.counts(), (2, 2));
    // Also once it was closed, and until somebody logs in by hand.
    stage.service.log_out().await.unwrap();
    assert_eq!(stage.status().await.unwrap_err().reason, "HELD_SESSION_OVER");
    stage.service.log_in().await.unwrap();
    stage.county.opened.fetch_add(1, Ordering::SeqCst);
    stage.status().await.unwrap();
}

#[tokio::test]
async fn locking_tells_who_holds_and_what_it_could_not_end() {
    let (stage, other) = (stage().await, stage().await);
    let home = stage.service.home();
    assert!(matches!(stage.service.lock().await, Ok(Left::Nothing)));
    assert!(!home.is_held(), "a desk where nothing is held stays so");
    let file =
        Home::new(Some(home.key_path()), None, Screen { lang: Lang::En, json: true }).unwrap();
    assert!(!file.is_held(), "a key file in the place of the directory holds nothing");
    let since = home.hold().unwrap();
    assert_eq!(home.hold().unwrap(), since);
    assert!(home.holds(&since));
    assert!(matches!(stage.service.lock().await, Ok(Left::Nothing)));
    assert!(!home.holds(&since), "who waits for a card does not log in");
    assert!(home.is_held());

    stage.service.hold(Duration::from_secs(30)).await.unwrap();
    assert!(matches!(stage.service.lock().await, Ok(Left::Session(None))));
    other.service.log_in().await.unwrap();
    home.save_session(&other.service.home().session().unwrap()).unwrap();
    assert_eq!(stage.service.lock().await.unwrap_err().reason, "SESSION_ELSEWHERE");
    assert!(home.session().is_none());
    std::fs::create_dir(stage.dir.path().join("session")).unwrap();
    assert_eq!(stage.service.lock().await.unwrap_err().reason, "FILE_NOT_REMOVED");
}
