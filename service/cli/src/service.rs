//! The service as a client sees it: a connection, and a session that opens itself.

mod address;
mod connection;
mod http;
mod national;
mod receipts;

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proto::v1::{
    ChallengeRequest, CloseSessionRequest, OpenSessionRequest, OpenSessionResponse,
    sessions_client::SessionsClient,
};
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use zeroize::Zeroizing;

use self::national::Credentials;
pub(crate) use self::{
    address::{Address, Security},
    connection::{TlsCa, roots, tls13},
    http::post,
};
use crate::{
    clock,
    failure::Failure,
    identity::{Certificate, ClientKey, Home, Session},
    text::problems,
};

/// Longest wait for an answer to one call.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is signed at log-in begins with this (`sessions.proto`, OpenSessionRequest).
const LOGIN_CONTEXT: &[u8] = b"healthcard.v1.Sessions/Open";

/// Channel whose calls carry the session.
pub(crate) type Authorized = InterceptedService<Channel, Bearer>;

/// Adds `authorization: Bearer …` to each call, and asks for receipts where they are wanted.
#[derive(Clone)]
pub(crate) struct Bearer {
    token: MetadataValue<Ascii>,
    receipts: bool,
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.token.clone());
        if self.receipts {
            receipts::ask(request.metadata_mut());
        }
        Ok(request)
    }
}

/// One server and one identity.
pub(crate) struct Service {
    address: Address,
    tls_ca: TlsCa,
    home: Home,
    /// Where receipts are kept, for whoever wants them.
    receipts: Option<PathBuf>,
    kept: AtomicUsize,
    /// Why one that was wanted is not there.
    no_receipt: OnceLock<Failure>,
    channel: OnceCell<Channel>,
    /// What a national line was opened with: sessions on it are of the same.
    shown: OnceLock<Arc<Credentials>>,
}

