//! Warnings of misuse.

use super::{Text, label::labels};

labels! {
    WARNING: "预警", "Warning";
    WARNINGS: "预警", "Warnings";
    WARNING_CLOSED: "核查结论已登记", "What came of the warning is on record";
    WARNING_RULES: "预警规则", "What is looked for";
    WARNING_ID: "预警编号", "Warning";
    WARNING_RULE: "预警规则", "Rule";
    WARNING_RULE_SAYS: "规则内容", "What it looks for";
    WARNING_FOUND: "所见", "What was found";
    WARNING_EVIDENCE: "依据（日志位置）", "Rests on (positions in the log)";
    WARNING_ENTRIES: "依据的日志条目", "Entries of the log that it rests on";
    WARNING_RAISED_AT: "预警时间", "Raised";
    WARNING_VERDICT: "核查结论", "Verdict";
    WARNING_NOTE: "核查说明", "Rests on";
    WARNING_CLOSED_BY: "核查人", "Closed by";
    WARNING_CLOSED_AT: "核查时间", "Closed";
    WARNING_ON: "启用", "on";
    WARNING_OFF: "停用", "off";
    WARNING_SAME: "重新判断的结果相同", "Asked again, the rule says the same";
    WARNING_DIFFERS: "重新判断的结果不同", "Asked again, the rule says something else";
    WARNING_NOTHING: "重新判断没有结果：规则不再作此预警", "Asked again, the rule says nothing";
}
