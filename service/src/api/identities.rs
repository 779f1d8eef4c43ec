//! `Identities`: institutions, staff and devices, and their certificates.

use std::sync::Arc;

use ca::crl::Reason;
use card::ResidentIdNumber;
use prost::Message as _;
use proto::v1::{self, find_identities_request::By, identities_server::Identities};
use time::Date;
use tonic::{Request, Response};
use zeroize::Zeroizing;

use super::{
    Desk, Reply, certificate_records,
    convert::{
        date, id, one_institution, page, parsed, receipt, role, role_number, short_text, timestamp,
    },
};
use crate::catalogue::Needs;
use crate::config::IdentifierRow;
use crate::registrar::{
    AskedCertificate, CertificateTold, Error, IdentityOrder, IdentityRecord, NewIdentity,
    NewInstitution, OwnCertificate, SoughtIdentity, SucceededRoot,
};
use crate::store::{Certificate, HOLD};

/// Furthest end that is looked for.
const MOST_DAYS: u32 = 3660;

#[tonic::async_trait]
impl Identities for Desk {
    async fn register_institution(
        &self,
        request: Request<v1::RegisterInstitutionRequest>,
    ) -> Reply<v1::RegisterInstitutionResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let order = NewInstitution {
            credit_code: parsed("credit_code", &message.credit_code, Needs::CreditCode)?,
            name: short_text("name", message.name, 70)?,
            region: parsed("region", &message.region, Needs::Region)?,
        };
        let (institution, recorded) = self.registrar.register_institution(&caller, order).await?;
        Ok(Response::new(v1::RegisterInstitutionResponse {
            institution_id: institution.to_string(),
            receipt: receipt(recorded),
        }))
    }

    async fn register(
        &self,
        request: Request<v1::RegisterIdentityRequest>,
    ) -> Reply<v1::RegisterIdentityResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let order = NewIdentity {
            institution: id("institution_id", &message.institution_id)?,
            role: role(message.role)?,
            name: Zeroizing::new(short_text("name", message.name, 90)?),
            number: short_text("number", message.number, 32)?,
            qualified_until: last_day(&message.qualified_until)?,
            id_number: staff_id_number(message.id_number)?,
            department: department(message.department)?,
        };
        let (identity, recorded) = self.registrar.register_identity(&caller, order).await?;
        let identifying = self.registrar.identifying_of(identity).await?;
        Ok(Response::new(v1::RegisterIdentityResponse {
            identity_id: identity.to_string(),
            receipt: receipt(recorded),
            identifiers: identifying.iter().map(certificate_records::identifying).collect(),
        }))
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeCertificateRequest>,
    ) -> Reply<v1::RevokeCertificateResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let reason = revocation_reason(message.reason)?;
        let serial = short_text("serial", message.serial, 40)?;
        let registrar = Arc::clone(&self.registrar);
        let recorded = registrar.revoke_certificate(caller, serial, reason).await?;
        Ok(Response::new(v1::RevokeCertificateResponse { receipt: receipt(recorded) }))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewCertificateRequest>,
    ) -> Reply<v1::RenewCertificateResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let serial = short_text("serial", message.serial, 40)?;
        let days = (message.valid_days > 0).then_some(message.valid_days);
        let registrar = Arc::clone(&self.registrar);
        let renewed = registrar.renew_certificate(caller, serial, days).await?;
        let der = |certificate: ca::Certificate| certificate.der().to_vec();
        Ok(Response::new(v1::RenewCertificateResponse {
            certificate: der(renewed.signing),
            encryption_certificate: renewed.encryption.map(der).unwrap_or_default(),
            chain: renewed.chain,
            receipt: receipt(renewed.receipt),
        }))
    }

    async fn suspend(
        &self,
        request: Request<v1::SuspendCertificateRequest>,
    ) -> Reply<v1::SuspendCertificateResponse> {
        let caller = self.caller(&request).await?;
        let serial = short_text("serial", request.into_inner().serial, 40)?;
        let registrar = Arc::clone(&self.registrar);
        let recorded = registrar.suspend_certificate(caller, serial).await?;
        Ok(Response::new(v1::SuspendCertificateResponse { receipt: receipt(recorded) }))
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseCertificateRequest>,
    ) -> Reply<v1::ReleaseCertificateResponse> {
        let caller = self.caller(&request).await?;
        let serial = short_text("serial", request.into_inner().serial, 40)?;
        let registrar = Arc::clone(&self.registrar);
        let recorded = registrar.release_certificate(caller, serial).await?;
        Ok(Response::new(v1::ReleaseCertificateResponse { receipt: receipt(recorded) }))
    }

    async fn list_ending(
        &self,
        request: Request<v1::ListEndingCertificatesRequest>,
    ) -> Reply<v1::ListEndingCertificatesResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let days = days_ahead(asked.within_days)?;
        let institution = one_institution(&asked.institution_id)?;
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let found = self.registrar.ending_certificates(&caller, days, institution, after, size);
        let (found, next) = found.await?;
        let certificates = found
            .into_iter()
            .map(|certificate| v1::EndingCertificate {
                identity_id: certificate.identity.map(String::from).unwrap_or_default(),
                state: Some(self.state(certificate)),
            })
            .collect();
        Ok(Response::new(v1::ListEndingCertificatesResponse {
            certificates,
            next_page_token: next.map(|cursor| cursor.to_string()).unwrap_or_default(),
        }))
    }

    async fn set_qualification(
        &self,
        request: Request<v1::SetQualificationRequest>,
    ) -> Reply<v1::SetQualificationResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let identity = id("identity_id", &message.identity_id)?;
        let until = last_day(&message.qualified_until)?;
        let recorded = self.registrar.qualify(&caller, identity, until).await?;
        Ok(Response::new(v1::SetQualificationResponse { receipt: receipt(recorded) }))
    }

    async fn change(
        &self,
        request: Request<v1::ChangeIdentityRequest>,
    ) -> Reply<v1::ChangeIdentityResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let order = IdentityOrder {
            id: id("identity_id", &message.identity_id)?,
            role: role(message.role)?,
            name: Zeroizing::new(short_text("name", message.name, 90)?),
            department: department(message.department)?,
            qualified_until: last_day(&message.qualified_until)?,
            id_number: staff_id_number(message.id_number)?,
        };
        let changed = Arc::clone(&self.registrar).change_identity(caller, order).await?;
        Ok(Response::new(v1::ChangeIdentityResponse {
            revoked: changed.revoked,
            receipt: changed.receipt.and_then(receipt),
        }))
    }

    async fn depart(
        &self,
        request: Request<v1::DepartIdentityRequest>,
    ) -> Reply<v1::DepartIdentityResponse> {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let identity = id("identity_id", &message.identity_id)?;
        let reason = revocation_reason(message.reason)?;
        let departed = Arc::clone(&self.registrar).depart_identity(caller, identity, reason);
        let departed = departed.await?;
        Ok(Response::new(v1::DepartIdentityResponse {
            revoked: departed.revoked,
            receipt: departed.receipt.and_then(receipt),
        }))
    }

    async fn list_ending_qualifications(
        &self,
        request: Request<v1::ListEndingQualificationsRequest>,
    ) -> Reply<v1::ListEndingQualificationsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let days = days_ahead(asked.within_days)?;
        let institution = one_institution(&asked.institution_id)?;
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let found = self.registrar.ending_qualifications(&caller, days, institution, after, size);
        let (found, next) = found.await?;
        let qualifications = found
            .into_iter()
            .map(|(identity, until)| v1::EndingQualification {
                identity_id: identity.to_string(),
                qualified_until: until.to_string(),
            })
            .collect();
        Ok(Response::new(v1::ListEndingQualificationsResponse {
            qualifications,
            next_page_token: next.map(|cursor| cursor.to_string()).unwrap_or_default(),
        }))
    }

    async fn list_own(
        &self,
        request: Request<v1::ListOwnCertificatesRequest>,
    ) -> Reply<v1::ListOwnCertificatesResponse> {
        let caller = self.caller(&request).await?;
        let found = self.registrar.own_certificates(&caller).await?;
        let certificates = found
            .certificates
            .into_iter()
            .map(|OwnCertificate { record, logged }| v1::OwnCertificate {
                certificate: record.der.clone().unwrap_or_default(),
                body: record.body.clone(),
                logged: logged.map(|(position, entry, path)| v1::OwnCertificateEntry {
                    position,
                    entry,
                    path: path.iter().map(|hash| hash.to_vec()).collect(),
                }),
                state: Some(self.state(record)),
            })
            .collect();
        Ok(Response::new(v1::ListOwnCertificatesResponse {
            certificates,
            checkpoint: found.checkpoint,
            tree_size: found.tree_size,
            identity_id: caller.holder.identity.to_string(),
        }))
    }

    async fn get(&self, request: Request<v1::GetIdentityRequest>) -> Reply<v1::Identity> {
        let caller = self.caller(&request).await?;
        let identity = id("identity_id", &request.get_ref().identity_id)?;
        let found = self.registrar.identity(&caller, identity).await?;
        Ok(Response::new(self.message(found)))
    }

    async fn list(
        &self,
        request: Request<v1::ListIdentitiesRequest>,
    ) -> Reply<v1::ListIdentitiesResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let institution = one_institution(&asked.institution_id)?;
        let (after, size) = page(asked.page_size, 100, &asked.page_token)?;
        let records = self.registrar.identities(&caller, institution, after, size).await?;
        let full = records.len() == size as usize;
        let next = records.last().filter(|_| full).map(|record| record.row.id.to_string());
        Ok(Response::new(v1::ListIdentitiesResponse {
            next_page_token: next.unwrap_or_default(),
            identities: records.into_iter().map(|record| self.message(record)).collect(),
        }))
    }

    async fn find(
        &self,
        request: Request<v1::FindIdentitiesRequest>,
    ) -> Reply<v1::FindIdentitiesResponse> {
        let caller = self.caller(&request).await?;
        let sought = match request.into_inner().by {
            Some(By::Number(it)) => SoughtIdentity::Number(
                id("number.institution_id", &it.institution_id)?,
                short_text("number.number", it.number, 32)?,
            ),
            Some(By::IdNumber(text)) => {
                let text = Zeroizing::new(text);
                SoughtIdentity::Person(parsed("id_number", &text, Needs::IdNumber)?)
            }
            Some(By::Serial(serial)) => SoughtIdentity::Serial(short_text("serial", serial, 40)?),
            Some(By::SamePersonAs(text)) => {
                SoughtIdentity::SamePerson(id("same_person_as", &text)?)
            }
            None => return Err(Error::Field { field: "by", needs: Needs::ListedValue }.into()),
        };
        let found = self.registrar.find_identities(&caller, sought).await?;
        let identities = found.into_iter().map(|record| self.message(record)).collect();
        Ok(Response::new(v1::FindIdentitiesResponse { identities }))
    }

    async fn report_certificates(
        &self,
        request: Request<v1::ReportCertificatesRequest>,
    ) -> Reply<v1::ReportCertificatesResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (_, size) = page::<u64>(asked.page_size, 100, "")?;
        let encode = |told: &CertificateTold| certificate_records::record(told).encode_to_vec();
        let part = self.registrar.report_certificates(&caller, asked.since, size, encode).await?;
        Ok(Response::new(v1::ReportCertificatesResponse {
            records: part.records,
            more: part.more,
            manifest: part.manifest,
            receipt: receipt(part.receipt),
        }))
    }

    async fn answer_certificates(
        &self,
        request: Request<v1::AnswerCertificatesRequest>,
    ) -> Reply<v1::AnswerCertificatesResponse> {
        use v1::answer_certificates_request::By;
        let caller = self.caller(&request).await?;
        let asked = match request.into_inner().by {
            Some(By::Serial(serial)) => {
                let serial = short_text("serial", serial, 128)?;
                AskedCertificate::Serial(serial.to_ascii_lowercase())
            }
            Some(By::Identifier(text)) => {
                AskedCertificate::Identifier(short_text("identifier", text, 128)?)
            }
            None => return Err(Error::Field { field: "by", needs: Needs::ListedValue }.into()),
        };
        let told = self.registrar.asked_certificates(&caller, asked).await?;
        let certificates = told.iter().map(certificate_records::record).collect();
        Ok(Response::new(v1::AnswerCertificatesResponse { certificates }))
    }

    async fn authorities(
        &self,
        _request: Request<v1::AuthoritiesRequest>,
    ) -> Reply<v1::AuthoritiesResponse> {
        let published = self.registrar.published();
        let succeeded = self.registrar.succeeded_roots().iter().cloned();
        let settings = self.registrar.identifier_settings();
        Ok(Response::new(v1::AuthoritiesResponse {
            root: published.root,
            issuers: published.issuers,
            revocation_lists: published.lists,
            succeeded: succeeded.map(succeeded_root).collect(),
            identifiers: settings.iter().map(identifier_setting).collect(),
        }))
    }
}

