//! What can go wrong on this side of the wire: a stable reason, what happened, what to do.
//! Refusals of the service bring their own texts.

use super::Text;
use crate::exit::Exit;

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Stable name for programs.
    pub(crate) reason: &'static str,
    pub(crate) exit: Exit,
    /// What happened.
    pub(crate) message: Text,
    /// What to do.
    pub(crate) advice: Text,
}

macro_rules! problems {
    ($($name:ident $exit:ident: $zh:literal, $advice_zh:literal, $en:literal, $advice_en:literal;)+) => {
        $(pub(crate) const $name: Problem = Problem {
            reason: stringify!($name),
            exit: Exit::$exit,
            message: Text::new($zh, $en),
            advice: Text::new($advice_zh, $advice_en),
        };)+

        /// All of them.
        #[cfg(test)]
        pub(crate) const ALL: &[Problem] = &[$($name,)+];
    };
}

/// The problems by name.
pub(crate) mod problems {
    use super::{Exit, Problem, Text};

    problems! {
    // files and the identity's directory
    FILE_UNREADABLE Refused: "无法读取文件", "请检查文件路径和权限", "cannot read a file", "check the path and its permissions";
    FILE_UNWRITABLE Refused: "无法写入文件", "请检查目录是否存在、权限和磁盘空间", "cannot write a file", "check that the directory exists, its permissions, and the disk";
    FILE_TOO_LARGE Refused: "文件过大", "请确认选择了正确的文件", "the file is too large", "make sure that this is the right file";
    FILE_EXISTS Refused: "文件已存在，不会覆盖", "请换一个目录，或先移走原文件", "the file exists and will not be overwritten", "choose another directory or move the old file away";
    INPUT_MALFORMED Usage: "输入内容格式不正确", "请按 --help 中的字段填写 JSON 或 TOML", "the input is not of the expected form", "write JSON or TOML with the fields named in --help";
    BATCH_EMPTY Usage: "批次中没有任何行", "请检查批次文件", "the batch has no row", "check the file of the batch";
    BATCH_MALFORMED Usage: "批次文件不是可用的表格", "请检查首行列名和 UTF-8 编码", "the file is no table of people", "check the names of columns in its first line, and that it is UTF-8";
    BATCH_OTHER_INPUT Refused: "该目录属于另一份批次数据", "请用原来的文件继续，或换一个 --out 目录", "this directory is that of a batch with other input", "go on with the file it was begun with, or choose another --out";
    BATCH_CHANGED Refused: "批次文件或照片在读取期间被改动", "请恢复原来的文件，再以同一命令继续", "the file of the batch, or a photo, was changed while it was read", "put the file back that the batch was begun with, and give the same command again";
    STAFF_FILE_MALFORMED Usage: "不是可用的人员名册", "首行须为列名：工号、姓名、角色，可有科室、公民身份号码、执业资格到期日；最多 20000 人", "this is no staff file", "the first line names the columns: number, name, role, and possibly department, id_number, qualified_until; at most 20,000 rows";
    STAFF_FILE_NOT_UTF8 Usage: "人员名册不是 UTF-8 编码", "请在表格软件中另存为“CSV UTF-8（逗号分隔）”", "the staff file is not in UTF-8", "save it from the spreadsheet as \"CSV UTF-8 (comma delimited)\"";
    STAFF_FILE_EMPTY Usage: "人员名册中没有人员", "请检查文件", "the staff file names nobody", "check the file";
    STAFF_ROWS_BAD Refused: "人员名册中有行不符合要求，未做任何变更", "请按所列行号和列名修正后重试；行号同表格软件，首行为 1", "rows of the staff file are not acceptable, and nothing was changed", "correct the rows and columns that are listed; rows are counted as a spreadsheet does, the head being 1";
    STAFF_LEAVERS_DIFFER Refused: "离职人数与 --leavers 不符，未做任何变更", "请先运行 healthcard staff plan 核对离职人员，再以其人数填写 --leavers", "--leavers is not the number of leavers, and nothing was changed", "run `healthcard staff plan`, look at who leaves, and give their number with --leavers";
    STAFF_APPROVALS_DIFFER Refused: "待通过的申请数与 --approve 不符，未通过任何申请", "请先不带 --approve 运行，核对所列申请，再填写其数目", "--approve is not the number of enrolments to approve, and none was approved", "run it without --approve, look at the list, and give their number";
    TRANSCRIPT_MALFORMED Refused: "不是密钥仪式记录", "请确认选择了正确的文件", "this is no transcript of a key ceremony", "make sure that this is the right file";
    TRANSCRIPT_NOT_SIGNED Unverifiable: "记录不是由此根证书的密钥签名的，或其摘要已被改动", "请核对根证书，并取得记录的另一份副本", "the transcript is not signed by this root, or its digests were changed", "check the root certificate, and get another copy of the transcript";
    ROOT_UNREADABLE Refused: "不是一份根证书（PEM）", "请使用 root.pem（healthcard authority export）", "this is not one root certificate in PEM", "use root.pem (`healthcard authority export`)";
    REPORT_BUSY Refused: "另一个程序正在写这个目录", "请稍后再试", "another program is writing to the directory", "try again later";
    REPORT_ELSEWHERE Refused: "目录中已有的导出与此不连续，或出自另一个服务", "请换一个空目录，或不用 --since", "what the directory has does not go on here, or is of another service", "name an empty directory, or leave --since out";
    REPORT_MALFORMED Refused: "目录中最后一次导出的清单已损坏", "请恢复该目录，或换一个空目录并用 --since", "the manifest of the last part in the directory is damaged", "restore the directory, or name an empty one with --since";
    FORM_MALFORMED Refused: "报文格式文件不可用", "请对照 healthcard authority form 修改", "the form of documents cannot be used", "compare it with what `healthcard authority form` prints";
    QUERY_MALFORMED Refused: "这不是本格式的查询报文", "请核对报文和报文格式文件（--form）", "this is no question of this form", "compare the document with the form (--form)";
    MANIFEST_MALFORMED Refused: "不是制卡清单", "请确认选择了正确的文件", "this is no manifest", "make sure that this is the right file";
    MANIFEST_OTHER_KEY Unverifiable: "清单不是用此公钥对应的密钥签名的", "请核对验证公钥", "the manifest is not signed by this key", "check the verifier key";
    HOME_UNKNOWN Usage: "不知道身份目录", "请用 --as 指定身份目录", "no identity directory is known", "name one with --as";
    KEY_MISSING Refused: "身份目录中没有私钥", "请先运行 healthcard key new，或用 --as 指定身份目录", "there is no key in the identity directory", "run `healthcard key new`, or name the directory with --as";
    KEY_EXPOSED Refused: "私钥文件可被他人读取", "请运行 chmod 600；如可能已泄露，请申请吊销证书并换发", "the key file can be read by others", "run chmod 600; if it may have been read, have the certificate revoked and renewed";
    KEY_MALFORMED Refused: "私钥文件已损坏或不是 SM2 私钥", "请从备份恢复，或重新生成密钥并申请证书", "the key file is damaged or holds no SM2 key", "restore it from a backup, or make a new key and enroll again";
    PASSPHRASE_NEEDED Refused: "私钥受口令保护", "请用 --passphrase-file 指定口令文件，或在终端中运行", "the key is protected by a passphrase", "name a file with --passphrase-file, or run at a terminal";
    PASSPHRASE_WRONG Refused: "口令不正确，或私钥文件已损坏", "请核对口令后重试", "the passphrase is wrong, or the key file is damaged", "check the passphrase and try again";
    PASSPHRASE_UNUSABLE Refused: "口令文件不可用：应为 1 至 1024 字节，且仅本人可读", "请修正口令文件并运行 chmod 600", "the passphrase file cannot be used: 1 to 1024 bytes, readable by its owner only", "correct the file and run chmod 600";
    SM2_NOT_RECOGNIZED Refused: "看不出这是什么：不是所说的 SM2 数据，或文件不完整", "请确认文件，可为 DER、PEM、Base64 或十六进制", "this is not recognized: it is not the SM2 object that was named, or the file is cut", "check the file; DER, PEM, Base64 and hexadecimal are read";
    SM2_KEY_UNKNOWN Refused: "文件中没有可用的 SM2 密钥", "请给出公钥、证书或未加密的私钥；可用 healthcard doctor sm2 key 查看", "there is no usable SM2 key in the file", "name a public key, a certificate, or a private key that is not encrypted; `healthcard doctor sm2 key` looks at it";
    SM2_IDENTIFIER_UNUSABLE Usage: "签名者标识不可用：每个最多 8191 字节，最多 16 个，--id-hex 须为十六进制", "请检查 --id 和 --id-hex", "a signer's identifier cannot be used: at most 8191 octets each, at most 16, and --id-hex takes hexadecimal digits", "check --id and --id-hex";
    CERTIFICATE_MISSING Refused: "身份目录中没有证书", "请将证书申请交管理员签发（healthcard enrolment enter）", "there is no certificate in the identity directory", "give the request to an operator (`healthcard enrolment enter`)";
    CERTIFICATE_MALFORMED Refused: "证书文件已损坏", "请向管理员重新领取证书文件", "the certificate file is damaged", "get the certificate from an operator again";
    CERTIFICATE_OTHER_KEY Refused: "证书与私钥不匹配", "请使用对应的证书和私钥", "the certificate belongs to another key", "put the matching key and certificate together";
    PAIR_MALFORMED Refused: "证书对的答复格式不正确", "请重新领取答复文件（healthcard enrolment collect）", "the answer with the certificate pair is malformed", "get the answer again (`healthcard enrolment collect`)";
    PAIR_OTHER_KEY Refused: "加密密钥不是为本身份的签名密钥封装的", "请使用提交证书申请时的身份目录（--as）", "the encryption key was enveloped to another key than this identity's", "use the identity directory that the request came from (--as)";
    PAIR_MISMATCH Tampered: "加密密钥、加密证书与签名证书不相符", "请勿使用；请报告管理员", "encryption key, encryption certificate and signing certificate do not belong together", "do not use them, and report this to an operator";
    CERTIFICATE_EXPIRED Refused: "证书已过有效期", "请联系管理员换发证书", "the certificate has expired", "ask an operator for a new certificate";
    CERTIFICATE_EXPIRES_SOON Refused: "证书即将到期", "请尽快联系管理员换发证书", "the certificate expires soon", "ask an operator for a new certificate soon";
    CERTIFICATE_NOT_YET_VALID Refused: "证书尚未生效", "请检查本机时间", "the certificate is not valid yet", "check the clock of this machine";
    RANDOMNESS_UNAVAILABLE Refused: "系统随机数不可用", "请联系系统管理员", "the system gives no randomness", "contact the system's administrator";
    // two persons
    REQUEST_MALFORMED Refused: "证书申请文件无法读取", "请使用 healthcard key new 生成的 request.der", "the certificate request cannot be read", "use the request.der that `healthcard key new` made";
    APPROVAL_NOT_GENUINE Tampered: "录入或复核的签名与所签发的内容不符，可能被改动", "请勿复核或采信；请报告审计员", "the signed entry or review does not hold, or is about something else: it may have been altered", "do not approve or rely on it, and report it to the auditor";
    ENROLMENT_IDENTIFIERS_DIFFER Refused: "证书将写入的标识与录入时签名的不同", "登记或设置在录入后有变更；请驳回后重新录入", "the certificate would say something else about its holder than what was signed", "the record or the settings changed since: reject it, and have it entered again";
    ID_NUMBER_NEEDED Refused: "通过前须核对公民身份号码", "请用 --id-number-file 指定复核人自行取得的号码，或在终端中运行", "the ID number is to be compared first", "give your own copy with --id-number-file, or run at a terminal";
    ID_NUMBER_DIFFERS Refused: "与登记的公民身份号码不符，未通过", "请核对号码和申请人；不是同一人的，请驳回", "this is not the ID number on record, and nothing was approved", "check the number and who it is; if it is somebody else, reject the enrolment";
    APPROVAL_ISSUER_UNKNOWN Unverifiable: "没有签发录入人或复核人证书的机构", "请取得签发机构的 issuers.pem（healthcard authority export）", "whoever certified a signer is not known", "get the issuers.pem of that authority (`healthcard authority export`)";
    // the SAM
    SAM_UNREADABLE Refused: "SAM 卡无法使用", "请检查 SAM 卡及其卡槽，核对 --sam 的名称", "the SAM cannot be used", "check the SAM and its slot, and the name given with --sam";
    SAM_PIN_WRONG Refused: "SAM 卡 PIN 不正确，剩余次数见详情", "请核对 PIN，勿反复尝试", "the PIN of the SAM is wrong; the detail has the tries that are left", "check the PIN; do not keep trying";
    SAM_PIN_BLOCKED Refused: "SAM 卡 PIN 已锁定", "请联系发卡机构更换 SAM 卡", "the PIN of the SAM is blocked", "have the issuer exchange the SAM";
    SAM_PIN_UNUSABLE Refused: "SAM 卡 PIN 不可用：应为 4 至 12 位数字，文件仅本人可读", "请修正后重试", "the PIN of the SAM cannot be used: 4 to 12 digits, in a file readable by its owner only", "correct it and try again";
    SAM_PIN_MISSING Refused: "没有给出 SAM 卡 PIN", "请在终端运行并输入，或用文件给出（--sam-pin-file、--new-pin-file）", "no PIN of the SAM was given", "type it at a terminal, or give files (--sam-pin-file, --new-pin-file)";
    SAM_PIN_DIFFERS Refused: "两次输入的新 PIN 不一致，未修改", "请重试", "the new PIN was not the same twice; nothing was changed", "try again";
    // the status of certificates
    STATUS_FOREIGN Refused: "服务不是该证书签发机构的状态应答者", "请向签发该证书的机构查询", "the service does not answer for the issuer of this certificate", "ask whoever issued it";
    CERTIFICATE_FORGED Tampered: "证书不是其所称的签发机构签发的", "请勿采信该证书，并报告管理员", "the certificate was not made by the authority that it names", "do not rely on it, and report it to an operator";
    ROOT_NOT_VOUCHED_FOR Tampered: "服务给出的根证书、签发证书或吊销列表不由您所信任的根证书担保", "请勿采信该服务；请另行核对根证书的指纹，并报告管理员", "the root you trust does not vouch for the root, the issuing certificates or the lists that the service gives", "do not rely on this service; compare the root's thumbprint by another way, and report it to an operator";
    STATUS_UNAVAILABLE Unreachable: "服务目前不能答复证书状态", "请稍后重试；在此之前请勿采信该证书", "the service cannot tell the status of the certificate now", "try again later, and do not rely on the certificate until then";
    STATUS_NOT_GENUINE Tampered: "证书状态的答复并非出自其签发机构，或答非所问", "请勿采信该答复；请核对网络和服务地址并报告管理员", "the answer about the certificate is not its issuer's, or is to another question", "do not rely on it; check the network and the address, and report it to an operator";
    STATUS_STALE Refused: "证书状态的答复已过期或尚未生效", "请校准本机时间后重试", "the answer about the certificate is out of date, or from a time yet to come", "set the clock of this machine and try again";
    // time stamps
    TIME_NOT_STAMPED Unreachable: "服务未加盖时间戳：可能时钟不可信或暂不可用", "请稍后重试；若持续，请报告管理员", "the service stamped no time: its clock may not be trusted, or it cannot record", "try again later; report it to an operator if it goes on";
    TIME_STAMPS_NOT_ALLOWED Refused: "您的角色不能申请时间戳", "请联系管理员", "your role may not have times stamped", "ask an operator";
    STAMP_MALFORMED Refused: "时间戳格式不正确，或不是 SM3 时间戳", "请重新取得时间戳", "the time stamp is malformed, or of a kind that is not read here", "get it again";
    STAMP_OTHER_FILE Refused: "时间戳不属于这个文件，或文件已改动", "请核对文件与时间戳是否对应", "the time stamp is of another file, or the file was changed", "make sure that file and stamp belong together";
    STAMP_NOT_GENUINE Tampered: "时间戳的签名或证书不正确", "请勿采信该时间戳；它可能被改动或伪造", "the signature or the certificate of the time stamp is wrong", "do not rely on it: it was altered or forged";
    STAMP_ISSUER_UNKNOWN Unverifiable: "没有签发该时间戳证书的机构", "请取得签发机构的 issuers.pem（healthcard authority export）", "whoever certified the stamper is not known", "get the issuers.pem of that authority (`healthcard authority export`)";
    // reaching the service
    SERVER_ADDRESS_MALFORMED Usage: "服务地址格式不正确", "请使用 https://主机:端口，或国密 TLS 的 national://主机:端口", "the server's address is malformed", "write https://host:port, or national://host:port for national TLS";
    PLAINTEXT_NOT_ALLOWED Usage: "地址为 http://，数据将不加密", "请使用 https://；仅在测试时可加 --insecure-plaintext", "an http:// address would send data unencrypted", "use https://; for tests only, add --insecure-plaintext";
    TLS_CA_MISSING Usage: "未指定服务证书的签发机构", "请用 --tls-ca 指定 PEM 文件，或将其存为身份目录下的 tls-ca.pem", "no authority is named for the server's certificate", "name its PEM file with --tls-ca, or keep it as tls-ca.pem in the identity directory";
    TLS_CA_MALFORMED Usage: "--tls-ca 文件中没有可用的证书", "请向管理员索取正确的 PEM 文件", "the --tls-ca file holds no usable certificate", "ask an operator for the right PEM file";
    NATIONAL_ROOT_MISSING Usage: "未指定国密 TLS 所信任的根证书", "请用 --national-root 指定 root.pem，或将其存于身份目录（healthcard authority export）", "no root is named for national TLS", "name root.pem with --national-root, or keep it in the identity directory (`healthcard authority export`)";
    NATIONAL_ROOT_MALFORMED Usage: "--national-root 文件中没有可用的根证书", "请使用 root.pem（healthcard authority export）", "the --national-root file holds no usable root", "use root.pem (`healthcard authority export`)";
    CERTIFICATE_REVOKED Refused: "服务拒绝连接：本身份的证书已被吊销或暂停", "请联系管理员；如非本人申请，请立即报告", "the service refused the connection: this identity's certificate is revoked or suspended", "contact an operator; report it at once if you did not ask for this";
    CERTIFICATE_NOT_ACCEPTED Refused: "服务不接受本身份的证书，连接未建立", "请使用该服务签发的登录证书（--as），并核对服务地址；服务的日志有原因", "the service does not accept this identity's certificate; there is no connection", "use a certificate for logging in that this service issued (--as), and check the address; the service's log says why";
    REPOSITORY_UNREACHABLE Unreachable: "无法连接安全审计服务，或连接中断", "请检查网络和地址，以及该服务是否在运行；恢复后从中断处续传", "the repository of audit messages cannot be reached, or the line broke", "check the network, the address, and that it is running; what was not passed on follows when it is back";
    REPOSITORY_UNTRUSTED Refused: "安全审计服务的证书不受信任，已停止转发", "请核对 --repository-ca 和地址", "the certificate of the repository of audit messages is not trusted; nothing was sent", "check --repository-ca and the address";
    NODE_NOT_ACCEPTED Unreachable: "安全审计服务随即断开了连接，可能不接受本节点的证书", "请核对 --node-certificate，并在该服务登记本节点", "the repository of audit messages closed the line at once; perhaps it does not accept the certificate of this node", "check --node-certificate, and have this node registered there";
    NODE_CERTIFICATE_MALFORMED Usage: "本节点的证书或私钥无法使用", "请提供 PEM 格式的证书链和与之相符的私钥", "the certificate or key of this node cannot be used", "give a chain and the key that belongs to it, both PEM";
    REPOSITORY_ADDRESS_MALFORMED Usage: "安全审计服务的地址不正确", "请写作 主机:端口；缺省端口为 6514", "the address of the repository is malformed", "write it as host:port; the port is 6514 by default";
    FORWARD_STATE_WRONG Refused: "记录转发位置的文件不可用，或属于另一日志，或超出本日志的长度", "请核对 --state；日志若被换回旧副本，请用见证方的检查点核对；确需从头转发时另用一个文件", "the file that keeps how far the log was passed on is malformed, or of another log, or ahead of this one", "check --state; if an older copy of the log was put back, hold it against a witness's checkpoint; use another file to begin anew";
    SERVICE_UNREACHABLE Unreachable: "无法连接服务", "请检查网络、服务地址，以及服务是否在运行", "cannot reach the service", "check the network, the address, and that the service is running";
    SERVICE_UNTRUSTED Unreachable: "服务的证书不受信任，已停止连接", "请核对 --tls-ca（国密 TLS 为 --national-root）和服务地址；若此前正常，请立即报告", "the server's certificate is not trusted; nothing was sent", "check --tls-ca (--national-root for national TLS) and the address; report it if it worked before";
    SERVICE_TIMEOUT Unreachable: "服务未在规定时间内答复", "请稍后重试；操作可能已完成，请先查询", "the service did not answer in time", "try again later; the act may have happened, so look first";
    SERVICE_ANSWER_MALFORMED Refused: "服务的答复不符合约定", "请核对客户端与服务的版本", "the service's answer is not as agreed", "compare the versions of client and service";
    SERVICE_OTHER Refused: "所连接的服务不是签发您证书的服务，未登录", "请核对 --server 和 --as；若地址无误，请立即报告", "this is not the service that issued your certificate; you were not logged in", "check --server and --as; report it at once if they are right";
    // readers and cards
    READER_SERVICE_UNAVAILABLE Unreachable: "读卡服务（pcscd）未运行", "请启动 pcscd，或联系系统管理员", "the smart card service (pcscd) is not running", "start pcscd or contact the administrator";
    READER_MISSING Unreachable: "没有找到读卡器", "请连接读卡器，或核对 --reader", "no reader was found", "connect a reader, or check --reader";
    CARD_UNREADABLE Refused: "无法与卡通信：卡可能放反、损坏，或不是健康卡", "请取出擦净后按正确方向重新放入；仍不行请换卡或换读卡器", "the card does not answer: it may be upside down, damaged, or no health card", "take it out, wipe it, put it in the right way round; else try another reader";
    CARD_REMOVED Refused: "读卡未完成，卡已被取出", "请重新放卡，读取完成前不要取出", "the card was taken out before reading ended", "insert the card again and leave it in";
    SPOOL_IN_USE Refused: "另一个窗口程序正在使用本身份的离线记录", "请结束另一个窗口程序，或换用其他身份", "another desk uses the offline records of this identity", "end the other desk, or use another identity";
    SPOOL_FULL Refused: "离线记录已满，不能再离线读卡", "请恢复与服务的连接，离线记录会自动上报", "the offline records are full: no more cards can be read without the service", "restore the connection to the service; the records are then sent by themselves";
    METRICS_EXPOSED Usage: "运行指标只应在本机提供", "请使用 127.0.0.1，或加 --insecure-metrics", "metrics should be offered on this machine only", "use 127.0.0.1, or add --insecure-metrics";
    METRICS_UNAVAILABLE Refused: "不能在此地址提供运行指标", "请换一个端口", "metrics cannot be offered at this address", "choose another port";
    INTERFACE_EXPOSED Refused: "本机接口的目录可被他人进入，或属于他人", "请换用只有本人可进入的目录（chmod 700）", "the directory of the interface can be entered by others, or is another user's", "choose a directory that only you may enter (chmod 700)";
    INTERFACE_IN_USE Refused: "本机接口的位置已被占用", "请结束另一个窗口程序，或换一个位置", "the place of the interface is taken", "end the other desk, or choose another place";
    INTERFACE_UNAVAILABLE Refused: "不能在此位置提供本机接口", "请换一个较短的位置，并核对其目录", "the interface cannot be offered at this place", "choose another, shorter place, and check its directory";
    CARDS_TWO Refused: "同时放了两张卡，不能确定是哪一位", "请只留一张卡，或用 --reader 指定读卡器", "there are two cards, and it is not known which one is meant", "leave only one, or name the reader with --reader";
    NOT_HEALTH_CARD Refused: "这不是居民健康卡", "请放入居民健康卡", "this is not a resident health card", "insert a resident health card";
    CARD_HUNG Refused: "卡长时间无响应，已停止读取", "请取出后重新放卡；仍不行请换卡", "the card does not answer and is left alone", "take it out and insert it again, or have it replaced";
    CARD_FLOODING Refused: "卡的应答没有尽头，已停止读取", "请取出此卡；请勿办理业务并报告", "the card's answers do not end; it is left alone", "take it out, do not serve it, and report it";
    READERS_EXHAUSTED Refused: "多个读卡器被不应答的卡占住", "请取出不应答的卡，或重启读卡服务", "too many readers wait for cards that do not answer", "take those cards out, or restart the smart card service";
    CARD_NOT_GENUINE Refused: "卡未通过本机 SAM 卡的真伪认证，可能是伪造卡", "请勿办理业务；请扣留此卡并报告", "the card failed to prove to this desk's SAM that it is genuine", "do not serve it; keep the card and report it";
    CARD_EXPIRED Refused: "卡已过有效期", "请为居民办理换卡", "the card has expired", "have the card renewed";
    CARD_INCONSISTENT Refused: "卡内信息互相矛盾", "请勿办理业务；核对居民身份并报告", "the card contradicts itself", "do not serve it; check the person's identity and report it";
    CARD_LOST Refused: "按名单，此卡已挂失", "请勿办理业务；核对持卡人身份，联网后由窗口办理解挂或换卡", "by the list, the card was reported as lost", "do not serve it; check who holds it, and release or replace it once the service can be asked";
    CARD_CANCELLED Refused: "按名单，此卡已注销", "请收回此卡，并使用新卡", "by the list, the card was cancelled", "keep the card and use the new one";
    CARD_BLACKLISTED Refused: "按名单，此卡因非法使用已列入黑名单", "请勿办理业务；请扣留此卡并报告", "by the list, the card is on the blacklist for illegal use", "do not serve it; keep the card and report it";
    CARD_FROZEN Refused: "按名单，此卡已冻结", "联网核实前请勿办理业务", "by the list, the card is frozen", "do not serve it before the service can be asked";
    CARD_NOT_ACTIVATED Refused: "按名单，此卡尚未激活", "联网核实前请勿办理业务；请持卡人携带身份证件到窗口激活", "by the list, the card has not been activated", "do not serve it before the service can be asked; its holder activates it at the desk with an identity document";
    CARD_BUSY Refused: "卡正被其他程序占用", "请关闭其他读卡程序后重新放卡", "another program is using the card", "close the other program and put the card in again";
    CARD_TIMEOUT Refused: "等待放卡超时", "请放卡后重试", "no card was put in in time", "put the card in and try again";
    // signing
    ATTRIBUTES_MALFORMED Refused: "服务要求签名的内容格式不正确，已拒绝签名", "请勿签名；请报告管理员", "what the service asks to sign is malformed; nothing was signed", "do not sign; report this to an operator";
    ATTRIBUTES_OTHER_RECORD Refused: "服务要求签名的不是这份病历，已拒绝签名", "请勿签名；请立即报告管理员", "the service asks to sign another record; nothing was signed", "do not sign; report this to an operator at once";
    ATTRIBUTES_OTHER_CONTENT Refused: "服务要求签名的内容类型不符，已拒绝签名", "请勿签名；请报告管理员", "the service asks to sign another kind of content; nothing was signed", "do not sign; report this to an operator";
    ATTRIBUTES_OTHER_SIGNER Refused: "服务要求以他人的证书签名，已拒绝签名", "请勿签名；请立即报告管理员", "the service asks to sign for another certificate; nothing was signed", "do not sign; report this to an operator at once";
    ATTRIBUTES_OTHER_TIME Refused: "签名时间与本机时间相差过大，已拒绝签名", "请校准本机时间；若本机时间正确，请报告管理员", "the signing time is far from this machine's; nothing was signed", "set the clock of this machine; if it is right, report this to an operator";
    // tokens
    TOKEN_MALFORMED Refused: "令牌格式不正确", "请完整复制令牌", "the token is malformed", "copy the whole token";
    TOKEN_ALGORITHM Refused: "令牌的算法或类型不被接受", "请勿采信该令牌", "the token's algorithm or type is not accepted", "do not rely on this token";
    TOKEN_KEY_UNKNOWN Refused: "没有核对该令牌的公钥", "请取得最新的公钥集（healthcard token keys）", "there is no key to check this token with", "get the newest keys (`healthcard token keys`)";
    TOKEN_KEYS_MALFORMED Refused: "公钥集格式不正确", "请重新取得公钥集（healthcard token keys）", "the key set is malformed", "get the keys again (`healthcard token keys`)";
    TOKEN_SIGNATURE Refused: "令牌签名不正确", "请勿采信该令牌；它可能被改动或伪造", "the token's signature is wrong", "do not rely on this token: it was altered or forged";
    TOKEN_EXPIRED Refused: "令牌已过期", "请重新申请令牌", "the token has expired", "ask for a new token";
    TOKEN_NOT_YET_VALID Refused: "令牌尚未生效", "请检查本机时间", "the token is not valid yet", "check the clock of this machine";
    TOKEN_OTHER_AUDIENCE Refused: "令牌是给其他系统的", "请勿受理；请申请面向本系统的令牌", "the token is for another system", "do not accept it; ask for one for this system";
    URI_UNUSABLE Usage: "请求地址不可用：须为 http:// 或 https:// 开头的完整地址，最长 2048 字节", "请填写请求的完整地址，如 https://emr.example/fhir/Patient/1", "the address of the request cannot be used: a whole one, beginning with http:// or https://, of at most 2048 bytes", "give the whole address, such as https://emr.example/fhir/Patient/1";
    RPC_UNUSABLE Usage: "gRPC 方法的地址不可用：须为 http:// 或 https://、主机、/包.服务/方法，不带参数", "请填写完整地址，如 https://emr.example/records.v1.Observations/Read", "the address of the gRPC method cannot be used: http:// or https://, the host, and /package.Service/Method with nothing behind it", "give the whole address, such as https://emr.example/records.v1.Observations/Read";
    // codes of electronic cards
    CODE_FOREIGN Refused: "这不是电子健康卡二维码", "请居民打开电子健康卡后重新扫码", "this is not the code of an electronic health card", "have the resident open the electronic card and scan again";
    CODE_MALFORMED Refused: "二维码内容不完整或格式不正确", "请重新扫码；仍不行请居民刷新二维码", "the code is incomplete or malformed", "scan again, or have the code refreshed";
    CODE_ONLINE_ONLY Unverifiable: "静态码和动态码只能在线核验", "请使用 healthcard card code verify；离线时请居民出示签名码", "static and dynamic codes can be verified only by the service", "use `healthcard card code verify`; offline, have the resident show a signed code";
    CODE_KEY_UNKNOWN Refused: "公钥集中没有签署该二维码的公钥", "请取得最新的公钥集（healthcard token keys）", "there is no key to check this code with", "get the newest keys (`healthcard token keys`)";
    CODE_NOT_GENUINE Refused: "二维码的签名不正确", "请勿采信该二维码；它可能被改动或伪造", "the code's signature is wrong", "do not rely on this code: it was altered or forged";
    CODE_EXPIRED Refused: "二维码已过期", "请居民刷新二维码", "the code has expired", "have the code refreshed";
    CODE_NOT_YET_VALID Refused: "二维码尚未生效", "请检查本机时间", "the code is not valid yet", "check the clock of this machine";
    CODE_OTHER_DESK Refused: "二维码不是为本窗口出示的", "请居民扫描本窗口的随机码后重新出示", "the code was not made for this desk", "have the resident scan this desk's nonce and show a new code";
    CODE_TOO_LONG Refused: "内容过长，无法生成二维码", "请确认内容完整且正确", "the text is too long for a QR code", "make sure that this is the right text";
    // lists of cards
    CARD_LIST_MALFORMED Refused: "停用卡名单格式不正确、不完整或过大", "请重新取得名单（healthcard card list fetch）", "the list of cards is malformed, cut short or too large", "get it again (`healthcard card list fetch`)";
    CARD_LIST_SIGNATURE Tampered: "停用卡名单的签名不正确", "请勿采信该名单；它可能被改动或伪造，请报告管理员", "the signature of the list of cards is wrong", "do not rely on it: it was altered or forged; report it to an operator";
    CARD_LIST_KEY_UNKNOWN Unverifiable: "没有核对该名单的公钥", "请取得最新的公钥集（healthcard token keys）", "there is no key to check this list with", "get the newest keys (`healthcard token keys`)";
    CARD_LIST_OLDER Refused: "收到的停用卡名单比已有的旧，未采用", "请稍后重试；若再次出现，请立即报告管理员", "the list of cards is older than the one held, and was not taken", "try again later; report it if it happens again";
    CARD_LIST_CONTRADICTION Tampered: "同一编号有两份不同的停用卡名单", "请保存两份文件并立即报告管理员", "there are two different lists of one number", "keep both files and report it at once";
    CARD_LIST_OTHER_SERVICE Refused: "停用卡名单属于其他服务", "请核对 --server 和名单文件", "the list of cards is one of another service", "check --server and the file";
    CARD_LIST_DELTA Refused: "名单增量与已有名单不符，未采用", "请删除名单文件后重新取得完整名单", "the delta does not fit the list that is held, and was not taken", "remove the file and get the whole list again";
    CARD_LIST_FROM_THE_FUTURE Refused: "停用卡名单的签发时间晚于本机时间", "请校准本机时间", "the list of cards was issued after this machine's time", "set the clock of this machine";
    // audit
    PROOF_INVALID Tampered: "证明与日志不符：日志或答复被改动", "请保存该证明并立即报告审计负责人", "the proof does not fit the log: the log or the answer was altered", "keep the proof and report it at once";
    CHECKPOINT_INVALID Tampered: "检查点的签名不正确", "请核对验证公钥；若公钥无误，请立即报告审计负责人", "the checkpoint's signature is wrong", "compare the verifier key; if it is right, report this at once";
    CHECKPOINT_UNUSABLE Refused: "检查点不可用：格式不正确，或不是这个日志的", "请使用这个日志的检查点和验证公钥", "the checkpoint cannot be used: malformed, or of another log", "use a checkpoint and the verifier key of this log";
    WITNESS_EXISTS Refused: "本身份已是见证方", "查看请用 healthcard witness show；日志更换密钥后用 healthcard witness accept", "this identity is a witness already", "see `healthcard witness show`; after the log's key was changed use `healthcard witness accept`";
    WITNESS_NOT_BEGUN Refused: "本身份还不是见证方", "请先用 healthcard witness begin", "this identity is no witness yet", "begin with `healthcard witness begin`";
    WITNESS_LABEL_MALFORMED Usage: "见证方名称不能用", "请用不含空格和加号的名称，如 witness.example", "a witness cannot be called that", "use a name without spaces and plus signs, e.g. witness.example";
    WITNESS_MEMORY_SPOILED Refused: "见证方的记录缺失、损坏，或不是它签署的", "旧备份会使它签署两种历史，请勿恢复；请以新的身份和密钥重新成为见证方，并通知服务", "what the witness remembers is missing or damaged, or is not what it signed", "do not restore an older copy, with which it could sign two histories: begin anew with another identity and key, and tell the service";
    WITNESS_LOG_KEY Refused: "检查点不是用已采信的日志密钥签署的", "日志更换密钥后，请另行核对新的验证公钥，再用 healthcard witness accept 采信", "the checkpoint is not signed by a key of the log that this witness believes", "after the log's key was changed, compare the new verifier key another way, and believe it with `healthcard witness accept`";
    WITNESS_OTHER_KEY Refused: "密钥不是成为见证方时的那一把", "请用原来的密钥", "the key is not the one this witness began with", "use the key of then";
    WITNESS_BUSY Refused: "见证程序已在运行", "同一见证方只运行一个", "this witness is running already", "run one of it only";
    WITNESS_KEY_MALFORMED Usage: "见证公钥格式不正确", "请使用 healthcard witness show 给出的公钥", "the witness key is malformed", "use the key that `healthcard witness show` gives";
    VIEW_UNAVAILABLE Refused: "无法在此地址公开", "请换一个地址或端口", "nothing can be shown at this address", "use another address or port";
    VERIFIER_KEY_MALFORMED Usage: "验证公钥格式不正确", "请使用 healthcard audit checkpoint 给出的验证公钥", "the verifier key is malformed", "use the verifier key that `healthcard audit checkpoint` gives";
    ROOT_MALFORMED Usage: "根值格式不正确：应为 64 位十六进制数字", "请使用 healthcard audit segments 列出的根值", "the root is malformed: it has 64 hexadecimal digits", "use the one that `healthcard audit segments` lists";
    VERIFIER_KEY_NEEDED Unverifiable: "缺少日志的验证公钥", "请用 --verifier-key 给出此前取得的验证公钥（healthcard audit checkpoint）", "the log's verifier key is missing", "give the key obtained earlier with --verifier-key (`healthcard audit checkpoint`)";
    LOG_UNREADABLE Unverifiable: "文件不是日志数据库、导出文件、查阅记录或证据包，或已损坏而无法读取", "请使用数据库文件的副本、导出文件或查阅记录的证明文件；若文件已损坏，请从备份恢复后再核对", "the file is no log database, export, access history or package, or too damaged to read", "use a copy of the database, an export or an access history; restore a damaged one from a backup";
    PACKAGE_UNREADABLE Unverifiable: "文件不是证据包，或已损坏而无法读取", "请使用 healthcard audit package 制作的原文件，不要解开后重新压缩", "the file is no package, or too damaged to read", "use the very file that `healthcard audit package` made; one that was unpacked and packed again is another";
    ONLINE_NEEDS_EXPORT Usage: "数据库文件不能用 --online 与今日的日志比对", "请改用导出文件、查阅记录或证据包", "a database file cannot be compared with the log of today by --online", "use an export, an access history or a package";
    PACKAGE_EMPTY Usage: "所选范围内没有记录", "请核对 --from 和 --until", "there is no entry in that part of the log", "check --from and --until";
    PACKAGE_TOO_LARGE Refused: "内容超出证据包的限度（4 GB、2000 张操作者证书）", "请用 --from 和 --until 分成几个证据包", "that is more than a package may have (4 GB, certificates of 2000 who acted)", "make several, with --from and --until";
    REASON_UNUSABLE Usage: "事由应为一行文字，不超过 512 字节", "请缩短，并去掉换行", "what it is for has to be one line of at most 512 bytes", "make it shorter, without line breaks";
    LOG_TAMPERED Tampered: "日志被改动", "请保存该文件并立即报告审计负责人", "the log was tampered with", "keep the file and report it at once";
    LOG_UNVERIFIABLE Unverifiable: "证据不足，无法判定日志是否完好", "请补齐所缺内容后重新核对", "there is not enough to tell whether the log is intact", "supply what is missing and check again";
    CLOCK_WRONG Refused: "本机时间与服务相差过大", "请校准本机时间（启用网络对时）", "this machine's clock is far from the service's", "set the clock, best by network time";
    CLOCK_UNKNOWN Refused: "无法得知服务的时间", "请先解决服务连接问题", "the service's time is not known", "see to the connection first";
    USAGE Usage: "命令用法不正确", "请查看 --help", "the command was not understood", "see --help";
    RECEIPT_WRONG Refused: "事已办妥，但服务给出的回执不成立，未保存", "请向审计员反映，并用 healthcard audit prove 核对该笔", "it was done, but the receipt that the service gave does not hold, and was not kept", "tell an auditor, who checks the entry with `healthcard audit prove`";
    SIGNALS_UNAVAILABLE Refused: "系统不允许监听中断信号，未开始读卡", "请重新运行；如仍出现，请联系系统管理员", "the system does not let this program listen for interruptions; nothing was read", "run it again; if it persists, contact the system's administrator";
    HELD_SESSION_OVER Refused: "被保持的会话已结束", "请重新运行 healthcard session hold；不再保持会话时运行 healthcard session open", "the session that was held here is over", "run `healthcard session hold` again, or `healthcard session open` where none is to be held any more";
    SESSION_ELSEWHERE Refused: "本机不再使用会话，但它属于另一服务，未能在那里结束", "请用 --server 指定该服务并在别处运行 healthcard session end；被保持的会话在租期届满时结束", "the session is used here no more, but it is of another service and could not be ended there", "end it there with `healthcard session end`; a held one ends with its lease";
    FILE_NOT_REMOVED Refused: "无法删除文件", "请检查目录权限，并手工删除", "a file cannot be removed", "check the permissions of its directory, and remove it by hand";
    INTERRUPTED Refused: "操作被中断", "需要时请重新运行", "interrupted", "run it again when needed";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::problems::ALL;

    #[test]
    fn problems_are_told_in_both_languages() {
        let mut reasons = BTreeSet::new();
        for problem in ALL {
            assert!(reasons.insert(problem.reason), "{} twice", problem.reason);
            for text in [problem.message, problem.advice] {
                assert!(!text.zh.is_ascii(), "{}", problem.reason);
                assert!(text.en.is_ascii(), "{}", problem.reason);
            }
        }
    }
}
