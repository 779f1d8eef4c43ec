//! Every refusal and failure that a caller can meet: its stable reason, and what happened and what
//! to do, in Chinese and English. `api::status` and the card relay render from here, nothing else.

/// One entry of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Stable name for programs.
    pub reason: &'static str,
    /// What happened and why (中文).
    pub zh: &'static str,
    /// What to do (中文).
    pub advice_zh: &'static str,
    /// What happened and why.
    pub en: &'static str,
    /// What to do.
    pub advice_en: &'static str,
}

/// Names of reasons and their texts, kept in one list so that none lacks its texts.
macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident: $zh:literal, $advice_zh:literal, $en:literal, $advice_en:literal;)+) => {
        /// Why a call, or a card in a reader, was refused or failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(non_camel_case_types, reason = "the variant is the reason as it travels")]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The entry of the catalogue.
            #[must_use]
            pub fn text(self) -> Text {
                match self {
                    $(Self::$name => Text {
                        reason: stringify!($name), zh: $zh, advice_zh: $advice_zh, en: $en, advice_en: $advice_en,
                    },)+
                }
            }
        }
    };
}

catalogue! {
    // Logging in
    /// No session was named.
    SESSION_MISSING: "未登录", "请先登录，再重试", "not logged in", "log in and try again";
    /// The session is unknown, closed or over.
    SESSION_INVALID: "会话无效或已结束", "请重新登录", "the session is unknown, closed or over", "log in again";
    /// No such session of the caller's that goes on.
    SESSION_NOT_FOUND: "没有此会话，或已结束", "请用 healthcard session list 核对", "no such session of yours goes on", "check with `healthcard session list`";
    /// The session has no lease that could be renewed.
    SESSION_NOT_LEASED: "此会话登录时未设租期，无须续期", "如需由程序保持会话，请用 healthcard session hold 登录", "the session was opened without a lease", "use `healthcard session hold` to have one that is kept by renewing";
    /// Not a certificate of the accepted form.
    CERTIFICATE_MALFORMED: "证书格式不符合要求", "请使用本系统签发的证书文件", "this is not a certificate of the accepted form", "use the certificate file issued by this service";
    /// No chain to a trusted root.
    CERTIFICATE_UNTRUSTED: "证书不是由本系统信任的机构签发", "请使用本系统签发的证书", "the certificate was not issued under the trusted root", "use a certificate issued by this service";
    /// The certificate is on no record here.
    CERTIFICATE_UNKNOWN: "证书未在本系统登记", "请联系管理员登记并签发证书", "the certificate is not on record here", "ask an operator to enroll you";
    /// A revocation list of ours is missing, late, or dated after now.
    REVOCATION_LIST_STALE: "证书吊销列表缺失、过期或时间不符，暂不能登录", "管理员请检查系统时间和服务日志", "a revocation list is missing, late, or dated after now; nobody can log in", "operators: check the clock and the service's log";
    /// Past its validity.
    CERTIFICATE_EXPIRED: "证书已过有效期", "请联系管理员换发证书", "the certificate has expired", "ask an operator for a new certificate";
    /// Before its validity.
    CERTIFICATE_NOT_YET_VALID: "证书尚未生效", "请检查证书有效期和本机时间", "the certificate is not valid yet", "check the certificate's dates and this machine's clock";
    /// On the revocation list.
    CERTIFICATE_REVOKED: "证书已被吊销", "请联系管理员；如非本人申请吊销，请立即报告", "the certificate was revoked", "contact an operator; report it at once if you did not ask for this";
    /// On the revocation list for a time.
    CERTIFICATE_SUSPENDED: "证书已暂停使用", "请联系管理员；恢复后可继续使用", "the certificate is suspended", "contact an operator; it can be used again once it is released";
    /// A certificate for another use.
    CERTIFICATE_WRONG_USE: "证书用途不符，不能用于登录或签名", "请使用个人、窗口设备或系统的签名证书", "the certificate is for another use", "use the signing certificate of a person, desk or system";
    /// The connection was opened with another certificate than the session, or the one logged in with.
    PEER_MISMATCH: "建立连接所用的证书与登录所用的证书不是同一张", "请用同一身份建立连接并登录；若非本人操作，请立即报告", "the connection was opened with another certificate than the login", "connect and log in as one identity; report it if that was not you";
    /// The challenge is unknown, used or over.
    CHALLENGE_INVALID: "登录挑战无效、已使用或已过期", "请重新登录；若反复出现，请检查网络是否有人重放数据", "the challenge is unknown, used or over", "log in again; if it happens again, somebody may be replaying messages";
    /// The signature does not verify.
    SIGNATURE_INVALID: "签名验证不通过", "请确认使用的是与证书对应的私钥", "the signature does not verify", "make sure that the key belongs to the certificate";
    /// The signature over a record does not verify.
    RECORD_SIGNATURE_INVALID: "病历签名验证不通过", "请确认使用登录所用证书的私钥，对返回的签名属性签名", "the signature over the record does not verify", "sign the returned attributes with the key of the certificate you logged in with";
    /// This certificate was refused too often at this address.
    LOGIN_LOCKED: "此证书在此处登录多次失败，已在此处暂时锁定", "请在此时间后再试；急用时请换一台工作站登录，不受影响，或请管理员解除（healthcard session unlock）；如非本人操作，请立即报告", "this certificate failed to log in too often from this place, and is locked here for a while", "try again after that time; if it is urgent, log in at another workstation, which is not affected, or ask an operator (`healthcard session unlock`); report it if that was not you";
    /// Too many attempts.
    RATE_LIMITED: "请求过于频繁，已暂时限制", "请稍候再试", "too many requests", "wait a moment and try again";

    // Policy
    /// The role does not allow the act.
    ROLE_NOT_ALLOWED: "当前角色无权执行此操作", "请由有相应角色的人员操作", "your role does not allow this", "ask somebody with the right role";
    /// The visit belongs to another institution.
    OTHER_INSTITUTION: "该就诊属于其他机构", "请在本机构为居民办理就诊", "the visit belongs to another institution", "open a visit at your own institution";
    /// The visit is closed.
    VISIT_CLOSED: "就诊已结束", "如需继续，请持卡重新办理就诊", "the visit is closed", "open a new visit with the resident's card";
    /// The purpose is not covered.
    PURPOSE_NOT_ALLOWED: "当前角色不能以此目的访问数据", "请核对访问目的", "no rule lets your role use data for this purpose", "check the purpose of the request";
    /// The purpose is covered within something else than it was asked within.
    FRAME_NOT_ALLOWED: "以此目的访问数据须依据另一种情形（就诊、授权确认或紧急访问）", "请先取得所缺的一项，再以其编号申请", "for this purpose data are open within something else (a visit, a consent or an emergency access)", "bring about what is missing, and ask again with its number";
    /// Nothing ties the caller to the resident.
    NO_RELATION: "您与该居民没有诊疗关系", "请由窗口将您登记为接诊人员，或由本科室人员访问", "you have no treatment relation to this resident", "have the desk name you as attending, or leave it to the visit's department";
    /// Registered by another institution, and the card was not read here.
    REGISTERED_ELSEWHERE: "该居民或卡由其他机构登记", "请居民出示健康卡，在本窗口读卡后再办理", "the resident or card was registered by another institution", "have the resident's card read at this desk first";
    /// A child's consent is given by a guardian.
    GUARDIAN_NEEDED: "不满十四周岁，须由监护人给出", "请监护人持健康卡到场办理", "of a child under 14 it takes a guardian", "have the guardian come with their own card";
    /// Whoever is here may not consent in the resident's place.
    NOT_THEIR_GUARDIAN: "到场者不是该居民本人，也不是可代为同意的监护人", "请本人到场，或先登记监护人及其权限", "whoever is here is neither the resident nor a guardian who may consent for them", "have the resident come, or put the guardian on record first";
    /// What a resident objects to themselves is not taken back by a guardian.
    OBJECTION_OF_RESIDENT: "拒绝是居民本人作出的，监护人不能代为撤回", "请居民本人到场撤回", "the resident objected themselves; a guardian does not take it back for them", "have the resident come";
    /// The consent was withdrawn, or its time is over.
    CONSENT_OVER: "授权已撤回、到期或未经见证", "请居民重新授权", "the consent was withdrawn, is over, or was not witnessed", "ask the resident for another consent";
    /// The resident has as many consents in force as are looked through.
    CONSENTS_TOO_MANY: "该居民有效的授权已达 200 份", "请先撤回不再需要的授权（healthcard consent list）", "the resident has 200 consents in force", "withdraw those that are no longer needed first (`healthcard consent list`)";
    /// The referral was ended, or its time is over.
    REFERRAL_OVER: "转诊已终止或到期", "请由转出机构重新转诊", "the referral was ended or is over", "ask the institution that sent the resident for another";
    /// A kind of data that is not covered.
    CLASS_NOT_ALLOWED: "当前角色不能访问此类数据", "请只申请诊疗所需的数据类别", "no rule lets your role use this class of data", "ask only for the classes that the treatment needs";
    /// A grade that is not covered.
    GRADE_TOO_HIGH: "申请的数据级别过高", "请降低数据级别后重试", "the grade of data asked for is too high", "ask for a lower grade";
    // Exchanging tokens
    /// What was to be exchanged is none of the caller's, is not genuine, or has ended.
    SUBJECT_TOKEN_INVALID: "被交换的令牌或授权回执不真实、已失效、不是给您的，或本身是交换所得", "请核对令牌或回执；已失效的请重新申请或请居民重新授权", "the token or receipt to be exchanged is not genuine, has ended, is not yours, or was exchanged itself", "check it; ask for another token, or the resident for another consent";
    /// More was asked for than what is exchanged opens.
    EXCHANGE_WIDENS: "申请的数据级别或类别超出被交换的令牌或授权", "交换只能缩小范围，请减少级别或类别", "more was asked for than the token or consent to be exchanged opens", "an exchange only narrows: ask for a lower grade, or fewer classes";
    /// The token to be exchanged is for another resource server.
    EXCHANGE_OTHER_TARGET: "被交换的令牌用于其他系统", "交换不能改变受理方，请直接申请令牌", "the token to be exchanged is for another system", "an exchange does not change the audience: ask for a token";
    /// Tokens of this type are neither exchanged nor issued.
    TOKEN_TYPE_UNSUPPORTED: "不支持此令牌类型", "可交换访问令牌（access_token）或授权回执（jwt），换得访问令牌", "tokens of this type are neither exchanged nor issued", "an access token (access_token) or a consent receipt (jwt) is exchanged for an access token";
    /// The grant is none that is given here.
    GRANT_TYPE_UNSUPPORTED: "不支持此授权类型", "只支持令牌交换（RFC 8693）", "this type of grant is not supported", "only token exchange (RFC 8693) is";

    /// A rule of the institution.
    FORBIDDEN_BY_RULE: "机构的授权规则不允许", "请查看所缺条件及可办理人", "a rule of the institution does not allow it", "see what is missing and who can grant it";

    // Emergency access
    /// The account of an earlier emergency access is late.
    REVIEW_OVERDUE: "此前的紧急访问逾期未作书面说明，暂停日常访问；紧急访问和签署病历不受影响", "请以 healthcard emergency list 查看，以 healthcard emergency account 提交说明，提交后立即恢复", "an account of an earlier emergency access is late: no routine access until it is given; emergency access and signing go on", "see it with `healthcard emergency list` and give it with `healthcard emergency account`; access is back at once";
    /// No such emergency access of the caller's.
    EMERGENCY_NOT_FOUND: "没有此紧急访问，或不是您发起的", "请核对紧急访问编号", "no such emergency access, or not one that you began", "check its id";
    /// The emergency access is over.
    EMERGENCY_OVER: "紧急访问已结束", "如仍需要，请重新发起紧急访问", "the emergency access is over", "begin another one if it is still needed";
    /// More were begun within an hour than anybody can need.
    EMERGENCIES_TOO_MANY: "您一小时内发起的紧急访问次数异常，已停止并告警", "如情况属实，请由其他医护人员发起，并联系值班负责人", "you began more emergency accesses within an hour than anybody can need; this was stopped and told", "have a colleague begin it, and call the duty officer";

    /// No such warning.
    WARNING_NOT_FOUND: "没有此预警", "请核对预警编号（healthcard warning list）", "no such warning", "check its id (`healthcard warning list`)";

    /// The last day of the signer's qualification is over.
    QUALIFICATION_ENDED: "执业资格已到期，暂停签署病历；登录和查阅不受影响", "请向管理员提交新的执业资格有效期", "the signer's qualification has ended: no records are signed; logging in and reading go on", "have an operator put the new end of the qualification on record";

    // Two persons
    /// What was signed is not what is on record.
    STATEMENT_DIFFERS: "签名声明与所录入或待复核的内容不一致", "请核对身份、角色和证书申请后重新签名；复核时请重新查看录入内容", "the signed statement does not say what is entered or on record", "check identity, role and request, and sign again; look at what was entered again before a review";
    /// What was recorded to be signed does not follow from what was approved.
    DRAFT_DIFFERS: "待签发的证书与复核通过的内容不一致，不予签发", "请报告审计员；请持有人用新密钥重新申请", "what was to be signed as a certificate is not what was approved, and is not issued", "report it to an auditor; let the holder make a new key, and enter it again";
    /// The time of the statement is not now.
    STATEMENT_LATE: "签名声明的时间与本系统相差超过 5 分钟", "请校准本机时间后重新签名", "the time of the signed statement is more than five minutes off", "set this machine's clock and sign again";
    /// The signature is not by the key of the certificate.
    STATEMENT_NOT_SIGNED: "签名声明的签名验证不通过", "请用登录所用证书的私钥签名；若是此前的录入，请驳回并报告", "the signature over the statement does not verify", "sign with the key of the certificate you logged in with; if it is of an earlier entry, reject it and report it";
    /// The certificate of who entered it was revoked since.
    ENTRY_VOID: "录入人的证书已失效，录入作废", "请由有效的人员重新录入", "the certificate with which it was entered is no longer in force; the entry is void", "have it entered again by somebody in force";

    /// Another entry for this key waits.
    ENROLMENT_PENDING: "此密钥已有待复核的证书申请", "请先复核该申请（healthcard enrolment list）", "another enrolment of this key waits for its review", "review that one first (`healthcard enrolment list`)";

    // Requests
    /// A field of the request is not acceptable.
    FIELD_INVALID: "请求中有字段不符合要求", "请按提示修改后重试", "a field of the request is not acceptable", "correct the field and try again";
    /// No such institution.
    INSTITUTION_NOT_FOUND: "没有此机构", "请核对机构编号", "no such institution", "check the institution's id";
    /// No such identity.
    IDENTITY_NOT_FOUND: "没有此人员、设备或系统", "请核对编号", "no such person, device or system", "check the id";
    /// The number is on record with another ID number.
    IDENTITY_OF_ANOTHER: "此工号登记的是另一人", "请核对工号和证件号码；新人请使用新工号", "this number is on record for another person", "check number and ID number; somebody new gets a number of their own";
    /// No such certificate.
    CERTIFICATE_NOT_FOUND: "没有此证书", "请核对证书序列号", "no such certificate", "check the serial number";
    /// The key management centre does not have the key of the certificate.
    KEY_NOT_HELD: "密钥管理中心没有此证书的密钥", "只能恢复证书对中加密证书的密钥，请核对序列号", "the key management centre does not hold the key of this certificate", "only keys of encryption certificates of a pair can be recovered; check the serial number";
    /// No such resident.
    RESIDENT_NOT_FOUND: "没有此居民的登记", "请核对证件号码，或先登记居民", "no such resident on record", "check the ID number, or register the resident first";
    /// Their personal data was erased.
    RESIDENT_ERASED: "该居民的个人信息已删除", "编号只在日志中保留；本人再来时请重新登记", "the personal data of this resident was erased", "the number stands in the log only; register the person anew if they come again";
    /// A visit of the resident is open.
    VISIT_OPEN: "该居民有未结束的就诊", "请先结束就诊，再办理删除", "a visit of the resident is open", "close it first";
    /// An emergency access to the resident's data has no finding.
    EMERGENCY_UNREVIEWED: "对该居民的紧急访问尚未复核", "请先由审计员复核（healthcard emergency review），其说明随删除而去", "an emergency access to the resident's data has no finding yet", "have an auditor review it first (`healthcard emergency review`): what was written of it goes with the erasure";
    /// The resident had a visit, or was issued a card.
    NOT_IN_ERROR: "该居民有过就诊或领过卡，不属于误登记", "请以本人请求或文书为依据", "the resident had a visit or was issued a card, and was not registered in error", "erase on the resident's request or by an order";
    /// What is on record has to be kept for a while.
    RECORD_KEPT: "就诊记录尚在保存期内", "期满后再办理；依主管部门或法院文书删除的除外", "what is on record of visits has to be kept until a later day", "erase after that day, unless an authority or a court orders it";
    /// Another erasure of the resident waits for its review.
    ERASURE_PENDING: "该居民已有待复核的删除", "请先复核该删除（healthcard resident erasures）", "another erasure of this resident waits for its review", "review that one first (`healthcard resident erasures`)";
    /// No such card.
    CARD_NOT_FOUND: "没有此卡的登记", "请核对卡编号", "no such card on record", "check the card's number";
    /// No such visit.
    VISIT_NOT_FOUND: "没有此次就诊", "请核对就诊编号", "no such visit", "check the visit's id";
    /// No such token.
    TOKEN_NOT_FOUND: "没有此令牌", "请核对令牌编号", "no such token", "check the token's id";
    /// No such consent, or not one of the caller's.
    CONSENT_NOT_FOUND: "没有此授权", "请核对授权编号", "no such consent", "check the consent's id";
    /// No such referral.
    REFERRAL_NOT_FOUND: "没有此转诊", "请核对转诊编号", "no such referral", "check the referral's id";
    /// No such signing operation.
    SIGNING_NOT_FOUND: "没有此签名任务，或已完成、已过期", "请重新发起签名", "no such signing, or it is done or over", "start the signing again";
    /// No such task.
    TASK_NOT_FOUND: "没有此任务", "请核对任务编号", "no such task", "check the task's id";
    /// Events came and went while nobody watched.
    EVENTS_MISSED: "中断期间的部分事件已不再保留", "请从现在开始重新监看；期间的读卡请查审计日志", "events came meanwhile that are no longer kept", "begin again with what comes next; the audit log has the cards that were read";
    /// Not a checkpoint of this log, as far as can be told.
    CHECKPOINT_UNKNOWN: "不是本日志签署的检查点", "请核对服务地址和日志的验证公钥", "not a checkpoint that this log signed", "check the address of the service and the log's verifier key";
    /// The checkpoint is genuine, and the log ends before it.
    LOG_ROLLED_BACK: "日志短于其已签署的检查点：可能被换成了旧副本", "请立即报告，保存该检查点作为证据，不要见证此日志", "the log ends before a checkpoint that it signed: an older copy may have been put in its place", "report it at once, keep that checkpoint as evidence, and do not sign this log";
    /// The checkpoint is genuine, and the log has another history.
    LOG_FORKED: "日志与其已签署的检查点不一致：历史被改动或存在两个版本", "请立即报告，保存两个检查点作为证据，不要见证此日志", "the log does not go on from a checkpoint that it signed: its history was changed, or there are two of it", "report it at once, keep both checkpoints as evidence, and do not sign this log";
    /// None of the witnesses that the service knows signed it.
    WITNESS_UNKNOWN: "服务未登记此见证方", "请管理员在 healthcard.toml 的 [witnesses] 中登记其公钥", "no witness of this service", "have an operator put its key into `[witnesses]` of healthcard.toml";
    /// A line of a witness that does not verify, or with a time far from ours.
    COSIGNATURE_INVALID: "见证签名无效，或其时间与服务相差过大", "请核对见证方的密钥和时钟", "the cosignature is not valid, or its time is far from the service's", "check the witness's key and clock";
    /// No such audit entry.
    ENTRY_NOT_FOUND: "日志中没有此位置", "请核对位置", "the log has no such position", "check the position";
    /// Entries whose term was over.
    ENTRIES_REMOVED: "这些记录保存期满，已依规定移除", "请从日志现在的起点开始；此前的导出文件和检查点仍可核对", "these entries were removed when their term was over", "begin where the log begins now; exports and checkpoints of before can still be checked";
    /// No closed segment begins there.
    SEGMENT_NOT_FOUND: "没有从此位置开始的已封存日志分段", "请用 healthcard audit segments 核对", "no closed segment of the log begins there", "check with `healthcard audit segments`";
    /// The segment has another root.
    SEGMENT_DIFFERS: "所给根值与该日志分段的不符", "请核对要移除的是哪一分段（healthcard audit segments）", "the segment has another root than was given", "check which segment is to be removed (`healthcard audit segments`)";
    /// The term of its entries is not over.
    SEGMENT_KEPT: "该日志分段的保存期限未满", "请在期满后再移除（healthcard audit segments 列出期满时间）", "the term of the segment's entries is not over", "remove it when it is (`healthcard audit segments` says when)";
    /// No witness holds that it was closed.
    SEGMENT_NOT_ANCHORED: "该分段封存后，或保存期满后，近十分钟内没有见证方签署日志", "请待见证方签署后再移除（healthcard witness）；未设见证方的，须在 healthcard.toml 中设置 retention.without_witness", "no witness has signed the log in the last ten minutes, with the closing of the segment and since its term was over", "wait until one has (`healthcard witness`); where there is none, `retention.without_witness` in healthcard.toml has to allow it";
    /// Older ones are there, or it is gone itself.
    SEGMENT_NOT_OLDEST: "只能移除现存最早的日志分段", "请先移除更早的分段；已移除的不必再移除", "only the oldest segment that is there can be removed", "remove older ones first; what is gone needs no removal";
    /// The clock was set or jumped.
    CLOCK_IN_DOUBT: "服务时钟被调整过或发生跳变，期满与否无法判断", "请核对时钟并重启服务", "the service's clock was set or jumped: whether a term is over cannot be told", "check the clock and start the service again";
    /// Something in the log is not as it was signed.
    LOG_IN_DOUBT: "日志中有内容与签署时不符，查明前不能移除任何记录", "请先用 healthcard audit check 查明", "something in the log is not as it was signed: nothing is removed until it is known what", "find out with `healthcard audit check`";
    /// It was entered before.
    SEGMENT_REMOVAL_PENDING: "移除该分段的申请正待复核", "请由另一位审计员复核（healthcard audit remove-review）", "a removal of the segment waits for its review", "have another auditor review it (`healthcard audit remove-review`)";
    /// The thing is on record already.
    ALREADY_REGISTERED: "已登记，不能重复登记", "请查询已有登记", "it is on record already", "look up the existing record";
    /// The resident has another card, in force or waiting for its holder.
    ACTIVE_CARD_EXISTS: "该居民已有一张正常或待领取的卡", "请先注销原卡；遗失请挂失后办理补卡", "the resident has another card, active or waiting for its holder", "cancel that card first; report a lost card as lost and have it replaced";
    /// The state does not allow the change.
    STATE_CONFLICT: "当前状态不允许此操作", "请刷新状态后重试", "the present state does not allow this", "look at the present state and try again";
    /// The card was not presented here a moment ago.
    PRESENCE_INVALID: "没有刚刚在本窗口读过的卡，或已超时", "请重新放卡读取", "no card was read here a moment ago", "put the card in the reader again";

    // The life of cards
    /// The card's state is made for other acts: it is in force.
    CARD_IN_FORCE: "此卡正常使用中，不能执行此操作", "请核对卡号；遗失请先挂失", "the card is in force, which does not allow this", "check the card's number; report a lost card as lost first";
    /// The resident's last card was lost, frozen or blacklisted.
    CARD_TO_BE_REPLACED: "该居民原卡已挂失、冻结或列入黑名单，不能另行登记新卡", "请由两人办理补换卡", "the resident's last card was lost, frozen or blacklisted, so that no other can be registered", "have it replaced, which takes two persons";
    /// Not taken into use yet.
    CARD_NOT_ACTIVATED: "此卡尚未激活", "请勿办理业务；请持卡人携带身份证件到窗口激活", "the card has not been activated", "do not serve it; have its holder activate it at the desk with an identity document";
    /// Frozen.
    CARD_FROZEN: "此卡已冻结", "请勿办理业务；由登记机构核实后解冻", "the card is frozen", "do not serve it; the institution that registered it can unfreeze it";
    /// On the blacklist.
    CARD_BLACKLISTED: "此卡因非法使用已列入黑名单", "请勿办理业务；请扣留此卡并报告", "the card is on the blacklist for illegal use", "do not serve it; keep the card and report it";
    /// The document shown is another person's.
    HOLDER_MISMATCH: "证件号码与持卡人登记不一致", "请核对证件是否为持卡人本人的", "the ID number is not that of the card's holder", "check that the document belongs to the card's holder";
    /// A card that took its place is on record.
    CARD_REPLACED: "此卡已补换过新卡", "请对新卡办理", "the card was replaced before", "act on the card that took its place";
    /// Reported lost too short a time ago.
    LOSS_RECENT: "挂失未满规定期限，暂不能补卡", "请在挂失期满后补卡；确认不再找回的，可先注销", "the report of loss has not stood long enough", "replace the card when the time is over, or cancel it first";
    /// Another change of the card waits.
    CHANGE_PENDING: "此卡已有待复核的变更", "请先复核该变更（healthcard card changes）", "another change of this card waits for its review", "review that one first (`healthcard card changes`)";
    /// No such change.
    CHANGE_NOT_FOUND: "没有此项待复核的变更", "请核对变更编号", "no such change to review", "check the change's id";
    /// Reviewed before, or too late.
    CHANGE_OVER: "该变更已复核或已超过复核期限", "如仍需要，请重新录入", "the change was reviewed before, or its time is over", "enter it again if it is still needed";
    /// The person who entered it cannot review it.
    SECOND_PERSON_REQUIRED: "录入人不能复核自己录入的内容", "请由另一位有权复核的人员复核；同一人的其他身份不算", "whoever entered something cannot review it", "have another person review it who may; another identity of the same person is not another person";
    // Other numbers, look-alikes, guardians
    /// Residents on record look like this one, or have the number.
    LOOK_ALIKE: "已有相似的居民登记，或该号码已属于其他居民", "请查验证件原件；确认不是同一人时附判断重新提交，是同一人时请使用原登记", "residents on record look like this one, or have the number", "see the documents, then repeat the call with your decision: different people, or the same person";
    /// A number stands for several residents.
    NUMBER_SHARED: "该号码对应多位居民", "请查验其他证件，按居民编号查看", "the number stands for several residents", "see another document, and look the resident up by their number here";
    /// No such binding.
    BINDING_NOT_FOUND: "没有此号码绑定", "请核对绑定编号", "no such binding of a number", "check the binding's id";
    /// No such guardianship.
    GUARDIANSHIP_NOT_FOUND: "没有此监护登记", "请核对监护编号", "no such guardianship", "check the guardianship's id";
    /// The guardian is a minor.
    GUARDIAN_NOT_OF_AGE: "监护人未满十八周岁", "请登记成年的监护人", "the guardian is not of age", "name a guardian who is of age";
    /// The guardian is the ward, or in the ward's care.
    GUARDIAN_CIRCLE: "监护人不能是被监护人本人，也不能直接或间接由其监护", "请核对双方，或先终止原监护登记", "nobody can be their own guardian, directly or through others", "check who cares for whom, or end the earlier guardianship first";

    // Cards in a reader
    /// Not a resident health card.
    NOT_HEALTH_CARD: "这不是居民健康卡", "请放入居民健康卡", "this is not a resident health card", "insert a resident health card";
    /// The card could not prove that it is genuine.
    CARD_NOT_GENUINE: "卡未通过真伪认证，可能是伪造卡", "请勿办理业务；请扣留此卡并报告", "the card failed to prove that it is genuine", "do not serve it; keep the card and report it";
    /// The card refused the reading key.
    CARD_READ_REFUSED: "卡拒绝读取授权", "请换用其他窗口；仍不行请报告管理员", "the card refused the permission to read", "try another desk; if it fails there too, report it";
    /// Past its validity.
    CARD_EXPIRED: "卡已过有效期", "请为居民办理换卡", "the card has expired", "have the card renewed";
    /// Data on the card are not as the standard says.
    CARD_MALFORMED: "卡内数据不符合规范", "请为居民办理换卡，并报告管理员", "data on the card are not as the standard says", "have the card replaced and report it";
    /// Data on the card contradict each other or the record.
    CARD_INCONSISTENT: "卡内信息与登记信息不一致", "请勿办理业务；核对居民身份并报告", "the card's data disagree with each other or with the record", "do not serve it; check the person's identity and report it";
    /// Taken out too early.
    CARD_REMOVED: "读卡未完成，卡已被取出", "请重新放卡，读取完成前不要取出", "the card was taken out before reading ended", "insert the card again and leave it in";
    /// The reader is gone.
    READER_GONE: "读卡器断开或无响应", "请检查读卡器连接", "the reader was unplugged or stopped answering", "check the reader's cable";
    /// No answer in time.
    CARD_TIMEOUT: "卡长时间无响应", "请重新放卡；仍不行请换窗口", "the card did not answer in time", "insert the card again, or try another desk";
    /// An answer that is not one.
    CARD_GARBAGE: "卡的应答无法识别", "请擦拭芯片后重新放卡；仍不行请换卡", "the card's answers make no sense", "clean the chip and insert it again, or have the card replaced";
    /// The card refused the permission to write.
    CARD_WRITE_REFUSED: "卡拒绝写入授权", "请报告管理员核对更新密钥；卡内数据未改动的部分保持原样", "the card refused the permission to write", "have an operator compare the update keys; what was not written is as it was";
    /// What was read back is not what was written.
    CARD_WRITE_DIFFERS: "写入后回读不一致", "请勿使用该记录；请重试，仍不行请为居民换卡", "what was read back is not what was written", "do not rely on the record; try again, or have the card replaced";
    /// The card has no place for an item.
    CARD_HAS_NO_PLACE: "此类卡没有存放该数据项的位置", "请去掉该项后重试；未写入任何数据", "cards of this kind have no place for the item", "leave the item out and try again; nothing was written";
    /// The end of validity is not the one that was noted.
    RENEWAL_NOT_NOTED: "有效期与已登记的延期不一致", "请先办理延期，再写卡", "the end of validity is not the one that was noted", "renew the card on record first, then write it";
    /// The desk has no SAM, and card keys are in SAMs here.
    SAM_MISSING: "窗口未连接 SAM 卡", "请将 SAM 卡放入第二卡槽，并以 --sam 启动", "the desk has no SAM", "put the SAM into the second slot and name it with --sam";
    /// The SAM does not answer, or not as one.
    SAM_UNAVAILABLE: "SAM 卡无响应或应答有误", "请检查 SAM 卡和卡槽", "the SAM does not answer as it must", "check the SAM and its slot";
    /// The SAM waits for its PIN.
    SAM_PIN_NEEDED: "SAM 卡需要先验证 PIN", "请在窗口输入 SAM 卡 PIN 后重试", "the SAM waits for its PIN", "give the SAM its PIN at the desk and try again";
    /// Not on record.
    CARD_UNREGISTERED: "此卡未在本系统登记", "请先办理卡登记", "the card is not on record here", "register the card first";
    /// Reported as lost.
    CARD_LOST: "此卡已挂失", "请勿办理业务；核对持卡人身份，由窗口办理解挂或换卡", "the card was reported as lost", "do not serve it; check who holds it, then release or replace it at the desk";
    /// The card of somebody else than the visit's resident.
    CARD_OTHER_RESIDENT: "这张卡不是该就诊居民的卡", "请核对就诊编号和持卡人", "this is not the card of the visit's resident", "check the visit's id and who holds the card";
    /// Put out of use since it was read.
    CARD_NOT_ACTIVE: "此卡读取后已停用（挂失、冻结、列入黑名单或注销）", "请勿办理业务；核对持卡人身份", "the card was put out of use since it was read: lost, frozen, blacklisted or cancelled", "do not serve it; check who holds it";
    /// Cancelled.
    CARD_CANCELLED: "此卡已注销", "请收回此卡，并使用新卡", "the card was cancelled", "keep the card and use the new one";
    /// The agent broke the protocol of the relay.
    RELAY_PROTOCOL: "读卡代理的消息顺序不正确", "请重启窗口程序；仍不行请升级", "the desk agent sent messages out of order", "restart the desk agent, or update it";

    // Making cards
    /// No such batch.
    BATCH_NOT_FOUND: "没有此制卡批次", "请核对批次编号", "no such batch of cards", "check the batch's id";
    /// The identifier is that of a batch with other input.
    BATCH_DIFFERS: "此批次编号已用于另一份数据", "请用原来的数据文件继续，或换一个输出目录另起一批", "this batch was opened with other input", "go on with the file it was opened with, or begin another batch in another directory";
    /// The batch is closed.
    BATCH_CLOSED: "此批次已结束", "请另起一批", "the batch is closed", "begin another batch";
    /// The settings leave card keys to SAMs, which give none out.
    SAM_CANNOT_ISSUE: "本系统由 SAM 卡运算卡密钥（card_security = \"sam\"），SAM 不能导出密钥，不能制卡", "请在密钥库中有这些 SAM 的根密钥、且 card_security = \"keystore\" 的系统上制卡", "here a SAM computes with card keys (card_security = \"sam\"), and a SAM gives no keys out to be loaded into new cards", "make cards with an installation whose keystore holds the masters of these SAMs, with card_security = \"keystore\"";
    /// Rows have no verdict yet.
    BATCH_NOT_DONE: "此批次还有未完成的行", "请继续制卡，完成后再结束；或以 healthcard card abandon 提前结束", "rows of the batch are not done", "go on making cards and close the batch then, or give it up with healthcard card abandon";
    /// A card of the batch is being made.
    BATCH_BUSY: "此批次正在制卡", "请等当前的卡制完或取出后再结束批次", "a card of the batch is being made", "wait until it is done or out, and give the batch up then";
    /// Every row has its card, or is being made.
    NO_ROW_WAITS: "没有等待制卡的行", "请取出此空白卡", "no row waits for a card", "take the blank card out";
    /// The chip was used before.
    CHIP_USED: "此芯片已经用过，或已作废", "请换一张空白卡", "the chip was used before, or was given up", "take another blank card";
    /// The chip was begun for another row than the one that was named.
    CHIP_OF_OTHER_ROW: "此芯片此前为另一行制过卡，与指定的行不符", "请核对卡面与行号，按原来的行继续，或换一张空白卡", "the chip was begun for another row than the one that was named", "compare what is printed on it with the row; go on with its own row, or take another blank card";
    /// The card is no blank card.
    CARD_NOT_BLANK: "这不是空白卡", "请换一张空白卡", "this is not a blank card", "take another blank card";
    /// The blank card has the transport key of somebody else.
    CARD_OTHER_TRANSPORT_KEY: "空白卡的传输密钥不符", "请核对空白卡的来源，并联系供应商", "the blank card has another transport key", "check where the blank cards come from, and ask their supplier";
    /// The blank card has another capacity than its row asks for.
    BLANK_OTHER_CAPACITY: "空白卡的容量（32K、16K）与该行要求的不符，此卡作废", "请换一张容量相符的空白卡；该行将使用下一张", "the blank card has another capacity (32K or 16K) than its row asks for, and is given up", "take a blank card of the right capacity; the row takes the next one";
    /// The card could not be made.
    CARD_SPOILED: "制卡失败，此卡作废", "请销毁此卡；该行将使用下一张空白卡", "the card could not be made and is given up", "destroy the card; its row takes the next blank card";
    /// The institution's name does not fit the card.
    ISSUER_NAME_UNFIT: "机构名称不能写入卡片（GBK，最长 30 字节）", "请由管理员以较短的名称登记发卡机构", "the institution's name does not fit the card (30 bytes of GBK)", "have the issuing institution registered under a shorter name";

    // Electronic cards and their codes
    /// The resident has none.
    ELECTRONIC_CARD_NOT_FOUND: "没有此电子健康卡", "请先为居民申领电子健康卡", "no such electronic card", "apply for one for the resident first";
    /// Cancelled, for good.
    ELECTRONIC_CARD_CANCELLED: "电子健康卡已注销", "请核对居民身份；如需继续使用，请重新申领新卡", "the electronic card was cancelled", "check who it is; a new one can be applied for, asking for it anew";
    /// No code with this number.
    CODE_NOT_FOUND: "没有此二维码的记录", "请核对二维码编号", "no such code", "check the code's number";
    /// Something else was scanned.
    CODE_FOREIGN: "扫到的不是电子健康卡二维码", "请居民打开电子健康卡后重新扫码", "this is not the code of an electronic health card", "have the resident open the electronic card and scan again";
    /// A code, but not a whole or right one.
    CODE_MALFORMED: "二维码内容不完整或格式不正确", "请调亮屏幕后重新扫码；仍不行请居民刷新二维码", "the code is incomplete or malformed", "scan again with a brighter screen, or have the code refreshed";
    /// Not made here, or forgotten.
    CODE_UNKNOWN: "没有此二维码的记录，可能是伪造或早已过期", "请居民刷新二维码后重新扫码", "the code is not on record: forged, or over for long", "have the code refreshed and scan again";
    /// The signature is none of ours.
    CODE_NOT_GENUINE: "二维码的签名不正确，可能是伪造", "请勿办理业务；核对居民身份并报告", "the code's signature is wrong: it may be forged", "do not serve it; check who it is and report it";
    /// Used before.
    CODE_USED: "此二维码已使用过，可能是截图或翻拍", "请居民刷新二维码；若居民未曾使用，请核对身份并报告", "the code was used before: it may be a photograph of another's", "have the code refreshed; if its holder never used it, check who it is and report it";
    /// Ended before its time.
    CODE_REVOKED: "此二维码已作废", "请居民刷新二维码后重新扫码", "the code was revoked", "have the code refreshed and scan again";
    /// Its time is over.
    CODE_EXPIRED: "此二维码已过期", "请居民刷新二维码后重新扫码", "the code has expired", "have the code refreshed and scan again";
    /// Bound to another desk, or to none where this desk asks for it.
    CODE_OTHER_DESK: "此二维码不是为本窗口出示的", "请居民扫描本窗口的随机码后重新出示", "the code was not made for this desk", "have the resident scan this desk's nonce and show a new code";
    /// The nonce is not open.
    CODE_NONCE_UNKNOWN: "窗口随机码无效或已过期", "请窗口刷新随机码后重试", "the desk's nonce is unknown or over", "have the desk show a new nonce";
    /// Who made it verifies it.
    CODE_OWN: "不能由生成二维码的一方自行核验", "请由窗口核验", "a code is not verified by whoever made it", "have it verified at a desk";
    /// Static codes are not accepted for this.
    CODE_STATIC_NOT_ALLOWED: "此环节不接受静态码", "请居民出示动态码", "static codes are not accepted for this step", "have the resident show a dynamic code";

    // The service itself
    /// The log or the database cannot be written.
    UNAVAILABLE: "日志或数据库暂时无法写入，操作未执行", "请稍候重试；管理员请检查磁盘空间", "the log or database cannot be written now; nothing was done", "try again in a moment; operators: check the disk";
    /// The disk failed within a commit, or does not come back from it.
    OUTCOME_UNKNOWN: "磁盘出错或迟迟没有响应，不能确定操作是否已记录", "请先查询是否已经记录，再决定是否重做；管理员请检查磁盘", "the disk failed or does not answer: it is not known whether this was recorded", "look whether it is on record before you do it again; operators: check the disk";
    /// The index of residents has not come as far as the log.
    HISTORY_NOT_READY: "查阅记录正在整理，尚未赶上日志", "请稍后重试；长时间如此请联系管理员", "access histories are being prepared: their index has not caught up with the log", "try again later; if it lasts, ask an operator";
    /// The log has more about the resident than is given out in one piece.
    HISTORY_TOO_LONG: "关于该居民的记录过多，不能在窗口一次出具", "请由审计员导出日志", "the log has more about the resident than a desk gives out in one piece", "have an auditor export the log";
    /// A key is unavailable.
    KEY_UNAVAILABLE: "密钥暂时不可用，操作未执行", "请稍候重试；管理员请检查密钥库或密码设备", "a key is unavailable; nothing was done", "try again in a moment; operators: check the keystore or device";
    /// A fault of ours.
    INTERNAL: "系统内部错误", "请联系管理员，并提供错误编号", "internal error", "contact an operator with the number of this error";
}

