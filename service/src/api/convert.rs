//! Words, times and identifiers between the interface and the service.

use std::{str::FromStr, time::SystemTime};

use proto::v1;
use time::Date;

use super::receipts;

use crate::{
    catalogue::Needs,
    clock::UtcTime,
    likeness::Verdict,
    numbers::NumberKind,
    registrar::{CodeForm, Error},
    store::{self, InstitutionId},
    vocabulary::{
        Basis, BindingEnd, DataClass, ErasureBasis, GuardianScope, Kinship, Purpose, Role,
    },
};

/// Words that the interface numbers and the service names.
macro_rules! numbered {
    ($read:ident, $write:ident, $ours:ident, $theirs:ident, $field:literal, $($word:ident),+) => {
        pub(super) fn $read(number: i32) -> Result<$ours, Error> {
            match v1::$theirs::try_from(number) {
                $(Ok(v1::$theirs::$word) => Ok($ours::$word),)+
                _ => Err(Error::Field { field: $field, needs: Needs::ListedValue }),
            }
        }

        pub(super) fn $write(word: $ours) -> i32 {
            match word { $($ours::$word => v1::$theirs::$word.into(),)+ }
        }
    };
}
pub(super) use numbered;

numbered!(
    role,
    role_number,
    Role,
    Role,
    "role",
    Operator,
    Clerk,
    Desk,
    Doctor,
    Nurse,
    Auditor,
    System,
    Researcher
);
numbered!(
    purpose,
    purpose_number,
    Purpose,
    Purpose,
    "purpose",
    Treatment,
    Payment,
    Operations,
    PatientRequest,
    Emergency,
    Research
);
numbered!(
    class,
    class_number,
    DataClass,
    DataClass,
    "classes",
    Personal,
    Health,
    Care,
    Payment,
    Resources,
    PublicHealth
);

numbered!(code_form, code_form_number, CodeForm, CodeForm, "form", Static, Dynamic, Signed);
numbered!(
    number_kind,
    number_kind_number,
    NumberKind,
    NumberKind,
    "number.kind",
    HouseholdBook,
    Passport,
    OfficerCard,
    HkMacauPermit,
    TaiwanPermit,
    BirthCertificate,
    ForeignResidenceCard,
    SocialSecurityCard,
    CityCard,
    MedicalRecord,
    Patient,
    Other
);
numbered!(
    basis,
    basis_number,
    Basis,
    Basis,
    "basis",
    Presence,
    DocumentSeen,
    PlatformMessage,
    OwnRecords,
    CourtOrder
);
numbered!(
    erasure_basis,
    erasure_basis_number,
    ErasureBasis,
    ErasureBasis,
    "basis",
    RegisteredInError,
    ResidentAsks,
    Order
);
numbered!(
    binding_end,
    binding_end_number,
    BindingEnd,
    BindingEnd,
    "reason",
    Replaced,
    NoLongerValid,
    Mistake
);
numbered!(
    verdict,
    verdict_number,
    Verdict,
    LookAlikeVerdict,
    "decision.verdict",
    DifferentPeople,
    SamePerson
);
numbered!(
    guardian_scope,
    guardian_scope_number,
    GuardianScope,
    GuardianScope,
    "scopes",
    PresentCard,
    Consent,
    SeeAccesses
);
numbered!(
    kinship,
    kinship_number,
    Kinship,
    Kinship,
    "kinship",
    Spouse,
    Son,
    Daughter,
    Grandchild,
    Parent,
    Grandparent,
    Sibling,
    Other,
    OtherRelative,
    Carer,
    NotRelated
);

/// SM3 of a document that was scanned; absent when none was.
pub(super) fn scan_digest(bytes: Vec<u8>) -> Result<Option<[u8; 32]>, Error> {
    let wrong = |_| Error::Field { field: "scan_digest", needs: Needs::ScanDigest };
    match bytes.is_empty() {
        true => Ok(None),
        false => bytes.try_into().map(Some).map_err(wrong),
    }
}

/// A moment as the interface writes it.
pub(super) fn timestamp(at: UtcTime) -> prost_types::Timestamp {
    SystemTime::from(at).into()
}