fn succeeded_root(root: SucceededRoot) -> v1::SucceededRoot {
    let SucceededRoot { before, new_with_old, old_with_new, last_list } = root;
    v1::SucceededRoot { root: before, new_with_old, old_with_new, last_list }
}

fn identifier_setting(row: &IdentifierRow) -> v1::IdentifierSetting {
    v1::IdentifierSetting {
        oid: row.oid().to_string(),
        prefix: row.prefix().to_owned(),
        value: row.value.word().to_owned(),
        profiles: row.kinds().map(str::to_owned).collect(),
    }
}

/// The last day of a qualification; none where the text is empty.
fn last_day(text: &str) -> Result<Option<Date>, Error> {
    match text {
        "" => Ok(None),
        text => Ok(Some(date("qualified_until", text)?)),
    }
}

/// The department of somebody who has one.
fn department(text: String) -> Result<String, Error> {
    match text.is_empty() {
        true => Ok(text),
        false => short_text("department", text, 50),
    }
}

/// The ID number of a member of staff, where it is given.
fn staff_id_number(text: String) -> Result<Option<ResidentIdNumber>, Error> {
    match Zeroizing::new(text).as_str() {
        "" => Ok(None),
        text => parsed("id_number", text, Needs::StaffIdNumber).map(Some),
    }
}