/// What fields of requests must be, kept in one list so that none lacks its texts.
macro_rules! needs {
    ($($name:ident: $zh:literal, $en:literal;)+) => {
        /// What a field of a request must be.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Needs {
            $(#[doc = $en] $name,)+
        }

        impl Needs {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The same for people: 中文, English.
            #[must_use]
            pub fn words(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($zh, $en),)+ }
            }
        }
    };
}

needs! {
    Root: "32 字节的根值", "a root, 32 bytes";
    Address: "网络地址，如 10.0.1.5", "a network address such as 10.0.1.5";
    LeaseSeconds: "5 至 300 秒，或不填", "5 to 300, or left out";
    ConsentDays: "1 至 1830 天", "1 to 1830 days";
    ReferralDays: "1 至 90 天", "1 to 90 days";
    Recipient: "可查看数据的机构", "the institution that may see the data";
    ConsentPurpose: "紧急救治以外的用途；紧急访问不依据授权", "another purpose: an emergency rests on no consent";
    FamilyDoctor: "签约的家庭医生", "the family doctor";
    OtherInstitution: "另一机构", "another institution";
    NothingHere: "空；家庭医生可查看的范围由授权规则决定", "left out: how far a family doctor sees is a matter of the rules";
    OneFrame: "就诊、授权、紧急访问的编号，只填其一", "exactly one of a visit, a consent and an emergency access";
    Seconds: "整数秒", "a whole number of seconds";
    Subject: "被交换的访问令牌或授权回执，只填其一", "the access token or the consent receipt to be exchanged";
    KnownParameters: "只能使用 RFC 8693 与本服务列出的参数", "none but the parameters that are listed for an exchange";
    TokensOf: "就诊、人员、证书、授权或居民，只填其一", "one of a visit, a person, a certificate, a consent and a resident";
    OneOf: "居民编号或就诊编号，只填其一", "given in place of the resident, not beside it";
    CodeUses: "授权规则允许的使用次数；静态码不填", "a number of uses that the rules allow; none for a static code";
    OfSignedCode: "32 字节的窗口随机码，仅用于签名码", "the 32 octets that a desk gave, for signed codes only";
    OfPlainCode: "平台代码，如 5100A0013，签名码不填", "a platform code such as 5100A0013, not for signed codes";
    MedicalStep: "诊疗环节代码，如 010101", "a code of a medical step, such as 010101";
    Channel: "01、02 或 99", "01, 02 or 99";
    SecurityCode: "三位数字", "three digits";
    BatchRows: "1 至 100000", "1 to 100000";
    Serials: "1 至 100 个证书序列号，十六进制小写", "1 to 100 serial numbers of certificates, in lower-case hexadecimal";
    Sm3Digest: "SM3 摘要，32 字节", "an SM3 digest of 32 octets";
    CardFactor: "卡的八个历史字节", "the eight historical bytes of the card";
    CardKey: "卡编号或发卡序列号", "a card's id or serial";
    CardFiles: "卡上文件的名称，如 DF01/EF05", "names of a card's files, such as DF01/EF05";
    CardChanges: "可写入卡内的数据项和值", "items of a card that can be changed, with values they can hold";
    ChipSerial: "十位发卡序列号", "the ten digits or letters of the issuing serial";
    Outcome: "granted、refused 或 failed", "granted, refused or failed";
    Proof: "持有者证明；不核验证明时 htm 和 htu 不填", "the proof of possession; without one, htm and htu are empty";
    ProofRequest: "持有者证明所对应的请求方法和完整地址", "method and full address of the request that the proof came with";
    Form: "application/x-www-form-urlencoded，每个参数至多一次", "application/x-www-form-urlencoded with each parameter once";
    Parameter: "必填", "there";
    TokenLength: "不超过 4096 字节", "at most 4096 octets";
    Classes: "至少一类数据", "at least one class of data";
    Grade: "1 至 5", "1 to 5";
    Name: "姓名，GBK 字符，1 至 30 字节", "a name in characters of GBK, 1 to 30 bytes of it";
    Phone: "电话号码，不超过 20 位", "a telephone number of at most 20 digits";
    EthnicGroup: "民族代码（GB 3304），1 至 56", "a code of GB 3304, 1 to 56";
    IdNumber: "18 位公民身份号码，出生日期和校验码须正确", "an ID number of 18 characters with a date of birth and its check character";
    ListedValue: "所列的值之一", "one of the listed values";
    SealedReadings: "至多 64 条、每条至多 512 字节的密封记录", "at most 64 sealed readings of at most 512 bytes";
    Time: "1970 年至 9999 年之间的时间", "a time between the years 1970 and 9999";
    Date: "日期，如 2030-12-31", "a date such as 2030-12-31";
    LaterEnd: "晚于现有效期且不早于今天的日期，最多 30 年", "a day after the present end and not past, within 30 years";
    Days: "不超过 3660 天", "at most 3660 days";
    SigningCertificate: "同一持有人有效的签名证书的序列号", "the serial number of a signing certificate in force of the same holder";
    KeyCount: "1 至 1000", "1 to 1000";
    PageSize: "不超过 500", "at most 500";
    PageToken: "上一页返回的续页标记", "the token that came with the page before";
    ShortText: "简短文字，不含控制字符，首尾无空格", "a short text without control characters or spaces around it";
    Audience: "受理方的主机名或网址，只含字母、数字和 . : / -", "a host or address of letters, digits and . : / -";
    RecordType: "病历类型，只含小写字母、数字和 -", "a kind of record of lower-case letters, digits and -";
    Actor: "身份编号或服务名称", "an identity's id or a service's name";
    Action: "操作名称，如 token.issue", "an action such as token.issue";
    Identifier: "本系统给出的编号", "an identifier given by this service";
    CreditCode: "18 位统一社会信用代码，校验码须正确", "a unified social credit code of 18 characters with its check";
    Region: "六位行政区划代码", "a region code of six digits";
    Attending: "最多 20 人", "at most 20 identities";
    Department: "医师和护士必须填写，其他角色不填", "given for doctors and nurses, and for nobody else";
    CertificateRequest: "SM2 密钥的 PKCS#10 证书申请，由该密钥签名，DER", "a PKCS#10 request for an SM2 key, signed with that key, DER";
    HouseholdBook: "户口簿号码，6 至 18 位数字或字母", "a number of a household book of 6 to 18 digits or letters";
    Passport: "该签发国护照的号码；中国护照如 E12345678 或 EA1234567", "a passport number of the issuing state; of China, such as E12345678 or EA1234567";
    OfficerCard: "军官证号码，如“军字第2001988号”", "the number of an officer's card with its sign before it";
    HkMacauPermit: "H 或 M 加 8 位数字", "H or M and eight digits";
    TaiwanPermit: "8 位数字", "eight digits";
    BirthCertificate: "1 个字母加 9 位数字", "a letter and nine digits";
    ForeignResidenceCard: "3 个字母加 12 位数字，或以 9 开头的 18 位号码", "three letters and twelve digits, or 18 characters that begin with 9";
    CardSurfaceNumber: "8 至 20 位数字或字母", "8 to 20 digits or letters";
    HospitalNumber: "1 至 32 位数字、字母或其间的 - / .", "1 to 32 digits, letters and - / . between them";
    OtherDocument: "4 至 32 位数字、字母或其间的 - / .", "4 to 32 digits, letters and - / . between them";
    IssuerState: "签发国家或地区代码，三个字母，如 CHN", "the code of the issuing state, three letters such as CHN";
    IssuerRegion: "发卡地行政区划代码，六位数字", "the region that issued it, six digits";
    IssuerHere: "本机构；可不填", "your own institution, or left out";
    NoIssuer: "不填", "left out for this kind of number";
    Case: "系统提示相似时给出的编号，64 位十六进制", "what the refusal gave as `case`, 64 hexadecimal digits";
    ScanDigest: "扫描件的 SM3 摘要，32 字节，可不填", "an SM3 digest of 32 octets, or left out";
    OrderAlone: "空：只有依文书删除才有文书编号", "empty: only an erasure by an order has its number";
    Scopes: "至少一项监护权限，不重复", "at least one scope, each once";
    GuardianshipStart: "今天或一年之内的日期", "today, or a day within a year";
    GuardianshipEnd: "不早于开始日期的结束日期，成年人必填", "a last day not before the first; it is needed for adults";
    MinorsEnd: "不晚于被监护人十八周岁生日", "no later than the ward's 18th birthday";
    MistakeNote: "误绑的原因说明", "a few words on the mistake";
    Qualification: "有权签署病历者的执业资格到期日，如 2030-12-31；其他角色不填", "the last day of the qualification of somebody who may sign records, such as 2030-12-31; left out for other roles";
    StaffRole: "与登记相同；仅医师、护士和窗口人员之间可以变更", "that on record; only doctors, nurses and clerks become one another";
    StaffIdNumber: "本人的 18 位公民身份号码；管理员必填，窗口设备和系统不填", "the person's ID number of 18 characters; needed for operators, and left out for desks and systems";
    ReportCursor: "已有变动的序号，不大于最后一个", "the number of a change that there is, and no greater one";
    CertifiableNumber: "工号中没有公民身份号码的人员：证书表把工号写入证书", "somebody whose number contains no ID number: the table of certificates writes it into them";
    ValidDays: "不超过该类证书的最长有效期", "no longer than the profile of the certificate allows";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_is_said_in_both_languages() {
        for needs in Needs::ALL {
            let (zh, en) = needs.words();
            assert!(!zh.is_empty() && en.is_ascii() && !en.is_empty(), "{needs:?}");
        }
    }

    #[test]
    fn every_reason_says_what_happened_and_what_to_do_in_both_languages() {
        for reason in Reason::ALL {
            let text = reason.text();
            for (part, chinese) in
                [(text.zh, true), (text.advice_zh, true), (text.en, false), (text.advice_en, false)]
            {
                assert!(!part.is_empty(), "{reason:?}");
                assert_eq!(!part.is_ascii(), chinese, "{reason:?}: {part}");
            }
        }
    }
}
