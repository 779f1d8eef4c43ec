//! What a token says (RFC 7519, RFC 9068, and the claims of this service).

use serde::{Deserialize, Deserializer, Serialize};

use crate::words::{DataClass, Grade, Mask, Purpose, Role};

/// What a token says. A member that is unknown here, missing or there twice makes it malformed.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Name of the service that issued it.
    pub iss: String,
    /// Identity of the clinician; of a token that was exchanged the resident, for whom the clinician acts.
    pub sub: String,
    /// Who acts for `sub`, where the token was exchanged (RFC 8693, 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub act: Option<Actor>,
    /// The resource server it is for.
    pub aud: String,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Not before, seconds since 1970.
    pub nbf: i64,
    /// Ends at, seconds since 1970.
    pub exp: i64,
    /// Identifier of the token.
    pub jti: String,
    /// The holder's key.
    pub cnf: Confirmation,
    /// Role the clinician acts in.
    pub role: Role,
    /// Institution the clinician acts for.
    pub institution: String,
    /// The resident, by pseudonym.
    pub resident: String,
    /// The visit it rests on, unless it rests on something else.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub visit: Option<String>,
    /// The emergency access (紧急访问) it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub emergency: Option<String>,
    /// The resident's consent (知情同意) it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub consent: Option<String>,
    /// Why.
    pub purpose: Purpose,
    /// What may be seen.
    pub data: Data,
    /// How surely the clinician was identified: `certificate`, by a signature of their own key.
    pub proofing: String,
    /// How far the resource server masks what identifies the resident.
    pub mask: Mask,
    /// Ground of the decision.
    pub policy: Ground,
    /// `id` of the entry in the audit log that recorded the issue.
    pub log: String,
}

/// Who acts for another (RFC 8693, 4.1). There is nobody whom they act for in turn.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Identity of the clinician.
    pub sub: String,
}

/// The one thing that a token rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestsOn<'a> {
    /// A visit, by its identifier.
    Visit(&'a str),
    /// An emergency access, by its identifier.
    Emergency(&'a str),
    /// A consent, by its identifier.
    Consent(&'a str),
}

impl Claims {
    /// Identity of the clinician who holds it: `sub`, or who acts for `sub`.
    #[must_use]
    pub fn clinician(&self) -> &str {
        self.act.as_ref().map_or(&self.sub, |act| &act.sub)
    }

    /// Whether it says for whom the clinician acts, where it says that they act for somebody: the resident, and not
    /// themselves.
    pub(crate) fn acts_for_the_resident(&self) -> bool {
        let for_the_resident =
            |act: &Actor| self.sub == self.resident && act.sub != self.sub && !act.sub.is_empty();
        self.act.as_ref().is_none_or(for_the_resident)
    }

    /// What it rests on; `None` unless it names exactly one thing.
    #[must_use]
    pub fn rests_on(&self) -> Option<RestsOn<'_>> {
        match (self.visit.as_deref(), self.emergency.as_deref(), self.consent.as_deref()) {
            (Some(id), None, None) => Some(RestsOn::Visit(id)),
            (None, Some(id), None) => Some(RestsOn::Emergency(id)),
            (None, None, Some(id)) => Some(RestsOn::Consent(id)),
            _ => None,
        }
    }
}

/// Key that the token is bound to (RFC 7800).
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Thumbprint as RFC 7638, but with SM3, of the holder's key.
    #[serde(rename = "jkt#SM3")]
    pub thumbprint: String,
}

/// What may be seen (授权分级分类分域).
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Highest grade.
    pub grade: Grade,
    /// Kinds.
    pub classes: Vec<DataClass>,
    /// Domain: the institution whose data it is.
    pub domain: String,
}

/// Ground of a decision.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// SM3 of the rules, hexadecimal.
    pub hash: String,
    /// The rule that allowed it.
    pub rule: String,
}

/// A member that is there has a value: `null` is none.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
