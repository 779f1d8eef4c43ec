//! Of joiners, movers and leavers.

use super::{Text, label::labels};

labels! {
    IDENTITY_CHANGED: "登记已变更", "The record was changed";
    IDENTITY_DEPARTED: "已办理离职", "What they had has ended";
    CERTIFICATES_ENDED: "已吊销的证书", "Certificates revoked";
    STAFF_PLAN: "人员变动（未做任何变更）", "Changes of staff (nothing was changed)";
    STAFF_APPLIED: "人员变动已处理", "Changes of staff were made";
    STAFF_STOPPED: "人员变动未全部处理；请排除原因后以同一命令继续", "Not all changes of staff were made; remove the cause, and give the same command again";
    STAFF_REVIEW: "待通过的证书申请（未通过任何申请）", "Enrolments to approve (none was approved)";
    STAFF_REVIEWED: "证书申请已复核", "Enrolments were reviewed";
    STAFF_LEFT: "未处理，留待复核", "Left to wait";
    STAFF_KIND: "变动", "Change";
    STAFF_ROW: "行", "Row";
    STAFF_JOINERS: "入职", "Joiners";
    STAFF_MOVERS: "调岗", "Movers";
    STAFF_LEAVERS: "离职", "Leavers";
    STAFF_UNCHANGED: "不变", "Unchanged";
    STAFF_UNSIGNED: "已通过、待签发", "Approved, to be signed";
    STAFF_TO_SIGN: "签发已通过的证书", "what was approved is signed";
    STAFF_ENROLMENTS: "证书申请", "Enrolments";
    STAFF_DONE: "完成", "Done";
    STAFF_REFUSED: "被拒绝", "Refused";
    STAFF_NOT_DONE: "未处理", "Not done";
    STAFF_APPROVABLE: "与名册一致", "Agree with the file";
    STAFF_LEFT_COUNT: "留待复核", "Left to wait";
    STAFF_WHAT: "内容", "What";
    STAFF_JOINER: "入职", "joiner";
    STAFF_MOVER: "调岗", "mover";
    STAFF_LEAVER: "离职", "leaver";
    STAFF_AS_BEFORE: "申请证书", "enrolment";
    STAFF_FIELD: "{}：{} → {}", "{}: {} -> {}";
    STAFF_ENDS: "吊销 {} 张证书", "{} certificates to revoke";
    STAFF_REQUEST: "录入证书申请", "its request is entered";
    STAFF_RESULTS: "逐人结果", "Verdict of each person";
    STAFF_PROGRESS: "已处理 {} / {}，未成 {}；每秒 {} 人", "{} of {} done, {} not; {} a second";
    STAFF_LEAVERS_ADVICE: "离职 {} 人：处理时须加 --leavers {}", "{} leave: apply it with --leavers {}";
    STAFF_APPROVE_ADVICE: "核对无误后，以 --approve {} 通过", "If this is right, approve it with --approve {}";
    STAFF_NEW_KEY: "角色变更者须重新生成密钥并申请证书", "Whoever changes the role makes a new key and asks for a certificate";
    ROW_FAULT: "第 {} 行 {}：{}", "row {}, {}: {}";
}