/// A moment of a request; absent stays absent.
pub(super) fn moment(
    field: &'static str,
    timestamp: Option<prost_types::Timestamp>,
) -> Result<Option<UtcTime>, Error> {
    let wrong = Error::Field { field, needs: Needs::Time };
    let Some(timestamp) = timestamp else { return Ok(None) };
    let nanos = u32::try_from(timestamp.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let (Some(nanos), 0..) = (nanos, timestamp.seconds) else { return Err(wrong) };
    UtcTime::from_unix_timestamp(timestamp.seconds)
        .and_then(|at| at.replace_nanosecond(nanos))
        .map(Some)
        .map_err(|_| wrong)
}

/// `YYYY-MM-DD`.
pub(super) fn date(field: &'static str, text: &str) -> Result<Date, Error> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text, &format).map_err(|_| Error::Field { field, needs: Needs::Date })
}

/// Where an act stands in the log.
pub(super) fn receipt(receipt: store::Receipt) -> Option<v1::Receipt> {
    receipts::note(receipt.position);
    Some(v1::Receipt { position: receipt.position, entry_id: receipt.entry_id })
}

/// The institution that a list is about; `None` for all of them.
pub(super) fn one_institution(text: &str) -> Result<Option<InstitutionId>, Error> {
    match text {
        "" => Ok(None),
        text => id("institution_id", text).map(Some),
    }
}

/// A page of a list: what it comes after, and its size; 0 asks for `usual`.
pub(super) fn page<T: FromStr>(
    asked: u32,
    usual: u32,
    token: &str,
) -> Result<(Option<T>, u32), Error> {
    let size = match asked {
        0 => usual,
        1..=store::MAX_PAGE => asked,
        _ => return Err(Error::Field { field: "page_size", needs: Needs::PageSize }),
    };
    let after = match token {
        "" => None,
        text => Some(parsed("page_token", text, Needs::PageToken)?),
    };
    Ok((after, size))
}

/// A short text: not empty, without control characters, no space at either end.
pub(super) fn short_text(field: &'static str, text: String, most: usize) -> Result<String, Error> {
    let good = (1..=most).contains(&text.len())
        && text.trim() == text
        && !text.chars().any(|c| c.is_control() || is_invisible(c));
    if good { Ok(text) } else { Err(Error::Field { field, needs: Needs::ShortText }) }
}

/// Characters that change how text looks without being seen: zero-width ones and those that turn
/// its direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// A word that goes into the log as it is: of few characters, so that nobody writes a person there.
pub(super) fn plain_word(
    field: &'static str,
    text: String,
    most: usize,
    extra: &[u8],
    needs: Needs,
) -> Result<String, Error> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || extra.contains(&b);
    if (1..=most).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err(Error::Field { field, needs })
    }
}

/// A resource server: a host or an address.
pub(super) fn audience(text: String) -> Result<String, Error> {
    plain_word("audience", text.to_ascii_lowercase(), 128, b".:/-", Needs::Audience)
}

/// Sex as the card codes it.
pub(super) fn sex_number(code: u8) -> i32 {
    v1::Sex::try_from(i32::from(code)).unwrap_or(v1::Sex::NotStated).into()
}

/// A value that checks itself.
pub(super) fn parsed<T: FromStr>(
    field: &'static str,
    text: &str,
    needs: Needs,
) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Field { field, needs })
}

/// An identifier of ours.
pub(super) fn id<T: FromStr>(field: &'static str, text: &str) -> Result<T, Error> {
    parsed(field, text, Needs::Identifier)
}

/// The same of a field that may be empty.
pub(super) fn optional_id<T: FromStr>(field: &'static str, text: &str) -> Result<Option<T>, Error> {
    if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_hold_nothing_that_is_not_seen() {
        for (text, good) in [
            ("内科", true),
            ("Ward 3", true),
            ("", false),
            (" a", false),
            ("a\n", false),
            ("a\u{202e}b", false),
            ("a\u{200b}b", false),
            (&"a".repeat(11), false),
        ] {
            assert_eq!(short_text("name", text.to_owned(), 10).is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn an_audience_is_a_host_or_an_address() {
        for (text, good) in [
            ("emr.example", true),
            ("https://emr.example:8443/fhir", true),
            ("", false),
            ("张三", false),
            ("a b", false),
        ] {
            assert_eq!(audience(text.to_owned()).is_ok(), good, "{text:?}");
        }
        assert_eq!(audience("EMR.example".to_owned()).ok().as_deref(), Some("emr.example"));
    }

    #[test]
    fn moments_are_within_what_can_be_written() {
        let moment =
            |seconds, nanos| moment("from", Some(prost_types::Timestamp { seconds, nanos }));
        for (seconds, nanos, good) in [
            (0, 0, true),
            (253_402_300_799, 999_999_999, true),
            (-1, 0, false),
            (0, -1, false),
            (0, 1_000_000_000, false),
            (253_402_300_800, 0, false),
        ] {
            assert_eq!(moment(seconds, nanos).is_ok(), good, "{seconds} {nanos}");
        }
    }
}
