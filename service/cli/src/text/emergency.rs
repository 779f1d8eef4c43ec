//! Access in an emergency, and what is owed for it.

use super::{Text, label::labels};

labels! {
    EMERGENCY_BEGUN: "紧急访问已开始；到时自动结束，结束后须作书面说明并接受复核", "The emergency access began; it ends by itself, and then you account for it and are reviewed";
    EMERGENCY_ENDED: "紧急访问已结束，其令牌随即失效；请以 healthcard emergency account 作书面说明", "The emergency access is over; its tokens ended; account for it with healthcard emergency account";
    EMERGENCY_ACCOUNTED: "说明已提交，待另一人复核", "The account is given; another person reviews it";
    EMERGENCY_REVIEWED: "复核结论已记录", "The finding is on record";
    EMERGENCY: "紧急访问", "Emergency access";
    EMERGENCIES: "紧急访问", "Emergency accesses";
    EMERGENCY_TOLD: "已记录：居民已被告知", "Recorded: the resident was told";
    EMERGENCY_TOLD_BEFORE: "此前已告知居民", "The resident was told before";
    EMERGENCY_ID: "紧急访问编号", "Emergency access";
    EMERGENCY_REASON: "紧急事由", "Why";
    EMERGENCY_NOTE: "事由说明", "In words";
    EMERGENCY_ACCOUNT: "书面说明", "Account";
    EMERGENCY_FINDING: "复核结论", "Finding";
    EMERGENCY_FINDING_NOTE: "复核说明", "It rests on";
    EMERGENCY_INSTITUTION: "机构", "Where";
    EMERGENCY_BEGAN_AT: "开始时间", "Began";
    EMERGENCY_ENDS_AT: "结束时间", "Ends";
    EMERGENCY_ENDED_BY: "提前结束人", "Ended by";
    EMERGENCY_ACCOUNT_DUE: "说明期限", "Account due";
    EMERGENCY_FINDING_DUE: "复核期限", "Finding due";
    EMERGENCY_ACCOUNTED_AT: "说明时间", "Accounted";
    EMERGENCY_TOLD_AT: "告知居民时间", "Resident told";
    EMERGENCY_NOTICE: "请告知居民：其数据曾被紧急访问，告知后以 healthcard emergency tell 记录", "Tell the resident: their data were open in an emergency; then record it with healthcard emergency tell";
}
