//! Words that rules, tokens and the log share, each with the one spelling it has everywhere.

/// A closed list of words: its spelling, and the way back from it.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $text)] $word,)+
        }

        impl $name {
            /// All words of the list, in its order.
            pub const ALL: &[Self] = &[$(Self::$word,)+];

            /// The spelling used in policy, tokens and the log.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)+ }
            }

            /// The word with exactly this spelling.
            #[must_use]
            pub fn from_word(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$word),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub use crate::words;

words! {
    /// What an identity may do here. Granted by an operator, never read from a certificate.
    Role {
        /// Runs the service; sees no resident's data.
        Operator = "operator",
        /// Works at the front desk (窗口人员).
        Clerk = "clerk",
        /// A desk's device (窗口设备).
        Desk = "desk",
        /// Physician (医师).
        Doctor = "doctor",
        /// Nurse (护士).
        Nurse = "nurse",
        /// Searches and proves the log (审计员); sees no resident's data.
        Auditor = "auditor",
        /// A system of an institution (机构系统), such as an EMR.
        System = "system",
        /// Studies data of residents who agreed to it (科研人员); never sees who they are.
        Researcher = "researcher",
    }
}

words! {
    /// Why data is asked for (HL7 v3 PurposeOfUse).
    Purpose {
        /// TREAT (诊疗)
        Treatment = "treatment",
        /// HPAYMT (支付结算)
        Payment = "payment",
        /// HOPERAT (运营管理)
        Operations = "operations",
        /// PATRQT (本人请求)
        PatientRequest = "patient-request",
        /// ETREAT (紧急救治)
        Emergency = "emergency",
        /// HRESCH (科研)
        Research = "research",
    }
}

words! {
    /// Kind of data (分类, GB/T 39725-2020, 6.1).
    DataClass {
        /// 个人属性数据
        Personal = "personal",
        /// 健康状况数据
        Health = "health",
        /// 医疗应用数据
        Care = "care",
        /// 医疗支付数据
        Payment = "payment",
        /// 卫生资源数据
        Resources = "resources",
        /// 公共卫生数据
        PublicHealth = "public-health",
    }
}

words! {
    /// Masking level (脱敏级别) that a resource server applies to what identifies the resident.
    Mask {
        /// Nothing is masked (不脱敏).
        None = "none",
        /// Names, numbers and phones are masked in part (部分脱敏).
        Partial = "partial",
        /// They are left out (完全脱敏).
        Full = "full",
    }
}

/// Grade of data (分级, GB/T 39725-2020, 6.2): 1, public, to 5, open to very few.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "u32", into = "u8")]
pub struct Grade(u8);

impl Grade {
    /// Open to everybody.
    pub const LOWEST: Self = Self(1);
    /// Open to very few.
    pub const HIGHEST: Self = Self(5);

    /// Accepts 1 to 5.
    #[must_use]
    pub fn new(level: u32) -> Option<Self> {
        u8::try_from(level).ok().filter(|level| (1..=5).contains(level)).map(Self)
    }

    /// The level, 1 to 5.
    #[must_use]
    pub fn level(self) -> u8 {
        self.0
    }
}

impl TryFrom<u32> for Grade {
    type Error = NoSuchGrade;

    fn try_from(level: u32) -> Result<Self, NoSuchGrade> {
        Self::new(level).ok_or(NoSuchGrade(level))
    }
}

impl From<Grade> for u8 {
    fn from(grade: Grade) -> Self {
        grade.level()
    }
}

/// A level that grades do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grades are 1 to 5, not {0}")]
pub struct NoSuchGrade(u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_and_nothing_else_is() {
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.as_str()), Some(*role));
        }
        for wrong in ["", "Doctor", "doctor ", "root"] {
            assert_eq!(Role::from_word(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn grades_are_one_to_five() {
        for (level, known) in [(0, false), (1, true), (5, true), (6, false), (257, false)] {
            assert_eq!(Grade::new(level).is_some(), known, "{level}");
        }
    }
}
