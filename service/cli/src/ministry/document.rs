//! Documents for a platform, in a form: what the service told of certificates as SOAP 1.1 or 1.2.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proto::v1::{CertificateRecord, certificate_record::Change};
use quick_xml::{
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
    writer::Writer,
};
use sm3::{Digest as _, Sm3};
use time::OffsetDateTime;

use super::form::{Field, Form, Interface, REASONS, Value};

/// A record cannot be told in this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record has what the form cannot say")]
pub(crate) struct Untellable;

/// Tells of records by one of the interfaces.
///
/// # Errors
/// [`Untellable`] for a record that is not as the service makes them.
pub(crate) fn report(
    form: &Form,
    interface: &Interface,
    records: &[CertificateRecord],
) -> Result<Vec<u8>, Untellable> {
    let mut document = Document::begin(form, &interface.operation)?;
    document.records(interface, records, None)?;
    document.end(&interface.operation)
}

/// Answers a question about what these records are of, at this time. Where there is none, one record says that there
/// is none.
///
/// # Errors
/// [`Untellable`] for a record that is not as the service makes them.
pub(crate) fn answer(
    form: &Form,
    records: &[CertificateRecord],
    now: OffsetDateTime,
) -> Result<Vec<u8>, Untellable> {
    let interface = &form.query.answer;
    let nothing = [CertificateRecord::default()];
    let records = if records.is_empty() { &nothing } else { records };
    let mut document = Document::begin(form, &interface.operation)?;
    document.records(interface, records, Some(now))?;
    document.end(&interface.operation)
}

struct Document<'f> {
    form: &'f Form,
    writer: Writer<Vec<u8>>,
}

impl<'f> Document<'f> {
    fn begin(form: &'f Form, operation: &str) -> Result<Self, Untellable> {
        let writer = Writer::new_with_indent(Vec::new(), b' ', 1);
        let mut document = Self { form, writer };
        document.write(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let envelope = BytesStart::new("soap:Envelope");
        let envelope = envelope.with_attributes([("xmlns:soap", form.envelope)]);
        document.write(Event::Start(envelope))?;
        document.write(Event::Start(BytesStart::new("soap:Body")))?;
        let declared = format!("xmlns:{}", form.prefix);
        let own = BytesStart::new(document.own(operation));
        let own = own.with_attributes([(declared.as_str(), form.namespace.as_str())]);
        document.write(Event::Start(own))?;
        Ok(document)
    }

    fn end(mut self, operation: &str) -> Result<Vec<u8>, Untellable> {
        self.close(operation)?;
        self.write(Event::End(BytesEnd::new("soap:Body")))?;
        self.write(Event::End(BytesEnd::new("soap:Envelope")))?;
        let mut octets = self.writer.into_inner();
        octets.push(b'\n');
        Ok(octets)
    }

    fn records(
        &mut self,
        interface: &Interface,
        records: &[CertificateRecord],
        asked_at: Option<OffsetDateTime>,
    ) -> Result<(), Untellable> {
        if !interface.list.is_empty() {
            self.open(&interface.list)?;
        }
        for record in records {
            let teller = Teller { form: self.form, record, asked_at };
            self.open(&interface.record)?;
            for field in &interface.fields {
                if let Some(text) = teller.value(field)? {
                    self.open(&field.element)?;
                    self.write(Event::Text(BytesText::new(&text)))?;
                    self.close(&field.element)?;
                }
            }
            self.close(&interface.record)?;
        }
        if !interface.list.is_empty() {
            self.close(&interface.list)?;
        }
        Ok(())
    }

    fn own(&self, name: &str) -> String {
        format!("{}:{name}", self.form.prefix)
    }

    fn open(&mut self, name: &str) -> Result<(), Untellable> {
        self.write(Event::Start(BytesStart::new(self.own(name))))
    }

    fn close(&mut self, name: &str) -> Result<(), Untellable> {
        self.write(Event::End(BytesEnd::new(self.own(name))))
    }

    fn write(&mut self, event: Event<'_>) -> Result<(), Untellable> {
        self.writer.write_event(event).map_err(|_| Untellable)
    }
}

/// Says one thing about a record.
struct Teller<'a> {
    form: &'a Form,
    record: &'a CertificateRecord,
    /// When somebody asked; `None` where a change is told.
    asked_at: Option<OffsetDateTime>,
}

