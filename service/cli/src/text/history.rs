//! Access histories, and what was done about a resident in words that residents read.

use super::{Text, label::labels};

labels! {
    HISTORY: "查阅记录", "Access history";
    HISTORY_UNTIL: "截至", "Until";
    HISTORY_ENTRIES: "关于该居民的记录", "Entries about the resident";
    HISTORY_LOG: "日志", "Log";
    HISTORY_STATED: "证明所在位置", "Stated at position";
    HISTORY_DIGEST: "证明文件摘要（SM3）", "SM3 of the file with the proof";
    HISTORY_WHOLE: "文件中有截至该时间日志中关于该居民的全部记录，已在本机核对：无遗漏", "The file has all entries of the log about the resident until then; checked on this machine: none is left out";
    HISTORY_BEFORE: "期满移除的记录", "Removed after their term";
    HISTORY_REMOVED: "{} 条，在日志第 {} 条之前，移除于 {}，保存期 {} 个月，自 {} 起算；据日志所载由两人移除，此前有见证方签署", "{}, before entry {} of the log, at {}, {} months after {}; as the log says by two persons after a witness had signed";
    HISTORY_UNWITNESSED: "{} 条，在日志第 {} 条之前，移除于 {}，保存期 {} 个月，自 {} 起算；据日志所载由两人移除，没有见证方", "{}, before entry {} of the log, at {}, {} months after {}; as the log says by two persons, with no witness";
    HISTORY_NEWEST: "屏幕只列最近 {} 条，其余见文件", "The newest {} are shown here; the file has the rest";
    HISTORY_NAMES: "姓名和机构取自本系统的登记，不在证明之内；日志只记编号。", "Names and institutions are from the register and not part of the proof: the log has numbers only.";
    HISTORY_UNKNOWN: "身份不明", "unknown";
    HISTORY_VALID: "查阅记录完整，没有一条未列出", "The access history is as it was signed: nothing is left out";
    HISTORY_TAMPERED: "查阅记录被改动", "The access history was tampered with";
    HISTORY_UNVERIFIABLE: "查阅记录无法核对", "The access history cannot be checked";
    HISTORY_COUNTED: "已计入的日志条数", "Entries of the log that count";
    HISTORY_PAPER: "本页列出日志中关于您的记录。证明文件可在任何一台电脑上用核对网页或 healthcard audit check 核对；二维码为证明文件的摘要或取得它的地址。如有疑问，请向本机构审计负责人提出。", "This page lists what the log has about you. The file with the proof can be checked on any computer, with the checker page or healthcard audit check; the code has its digest, or where to get it. Questions go to whoever is responsible for the audit here.";
    HISTORY_WHO: "操作人", "Who";
    HISTORY_WHAT: "操作", "What";
    HISTORY_ITSELF: "系统", "the service";
    OUTCOME_GRANTED: "已准许", "granted";
    OUTCOME_REFUSED: "被拒绝", "refused";
    OUTCOME_FAILED: "未成功", "failed";
    FOUND_INDEX_WRONG: "第 {} 条记录所称的居民索引与其前的记录不符：当时给出的查阅记录可能有遗漏", "entry {} states an index of residents that the entries before it do not give: a history given out then may have left something out";
    FOUND_PROOF_ALTERED: "从检查点到各条记录的证明不成立", "what leads from the checkpoint to the entries does not hold together";
    FOUND_LEFT_OUT: "有 {} 条关于该居民的记录未列出", "{} of the entries about the resident are left out";
}

/// What an action of the log is to people; `None` for one that is seldom about a resident.
pub(crate) fn act(action: &str) -> Option<Text> {
    let (_, zh, en) = ACTS.iter().find(|(name, ..)| *name == action)?;
    Some(Text::new(zh, en))
}

