//! Erasures of residents.

use super::{Text, label::labels};

labels! {
    ERASURE_ENTERED: "删除已录入，待本机构另一人复核（healthcard resident erase-review）", "Entered; another person of this institution reviews it (healthcard resident erase-review)";
    ERASURE_REVIEWED: "删除已复核", "The erasure was reviewed";
    ERASURE_DONE: "该居民的个人信息已删除：密钥已销毁，日志不变", "The resident is erased: the key is destroyed, and the log is as it was";
    ERASURES: "居民个人信息的删除", "Erasures of residents";
    ERASURE_ID: "删除编号", "Number of the erasure";
    ERASURE_ORDER: "文书编号", "Number of the order";
    ERASURE_COPIES: "{} 之前的数据库备份仍含该居民的数据和密钥：请销毁或等其到期；恢复时保留 DATABASE.erasures 文件，启动时会再次删除", "Copies of the database from before {} hold the resident's data and key: destroy them, or have them run out; where one is restored, leave the file DATABASE.erasures in its place, and the start erases again";
    ERASURE_NOT_OVERWRITTEN: "数据库文件中的旧页仍有人在读，稍后覆盖，最迟在服务停止时", "Somebody still reads older pages of the database: they are overwritten soon, at the latest when the service ends";
    ERASURE_NOT_LISTED: "未能写入 DATABASE.erasures，下次启动时补写；此前请勿恢复旧备份", "DATABASE.erasures could not be written; the next start does so: restore no older copy before";
}
