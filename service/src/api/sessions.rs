//! `Sessions`: logging in with a certificate and its key.

use std::sync::Arc;

use proto::v1::{self, sessions_server::Sessions};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{receipt, role_number, timestamp},
    origin_of, peer,
};
use crate::{catalogue::Reason, clock, registrar::Error, store::Session};

#[tonic::async_trait]
impl Sessions for Desk {
    async fn challenge(
        &self,
        request: Request<v1::ChallengeRequest>,
    ) -> Reply<v1::ChallengeResponse> {
        self.admit_login(&request)?;
        let now = clock::now();
        let challenge = self.registrar.challenge(&request.get_ref().certificate, now)?;
        Ok(Response::new(v1::ChallengeResponse {
            challenge: challenge.octets.to_vec(),
            service: self.registrar.name().to_owned(),
            expires_at: Some(timestamp(challenge.expires_at)),
        }))
    }

    async fn open(
        &self,
        request: Request<v1::OpenSessionRequest>,
    ) -> Reply<v1::OpenSessionResponse> {
        self.admit_login(&request)?;
        let origin = origin_of(request.extensions())?;
        let message = request.into_inner();
        let opened = self
            .registrar
            .open_session(
                &message.challenge,
                &message.certificate,
                &message.signature,
                &origin,
                clock::now(),
            )
            .await?;
        Ok(Response::new(v1::OpenSessionResponse {
            token: opened.token.as_str().to_owned(),
            identity_id: opened.holder.identity.to_string(),
            role: role_number(opened.holder.role),
            institution_id: opened.holder.institution.to_string(),
            expires_at: Some(timestamp(opened.holder.expires_at)),
            receipt: receipt(opened.receipt),
        }))
    }

    async fn close(
        &self,
        request: Request<v1::CloseSessionRequest>,
    ) -> Reply<v1::CloseSessionResponse> {
        let caller = self.caller(&request).await?;
        let closed = Arc::clone(&self.registrar).close_session(caller).await?;
        Ok(Response::new(v1::CloseSessionResponse { receipt: receipt(closed) }))
    }

    async fn list(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Reply<v1::ListSessionsResponse> {
        let caller = self.caller(&request).await?;
        let (found, recorded) = self.registrar.own_sessions(&caller).await?;
        let own = |session: Session| v1::OwnSession {
            session_id: session.name(),
            opened_at: Some(timestamp(session.opened_at)),
            expires_at: Some(timestamp(session.expires_at)),
            address: session.address.unwrap_or_default(),
            certificate_serial: session.certificate,
            this_one: session.digest == caller.holder.session,
        };
        Ok(Response::new(v1::ListSessionsResponse {
            sessions: found.into_iter().map(own).collect(),
            receipt: receipt(recorded),
        }))
    }

    async fn end(
        &self,
        request: Request<v1::EndSessionRequest>,
    ) -> Reply<v1::CloseSessionResponse> {
        let caller = self.caller(&request).await?;
        let name = &request.get_ref().session_id;
        let ended = Arc::clone(&self.registrar).end_session(caller, name).await?;
        Ok(Response::new(v1::CloseSessionResponse { receipt: receipt(ended) }))
    }
}

impl Desk {
    fn admit_login<T>(&self, request: &Request<T>) -> Result<(), Error> {
        if self.logins.admit(peer(request)?.ip(), clock::now()) {
            Ok(())
        } else {
            Err(Reason::RATE_LIMITED.into())
        }
    }
}