impl Teller<'_> {
    fn value(&self, field: &Field) -> Result<Option<String>, Untellable> {
        let record = self.record;
        let subject = record.subject.clone().unwrap_or_default();
        let text = |text: &str| Ok((!text.is_empty()).then(|| text.to_owned()));
        match field.value {
            Value::Serial => text(&record.serial),
            Value::Issuer => text(&record.issuer),
            Value::Subject => text(&subject.name),
            Value::SubjectName => text(&subject.common_name),
            Value::SubjectOrganization => text(&subject.organization),
            Value::SubjectUnit => text(&subject.organizational_unit),
            Value::Kind => self.kind(),
            Value::Use => self.key_use(),
            Value::NotBefore => self.time(record.not_before.as_ref()),
            Value::NotAfter => self.time(record.not_after.as_ref()),
            Value::Identifier => {
                let wanted = field.oid.as_deref();
                let fits = |oid: &str| wanted.is_none_or(|wanted| wanted == oid);
                let found = record.identifiers.iter().find(|it| fits(&it.oid));
                text(found.map_or("", |it| &it.text))
            }
            Value::Certificate => text(&STANDARD.encode(&record.certificate)),
            Value::Sm3 if record.certificate.is_empty() => Ok(None),
            Value::Sm3 => Ok(Some(hex::encode(Sm3::digest(&record.certificate)))),
            Value::PairOf => text(&record.pair_of),
            Value::Status => self.status(),
            Value::Reason => self.reason(),
            Value::ChangedAt => self.time(record.changed_at.as_ref()),
            Value::Change if record.number == 0 => Ok(None),
            Value::Change => Ok(Some(record.number.to_string())),
            Value::Text => text(field.text.as_deref().unwrap_or_default()),
        }
    }

    fn time(&self, at: Option<&prost_types::Timestamp>) -> Result<Option<String>, Untellable> {
        let Some(at) = at else { return Ok(None) };
        let at = OffsetDateTime::from_unix_timestamp(at.seconds).map_err(|_| Untellable)?;
        let at = at.checked_to_offset(self.form.offset).ok_or(Untellable)?;
        at.format(&self.form.time).map(Some).map_err(|_| Untellable)
    }

    fn kind(&self) -> Result<Option<String>, Untellable> {
        use proto::v1::certificate_record::Holder;
        let word = match self.record.holder() {
            Holder::Unspecified => return Ok(None),
            Holder::Organization => "internal_organization",
            Holder::Person => "internal_person",
            Holder::Device => "internal_device",
        };
        code(&self.form.codes.kind, word)
    }

    fn key_use(&self) -> Result<Option<String>, Untellable> {
        let word = match (self.record.serial.as_str(), self.record.encryption) {
            ("", _) => return Ok(None),
            (_, true) => "encryption",
            (_, false) => "signing",
        };
        code(&self.form.codes.key_use, word)
    }

    fn status(&self) -> Result<Option<String>, Untellable> {
        let over = |now: OffsetDateTime| {
            let end = self.record.not_after.as_ref().map_or(0, |end| end.seconds);
            end < now.unix_timestamp()
        };
        let word = match self.record.change() {
            Change::Unspecified => "unknown",
            Change::Revoked => "revoked",
            Change::Suspended => "suspended",
            Change::Released => "released",
            Change::Issued if self.asked_at.is_some_and(over) => "expired",
            Change::Issued => "good",
        };
        code(&self.form.codes.status, word)
    }

    fn reason(&self) -> Result<Option<String>, Untellable> {
        let number = match self.record.change() {
            Change::Revoked | Change::Suspended => self.record.reason,
            // removeFromCRL
            Change::Released => 8,
            Change::Issued | Change::Unspecified => return Ok(None),
        };
        let known = REASONS.iter().find(|(_, it)| *it == number).ok_or(Untellable)?;
        code(&self.form.codes.reason, known.0)
    }
}

