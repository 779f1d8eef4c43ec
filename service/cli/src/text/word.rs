//! Words for the values of enumerations: as typed on the command line, and as read by people.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use proto::v1::{
    AuditQuestion, Basis, BindingEnd, CardFieldProblem, CardFileState, CardProfile, CardStatus,
    CertificateSet, CodeForm, ConsentKind, ConsentState, Contradiction, CountBy, DataClass,
    ElectronicCardStatus, EmergencyFinding, EmergencyReason, EmergencyState, ErasureBasis,
    GuardianScope, Kinship, LiftingCause, LookAlikeVerdict, NumberKind, Purpose, RecordSignature,
    ReplacementCause, RevocationReason, Role, Sex, TaskResult, WarningRule, WarningVerdict,
    card_event::Kind, enrolment::State as EnrolmentState, erasure::State as ErasureState,
    key_recovery::State as RecoveryState, log_segment::State as SegmentState,
    segment_removal::State as RemovalState,
};

use super::Text;

/// An enumeration of the interface that people type and read.
pub(crate) trait Word: TryFrom<i32> + Copy + PartialEq + Send + Sync + 'static {
    /// Every value with its name on the command line and its text.
    const TABLE: &'static [(Self, &'static str, Text)];
}

macro_rules! words {
    ($($kind:ident: $($variant:ident $name:literal $zh:literal $en:literal),+;)+) => {
        $(impl Word for $kind {
            const TABLE: &'static [(Self, &'static str, Text)] =
                &[$((Self::$variant, $name, Text::new($zh, $en)),)+];
        })+
    };
}

