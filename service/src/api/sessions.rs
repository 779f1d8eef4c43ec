//! `Sessions`: logging in with a certificate and its key.

use std::{sync::Arc, time::Duration};

use proto::v1::{self, sessions_server::Sessions};
use tonic::{Request, Response};

use super::{
    Desk, Reply,
    convert::{receipt, role_number, timestamp},
    origin_of,
};
use crate::{catalogue::Needs, clock, registrar::Error, store::Session};

#[tonic::async_trait]
impl Sessions for Desk {
    async fn challenge(
        &self,
        request: Request<v1::ChallengeRequest>,
    ) -> Reply<v1::ChallengeResponse> {
        self.admit_stranger(&request)?;
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
        self.admit_stranger(&request)?;
        let origin = origin_of(request.extensions())?;
        let message = request.into_inner();
        let opened = self
            .registrar
            .open_session(
                &message.challenge,
                &message.certificate,
                &message.signature,
                lease(message.lease_seconds)?,
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
            leased_until: opened.holder.leased_until.map(timestamp),
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

    async fn renew(
        &self,
        request: Request<v1::RenewSessionRequest>,
    ) -> Reply<v1::RenewSessionResponse> {
        let caller = self.caller(&request).await?;
        let until = self.registrar.renew_session(&caller).await?;
        Ok(Response::new(v1::RenewSessionResponse { leased_until: Some(timestamp(until)) }))
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
            leased_until: session.leased_until.map(timestamp),
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

    async fn unlock(
        &self,
        request: Request<v1::UnlockLoginsRequest>,
    ) -> Reply<v1::UnlockLoginsResponse> {
        let caller = self.caller(&request).await?;
        let serial = &request.get_ref().certificate_serial;
        let (addresses, recorded) = self.registrar.unlock_logins(&caller, serial).await?;
        Ok(Response::new(v1::UnlockLoginsResponse { addresses, receipt: receipt(recorded) }))
    }
}

/// How long a session goes on without being renewed; 0 leaves it without a lease.
fn lease(seconds: u32) -> Result<Option<Duration>, Error> {
    match seconds {
        0 => Ok(None),
        5..=300 => Ok(Some(Duration::from_secs(seconds.into()))),
        _ => Err(Error::Field { field: "lease_seconds", needs: Needs::LeaseSeconds }),
    }
}