fn code(
    codes: &std::collections::BTreeMap<String, String>,
    word: &str,
) -> Result<Option<String>, Untellable> {
    codes.get(word).cloned().map(Some).ok_or(Untellable)
}

#[cfg(test)]
mod tests {
    use proto::v1::{
        CertificateIdentifier,
        certificate_record::{Holder, Subject},
    };

    use super::*;
    use crate::ministry::{
        form::SHIPPED,
        query::{self, Asked},
    };

    fn record(change: Change) -> CertificateRecord {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        CertificateRecord {
            number: 7,
            change: change.into(),
            serial: "5a".to_owned(),
            issuer: "C=CN,O=<县>&\"市\",CN=people".to_owned(),
            subject: Some(Subject { name: "CN=x".to_owned(), ..Subject::default() }),
            holder: Holder::Person.into(),
            not_before: at(0),
            not_after: at(86_399),
            identifiers: vec![CertificateIdentifier {
                oid: "1.2.86.21.1.1".to_owned(),
                text: "1@0000JM0A".to_owned(),
                value: Vec::new(),
            }],
            certificate: b"DER".to_vec(),
            reason: 1,
            changed_at: at(3_600),
            ..CertificateRecord::default()
        }
    }

    fn text(document: Result<Vec<u8>, Untellable>) -> String {
        String::from_utf8(document.unwrap()).unwrap()
    }

    #[test]
    fn records_are_told_in_the_words_of_the_form() {
        let form = Form::parse(SHIPPED).unwrap();
        let told = text(report(&form, &form.certificates, &[record(Change::Issued)]));
        for part in [
            "<m:sendCertInfo xmlns:m=\"urn:healthcard:certificate-platform\">",
            "<m:issuer>C=CN,O=&lt;县&gt;&amp;",
            "<m:certType>2</m:certType>",
            "<m:uniqueId>1@0000JM0A</m:uniqueId>",
            "<m:notBefore>1970-01-01 08:00:00</m:notBefore>",
            "<m:certData>REVS</m:certData>",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
        // What there is nothing to say of is left out.
        assert!(!told.contains("signCertSN") && !told.contains("subjectO>"), "{told}");
        let told = text(report(&form, &form.blacklist, &[record(Change::Revoked)]));
        for part in ["<m:status>2<", "<m:reason>1<", "<m:revokeTime>1970-01-01 09:00:00<"] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
        let released = text(report(&form, &form.blacklist, &[record(Change::Released)]));
        assert!(released.contains("<m:reason>8<"), "{released}");
    }

    #[test]
    fn an_answer_says_how_the_certificate_stands_when_it_is_asked() {
        let form = Form::parse(SHIPPED).unwrap();
        let said = |records: &[CertificateRecord], seconds| {
            let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            text(answer(&form, records, now))
        };
        let good = [record(Change::Issued)];
        assert!(said(&good, 86_399).contains("<m:status>0<"));
        assert!(said(&good, 86_400).contains("<m:status>1<"));
        assert!(said(&[record(Change::Suspended)], 86_400).contains("<m:status>3<"));
        let unknown = said(&[], 0);
        assert!(unknown.contains("<m:status>9<") && !unknown.contains("certSN"), "{unknown}");
    }

    #[test]
    fn another_form_makes_other_documents() {
        let other = SHIPPED
            .replace("version = \"1.1\"", "version = \"1.2\"")
            .replace("prefix = \"m\"", "prefix = \"省\"")
            .replace("certSN", "证书序列号");
        let form = Form::parse(&other).unwrap();
        let told = text(report(&form, &form.blacklist, &[record(Change::Revoked)]));
        assert!(told.contains("http://www.w3.org/2003/05/soap-envelope"), "{told}");
        assert!(told.contains("<省:证书序列号>5a</省:证书序列号>"), "{told}");
        // A question in the same words is read.
        let question = format!(
            "<e:Envelope xmlns:e='{}'><e:Body><queryCert xmlns='{}'><证书序列号>5a</证书序列号></queryCert></e:Body></e:Envelope>",
            form.envelope, form.namespace
        );
        assert_eq!(query::read(question.as_bytes(), form.names()), Ok(Asked::Serial("5a".into())));
    }
}
