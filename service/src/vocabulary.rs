//! Words that policy, tokens and the log share, each with the one spelling it has everywhere.

pub(crate) use access_token::words;
pub use access_token::words::{DataClass, Grade, Mask, Purpose, Role};

words! {
    /// What a resident says about who may see their data.
    ConsentKind {
        /// They agree (授权确认).
        Permit = "permit",
        /// They object (拒绝): it comes before whatever they agreed to.
        Object = "object",
        /// They signed a contract with a family doctor (家庭医生签约).
        FamilyDoctor = "family-doctor",
    }
}

words! {
    /// What auditors ask of the log again and again.
    AuditQuestion {
        /// Who saw what is on record of a resident.
        WhoOpened = "who-opened",
        /// What was done at night, from ten in the evening to six in the morning.
        AtNight = "at-night",
        /// Which emergency accesses were begun.
        Emergencies = "emergencies",
        /// What was seen without a visit, a consent or an emergency.
        WithoutVisit = "without-visit",
        /// What was refused.
        Refusals = "refusals",
    }
}

words! {
    /// What entries of the log are counted by.
    CountBy {
        /// The day at the desk.
        Day = "day",
        /// The hour of the day at the desk.
        Hour = "hour",
        /// What was done.
        Action = "action",
        /// How it ended.
        Outcome = "outcome",
        /// Who did it.
        Actor = "actor",
        /// In which role.
        Role = "role",
        /// Of which institution.
        Institution = "institution",
        /// Why.
        Purpose = "purpose",
        /// By which rule it was decided.
        Rule = "rule",
        /// For which reason it was refused.
        Reason = "reason",
    }
}

words! {
    /// How a consent stands.
    ConsentState {
        /// A second person has to say that they saw it given.
        AwaitsWitness = "awaits-witness",
        /// It is in force.
        InForce = "in-force",
        /// Nobody said in time that they saw it given.
        Void = "void",
        /// It was withdrawn.
        Withdrawn = "withdrawn",
        /// Its time is over.
        Over = "over",
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
    /// What ties whoever asks to a resident.
    Relation {
        /// Named in the visit as treating (接诊).
        Attending = "attending",
        /// Works in the department of the visit (本科室).
        Department = "department",
        /// The institution that keeps the data sent the resident here (转诊).
        Referral = "referral",
        /// The resident signed a contract with this family doctor (家庭医生签约).
        FamilyDoctor = "family-doctor",
        /// The resident, or who speaks for them, agreed to just this (授权确认).
        Consent = "consent",
        /// Began an emergency access for this resident (紧急访问).
        Emergency = "emergency",
        /// Is the resident (本人).
        Resident = "resident",
        /// Cares for the resident, and may consent in their place (监护人).
        Guardian = "guardian",
    }
}

words! {
    /// What an access is within: while it lasts the access does, too.
    Frame {
        /// A visit (就诊).
        Visit = "visit",
        /// A consent, without a visit (授权确认).
        Consent = "consent",
        /// An emergency access (紧急访问).
        Emergency = "emergency",
    }
}

words! {
    /// Why somebody begins an emergency access.
    EmergencyReason {
        /// Life is in danger (危及生命).
        LifeThreatening = "life-threatening",
        /// The resident cannot speak for themselves (昏迷或无法表达).
        Unconscious = "unconscious",
        /// Earlier illnesses, allergies or medicines have to be known at once (急需既往史、过敏史或用药史).
        UrgentHistory = "urgent-history",
        /// Many are hurt or ill at once (群体突发事件).
        MassCasualty = "mass-casualty",
        /// Something else, which the note states (其他).
        Other = "other",
    }
}

words! {
    /// What a reviewer finds of an emergency access.
    Finding {
        /// It was called for (正当).
        Justified = "justified",
        /// It was not (不正当).
        Unjustified = "unjustified",
        /// The institution has to look into it (需进一步调查).
        NeedsInquiry = "needs-inquiry",
    }
}

words! {
    /// Why a resident's personal data is erased (删除个人信息): PIPL (个人信息保护法), article 47.
    ErasureBasis {
        /// They should not have been put on record (误登记).
        RegisteredInError = "registered-in-error",
        /// They ask for it (本人请求), and nothing has to be kept any longer.
        ResidentAsks = "resident-asks",
        /// An authority or a court orders it (主管部门或法院文书).
        Order = "order",
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
