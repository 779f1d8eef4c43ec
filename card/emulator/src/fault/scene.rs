//! The box of misbehaving cards: what to play, and the one outcome it may have.

/// Something that goes wrong at a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// What is played.
    pub play: Play,
    /// What must come of it.
    pub outcome: Outcome,
    /// What happens, in Chinese.
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
}

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// The patient's card with this fault, a word of [`Script`](super::Script), is read.
    Read(&'static str),
    /// The patient's card with this fault is written to: a phone of the holder, protected.
    Write(&'static str),
    /// A genuine card of somebody else that carries the serial of the patient's chip.
    SameSerial,
    /// A genuine card of somebody else that answers a reset as the patient's does.
    SameFactor,
    /// Two cards in two readers at once.
    TwoCards,
    /// The PC/SC daemon is killed with the card in the reader, and started again.
    DaemonKilled,
}

/// What comes of a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The person is read as if nothing had happened.
    Read,
    /// The reading is refused for this reason, a stable name of the service.
    Refused(&'static str),
    /// The card refuses the change with this status word.
    NotWritten(u16),
    /// The desk asks which card is meant.
    Asks,
    /// The desk tells that the daemon is gone and reads the card when it is back.
    ReadAgain,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read => f.write_str("READ"),
            Self::Refused(reason) => f.write_str(reason),
            Self::NotWritten(word) => write!(f, "NOT_WRITTEN {word:04X}"),
            Self::Asks => f.write_str("CHOOSE"),
            Self::ReadAgain => f.write_str("READER_SERVICE_LOST, READ"),
        }
    }
}

const REMOVED: Outcome = Outcome::Refused("CARD_REMOVED");
const MALFORMED: Outcome = Outcome::Refused("CARD_MALFORMED");
const GARBAGE: Outcome = Outcome::Refused("CARD_GARBAGE");
const TIMEOUT: Outcome = Outcome::Refused("CARD_TIMEOUT");
const FOREIGN: Outcome = Outcome::Refused("NOT_HEALTH_CARD");
const FORGED: Outcome = Outcome::Refused("CARD_NOT_GENUINE");
const REFUSED: Outcome = Outcome::Refused("CARD_READ_REFUSED");
const INCONSISTENT: Outcome = Outcome::Refused("CARD_INCONSISTENT");
const UNREGISTERED: Outcome = Outcome::Refused("CARD_UNREGISTERED");

const fn scene(
    name: &'static str,
    play: Play,
    outcome: Outcome,
    zh: &'static str,
    en: &'static str,
) -> Scene {
    Scene { name, play, outcome, zh, en }
}

/// A scene that is named by its fault.
const fn read(fault: &'static str, outcome: Outcome, zh: &'static str, en: &'static str) -> Scene {
    scene(fault, Play::Read(fault), outcome, zh, en)
}