fn revocation_reason(number: i32) -> Result<Reason, Error> {
    u8::try_from(number)
        .ok()
        .filter(|_| v1::RevocationReason::try_from(number).is_ok())
        .and_then(Reason::from_code)
        .ok_or(Error::Field { field: "reason", needs: Needs::ListedValue })
}

/// How far ahead somebody looks for what ends.
fn days_ahead(days: u32) -> Result<u32, Error> {
    match days {
        0..=MOST_DAYS => Ok(days),
        _ => Err(Error::Field { field: "within_days", needs: Needs::Days }),
    }
}

impl Desk {
    fn message(&self, record: IdentityRecord) -> v1::Identity {
        let certificates = record
            .certificates
            .into_iter()
            .filter(|certificate| certificate.der.is_some())
            .map(|certificate| self.state(certificate))
            .collect();
        v1::Identity {
            identity_id: record.row.id.to_string(),
            institution_id: record.row.institution.to_string(),
            role: role_number(record.role),
            name: record.name,
            number: record.row.number,
            department: record.row.department,
            certificates,
            qualified_until: record
                .row
                .qualified_until
                .map(|day| day.to_string())
                .unwrap_or_default(),
            identifiers: record.identifying.iter().map(certificate_records::identifying).collect(),
            id_number_known: record.row.person.is_some(),
        }
    }

    fn state(&self, certificate: Certificate) -> v1::CertificateState {
        let identifiers = self.registrar.identifiers_of(&certificate).into_iter();
        v1::CertificateState {
            identifiers: identifiers.map(certificate_records::identifier).collect(),
            serial: certificate.serial,
            not_before: Some(timestamp(certificate.not_before)),
            not_after: Some(timestamp(certificate.not_after)),
            revoked_at: certificate.revoked_at.map(timestamp),
            pair_of: certificate.pair_of.unwrap_or_default(),
            suspended: certificate.revocation_reason == Some(HOLD),
        }
    }
}
