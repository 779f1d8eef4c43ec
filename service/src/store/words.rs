//! Closed lists of words as the tables keep them: by their one spelling.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::{
    likeness::{Rule, Verdict},
    numbers::NumberKind,
    vocabulary::{
        Abandonment, Basis, BindingEnd, CertificateChange, CertificateSet, ConsentKind,
        EmergencyReason, ErasureBasis, Finding, GuardianScope, Kinship,
    },
    warnings::{WarningRule, WarningVerdict},
};

macro_rules! spelled {
    ($($list:ident),+ $(,)?) => { $(
        impl ToSql for $list {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $list {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
            }
        }
    )+ };
}

spelled!(
    Rule,
    Verdict,
    NumberKind,
    Basis,
    BindingEnd,
    GuardianScope,
    Kinship,
    Abandonment,
    CertificateSet,
    CertificateChange,
    ConsentKind,
    EmergencyReason,
    ErasureBasis,
    Finding,
    WarningRule,
    WarningVerdict
);