/// Every scene. A reading takes eighteen commands: 1 to 4 recognise the card, 5 proves it genuine,
/// 6 to 8 read EF05, 9 to 12 prove the right to read and read the validity, 13 to 18 read EF06.
#[rustfmt::skip]
pub const SCENES: [Scene; 39] = [
    // pulled
    read("gone-at:1", REMOVED, "第一条命令时卡被拔出", "the card is pulled at the first command"),
    read("gone-at:5", REMOVED, "真伪认证时卡被拔出", "the card is pulled while it proves itself"),
    read("gone-at:11", REMOVED, "读权认证时卡被拔出", "the card is pulled at the proof of the right to read"),
    read("gone-at:18", REMOVED, "最后一条命令时卡被拔出", "the card is pulled at the last command"),
    // reset
    read("reset@6", MALFORMED, "读发卡数据时卡自行复位", "the card resets itself while the issuer's file is read"),
    read("reset@11", MALFORMED, "读权认证前卡自行复位", "the card resets itself before the proof of the right to read"),
    read("reset@18", MALFORMED, "读最后一项时卡自行复位", "the card resets itself at the last record"),
    // mute, slow
    read("mute", TIMEOUT, "卡不应答", "the card answers nothing"),
    read("mute@12", TIMEOUT, "读到一半卡不再应答", "the card stops answering half-way"),
    read("slow:60", Outcome::Read, "每条命令迟 60 毫秒", "every answer is 60 ms late"),
    read("slow:8000@12", TIMEOUT, "一条命令迟 8 秒", "one answer is 8 s late"),
    // half an answer, wrong length
    read("half@4", FOREIGN, "城市代码的应答只有一半", "half of the answer to the city code"),
    read("half@18", MALFORMED, "身份证号的应答只有一半", "half of the answer to the ID number"),
    read("truncated", MALFORMED, "记录少一个字节", "records lack their last byte"),
    read("oversized", MALFORMED, "记录多二十个字节", "records go on for twenty bytes"),
    read("wrong-length@14", MALFORMED, "姓名记录的长度字节错", "the length byte of the name is wrong"),
    // wrong status
    read("says:6A83", FOREIGN, "所有记录都“不存在”", "every record is said not to exist"),
    read("says:6F00@7", MALFORMED, "读卡号时应答 6F00", "6F00 to the card number"),
    read("says:6281@14", MALFORMED, "读姓名时应答 6281", "6281 to the name"),
    // garbage, floods
    read("garbage", FOREIGN, "应答是乱码", "answers are noise"),
    read("garbage@5", FORGED, "真伪认证的应答是乱码", "the proof is noise"),
    read("short", GARBAGE, "应答只有一个字节", "answers of one byte"),
    read("huge", GARBAGE, "应答超长", "answers longer than any answer"),
    read("endless", GARBAGE, "应答没有终点", "answers that never end"),
    // MACs, challenges, bits, keys
    read("forged", FORGED, "真伪认证的应答错误", "the proof is wrong"),
    scene("refuses-mac", Play::Write("refuses-mac"), Outcome::NotWritten(0x6988), "卡不承认任何 MAC", "the card takes no MAC for right"),
    scene("wrong-keys:STK_DDF1", Play::Write("wrong-keys:STK_DDF1"), Outcome::NotWritten(0x6988), "线路保护密钥不符", "the line key is another one"),
    read("stale-challenge", REFUSED, "卡用旧随机数核对", "the card checks against a stale challenge"),
    read("flipped@5", FORGED, "真伪认证的应答错一位", "one bit of the proof is flipped"),
    read("flipped@12", INCONSISTENT, "有效期错一位", "one bit of the validity is flipped"),
    read("flipped@18", MALFORMED, "身份证号错一位", "one bit of the ID number is flipped"),
    read("wrong-keys", FORGED, "卡的密钥不是本发卡方的", "the keys are another issuer's"),
    read("wrong-keys:RK1_DDF1", REFUSED, "读密钥不符", "the read key is another one"),
    // other cards
    read("transit", FOREIGN, "公交卡：有 DDF1，没有 EF05", "a transit card: DDF1, and no EF05"),
    read("look-alike", INCONSISTENT, "复位应答和序列号相同，持卡人是另一人", "same answer to reset and serial, another holder"),
    scene("same-factor", Play::SameFactor, UNREGISTERED, "另一人的卡，复位应答与本卡相同", "somebody else's card that answers a reset as this one does"),
    scene("same-serial", Play::SameSerial, INCONSISTENT, "另一人的卡，芯片序列号与本卡相同", "somebody else's card with this one's chip serial"),
    scene("two-cards", Play::TwoCards, Outcome::Asks, "两张卡同时在读卡器上", "two cards in two readers"),
    // readers
    scene("daemon-killed", Play::DaemonKilled, Outcome::ReadAgain, "读卡器服务被杀死并重新启动", "the reader service is killed and started again"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fault::Script;

    #[test]
    fn scenes_have_names_of_their_own_and_faults_that_exist() {
        let mut names = BTreeSet::new();
        for scene in SCENES {
            assert!(names.insert(scene.name), "{} twice", scene.name);
            if let Play::Read(fault) | Play::Write(fault) = scene.play {
                assert!(fault.parse::<Script>().is_ok(), "{fault}");
            }
        }
    }
}
