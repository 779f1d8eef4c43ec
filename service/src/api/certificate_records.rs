//! What is told of a certificate, as a message.

use ca::{Identifier, IdentifyingExtension};
use proto::v1::{
    self,
    certificate_record::{Change, Holder, Subject},
};

use super::convert::timestamp;
use crate::{registrar::CertificateTold, vocabulary::CertificateChange};

pub(super) fn record(told: &CertificateTold) -> v1::CertificateRecord {
    let change = match told.change {
        CertificateChange::Issued => Change::Issued,
        CertificateChange::Revoked => Change::Revoked,
        CertificateChange::Suspended => Change::Suspended,
        CertificateChange::Released => Change::Released,
    };
    let holder = if told.is_device { Holder::Device } else { Holder::Person };
    let subject = told.certificate.subject();
    let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
    v1::CertificateRecord {
        number: told.number.unwrap_or_default(),
        change: change.into(),
        serial: told.row.serial.clone(),
        issuer: told.certificate.issuer().to_string(),
        subject: Some(Subject {
            name: subject.to_string(),
            common_name: part(subject.common_name()),
            organization: part(subject.organization()),
            organizational_unit: part(subject.organizational_unit()),
        }),
        holder: holder.into(),
        encryption: told.row.pair_of.is_some(),
        not_before: Some(timestamp(told.row.not_before)),
        not_after: Some(timestamp(told.row.not_after)),
        identifiers: told.identifiers.iter().cloned().map(identifier).collect(),
        certificate: told.certificate.der().to_vec(),
        pair_of: told.row.pair_of.clone().unwrap_or_default(),
        reason: told.reason.unwrap_or_default(),
        changed_at: told.changed_at.map(timestamp),
    }
}

pub(super) fn identifier(identifier: Identifier) -> v1::CertificateIdentifier {
    v1::CertificateIdentifier {
        oid: identifier.oid.to_string(),
        text: identifier.text.unwrap_or_default(),
        value: identifier.raw,
    }
}

pub(super) fn identifying(extension: &IdentifyingExtension) -> v1::CertificateIdentifier {
    v1::CertificateIdentifier {
        oid: extension.oid().to_string(),
        text: extension.text().to_owned(),
        value: extension.value().to_vec(),
    }
}
