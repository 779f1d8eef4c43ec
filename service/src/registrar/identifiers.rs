//! What certificates say of their holders besides the name: by the table of the settings, from what is on record.

use ca::{Certificate, Identifier, IdentifyingExtension, Profile};

use super::{Error, Registrar, certificates::profile, sessions::stored_role};
use crate::{
    catalogue::Needs,
    config::{IdentifierRow, IdentifierSource},
    store::{Certificate as CertificateRecord, Identity, IdentityId, InstitutionId},
};

/// Octets of a pseudonym: enough that no two persons have one.
const PSEUDONYM: usize = 16;

impl Registrar {
    /// The identifying extensions of a certificate of this kind for this holder. What the record lacks, as the credit
    /// code of the service itself, is left out.
    ///
    /// # Errors
    /// FIELD_INVALID for a holder whose number certificates cannot have.
    pub(super) async fn identifying(
        &self,
        holder: &Identity,
        profile: Profile,
    ) -> Result<Vec<IdentifyingExtension>, Error> {
        let mut extensions = Vec::new();
        for row in self.certificate_rules.rows_of(profile) {
            let value = match row.value {
                IdentifierSource::Pseudonym => self.pseudonym(holder)?,
                IdentifierSource::StaffNumber => holder.number.clone(),
                IdentifierSource::CreditCode => self.credit_code(holder.institution).await?,
                IdentifierSource::InstitutionId => holder.institution.to_string(),
                IdentifierSource::IdentityId => holder.id.to_string(),
            };
            if !value.is_empty() {
                let extension = row.extension(&value).map_err(|_| Error::Field {
                    field: "identity_id",
                    needs: Needs::CertifiableNumber,
                })?;
                extensions.push(extension);
            }
        }
        Ok(extensions)
    }

    /// How certificates say who their holders are. Public.
    #[must_use]
    pub fn identifier_settings(&self) -> &[IdentifierRow] {
        self.certificate_rules.rows()
    }

    /// The identifying extensions that a certificate of this identity would have now; none where its number is one
    /// that certificates cannot have.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND.
    pub async fn identifying_of(&self, id: IdentityId) -> Result<Vec<IdentifyingExtension>, Error> {
        self.identifying_now(&self.known_identity(id).await?).await
    }

    pub(super) async fn identifying_now(
        &self,
        holder: &Identity,
    ) -> Result<Vec<IdentifyingExtension>, Error> {
        match self.identifying(holder, profile(stored_role(&holder.role)?)).await {
            Err(Error::Field { .. }) => Ok(Vec::new()),
            answer => answer,
        }
    }

    /// What the extensions of a certificate on record say about its holder; nothing of a draft.
    #[must_use]
    pub fn identifiers_of(&self, record: &CertificateRecord) -> Vec<Identifier> {
        let certificate = record.der.as_deref().and_then(|der| Certificate::parse(der).ok());
        certificate.map(|it| it.identifiers(&self.identifier_oids)).unwrap_or_default()
    }

    /// A name of a person that is the same in all their certificates, and from which nobody without the index key
    /// comes to an ID number, nor from one to it. One registered with no ID number is told by institution and number.
    fn pseudonym(&self, holder: &Identity) -> Result<String, Error> {
        let digest = self.personal.pseudonym(holder)?;
        Ok(base32(&digest[..PSEUDONYM]))
    }

    async fn credit_code(&self, id: InstitutionId) -> Result<String, Error> {
        let institution = self.store.institution(id).await?;
        Ok(institution.map(|it| it.credit_code).unwrap_or_default())
    }
}

/// RFC 4648, section 6, without padding. Its digits are 2 to 7: no run of them is a resident identity number, whose
/// year begins with 18 to 21.
fn base32(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits = octets.len() * 8;
    let bit = |at: usize| at < bits && octets[at / 8] & (0x80 >> (at % 8)) != 0;
    let groups = (0..bits).step_by(5);
    let digits =
        groups.map(|at| (at..at + 5).fold(0, |digit, at| digit << 1 | usize::from(bit(at))));
    digits.map(|digit| char::from(ALPHABET[digit])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_as_rfc_4648_has_it() {
        for (octets, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(octets.as_bytes()), text);
        }
    }
}
