//! Labels of fields, headings and short confirmations.

use super::Text;

macro_rules! labels {
    ($($name:ident: $zh:literal, $en:literal;)+) => {
        $(pub(crate) const $name: Text = Text::new($zh, $en);)+

        #[cfg(test)]
        const ALL: &[(&str, Text)] = &[$((stringify!($name), $name),)+];
    };
}

labels! {
    // headings
    KEY_MADE: "已生成密钥和证书申请", "A key and a certificate request were made";
    KEY_HELD: "本身份的密钥", "The key of this identity";
    SESSION_OPENED: "已登录", "Logged in";
    SESSION_CLOSED: "已退出登录", "Logged out";
    SESSION_HELD: "当前登录", "Current session";
    SESSION_NONE: "尚未登录；需要时会自动登录", "Not logged in; commands log in by themselves when needed";
    INSTITUTION_REGISTERED: "机构已登记", "The institution is on record";
    IDENTITY_REGISTERED: "身份已登记", "The identity is on record";
    IDENTITY_ENROLLED: "证书已签发", "The certificate was issued";
    CERTIFICATE_REVOKED: "证书已吊销，其登录和令牌随即失效", "The certificate is revoked; its sessions and tokens ended";
    IDENTITY: "身份", "Identity";
    IDENTITIES: "身份", "Identities";
    AUTHORITIES_SAVED: "已保存根证书、签发证书和吊销列表", "Root, issuing certificates and revocation lists were saved";
    RESIDENT_REGISTERED: "居民已登记", "The resident is on record";
    RESIDENT: "居民", "Resident";
    CARD_REGISTERED: "健康卡已登记", "The card is on record";
    CARD: "居民健康卡", "Resident health card";
    CARD_READ: "居民健康卡 · 已核验", "Resident health card · genuine";
    CARD_LOST: "健康卡已挂失，各处即刻停用", "The card is reported lost; it is refused everywhere from now on";
    CARD_RELEASED: "健康卡已解挂", "The report of loss was taken back";
    CARD_CANCELLED: "健康卡已注销，不能恢复", "The card is cancelled for good";
    CARD_APPLIED: "已受理申领，待制卡", "The application was taken; the card is to be made";
    CARD_ACTIVATED: "健康卡已激活，可以使用", "The card is in force";
    CARD_FROZEN: "健康卡已冻结，各处即刻停用", "The card is frozen; it is refused everywhere from now on";
    CARD_UNFROZEN: "健康卡已解冻", "The card is in force again";
    CARD_BLACKLISTED: "健康卡已列入黑名单，各处即刻停用", "The card is on the blacklist; it is refused everywhere from now on";
    CARD_RENEWAL_NOTED: "已登记新的有效期；请重写卡内有效期，读卡后生效", "The new end is noted; rewrite it on the card, it counts once the card was read";
    CARDS: "居民健康卡", "Resident health cards";
    CARD_LIST: "停用卡名单", "List of cards not to be served";
    CARD_LIST_SAVED: "停用卡名单已保存", "The list of cards was saved";
    CARD_LISTED_BLACK: "此卡在黑名单中：请勿办理业务", "This card is on the black list: do not serve it";
    CARD_LISTED_GREY: "此卡在灰名单中：请联网核实后再办理", "This card is on the grey list: ask the service before you serve it";
    CARD_NOT_LISTED: "此卡不在停用卡名单中", "This card is not on the list";
    CHANGE_ENTERED: "已录入，待本机构另一人复核", "Entered; another person of your institution reviews it";
    CHANGE_APPROVED: "复核通过", "Approved";
    CHANGE_REJECTED: "已驳回", "Rejected";
    CHANGES: "待复核的变更", "Changes to review";
    CHANGE_REPLACE: "补卡、换卡", "replacement";
    CHANGE_UNBLACKLIST: "移出黑名单", "off the blacklist";
    ELECTRONIC_CARD: "电子健康卡", "Electronic health card";
    ELECTRONIC_CARD_CANCELLED: "电子健康卡已注销，其二维码随即失效，不能恢复", "The electronic card is cancelled for good; its codes ended";
    CODE_CREATED: "二维码已生成；出示它的人即被视为持卡人，请妥善保管", "The code was made; whoever shows it is taken for the holder";
    CODE_SHOWN: "电子健康卡二维码", "Code of an electronic health card";
    CODE_VERIFIED: "电子健康卡 · 已核验", "Electronic health card · verified";
    CODE_REVOKED: "二维码已作废", "The code was revoked";
    CODE_GENUINE: "二维码的签名和期限核对无误（离线核对）", "The code's signature and dates are right (checked offline)";
    DESK_NONCE_GIVEN: "请向居民出示本窗口的随机码", "Show this desk's nonce to the resident";
    VISIT_OPENED: "就诊已开始", "The visit is open";
    VISIT: "就诊", "Visit";
    VISITS: "就诊", "Visits";
    VISIT_CLOSED: "就诊已结束，其令牌随即失效", "The visit is closed; its tokens ended";
    TOKEN_ISSUED: "已签发访问令牌", "An access token was issued";
    TOKEN_ACTIVE: "令牌有效", "The token is good";
    TOKEN_INACTIVE: "令牌无效", "The token is not good";
    TOKEN_REVOKED: "令牌已撤销", "The token was revoked";
    TOKEN_ENDED_ALREADY: "令牌此前已失效", "The token had ended already";
    TOKEN_GENUINE: "令牌签名和期限核对无误（离线核对，不含撤销状态）", "The token's signature and dates are right (checked offline, revocation not included)";
    SIGNED: "病历已签名", "The record is signed";
    SIGNATURE_VALID: "签名有效", "The signature is valid";
    SIGNATURE_INVALID: "签名无效", "The signature is not valid";
    AUDIT_ENTRIES: "审计记录", "Audit entries";
    AUDIT_ENTRY: "审计记录", "Audit entry";
    AUDIT_PROVED: "已在本机核对：该记录确在日志之中", "Checked on this machine: the entry is in the log";
    AUDIT_CONSISTENT: "已在本机核对：日志只增未改", "Checked on this machine: the log only grew";
    AUDIT_CHECKPOINT: "日志检查点", "Checkpoint of the log";
    AUDIT_EXPORTED: "日志已导出", "The log was exported";
    AUDIT_VALID: "日志完好", "The log is intact";
    AUDIT_TAMPERED: "日志被改动", "The log was tampered with";
    AUDIT_UNVERIFIABLE: "无法核对日志", "The log cannot be checked";
    STATUS: "服务状态", "State of the service";
    DOCTOR: "检查", "Check-up";
    NONE_FOUND: "没有符合条件的记录", "Nothing matches";
    MORE_FOLLOWS: "还有更多，续页：--page-token {}", "There is more: --page-token {}";

    // desk
    DESK_READY: "请将健康卡放入读卡器（Ctrl-C 结束）", "Put a health card into the reader (Ctrl-C ends)";
    CARD_REFUSED: "卡未通过", "The card was refused";
    DESK_READERS: "读卡器：{}", "Readers: {}";
    DESK_NO_READER: "没有读卡器，请连接；接上后自动继续", "No reader; connect one, this goes on by itself";
    DESK_DAEMON_GONE: "读卡服务未运行，正在等待其恢复", "The smart card service is not running; waiting for it";
    DESK_SERVICE_GONE: "与服务的连接中断，正在重连", "The connection to the service was lost; connecting again";
    DESK_SERVICE_BACK: "已重新连接服务", "Connected to the service again";
    DESK_READING: "正在读卡，请勿取出……", "Reading, leave the card in the reader…";
    DESK_REMOVED: "卡已取出", "The card was taken out";
    DESK_TIMING: "{} 毫秒显示（{} 条命令，卡用时 {} 毫秒）", "on screen after {} ms ({} commands, {} ms of it the card)";
    DESK_ENDED: "窗口读卡已结束", "The desk has ended";
    DESK_CHOOSE: "同时有两张以上的居民健康卡，请选择要读哪一张", "There is more than one health card: which one is meant?";
    DESK_CHOOSE_HOW: "输入序号并回车；或取出不读的卡", "Enter its number, or take the other one out";
    DESK_CHOICE: "序号", "No.";
    DESK_READER: "读卡器", "Reader";
    DESK_CHOSEN: "已选择", "Chosen";
    DESK_QUARANTINED: "此卡已停止读取，取出前不再重试；其他读卡器不受影响", "This card is left alone until it is taken out; the other readers go on";
    DESK_HUNG: "卡不应答", "the card does not answer";
    DESK_FLOODING: "卡的应答没有尽头", "the card's answers do not end";
    DESK_OFFLINE: "离线读卡 · 未核验真伪", "Read without the service · NOT proven genuine";
    DESK_OFFLINE_BLACK: "离线读卡 · 此卡在黑名单中，请勿办理业务", "Read without the service · this card is on the black list: do not serve it";
    DESK_OFFLINE_GREY: "离线读卡 · 此卡在灰名单中，联网核实前请勿办理业务", "Read without the service · this card is on the grey list: do not serve it before the service was asked";
    DESK_LIST: "卡状态名单", "List of cards";
    DESK_LIST_NOT_LISTED: "未列入；第 {} 号名单，{} 前签发", "not listed; list {}, issued {} ago";
    DESK_LIST_LISTED: "已列入；第 {} 号名单，{} 前签发", "listed; list {}, issued {} ago";
    DESK_LIST_NONE: "本机没有名单，未核对", "there is no list on this machine: not checked";
    DESK_OFFLINE_KNOWN: "以上为卡面公开信息，可被复制；姓名、有效期和真伪均未核验", "Anyone can read the above, and copy it; name, validity and genuineness are not checked";
    DESK_OFFLINE_RECHECK: "已记入加密离线记录，联网后自动上报；窗口人员须在恢复后重新读卡核验，并核对持卡人证件", "Kept in the sealed offline records and told to the service later; the desk must read the card again then, and check the holder's document now";
    DESK_RECONCILED: "离线读卡已上报", "What was read without the service was told to it";
    DESK_RECONCILED_COUNT: "上报条数", "Told";
    DESK_CONTRADICTED: "与登记不符", "Contradictions";
    DESK_TASKS_MADE: "有 {} 条与登记不符，已生成任务：healthcard desk tasks", "{} contradict the record and are tasks now: healthcard desk tasks";
    DESK_NO_OFFLINE: "本窗口暂不能离线读卡", "This desk cannot read cards without the service";
    DESK_SPOOL_DAMAGED: "离线记录有损坏，已另存 {} 字节", "Offline records were damaged: {} bytes were put aside";
    DESK_TASKS: "待核实的离线读卡", "Readings without the service to look into";
    DESK_TASK_CLOSED: "任务已关闭", "The task is closed";
    DESK_EVENT_FROM: "正在监看窗口读卡（Ctrl-C 结束）", "Watching the desks (Ctrl-C ends)";
    DESK_CURSOR: "续看标记", "Where to go on";
    TASK_ID: "任务编号", "Task";
    TASK_RESULT: "结果", "Result";
    DESK_ID: "窗口", "Desk";
    DESK_READ_AT: "读卡时间", "Read";
    DESK_METRICS: "运行指标", "Metrics";
    DESK_RESET: "读卡器已复位", "The reader was reset";
    DESK_STUCK: "读卡器不能复位，请取出卡；仍不行请重新插拔读卡器", "The reader cannot be reset: take the card out, or unplug the reader";

    // making cards
    BLANK_WANTED: "请将空白卡放入读卡器（Ctrl-C 中断，可用同一命令继续）", "Put a blank card into the reader (Ctrl-C stops; the same command goes on)";
    BLANK_UNREADABLE: "读卡器中的卡无法上电", "The card in the reader cannot be powered";
    BLANK_REFUSED: "未制成", "No card was made";
    BATCH_PROGRESS: "已制 {} / {}，还需 {}，不予制卡 {}；每分钟 {} 张", "{} of {} made, {} to go, {} refused; {} a minute";
    BATCH_DONE: "批次已完成", "The batch is done";
    BATCH_ID: "批次编号", "Batch";
    ROWS: "行数", "Rows";
    ISSUED: "已制卡", "Cards made";
    ROWS_REFUSED: "不予制卡", "Rows refused";
    SPOILED: "作废卡", "Cards spoiled";
    MANIFEST_FILE: "签名清单", "Signed manifest";
    REPORT_FILE: "逐行结果", "Verdict of each row";
    MANIFEST_SAVED: "已保存制卡清单", "The manifest was saved";
    MANIFEST_VALID: "制卡清单完好", "The manifest is intact";
    MANIFEST_ALTERED: "制卡清单签名后被改动", "The manifest was changed after it was signed";
    ALTERED_HEAD: "签名部分被改动", "the signed head was changed";
    ALTERED_ROW: "第 {} 行被改动", "row {} was changed";
    ALTERED_MISSING: "第 {} 行缺失", "row {} is missing";
    ALTERED_ADDED: "第 {} 行是后来加入的", "row {} was added";
    ALTERED_SPOILED: "第 {} 条作废卡记录被改动", "spoiled card {} was changed";
    ALTERED_LINES: "有行连同其摘要被改动", "lines were changed together with their hashes";

    // fields
    DIRECTORY: "身份目录", "Directory";
    KEY_FILE: "私钥文件", "Key file";
    REQUEST_FILE: "证书申请", "Certificate request";
    CERTIFICATE_FILE: "证书文件", "Certificate file";
    PUBLIC_KEY: "公钥（SM3 摘要）", "Public key (SM3)";
    ENCRYPTED: "口令保护", "Passphrase";
    YES: "是", "yes";
    NO: "否", "no";
    SUBJECT: "证书主体", "Subject";
    SERIAL: "证书序列号", "Serial number";
    CERTIFICATES: "证书", "Certificates";
    NOT_AFTER: "有效期至", "Valid until";
    IDENTITY_ID: "身份编号", "Identity";
    INSTITUTION_ID: "机构编号", "Institution";
    ROLE: "角色", "Role";
    NAME: "姓名", "Name";
    LABEL: "名称", "Name";
    NUMBER: "工号", "Number";
    DEPARTMENT: "科室", "Department";
    REASON: "事由", "Reason";
    ATTENDING: "接诊人员", "Attending";
    SEX: "性别", "Sex";
    ETHNIC_GROUP: "民族", "Ethnic group";
    BIRTH_DATE: "出生日期", "Birth date";
    ID_NUMBER: "身份证号", "ID number";
    PHONE: "电话", "Phone";
    RESIDENT_ID: "居民编号", "Resident";
    CARD_ID: "卡编号", "Card";
    CARD_NUMBER: "卡号", "Card number";
    CHIP_SERIAL: "发卡序列号", "Issuing serial";
    CARD_STATUS: "卡状态", "Card status";
    VALID_UNTIL: "卡有效期至", "Card valid until";
    LIST_NUMBER: "名单编号", "Number of the list";
    LIST_SERVICE: "签发服务", "Issued by";
    LIST_ISSUED_AT: "签发时间", "Issued";
    LIST_AGE: "距今", "Age";
    LIST_ENTRIES: "卡数", "Cards";
    LISTED_FOR: "列入原因", "Listed for";
    FOR_LOSS: "挂失", "loss";
    FOR_CANCELLATION: "注销", "cancellation";
    FOR_ILLEGAL_USE: "非法使用", "illegal use";
    FOR_FREEZE: "冻结", "freeze";
    AGE_SECONDS: "{} 秒", "{} seconds";
    AGE_MINUTES: "{} 分钟", "{} minutes";
    AGE_HOURS: "{} 小时", "{} hours";
    AGE_DAYS: "{} 天", "{} days";
    RENEWAL_UNTIL: "待生效的有效期", "New end, once on the card";
    REPLACES: "所替换的卡", "Took the place of";
    NEW_CARD_ID: "新卡编号", "New card";
    CHANGE_ID: "变更编号", "Change";
    CHANGE_KIND: "变更", "What";
    CHANGE_CAUSE: "原因", "Cause";
    ENTERED_BY: "录入人", "Entered by";
    REVIEWED_BY: "复核人", "Reviewed by";
    ISSUER: "发卡机构", "Issuer";
    PRESENCE_ID: "到场凭据", "Presence";
    PRESENCE_EXPIRES: "凭据有效至", "Presence until";
    ELECTRONIC_CARD_ID: "电子健康卡编号", "Electronic card";
    CODE: "二维码内容", "Code";
    CODE_ID: "二维码编号", "Code number";
    CODE_FORM: "码的种类", "Form";
    CODE_EXPIRES_AT: "二维码失效时间", "Code expires";
    MEDICAL_STEP: "诊疗环节", "Medical step";
    CHANNEL: "渠道", "Channel";
    TERMINAL: "终端", "Terminal";
    USES_LEFT: "剩余核验次数", "Uses left";
    DESK_NONCE: "窗口随机码", "Nonce";
    CODE_STATIC: "静态码", "static";
    CODE_DYNAMIC: "动态码", "dynamic";
    CODE_SIGNED: "签名码", "signed";
    CODE_DESK: "适用窗口", "Desk";
    CODE_FOR_THIS_DESK: "本窗口", "this one";
    CODE_FOR_ANY_DESK: "不限窗口", "any";
    CODE_FOR_SOME_DESK: "仅限某一窗口；是否本窗口未核对，请用 --nonce 给出本窗口的随机码", "one desk only; give this desk's nonce with --nonce to see whether it is this one";
    CODE_CHECKED: "已核对", "Checked";
    CODE_CHECKED_WHAT: "格式、签名、期限", "form, signature, dates";
    CODE_UNCHECKED: "未核对（须在线）", "Not checked (needs the service)";
    CODE_UNCHECKED_WHAT: "是否已使用、是否已作废、电子健康卡是否有效", "whether it was used or revoked, and whether its card is active";
    VISIT_ID: "就诊编号", "Visit";
    REGISTERED_AT: "登记时间", "Registered";
    CHANGED_AT: "变更时间", "Changed";
    OPENED_AT: "开始时间", "Opened";
    CLOSED_AT: "结束时间", "Closed";
    EXPIRES_AT: "失效时间", "Expires";
    SIGNED_AT: "签名时间", "Signed at";
    SIGNER: "签名人", "Signer";
    TOKEN: "令牌", "Token";
    TOKEN_ID: "令牌编号", "Token number";
    PURPOSE: "用途", "Purpose";
    GRADE: "数据分级", "Grade";
    CLASSES: "数据分类", "Classes";
    AUDIENCE: "受理方", "Audience";
    RULE: "依据规则", "Rule";
    RELATION: "依据关系", "Relation";
    WHY: "原因", "Why";
    KEY_ID: "密钥标识", "Key";
    RECEIPT: "审计凭据", "Audit receipt";
    RECEIPT_AT: "第 {} 条（{}）", "entry {} ({})";
    POSITION: "日志位置", "Position";
    AT: "时间", "Time";
    ACTION: "操作", "Action";
    OUTCOME: "结果", "Outcome";
    ACTOR: "操作者", "Actor";
    ENTRY: "内容", "Entry";
    LOG_SIZE: "日志条数", "Log entries";
    ROOT: "日志根（SM3）", "Root (SM3)";
    OBJECT: "对象", "Object";
    ENTRY_ID: "记录编号", "Entry number";
    VERIFIER_KEY: "验证公钥", "Verifier key";
    SIZES: "日志条数（先、后）", "Sizes (first, second)";
    FILE: "文件", "File";
    BYTES: "字节", "Bytes";
    DIGEST: "病历摘要（SM3）", "Record digest (SM3)";
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
    GAP_NO_CHECKPOINT: "日志中没有检查点", "the log has no checkpoint";
    GAP_OTHER_KEY: "日志的检查点都不是用这个公钥对应的密钥签名的", "no checkpoint of the log is signed by this key";
    GAP_HELD_BY_OTHER_KEY: "所持的第 {} 个检查点不是用该密钥签名的", "checkpoint {} of those held is not signed by this key";

    // other numbers, look-alikes, guardians
    NUMBER_BOUND: "号码已绑定", "The number is bound";
    NUMBER_UNBOUND: "绑定已解除，历史保留", "The binding ended; its history stays";
    BINDINGS: "号码绑定", "Bound numbers";
    DECISIONS: "相似居民的判断", "Decisions about look-alikes";
    LOOK_ALIKE_STOPPED: "已记录：判断为同一人，未作登记", "Recorded: it is the same person, and nothing else was done";
    GUARDIAN_ADDED: "监护人已登记", "The guardian is on record";
    GUARDIAN_ENDED: "监护登记已终止", "The guardianship ended";
    GUARDIANS: "监护人", "Guardians";
    WARDS: "被监护人", "In the care of this resident";
    BINDING_ID: "绑定编号", "Binding";
    KIND: "类别", "Kind";
    ISSUER_CODE: "签发地或机构", "Issued by";
    BOUND_NUMBER: "号码", "Number of it";
    BASIS: "依据", "Rests on";
    SCAN_DIGEST: "扫描件摘要（SM3）", "Scan (SM3)";
    BOUND_AT: "绑定时间", "Bound";
    BOUND_BY: "经办人", "Done by";
    ENDED_AT: "终止时间", "Ended";
    ENDED_BY: "终止经办人", "Ended by";
    END_REASON: "终止原因", "Why it ended";
    NOTE: "说明", "Note";
    VERDICT: "判断", "Decision";
    GROUNDS: "判断依据", "Grounds";
    DECIDED_AT: "判断时间", "Decided";
    MATCHED: "相似之处", "Alike in";
    ALIKE_HERE: "相似居民", "Who looks alike";
    ALIKE_ELSEWHERE: "其他机构登记的", "Registered elsewhere";
    ALIKE_PEOPLE: "{} 人", "{}";
    CASE: "判断时请填 --case", "Decide with --case";
    RULE_NAME_AND_BIRTH_DATE: "姓名和出生日期", "name and date of birth";
    RULE_NAME_AND_PHONE: "姓名和电话", "name and phone";
    RULE_NUMBER: "同一号码", "the same number";
    GUARDIANSHIP_ID: "监护编号", "Guardianship";
    GUARDIAN_ID: "监护人（居民编号）", "Guardian";
    WARD_ID: "被监护人（居民编号）", "Ward";
    KINSHIP: "监护人与其关系", "The guardian is the ward's";
    SCOPES: "权限", "Scope";
    STARTS_ON: "起始日期", "From";
    ENDS_ON: "截止日期", "Until";
    STANDS: "现在有效", "In force";

    VERSION: "版本", "Version";
    STARTED_AT: "启动时间", "Started";
    COMMITS: "落盘次数", "Commits";
    COMMITTED_LEAVES: "落盘记录数", "Committed entries";
    OPEN_SESSIONS: "在线会话", "Open sessions";
    KEYS: "密钥", "Keys";
    SERVER: "服务地址", "Server";

    // errors
    REFUSED: "未能完成", "Not done";
    ADVICE: "怎么办", "What to do";
    MISSING_STEP: "还缺", "Missing";
    GRANTOR: "可由谁办理", "Who can grant it";
    CAUSE: "详情", "Detail";

    // doctor
    CHECK_KEY: "私钥", "Key";
    CHECK_CERTIFICATE: "证书", "Certificate";
    CHECK_SERVER: "服务连接", "Service connection";
    CHECK_CLOCK: "时钟", "Clock";
    CHECK_LOGIN: "登录", "Log in";
    CHECK_READERS: "读卡器", "Readers";
    GOOD: "正常", "good";
    DAYS_LEFT: "还有 {} 天到期", "{} days left";
    CLOCK_SKEW: "与服务相差 {} 秒", "{} s away from the service";
    NOT_ENCRYPTED: "未加密传输（仅供测试）", "not encrypted (for tests only)";
    TLS_TRUSTED: "TLS 1.3，证书可信", "TLS 1.3, certificate trusted";
    ALL_GOOD: "一切正常", "All is well";
    SOME_BAD: "有 {} 项需要处理", "{} things need attention";

    // prompts
    ASK_PASSPHRASE: "私钥口令：", "Passphrase of the key: ";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn both_languages_have_the_same_blanks() {
        for (name, text) in ALL {
            assert!(!text.zh.is_empty() && !text.en.is_empty(), "{name}");
            let blanks = |part: &str| part.matches("{}").count();
            assert_eq!(blanks(text.zh), blanks(text.en), "{name}");
        }
    }
}
