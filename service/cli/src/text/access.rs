//! Of consents, referrals and sessions.

use super::{Text, label::labels};

/// Words that the service spells, as people read them: relations by which data are open, and masks.
const SPELLED: [(&str, Text); 11] = [
    ("attending", Text::new("接诊", "attending")),
    ("department", Text::new("就诊科室", "the visit's department")),
    ("referral", Text::new("转诊", "referral")),
    ("family-doctor", Text::new("签约家庭医生", "contract with a family doctor")),
    ("consent", Text::new("居民的授权确认", "the resident's consent")),
    ("emergency", Text::new("紧急访问", "emergency access")),
    ("resident", Text::new("居民本人", "the resident themselves")),
    ("guardian", Text::new("监护人", "guardian of the resident")),
    ("none", Text::new("不脱敏", "unmasked")),
    ("partial", Text::new("部分脱敏", "partly masked")),
    ("full", Text::new("完全脱敏", "without anything that says who it is")),
];

/// How people read a word that the service spells; one of a later version is left out.
pub(crate) fn spelled(word: &str) -> Option<Text> {
    SPELLED.iter().find(|(known, _)| *known == word).map(|(_, text)| *text)
}

labels! {
    CONSENT_GIVEN: "授权已登记", "The consent is on record";
    CONSENT_WITNESSED: "已见证，授权生效", "Seen by a second person: the consent is in force";
    CONSENT_WITHDRAWN: "授权已撤回，依据它的令牌随即失效", "The consent was withdrawn; tokens that rest on it end with it";
    CONSENT: "授权确认", "Consent";
    CONSENTS: "授权确认", "Consents";
    CONSENT_RECEIPT_GENUINE: "回执真实", "The receipt is genuine";
    CONSENT_ID: "授权编号", "Consent";
    CONSENT_KIND: "类别", "Kind";
    CONSENT_STATE: "状态", "State";
    CONSENT_OUT_OF: "出具时状态", "State when it was made out";
    CONSENT_MADE_OUT: "回执出具时间", "Receipt made out";
    RECIPIENT: "可查看的机构", "Who may see it";
    RECIPIENT_PERSON: "仅限此人", "Only this person";
    RECORDS_OF: "保管数据的机构", "Data kept by";
    GIVEN_BY_GUARDIAN: "监护人（居民编号）", "Given by guardian";
    GIVEN_AT: "给出时间", "Given";
    CONSENT_UNTIL: "有效期至", "Until";
    WITNESS: "见证人", "Seen by";
    WITNESSED_AT: "见证时间", "Seen at";
    WITHDRAWN_AT: "撤回时间", "Withdrawn";
    RECORDED_AT_INSTITUTION: "登记机构", "Recorded at";
    EVERYBODY: "所有机构", "every institution";
    NOBODY: "任何机构（均不得查看）", "any institution: none may see it";
    SIGNED_RECEIPT: "签名回执", "Signed receipt";
    CONSENT_HOW_TO_WITHDRAW: "本人或监护人可持健康卡到任一窗口撤回本授权，撤回后依据它的访问随即终止。扫描二维码得到签名回执，可用 healthcard consent check 离线核验。", "You or your guardian can withdraw this at any desk with the health card; what rests on it ends at once. The QR code is the signed receipt; `healthcard consent check` checks it offline.";
    CONSENT_SIGNATURE: "本人或监护人签名", "Signature of the resident or guardian";
    CONSENT_AWAITS: "须由同机构另一人在 1 小时内见证后才生效：healthcard consent witness", "Not in force until another person of the institution says within the hour that they saw it given: `healthcard consent witness`";
    REFERRAL_MADE: "转诊已登记", "The referral is on record";
    REFERRAL_ENDED: "转诊已终止，依据它的令牌随即失效", "The referral ended; tokens that rest on it end with it";
    REFERRALS: "转诊", "Referrals";
    REFERRAL_ID: "转诊编号", "Referral";
    REFERRED_FROM: "转出机构", "From";
    REFERRED_TO: "转入机构", "To";
    SESSIONS: "本人的会话", "Your sessions";
    SESSION_ENDED: "该会话已结束，其令牌随即失效", "The session ended; the tokens it asked for end with it";
    LOGINS_UNLOCKED: "此证书可以重新登录", "The certificate can log in again";
    ADDRESSES_UNLOCKED: "原受限的地址数", "Addresses where it was kept out";
    SESSION_ID: "会话编号", "Session";
    SESSION_THIS: "当前", "This one";
    SESSION_OPENED_AT: "登录时间", "Opened";
    SESSION_ADDRESS: "登录地址", "From";
    LEASED_UNTIL: "须在此前续期", "To be renewed by";
    HOLD_CARD: "请把卡放入读卡器并保持在其中；取出即退出登录", "Put the card into the reader and leave it there; taking it out logs you out";
    HOLD_KEY_OPEN: "注意：本身份登录时无须输入口令，离开后别人仍可在此以该身份登录。共用的工作站请使用有口令保护的密钥（healthcard key new --passphrase-file）", "Note: this identity logs in without a passphrase being typed, so that others can log in with it here once you have left. At shared workstations its key should have a passphrase (`healthcard key new --passphrase-file`)";
    HOLD_BEGUN: "已登录，会话由本程序保持", "Logged in; this program holds the session";
    HOLD_CARD_OUT: "卡已取出，已退出登录", "The card is out: logged out";
    HOLD_READER_LOST: "读卡器或读卡服务已断开，已退出登录", "The reader is lost: logged out";
    HOLD_LOCKED: "工作站已锁定或已另行登录，会话结束", "The desk was locked, or somebody logged in anew: the session ended";
    HOLD_IDLE: "长时间未使用，已退出登录", "Not used for too long: logged out";
    HOLD_INTERRUPTED: "程序被结束，已退出登录", "Interrupted: logged out";
    HOLD_OVER: "会话已在服务端结束", "The session is over at the service";
    HOLD_UNREACHABLE: "租期内未能联系服务，会话已结束", "The service could not be reached in the time of the lease: the session is over";
    HOLD_NOT_TOLD: "暂未能通知服务；租期届满时服务自行结束会话", "the service could not be told yet; it ends the session when the lease is over";
    SESSION_NOT_HELD: "没有会话：此处的会话由 healthcard session hold 保持，命令不会自动登录", "No session: here sessions are held by `healthcard session hold`, and commands do not log in by themselves";
    DESK_HAD_NO_SESSION: "工作站已锁定；本机没有会话需要结束", "The desk is locked; no session was open here";
    DESK_LOCKED: "工作站已锁定，会话及其令牌已结束", "The desk is locked; the session ended, and its tokens with it";
}