const ACTS: &[(&str, &str, &str)] = &[
    ("token.issue", "取得查看病历的令牌", "was given a token to see records"),
    ("token.revoke", "撤销令牌", "revoked a token"),
    ("card.read", "读卡", "read the card"),
    ("card.dump", "读取卡内全部数据", "read all data on the card"),
    ("card.write.clinical", "写入卡内临床数据", "wrote clinical data to the card"),
    ("card.write.contact", "写入卡内联系信息", "wrote contacts to the card"),
    ("card.write.validity", "写入卡有效期", "wrote the validity of the card"),
    ("card.apply", "申领卡", "applied for a card"),
    ("card.renew", "换发卡", "renewed the card"),
    ("card.replace", "补发卡", "replaced the card"),
    ("card.review", "复核卡业务", "reviewed a change of the card"),
    ("card.abandon", "放弃制卡", "gave up a card in the making"),
    ("card.blacklist", "将卡列入黑名单", "put the card on the blacklist"),
    ("card.unblacklist", "将卡移出黑名单", "took the card off the blacklist"),
    ("card.issue", "发卡", "issued a card"),
    ("card.register", "登记卡", "put a card on record"),
    ("card.activate", "启用卡", "activated the card"),
    ("card.lost", "挂失卡", "reported the card lost"),
    ("card.release", "解除挂失", "released the card"),
    ("card.cancel", "注销卡", "cancelled the card"),
    ("card.freeze", "冻结卡", "froze the card"),
    ("card.unfreeze", "解冻卡", "unfroze the card"),
    ("card.status", "查看卡状态", "looked up the state of the card"),
    ("resident.register", "登记居民", "put the resident on record"),
    ("resident.read", "查看居民信息", "looked up the resident"),
    ("resident.history", "出具查阅记录", "gave out the access history"),
    ("resident.erase", "删除居民的个人信息", "erased the resident's personal data"),
    ("erasure.enter", "录入删除个人信息", "entered that the resident is to be erased"),
    ("erasure.review", "复核删除个人信息", "reviewed an erasure of the resident"),
    ("number.bind", "绑定号码", "bound a number"),
    ("number.unbind", "解除号码绑定", "unbound a number"),
    ("number.read", "查看绑定的号码", "looked up bound numbers"),
    ("guardian.add", "登记监护人", "put a guardian on record"),
    ("guardian.end", "终止监护关系", "ended a guardianship"),
    ("guardian.read", "查看监护关系", "looked up guardians"),
    ("consent.grant", "登记授权", "recorded a consent"),
    ("consent.witness", "见证授权", "witnessed a consent"),
    ("consent.withdraw", "撤回授权", "recorded that a consent was withdrawn"),
    ("consent.read", "查看授权", "looked up consents"),
    ("visit.open", "开始就诊", "opened a visit"),
    ("visit.close", "结束就诊", "closed a visit"),
    ("visit.read", "查看就诊", "looked up a visit"),
    ("referral.make", "转诊", "made a referral"),
    ("referral.end", "终止转诊", "ended a referral"),
    ("emergency.begin", "开始紧急访问", "began an emergency access"),
    ("emergency.end", "结束紧急访问", "ended an emergency access"),
    ("emergency.account", "说明紧急访问", "accounted for an emergency access"),
    ("emergency.review", "复核紧急访问", "reviewed an emergency access"),
    ("emergency.tell", "告知紧急访问", "told of an emergency access"),
    ("electronic-card.apply", "申领电子健康卡", "applied for an electronic card"),
    ("electronic-card.cancel", "注销电子健康卡", "cancelled an electronic card"),
    ("code.create", "生成二维码", "made a code"),
    ("code.verify", "核验二维码", "verified a code"),
    ("code.revoke", "作废二维码", "revoked a code"),
    ("record.sign", "签署病历", "signed a record"),
    ("record.verify", "核验病历签名", "verified the signature of a record"),
    ("emergency.read", "查看紧急访问", "looked up an emergency access"),
    ("emergency.remind", "催办紧急访问说明", "was reminded of an emergency access"),
    ("referral.read", "查看转诊", "looked up a referral"),
    ("look-alike.decide", "辨别相似居民", "told residents apart who look alike"),
    ("token.introspect", "核验令牌", "introspected a token"),
    ("token.explain", "查询为何不能查看", "asked why access is refused"),
    ("task.close", "办结窗口事项", "closed a task at the desk"),
    ("audit.read", "审计查询", "asked the audit log"),
];
