//! Words that policy, tokens and the log share, each with the one spelling it has everywhere.

/// A closed list of words: its spelling, and the way back from it.
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
pub(crate) use words;

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
    }
}

words! {
    /// What is issued for one request.
    CertificateSet {
        /// A signing certificate alone.
        Signing = "signing",
        /// A signing and an encryption certificate (双证书).
        Pair = "pair",
    }
}

words! {
    /// What is told of a certificate.
    CertificateChange {
        /// It was signed, and is neither revoked nor suspended as far as is told here.
        Issued = "issued",
        /// It was revoked.
        Revoked = "revoked",
        /// It was suspended.
        Suspended = "suspended",
        /// It was released.
        Released = "released",
    }
}

words! {
    /// How an enrolment stands.
    EnrolmentState {
        /// It waits for another person, until its time is over.
        Pending = "pending",
        /// Another person approved it.
        Approved = "approved",
        /// Another person rejected it.
        Rejected = "rejected",
        /// It was issued on its entry, as the settings allow for this role.
        Alone = "alone",
        /// Nobody reviewed it in time.
        Expired = "expired",
    }
}

words! {
    /// Why a batch is given up before every row is done.
    Abandonment {
        /// The rows themselves are wrong (数据有误).
        WrongRows = "wrong-rows",
        /// There are no blank cards for the rest (空白卡不足).
        NoBlanks = "no-blanks",
        /// The cards are no longer wanted (不再需要).
        NotWanted = "not-wanted",
        /// Staff found that people of held rows are on record already (疑似同一人未放行).
        SamePeople = "same-people",
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
    /// What ties a clinician to a resident.
    Relation {
        /// Named in the visit as treating (接诊).
        Attending = "attending",
        /// Works in the department of the visit (本科室).
        Department = "department",
    }
}

words! {
    /// What staff rest a binding or a guardianship on.
    Basis {
        /// The resident was there: their card was in the reader, or a code of theirs was used, a
        /// moment ago.
        Presence = "presence",
        /// Staff saw the document itself (查验原件).
        DocumentSeen = "document-seen",
        /// A message of a platform that keeps such numbers (平台消息).
        PlatformMessage = "platform-message",
        /// The institution's own records (本院系统).
        OwnRecords = "own-records",
        /// A judgment or appointment (判决或指定文书).
        CourtOrder = "court-order",
    }
}

words! {
    /// Why a binding ended.
    BindingEnd {
        /// The document or card was replaced by another (换发).
        Replaced = "replaced",
        /// It is no longer valid (失效).
        NoLongerValid = "no-longer-valid",
        /// It should never have been made (误绑).
        Mistake = "mistake",
    }
}

words! {
    /// What a guardian may do for the resident in their care.
    GuardianScope {
        /// Present the card (代持卡就诊).
        PresentCard = "present-card",
        /// Consent (代为同意).
        Consent = "consent",
        /// See who opened the record (查看访问记录).
        SeeAccesses = "see-accesses",
    }
}

words! {
    /// What a guardian is to the resident in their care (GB/T 4761).
    Kinship {
        /// 1 配偶
        Spouse = "spouse",
        /// 2 子
        Son = "son",
        /// 3 女
        Daughter = "daughter",
        /// 4 孙子、孙女或外孙子、外孙女
        Grandchild = "grandchild",
        /// 5 父母
        Parent = "parent",
        /// 6 祖父母或外祖父母
        Grandparent = "grandparent",
        /// 7 兄弟姐妹
        Sibling = "sibling",
        /// 8 其他
        Other = "other",
        /// 97 其他亲属
        OtherRelative = "other-relative",
        /// 98 护工
        Carer = "carer",
        /// 99 非亲属
        NotRelated = "not-related",
    }
}

/// Grade of data (分级, GB/T 39725-2020, 6.2): 1, public, to 5, open to very few.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Grade(u8);

impl Grade {
    /// Open to everybody.
    pub const LOWEST: Self = Self(1);

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