words! {
    AuditQuestion:
        WhoOpened "who-opened" "谁查看过该居民" "who saw what is on record of a resident",
        AtNight "at-night" "夜间（22 时至 6 时）所为" "what was done at night",
        Emergencies "emergencies" "紧急访问" "emergency accesses",
        WithoutVisit "without-visit" "无就诊、授权、紧急访问而查看" "what was seen without visit, consent or emergency",
        Refusals "refusals" "被拒绝的操作" "what was refused";
    CountBy:
        Day "day" "日期" "day", Hour "hour" "时段" "hour of the day", Action "action" "操作" "action",
        Outcome "outcome" "结果" "outcome", Actor "actor" "操作者" "who did it", Role "role" "角色" "role",
        Institution "institution" "机构" "institution", Purpose "purpose" "目的" "purpose",
        Rule "rule" "规则" "rule", Reason "reason" "拒绝原因" "reason of a refusal";
    Role:
        Operator "operator" "管理员" "operator", Clerk "clerk" "窗口人员" "clerk",
        Desk "desk" "窗口设备" "desk", Doctor "doctor" "医师" "doctor", Nurse "nurse" "护士" "nurse",
        Auditor "auditor" "审计员" "auditor", System "system" "机构系统" "system",
        Researcher "researcher" "科研人员" "researcher";
    Purpose:
        Treatment "treatment" "诊疗" "treatment", Payment "payment" "支付结算" "payment",
        Operations "operations" "运营管理" "operations",
        PatientRequest "patient-request" "本人请求" "patient request",
        Emergency "emergency" "紧急救治" "emergency treatment", Research "research" "科研" "research";
    DataClass:
        Personal "personal" "个人属性" "personal", Health "health" "健康状况" "health",
        Care "care" "医疗应用" "care", Payment "payment" "医疗支付" "payment",
        Resources "resources" "卫生资源" "resources",
        PublicHealth "public-health" "公共卫生" "public health";
    ConsentKind:
        Permit "permit" "同意" "agrees", Object "object" "拒绝" "objects",
        FamilyDoctor "family-doctor" "家庭医生签约" "contract with a family doctor";
    ConsentState:
        AwaitsWitness "awaits-witness" "待见证" "waits for a witness", InForce "in-force" "有效" "in force",
        Void "void" "未经见证，作废" "void for want of a witness", Withdrawn "withdrawn" "已撤回" "withdrawn",
        Over "over" "已到期" "over";
    CardStatus:
        Active "active" "正常" "active", Lost "lost" "挂失" "lost",
        Cancelled "cancelled" "注销" "cancelled", Applied "applied" "已申请" "applied for",
        PreIssued "pre-issued" "待激活" "waiting for its holder", Frozen "frozen" "冻结" "frozen",
        Blacklisted "blacklisted" "黑名单" "on the blacklist";
    ReplacementCause:
        Damaged "damaged" "损坏" "damaged", Lost "lost" "遗失" "lost",
        Expired "expired" "到期" "expired", Unreadable "unreadable" "芯片不可读" "chip unreadable",
        DataChanged "data-changed" "卡面信息变更" "printed data changed";
    LiftingCause:
        Mistake "mistake" "误列" "listed by mistake", Settled "settled" "已处理" "matter settled";
    CodeForm:
        Static "static" "静态码" "static", Dynamic "dynamic" "动态码" "dynamic",
        Signed "signed" "签名码" "signed";
    ElectronicCardStatus:
        Active "active" "正常" "active", Cancelled "cancelled" "注销" "cancelled";
    SegmentState:
        Kept "kept" "保存期内" "kept", Unanchored "unanchored" "期满，待见证方签署" "over, not cosigned yet",
        Removable "removable" "期满，可移除" "may be removed", Entered "entered" "移除待复核" "removal waits for a review",
        Removed "removed" "已移除" "removed";
    RemovalState:
        Pending "pending" "待复核" "waits for a review", Approved "approved" "已移除" "removed",
        Rejected "rejected" "已驳回" "rejected";
    RecoveryState:
        Pending "pending" "待复核" "waits for a review", Approved "approved" "已通过" "approved",
        Rejected "rejected" "已驳回" "rejected", Expired "expired" "已过期" "expired";
    ErasureState:
        Pending "pending" "待复核" "waits for a review", Approved "approved" "已删除" "erased",
        Rejected "rejected" "已驳回" "rejected", Expired "expired" "已过期" "expired";
    ErasureBasis:
        RegisteredInError "registered-in-error" "误登记" "registered in error",
        ResidentAsks "resident-asks" "本人请求" "the resident asks",
        Order "order" "主管部门或法院文书" "order of an authority or a court";
    EnrolmentState:
        Pending "pending" "待复核" "waits for a review", Approved "approved" "已签发" "issued",
        Rejected "rejected" "已驳回" "rejected", Expired "expired" "已过期" "expired",
        Alone "alone" "已签发（无须复核）" "issued without a review";
    CertificateSet:
        Signing "signing" "签名证书" "signing certificate", Pair "pair" "证书对" "pair";
    CardProfile:
        Full "full" "32K 全功能卡" "32K, full", Reduced "reduced" "16K 精简卡" "16K, reduced";
    CardFileState:
        NotOnCard "not-on-card" "卡上没有此文件" "the card does not have this file",
        MarkedInvalid "marked-invalid" "标为无效，未读取" "marked as not valid, not read",
        NotAllowed "not-allowed" "卡不接受读取密钥" "the card does not accept the read key",
        Failed "failed" "读取失败" "reading failed";
    RecordSignature:
        None "none" "没有签名" "not signed",
        Good "good" "签名有效" "the signature is good",
        Wrong "wrong" "签名与内容不符：记录或签名被改动" "the signature is not over this record: one of them was changed",
        NotVouchedFor "not-vouched-for" "签名者的证书不是本服务的发卡机构签发，或已过期，无法判断" "the signer's certificate is not of this service's card issuer, or is past its validity: it cannot be judged here",
        Unreadable "unreadable" "签名者的证书无法识别" "the signer's certificate cannot be read";
    CardFieldProblem:
        Record "record" "记录格式错误" "the record has a wrong form",
        Value "value" "内容不符合规范" "not what the standard says",
        Missing "missing" "卡上没有此记录" "the card has no such record",
        Withheld "withheld" "卡未给出此记录" "the card did not give the record";
    Sex:
        Unknown "unknown" "未知" "unknown", Male "male" "男" "male", Female "female" "女" "female",
        NotStated "not-stated" "未说明" "not stated";
    Contradiction:
        Unreadable "unreadable" "无法打开" "cannot be opened",
        UnknownCard "unknown-card" "卡未登记" "card not on record",
        NotActive "not-active" "当时卡已停用" "card not active at the time",
        Holder "holder" "持卡人不符" "another holder",
        Factor "factor" "芯片不符" "another chip",
        Expired "expired" "当时卡已过期" "card expired at the time",
        Time "time" "时间不可信" "time not plausible",
        OtherDesk "other-desk" "其他窗口的记录" "made in the name of another desk",
        NotGenuine "not-genuine" "未通过真伪认证" "not proven genuine",
        Inconsistent "inconsistent" "卡内信息互相矛盾" "contradicts itself";
    TaskResult:
        HolderVerified "holder-verified" "已核实为本人" "holder verified",
        RecordCorrected "record-corrected" "登记已更正" "record corrected",
        CardKept "card-kept" "已扣留卡" "card kept",
        Reported "reported" "已上报处理" "reported",
        DeskRepaired "desk-repaired" "设备问题已处理" "desk repaired";
    Kind:
        Inserted "inserted" "放入" "inserted", Read "read" "已读" "read",
        Refused "refused" "未通过" "refused", Removed "removed" "取出" "removed",
        Quarantined "quarantined" "停止读取" "left alone",
        Reconciled "reconciled" "离线上报" "told later";
    RevocationReason:
        KeyCompromise "key-compromise" "私钥泄露" "key compromise",
        AffiliationChanged "affiliation-changed" "岗位变动" "affiliation changed",
        Superseded "superseded" "已换发" "superseded",
        CessationOfOperation "cessation-of-operation" "停止使用" "cessation of operation";
    NumberKind:
        HouseholdBook "household-book" "户口簿" "household book",
        Passport "passport" "护照" "passport",
        OfficerCard "officer-card" "军官证" "officer's card",
        HkMacauPermit "hk-macau-permit" "港澳居民来往内地通行证" "permit of Hong Kong and Macau",
        TaiwanPermit "taiwan-permit" "台湾居民来往大陆通行证" "permit of Taiwan",
        BirthCertificate "birth-certificate" "出生医学证明" "birth certificate",
        ForeignResidenceCard "foreign-residence-card" "外国人永久居留身份证" "foreigners' residence card",
        SocialSecurityCard "social-security-card" "社会保障卡" "social security card",
        CityCard "city-card" "市民卡" "city card",
        MedicalRecord "medical-record" "病案号" "medical record",
        Patient "patient" "就诊号" "patient number",
        Other "other" "其他证件" "other document";
    Basis:
        Presence "presence" "本人到场" "was here",
        DocumentSeen "document-seen" "查验原件" "document seen",
        PlatformMessage "platform-message" "平台消息" "platform message",
        OwnRecords "own-records" "本院系统" "own records",
        CourtOrder "court-order" "判决或指定文书" "court order";
    BindingEnd:
        Replaced "replaced" "换发" "replaced", NoLongerValid "no-longer-valid" "失效" "no longer valid",
        Mistake "mistake" "误绑" "mistake";
    LookAlikeVerdict:
        DifferentPeople "different-people" "不是同一人" "different people",
        SamePerson "same-person" "同一人" "same person";
    GuardianScope:
        PresentCard "present-card" "代持卡就诊" "present card", Consent "consent" "代为同意" "consent",
        SeeAccesses "see-accesses" "查看访问记录" "see accesses";
    EmergencyReason:
        LifeThreatening "life-threatening" "危及生命" "life in danger",
        Unconscious "unconscious" "昏迷或无法表达" "cannot speak for themselves",
        UrgentHistory "urgent-history" "急需既往史、过敏史或用药史" "history needed at once",
        MassCasualty "mass-casualty" "群体突发事件" "many hurt or ill at once",
        Other "other" "其他" "other";
    EmergencyState:
        Running "running" "进行中" "running", OwesAccount "owes-account" "待说明" "account owed",
        AccountOverdue "account-overdue" "说明逾期" "account overdue",
        OwesFinding "owes-finding" "待复核" "finding owed",
        FindingOverdue "finding-overdue" "复核逾期" "finding overdue",
        Reviewed "reviewed" "已复核" "reviewed";
    EmergencyFinding:
        Justified "justified" "正当" "justified", Unjustified "unjustified" "不正当" "not justified",
        NeedsInquiry "needs-inquiry" "需进一步调查" "needs an inquiry";
    WarningRule:
        TwoPlaces "two-places" "同一人员同时在两处" "at two places at once",
        NightReading "night-reading" "夜间查阅" "reading at night",
        WithoutRelation "without-relation" "无关系查阅" "reading without relation",
        UnusualVolume "unusual-volume" "查阅量异常" "unusual volume",
        FamiliarResident "familiar-resident" "查阅本人、同事或同名者" "colleague or namesake",
        CardAtTwoDesks "card-at-two-desks" "同卡异地使用" "card at two desks",
        DormantCard "dormant-card" "沉睡卡启用" "dormant card";
    WarningVerdict:
        Explained "explained" "有正当理由" "explained", Mistaken "mistaken" "误报" "mistaken",
        Misuse "misuse" "确属违规" "misuse", NeedsInquiry "needs-inquiry" "需进一步调查" "needs an inquiry";
    Kinship:
        Spouse "spouse" "配偶" "spouse", Son "son" "子" "son", Daughter "daughter" "女" "daughter",
        Grandchild "grandchild" "孙子女或外孙子女" "grandchild", Parent "parent" "父母" "parent",
        Grandparent "grandparent" "祖父母或外祖父母" "grandparent",
        Sibling "sibling" "兄弟姐妹" "sibling", Other "other" "其他" "other",
        OtherRelative "other-relative" "其他亲属" "other relative", Carer "carer" "护工" "carer",
        NotRelated "not-related" "非亲属" "not related";
}

