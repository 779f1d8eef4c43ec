//! Identifiers of records: UUIDv7, so that new rows go to the end of every index.

use std::{fmt, str::FromStr};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

/// The text is not an identifier: a UUID in lower case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct BadId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The octets.
            #[must_use]
            pub fn octets(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// A new identifier, later in order than those before it.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.to_string().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(FromSqlError::other)
            }
        }
    )+ };
}

ids! {
    /// An institution (医疗机构).
    InstitutionId,
    /// A member of staff, a desk or a system.
    IdentityId,
    /// A resident: the pseudonym by which everything else names them.
    ResidentId,
    /// A card.
    CardId,
    /// An electronic card.
    ElectronicCardId,
    /// A code of an electronic card.
    CodeId,
    /// A batch of cards that are made.
    BatchId,
    /// One presence of a card in a reader, or of somebody with a code.
    PresenceId,
    /// A visit (就诊).
    VisitId,
    /// An access token: its `jti`.
    TokenId,
    /// A task for staff.
    TaskId,
    /// A signature that was prepared.
    SigningId,
    /// A change that two persons make.
    ChangeId,
    /// Another number of a resident, bound to them.
    BindingId,
    /// What staff decided about residents who look alike.
    DecisionId,
    /// The care of one resident for another (监护).
    GuardianshipId,
    /// An emergency access.
    EmergencyId,
    /// A key pair that the key management centre holds.
    EscrowedKeyId,
    /// A recovery of such a key pair.
    RecoveryId,
    /// A removal of a segment of the log.
    RemovalId,
    /// A certificate that is to be issued.
    EnrolmentId,
    /// A consent.
    ConsentId,
    /// A referral.
    ReferralId,
    /// A warning of misuse.
    WarningId,
    /// The erasure of a resident.
    ErasureId,
}

/// One form only, so that an identifier is equal to another exactly if its text is.
fn parse(text: &str) -> Result<Uuid, BadId> {
    let id = Uuid::try_parse(text).map_err(|_| BadId)?;
    if id.hyphenated().to_string() == text { Ok(id) } else { Err(BadId) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_only() {
        let id = ResidentId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        let text = id.to_string();
        let others = [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!(" {text}"),
            String::new(),
        ];
        for other in others {
            assert_eq!(other.parse::<ResidentId>(), Err(BadId), "{other}");
        }
        assert!(ResidentId::generate() > id);
    }
}
