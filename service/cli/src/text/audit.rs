//! What a check of the log found.

use super::{Text, label::labels};

labels! {
    LOG_WITNESS: "见证方", "Witness";
    WITNESS_BEGUN: "已成为见证方；请把下列公钥交服务管理员登记（[witnesses]）", "This is a witness now; have an operator of the service put this key into `[witnesses]`";
    WITNESS_KEY: "见证公钥", "Witness key";
    WITNESS_SIGNED: "日志自上次签署以来只增未改，已签署", "The log only grew since it was signed last; signed";
    WITNESS_SIGNED_FIRST: "首次签署，以后据此比对", "Signed for the first time; what follows is compared with this";
    WITNESS_SAID_SHORTER: "服务自称日志短于此前签署的", "the service says that the log ends before what was signed";
    WITNESS_SAID_FORKED: "服务自称日志的历史与此前签署的不同", "the service says that the log has another history than was signed";
    WITNESS_UNKNOWN_THERE: "服务不认识由其日志密钥签署的检查点", "the service does not know a checkpoint that its log's key signed";
    WITNESS_SHORTER: "最新检查点短于此前签署的", "the newest checkpoint is of fewer entries than were signed";
    WITNESS_FORKED: "最新检查点与此前签署的长度相同、内容不同", "the newest checkpoint is of as many entries as were signed, and of others";
    WITNESS_NOT_PROVED: "服务未能证明最新检查点由此前签署的增长而来", "the service does not prove that the newest checkpoint goes on from what was signed";
    WITNESS_SIGNED_AT: "签署时间", "Signed at";
    WITNESS_DIFFERS: "日志与此前签署的不一致，未签署", "The log is not the one that was signed before; nothing was signed";
    WITNESS_EVIDENCE: "证据", "Evidence";
    WITNESS_VIEW: "公开地址", "Shown at";
    COSIGNED_BY: "见证方签署", "Cosigned by";
    NOT_COSIGNED_BY: "{}，未签署", "{}, not at all";
    COSIGNED: "{}，前 {} 条，签署于 {}", "{}, the first {} entries, at {}";
    WITNESS_LATE: "{}，前 {} 条，签署于 {}（逾时未再签署）", "{}, the first {} entries, at {}: late";
    WITNESS_SILENT: "{}，尚未签署", "{}, nothing yet";
    AUDIT_COUNTS: "记录数", "Numbers of entries";
    ENTRIES: "记录数", "Entries";
    AUDIT_SEARCHING: "继续向前查找…", "looking further back…";
    AUDIT_FOLLOWING: "等待新的记录；Ctrl-C 结束", "waiting for new entries; Ctrl-C ends it";
    ENTRIES_CHECKED: "已核对记录", "Entries checked";
    FINDING: "发现", "Finding";
    MISSING_EVIDENCE: "缺少", "Missing";
    FOUND_ALTERED: "第 {} 条被改动", "entry {} was altered";
    FOUND_HASH_ALTERED: "第 {} 条旁的摘要被改动，内容未变", "the hash beside entry {} was altered, the entry is as signed";
    FOUND_MISSING: "第 {} 条缺失", "entry {} is missing";
    FOUND_MISSING_MANY: "第 {} 至 {} 条缺失", "entries {} to {} are missing";
    FOUND_INSERTED: "第 {} 条是后来插入的", "the entry at {} was inserted";
    FOUND_SWAPPED: "第 {} 条与第 {} 条被对调", "entries {} and {} were swapped";
    FOUND_MOVED: "第 {} 条的内容原为第 {} 条", "the entry at {} was signed as entry {}";
    FOUND_ALTERED_WITHIN: "第 {} 至 {} 条之间有内容连同其摘要被改动", "among entries {} to {} something was altered together with its hashes";
    FOUND_COLUMN: "第 {} 条的检索列 {} 与内容不符", "of entry {}, search column {} disagrees with the entry";
    FOUND_MALFORMED: "第 {} 条与签名相符，但不是审计记录", "entry {} is as signed, but is no audit entry";
    FOUND_TILE_ALTERED: "第 {} 层第 {} 块摘要被改动", "on level {}, tile {} was altered";
    FOUND_TILE_MISSING: "第 {} 层第 {} 块摘要缺失或长度不对", "on level {}, tile {} is missing or has the wrong length";
    FOUND_CHECKPOINT_ALTERED: "{} 条处的检查点被改动", "the checkpoint of size {} was altered";
    FOUND_ROLLED_BACK: "日志被回退：现有 {} 条，所持检查点有 {} 条", "the log was rolled back: it has {} entries, a checkpoint held speaks of {}";
    FOUND_FORKED: "前 {} 条有两种历史", "there are two histories of the first {} entries";
    FOUND_STRAY: "位置 {} 处有不属于日志的行", "a row at {} belongs to no log";
    FOUND_MORE: "另有 {} 处", "{} more";
    GAP_CUT_SHORT: "文件不完整，结尾缺失", "the file is cut short";
    KEY_IN_FILE: "验证公钥取自该文件；请与另行取得的公钥比对，或用 --verifier-key 给出", "The verifier key came with the file: compare it with one obtained another way, or give it with --verifier-key";
    PAGE_OPEN: "用浏览器打开即可核对，不需要网络", "Open it in a browser to check; it needs no network";
    GAP_NO_CHECKPOINT: "日志中没有检查点", "the log has no checkpoint";
    GAP_OTHER_KEY: "日志的检查点都不是用这个公钥对应的密钥签名的", "no checkpoint of the log is signed by this key";
    GAP_SUCCEEDED: "日志已更换签名密钥，此公钥只签了前 {} 条；请改用新的验证公钥核对", "the log has a new key: this one signed the first {} entries; check with the new verifier key";
    GAP_HELD_ELSEWHERE: "所持的第 {} 个检查点所述的位置不在此导出文件之内，无法比对", "checkpoint {} of those held speaks of a size at which this export cannot be compared";
    GAP_HELD_BY_OTHER_KEY: "所持的第 {} 个检查点不是用该密钥签名的", "checkpoint {} of those held is not signed by this key";
}