impl Service {
    pub(crate) fn new(
        address: Address,
        tls_ca: TlsCa,
        home: Home,
        receipts: Option<PathBuf>,
    ) -> Self {
        let (no_receipt, channel, shown) = (OnceLock::new(), OnceCell::new(), OnceLock::new());
        let kept = AtomicUsize::new(0);
        Self { address, tls_ca, home, receipts, kept, no_receipt, channel, shown }
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// The connection, made at the first call and remade by itself when it breaks.
    pub(crate) async fn channel(&self) -> Result<Channel, Failure> {
        let connect = async || {
            let own = match self.address.security {
                Security::National => Some(self.credentials()?),
                Security::Tls | Security::InsecurePlaintext => None,
            };
            connection::connect(&self.address, &self.tls_ca, own.as_ref(), PATIENCE).await
        };
        self.channel.get_or_try_init(connect).await.cloned()
    }

    /// Key and certificate. A national line keeps to those that it was opened with, also when others are in
    /// the directory by now.
    fn credentials(&self) -> Result<Arc<Credentials>, Failure> {
        if let Some(shown) = self.shown.get() {
            return Ok(Arc::clone(shown));
        }
        let (key, certificate) = self.home.credentials()?;
        let own = Arc::new(Credentials { key, certificate });
        match self.address.security {
            Security::National => Ok(Arc::clone(self.shown.get_or_init(|| own))),
            Security::Tls | Security::InsecurePlaintext => Ok(own),
        }
    }

    /// Serial number of the certificate that sessions are opened with.
    fn certificate(&self) -> Result<String, Failure> {
        match self.shown.get() {
            Some(shown) => Ok(shown.certificate.serial()),
            None => Ok(self.home.certificate()?.serial()),
        }
    }

    /// Makes a call that needs no session.
    pub(crate) async fn ask_openly<R>(
        &self,
        call: impl AsyncFn(Channel) -> Result<Response<R>, Status>,
    ) -> Result<R, Failure> {
        Ok(call(self.channel().await?).await?.into_inner())
    }

    /// Makes a call within a session: the saved one, or a new one when there is none, or when the
    /// service no longer knows it. Where sessions are held it is the saved one or none.
    pub(crate) async fn ask<R>(
        &self,
        call: impl AsyncFn(Authorized) -> Result<Response<R>, Status>,
    ) -> Result<R, Failure> {
        let (channel, fresh) = self.authorized().await?;
        match call(channel).await.map_err(Failure::from) {
            Err(failure) if failure.session_over && fresh == Fresh::Saved => {
                let channel = self.log_in_unasked().await?;
                Ok(self.keep(call(channel).await?))
            }
            answer => Ok(self.keep(answer?)),
        }
    }

    /// The answer, once the receipts that came with it are kept. What was done is shown, whatever becomes of them.
    fn keep<R>(&self, answer: Response<R>) -> R {
        if let Some(directory) = &self.receipts {
            match receipts::keep(answer.metadata(), directory) {
                Ok(kept) => {
                    self.kept.fetch_add(kept, Ordering::Relaxed);
                }
                // The first is told.
                Err(failure) => {
                    let _ = self.no_receipt.set(failure);
                }
            }
        }
        answer.into_inner()
    }

    /// Receipts were wanted, and no answer had one.
    pub(crate) fn lacks_receipts(&self) -> bool {
        self.receipts.is_some() && self.kept.load(Ordering::Relaxed) == 0
    }

    /// Why a receipt that was wanted is not there.
    pub(crate) fn no_receipt(&self) -> Option<&Failure> {
        self.no_receipt.get()
    }

    fn with_session(&self, channel: Channel, token: &str) -> Result<Authorized, Failure> {
        let value = Zeroizing::new(format!("Bearer {token}"));
        let mut token: MetadataValue<Ascii> =
            value.parse().map_err(|_| problems::SERVICE_ANSWER_MALFORMED)?;
        token.set_sensitive(true);
        Ok(InterceptedService::new(channel, Bearer { token, receipts: self.receipts.is_some() }))
    }

    /// A channel with a session that looks good from here.
    pub(crate) async fn authorized(&self) -> Result<(Authorized, Fresh), Failure> {
        if let Some(session) = self.home.session() {
            let certificate = self.certificate()?;
            if session.serves(&self.address.origin(), &certificate, clock::now()) {
                let channel = self.channel().await?;
                self.home.use_session();
                return Ok((self.with_session(channel, &session.token)?, Fresh::Saved));
            }
        }
        Ok((self.log_in_unasked().await?, Fresh::New))
    }

    /// Logs in for a command that needs a session. Not where sessions are held: the new one would go on when its
    /// holder leaves.
    pub(crate) async fn log_in_unasked(&self) -> Result<Authorized, Failure> {
        if self.home.is_held() {
            return Err(problems::HELD_SESSION_OVER.into());
        }
        Ok(self.hold(Duration::ZERO).await?.channel)
    }

    /// Logs in by hand, with the key, and saves the session. It is not held, nor is any other from now on.
    pub(crate) async fn log_in(&self) -> Result<OpenSessionResponse, Failure> {
        let opened = self.hold(Duration::ZERO).await?.opened;
        self.home.hold_no_more()?;
        Ok(opened)
    }

    /// The same, with a lease that has to be renewed; zero is none.
    pub(crate) async fn hold(&self, lease: Duration) -> Result<Held, Failure> {
        let own = self.credentials()?;
        let channel = self.channel().await?;
        let mut opened = open(channel.clone(), &own.key, &own.certificate, lease).await?;
        let token = Zeroizing::new(std::mem::take(&mut opened.token));
        let expires_at = opened
            .expires_at
            .and_then(|at| OffsetDateTime::from_unix_timestamp(at.seconds).ok())
            .ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
        let authorized = self.with_session(channel, &token)?;
        self.home.save_session(&Session {
            token: token.clone(),
            server: self.address.origin(),
            identity_id: opened.identity_id.clone(),
            certificate: own.certificate.serial(),
            role: opened.role,
            institution_id: opened.institution_id.clone(),
            expires_at,
        })?;
        Ok(Held { channel: authorized, opened, token })
    }

    /// Forgets the saved session first, so that nobody here uses it any more, and then ends it: for a desk that is left,
    /// whether or not the service can be reached. Whoever holds it renews it no longer, and whoever is about to does not
    /// begin.
    ///
    /// All of it is tried, whatever fails, and the first failure is told.
    pub(crate) async fn lock(&self) -> Result<Left, Failure> {
        let told = if self.home.is_held() { self.home.lock_held() } else { Ok(()) };
        let session = self.home.session();
        let forgotten = self.home.forget_session();
        let left = match session {
            Some(session) if session.server == self.address.origin() => {
                self.close(&session).await.map(Left::Session)
            }
            Some(session) => Err(Failure::of(problems::SESSION_ELSEWHERE).about(session.server)),
            None => Ok(Left::Nothing),
        };
        told.and(forgotten).and(left)
    }

    /// Ends the saved session, if there is one for this server, and forgets it.
    pub(crate) async fn log_out(&self) -> Result<Option<proto::v1::Receipt>, Failure> {
        let session = self.home.session().filter(|held| held.server == self.address.origin());
        let Some(session) = session else { return Ok(None) };
        let closed = self.close(&session).await?;
        self.home.forget_session()?;
        Ok(closed)
    }

    /// Ends a session; nothing when it was over.
    async fn close(&self, session: &Session) -> Result<Option<proto::v1::Receipt>, Failure> {
        let channel = self.with_session(self.channel().await?, &session.token)?;
        let closed = SessionsClient::new(channel).close(CloseSessionRequest {}).await;
        match closed.map_err(Failure::from) {
            Ok(closed) => Ok(closed.into_inner().receipt),
            Err(failure) if failure.session_over => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// A session that was just opened and saved.
pub(crate) struct Held {
    pub(crate) channel: Authorized,
    pub(crate) opened: OpenSessionResponse,
    /// Its secret, as it stands in the file.
    pub(crate) token: Zeroizing<String>,
}

/// What there was when a desk was left.
#[derive(Debug)]
pub(crate) enum Left {
    /// A session that is over now; where it is in the log, unless it was over before.
    Session(Option<proto::v1::Receipt>),
    /// No session.
    Nothing,
}

/// Where a session came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// From the file: the service may have ended it meanwhile.
    Saved,
    /// Opened a moment ago.
    New,
}

/// The challenge and its answer.
async fn open(
    channel: Channel,
    key: &ClientKey,
    certificate: &Certificate,
    lease: Duration,
) -> Result<OpenSessionResponse, Failure> {
    let issued_by = certificate.issuing_service();
    let certificate = certificate.der().to_vec();
    let mut sessions = SessionsClient::new(channel);
    let asked = ChallengeRequest { certificate: certificate.clone() };
    let given = sessions.challenge(asked).await?.into_inner();
    // A signature made for one service must not open a session at another that relays its challenge.
    if issued_by.as_ref() != Some(&given.service) {
        return Err(problems::SERVICE_OTHER.into());
    }
    let message = login_message(&given.service, &given.challenge)
        .ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
    let signature = key.sign(&message).to_vec();
    let lease_seconds = lease.as_secs() as u32;
    let challenge = given.challenge;
    let answer = OpenSessionRequest { challenge, certificate, signature, lease_seconds };
    Ok(sessions.open(answer).await?.into_inner())
}

/// The octets signed at log-in. A service's name with a line end in it could move the boundary
/// between name and challenge, and a challenge of another length is none of ours.
fn login_message(service: &str, challenge: &[u8]) -> Option<Vec<u8>> {
    if challenge.len() != 32 || service.is_empty() || service.contains('\n') {
        return None;
    }
    Some([LOGIN_CONTEXT, b"\n", service.as_bytes(), b"\n", challenge].concat())
}

#[cfg(test)]
mod tests;