/// The text of a value as received; unknown ones have none.
pub(crate) fn word_of<W: Word>(value: i32) -> Option<Text> {
    let value = W::try_from(value).ok()?;
    W::TABLE.iter().find(|(known, ..)| *known == value).map(|(.., text)| *text)
}

/// A value as received, by its name on the command line; unknown ones have none.
pub(crate) fn name_of<W: Word>(value: i32) -> Option<&'static str> {
    let value = W::try_from(value).ok()?;
    W::TABLE.iter().find(|(known, ..)| *known == value).map(|(_, name, _)| *name)
}

/// The text of a value that came by its name.
pub(crate) fn word_named<W: Word>(name: &str) -> Option<Text> {
    W::TABLE.iter().find(|(_, known, _)| *known == name).map(|(.., text)| *text)
}

/// Reads a value on the command line.
pub(crate) fn parser<W: Word>() -> impl TypedValueParser<Value = W> {
    PossibleValuesParser::new(W::TABLE.iter().map(|(_, name, _)| *name)).try_map(|typed| {
        W::TABLE
            .iter()
            .find(|(_, name, _)| *name == typed)
            .map(|(value, ..)| *value)
            .ok_or("not one of the values")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_words() {
        let cases = [
            (word_of::<Role>(4), Some("医师")),
            (word_of::<CardStatus>(2), Some("挂失")),
            (word_of::<Sex>(9), Some("未说明")),
            (word_of::<Role>(0), None),
            (word_of::<Role>(99), None),
        ];
        for (text, zh) in cases {
            assert_eq!(text.map(|text| text.zh), zh);
        }
    }
}
