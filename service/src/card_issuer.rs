//! The service as card issuer (发卡机构): the certificate of its key, which every card carries, and the
//! one of the key that signs records on cards where no SAM does.

use std::sync::Arc;

use card::{
    certificate::{Body, CardCertificate, Holder, SamSerial},
    data::IssuerCode,
    record_signature::KeyRecordSigner,
};
use hsm::{KeyError, Sm2Signer};
use time::Date;

use crate::{
    clock::{self, UtcTime},
    keys::Keys,
    registrar::Founding,
    store::{Authority, Store, StoreError},
};

/// Name of the issuer's certificate on record.
const ISSUER: &str = "card-issuer";
/// Name of the certificate of the key for records.
const RECORDS: &str = "card-records";
/// Code of the issuer: region and a serial of ours (health-card.md, 10, no. 15).
const CODE: &str = "9900000000000000000001";
/// In place of a SAM's serial, for the keystore.
const KEYSTORE_SERIAL: SamSerial = SamSerial(*b"keystore\0\x01");
/// Life of both certificates.
const LIFE: time::Duration = time::Duration::days(20 * 365);

/// The issuer's certificate, and who signs records.
pub struct CardIssuer {
    /// The certificate that cards carry, 180 bytes.
    pub certificate: CardCertificate,
    /// The keystore as signer of records.
    pub signer: KeyRecordSigner,
}

/// Why the service is no card issuer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CardIssuerError {
    /// A key is missing or failed.
    #[error("asking the card issuer's keys")]
    Key(#[from] KeyError),
    /// The certificates could not be read or recorded.
    #[error("keeping the card issuer's certificates")]
    Store(#[from] StoreError),
    /// A certificate on record is none, is not vouched for, or belongs to another key.
    #[error("the record of the card issuer's certificate {0} does not go with its key")]
    Record(&'static str),
}

impl CardIssuer {
    /// Takes the certificates from the record. A service that has none yet makes them, and the log
    /// has an entry for each.
    ///
    /// # Errors
    /// [`CardIssuerError`].
    pub async fn open(
        store: &Store,
        keys: &Keys,
        name: &str,
        now: UtcTime,
    ) -> Result<Self, CardIssuerError> {
        let (issuer_key, records_key) = (keys.card_issuer()?, keys.card_records()?);
        let records = store.authorities().await?;
        let known = |name: &'static str| -> Result<Option<CardCertificate>, CardIssuerError> {
            let record = records.iter().find(|record| record.name == name);
            record
                .map(|record| CardCertificate::parse(&record.der))
                .transpose()
                .map_err(|_| CardIssuerError::Record(name))
        };
        let founding = Founding::new(name, now);
        let today = clock::date_at_desk(now);
        let made = async |name: &'static str, holder, key: &Arc<dyn Sm2Signer>| {
            let certificate = body(holder, &**key, today).sign(&*issuer_key)?;
            let authority = Authority { name: name.to_owned(), der: certificate.to_bytes() };
            store.record_authority(authority, founding.entry("authority", name)).await?;
            Ok::<_, CardIssuerError>(certificate)
        };
        let certificate = match known(ISSUER)? {
            Some(certificate) => certificate,
            None => made(ISSUER, Holder::Issuer, &issuer_key).await?,
        };
        let of_records = match known(RECORDS)? {
            Some(certificate) => certificate,
            None => made(RECORDS, Holder::Sam(KEYSTORE_SERIAL), &records_key).await?,
        };
        let own = certificate.body().key == *issuer_key.public_key();
        // An expired certificate still tells whose it is: cards carry it until they are exchanged.
        let from = |certificate: &CardCertificate| certificate.body().valid_from;
        if !own || certificate.verify(&certificate, from(&certificate)).is_err() {
            return Err(CardIssuerError::Record(ISSUER));
        }
        of_records
            .verify(&certificate, from(&of_records))
            .map_err(|_| CardIssuerError::Record(RECORDS))?;
        let signer = KeyRecordSigner::new(records_key, &of_records)
            .map_err(|_| CardIssuerError::Record(RECORDS))?;
        Ok(Self { certificate, signer })
    }
}

fn body(holder: Holder, key: &dyn Sm2Signer, today: Date) -> Body {
    let code: IssuerCode = CODE.parse().expect("22 digits");
    let mut serial = [0; 8];
    getrandom::fill(&mut serial).expect("the operating system gives random octets");
    Body {
        holder,
        authority: code.clone(),
        subject: code,
        serial,
        valid_from: today,
        valid_until: today.saturating_add(LIFE),
        key: key.public_key().clone(),
    }
}
